/*
 * test_labs.c: every lab's program prints what its header promises, as its Python twin does, and refuses arguments that
 * it does not know; the damage of lab 3 is real, and so is the time that lab 8 saves.
 */
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "atelier.h"
#include "children.h"
#include "support.h"

static char command[600];

static void exec_command(void) {
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

/* Runs a shell command in the repository's root; its output, stderr included, and its status come back. */
static int run(char *output, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int run(char *output, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    return run_program(exec_command, output, size);
}

static const char *build(void) {
    const char *folder = getenv("BUILD");
    return folder != NULL ? folder : "build";
}

#define COMPARISON                                                                                                     \
    "^multi: 20\nrunning time [0-9.]+\nthread: 20\nrunning time [0-9.]+\nnormal: 20\nrunning time [0-9.]+\n\n"         \
    " +work +multi +thread +normal .*\n( +[0-9]+( +[0-9.]+){3}\n){4}multi is .*\nthread is .*\n$"

/* What each program prints, as one extended regular expression; ORDERED: the lines come in this order every time. */
static const struct lab_program {
    const char *name;
    enum { ORDERED, FREE_ORDER } order;
    const char *arguments; /* for the test: less work than by default */
    const char *output;
} PROGRAMS[] = {
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

/* What twins print that do not print the same: other numbers, or what Python does otherwise. */
static const struct lab_twin {
    const char *name, *output;
} OTHER_TWINS[] = {
    {"05-queue/join_before_drain",
     "^join\\(1\\) before get\\(\\) returns: timeout, is_alive True\nget\\(\\) returns: 1048576 bytes\n"
     "join\\(\\) after get\\(\\) returns: ended, is_alive False\n$"},
    {"08-pool-apply-async/worker_dies",
     "^artist 0: 10 paints\nartist 1: 10 paints\nartist 2: no result; .*\nartist 3: 10 paints\nartist 4: 10 paints\n"
     "artist 5: 10 paints\nthe pool goes on: artist 6: 10 paints\n$"},
    {"09-comparison/comparison", COMPARISON},
};

static bool matches(const char *text, const char *pattern) {
    regex_t expression;
    ck_assert_int_eq(regcomp(&expression, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool result = regexec(&expression, text, 0, NULL, 0) == 0;
    regfree(&expression);
    return result;
}

/* A race is what without_lock is there to show: ThreadSanitizer is to see it, and the test to go on. */
static const char *environment(const struct lab_program *program) {
    return strstr(program->name, "without_lock") != NULL ? "TSAN_OPTIONS=exitcode=0:log_path=/dev/null" : "";
}

START_TEST(program_prints_what_its_header_promises) {
    const struct lab_program *program = &PROGRAMS[_i];
    char output[8192];
    int status = run(output, sizeof output, "%s %s/labs/%s %s", environment(program), build(), program->name,
                     program->arguments);
    ck_assert_msg(matches(output, program->output), "%s printed:\n%s", program->name, output);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(program_refuses_arguments_that_it_does_not_know) {
    const struct lab_program *program = &PROGRAMS[_i];
    const char *base = strrchr(program->name, '/') + 1;
    char output[2000], expected[200];
    ck_assert_int_eq(run(output, sizeof output, "%s/labs/%s --nonsense", build(), program->name), 2);
    snprintf(expected, sizeof expected, "^%s: .*'--nonsense'.*; usage: %s", base, base);
    ck_assert_msg(matches(output, expected), "%s", output);
    ck_assert_int_eq(run(output, sizeof output, "%s/labs/%s 5 6", build(), program->name), 2);
    ck_assert_int_eq(run(output, sizeof output, "%s/labs/%s --help", build(), program->name), 0);
    snprintf(expected, sizeof expected, "^usage: %s", base);
    ck_assert_msg(matches(output, expected), "%s", output);
}
END_TEST

START_TEST(program_is_short_and_says_what_it_shows) {
    const struct lab_program *program = &PROGRAMS[_i];
    char output[200];
    int status = run(output, sizeof output,
                     "awk '/^ \\* Python:  /{p=1} /^ \\* Expect:  /{e=1} /^ \\* Try:     /{t=1}"
                     " END {if (NR > 60 || !p || !e || !t) print NR \" lines\" }' labs/%s.c",
                     program->name);
    ck_assert_msg(status == 0 && output[0] == '\0',
                  "%s: %s; the limit is 60, with Python:, Expect: and Try: in its header", program->name, output);
}
END_TEST

/* ---- the twins */

/*
 * Hides what differs between any two runs: times of day, seconds, idents; in a free order, who came when; and what a
 * race has lost.
 */
static int run_masked(char *output, size_t size, const struct lab_program *program, const char *interpreter,
                      const char *path) {
    return run(output, size,
               "%s %s %s %s | sed -E 's/[0-9]{2}:[0-9]{2}:[0-9]{2}/HH:MM:SS/; s/started [0-9]+/started IDENT/;"
               " s/painting [0-9.]+$/painting SECONDS/; %s' %s",
               environment(program), interpreter, path, program->arguments,
               strstr(program->name, "without_lock") != NULL ? "s/counted.*/counted, lost/; s/(artist [AB]) .*/\\1/"
                                                             : "s/(artist) [AB]/\\1/",
               program->order == FREE_ORDER ? "| sort" : "");
}

START_TEST(twin_prints_the_same_or_what_python_does_otherwise) {
    const struct lab_program *program = &PROGRAMS[_i];
    char ours[8192], pythons[8192], path[200];
    if (run(ours, sizeof ours, "python3 --version") != 0)
        skip("python3 is not here");
    for (size_t i = 0; i < sizeof OTHER_TWINS / sizeof *OTHER_TWINS; i++) {
        if (strcmp(OTHER_TWINS[i].name, program->name) == 0) {
            int status = run(pythons, sizeof pythons, "python3 labs/%s.py %s", program->name, program->arguments);
            ck_assert_msg(matches(pythons, OTHER_TWINS[i].output), "%s.py printed:\n%s", program->name, pythons);
            ck_assert_int_eq(status, 0);
            return;
        }
    }
    snprintf(path, sizeof path, "%s/labs/%s", build(), program->name);
    run_masked(ours, sizeof ours, program, "", path);
    snprintf(path, sizeof path, "labs/%s.py", program->name);
    run_masked(pythons, sizeof pythons, program, "python3", path);
    ck_assert_str_ne(ours, "");
    ck_assert_str_eq(ours, pythons);
}
END_TEST

/* ---- lab 3's damage */

START_TEST(race_loses_strokes_in_95_of_100_runs) {
    if (usable_cores() < 2)
        skip("one usable core: two threads never truly run at once");
    if (UNDER_TSAN || UNDER_ASAN)
        skip("a sanitizer slows the race down; the plain build shows it");
    int lost = 0;
    for (int i = 0; i < 100; i++) {
        char output[4096];
        ck_assert_int_eq(run(output, sizeof output, "%s/labs/03-lock/without_lock", build()), 0);
        const char *count = strstr(output, "lost ");
        ck_assert_ptr_nonnull(count);
        lost += atol(count + strlen("lost ")) > 0;
    }
    ck_assert_int_ge(lost, 95);
}
END_TEST

START_TEST(one_core_is_told_that_it_may_see_no_damage) {
    char output[4096];
    int status = run(output, sizeof output, "%s taskset -c %d %s/labs/03-lock/without_lock 1000",
                     environment(&PROGRAMS[8]), first_usable_core(), build());
    ck_assert_int_eq(status, 0);
    ck_assert_ptr_nonnull(strstr(output, "one usable core"));
}
END_TEST

START_TEST(thread_sanitizer_names_the_line) {
    if (!UNDER_TSAN)
        skip("make test SAN=thread shows it");
    char output[16384];
    int status = run(output, sizeof output, "TSAN_OPTIONS=exitcode=0 %s/labs/03-lock/without_lock 1000", build());
    ck_assert_int_eq(status, 0);
    ck_assert_ptr_nonnull(strstr(output, "WARNING: ThreadSanitizer: data race"));
    ck_assert_msg(matches(output, "paint .*labs/03-lock/without_lock\\.c:[0-9]+"), "%s", output);
}
END_TEST

/* ---- lab 8's time */

START_TEST(apply_async_does_not_wait) {
    char output[4096];
    double start = at_now();
    int status = run(output, sizeof output, "AT_SPEED=1 %s/labs/08-pool-apply-async/pool_apply_async", build());
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
    ck_assert_int_ne(run(output, sizeof output, "MAKEFLAGS= make -s lab99"), 0);
    ck_assert_msg(matches(output, "there is no lab 99; the labs are:\n +lab1 .*\n +lab2 .*\n.* +lab9 "), "%s", output);
    ck_assert_int_ne(run(output, sizeof output, "MAKEFLAGS= make -s lab3-nonsense"), 0);
    ck_assert_msg(matches(output, "lab 3 has no program nonsense; .*\n.*with_lock"), "%s", output);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("labs");
    TCase *cases = tcase_create("labs");
    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, program_prints_what_its_header_promises, 0, PROGRAM_COUNT);
    tcase_add_loop_test(cases, program_refuses_arguments_that_it_does_not_know, 0, PROGRAM_COUNT);
    tcase_add_loop_test(cases, program_is_short_and_says_what_it_shows, 0, PROGRAM_COUNT);
    tcase_add_loop_test(cases, twin_prints_the_same_or_what_python_does_otherwise, 0, PROGRAM_COUNT);
    tcase_add_test(cases, race_loses_strokes_in_95_of_100_runs);
    tcase_add_test(cases, one_core_is_told_that_it_may_see_no_damage);
    tcase_add_test(cases, thread_sanitizer_names_the_line);
    tcase_add_test(cases, apply_async_does_not_wait);
    tcase_add_test(cases, unknown_lab_or_program_lists_what_there_is);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
