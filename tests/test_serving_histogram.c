/* test_serving_histogram.c: the load generator's arithmetic: histograms, schedules, and how sure a sample makes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arrivals.h"
#include "confidence.h"
#include "generator.h"
#include "histogram.h"
#include "report.h"
#include "watch.h"

enum { VALUES = 20000 };

static const double QUANTILES[] = {0, 0.001, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
enum { QUANTILE_COUNT = sizeof QUANTILES / sizeof *QUANTILES };

/* Spread over all octaves from 1 ns to 100 s. */
static uint64_t some_value(uint64_t seed, uint64_t index) {
    double unit = (double)(generator_bits(seed, index) >> 11) * 0x1p-53;
    return (uint64_t)exp(unit * log((double)HISTOGRAM_MOST));
}

static int compare(const void *left, const void *right) {
    uint64_t a, b;
    memcpy(&a, left, sizeof a);
    memcpy(&b, right, sizeof b);
    return (a > b) - (a < b);
}

static void fill(struct histogram *histogram, uint64_t seed, uint64_t from, uint64_t to) {
    for (uint64_t i = from; i < to; i++)
        histogram_add(histogram, some_value(seed, i));
}

START_TEST(quantiles_are_within_the_stated_error) {
    static struct histogram histogram;
    static uint64_t values[VALUES];
    for (size_t i = 0; i < VALUES; i++)
        values[i] = some_value(7, i);
    fill(&histogram, 7, 0, VALUES);
    qsort(values, VALUES, sizeof *values, compare);
    for (size_t i = 0; i < QUANTILE_COUNT; i++) {
        double rank = ceil(QUANTILES[i] * VALUES);
        double exact = (double)values[rank < 1 ? 0 : (size_t)rank - 1];
        double read = (double)histogram_quantile(&histogram, QUANTILES[i]);
        ck_assert_double_le(fabs(read - exact), 0.016 * exact);
    }
    ck_assert_uint_eq(histogram.least, values[0]);
    ck_assert_uint_eq(histogram.most, values[VALUES - 1]);
}
END_TEST

START_TEST(buckets_follow_each_other_without_a_gap) {
    for (size_t i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
        struct histogram histogram = {0};
        uint64_t lowest = histogram_lowest(i), next = histogram_lowest(i + 1);
        require(next > lowest && (next - lowest == 1 || (double)(next - lowest) <= (double)lowest / 64 + 0.5));
        if (next > HISTOGRAM_MOST)
            break;
        histogram_add(&histogram, lowest);
        histogram_add(&histogram, next - 1);
        require(histogram.counts[i] == 2);
    }
}
END_TEST

START_TEST(an_empty_one_has_no_values) {
    struct histogram histogram = {0};
    ck_assert_uint_eq(histogram_quantile(&histogram, 0.5), 0);
    ck_assert_double_eq(histogram_mean(&histogram), 0);
    ck_assert_uint_eq(histogram_next(&histogram, 0), HISTOGRAM_BUCKETS);
    histogram_add_times(&histogram, 5, 0);
    ck_assert_uint_eq(histogram.count, 0);
}
END_TEST

START_TEST(what_is_too_long_counts_as_the_longest) {
    struct histogram histogram = {0};
    histogram_add(&histogram, UINT64_MAX);
    histogram_add(&histogram, 0);
    ck_assert_uint_eq(histogram.most, HISTOGRAM_MOST);
    ck_assert_uint_eq(histogram.least, 0);
    ck_assert_uint_eq(histogram_quantile(&histogram, 1), HISTOGRAM_MOST);
}
END_TEST

START_TEST(merged_ones_are_one) {
    static struct histogram all, first, second, nothing;
    fill(&all, 3, 0, VALUES);
    fill(&first, 3, 0, 700);
    fill(&second, 3, 700, VALUES);
    histogram_merge(&first, &second);
    histogram_merge(&first, &nothing);
    ck_assert_mem_eq(&first, &all, sizeof all);
    histogram_merge(&nothing, &all);
    ck_assert_mem_eq(&nothing, &all, sizeof all);
    histogram_clear(&nothing);
    ck_assert_uint_eq(nothing.count + nothing.counts[1000], 0);
}
END_TEST

