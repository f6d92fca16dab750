/* event.h (internal): sleeping in shared memory until another process has changed something; no death loses a wake. */
#ifndef ATELIER_EVENT_H
#define ATELIER_EVENT_H

#include <stdbool.h>

#include "hooks.h"

/*
 * A futex word: bit 0 says that somebody may sleep, the rest counts the wakes. Whoever changes something and finds bit
 * 0 set clears it and wakes one sleeper; that one sets it again as it leaves, since others may still sleep, and wakes
 * the next if there is something left for it. So nobody counts sleepers, and a killed one is not missed; a sleeper that
 * is killed with a wake, or a waker killed before its wake, delays the others by LONGEST_SLEEP: then they look again.
 */
struct event {
    _Atomic uint32_t word;
    _Atomic int waker; /* the processor on which somebody was who had to wake, plus 1 */
};

/* One call that may have to sleep. */
struct sleeper {
    struct deadline deadline;
    /* How long it looks before it sleeps, kept from call to call; NULL, where there is no other core: not at all. */
    _Atomic unsigned *patience;
    bool slept;
};

/* What a sleeper waits for: that this becomes true. It is called again and again, with no lock held. */
typedef bool condition(void *context);

/* Waits until the condition is true, or the deadline: then false. Woken by event_wake, and by event_wake_all. */
bool event_await(struct event *event, struct sleeper *sleeper, condition *holds, void *context);

/*
 * Whether a wake is needed, asked after each change. Either this sees the sleeper, or the sleeper sees the change: each
 * has done its own before a full fence, and looks for the other's after it. The partner is in event_await.
 *
 * The change has been made under a lock, and this comes after its release: there an x86 has had its full fence, since
 * the release has to find out whether somebody waits for the lock, by an exchange.
 */
static inline bool event_has_sleepers(struct event *event) {
#if defined(__x86_64__) && !defined(AT_HOOKS)
    atomic_signal_fence(memory_order_seq_cst);
#else
    shared_fence();
#endif
    return shared_load(&event->word, memory_order_relaxed) & 1;
}

/* The same as a guess, without the order. */
static inline bool event_may_have_sleepers(struct event *event) {
    return shared_load(&event->word, memory_order_relaxed) & 1;
}

void event_wake(struct event *event);
void event_wake_all(struct event *event);

/*
 * Whoever has slept leaves: the next change has to wake again. If it leaves something that another may be waiting for,
 * it passes the wake on.
 */
void event_leave(struct event *event);
void event_pass_on(struct event *event);

#endif
