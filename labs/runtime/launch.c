/*
 * launch.c: how a child comes to be: the fork, the gate behind it, and the child's first and last steps.
 *
 * The child waits at a gate, a word of shared memory, until its parent holds a pidfd for it. So a start either happened
 * or did not, the pidfd can mean no other process, and the exit status cannot be lost, however fast the child is.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "internal.h"
#include "lock_internal.h"
#include "shared.h"
#include "wait.h"

/* Each launch draws the next ticket; the gate opens up to a ticket. */
struct gate {
    _Atomic uint32_t opened;  /* a futex word: the child with this ticket, or an earlier one, need not wait */
    _Atomic uint32_t refused; /* but the one with this ticket is to end */
    _Atomic uint32_t asleep;  /* the one with this ticket waits, and wants to be woken */
};

static struct {
    struct at_lock lock; /* one launch at a time, from its begin to its finish; guards all below */
    struct gate *gate;
    uint32_t ticket;
} launching;

void (*end_of_process)(void);

struct identity identity = {.name = "MainProcess", .parent_pidfd = -1};

struct identity identity_of_child(const char *name, bool daemon) {
    return (struct identity){
        .name = name,
        .parent_name = identity.name,
        .daemon = daemon,
        .parent = getpid(),
        .parent_pidfd = -1,
    };
}

/* ---- stdio and signals on both sides of the fork */

/*
 * Writes out what a standard stream holds, unless another thread is in it for longer than `patience`: it may wait for
 * input.
 */
static void flush(FILE *stream, double patience) {
    double end = at_now() + patience;
    if (__fpending(stream) == 0)
        return; /* without touching its page, which the last fork made one to be copied */
    while (ftrylockfile(stream) != 0) {
        if (at_now() >= end)
            return;
        at_sleep(0.0005);
    }
    fflush_unlocked(stream);
    funlockfile(stream);
}

void flush_inherited(bool is_stdout, bool is_stderr) {
    if (is_stdout)
        flush(stdout, 0);
    if (is_stderr)
        flush(stderr, 0);
}

/* All streams; but where other threads run, who may hold one for ever, the standard ones only. */
static void flush_streams(bool alone, double patience) {
    if (alone) {
        fflush(NULL);
    } else {
        flush(stdout, patience);
        flush(stderr, patience);
    }
}

/*
 * In the child: what is pending there after all, written by another thread just before the fork, is the parent's to
 * write.
 */
static void purge(FILE *stream) {
    if (__fpending(stream) > 0)
        __fpurge(stream);
}

/*
 * The signals by which a process is told to end lose a handler of the program's own, and SIGCHLD whatever it is set to:
 * a child is to end when it is told, and to learn how its own children ended. What else the parent handles it inherits,
 * as by any fork.
 */
static void reset_signals(void) {
    static const int NUMBERS[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGCHLD};
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++) {
        struct sigaction action;
        sigaction(NUMBERS[i], NULL, &action);
        bool inherited = action.sa_handler == SIG_IGN && NUMBERS[i] != SIGCHLD; /* nohup, say */
        if (action.sa_handler != SIG_DFL && !inherited)
            sigaction(NUMBERS[i], &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    }
}

/* ---- in the child */

/* A launcher in an outer PID namespace has the number 0 here, and its death cannot be seen. */
static bool is_orphan(pid_t launcher) {
    pid_t parent = getppid();
    return parent != launcher && parent != 0;
}

/* Acquire: the partner of the release in open_gate. The difference survives the counter's wrap. */
static bool is_open(struct gate *gate, uint32_t ticket) {
    return (int32_t)(atomic_load_explicit(&gate->opened, memory_order_acquire) - ticket) >= 0;
}

