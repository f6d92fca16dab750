/* cost.c: what a batch takes on a device: alpha + beta * rows, by least squares over its last hundred batches or so. */
#include <math.h>

#include "batching.h"

/* A sample counts half after 64 others: 2^(-1/64). */
#define MEMORY 0.98922856

/*
 * Batches of one size say nothing of the slope, and those of nearly one size little but noise. So the slope is drawn to
 * what was believed before, as strongly as one batch would draw it whose size is off the mean by a tenth.
 */
#define DRAW 0.01

/* A worker that loses its core for a moment seems a hundred times slower. Once FEW batches are known, one sample counts
 * as at most OUTLIER times what was expected; a device that stays slower is still believed within some 100 batches. */
enum { FEW = 3, OUTLIER = 3 };

/* A batch whose deadline falls on its predicted end is late every other time: a bound is so many mean errors above. */
#define MARGIN 3

/* Longer than any batch: an hour. It keeps all sums finite. */
#define LONGEST 3.6e12

static double bounded(double value, double most) {
    return value < 0 ? 0 : value < most ? value : most;
}

static void add_sample(struct cost *cost, double rows, double time) {
    double predicted = cost->alpha + cost->beta * rows;
    cost->error = cost->error * MEMORY + (cost->n >= FEW ? fabs(time - predicted) : 0);
    cost->n = cost->n * MEMORY + 1;
    cost->rows = cost->rows * MEMORY + rows;
    cost->rows2 = cost->rows2 * MEMORY + rows * rows;
    cost->time = cost->time * MEMORY + time;
    cost->rows_time = cost->rows_time * MEMORY + rows * time;
}

/* The line goes through the mean of all samples whatever its slope is: at the sizes that are seen, it is right. */
void cost_learn(struct cost *cost, uint32_t rows, uint64_t nanoseconds) {
    if (rows == 0)
        return;
    double time = fmin((double)nanoseconds, LONGEST);
    if (cost->n >= FEW)
        time = fmin(time, fmax(OUTLIER * (cost->alpha + cost->beta * rows), OUTLIER));
    /* After the first batch half of its time is taken for alpha's, which is wrong by a factor of 2 at most. */
    double believed = cost->n > 0 ? cost->beta : time / rows / 2;
    add_sample(cost, rows, time);
    double mean_rows = cost->rows / cost->n, mean_time = cost->time / cost->n;
    double spread = fmax(cost->rows2 - cost->rows * mean_rows, 0);
    double together = cost->rows_time - cost->rows * mean_time;
    double draw = DRAW * mean_rows * mean_rows;
    /* Neither negative: beta from 0 to where alpha is 0. */
    cost->beta = bounded((together + draw * believed) / (spread + draw), mean_time / mean_rows);
    cost->alpha = fmax(mean_time - cost->beta * mean_rows, 0);
}

static uint64_t whole(double nanoseconds) {
    return (uint64_t)fmin(nanoseconds, 9e18);
}

uint64_t cost_predict(const struct cost *cost, uint32_t rows) {
    return whole(cost->alpha + cost->beta * rows);
}

uint64_t cost_bound(const struct cost *cost, uint32_t rows) {
    double margin = cost->n > 0 ? MARGIN * cost->error / cost->n : 0;
    return whole(cost->alpha + cost->beta * rows + margin);
}
