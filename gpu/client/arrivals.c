/* arrivals.c: schedules of requests, made beforehand. */
#include "arrivals.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "generator.h"

static const double SECOND = 1e9;

/* Above 0 and not above 1, so that its logarithm is a number. */
static double unit(uint64_t seed, size_t index) {
    return ((double)(generator_bits(seed, index) >> 11) + 1) * 0x1p-53;
}

/* The moment of arrival `index`, in seconds; the first comes one gap after the start. */
static double moment_of(enum arrival_pattern pattern, double rate, size_t burst, uint64_t seed, size_t index,
                        double before) {
    switch (pattern) {
    case ARRIVALS_POISSON:
        return before - log(unit(seed, index)) / rate;
    case ARRIVALS_BURSTS:
        return (double)(index / burst + 1) * (double)burst / rate;
    case ARRIVALS_UNIFORM:
        break;
    }
    return (double)(index + 1) / rate;
}

/* Room for as many as can be expected, and ten standard deviations more, so that it practically never has to grow. */
static int grow(struct arrivals *arrivals, size_t *room, struct failure *failure) {
    size_t more = *room + *room / 8 + 64;
    uint64_t *at = realloc(arrivals->at, more * sizeof *at);
    if (at == NULL)
        return fail(failure, -ENOMEM, "%zu arrivals: no memory; ask for a lower rate or less time", more);
    arrivals->at = at;
    *room = more;
    return 0;
}

int arrivals_make(struct arrivals *arrivals, enum arrival_pattern pattern, double rate, double seconds, size_t burst,
                  uint64_t seed, struct failure *failure) {
    *arrivals = (struct arrivals){0};
    if (!(rate > 0) || !(seconds > 0) || (pattern == ARRIVALS_BURSTS && burst == 0))
        return fail(failure, -EINVAL, "%g a second for %g s: the rate, the time and the burst must be above 0", rate,
                    seconds);
    if (!(rate * seconds <= ARRIVALS_MOST))
        return fail(failure, -EINVAL, "%g a second for %g s: more than %d requests; ask for fewer", rate, seconds,
                    ARRIVALS_MOST);
    double expected = rate * seconds, moment = 0;
    size_t room = (size_t)(expected + 10 * sqrt(expected));
    int result = grow(arrivals, &room, failure);
    while (result == 0) {
        moment = moment_of(pattern, rate, burst, seed, arrivals->count, moment);
        if (moment >= seconds)
            return 0;
        if (arrivals->count == room)
            result = grow(arrivals, &room, failure);
        if (result == 0)
            arrivals->at[arrivals->count++] = (uint64_t)(moment * SECOND);
    }
    arrivals_free(arrivals);
    return result;
}

void arrivals_free(struct arrivals *arrivals) {
    free(arrivals->at);
    *arrivals = (struct arrivals){0};
}
