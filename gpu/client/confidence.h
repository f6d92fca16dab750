/* confidence.h: how many requests it takes before "99 of 100 are in time" is more than a guess. */
#ifndef GPU_CLIENT_CONFIDENCE_H
#define GPU_CLIENT_CONFIDENCE_H

#include <stdint.h>

enum confidence {
    CONFIDENCE_TOO_FEW, /* either may be true */
    CONFIDENCE_WITHIN,  /* at least so large a part is in time */
    CONFIDENCE_BEYOND,  /* it is not */
};

/*
 * Of `requests` independent ones, `late` were late: is a part `quantile` (0.99) of all that there could be in time?
 * Said only where it is wrong in at most a part 1 - `sureness` (0.99) of the cases.
 */
enum confidence confidence_of(uint64_t requests, uint64_t late, double quantile, double sureness);

/*
 * The least number of requests of which so many may be late, and the answer is still CONFIDENCE_WITHIN; quantile
 * below 1.
 */
uint64_t confidence_needed(uint64_t late, double quantile, double sureness);

#endif
