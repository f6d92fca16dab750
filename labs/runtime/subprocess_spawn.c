/*
 * subprocess_spawn.c: a child that executes a program.
 *
 * The child borrows its parent's memory, and the thread that makes it sleeps until it executes the program or ends, as
 * after vfork(2): so a start costs the same however large the parent is, and what fails in the child is simply stored
 * where the parent looks. Its stack is an array in the parent's frame. No signal handler of the parent's may run in it,
 * so all signals are blocked until all handlers are gone.
 *
 * It calls the kernel directly: libc's functions are the parent's, with the parent's locks, thread and cancellation.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "subprocess_internal.h"

enum {
    STACK = 8192,     /* bytes; the child calls nothing deep */
    LAST_SIGNAL = 64, /* the kernel's, and the two that libc keeps to itself are among them */
    MASK_SIZE = 8,    /* bytes of the kernel's signal set */
};

/* The sanitizers' bookkeeping would go wrong where a thread seems to run twice. */
#if defined(__clang__)
#define IN_CHILD __attribute__((disable_sanitizer_instrumentation, no_sanitize("address", "undefined")))
#else
#define IN_CHILD __attribute__((no_sanitize("thread", "address", "undefined")))
#endif

/* What both sides see: the parent made it, and reads it when the child has executed or ended. */
struct child {
    const struct spawn *spawn;
    pid_t parent;
    bool has_handlers; /* the parent's handlers are still set in it */
    volatile at_stage stage;
    volatile int error; /* above 0: it failed there, and executes nothing */
    volatile int about;
};

/* ---- in the child */

static IN_CHILD void fail(struct child *child, at_stage stage, int about) {
    child->stage = stage;
    child->about = about;
    child->error = errno;
    for (;;)
        syscall(SYS_exit_group, 127);
}

/* The kernel's struct sigaction of a default action is all zeros on every architecture. */
static IN_CHILD void set_default(int number) {
    unsigned long action[16] = {0};
    syscall(SYS_rt_sigaction, number, action, NULL, MASK_SIZE);
}

/*
 * Signals that are caught take their default action, as they will when the program executes; those ignored stay so, but
 * for the two that Python, say, ignores for itself.
 */
static IN_CHILD void reset_signals(struct child *child) {
    for (int number = 1; child->has_handlers && number <= LAST_SIGNAL; number++) {
        unsigned long action[16] = {0};
        syscall(SYS_rt_sigaction, number, NULL, action, MASK_SIZE);
        if (action[0] > (unsigned long)SIG_IGN) /* the handler comes first */
            set_default(number);
    }
    if (child->spawn->restore_signals) {
        set_default(SIGPIPE);
        set_default(SIGXFSZ);
    }
}

/* A stream's source must not be one that another stream is yet to replace. */
static IN_CHILD void connect_streams(struct child *child) {
    int sources[3];
    for (int i = 0; i < 3; i++) {
        sources[i] = child->spawn->streams[i];
        if (sources[i] >= 0 && sources[i] < 3 && sources[i] != i)
            sources[i] = (int)syscall(SYS_fcntl, sources[i], F_DUPFD_CLOEXEC, 3);
        if (child->spawn->streams[i] >= 0 && sources[i] < 0)
            fail(child, AT_STAGE_STREAMS, i);
    }
    for (int i = 0; i < 3; i++) {
        if (sources[i] < 0)
            continue;
        long result = sources[i] == i ? syscall(SYS_fcntl, i, F_SETFD, 0) : syscall(SYS_dup3, sources[i], i, 0);
        if (result < 0)
            fail(child, AT_STAGE_STREAMS, i);
    }
}

static IN_CHILD void close_on_exec(struct child *child, unsigned from, unsigned to) {
    if (from <= to && syscall(SYS_close_range, from, to, CLOSE_RANGE_CLOEXEC) < 0)
        fail(child, AT_STAGE_DESCRIPTORS, -1);
}

static IN_CHILD void keep_passed_only(struct child *child) {
    unsigned next = 3;
    for (size_t i = 0; i < child->spawn->passed_count; i++) {
        int passed = child->spawn->passed[i];
        if (syscall(SYS_fcntl, passed, F_SETFD, 0) < 0)
            fail(child, AT_STAGE_DESCRIPTORS, passed);
        if (child->spawn->closes)
            close_on_exec(child, next, (unsigned)passed - 1);
        next = (unsigned)passed + 1;
    }
    if (child->spawn->closes)
        close_on_exec(child, next, ~0u);
}

static IN_CHILD bool is_absence(int error) {
    return error == ENOENT || error == ENOTDIR;
}

/* Of all candidates' errors the first one counts that says more than that there is nothing; else "no such file". */
static IN_CHILD void execute(struct child *child) {
    const struct spawn *spawn = child->spawn;
    int error = ENOENT, about = 0;
    for (int i = 0; spawn->candidates[i] != NULL; i++) {
        syscall(SYS_execve, spawn->candidates[i], spawn->argv, spawn->envp);
        if (i == 0 || (is_absence(error) && errno != ENOTDIR)) {
            error = errno;
            about = i;
        }
    }
    errno = error;
    fail(child, AT_STAGE_EXEC, about);
}

/* A parent in an outer PID namespace has the number 0 here. */
static IN_CHILD bool is_orphan(const struct child *child) {
    long parent = syscall(SYS_getppid);
    return parent != child->parent && parent != 0;
}