START_TEST(within_counts_what_is_certainly_below) {
    struct histogram histogram = {0};
    for (uint64_t i = 1; i <= 100; i++)
        histogram_add(&histogram, i * 1000000);
    uint64_t within = histogram_within(&histogram, 50000000);
    ck_assert_uint_le(within, 50);
    ck_assert_uint_ge(within, 48);
    ck_assert_uint_eq(histogram_within(&histogram, HISTOGRAM_MOST), 100);
}
END_TEST

START_TEST(json_gives_back_the_same_histogram) {
    static struct histogram histogram, copy;
    fill(&histogram, 11, 0, 1000);
    json_t *json = report_histogram(&histogram);
    ck_assert_int_eq(report_read_histogram(&copy, json), 0);
    ck_assert_mem_eq(copy.counts, histogram.counts, sizeof histogram.counts);
    ck_assert_uint_eq(copy.count, histogram.count);
    ck_assert_uint_eq(copy.least, histogram.least);
    ck_assert_uint_eq(copy.most, histogram.most);
    ck_assert_uint_eq(histogram_quantile(&copy, 0.99), histogram_quantile(&histogram, 0.99));
    json_decref(json);
}
END_TEST

START_TEST(bad_json_is_no_histogram) {
    static const char *const BAD[] = {"{}",
                                      "[]",
                                      "{\"buckets\":3}",
                                      "{\"buckets\":[[-1,2]]}",
                                      "{\"buckets\":[[1,-2]]}",
                                      "{\"buckets\":[7]}",
                                      "{\"buckets\":[[]]}",
                                      "{\"buckets\":[[5,1]],\"least_ns\":7,\"most_ns\":6}"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct histogram histogram;
        json_t *json = json_loads(BAD[i], 0, NULL);
        ck_assert_ptr_nonnull(json);
        ck_assert_int_eq(report_read_histogram(&histogram, json), -EINVAL);
        json_decref(json);
    }
}
END_TEST

/* ---- Schedules */

static struct arrivals made(enum arrival_pattern pattern, double rate, double seconds, size_t burst, uint64_t seed) {
    struct arrivals arrivals;
    struct failure failure;
    ok(arrivals_make(&arrivals, pattern, rate, seconds, burst, seed, &failure));
    for (size_t i = 0; i < arrivals.count; i++)
        require(arrivals.at[i] < (uint64_t)(seconds * 1e9) && (i == 0 || arrivals.at[i] >= arrivals.at[i - 1]));
    return arrivals;
}

START_TEST(poisson_arrivals_have_the_rate_and_exponential_gaps) {
    enum { BINS = 20 };
    struct arrivals arrivals = made(ARRIVALS_POISSON, 1000, 20, 0, 42);
    double count = (double)arrivals.count, bins[BINS] = {0}, chi_squared = 0;
    /* The standard deviation of the count is sqrt(20000) = 141. */
    ck_assert_double_le(fabs(count - 20000), 4 * 141);
    /* 1 - exp(-rate * gap) of exponential gaps is even between 0 and 1. */
    for (size_t i = 0; i < arrivals.count; i++) {
        double gap = (double)(arrivals.at[i] - (i == 0 ? 0 : arrivals.at[i - 1])) * 1e-9;
        bins[(size_t)((1 - exp(-1000 * gap)) * BINS)]++;
    }
    for (size_t i = 0; i < BINS; i++)
        chi_squared += (bins[i] - count / BINS) * (bins[i] - count / BINS) / (count / BINS);
    ck_assert_double_le(chi_squared, 43.8); /* 0.1 % of the samples are above, at 19 degrees of freedom */
    arrivals_free(&arrivals);
}
END_TEST

START_TEST(gaps_that_follow_each_other_know_nothing_of_each_other) {
    struct arrivals arrivals = made(ARRIVALS_POISSON, 1000, 20, 0, 1);
    double product = 0, count = (double)arrivals.count;
    for (size_t i = 2; i < arrivals.count; i++)
        product += ((double)(arrivals.at[i] - arrivals.at[i - 1]) * 1e-6 - 1) *
                   ((double)(arrivals.at[i - 1] - arrivals.at[i - 2]) * 1e-6 - 1);
    ck_assert_double_le(fabs(product / count), 4 / sqrt(count));
    arrivals_free(&arrivals);
}
END_TEST

