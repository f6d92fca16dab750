/* event.c: sleeping in shared memory; see event.h. */
#include "event.h"

#include <limits.h>
#include <sched.h>

#include "clock.h"

enum { SLEEPERS = 1, WAKE = 2 };

/* Seconds after which a sleeper looks by itself, in case that somebody was killed who should have woken it. */
static const double LONGEST_SLEEP = 0.1;

/* Pause instructions between two looks, the last and longest time; all together a few microseconds. */
enum { LONGEST_PAUSE = 64 };

/*
 * A sleep and a wake cost more than most waits last. The pauses grow, since each look takes the cache line from the one
 * who is about to write to it.
 */
static bool spin(condition *holds, void *context) {
    for (int pauses = 1; pauses <= LONGEST_PAUSE; pauses *= 2) {
        for (int i = 0; i < pauses; i++)
            spin_pause();
        if (holds(context))
            return true;
    }
    return false;
}

/*
 * Whether those who wake us last did so from our own processor: then they wait until we leave it. It may have changed,
 * but if so, the next sleep and wake, or the next vain spin and sleep, set it right.
 */
static bool is_on_processor_of(struct event *event) {
    return shared_load(&event->waker, memory_order_relaxed) == sched_getcpu() + 1;
}

static void sleep_while(struct event *event, uint32_t word, const struct deadline *deadline) {
    struct deadline soon;
    deadline_after(LONGEST_SLEEP, NEGATIVE_POLLS, &soon);
    shared_wait(&event->word, word, deadline_is_before(deadline, &soon) ? deadline : &soon);
}

bool event_await(struct event *event, struct sleeper *sleeper, condition *holds, void *context) {
    if (deadline_is_over(&sleeper->deadline)) /* a poll, mostly: it has looked */
        return false;
    if (sleeper->spins && !is_on_processor_of(event) && spin(holds, context))
        return true;
    for (;;) {
        /* Acquire and release: the partner of event_has_sleepers. */
        uint32_t word = shared_or(&event->word, SLEEPERS, memory_order_acq_rel) | SLEEPERS;
        POINT("event.marked");
        if (holds(context))
            return true;
        if (deadline_is_over(&sleeper->deadline))
            return false;
        sleeper->slept = true;
        sleep_while(event, word, &sleeper->deadline);
        POINT("event.awake");
    }
}

void event_wake(struct event *event) {
    /* Release and acquire, so that the chain of additions that event_has_sleepers speaks of is not broken here. */
    uint32_t word = shared_load(&event->word, memory_order_relaxed);
    if (!(word & SLEEPERS) || !shared_swap(&event->word, &word, word - SLEEPERS + WAKE, memory_order_acq_rel))
        return; /* another has done it, and whom it wakes looks for more */
    POINT("event.cleared");
    shared_store(&event->waker, sched_getcpu() + 1, memory_order_relaxed);
    shared_wake(&event->word, 1);
}

void event_wake_all(struct event *event) {
    shared_add(&event->word, WAKE, memory_order_acq_rel); /* as event_wake, for those who are about to sleep */
    POINT("event.counted");
    shared_wake(&event->word, INT_MAX);
}

void event_leave(struct event *event) {
    /* Acquire and release: what is put in after this finds the bit, what was before is seen by the look after this. */
    shared_or(&event->word, SLEEPERS, memory_order_acq_rel);
    POINT("event.left");
}

void event_pass_on(struct event *event) {
    event_leave(event);
    event_wake(event);
}
