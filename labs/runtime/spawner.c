/*
 * spawner.c: which thread forks.
 *
 * PR_SET_PDEATHSIG kills a child when the thread that forked it ends. The main thread ends with its process: a
 * pthread_exit in main is made to wait for its children. For any other thread the spawner forks, a thread that never
 * ends.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "internal.h"
#include "lock_internal.h"
#include "wait.h"

void (*end_of_main)(void);

static pthread_key_t main_has_children; /* set in the main thread once it has forked */

enum spawner_state { SPAWNER_IDLE, SPAWNER_ASKED, SPAWNER_DONE };

static struct {
    struct at_lock lock; /* one request at a time; guards all below */
    bool exists;
    pthread_t thread;
    _Atomic uint32_t state; /* a futex word: its release store hands over the three below, in both directions */
    int (*work)(void *);
    void *arg;
    int result;
} spawner;

static void *spawner_main(void *unused) {
    (void)unused; /* it keeps the program's name: its children inherit it */
    is_harmless = true;
    for (;;) {
        uint32_t state;
        while ((state = atomic_load_explicit(&spawner.state, memory_order_acquire)) != SPAWNER_ASKED)
            futex_wait(&spawner.state, state, &NEVER, FUTEX_OF_PROCESS);
        spawner.result = spawner.work(spawner.arg);
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
    spawner.thread = thread;
    spawner.exists = true;
    harmless_count(1);
    return 0;
}

static int call_by_spawner(int (*work)(void *), void *arg) {
    lock_take(&spawner.lock);
    int error = spawner.exists ? 0 : start_spawner();
    if (error == 0) {
        cpu_set_t cpus; /* the child's are those of the thread that asks */
        if (sched_getaffinity(0, sizeof cpus, &cpus) == 0)
            pthread_setaffinity_np(spawner.thread, sizeof cpus, &cpus);
        spawner.work = work;
        spawner.arg = arg;
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

int call_in_lasting_thread(int (*work)(void *), void *arg) {
    if (at_current_thread() != at_main_thread())
        return call_by_spawner(work, arg);
    pthread_setspecific(main_has_children, &spawner); /* any value but NULL, so that end_main is called */
    return work(arg);
}

struct fork_work {
    const struct launch *launch;
    struct launched *launched;
};

static int fork_here(void *arg) {
    const struct fork_work *work = arg;
    int error = launch_begin(work->launch, work->launched);
    if (error == 0)
        launch_finish(work->launched, true);
    return error;
}

int launch_by_fork(const struct launch *launch, struct launched *launched) {
    return call_in_lasting_thread(fork_here, &(struct fork_work){launch, launched});
}

/* pthread_exit in main: its children would die with that thread. */
static void end_main(void *unused) {
    (void)unused;
    end_of_main();
}

/* The child has no spawner. */
static void after_fork_in_child(void) {
    lock_reset(&spawner.lock);
    spawner.exists = false;
    atomic_store(&spawner.state, SPAWNER_IDLE);
}

static __attribute__((constructor)) void initialise(void) {
    pthread_key_create(&main_has_children, end_main);
    pthread_atfork(NULL, NULL, after_fork_in_child);
}
