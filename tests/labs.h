/* labs.h: what the suites about the labs' programs share: running commands, and what is asked of every program. */
#ifndef ATELIER_TESTS_LABS_H
#define ATELIER_TESTS_LABS_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>

/* Runs a shell command in the repository's root; its output, stderr included, and its status come back. */
int run_line(char *output, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Where the programs are: $BUILD, or build. */
const char *build(void);

/* Whether an extended regular expression is found in the text. */
bool matches(const char *text, const char *pattern);

/* What each program prints, as one extended regular expression; ORDERED: the lines come in this order every time. */
struct lab_program {
    const char *name;
    enum { ORDERED, FREE_ORDER } order;
    const char *arguments; /* for the test: less work than by default */
    const char *output;
};

/* The variables with which it is to be run. */
const char *environment(const struct lab_program *program);

/* What twins print that do not print the same: other numbers, or what Python does otherwise. A table ends with NULL. */
struct lab_twin {
    const char *name, *output;
};

/*
 * Adds the tests of every program: it prints what the table says, so does its twin, or the same, it refuses arguments
 * that it does not know, and it is short. To be called once in a suite, with tables that last.
 */
void add_program_tests(TCase *cases, const struct lab_program *programs, int count, const struct lab_twin *others);

#endif