static IN_CHILD int run_child(void *arg) {
    struct child *child = arg;
    const struct spawn *spawn = child->spawn;
    child->stage = AT_STAGE_SIGNALS; /* by this the parent sees that memory is shared */
    if (!spawn->outlives_parent) {
        if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
            fail(child, AT_STAGE_SIGNALS, -1);
        if (is_orphan(child)) {
            errno = ESRCH;
            fail(child, AT_STAGE_SIGNALS, -1);
        }
    }
    reset_signals(child);
    if (spawn->new_session && syscall(SYS_setsid) < 0)
        fail(child, AT_STAGE_SESSION, -1);
    if (spawn->has_group && syscall(SYS_setpgid, 0, spawn->group) < 0)
        fail(child, AT_STAGE_GROUP, spawn->group);
    if (spawn->has_umask)
        syscall(SYS_umask, spawn->umask);
    connect_streams(child);
    if (spawn->cwd != NULL && syscall(SYS_chdir, spawn->cwd) < 0)
        fail(child, AT_STAGE_CHDIR, -1);
    keep_passed_only(child);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &spawn->mask, NULL, MASK_SIZE);
    execute(child);
    return 0;
}

/* ---- in the parent */

static IN_CHILD uint64_t change_mask(const uint64_t *mask) {
    uint64_t before = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, &before, MASK_SIZE);
    return before;
}

uint64_t spawn_mask(void) {
    return change_mask(NULL);
}

static const unsigned long long FLAGS = CLONE_VM | CLONE_VFORK | CLONE_PIDFD;

/*
 * clone3(2) with a flag by which the kernel itself removes the handlers, which saves the child a call for each signal.
 * It returns in the child, too, on another stack, so no compiled function can call it: here the child goes straight to
 * run_child. -ENOSYS where this is not written for the processor.
 */
static IN_CHILD long clone_without_handlers(struct child *child, char *stack, int *pidfd) {
#if defined(__x86_64__)
    struct clone_args arguments = {
        .flags = FLAGS | CLONE_CLEAR_SIGHAND,
        .pidfd = (uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
        .stack = (uintptr_t)stack,
        .stack_size = STACK,
    };
    register struct child *argument __asm__("r12") = child;
    register int (*function)(void *) __asm__("r13") = run_child;
    long result = SYS_clone3;
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t" /* the outermost frame */
                     "mov %[argument], %%rdi\n\t"
                     "call *%[function]\n\t"
                     "ud2\n\t" /* it does not return */
                     "1:"
                     : "+a"(result)
                     : "D"(&arguments), "S"(sizeof arguments), [argument] "r"(argument), [function] "r"(function)
                     : "rcx", "r11", "cc", "memory");
    return result;
#else
    (void)child, (void)stack, (void)pidfd;
    return -ENOSYS;
#endif
}

/* The same by clone(2): a child that sees to the handlers itself. */
static IN_CHILD long clone_with_handlers(struct child *child, char *stack, int *pidfd) {
    child->has_handlers = true;
    int pid = clone(run_child, stack + STACK, (int)FLAGS | SIGCHLD, child, pidfd);
    return pid < 0 ? -errno : pid;
}

static void reap(int pidfd) {
    siginfo_t info;
    while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 && errno == EINTR)
        ;
    close(pidfd);
}

/*
 * Whether a signal has ended it: the kernel lets us go on a moment before it says so. Its status is left for whoever
 * waits for it.
 */
static bool was_killed(int pidfd) {
    enum { MOMENT_MS = 100 };
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    siginfo_t info;
    int ended;
    while ((ended = poll(&end, 1, MOMENT_MS)) < 0 && errno == EINTR)
        continue;
    if (ended <= 0)
        return false;
    while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOWAIT) < 0)
        if (errno != EINTR)
            return false;
    return info.si_code != CLD_EXITED;
}

int spawn_program(const struct spawn *spawn, struct launched *launched, at_stage *stage, int *about) {
    _Alignas(16) char stack[STACK];
    struct child child = {.spawn = spawn, .parent = getpid()};
    int pidfd = -1;
    uint64_t before = change_mask(&(uint64_t){~UINT64_C(0)});
    long pid = clone_without_handlers(&child, stack, &pidfd);
    if (pid == -ENOSYS || pid == -EINVAL || pid == -EPERM) /* an older kernel; a container that refuses it */
        pid = clone_with_handlers(&child, stack, &pidfd);
    change_mask(&before);
    if (pid < 0) {
        *stage = AT_STAGE_FORK;
        *about = -1;
        return (int)pid;
    }
    if (child.error != 0) {
        reap(pidfd);
        *stage = child.stage;
        *about = child.about;
        return -child.error;
    }
    /* An emulator made a fork of it, and what failed there nobody would know; or it was killed before it did anything. */
    if (child.stage == AT_STAGE_NONE && !was_killed(pidfd)) {
        kill((pid_t)pid, SIGKILL); /* not by pidfd, which an emulator may not know either */
        reap(pidfd);
        *stage = AT_STAGE_FORK;
        *about = -1;
        return -ENOSYS;
    }
    *launched = (struct launched){.pid = (pid_t)pid, .pidfd = pidfd};
    return 0;
}
