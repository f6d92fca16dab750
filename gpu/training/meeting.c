/* meeting.c: a barrier between processes; see meeting.h. */
#include "meeting.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * A sleep and its end cost some 10 us, more than many wait here for processes as fast as they are; who has waited that
 * long sleeps, for the core may be needed by the one that it waits for.
 */
enum { SPINS = 200 };

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static bool is_over(struct meeting *meeting, uint32_t round) {
    /* Acquire, with the release of the last one to come: what all have written can be read. */
    return atomic_load_explicit(&meeting->round, memory_order_acquire) != round;
}

void meet(struct meeting *meeting) {
    /* It cannot change before this process has come. */
    uint32_t round = atomic_load_explicit(&meeting->round, memory_order_relaxed);
    /* Release, for what this one has written; acquire, so that the last one has what all have. */
    if (atomic_fetch_add_explicit(&meeting->arrived, 1, memory_order_acq_rel) + 1 == meeting->members) {
        atomic_store_explicit(&meeting->arrived, 0, memory_order_relaxed);       /* before anybody can come again */
        atomic_store_explicit(&meeting->round, round + 1, memory_order_release); /* is_over's acquire */
        syscall(SYS_futex, &meeting->round, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
        return;
    }
    for (int i = 0; i < SPINS && !is_over(meeting, round); i++)
        pause_briefly();
    while (!is_over(meeting, round)) /* the last one's wake ends the sleep; a signal may, too */
        syscall(SYS_futex, &meeting->round, FUTEX_WAIT, round, NULL, NULL, 0);
}
