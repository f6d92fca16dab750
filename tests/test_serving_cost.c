/* test_serving_cost.c: what is learnt of a device's time: exact, from noise, from one size, through a wild one. */
#include <math.h>

#include "batching.h"
#include "watch.h"

/* Batches of `low` to `high` rows that take alpha + beta * rows, more or less by this fraction. */
static void learn(struct cost *cost, int batches, uint32_t low, uint32_t high, double alpha, double beta,
                  double noise) {
    static uint32_t random = 1;
    for (int i = 0; i < batches; i++) {
        random = random * 1664525 + 1013904223;
        uint32_t rows = low + (random >> 8) % (high - low + 1);
        random = random * 1664525 + 1013904223;
        double factor = 1 + noise * (2 * (double)(random >> 8) / (1 << 24) - 1);
        cost_learn(cost, rows, (uint64_t)lround((alpha + beta * rows) * factor));
    }
}

static void require_cost(const struct cost *cost, double alpha, double beta, double tolerance) {
    ck_assert_double_eq_tol(cost->alpha, alpha, tolerance * (alpha + beta));
    ck_assert_double_eq_tol(cost->beta, beta, tolerance * (alpha + beta) / 10);
}

START_TEST(alpha_and_beta_are_learnt) {
    static const double PAIRS[][2] = {{170000, 19300}, {2000000, 30000}, {0, 12000}, {50000, 0}};
    for (size_t i = 0; i < sizeof PAIRS / sizeof *PAIRS; i++) {
        struct cost exact = {0}, noisy = {0};
        learn(&exact, 100, 1, 64, PAIRS[i][0], PAIRS[i][1], 0);
        require_cost(&exact, PAIRS[i][0], PAIRS[i][1], 0.001);
        learn(&noisy, 2000, 1, 64, PAIRS[i][0], PAIRS[i][1], 0.1);
        for (uint32_t rows = 1; rows <= 64; rows *= 4) {
            double expected = PAIRS[i][0] + PAIRS[i][1] * rows, predicted = (double)cost_predict(&noisy, rows);
            ck_assert_double_eq_tol(predicted, expected, 0.05 * (PAIRS[i][0] + PAIRS[i][1] * 32));
        }
    }
}
END_TEST

START_TEST(one_size_is_learnt_without_nonsense_elsewhere) {
    struct cost cost = {0};
    ck_assert_uint_eq(cost_predict(&cost, 5), 0);
    cost_learn(&cost, 0, 1000);
    ck_assert_uint_eq(cost_predict(&cost, 5), 0);
    for (int i = 0; i < 1000; i++) {
        cost_learn(&cost, 8, 4000);
        ck_assert_uint_ge(cost_predict(&cost, 8), 3999);
        ck_assert_uint_le(cost_predict(&cost, 8), 4000);
        ck_assert_double_ge(cost.alpha, 0);
        ck_assert_double_ge(cost.beta, 0);
        ck_assert_uint_ge(cost_predict(&cost, 64), 4000);
        ck_assert_uint_le(cost_predict(&cost, 1), 4000);
    }
    learn(&cost, 1000, 8, 8, 200, 10, 0); /* faster than its rows were thought to be */
    ck_assert_double_ge(cost.alpha, 0);
    ck_assert_uint_le(cost_predict(&cost, 8), 281);
    learn(&cost, 1000, 1, 3, 0, 0, 0);
    ck_assert_uint_le(cost_predict(&cost, 3), 1);
}
END_TEST

START_TEST(a_bound_is_as_far_off_as_predictions_are) {
    static const double NOISES[] = {0, 0.05, 0.2};
    for (size_t i = 0; i < sizeof NOISES / sizeof *NOISES; i++) {
        struct cost cost = {0};
        ck_assert_uint_eq(cost_bound(&cost, 5), 0);
        learn(&cost, 3000, 1, 63, 200000, 25000, NOISES[i]); /* 1 ms on average, and half the noise off it */
        double margin = (double)(cost_bound(&cost, 7) - cost_predict(&cost, 7));
        ck_assert_double_eq_tol(margin, 3 * NOISES[i] / 2 * 1e6, 0.25 * 3 * NOISES[i] / 2 * 1e6 + 1);
    }
}
END_TEST

/* Larger batches that are faster, or slower than in proportion: no line that is allowed fits, and none is made up. */
START_TEST(neither_alpha_nor_beta_gets_negative) {
    static const uint64_t TIMES[][2] = {{10000, 1000}, {100, 100000}, {0, 7}, {7, 0}};
    for (size_t i = 0; i < sizeof TIMES / sizeof *TIMES; i++) {
        struct cost cost = {0};
        for (int j = 0; j < 200; j++) {
            cost_learn(&cost, 1 + 31 * (uint32_t)(j % 2), TIMES[i][j % 2]);
            ck_assert_double_ge(cost.alpha, 0);
            ck_assert_double_ge(cost.beta, 0);
        }
    }
    ck_assert_uint_eq(cost_predict(&(const struct cost){.alpha = 1e300, .beta = 1e300}, 1), 9000000000000000000);
}
END_TEST

START_TEST(one_wild_batch_is_forgiven_and_a_slow_device_believed) {
    struct cost cost = {0};
    learn(&cost, 200, 1, 32, 50000, 1000, 0.02);
    cost_learn(&cost, 10, 60000ULL * 1000000);
    cost_learn(&cost, 10, UINT64_MAX);
    for (uint32_t rows = 1; rows <= 32; rows++) {
        double expected = 50000 + 1000.0 * rows;
        ck_assert_double_eq_tol((double)cost_predict(&cost, rows), expected, 0.15 * expected);
    }
    learn(&cost, 400, 1, 32, 500000, 10000, 0.02);
    for (uint32_t rows = 1; rows <= 32; rows++) {
        double expected = 500000 + 10000.0 * rows;
        ck_assert_double_eq_tol((double)cost_predict(&cost, rows), expected, 0.1 * expected);
    }
    learn(&cost, 1000, 1, 32, 500, 10, 0);
    ck_assert_double_eq_tol((double)cost_predict(&cost, 10), 600, 60);
}
END_TEST

SUITE("serving_cost", alpha_and_beta_are_learnt, a_bound_is_as_far_off_as_predictions_are,
      one_size_is_learnt_without_nonsense_elsewhere, neither_alpha_nor_beta_gets_negative,
      one_wild_batch_is_forgiven_and_a_slow_device_believed)
