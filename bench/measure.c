/* measure.c: samples and their spread, a seeded shuffle, the cores at hand. */
#include "measure.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *need(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (memory == NULL) {
        fprintf(stderr, "bench: %zu x %zu bytes: out of memory\n", count, size);
        exit(1);
    }
    return memory;
}

void samples_add(struct samples *samples, double value) {
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity == 0 ? 64 : 2 * samples->capacity;
        double *larger = need(samples->capacity, sizeof *larger);
        if (samples->count > 0)
            memcpy(larger, samples->values, samples->count * sizeof *larger);
        free(samples->values);
        samples->values = larger;
    }
    samples->values[samples->count++] = value;
}

void samples_free(struct samples *samples) {
    free(samples->values);
    *samples = (struct samples){0};
}

static int compare_doubles(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double quantile(const double *sorted, size_t count, double part) {
    double position = part * (double)(count - 1);
    size_t below = (size_t)position;
    if (below + 1 >= count)
        return sorted[count - 1];
    double fraction = position - (double)below;
    return sorted[below] + fraction * (sorted[below + 1] - sorted[below]);
}

double median_of(double *values, size_t count) {
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, compare_doubles);
    return quantile(values, count, 0.5);
}

size_t median_interval(size_t count) {
    /* P(at most `outside` of `count` coins show heads), term by term, for as long as it is 2.5% or less. */
    double term = exp2(-(double)count), sum = term;
    size_t outside = 0;
    /* There 2^-count is too small for a double; the normal distribution, half a step less, is as good. */
    if (count > 1000)
        return (size_t)floor(((double)count - 1 - 1.959964 * sqrt((double)count)) / 2);
    while (sum <= 0.025) {
        outside++;
        term *= (double)(count - outside + 1) / (double)outside;
        sum += term;
    }
    return outside > 0 ? outside - 1 : 0;
}

double imprecision(const struct spread *spread) {
    if (spread->count < 6)
        return INFINITY;
    return spread->median > 0 ? (spread->high - spread->low) / spread->median : 0;
}

bool settled(const struct spread *spread) {
    return spread->count >= SETTLED_SAMPLES && imprecision(spread) <= 0.03;
}

struct spread spread_of(const struct samples *samples) {
    struct spread spread = {.count = samples->count};
    if (samples->count == 0)
        return spread;
    double *sorted = need(samples->count, sizeof *sorted);
    memcpy(sorted, samples->values, samples->count * sizeof *sorted);
    spread.median = median_of(sorted, samples->count);
    spread.least = sorted[0];
    spread.q1 = quantile(sorted, samples->count, 0.25);
    spread.q3 = quantile(sorted, samples->count, 0.75);
    spread.p99 = quantile(sorted, samples->count, 0.99);
    size_t outside = median_interval(samples->count);
    spread.low = sorted[outside];
    spread.high = sorted[samples->count - 1 - outside];
    free(sorted);
    return spread;
}

/* splitmix64: any seed will do, 0 included. */
static uint64_t dice_next(struct dice *dice) {
    uint64_t mixed = dice->state += 0x9e3779b97f4a7c15U;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
}

/* The remainder favours small numbers by less than one part in 10^15 here: an order of measurements does not mind. */
size_t dice_below(struct dice *dice, size_t bound) {
    return (size_t)(dice_next(dice) % bound);
}

double dice_part(struct dice *dice) {
    return (double)(dice_next(dice) >> 11) * 0x1p-53;
}

void shuffle(struct dice *dice, size_t *numbers, size_t count) {
    for (size_t left = count; left > 1; left--) {
        size_t other = dice_below(dice, left);
        size_t swapped = numbers[left - 1];
        numbers[left - 1] = numbers[other];
        numbers[other] = swapped;
    }
}

size_t cores_at_hand(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    /* Machines of more than 1024 cores make this fail; they have enough of them for any chart. */
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? (size_t)count : 1;
}
