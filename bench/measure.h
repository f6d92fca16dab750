/* measure.h: what every measurement needs: a clock, samples and their spread, a seeded shuffle. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Nanoseconds on the monotonic clock; here and not in the runtime, which is what is being measured. */
static inline uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static inline double seconds_since(uint64_t start_ns) {
    return (double)(now_ns() - start_ns) * 1e-9;
}

/* A growing list of samples. A zeroed one is empty. */
struct samples {
    double *values;
    size_t count, capacity;
};

void samples_add(struct samples *samples, double value);
void samples_free(struct samples *samples);

/*
 * Where the samples lie. Of fewer than 100 samples, p99 is close to the greatest of them. [low, high] is the 95%
 * confidence interval of the median; of fewer than 6 samples, which have none, it is all that they span.
 */
struct spread {
    size_t count;
    double least, q1, median, q3, p99;
    double low, high;
};

/* Of no samples, all fields are 0. The samples keep their order. */
struct spread spread_of(const struct samples *samples);

/* The value below which `part` (0 to 1) of the sorted values lie, interpolated between neighbours (R's type 7). */
double quantile(const double *sorted, size_t count, double part);

/*
 * How many of the sorted samples, from either end, lie outside of the 95% confidence interval of their median; the
 * sample after them is the interval's end. It holds for every distribution, since it only counts: each sample is below
 * the median or above it, as a coin falls (Conover, Practical Nonparametric Statistics, section 3.2). 0 for fewer than
 * 6 samples: even the least and the greatest of 5 enclose the median in only 94% of all cases.
 */
size_t median_interval(size_t count);

/* How wide the interval is, as a part of the median; infinite for fewer than 6 samples, 0 for a median of 0. */
double imprecision(const struct spread *spread);

/* Known well enough: there are some samples, and the interval is narrower than 3% of the median. */
enum { SETTLED_SAMPLES = 8 };
bool settled(const struct spread *spread);

/* Sorts them and returns the middle. */
double median_of(double *values, size_t count);

/* Pseudo-random numbers that a printed seed gives back. */
struct dice {
    uint64_t state;
};

/* A number from 0 to below `bound`. */
size_t dice_below(struct dice *dice, size_t bound);

/* A number from 0 to below 1. */
double dice_part(struct dice *dice);

/* Puts the numbers in random order. */
void shuffle(struct dice *dice, size_t *numbers, size_t count);

/* The cores that this process may run on, at least 1. */
size_t cores_at_hand(void);

/* Memory or the end of the program: a harness out of memory has nothing left to say. */
void *need(size_t count, size_t size);

#endif
