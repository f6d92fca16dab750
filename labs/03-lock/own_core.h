/* own_core.h: which cores a program may use, and a core for each of its threads, so that they truly run at once. */
#ifndef OWN_CORE_H
#define OWN_CORE_H

#include <sched.h>

/* The number of cores that this program may use: taskset and containers leave it fewer than the machine has. */
static inline int usable_cores(void) {
    cpu_set_t usable;
    return sched_getaffinity(0, sizeof usable, &usable) == 0 ? CPU_COUNT(&usable) : CPU_SETSIZE;
}

/* Moves the calling thread to usable core `number`, counted from 0, for good; without such a core it stays as it is. */
static inline void take_core(int number) {
    cpu_set_t usable, own;
    if (sched_getaffinity(0, sizeof usable, &usable) != 0)
        return;
    for (size_t core = 0; core < CPU_SETSIZE; core++) {
        if (CPU_ISSET(core, &usable) && number-- == 0) {
            CPU_ZERO(&own);
            CPU_SET(core, &own);
            sched_setaffinity(0, sizeof own, &own);
        }
    }
}

#endif
