/* event.c: sleeping in shared memory; see event.h. */
#include "event.h"

#include <limits.h>
#include <sched.h>

#include "clock.h"

enum { SLEEPERS = 1, WAKE = 2 };

/* Seconds after which a sleeper looks by itself, in case that somebody was killed who should have woken it. */
static const double LONGEST_SLEEP = 0.1;

/*
 * Pause instructions between two looks, the last and longest time. All together the short ones take a few microseconds;
 * the long ones take longer than a sleep and a wake do, so that two who wait for each other and have slept come back to
 * not sleeping. A test that counts each pause has no use for those.
 */
#ifdef AT_HOOKS
enum { SHORT_PATIENCE = 64, LONG_PATIENCE = 64 };
#else
enum { SHORT_PATIENCE = 64, LONG_PATIENCE = 1024 };
#endif

/* Seconds: who has slept for less is patient the next time. */
static const double SHORT_SLEEP = 0.0001;

/*
 * A sleep and a wake cost more than most waits last. The pauses grow, since each look takes the cache line from the one
 * who is about to write to it.
 */
static bool spin(unsigned longest, condition *holds, void *context) {
    for (unsigned pauses = 1; pauses <= longest; pauses *= 2) {
        for (unsigned i = 0; i < pauses; i++)
            spin_pause();
        if (holds(context))
            return true;
    }
    return false;
}

/*
 * Whether those who wake us last did so from our own processor: then they wait until we leave it. They may have moved
 * since; if so, the next wake says it.
 */
static bool waker_runs_here(struct event *event) {
    return shared_load(&event->waker, memory_order_relaxed) == sched_getcpu() + 1;
}

static void sleep_while(struct event *event, uint32_t word, const struct deadline *deadline) {
    struct deadline soon;
    deadline_after(LONGEST_SLEEP, NEGATIVE_POLLS, &soon);
    shared_wait(&event->word, word, deadline_is_before(deadline, &soon) ? deadline : &soon);
}

/* True when what it waits for has come meanwhile. Relaxed: nothing hangs on what patience others see. */
static bool spin_first(struct event *event, const struct sleeper *sleeper, condition *holds, void *context) {
    if (sleeper->patience == NULL || waker_runs_here(event))
        return false;
    unsigned patience = atomic_load_explicit(sleeper->patience, memory_order_relaxed);
    return spin(patience > SHORT_PATIENCE ? patience : SHORT_PATIENCE, holds, context);
}

static void learn(const struct sleeper *sleeper, double slept) {
    if (sleeper->patience != NULL)
        atomic_store_explicit(sleeper->patience, slept < SHORT_SLEEP ? LONG_PATIENCE : SHORT_PATIENCE,
                              memory_order_relaxed);
}

bool event_await(struct event *event, struct sleeper *sleeper, condition *holds, void *context) {
    if (deadline_is_over(&sleeper->deadline)) /* a poll, mostly: it has looked */
        return false;
    if (spin_first(event, sleeper, holds, context))
        return true;
    for (;;) {
        uint32_t word = shared_or(&event->word, SLEEPERS, memory_order_relaxed) | SLEEPERS;
        shared_fence(); /* the partner of event_has_sleepers */
        POINT("event.marked");
        if (holds(context))
            return true;
        if (deadline_is_over(&sleeper->deadline))
            return false;
        sleeper->slept = true;
        double begin = at_now();
        sleep_while(event, word, &sleeper->deadline);
        learn(sleeper, at_now() - begin);
        POINT("event.awake");
    }
}

void event_wake(struct event *event) {
    uint32_t word = shared_load(&event->word, memory_order_relaxed);
    if (!(word & SLEEPERS) || !shared_swap(&event->word, &word, word - SLEEPERS + WAKE, memory_order_relaxed))
        return; /* another has done it, and whom it wakes looks for more */
    POINT("event.cleared");
    shared_store(&event->waker, sched_getcpu() + 1, memory_order_relaxed);
    shared_wake(&event->word, 1);
}

void event_wake_all(struct event *event) {
    /* For those who are about to sleep: release, so that who marks the word after this sees what was changed before. */
    shared_add(&event->word, WAKE, memory_order_release);
    POINT("event.counted");
    shared_wake(&event->word, INT_MAX);
}

void event_leave(struct event *event) {
    shared_or(&event->word, SLEEPERS, memory_order_relaxed);
    shared_fence(); /* the partner of event_has_sleepers: a later change finds the bit, an earlier one is seen now */
    POINT("event.left");
}

void event_pass_on(struct event *event) {
    event_leave(event);
    event_wake(event);
}
