/* hooks.h (internal): how the queue and the pool touch what others touch too, and where tests step in. */

/*
 * Every atomic instruction on shared memory, every sleep, wake and lock of theirs goes through these names. In the
 * library they are the plain instructions. In the copy of it that is built for tests, with -DAT_HOOKS, a test is called
 * first: to let another thread run (tests/scheduler.h), or to kill the process at a named point (tests/points.h).
 */
#ifndef ATELIER_HOOKS_H
#define ATELIER_HOOKS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "tsan.h"
#include "wait.h"

#ifdef AT_HOOKS
/* A test sets those it wants; the others are NULL. */
struct hooks {
    /* About to do what is named: "load", "add"... to the word, or, at one of the points, nothing to NULL. */
    void (*step)(const char *name, const volatile void *word);
    /* In place of a store, for tests that let others see it later. */
    void (*store)(volatile void *word, size_t size, uint64_t value, memory_order order);
    /* In place of futex_wait and futex_wake. */
    int (*wait)(_Atomic uint32_t *word, uint32_t expected, const struct deadline *deadline);
    void (*wake)(_Atomic uint32_t *word, int count);
    void (*pause)(void); /* in place of a pause instruction in a loop that waits for another thread or process */
};
extern struct hooks hooks;
#define HOOK_STEP(name, word) (hooks.step != NULL ? hooks.step((name), (word)) : (void)0)
#define HOOK_STORE(word, value, order)                                                                                 \
    (hooks.store != NULL ? hooks.store((word), sizeof *(word), (uint64_t)(value), (order))                             \
                         : (HOOK_STEP("store", (word)), atomic_store_explicit((word), (value), (order))))
/* The linker puts the names next to each other, so that a test has a list of all points there are. */
#define HOOK_POINT(name)                                                                                               \
    do {                                                                                                               \
        static const char at_point[] __attribute__((section("at_points"), used)) = name;                               \
        HOOK_STEP(at_point, NULL);                                                                                     \
    } while (0)
#else
#define HOOK_STEP(name, word) ((void)0)
#define HOOK_STORE(word, value, order) atomic_store_explicit((word), (value), (order))
#define HOOK_POINT(name) ((void)0)
#endif

/* A named point, between two effects, at which a death must do no harm: POINT("queue.put.copied"). */
#define POINT(name) HOOK_POINT(name)

#define shared_load(word, order) (HOOK_STEP("load", (word)), atomic_load_explicit((word), (order)))
#define shared_store(word, value, order) HOOK_STORE(word, value, order)
#define shared_exchange(word, value, order)                                                                            \
    (HOOK_STEP("exchange", (word)), atomic_exchange_explicit((word), (value), (order)))
#define shared_add(word, value, order) (HOOK_STEP("add", (word)), atomic_fetch_add_explicit((word), (value), (order)))
#define shared_or(word, value, order) (HOOK_STEP("or", (word)), atomic_fetch_or_explicit((word), (value), (order)))
#define shared_and(word, value, order) (HOOK_STEP("and", (word)), atomic_fetch_and_explicit((word), (value), (order)))
/* True, or *expected is what was there; then the order is relaxed. */
#define shared_swap(word, expected, value, order)                                                                      \
    (HOOK_STEP("swap", (word)),                                                                                        \
     atomic_compare_exchange_strong_explicit((word), (expected), (value), (order), memory_order_relaxed))
#ifdef BUILT_FOR_TSAN /* which does not know fences; this is one on the processors on which it runs */
static inline void full_fence(void) {
    _Atomic int own = 0;
    atomic_fetch_add_explicit(&own, 0, memory_order_seq_cst);
}
#define shared_fence() (HOOK_STEP("fence", NULL), full_fence())
#else
#define shared_fence() (HOOK_STEP("fence", NULL), atomic_thread_fence(memory_order_seq_cst))
#endif

/* futex_wait and futex_wake (wait.h) for words that processes share. */
static inline int shared_wait(_Atomic uint32_t *word, uint32_t expected, const struct deadline *deadline) {
#ifdef AT_HOOKS
    if (hooks.wait != NULL)
        return hooks.wait(word, expected, deadline);
#endif
    return futex_wait(word, expected, deadline, FUTEX_SHARED);
}

static inline void shared_wake(_Atomic uint32_t *word, int count) {
#ifdef AT_HOOKS
    if (hooks.wake != NULL) {
        hooks.wake(word, count);
        return;
    }
#endif
    futex_wake(word, count, FUTEX_SHARED);
}

/* In a loop that waits for somebody else: tells the processor so. */
static inline void spin_pause(void) {
#ifdef AT_HOOKS
    if (hooks.pause != NULL) {
        hooks.pause();
        return;
    }
#endif
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
