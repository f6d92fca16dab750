/* cells.h: many things to measure in one run, all in turn, until each is known well enough or the time is up. */
#ifndef BENCH_CELLS_H
#define BENCH_CELLS_H

#include <stdbool.h>
#include <stddef.h>

#include "measure.h"

enum { CELL_SAMPLES_MOST = 400, COUNTS_MOST = 24 };

struct cell {
    void *what; /* the caller's */
    struct samples ns;
    size_t turns;   /* samples in each pass; 0: one, as most; what others are compared with may need more */
    double spent;   /* seconds, the work around the samples included */
    double warm_ns; /* the first sample */
    bool settled;   /* known well enough (measure.h), or there are as many samples as are of any use */
    bool left_out;  /* it could not be measured, or not any more */
};

/* Takes one sample in ns; 0 when none came. Keeps whatever else was seen, unless `keep` is false. */
typedef double measure_cell(struct cell *cell, void *context, bool keep);

/*
 * Warms each cell up by one sample that is not kept, and then measures in passes: each pass takes one sample of every
 * cell that is not settled, in an order shuffled anew, so that a slow moment of the machine falls on all alike. After
 * the first passes a cell that has taken more than its part of the time sits out until the others have had theirs. One
 * whose sample takes a 40th of all the time does so from the first pass on, and the sample that warmed it up is kept:
 * cold caches are nothing beside its length. Ends when all are settled, after so many seconds, or at Ctrl-C. `title` is
 * for the progress line.
 */
void cells_measure(struct cell *cells, size_t count, measure_cell *measure, void *context, struct dice *dice,
                   double seconds, const char *title);

/*
 * The numbers of workers to measure with: 1, 2, 3, 4, then doubling, or doubling from the start, and the most at the
 * end. Returns how many were stored.
 */
size_t worker_steps(size_t most, bool doubling, size_t counts[COUNTS_MOST]);

#endif
