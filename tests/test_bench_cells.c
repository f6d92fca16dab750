/* test_bench_cells.c: the benchmarks' cells_measure measures everybody fairly, and ends when it should. */
#include "cells.h"
#include "console.h"
#include "watch.h"

enum { CELLS = 8, CALLS_MOST = 8192 };

/* What a made cell answers to its calls. */
struct kind {
    size_t good;    /* so many samples, and then none */
    bool noisy;     /* now this, now that: never known well enough */
    long sleep_ns;  /* what a sample costs */
    int signal;     /* that arrives within... */
    size_t at_call; /* ...this call, the first is 1 */
};

static struct kind kinds[CELLS];
static struct cell cells[CELLS];
static size_t calls[CELLS], kept[CELLS], order[CALLS_MOST], all_calls;

static double take_made(struct cell *cell, void *context, bool keep) {
    size_t number = (size_t)(cell - cells);
    const struct kind *kind = cell->what;
    struct timespec work = {.tv_nsec = kind->sleep_ns};
    require(context == kinds && all_calls < CALLS_MOST);
    order[all_calls++] = number;
    calls[number]++;
    if (kind->signal != 0 && calls[number] == kind->at_call)
        raise(kind->signal);
    if (kind->sleep_ns > 0)
        nanosleep(&work, NULL);
    if (calls[number] > kind->good)
        return 0;
    kept[number] += keep;
    return kind->noisy && calls[number] % 2 == 0 ? 200 : 100;
}

static void measure_made(size_t count, uint64_t seed, double seconds) {
    struct dice dice = {seed};
    all_calls = 0;
    for (size_t i = 0; i < count; i++) {
        cells[i] = (struct cell){.what = &kinds[i]};
        calls[i] = kept[i] = 0;
    }
    cells_measure(cells, count, take_made, kinds, &dice, seconds, "made cells");
    for (size_t i = 0; i < count; i++)
        samples_free(&cells[i].ns); /* the count is gone with it: kept[] has it */
}

static void make_cells(struct kind kind) {
    for (size_t i = 0; i < CELLS; i++)
        kinds[i] = kind;
}

static const struct kind STEADY = {.good = CALLS_MOST}, NOISY = {.good = CALLS_MOST, .noisy = true};

START_TEST(every_cell_is_measured_until_it_is_settled) {
    make_cells(STEADY);
    kinds[3] = NOISY;
    measure_made(CELLS, 1, 1000);
    for (size_t i = 0; i < CELLS; i++) {
        /* One call more, to warm up. A cell that is settled is left in peace. */
        ck_assert_uint_eq(kept[i], i == 3 ? CELL_SAMPLES_MOST : SETTLED_SAMPLES);
        ck_assert_uint_eq(calls[i], kept[i] + 1);
        ck_assert(cells[i].settled && !cells[i].left_out);
    }
}
END_TEST

START_TEST(cell_that_cannot_be_measured_is_left_out) {
    make_cells(STEADY);
    kinds[0].good = 0; /* not even while it warms up */
    kinds[5].good = 3; /* and this one not any more after two that are kept */
    measure_made(CELLS, 1, 1000);
    for (size_t i = 0; i < CELLS; i++) {
        ck_assert_uint_eq(calls[i], i == 0 ? 1 : i == 5 ? 4 : SETTLED_SAMPLES + 1);
        ck_assert_uint_eq(kept[i], i == 0 ? 0 : i == 5 ? 2 : SETTLED_SAMPLES);
        ck_assert(cells[i].left_out == (i == 0 || i == 5));
        ck_assert(cells[i].settled == !cells[i].left_out);
    }
}
END_TEST

/* The passes in which all cells have their turn: after these, whoever was held up may sit out. */
enum { SURE_PASSES = 3, SURE_CALLS = CELLS * (1 + SURE_PASSES) };

