/* test_bench_statistics.c: the statistics that the benchmarks rest on, against cases worked out by hand. */
#include <math.h>

#include "crossover.h"
#include "measure.h"
#include "watch.h"

#define COUNT_OF(list) (sizeof(list) / sizeof *(list))

static bool near(double found, double wanted) {
    return fabs(found - wanted) <= 1e-9 * fmax(1, fabs(wanted));
}

static struct spread spread_of_list(const double *values, size_t count) {
    struct samples samples = {0};
    for (size_t i = 0; i < count; i++)
        samples_add(&samples, values[i]);
    struct spread spread = spread_of(&samples);
    for (size_t i = 0; i < count; i++)
        require(near(samples.values[i], values[i])); /* their order is kept */
    samples_free(&samples);
    require(samples.count == 0 && samples.values == NULL);
    return spread;
}

/* ---- quantiles */

START_TEST(quantile_lies_between_neighbours_as_in_type_7) {
    static const double FOUR[] = {1, 2, 3, 4}, FIVE[] = {15, 20, 35, 40, 50}, ONE[] = {7};
    static const struct {
        const double *sorted;
        size_t count;
        double part, value;
    } CASES[] = {
        {FOUR, 4, 0, 1},       {FOUR, 4, 0.25, 1.75}, {FOUR, 4, 0.5, 2.5}, {FOUR, 4, 0.75, 3.25},
        {FOUR, 4, 1, 4},       {FIVE, 5, 0.05, 16},   {FIVE, 5, 0.4, 29},  {FIVE, 5, 0.5, 35},
        {FIVE, 5, 0.99, 49.6}, {ONE, 1, 0, 7},        {ONE, 1, 0.5, 7},    {ONE, 1, 1, 7},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        double found = quantile(CASES[i].sorted, CASES[i].count, CASES[i].part);
        ck_assert_msg(near(found, CASES[i].value), "case %zu: %g, not %g", i, found, CASES[i].value);
    }
}
END_TEST

START_TEST(median_sorts_and_takes_the_middle) {
    double odd[] = {9, 1, 5}, even[] = {4, 1, 3, 2}, alike[] = {2, 2, 2};
    require(near(median_of(odd, 3), 5) && near(odd[0], 1) && near(odd[2], 9));
    require(near(median_of(even, 4), 2.5));
    require(near(median_of(alike, 3), 2));
    require(near(median_of(odd, 1), 1));
    require(near(median_of(NULL, 0), 0));
}
END_TEST

START_TEST(spread_is_all_of_it_for_few_samples) {
    static const double FIVE[] = {50, 15, 40, 20, 35};
    struct spread none = spread_of_list(FIVE, 0), one = spread_of_list(FIVE, 1), five = spread_of_list(FIVE, 5);
    require(none.count == 0 && near(none.median, 0) && near(none.high, 0) && near(none.p99, 0));
    require(one.count == 1 && near(one.least, 50) && near(one.q1, 50) && near(one.q3, 50) && near(one.high, 50));
    require(five.count == 5 && near(five.least, 15) && near(five.q1, 20) && near(five.median, 35));
    require(near(five.q3, 40) && near(five.p99, 49.6) && near(five.low, 15) && near(five.high, 50));
}
END_TEST

START_TEST(spread_of_20_has_the_6th_from_either_end) {
    double values[20];
    for (size_t i = 0; i < 20; i++)
        values[i] = (double)((i * 7) % 20 + 1); /* 1 to 20, in another order */
    struct spread spread = spread_of_list(values, 20);
    require(near(spread.low, 6) && near(spread.high, 15) && near(spread.median, 10.5) && near(spread.least, 1));
    require(near(spread.q1, 5.75) && near(spread.q3, 15.25) && near(spread.p99, 19.81));
}
END_TEST

START_TEST(samples_grow_without_losing_any) {
    struct samples samples = {0};
    for (size_t i = 0; i < 1000; i++)
        samples_add(&samples, (double)i);
    for (size_t i = 0; i < 1000; i++)
        require(near(samples.values[i], (double)i));
    require(samples.count == 1000 && samples.capacity >= 1000);
    samples_free(&samples);
}
END_TEST

/* ---- the interval of the median */

