/*
 * process_lock.c: a lock between processes, a robust mutex in shared memory; see process_lock.h.
 *
 * The kernel keeps, for each thread, a list of the robust mutexes that it holds, and marks them when the thread dies in
 * whatever way, so the next acquire learns of it. pthread_mutexattr_setrobust(3), get_robust_list(2)
 */
#include "process_lock.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <time.h>

#include "clock.h"
#include "error.h"
#include "hooks.h"
#include "process_lock_internal.h"
#include "shared.h"
#include "tsan.h"
#include "wait.h"

void process_lock_init(struct at_process_lock *lock) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    /* So that acquiring it twice is an error instead of a wait for oneself. */
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&lock->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

at_process_lock *at_process_lock_new(void) {
    at_process_lock *lock = at_shared_new(sizeof *lock);
    if (lock != NULL)
        process_lock_init(lock);
    return lock;
}

void at_process_lock_free(at_process_lock *lock) {
    /*
     * No pthread_mutex_destroy: other processes may still use it, and glibc's keeps nothing outside the mutex itself.
     */
    at_shared_free(lock);
}

#ifdef AT_HOOKS
/* As take, but never asleep in the kernel, so that a test can let one thread run at a time. */
static int take_awake(struct at_process_lock *lock, const struct deadline *deadline) {
    int error;
    while ((error = tsan_hidden_trylock(&lock->mutex)) == EBUSY) {
        if (deadline_is_over(deadline))
            return ETIMEDOUT;
        hooks.pause();
    }
    return error;
}
#endif

/* With EOWNERDEAD or 0 the lock is ours. */
static int take(struct at_process_lock *lock, const struct deadline *deadline) {
#ifdef AT_HOOKS
    if (hooks.pause != NULL)
        return take_awake(lock, deadline);
#endif
    if (deadline->never)
        return tsan_hidden_lock(&lock->mutex);
    return pthread_mutex_clocklock(&lock->mutex, CLOCK_MONOTONIC, &deadline->at);
}

int process_lock_made_whole(struct at_process_lock *lock) {
    tsan_acquired(&lock->mutex);
    POINT("process_lock.recovered");
    /*
     * From here on the mutex is whole again; a death before this line leaves it to the next acquire, in the same state.
     */
    pthread_mutex_consistent(&lock->mutex);
    POINT("process_lock.taken");
    return AT_RECOVERED;
}

int process_lock_take(struct at_process_lock *lock, const struct deadline *deadline) {
    return process_lock_taken(lock, take(lock, deadline));
}

int at_process_lock_acquire(at_process_lock *lock, double timeout) {
    struct deadline deadline;
    if (lock == NULL)
        return -EINVAL;
    if (timeout == AT_FOREVER)
        return process_lock_take(lock, &NEVER);
    int error = deadline_after(timeout, NEGATIVE_POLLS, &deadline);
    return error != 0 ? error : process_lock_take(lock, &deadline);
}

void at_process_lock_release(at_process_lock *lock) {
    if (lock == NULL || tsan_hidden_unlock(&lock->mutex) != 0)
        at_fatal("at_process_lock_release: this thread does not hold this lock; only its holder releases it");
}
