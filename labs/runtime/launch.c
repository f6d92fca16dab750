/*
 * launch.c: how a child comes to be: the fork, the gate behind it, and the child's first and last steps.
 *
 * The child waits at a gate, a word of shared memory, until its parent holds a pidfd for it. So a start either happened or did
 * not, the pidfd can mean no other process, and the exit status cannot be lost, however fast the child is.
 *
 * PR_SET_PDEATHSIG kills a child when the thread that forked it ends. The main thread ends with its process (process.c sees to that);
 * for any other thread the spawner forks, a thread that never ends.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "internal.h"
#include "lock_internal.h"
#include "shared.h"
#include "wait.h"

#ifdef __SANITIZE_THREAD__ /* gcc says it so, clang as below */
#define UNDER_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN
#endif
#endif

/* Each launch draws the next ticket; the gate opens up to a ticket. */
struct gate {
    _Atomic uint32_t opened;  /* a futex word: the child with this ticket, or an earlier one, need not wait */
    _Atomic uint32_t refused; /* but the one with this ticket is to end */
};

static struct {
    struct at_lock lock; /* one launch at a time, from its begin to its finish; guards all below */
    struct gate *gate;
    uint32_t ticket;
} launching;

enum spawner_state { SPAWNER_IDLE, SPAWNER_ASKED, SPAWNER_DONE };

static struct {
    struct at_lock lock; /* one request at a time; guards all below */
    bool running;
    _Atomic uint32_t state; /* a futex word: its release store hands over the three below, in both directions */
    const struct launch *launch;
    struct launched *launched;
    int result;
} spawner;

static const struct deadline NEVER = {.never = true};

/* ---- stdio and signals on both sides of the fork */

static void flush(FILE *stream) {
    if (ftrylockfile(stream) != 0)
        return; /* another thread is in it, perhaps for long */
    fflush_unlocked(stream);
    funlockfile(stream);
}

/* With other threads about, fflush(NULL) could wait for one that waits for input. */
static void flush_streams(void) {
    if (__libc_single_threaded) {
        fflush(NULL);
    } else {
        flush(stdout);
        flush(stderr);
    }
}

/* A handler that the parent set up for itself means nothing here. Faults keep theirs: sanitizers and debuggers live on them. */
static void reset_signal_handlers(void) {
    static const int FAULTS[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigset_t faults;
    sigemptyset(&faults);
    for (size_t i = 0; i < sizeof FAULTS / sizeof *FAULTS; i++)
        sigaddset(&faults, FAULTS[i]);
    for (int number = 1; number <= SIGRTMAX; number++) {
        struct sigaction action;
        if (sigismember(&faults, number) || sigaction(number, NULL, &action) != 0 || action.sa_handler == SIG_DFL)
            continue;
        if (action.sa_handler == SIG_IGN && number != SIGCHLD)
            continue; /* as exec would leave it; but an ignored SIGCHLD would lose the child's own children's status */
        action = (struct sigaction){.sa_handler = SIG_DFL};
        sigaction(number, &action, NULL);
    }
}

/* ---- in the child */

/* Ends the child if its start failed after all, or its parent died before that was settled. */
static void wait_at_gate(struct gate *gate, uint32_t ticket, pid_t launcher) {
    for (;;) {
        /* Acquire: the partner of the release in open_gate. The difference survives the counter's wrap. */
        uint32_t opened = atomic_load_explicit(&gate->opened, memory_order_acquire);
        if ((int32_t)(opened - ticket) >= 0)
            break;
        struct deadline look_again;
        deadline_after(0.1, NEGATIVE_POLLS, &look_again); /* for a parent that died and woke nobody */
        futex_wait(&gate->opened, opened, &look_again, FUTEX_SHARED);
        if (getppid() != launcher)
            _exit(EXIT_FAILURE);
    }
    if (atomic_load_explicit(&gate->refused, memory_order_relaxed) == ticket)
        _exit(EXIT_FAILURE);
}

/* Registered last before the target runs, so it runs after the child's own atexit functions and before any of its parent's. */
static void end_child(int status, void *unused) {
    (void)unused;
    shut_down();
    flush_streams();
    _exit(status);
}

static __attribute__((noreturn)) void run_child(const struct launch *launch, struct gate *gate, uint32_t ticket,
                                                pid_t launcher) {
    if (!launch->outlives_parent)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != launcher)
        _exit(EXIT_FAILURE); /* it died before the line above */
    wait_at_gate(gate, ticket, launcher);
    at_shared_free(gate);
    prctl(PR_SET_NAME, program_invocation_short_name); /* not the spawner's */
    reset_signal_handlers();
    __fpurge(stdout); /* what could not be flushed before the fork is the parent's to write */
    __fpurge(stderr);
    if (identity.parent_pidfd != launch->parent_pidfd)
        close(identity.parent_pidfd); /* for the parent's parent */
    char *name = strdup(launch->name);
    identity = (struct identity){
        .name = name != NULL ? name : "Process",
        .daemon = launch->daemon,
        .parent = launch->parent,
        .parent_pidfd = launch->parent_pidfd,
        .parent_name = launch->parent_name,
    };
    on_exit(end_child, NULL);
    pthread_sigmask(SIG_SETMASK, &launch->mask, NULL);
    int code = launch->target(launch->arg);
    if (code < 0) {
        fprintf(stderr, "Process %s: %s\n", launch->name, at_strerror(code));
        code = EXIT_FAILURE;
    }
    exit(code);
}

