/* test_bench_tables.c: what the tables and the files make of the numbers: times, counts, reaches, speedups. */
#include <math.h>

#include "comparison.h"
#include "console.h"
#include "scaling.h"
#include "bench_folder.h"
#include "watch.h"

#define COUNT_OF(list) (sizeof(list) / sizeof *(list))

/* ---- numbers for people */

START_TEST(times_have_three_digits_and_a_unit) {
    static const struct {
        double ns;
        const char *text;
    } CASES[] = {{0, "0.00 ns"},     {9.994, "9.99 ns"},  {9.996, "10.0 ns"}, {84, "84.0 ns"},     {99.94, "99.9 ns"},
                 {99.96, "100 ns"},  {999.4, "999 ns"},   {999.5, "1.00 us"}, {1000, "1.00 us"},   {12345, "12.3 us"},
                 {999499, "999 us"}, {999500, "1.00 ms"}, {1.2e9, "1.20 s"},  {999.6e6, "1.00 s"}, {1e12, "1000 s"}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        ck_assert_str_eq(human_time(CASES[i].ns), CASES[i].text);
}
END_TEST

START_TEST(counts_are_said_as_one_says_them) {
    static const struct {
        double count;
        const char *text;
    } CASES[] = {{0, "0"},
                 {5, "5"},
                 {99, "99"},
                 {99.6, "100"},
                 {104, "100"},
                 {106, "110"},
                 {994, "990"},
                 {996, "1 000"},
                 {12345, "12 000"},
                 {100000, "100 000"},
                 {994999, "990 000"},
                 {999999, "1 million"},
                 {1.3e6, "1.3 million"},
                 {25e6, "25 million"},
                 {2.5e9, "2.5 billion"}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        ck_assert_str_eq(human_count(CASES[i].count), CASES[i].text);
}
END_TEST

/* ---- reaches */

/* Samples that are all alike, but for the first quarter. */
static struct samples alike(double value, double first_quarter) {
    struct samples samples = {0};
    for (int i = 0; i < 20; i++)
        samples_add(&samples, i < 6 ? first_quarter : value);
    return samples;
}

/* What is said of a comparison in which ours takes so many ns, and is so many times the floor, and the peer ours. */
static void expect_verdict(enum reach_kind kind, double wanted, double found, double best, const char *text) {
    struct comparison comparison = {.name = "made", .title = "made"};
    struct reach reach = {.kind = kind, .value = wanted, .peer = PYTHON};
    char verdict[TEXT_SIZE];
    enum { SLOTS = 3 };
    struct samples *const slots[SLOTS] = {&comparison.ns[OURS], &comparison.ratios[FLOOR], &comparison.ratios[PYTHON]};
    for (size_t i = 0; i < SLOTS && found > 0; i++)
        *slots[i] = alike(found, best);
    reach_verdict(&comparison, &reach, verdict);
    for (size_t i = 0; i < SLOTS; i++)
        samples_free(slots[i]);
    ck_assert_msg(strcmp(verdict, text) == 0, "kind %d, %g wanted, %g found: %s, not %s", kind, wanted, found, verdict,
                  text);
}

START_TEST(reach_is_reached_at_its_edge) {
    expect_verdict(MOST_TO_FLOOR, 1.25, 1.25, 1.25, "reached");
    expect_verdict(MOST_TO_FLOOR, 1.25, 1.0, 1.0, "reached");
    expect_verdict(LEAST_TO_PEER, 70, 70, 70, "reached");
    expect_verdict(LEAST_TO_PEER, 70, 80, 80, "reached");
    expect_verdict(LEAST_PART, 0.5, 2, 2, "reached");
    expect_verdict(MOST_MEDIAN_NS, 1000, 1000, 1000, "reached");
    expect_verdict(MOST_P99_NS, 1000, 1000, 1000, "reached");
    expect_verdict(LEAST_PER_SECOND, 1e6, 1000, 1000, "reached");
}
END_TEST

START_TEST(missed_reach_says_by_how_much) {
    expect_verdict(MOST_TO_FLOOR, 1, 1.2, 1.2, "missed by 20%");
    expect_verdict(MOST_TO_FLOOR, 1, 1.005, 1.005, "missed by 0.5%");
    expect_verdict(MOST_TO_FLOOR, 1, 6, 6, "missed: 6.0 times as much");
    expect_verdict(LEAST_TO_PEER, 100, 75, 75, "missed by 25%");
    expect_verdict(LEAST_PART, 0.8, 2, 2, "missed by 38%");
    expect_verdict(MOST_MEDIAN_NS, 1000, 1300, 1300, "missed by 30%");
    expect_verdict(MOST_P99_NS, 1000, 1300, 900, "missed by 30%");
    expect_verdict(LEAST_PER_SECOND, 1e6, 2000, 2000, "missed by 50%");
}
END_TEST

START_TEST(quarter_of_the_rounds_that_reached_it_is_said) {
    expect_verdict(MOST_TO_FLOOR, 1, 1.2, 0.9, "missed by 20% (within the spread)");
    expect_verdict(LEAST_TO_PEER, 100, 75, 110, "missed by 25% (within the spread)");
    expect_verdict(LEAST_PART, 0.8, 2, 1, "missed by 38% (within the spread)");
    expect_verdict(MOST_MEDIAN_NS, 1000, 1300, 900, "missed by 30% (within the spread)");
}
END_TEST

START_TEST(what_was_not_measured_is_not_judged) {
    static const enum reach_kind KINDS[] = {NO_REACH,       MOST_TO_FLOOR, LEAST_TO_PEER,   LEAST_PART,
                                            MOST_MEDIAN_NS, MOST_P99_NS,   LEAST_PER_SECOND};
    for (size_t i = 0; i < COUNT_OF(KINDS); i++)
        expect_verdict(KINDS[i], 1, 0, 0, "-");
    expect_verdict(NO_REACH, 0, 5, 5, "-");
}
END_TEST

START_TEST(floor_that_misses_it_too_is_said) {
    struct comparison comparison = {.ns = {[OURS] = alike(1300, 1300), [FLOOR] = alike(1200, 1200)}};
    struct reach reach = {.kind = MOST_P99_NS, .value = 1000};
    char verdict[TEXT_SIZE];
    reach_verdict(&comparison, &reach, verdict);
    ck_assert_str_eq(verdict, "missed by 30% (the floor too)");
    samples_free(&comparison.ns[OURS]);
    samples_free(&comparison.ns[FLOOR]);
}
END_TEST

START_TEST(reaches_are_said_in_words) {
    static const struct {
        struct reach reach;
        const char *text;
    } CASES[] = {{REACH(NO_REACH, 0), "-"},
                 {REACH(MOST_TO_FLOOR, 1.15), "<= 1.15x"},
                 {REACH_TO(PYTHON, 70), ">= 70x Python"},
                 {REACH(LEAST_PART, 0.95), ">= 0.95 of floor"},
                 {REACH(MOST_MEDIAN_NS, 1500), "p50 <= 1.50 us"},
                 {REACH(MOST_P99_NS, 2e6), "p99 <= 2.00 ms"},
                 {REACH(LEAST_PER_SECOND, 1e6), ">= 1 million/s"}};
    char text[TEXT_SIZE];
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        reach_text(&CASES[i].reach, text);
        ck_assert_str_eq(text, CASES[i].text);
    }
}
END_TEST

/* ---- speedups */

enum { CELLS = 6 };

/* Writes a plan of made times: serial 100 us, or nothing; then so many workers' times. */
static void write_plan(double serial) {
    struct workload made = {.name = "made", .title = "made", .unit = "calls", .units = 10, .tasks = 10};
    struct workload *const all[] = {&made};
    struct runners runners = {.list = {{.name = "serial", .title = "serial", .role = "ours"},
                                       {.name = "threads", .title = "threads", .role = "ours"}},
                              .count = 2};
    static const size_t WORKERS[CELLS] = {1, 1, 2, 2, 4, 4};
    const double times[CELLS] = {serial, 125000, 60000, 40000, 25000, 100000};
    struct cell cells[CELLS] = {{0}};
    struct place places[CELLS] = {{0}};
    struct options options = {.output = in_folder("made")};
    for (size_t i = 0; i < CELLS; i++) {
        places[i] = (struct place){.workload = &made, .runner = &runners.list[i > 0], .workers = WORKERS[i]};
        cells[i].ns = times[i] > 0 ? alike(times[i], times[i]) : (struct samples){0};
    }
    struct plan plan = {.cells = cells, .places = places, .count = CELLS};
    scaling_write(&plan, (struct workload_list){all, 1}, &runners, &options, 1);
    for (size_t i = 0; i < CELLS; i++)
        samples_free(&cells[i].ns);
}

/* The columns mode, workers, speedup, efficiency and serial_fraction. */
static void expect_speedups(const char *wanted) {
    char output[1000];
    ck_assert_int_eq(run_line(output, sizeof output, "cut -d, -f 2,4,15-17 %s-scaling.csv", in_folder("made")), 0);
    ck_assert_str_eq(output, wanted);
}

/* Karp and Flatt: (1/speedup - 1/workers) / (1 - 1/workers); of 2 workers and 1.667 it is (0.6 - 0.5) / 0.5. */
START_TEST(speedup_and_serial_fraction_are_as_by_hand) {
    write_plan(100000);
    expect_speedups("mode,workers,speedup,efficiency,serial_fraction\nserial,1,1,1,\nthreads,1,0.8,0.8,\n"
                    "threads,2,1.667,0.8333,0.2\nthreads,2,2.5,1.25,-0.2\nthreads,4,4,1,0\nthreads,4,1,0.25,1\n");
}
END_TEST

START_TEST(without_serial_there_is_no_speedup) {
    write_plan(0);
    char output[1000];
    run_line(output, sizeof output, "cut -d, -f 2,4,15-17 %s-scaling.csv", in_folder("made"));
    ck_assert_msg(matches(output, "serial_fraction\n(threads,[124],0?,0?,\n){5}$"), "%s", output);
}
END_TEST

SUITE_WITH("bench_tables", make_folder, remove_folder, times_have_three_digits_and_a_unit,
           counts_are_said_as_one_says_them, reach_is_reached_at_its_edge, missed_reach_says_by_how_much,
           quarter_of_the_rounds_that_reached_it_is_said, what_was_not_measured_is_not_judged,
           floor_that_misses_it_too_is_said, reaches_are_said_in_words, speedup_and_serial_fraction_are_as_by_hand,
           without_serial_there_is_no_speedup)
