/* labs.c: what the suites about the labs' programs share; see labs.h. */
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "children.h"
#include "labs.h"
#include "support.h"

static char command[600];

static void exec_command(void) {
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

int run_line(char *output, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    return run_program(exec_command, output, size);
}

const char *build(void) {
    const char *folder = getenv("BUILD");
    return folder != NULL ? folder : "build";
}

bool matches(const char *text, const char *pattern) {
    regex_t expression;
    ck_assert_int_eq(regcomp(&expression, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool result = regexec(&expression, text, 0, NULL, 0) == 0;
    regfree(&expression);
    return result;
}

/* A race is what without_lock is there to show: ThreadSanitizer is to see it, and the test to go on. */
const char *environment(const struct lab_program *program) {
    return strstr(program->name, "without_lock") != NULL ? "TSAN_OPTIONS=exitcode=0:log_path=/dev/null" : "";
}

/* ---- what is asked of every program */

static const struct lab_program *table;
static const struct lab_twin *other_twins;

START_TEST(program_prints_what_its_header_promises) {
    const struct lab_program *program = &table[_i];
    char output[8192];
    int status = run_line(output, sizeof output, "%s %s/labs/%s %s", environment(program), build(), program->name,
                          program->arguments);
    ck_assert_msg(matches(output, program->output), "%s printed:\n%s", program->name, output);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(program_refuses_arguments_that_it_does_not_know) {
    const struct lab_program *program = &table[_i];
    const char *base = strrchr(program->name, '/') + 1;
    char output[2000], expected[200];
    ck_assert_int_eq(run_line(output, sizeof output, "%s/labs/%s --nonsense", build(), program->name), 2);
    snprintf(expected, sizeof expected, "^%s: .*'--nonsense'.*; usage: %s", base, base);
    ck_assert_msg(matches(output, expected), "%s", output);
    ck_assert_int_eq(run_line(output, sizeof output, "%s/labs/%s 5 6 7", build(), program->name), 2);
    ck_assert_int_eq(run_line(output, sizeof output, "%s/labs/%s --help", build(), program->name), 0);
    snprintf(expected, sizeof expected, "^usage: %s", base);
    ck_assert_msg(matches(output, expected), "%s", output);
}
END_TEST

START_TEST(program_is_short_and_says_what_it_shows) {
    const struct lab_program *program = &table[_i];
    char output[200];
    int status = run_line(output, sizeof output,
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
    return run_line(
        output, size,
        "%s %s %s %s | sed -E 's/[0-9]{2}:[0-9]{2}:[0-9]{2}/HH:MM:SS/; s/started [0-9]+/started IDENT/;"
        " s/painting [0-9.]+$/painting SECONDS/; s/after [0-9.]+ s/after SECONDS/; s/[0-9.]+ ms/MILLISECONDS/; %s' %s",
        environment(program), interpreter, path, program->arguments,
        strstr(program->name, "without_lock") != NULL ? "s/counted.*/counted, lost/; s/(artist [AB]) .*/\\1/"
                                                      : "s/(artist) [AB]/\\1/",
        program->order == FREE_ORDER ? "| sort" : "");
}

START_TEST(twin_prints_the_same_or_what_python_does_otherwise) {
    const struct lab_program *program = &table[_i];
    char ours[8192], pythons[8192], path[200];
    if (run_line(ours, sizeof ours, "python3 --version") != 0)
        skip("python3 is not here");
    for (const struct lab_twin *other = other_twins; other->name != NULL; other++) {
        if (strcmp(other->name, program->name) == 0) {
            int status = run_line(pythons, sizeof pythons, "python3 labs/%s.py %s", program->name, program->arguments);
            ck_assert_msg(matches(pythons, other->output), "%s.py printed:\n%s", program->name, pythons);
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

void add_program_tests(TCase *cases, const struct lab_program *programs, int count, const struct lab_twin *others) {
    table = programs;
    other_twins = others;
    tcase_add_loop_test(cases, program_prints_what_its_header_promises, 0, count);
    tcase_add_loop_test(cases, program_refuses_arguments_that_it_does_not_know, 0, count);
    tcase_add_loop_test(cases, program_is_short_and_says_what_it_shows, 0, count);
    tcase_add_loop_test(cases, twin_prints_the_same_or_what_python_does_otherwise, 0, count);
}