/* ---- in the parent */

static void open_gate(struct launched *launched, bool go) {
    struct gate *gate = launching.gate;
    if (!go)
        atomic_store_explicit(&gate->refused, launching.ticket, memory_order_relaxed);
    /* Release: `refused` comes before it. The partner is the acquire in wait_at_gate. */
    atomic_store_explicit(&gate->opened, launching.ticket, memory_order_release);
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
    pid_t launcher = getpid();
    flush_streams();
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of the parent's runs in the child */
    launched->pid = fork();
    int error = errno;
    if (launched->pid == 0)
        run_child(launch, gate, ticket, launcher);
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

static int launch_here(const struct launch *launch, struct launched *launched) {
    int error = launch_begin(launch, launched);
    if (error == 0)
        launch_finish(launched, true);
    return error;
}

static void *spawner_main(void *unused) {
    (void)unused;
    prctl(PR_SET_NAME, "at-spawner");
    for (;;) {
        uint32_t state;
        while ((state = atomic_load_explicit(&spawner.state, memory_order_acquire)) != SPAWNER_ASKED)
            futex_wait(&spawner.state, state, &NEVER, FUTEX_OF_PROCESS);
        spawner.result = launch_here(spawner.launch, spawner.launched);
        atomic_store_explicit(&spawner.state, SPAWNER_DONE, memory_order_release);
        futex_wake(&spawner.state, INT32_MAX, FUTEX_OF_PROCESS);
    }
    return NULL;
}

static int start_spawner(void) {
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the program's own threads */
    int error = pthread_create(&thread, NULL, spawner_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return -error;
    pthread_detach(thread);
    spawner.running = true;
    return 0;
}

static int launch_by_spawner(const struct launch *launch, struct launched *launched) {
    lock_take(&spawner.lock);
    int error = spawner.running ? 0 : start_spawner();
    if (error == 0) {
        spawner.launch = launch;
        spawner.launched = launched;
        atomic_store_explicit(&spawner.state, SPAWNER_ASKED, memory_order_release);
        futex_wake(&spawner.state, 1, FUTEX_OF_PROCESS);
        while (atomic_load_explicit(&spawner.state, memory_order_acquire) != SPAWNER_DONE)
            futex_wait(&spawner.state, SPAWNER_ASKED, &NEVER, FUTEX_OF_PROCESS);
        error = spawner.result;
        atomic_store_explicit(&spawner.state, SPAWNER_IDLE, memory_order_relaxed);
    }
    at_lock_release(&spawner.lock);
    return error;
}

int launch_by_fork(const struct launch *launch, struct launched *launched) {
    return gettid() == getpid() ? launch_here(launch, launched) : launch_by_spawner(launch, launched);
}

/* The kernel may count a thread for a moment after pthread_join has returned, so a second look decides. */
int count_threads(void) {
#ifdef UNDER_TSAN
    return (int)at_active_count(); /* ThreadSanitizer has threads of its own; this counts those that the runtime knows */
#else
    struct stat tasks;
    int threads = 1;
    for (int looks = 0; looks < 100; looks++) {
        threads = stat("/proc/self/task", &tasks) == 0 ? (int)tasks.st_nlink - 2 - spawner.running : 1;
        if (threads <= 1)
            break;
        sched_yield();
    }
    return threads;
#endif
}

/* The child has none of the threads that these served, and no launch under way. */
static void after_fork_in_child(void) {
    lock_reset(&launching.lock);
    launching.gate = NULL; /* run_child unmaps it; it is its parent's */
    lock_reset(&spawner.lock);
    spawner.running = false;
    atomic_store(&spawner.state, SPAWNER_IDLE);
}

static __attribute__((constructor)) void initialise(void) {
    pthread_atfork(NULL, NULL, after_fork_in_child);
}
