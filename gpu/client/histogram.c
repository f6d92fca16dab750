/* histogram.c: a log-linear histogram of durations. */
#include "histogram.h"

#include <math.h>
#include <string.h>

/*
 * A value of so many bits keeps its first SUB_BITS + 1; the others say how far it was shifted. Values below 128 are
 * kept exactly: 0 to 63 have a bucket each, 64 to 127 are the octave that is shifted by nothing.
 */
enum { SUB_BITS = 6, SUB_BUCKETS = 1 << SUB_BITS };

static size_t bucket_of(uint64_t value) {
    if (value < SUB_BUCKETS)
        return (size_t)value;
    unsigned shift = 63U - (unsigned)__builtin_clzll(value) - SUB_BITS;
    return (size_t)shift * SUB_BUCKETS + (size_t)(value >> shift);
}

uint64_t histogram_lowest(size_t bucket) {
    if (bucket < 2 * SUB_BUCKETS)
        return bucket;
    size_t shift = bucket / SUB_BUCKETS - 1;
    return (uint64_t)(bucket - shift * SUB_BUCKETS) << shift;
}

void histogram_add_times(struct histogram *histogram, uint64_t value, uint64_t times) {
    if (times == 0)
        return;
    if (value > HISTOGRAM_MOST)
        value = HISTOGRAM_MOST;
    if (histogram->count == 0 || value < histogram->least)
        histogram->least = value;
    if (value > histogram->most)
        histogram->most = value;
    histogram->count += times;
    histogram->sum += value * times;
    histogram->counts[bucket_of(value)] += times;
}

void histogram_add(struct histogram *histogram, uint64_t value) {
    histogram_add_times(histogram, value, 1);
}

void histogram_merge(struct histogram *histogram, const struct histogram *other) {
    if (other->count == 0)
        return;
    if (histogram->count == 0 || other->least < histogram->least)
        histogram->least = other->least;
    if (other->most > histogram->most)
        histogram->most = other->most;
    histogram->count += other->count;
    histogram->sum += other->sum;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram->counts[i] += other->counts[i];
}

void histogram_clear(struct histogram *histogram) {
    if (histogram->count > 0)
        memset(histogram, 0, sizeof *histogram);
}

size_t histogram_next(const struct histogram *histogram, size_t bucket) {
    while (bucket < HISTOGRAM_BUCKETS && histogram->counts[bucket] == 0)
        bucket++;
    return bucket;
}

/* No value in the bucket is outside of what was seen, and so neither is its middle. */
static uint64_t middle_of(const struct histogram *histogram, size_t bucket) {
    uint64_t lowest = histogram_lowest(bucket), middle = lowest + (histogram_lowest(bucket + 1) - lowest) / 2;
    if (middle < histogram->least)
        return histogram->least;
    return middle > histogram->most ? histogram->most : middle;
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile) {
    if (histogram->count == 0)
        return 0;
    double rank = ceil(quantile * (double)histogram->count);
    uint64_t wanted = rank < 1 ? 1 : rank > (double)histogram->count ? histogram->count : (uint64_t)rank, seen = 0;
    for (size_t i = histogram_next(histogram, 0); i < HISTOGRAM_BUCKETS; i = histogram_next(histogram, i + 1)) {
        seen += histogram->counts[i];
        if (seen >= wanted)
            return middle_of(histogram, i);
    }
    return histogram->most;
}

double histogram_mean(const struct histogram *histogram) {
    return histogram->count == 0 ? 0 : (double)histogram->sum / (double)histogram->count;
}

uint64_t histogram_within(const struct histogram *histogram, uint64_t limit) {
    uint64_t within = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS && histogram_lowest(i + 1) <= limit + 1; i++)
        within += histogram->counts[i];
    return within;
}