/* Of 9 coins, at most 1 shows heads in 1 + 9 of 512 cases, fewer than 2.5%, and at most 2 in 46: so 1 is outside. */
START_TEST(median_interval_has_the_ranks_of_the_tables) {
    static const struct {
        size_t count, outside;
    } CASES[] = {{0, 0},      {1, 0},      {5, 0},      {6, 0},      {7, 0},       {8, 0},       {9, 1},
                 {10, 1},     {11, 1},     {12, 2},     {13, 2},     {14, 2},      {15, 3},      {16, 3},
                 {17, 4},     {18, 4},     {19, 4},     {20, 5},     {50, 17},     {100, 39},    {999, 468},
                 {1000, 468}, {1003, 469}, {1005, 470}, {2000, 955}, {5000, 2430}, {10000, 4901}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        ck_assert_msg(median_interval(CASES[i].count) == CASES[i].outside, "of %zu samples, %zu are outside, not %zu",
                      CASES[i].count, median_interval(CASES[i].count), CASES[i].outside);
}
END_TEST

/* The chance that at most so many of the coins show heads, by another way than the harness's. */
static double chance_of_at_most(size_t heads, size_t coins) {
    double sum = 0;
    for (size_t i = 0; i <= heads; i++)
        sum += exp(lgamma((double)coins + 1) - lgamma((double)i + 1) - lgamma((double)(coins - i) + 1) -
                   (double)coins * log(2));
    return sum;
}

/* Above 1000 samples, where the harness takes the normal distribution, it may be one rank wider than it must be. */
START_TEST(median_interval_is_the_narrowest_of_95_percent) {
    for (size_t count = 6; count <= 1300; count += count < 40 || (count > 1000 && count < 1010) ? 1 : 37) {
        size_t outside = median_interval(count);
        ck_assert_msg(chance_of_at_most(outside, count) <= 0.025 &&
                          chance_of_at_most(outside + 1 + (count > 1000), count) > 0.025,
                      "%zu of %zu samples are outside", outside, count);
    }
}
END_TEST

/* Three distributions whose medians are known: steady, with a long tail as times have, and of two separate heaps. */
static double drawn_evenly(double part) {
    return part;
}
static double drawn_with_a_tail(double part) {
    return -log(1 - part);
}
static double drawn_from_two_heaps(double part) {
    return part < 0.4 ? part : 10 + part;
}

/* Wide enough that the seed decides nothing: a coverage of 95% in 3000 trials is known to within 0.4%. */
START_TEST(interval_holds_the_true_median_in_95_of_100_cases) {
    static double (*const DRAWN[])(double) = {drawn_evenly, drawn_with_a_tail, drawn_from_two_heaps};
    static const size_t COUNTS[] = {6, 9, 20, 51};
    enum { TRIALS = 3000 };
    struct dice dice = {20260101};
    for (size_t which = 0; which < COUNT_OF(DRAWN) * COUNT_OF(COUNTS); which++) {
        double (*drawn)(double) = DRAWN[which % COUNT_OF(DRAWN)];
        size_t count = COUNTS[which / COUNT_OF(DRAWN)];
        double values[51], median = drawn(0.5);
        int held = 0;
        for (int trial = 0; trial < TRIALS; trial++) {
            for (size_t i = 0; i < count; i++)
                values[i] = drawn(dice_part(&dice));
            struct samples samples = {.values = values, .count = count, .capacity = count};
            struct spread spread = spread_of(&samples);
            held += spread.low <= median && median <= spread.high;
        }
        ck_assert_msg(held >= 0.94 * TRIALS, "%d of %d intervals of %zu samples hold the median", held, TRIALS, count);
    }
}
END_TEST

START_TEST(settled_begins_at_8_samples_and_3_percent) {
    struct spread spread = {.count = 8, .median = 100, .low = 98.5, .high = 101.5};
    require(near(imprecision(&spread), 0.03) && settled(&spread));
    spread.high = 101.6;
    require(near(imprecision(&spread), 0.031) && !settled(&spread));
    spread.high = 101.5;
    spread.count = 7;
    require(near(imprecision(&spread), 0.03) && !settled(&spread));
    spread.count = 6;
    require(near(imprecision(&spread), 0.03));
    spread.count = 5;
    require(isinf(imprecision(&spread)) && !settled(&spread));
    spread = (struct spread){.count = 8};
    require(near(imprecision(&spread), 0));
    spread = (struct spread){0};
    require(isinf(imprecision(&spread)) && !settled(&spread));
}
END_TEST

/* ---- chance */

START_TEST(dice_fall_evenly_and_below_their_bound) {
    enum { THROWS = 60000, SIDES = 6 };
    int seen[SIDES] = {0};
    double sum = 0;
    struct dice dice = {0};
    for (int i = 0; i < THROWS; i++) {
        size_t side = dice_below(&dice, SIDES);
        require(side < SIDES);
        seen[side]++;
        double part = dice_part(&dice);
        require(part >= 0 && part < 1);
        sum += part;
    }
    for (size_t i = 0; i < SIDES; i++)
        ck_assert_msg(abs(seen[i] - THROWS / SIDES) < 500, "side %zu: %d of %d", i, seen[i], THROWS);
    require(fabs(sum / THROWS - 0.5) < 0.01);
    require(dice_below(&dice, 1) == 0);
}
END_TEST

START_TEST(same_seed_gives_the_same_order) {
    size_t first[50], again[50], other[50];
    struct dice one = {7}, two = {7}, three = {8};
    for (size_t i = 0; i < 50; i++)
        first[i] = again[i] = other[i] = i;
    shuffle(&one, first, 50);
    shuffle(&two, again, 50);
    shuffle(&three, other, 50);
    require(memcmp(first, again, sizeof first) == 0 && memcmp(first, other, sizeof first) != 0);
}
END_TEST

START_TEST(shuffle_keeps_each_number_once) {
    struct dice dice = {1};
    for (size_t count = 0; count <= 64; count++) {
        size_t numbers[64], seen[64] = {0};
        for (size_t i = 0; i < count; i++)
            numbers[i] = i;
        shuffle(&dice, numbers, count);
        for (size_t i = 0; i < count; i++)
            require(numbers[i] < count && seen[numbers[i]]++ == 0);
    }
}
END_TEST

START_TEST(every_order_of_three_is_as_likely) {
    enum { SHUFFLES = 12000, ORDERS = 6 };
    int seen[3][3] = {{0}};
    struct dice dice = {3};
    for (int i = 0; i < SHUFFLES; i++) {
        size_t numbers[] = {0, 1, 2};
        shuffle(&dice, numbers, 3);
        seen[numbers[0]][numbers[1]]++;
    }
    for (int first = 0; first < 3; first++)
        for (int second = 0; second < 3; second++)
            ck_assert_msg(first == second || abs(seen[first][second] - SHUFFLES / ORDERS) < 250,
                          "%d, %d first: %d of %d", first, second, seen[first][second], SHUFFLES);
}
END_TEST

/* ---- crossovers */

enum { SIZES = 4 };
static const double sizes[SIZES] = {1, 10, 100, 1000};

/* Times whose quartiles lie so far from the median, as a part of it. */
static struct crossover cross(const double base[SIZES], const double rival[SIZES], double quartiles) {
    struct spread spreads[2][SIZES];
    for (size_t i = 0; i < SIZES; i++) {
        spreads[0][i] =
            (struct spread){.median = base[i], .q1 = base[i] * (1 - quartiles), .q3 = base[i] * (1 + quartiles)};
        spreads[1][i] =
            (struct spread){.median = rival[i], .q1 = rival[i] * (1 - quartiles), .q3 = rival[i] * (1 + quartiles)};
    }
    return crossover_of(sizes, spreads[0], spreads[1], SIZES);
}

START_TEST(curves_cross_where_the_lines_between_the_points_do) {
    static const double BASE[] = {1, 10, 100, 1000}, TWICE[] = {0.5, 20, 100, 500};
    double flat = sqrt(1000), even[] = {flat, flat, flat, flat};
    struct crossover crossover = cross(BASE, even, 0.01);
    require(crossover.found && near(crossover.size, flat) && near(crossover.ns, flat));
    crossover = cross(BASE, TWICE, 0.01); /* ahead, behind, level, ahead for good: from where they are level */
    require(crossover.found && near(crossover.size, 100) && near(crossover.ns, 100));
}
END_TEST

START_TEST(curves_that_only_touch_do_not_cross) {
    static const double BASE[] = {1, 10, 100, 1000}, SLOWER[] = {2, 20, 200, 2000}, FASTER[] = {0.5, 5, 50, 500},
                        CLOSE[] = {2, 20, 110, 960}, BELOW[] = {2, 20, 110, 900}, BACK[] = {2, 5, 50, 1100};
    require(!cross(BASE, SLOWER, 0.01).found);
    require(!cross(BASE, FASTER, 0.01).found); /* ahead from the start */
    require(!cross(BASE, BASE, 0.01).found);
    require(!cross(BASE, CLOSE, 0.01).found); /* by less than a twentieth */
    require(cross(BASE, BELOW, 0.01).found);
    require(!cross(BASE, BELOW, 0.1).found); /* quartiles that overlap */
    require(!cross(BASE, BACK, 0.01).found); /* ahead, but not for good */
    struct spread one = {.median = 2, .q1 = 2, .q3 = 2}, less = {.median = 1, .q1 = 1, .q3 = 1};
    require(!crossover_of(sizes, &one, &less, 1).found && !crossover_of(sizes, NULL, NULL, 0).found);
}
END_TEST

SUITE("bench_statistics", quantile_lies_between_neighbours_as_in_type_7, median_sorts_and_takes_the_middle,
      spread_is_all_of_it_for_few_samples, spread_of_20_has_the_6th_from_either_end, samples_grow_without_losing_any,
      median_interval_has_the_ranks_of_the_tables, median_interval_is_the_narrowest_of_95_percent,
      interval_holds_the_true_median_in_95_of_100_cases, settled_begins_at_8_samples_and_3_percent,
      dice_fall_evenly_and_below_their_bound, same_seed_gives_the_same_order, shuffle_keeps_each_number_once,
      every_order_of_three_is_as_likely, curves_cross_where_the_lines_between_the_points_do,
      curves_that_only_touch_do_not_cross)
