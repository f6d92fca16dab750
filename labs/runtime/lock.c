/*
 * lock.c: locks between threads: one futex word of three states; see lock.h.
 *
 * The word alone says all: nobody holds the lock, somebody holds it, or somebody holds it and others may sleep for it.
 * Taking and giving back a lock that nobody wants is one atomic instruction each and no system call. (U. Drepper,
 * "Futexes Are Tricky", mutex 2)
 */
#include "lock.h"

#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "error.h"
#include "hooks.h"
#include "lock_internal.h"
#include "wait.h"

enum { FREE, HELD, CONTENDED };

enum { LONGEST_SPIN = 128 }; /* pause instructions, the last and longest time; all together a few microseconds */

struct at_rlock {
    struct at_lock lock;
    const void *_Atomic owner; /* the holder's THREAD_MARK; only the holder ever stores its own */
    size_t depth;              /* how often the owner has it; guarded by the lock itself */
};

/* An address that no other living thread has. It stays the forking thread's own in a child. */
static _Thread_local char thread_mark;

/* Acquire order: what the last holder did before its release() is seen by this one. */
static inline bool try_take(struct at_lock *lock) {
    uint32_t state = FREE;
    return atomic_compare_exchange_strong_explicit(&lock->state, &state, HELD, memory_order_acquire,
                                                   memory_order_relaxed);
}

/* Out of line, so that the fast path above it stays a few instructions. */
static __attribute__((noinline)) int take_slowly(struct at_lock *lock, double timeout) {
    struct deadline deadline;
    int error = deadline_after(timeout == -1 ? AT_FOREVER : timeout, NEGATIVE_IS_AN_ERROR, &deadline);
    if (error != 0)
        return error;
    /*
     * A lock is mostly held for less time than a sleep and a wake cost, so look again a few times first, at growing
     * intervals: to look is to take the cache line from the holder, who needs it. (Anderson, "The Performance of Spin
     * Lock Alternatives", 1990)
     */
    for (int pauses = 1; pauses <= LONGEST_SPIN; pauses *= 2) {
        for (int i = 0; i < pauses; i++)
            spin_pause();
        if (atomic_load_explicit(&lock->state, memory_order_relaxed) == FREE && try_take(lock))
            return 0;
    }
    /*
     * Taken as CONTENDED, since others may sleep: at worst that costs the release one futile wake. Acquire, as in
     * try_take.
     */
    while (atomic_exchange_explicit(&lock->state, CONTENDED, memory_order_acquire) != FREE)
        if (futex_wait(&lock->state, CONTENDED, &deadline, FUTEX_OF_PROCESS) == -ETIMEDOUT)
            return -ETIMEDOUT;
    return 0;
}

static inline int acquire(struct at_lock *lock, double timeout) {
    bool valid = timeout == AT_FOREVER || (timeout >= 0 && timeout <= AT_TIMEOUT_MAX);
    if (valid && try_take(lock))
        return 0;
    return take_slowly(lock, timeout);
}

/* Release order, the partner of try_take and take_slowly. */
static inline bool release(struct at_lock *lock) {
    uint32_t before = atomic_exchange_explicit(&lock->state, FREE, memory_order_release);
    if (before == CONTENDED)
        futex_wake(&lock->state, 1, FUTEX_OF_PROCESS);
    return before != FREE;
}

void lock_take(struct at_lock *lock) {
    if (!try_take(lock))
        take_slowly(lock, AT_FOREVER);
}

at_lock *at_lock_new(void) {
    return calloc(1, sizeof(at_lock));
}

void at_lock_free(at_lock *lock) {
    free(lock);
}

int at_lock_acquire(at_lock *lock, double timeout) {
    if (lock == NULL)
        return -EINVAL;
    return acquire(lock, timeout);
}

void at_lock_release(at_lock *lock) {
    if (lock == NULL || !release(lock))
        at_fatal("at_lock_release: nobody holds this lock; acquire it before you release it");
}

bool at_lock_locked(const at_lock *lock) {
    return lock != NULL && atomic_load_explicit(&lock->state, memory_order_relaxed) != FREE;
}

at_rlock *at_rlock_new(void) {
    return calloc(1, sizeof(at_rlock));
}

void at_rlock_free(at_rlock *lock) {
    free(lock);
}

/*
 * Relaxed is enough: a thread reads its own mark there only if it stored it itself, and any other value means "not
 * mine".
 */
static bool is_mine(at_rlock *lock) {
    return atomic_load_explicit(&lock->owner, memory_order_relaxed) == &thread_mark;
}

int at_rlock_acquire(at_rlock *lock, double timeout) {
    if (lock == NULL)
        return -EINVAL;
    if (is_mine(lock)) {
        struct deadline unused;
        int error = deadline_after(timeout == -1 ? AT_FOREVER : timeout, NEGATIVE_IS_AN_ERROR, &unused);
        if (error == 0)
            lock->depth++;
        return error;
    }
    int error = acquire(&lock->lock, timeout);
    if (error != 0)
        return error;
    atomic_store_explicit(&lock->owner, &thread_mark, memory_order_relaxed);
    lock->depth = 1;
    return 0;
}

void at_rlock_release(at_rlock *lock) {
    if (lock == NULL || !is_mine(lock))
        at_fatal("at_rlock_release: this thread does not hold this lock; only its holder releases a recursive lock");
    if (--lock->depth > 0)
        return;
    atomic_store_explicit(&lock->owner, NULL, memory_order_relaxed);
    release(&lock->lock);
}
