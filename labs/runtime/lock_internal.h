/* lock_internal.h (internal): what a lock holds, for those of the runtime's own that a fork may find held by a thread that is gone. */
#ifndef ATELIER_LOCK_INTERNAL_H
#define ATELIER_LOCK_INTERNAL_H

#include <stdatomic.h>
#include <stdint.h>

#include "clock.h"
#include "lock.h"

struct at_lock {
    _Atomic uint32_t state; /* a futex word */
};

static inline void lock_take(struct at_lock *lock) {
    int error = at_lock_acquire(lock, AT_FOREVER);
    (void)error; /* without a timeout there is none */
}

/* In a forked child, where nobody can hold it any more. */
static inline void lock_reset(struct at_lock *lock) {
    atomic_store_explicit(&lock->state, 0, memory_order_relaxed);
}

#endif
