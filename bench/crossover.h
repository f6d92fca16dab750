/* crossover.h: from which size of work on one way of doing it beats another. */
#ifndef BENCH_CROSSOVER_H
#define BENCH_CROSSOVER_H

#include <stdbool.h>
#include <stddef.h>

#include "measure.h"

struct crossover {
    bool found;
    double size, ns; /* where the two curves cross, when found */
};

/*
 * Where `rival` comes to beat `base` for good: both have a spread of times in ns for each of the rising sizes. The
 * curves must not only touch: from there on the rival's median lies below, and at the greatest size clearly so, by more
 * than a twentieth and with quartiles that do not overlap; so noise between two equal ways (threads on one core) is not
 * taken for a crossing. A rival that is ahead from the first size on does not cross.
 */
struct crossover crossover_of(const double *sizes, const struct spread *base, const struct spread *rival, size_t count);

#endif
