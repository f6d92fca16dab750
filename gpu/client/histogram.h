/* histogram.h: how often each duration was seen, in buckets that grow with the duration: 64 to an octave, so that
 * what is read from it is wrong by less than 1.6 %. Histograms can be added together; none of them knows where it
 * was made. */
#ifndef GPU_CLIENT_HISTOGRAM_H
#define GPU_CLIENT_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 2048 };

/* Durations above this, 100 s, are counted as this. */
#define HISTOGRAM_MOST UINT64_C(100000000000)

/* Values are nanoseconds. Zeroed, it is empty. */
struct histogram {
    uint64_t count, sum;
    uint64_t least, most; /* exact; 0 when it is empty */
    uint64_t counts[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);
void histogram_add_times(struct histogram *histogram, uint64_t value, uint64_t times);
void histogram_merge(struct histogram *histogram, const struct histogram *other);
void histogram_clear(struct histogram *histogram);

/*
 * The value that a part `quantile` (0 to 1) of all values do not exceed: the middle of the bucket in which the value of
 * rank ceil(quantile * count) lies. 0 when it is empty.
 */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);
double histogram_mean(const struct histogram *histogram);

/* How many values are certainly not above the limit: those of the buckets that end at or below it. */
uint64_t histogram_within(const struct histogram *histogram, uint64_t limit);

/*
 * The first bucket from `bucket` on that is not empty, HISTOGRAM_BUCKETS when there is none; and the least value that a
 * bucket takes. With them a histogram is written as pairs, and histogram_add_times reads the pairs back.
 */
size_t histogram_next(const struct histogram *histogram, size_t bucket);
uint64_t histogram_lowest(size_t bucket);

#endif