START_TEST(the_same_seed_makes_the_same_schedule_and_another_another) {
    struct arrivals first = made(ARRIVALS_POISSON, 500, 1, 0, 5), again = made(ARRIVALS_POISSON, 500, 1, 0, 5);
    struct arrivals other = made(ARRIVALS_POISSON, 500, 1, 0, 6);
    ck_assert_uint_eq(first.count, again.count);
    ck_assert_mem_eq(first.at, again.at, first.count * sizeof *first.at);
    ck_assert_uint_ne(first.at[0], other.at[0]);
    arrivals_free(&first);
    arrivals_free(&again);
    arrivals_free(&other);
}
END_TEST

START_TEST(uniform_arrivals_and_bursts_come_when_they_should) {
    struct arrivals even = made(ARRIVALS_UNIFORM, 100, 1.001, 0, 1), bursts = made(ARRIVALS_BURSTS, 100, 0.95, 10, 1);
    ck_assert_uint_eq(even.count, 100);
    for (size_t i = 0; i < even.count; i++)
        require(llabs((long long)even.at[i] - (long long)(i + 1) * 10000000) < 1000);
    ck_assert_uint_eq(bursts.count, 90);
    for (size_t i = 0; i < bursts.count; i++)
        require(llabs((long long)bursts.at[i] - (long long)(i / 10 + 1) * 100000000) < 1000);
    arrivals_free(&even);
    arrivals_free(&bursts);
}
END_TEST

START_TEST(impossible_schedules_are_refused) {
    static const double BAD[][2] = {{0, 1}, {-1, 1}, {1, 0}, {1, -1}, {1e9, 1e9}, {INFINITY, 1}, {NAN, 1}, {1, NAN}};
    struct arrivals arrivals;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct failure failure = {{0}};
        ck_assert_int_eq(arrivals_make(&arrivals, ARRIVALS_POISSON, BAD[i][0], BAD[i][1], 1, 1, &failure), -EINVAL);
        ck_assert_uint_gt(strlen(failure.text), 0);
        ck_assert_ptr_null(arrivals.at);
    }
    ck_assert_int_eq(arrivals_make(&arrivals, ARRIVALS_BURSTS, 1, 1, 0, 1, NULL), -EINVAL);
}
END_TEST

/* ---- Confidence */

START_TEST(the_known_sample_sizes_come_out) {
    ck_assert_uint_eq(confidence_needed(0, 0.99, 0.99), 459);
    ck_assert_uint_eq(confidence_needed(1, 0.99, 0.99), 662);
    ck_assert_uint_eq(confidence_needed(0, 0.9, 0.99), 44);
    ck_assert_int_eq(confidence_of(458, 0, 0.99, 0.99), CONFIDENCE_TOO_FEW);
    ck_assert_int_eq(confidence_of(459, 0, 0.99, 0.99), CONFIDENCE_WITHIN);
    ck_assert_int_eq(confidence_of(459, 1, 0.99, 0.99), CONFIDENCE_TOO_FEW);
    ck_assert_int_eq(confidence_of(0, 0, 0.99, 0.99), CONFIDENCE_TOO_FEW);
}
END_TEST

START_TEST(many_late_ones_are_beyond_and_large_samples_are_clear) {
    ck_assert_int_eq(confidence_of(100, 20, 0.99, 0.99), CONFIDENCE_BEYOND);
    ck_assert_int_eq(confidence_of(3, 3, 0.99, 0.99), CONFIDENCE_BEYOND);
    ck_assert_int_eq(confidence_of(1000000, 9000, 0.99, 0.99), CONFIDENCE_WITHIN);
    ck_assert_int_eq(confidence_of(1000000, 10000, 0.99, 0.99), CONFIDENCE_TOO_FEW);
    ck_assert_int_eq(confidence_of(1000000, 11000, 0.99, 0.99), CONFIDENCE_BEYOND);
}
END_TEST

SUITE("serving_histogram", quantiles_are_within_the_stated_error, buckets_follow_each_other_without_a_gap,
      an_empty_one_has_no_values, what_is_too_long_counts_as_the_longest, merged_ones_are_one,
      within_counts_what_is_certainly_below, json_gives_back_the_same_histogram, bad_json_is_no_histogram,
      poisson_arrivals_have_the_rate_and_exponential_gaps, gaps_that_follow_each_other_know_nothing_of_each_other,
      the_same_seed_makes_the_same_schedule_and_another_another, uniform_arrivals_and_bursts_come_when_they_should,
      impossible_schedules_are_refused, the_known_sample_sizes_come_out,
      many_late_ones_are_beyond_and_large_samples_are_clear)
