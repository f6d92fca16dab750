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
#include <stdatomic.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/single_threaded.h>
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
    uint32_t handled;         /* signals that the child in turn has to reset; found out while it comes up */
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

static const struct deadline NEVER = {.never = true};

/* ---- stdio and signals on both sides of the fork */

/* Writes out what a standard stream holds. False when another thread is in it, perhaps for long. */
static bool flush(FILE *stream) {
    if (__fpending(stream) == 0)
        return true; /* without touching its page, which the last fork made one to be copied */
    if (ftrylockfile(stream) != 0)
        return false;
    fflush_unlocked(stream);
    funlockfile(stream);
    return true;
}

static bool flush_standard_streams(void) {
    bool out = flush(stdout), err = flush(stderr);
    return out && err;
}

/*
 * The signals by which a process is told to end, if they have a handler of the program's own, and SIGCHLD if it is not at its default: a
 * child is to end when it is told, and to learn how its own children ended. What else the parent handles it inherits, as by any fork.
 */
static uint32_t handled_signals(void) {
    static const int NUMBERS[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGCHLD};
    uint32_t handled = 0;
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++) {
        struct sigaction action;
        sigaction(NUMBERS[i], NULL, &action);
        bool inherited = action.sa_handler == SIG_IGN && NUMBERS[i] != SIGCHLD; /* nohup, say */
        if (action.sa_handler != SIG_DFL && !inherited)
            handled |= UINT32_C(1) << NUMBERS[i];
    }
    return handled;
}

static void reset_signals(uint32_t handled) {
    for (int number = 0; handled != 0; number++, handled >>= 1)
        if (handled & 1)
            sigaction(number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
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
        atomic_store(&gate->asleep,
                     ticket); /* before futex_wait looks at `opened`; open_gate does it the other way round */
        deadline_after(0.1, NEGATIVE_POLLS, &look_again); /* for a parent that died and woke nobody */
        futex_wait(&gate->opened, opened, &look_again, FUTEX_SHARED);
        if (getppid() != launcher)
            _exit(EXIT_FAILURE);
    }
    if (atomic_load_explicit(&gate->refused, memory_order_relaxed) == ticket)
        _exit(EXIT_FAILURE);
}

static void (*at_end)(void); /* what the launch says */

/* Registered last before the target runs, so it runs after the child's own atexit functions and before any of its parent's. */
static void end_child(int status, void *unused) {
    (void)unused;
    if (at_end != NULL)
        at_end();
    if (__libc_single_threaded)
        fflush(NULL);
    else
        flush_standard_streams(); /* fflush(NULL) would wait for a daemon thread that waits for input */
    _exit(status);
}

/*
 * Each page that the child writes, and each part of libc that it is the first to run, costs it a page fault, a microsecond or so: it
 * does here only what must be done.
 */
static __attribute__((noreturn)) void run_child(const struct launch *launch, struct gate *gate, uint32_t ticket,
                                                bool flushed) {
    if (!launch->outlives_parent)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != launch->launcher)
        _exit(EXIT_FAILURE); /* it died before the line above */
    wait_at_gate(gate, ticket, launch->launcher);
    reset_signals(gate->handled);
    if (!flushed) { /* what is left is the parent's to write */
        __fpurge(stdout);
        __fpurge(stderr);
    }
    if (identity.parent_pidfd != launch->identity.parent_pidfd)
        close(identity.parent_pidfd); /* it was for the parent's parent */
    identity = launch->identity;
    at_end = launch->at_end;
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
    gate->handled = handled_signals();
    /* Sequentially consistent, as is the store of `asleep`: either the child finds the gate open, or it is found asleep. It is also the
     * release that comes after the two stores above; its partner is the acquire in wait_at_gate. */
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
    bool flushed = flush_standard_streams();
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of the parent's runs in the child */
    pid_t pid = fork();
    if (pid == 0)
        run_child(launch, gate, ticket, flushed);
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

static int launch_here(const struct launch *launch, struct launched *launched) {
    int error = launch_begin(launch, launched);
    if (error == 0)
        launch_finish(launched, true);
    return error;
}

static void *spawner_main(void *unused) {
    (void)unused; /* it keeps the program's name: its children inherit it */
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
    return at_current_thread() == at_main_thread() ? launch_here(launch, launched)
                                                   : launch_by_spawner(launch, launched);
}

int count_other_threads(void) {
    return count_tasks() - 1 - spawner.running;
}

/* The child has none of the threads that these served, and no launch under way. */
static void after_fork_in_child(void) {
    lock_reset(&launching.lock);
    launching.gate = NULL; /* it is the parent's; it stays mapped, as to unmap it costs more than the page */
    lock_reset(&spawner.lock);
    spawner.running = false;
    atomic_store(&spawner.state, SPAWNER_IDLE);
}

static __attribute__((constructor)) void initialise(void) {
    pthread_atfork(NULL, NULL, after_fork_in_child);
}
