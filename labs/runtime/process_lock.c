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
#include "shared.h"
#include "tsan.h"
#include "wait.h"

struct at_process_lock {
    pthread_mutex_t mutex;
};

at_process_lock *at_process_lock_new(void) {
    at_process_lock *lock = at_shared_new(sizeof *lock);
    if (lock == NULL)
        return NULL;
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    /* So that acquiring it twice is an error instead of a wait for oneself. */
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&lock->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return lock;
}

void at_process_lock_free(at_process_lock *lock) {
    /*
     * No pthread_mutex_destroy: other processes may still use it, and glibc's keeps nothing outside the mutex itself.
     */
    at_shared_free(lock);
}

static int lock_until(pthread_mutex_t *mutex, double timeout) {
    struct deadline deadline;
    int error = deadline_after(timeout, NEGATIVE_POLLS, &deadline);
    return error != 0 ? -error : pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &deadline.at);
}

int at_process_lock_acquire(at_process_lock *lock, double timeout) {
    if (lock == NULL)
        return -EINVAL;
    int error = timeout == AT_FOREVER ? tsan_hidden_lock(&lock->mutex) : lock_until(&lock->mutex, timeout);
    if (error == 0 || error == EOWNERDEAD)
        tsan_acquired(&lock->mutex);
    if (error != EOWNERDEAD)
        return -error;
    /*
     * From here on the mutex is whole again; a death before this line leaves it to the next acquire, in the same state.
     */
    pthread_mutex_consistent(&lock->mutex);
    return AT_RECOVERED;
}

void at_process_lock_release(at_process_lock *lock) {
    if (lock == NULL || tsan_hidden_unlock(&lock->mutex) != 0)
        at_fatal("at_process_lock_release: this thread does not hold this lock; only its holder releases it");
}
