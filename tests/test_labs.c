/*
 * test_labs.c: every program of labs 1 to 9 prints what its header promises, as its Python twin does, and refuses
 * arguments that it does not know; the damage of lab 3 is real, and so is the time that lab 8 saves.
 */
#include <stdlib.h>
#include <string.h>

#include "atelier.h"
#include "labs.h"
#include "support.h"

#define COMPARISON                                                                                                     \
    "^multi: 20\nrunning time [0-9.]+\nthread: 20\nrunning time [0-9.]+\nnormal: 20\nrunning time [0-9.]+\n\n"         \
    " +work +multi +thread +normal .*\n( +[0-9]+( +[0-9.]+){3}\n){4}multi is .*\nthread is .*\n$"

static const struct lab_program PROGRAMS[] = {
    {"01-threads/active_count", ORDERED, "", "^1\n$"},
    {"01-threads/enumerate", ORDERED, "", "^\\[<_MainThread\\(MainThread, started [0-9]+\\)>\\]\n$"},
    {"01-threads/current_thread", ORDERED, "", "^<_MainThread\\(MainThread, started [0-9]+\\)>\n$"},
    {"01-threads/ten_threads", FREE_ORDER, "", "^(thread [0-9] running\\.\\.\\.\\.\n){10}$"},
    {"01-threads/thread_parameters", ORDERED, "",
     "^Thread-1 \\(paint\\), daemon False: 10 .*\nArtist A, daemon False: 20 .*\nThread-2 \\(paint\\), daemon True: 30 "
     ".*\n"},
    {"02-join/without_join", ORDERED, "",
     "^Artist A starts painting [0-9:]{8}\nArtist B ends painting [0-9:]{8}\n"
     "Artist A ends painting: [0-9:]{8}\nArtist B starts painting [0-9:]{8}\n$"},
    {"02-join/with_join", ORDERED, "",
     "^Artist A starts painting [0-9:]{8}\nArtist A ends painting: [0-9:]{8}\n"
     "Artist B starts painting [0-9:]{8}\nArtist B ends painting [0-9:]{8}\n$"},
    {"02-join/join_timeout", ORDERED, "",
     "^Artist A starts painting [0-9:]{8}\njoin\\(0.05\\) returns: timeout, is_alive True\n"
     "Artist A ends painting: [0-9:]{8}\njoin\\(\\) returns: ended, is_alive False\n$"},
    {"03-lock/without_lock", FREE_ORDER, "1000",
     "^(Number of paints used by artist [AB] [0-9]+\n){20}expected 60020, counted [0-9]+, lost [0-9]+\n$"},
    {"03-lock/with_lock", FREE_ORDER, "1000",
     "^(Number of paints used by artist [AB] [0-9]+\n){20}expected 60020, counted 60020, lost 0\n$"},
    {"04-process/process", FREE_ORDER, "",
     "^(process [01] running\\.\\.\\.\\.\n){2}Process-1 ended with exit code 0\nProcess-2 ended with exit code 0\n$"},
    {"04-process/plain_variable", ORDERED, "", "^child: plain 10, shared 10\nparent: plain 0, shared 10\n$"},
    {"04-process/process_lock", FREE_ORDER, "1000",
     "^(Number of paints used by artist [AB] [0-9]+\n){20}expected 2020, counted 2020, lost 0\n$"},
    {"05-queue/queue", ORDERED, "", "^multi: 20\n$"},
    {"05-queue/join_before_drain", ORDERED, "",
     "^join\\(1\\) before get\\(\\) returns: ended, is_alive False\nget\\(\\) returns: 1048576 bytes\n"
     "join\\(\\) after get\\(\\) returns: ended, is_alive False\n$"},
    {"06-pool-map/pool_map", FREE_ORDER, "", "^(function\\([0-7]\\) done\n){8}\\[0, 0, 1, 3, 6, 10, 15, 21\\]\n$"},
    {"07-pool-apply/pool_apply", ORDERED, "",
     "^Artist starts painting \nNumber of paints used by artist 0\nNumber of paints used by artist 1\n"
     "Number of paints used by artist 2\nArtist ends painting [0-9.]+\n$"},
    {"08-pool-apply-async/pool_apply_async", FREE_ORDER, "",
     "^Artist starts painting \n((Number of paints used by artist [0-2]|Artist ends painting 0\\.[0-9]+)\n){4}$"},
    {"08-pool-apply-async/worker_dies", ORDERED, "",
     "^artist 0: 10 paints\nartist 1: 10 paints\nartist 2: .*signal 9.*\nartist 3: 10 paints\nartist 4: 10 paints\n"
     "artist 5: 10 paints\nthe pool goes on: artist 6: 10 paints\n$"},
    {"09-comparison/comparison", ORDERED, "40", COMPARISON},
};
static const int PROGRAM_COUNT = sizeof PROGRAMS / sizeof *PROGRAMS;

