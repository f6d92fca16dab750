/* meeting.h: a barrier between processes: nobody goes on before all have come. */
#ifndef GPU_TRAINING_MEETING_H
#define GPU_TRAINING_MEETING_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * Lies in shared memory, zeroed but for `members`. What each has written before it came, all can read after it.
 *   Who dies never comes, and the others wait for ever: it is for processes that somebody watches, and ends with it
 * (parallel.c). So a meeting knows nothing of deaths, and costs two atomic instructions and, for most, one sleep.
 */
struct meeting {
    uint32_t members;
    _Alignas(64) _Atomic uint32_t arrived;
    _Alignas(64) _Atomic uint32_t round; /* a futex word: how many meetings are over */
};

void meet(struct meeting *meeting);

#endif
