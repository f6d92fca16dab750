/* process_lock_internal.h (internal): a process lock that lies inside other shared memory: the queue's. */
#ifndef ATELIER_PROCESS_LOCK_INTERNAL_H
#define ATELIER_PROCESS_LOCK_INTERNAL_H

#include <pthread.h>

#include "process_lock.h"
#include "wait.h"

struct at_process_lock {
    pthread_mutex_t mutex;
};

/* Makes it a lock that nobody holds. Nothing has to be undone. */
void process_lock_init(struct at_process_lock *lock);

/* Takes it if it is free: 0, AT_RECOVERED, -EBUSY. */
int process_lock_try(struct at_process_lock *lock);

/* at_process_lock_acquire and at_process_lock_release, but with a deadline: 0, AT_RECOVERED, -ETIMEDOUT, -EDEADLK. */
int process_lock_take(struct at_process_lock *lock, const struct deadline *deadline);
void process_lock_give(struct at_process_lock *lock);

#endif
