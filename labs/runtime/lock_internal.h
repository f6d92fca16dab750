/* lock_internal.h (internal): what a lock holds, for the runtime's own that a fork may find held for ever. */
#ifndef ATELIER_LOCK_INTERNAL_H
#define ATELIER_LOCK_INTERNAL_H

#include <stdatomic.h>
#include <stdint.h>

#include "lock.h"

struct at_lock {
    _Atomic uint32_t state; /* a futex word */
};

/* at_lock_acquire without a timeout, and so without errors. */
void lock_take(struct at_lock *lock);

/* In a forked child, where nobody can hold it any more. */
static inline void lock_reset(struct at_lock *lock) {
    atomic_store_explicit(&lock->state, 0, memory_order_relaxed);
}

#endif
