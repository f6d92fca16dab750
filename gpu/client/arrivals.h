/* arrivals.h: when the requests of an open loop are to be sent, decided before the first one is. */
#ifndef GPU_CLIENT_ARRIVALS_H
#define GPU_CLIENT_ARRIVALS_H

#include <stddef.h>
#include <stdint.h>

#include "failure.h"

enum arrival_pattern {
    ARRIVALS_POISSON, /* as many independent clients send: the gaps are exponential */
    ARRIVALS_UNIFORM, /* one every 1/rate */
    ARRIVALS_BURSTS,  /* `burst` at the same moment, a burst every burst/rate */
};

struct arrivals {
    uint64_t *at; /* nanoseconds from the start, never falling */
    size_t count;
};

enum { ARRIVALS_MOST = 20000000 };

/*
 * Makes the arrivals of so many seconds at so many a second; the same for the same seed. `burst` counts in bursts only,
 * and is 1 or more there. Errors: -EINVAL for a rate or a time that is not above 0, or more than ARRIVALS_MOST
 * arrivals; -ENOMEM. arrivals_free gives them back.
 */
int arrivals_make(struct arrivals *arrivals, enum arrival_pattern pattern, double rate, double seconds, size_t burst,
                  uint64_t seed, struct failure *failure) AT_MUST_CHECK;
void arrivals_free(struct arrivals *arrivals);

#endif