static const struct lab_twin OTHER_TWINS[] = {
    {"05-queue/join_before_drain",
     "^join\\(1\\) before get\\(\\) returns: timeout, is_alive True\nget\\(\\) returns: 1048576 bytes\n"
     "join\\(\\) after get\\(\\) returns: ended, is_alive False\n$"},
    {"08-pool-apply-async/worker_dies",
     "^artist 0: 10 paints\nartist 1: 10 paints\nartist 2: no result; .*\nartist 3: 10 paints\nartist 4: 10 paints\n"
     "artist 5: 10 paints\nthe pool goes on: artist 6: 10 paints\n$"},
    {"09-comparison/comparison", COMPARISON},
    {NULL, NULL},
};

/* ---- lab 3's damage */

START_TEST(race_loses_strokes_in_95_of_100_runs) {
    if (usable_cores() < 2)
        skip("one usable core: two threads never truly run at once");
    if (UNDER_TSAN || UNDER_ASAN)
        skip("a sanitizer slows the race down; the plain build shows it");
    int lost = 0;
    for (int i = 0; i < 100; i++) {
        char output[4096];
        ck_assert_int_eq(run_line(output, sizeof output, "%s/labs/03-lock/without_lock", build()), 0);
        const char *count = strstr(output, "lost ");
        ck_assert_ptr_nonnull(count);
        lost += atol(count + strlen("lost ")) > 0;
    }
    ck_assert_int_ge(lost, 95);
}
END_TEST

START_TEST(one_core_is_told_that_it_may_see_no_damage) {
    char output[4096];
    int status = run_line(output, sizeof output, "%s taskset -c %d %s/labs/03-lock/without_lock 1000",
                          environment(&PROGRAMS[8]), first_usable_core(), build());
    ck_assert_int_eq(status, 0);
    ck_assert_ptr_nonnull(strstr(output, "one usable core"));
}
END_TEST

START_TEST(thread_sanitizer_names_the_line) {
    if (!UNDER_TSAN)
        skip("make test SAN=thread shows it");
    char output[16384];
    int status = run_line(output, sizeof output, "TSAN_OPTIONS=exitcode=0 %s/labs/03-lock/without_lock 1000", build());
    ck_assert_int_eq(status, 0);
    ck_assert_ptr_nonnull(strstr(output, "WARNING: ThreadSanitizer: data race"));
    ck_assert_msg(matches(output, "paint .*labs/03-lock/without_lock\\.c:[0-9]+"), "%s", output);
}
END_TEST

/* ---- lab 8's time */

START_TEST(apply_async_does_not_wait) {
    char output[4096];
    double start = at_now();
    int status = run_line(output, sizeof output, "AT_SPEED=1 %s/labs/08-pool-apply-async/pool_apply_async", build());
    double seconds = at_now() - start;
    ck_assert_int_eq(status, 0);
    ck_assert_msg(matches(output, "Artist ends painting 0\\."), "%s", output);
    ck_assert_double_ge(seconds, 1);
    ck_assert_double_lt(seconds, 2.9); /* three tasks of a second each */
}
END_TEST

/* ---- what make says */

START_TEST(unknown_lab_or_program_lists_what_there_is) {
    char output[4096];
    ck_assert_int_ne(run_line(output, sizeof output, "MAKEFLAGS= make -s lab99"), 0);
    ck_assert_msg(matches(output, "there is no lab 99; the labs are:\n +lab1 .*\n +lab2 .*\n.* +lab9 "), "%s", output);
    ck_assert_int_ne(run_line(output, sizeof output, "MAKEFLAGS= make -s lab3-nonsense"), 0);
    ck_assert_msg(matches(output, "lab 3 has no program nonsense; .*\n.*with_lock"), "%s", output);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("labs");
    TCase *cases = tcase_create("labs");
    tcase_set_timeout(cases, 120);
    add_program_tests(cases, PROGRAMS, PROGRAM_COUNT, OTHER_TWINS);
    tcase_add_test(cases, race_loses_strokes_in_95_of_100_runs);
    tcase_add_test(cases, one_core_is_told_that_it_may_see_no_damage);
    tcase_add_test(cases, thread_sanitizer_names_the_line);
    tcase_add_test(cases, apply_async_does_not_wait);
    tcase_add_test(cases, unknown_lab_or_program_lists_what_there_is);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