/* Ends the child if its start failed after all, or its parent died before that was settled. */
static void wait_at_gate(struct gate *gate, uint32_t ticket, pid_t launcher) {
    while (!is_open(gate, ticket)) {
        /* Before the second look at the gate; open_gate does the same two things the other way round. */
        atomic_store(&gate->asleep, ticket);
        bool orphaned = is_orphan(launcher); /* also before it: a parent may open the gate and then end */
        uint32_t opened = atomic_load(&gate->opened);
        if (is_open(gate, ticket))
            break;
        if (orphaned)
            _exit(EXIT_FAILURE);
        struct deadline look_again;
        deadline_after(0.1, NEGATIVE_POLLS, &look_again); /* for a parent that died and woke nobody */
        futex_wait(&gate->opened, opened, &look_again, FUTEX_SHARED);
    }
    if (atomic_load_explicit(&gate->refused, memory_order_relaxed) == ticket)
        _exit(EXIT_FAILURE);
}

/*
 * Registered last before the target runs, so it runs after the child's own atexit functions and before any of its
 * parent's.
 */
static void end_child(int status, void *unused) {
    (void)unused;
    end_of_process();
    flush_streams(count_other_threads() == 0, 1);
    _exit(status);
}

/*
 * Each page that the child writes, and each part of libc that it is the first to run, costs it a page fault, a
 * microsecond or so: it does here only what must be done.
 */
static __attribute__((noreturn)) void run_child(const struct launch *launch, struct gate *gate, uint32_t ticket) {
    if (!launch->outlives_parent) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (is_orphan(launch->launcher))
            _exit(EXIT_FAILURE); /* it died before the line above, which then does nothing */
    }
    wait_at_gate(gate, ticket, launch->launcher);
    reset_signals();
    purge(stdout);
    purge(stderr);
    if (identity.parent_pidfd != launch->identity.parent_pidfd)
        close(identity.parent_pidfd); /* it was for the parent's parent */
    identity = launch->identity;
    on_exit(end_child, NULL);
    pthread_sigmask(SIG_SETMASK, &launch->mask, NULL);
    int code = launch->target(launch->arg);
    if (code < 0) {
        fprintf(stderr, "Process %s: %s\n", identity.name, at_strerror(code));
        code = EXIT_FAILURE;
    }
    exit(code);
}

/* ---- in the parent */

static void open_gate(struct launched *launched, bool go) {
    struct gate *gate = launching.gate;
    if (!go)
        atomic_store_explicit(&gate->refused, launching.ticket, memory_order_relaxed);
    /*
     * Sequentially consistent, as is the store of `asleep`: either the child finds the gate open, or it is found
     * asleep. It is also the release that comes after the store above; its partner is the acquire in wait_at_gate.
     */
    atomic_store(&gate->opened, launching.ticket);
    if (atomic_load(&gate->asleep) == launching.ticket)
        futex_wake(&gate->opened, 1, FUTEX_SHARED);
    if (go)
        return;
    while (waitpid(launched->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (launched->pidfd >= 0)
        close(launched->pidfd);
}

static int begin(const struct launch *launch, struct launched *launched) {
    if (launching.gate == NULL && (launching.gate = at_shared_new(sizeof(struct gate))) == NULL)
        return -ENOMEM;
    struct gate *gate = launching.gate;
    uint32_t ticket = ++launching.ticket;
    flush_streams(launch->alone, 0);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of the parent's runs in the child */
    pid_t pid = fork();
    if (pid == 0)
        run_child(launch, gate, ticket);
    int error = errno;
    launched->pid = pid;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (launched->pid < 0)
        return -error;
    launched->pidfd = pidfd_open(launched->pid, 0);
    if (launched->pidfd >= 0)
        return 0;
    error = errno;
    open_gate(launched, false);
    return -error;
}

int launch_begin(const struct launch *launch, struct launched *launched) {
    lock_take(&launching.lock);
    int error = begin(launch, launched);
    if (error != 0)
        at_lock_release(&launching.lock);
    return error;
}

void launch_finish(struct launched *launched, bool go) {
    open_gate(launched, go);
    at_lock_release(&launching.lock);
}

static void after_fork_in_child(void) {
    lock_reset(&launching.lock);
    launching.gate = NULL; /* it is the parent's; it stays mapped, as to unmap it costs more than the page */
}

static __attribute__((constructor)) void initialise(void) {
    pthread_atfork(NULL, NULL, after_fork_in_child);
}
