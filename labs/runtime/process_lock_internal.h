/* process_lock_internal.h (internal): a process lock that lies inside other shared memory: the queue's. */
#ifndef ATELIER_PROCESS_LOCK_INTERNAL_H
#define ATELIER_PROCESS_LOCK_INTERNAL_H

#include <errno.h>
#include <pthread.h>

#include "hooks.h"
#include "process_lock.h"
#include "tsan.h"
#include "wait.h"

struct at_process_lock {
    pthread_mutex_t mutex;
};

/* Makes it a lock that nobody holds. Nothing has to be undone. */
void process_lock_init(struct at_process_lock *lock);

/* What pthread_mutex_lock has returned means this: 0; AT_RECOVERED, and it is whole again; or a negative code. */
int process_lock_made_whole(struct at_process_lock *lock);

static inline int process_lock_taken(struct at_process_lock *lock, int error) {
    if (error != 0)
        return error == EOWNERDEAD ? process_lock_made_whole(lock) : -error;
    tsan_acquired(&lock->mutex);
    POINT("process_lock.taken");
    return 0;
}

/* Takes it if it is free: 0, AT_RECOVERED, -EBUSY. */
static inline int process_lock_try(struct at_process_lock *lock) {
    return process_lock_taken(lock, tsan_hidden_trylock(&lock->mutex));
}

/* at_process_lock_acquire and at_process_lock_release, but with a deadline: 0, AT_RECOVERED, -ETIMEDOUT, -EDEADLK. */
int process_lock_take(struct at_process_lock *lock, const struct deadline *deadline);
static inline void process_lock_give(struct at_process_lock *lock) {
    POINT("process_lock.giving");
    tsan_hidden_unlock(&lock->mutex);
}

#endif