START_TEST(order_is_new_in_each_pass_and_the_seed_gives_it_back) {
    size_t first[SURE_CALLS];
    make_cells(STEADY);
    measure_made(CELLS, 7, 1000);
    memcpy(first, order, sizeof first);
    for (size_t i = 0; i < CELLS; i++)
        ck_assert_uint_eq(first[i], i);
    for (size_t pass = 1; pass <= SURE_PASSES; pass++) {
        bool seen[CELLS] = {0};
        for (size_t i = 0; i < CELLS; i++)
            seen[first[pass * CELLS + i]] = true;
        for (size_t i = 0; i < CELLS; i++)
            ck_assert(seen[i]);
        for (size_t other = 0; other < pass; other++)
            ck_assert(memcmp(&first[pass * CELLS], &first[other * CELLS], CELLS * sizeof *first) != 0);
    }
    measure_made(CELLS, 7, 1000);
    ck_assert(memcmp(first, order, sizeof first) == 0);
    measure_made(CELLS, 8, 1000);
    ck_assert(memcmp(first, order, sizeof first) != 0);
}
END_TEST

START_TEST(interrupt_ends_it_at_once_and_keeps_what_there_is) {
    static const int SIGNALS[] = {SIGINT, SIGTERM};
    static const size_t AT[] = {1, 2, 5};
    make_cells(NOISY);
    catch_interrupts();
    kinds[4].signal = SIGNALS[_i % 2];
    kinds[4].at_call = AT[_i / 2];
    measure_made(CELLS, 1, 1000);
    ck_assert_uint_eq(order[all_calls - 1], 4); /* nobody's turn has come after that */
    ck_assert_uint_eq(calls[4], AT[_i / 2]);
    ck_assert(interrupted() && end_status() == 128 + SIGNALS[_i % 2]);
    for (size_t i = 0; i < CELLS; i++)
        ck_assert(!cells[i].left_out && !cells[i].settled);
}
END_TEST

/* What was measured within the interrupted moment is no sample, and what was measured before it is. */
START_TEST(interrupted_sample_is_not_kept) {
    struct dice dice = {1};
    make_cells(NOISY);
    catch_interrupts();
    kinds[0].signal = SIGINT;
    kinds[0].at_call = 6;
    cells[0] = (struct cell){.what = &kinds[0]};
    cells_measure(cells, 1, take_made, kinds, &dice, 1000, "one cell");
    ck_assert_uint_eq(cells[0].ns.count, 4);
    samples_free(&cells[0].ns);
}
END_TEST

/* What hangs and does not look whether it was interrupted ends all the same. */
START_TEST(second_interrupt_kills) {
    pid_t pid = fork();
    if (pid == 0) {
        catch_interrupts();
        raise(SIGINT);
        raise(interrupted() ? SIGINT : SIGKILL);
        _exit(0);
    }
    ck_assert_int_eq(end_of(pid), -SIGINT);
}
END_TEST

START_TEST(dear_cell_does_not_starve_the_cheap_ones) {
    make_cells(NOISY);
    kinds[2].sleep_ns = 50000000;
    measure_made(CELLS, 1, 1.5);
    for (size_t i = 0; i < CELLS; i++)
        ck_assert_msg(i == 2 ? kept[i] >= SURE_PASSES : kept[i] > kept[2], "%zu samples of cell %zu, %zu of the dear",
                      kept[i], i, kept[2]);
}
END_TEST

START_TEST(budget_of_nothing_is_one_sample_of_each) {
    make_cells(NOISY);
    measure_made(CELLS, 1, 0);
    for (size_t i = 0; i < CELLS; i++)
        ck_assert_uint_eq(kept[i], 1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("bench_cells");
    TCase *all = tcase_create("bench_cells");
    tcase_set_timeout(all, LIMIT);
    tcase_add_test(all, every_cell_is_measured_until_it_is_settled);
    tcase_add_test(all, cell_that_cannot_be_measured_is_left_out);
    tcase_add_test(all, order_is_new_in_each_pass_and_the_seed_gives_it_back);
    tcase_add_loop_test(all, interrupt_ends_it_at_once_and_keeps_what_there_is, 0, 6);
    tcase_add_test(all, interrupted_sample_is_not_kept);
    tcase_add_test(all, second_interrupt_kills);
    tcase_add_test(all, dear_cell_does_not_starve_the_cheap_ones);
    tcase_add_test(all, budget_of_nothing_is_one_sample_of_each);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
