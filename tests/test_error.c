/* test_error.c: what errors say, how programs end on them, and what they answer to bad arguments. */
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include "watch.h"

static char output[4096];

/* ---- at_strerror */

static const int OURS[] = {AT_ENOTSTARTED, AT_ESTARTED, AT_ENOTARGET, AT_ENOTJOINABLE, AT_ENOTCHILD, AT_ERUNNING,
                           AT_ECLOSED,     AT_EDAEMON,  AT_ETHREADS,  AT_ENOZYGOTE,    AT_EEMPTY,    AT_EFULL,
                           AT_ETOOLARGE,   AT_ECOUNT,   AT_EDIED,     AT_ETASKTIME,    AT_EBROKEN,   AT_EOPEN,
                           AT_EEND,        AT_ENOTMINE, AT_ECOMMAND,  AT_ENOPIPE,      AT_EINPUT,    AT_ENOTLEADER};
enum { OUR_COUNT = sizeof OURS / sizeof *OURS };

START_TEST(each_code_of_ours_has_a_text_of_its_own) {
    for (int i = 0; i < OUR_COUNT; i++) {
        ck_assert_int_lt(OURS[i], -4095);
        ck_assert_str_ne(at_strerror(OURS[i]), "unknown error code");
        ck_assert_uint_gt(strlen(at_strerror(OURS[i])), 5);
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(at_strerror(OURS[i]), at_strerror(OURS[j]));
    }
    ck_assert_str_eq(at_strerror(AT_ENOTSTARTED - OUR_COUNT), "unknown error code"); /* so none is left out here */
}
END_TEST

START_TEST(each_errno_has_its_text) {
    ck_assert_str_eq(at_strerror(-ENOENT), "No such file or directory");
    for (int number = 1; number < 134; number++)
        if (strerrordesc_np(number) != NULL)
            ck_assert_str_ne(at_strerror(-number), "unknown error code");
}
END_TEST

START_TEST(any_number_has_a_text) {
    ck_assert_str_eq(at_strerror(0), "no error");
    ck_assert_str_eq(at_strerror(AT_RECOVERED), "no error");
    ck_assert_str_eq(at_strerror(INT_MAX), "no error");
    ck_assert_str_eq(at_strerror(-4000), "unknown error code");
    ck_assert_str_eq(at_strerror(-5000), "unknown error code");
    ck_assert_str_eq(at_strerror(INT_MIN), "unknown error code");
}
END_TEST

START_TEST(timeout_is_not_said_to_be_of_a_connection) {
    ck_assert_ptr_null(strstr(at_strerror(-ETIMEDOUT), "onnection"));
    ck_assert_ptr_nonnull(strstr(at_strerror(-ETIMEDOUT), "time"));
}
END_TEST

/* ---- at_check */

static int calls;

static int count_and_return(int result) {
    calls++;
    return result;
}

START_TEST(check_evaluates_once_and_passes_results_on) {
    ck_assert_int_eq(at_check(count_and_return(0)), 0);
    ck_assert_int_eq(at_check(count_and_return(42)), 42);
    ck_assert_int_eq(calls, 2);
}
END_TEST

static void say_goodbye(void) {
    printf("goodbye\n");
}

static int wait_for_good(void *unused) {
    (void)unused;
    return wait_forever(NULL);
}

static void fail_a_check(void) {
    at_thread *thread = at_thread_new(.target = wait_for_good);
    start(thread); /* which nobody waits for */
    atexit(say_goodbye);
    printf("hello\n");
    at_check(count_and_return(AT_ENOTSTARTED));
}

START_TEST(failed_check_names_the_call_and_ends_the_program_at_once) {
    char expected[256];
    ck_assert_int_eq(run_program(fail_a_check, output, sizeof output), 1);
    const char *place = strstr(output, "test_error.c:");
    ck_assert_ptr_nonnull(place);
    ck_assert_int_eq(strncmp(output, "hello\n", 6), 0);
    snprintf(expected, sizeof expected, ": count_and_return(AT_ENOTSTARTED): %s\n", at_strerror(AT_ENOTSTARTED));
    ck_assert_str_eq(strstr(place, ": "), expected);
}
END_TEST

static void fail_a_check_without_stderr(void) {
    close(STDERR_FILENO);
    at_check(-ENOMEM);
}

START_TEST(failed_check_ends_the_program_without_stderr_too) {
    ck_assert_int_eq(run_program(fail_a_check_without_stderr, output, sizeof output), 1);
    ck_assert_str_eq(output, "");
}
END_TEST

/* ---- at_fatal */

static void end_fatally(void) {
    at_fatal("%s %d", "answer", 42);
}

static void end_fatally_at_length(void) {
    char text[5000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    at_fatal("%s", text);
}

START_TEST(fatal_prints_one_line_and_aborts) {
    ck_assert_int_eq(run_program(end_fatally, output, sizeof output), -SIGABRT);
    ck_assert_str_eq(output, "answer 42\n");
    ck_assert_int_eq(run_program(end_fatally_at_length, output, sizeof output), -SIGABRT);
    ck_assert_int_eq(output[strlen(output) - 1], '\n');
    ck_assert_uint_gt(strlen(output), 500);
    ck_assert_ptr_eq(strchr(output, '\n'), output + strlen(output) - 1);
}
END_TEST

/* ---- the arguments of a program */

static char *arguments[4];
static int argument_count;

static void take_none(void) {
    at_no_arguments(argument_count, arguments);
    printf("ran\n");
}

static void take_number(void) {
    printf("%ld\n", at_argument(argument_count, arguments, "strokes", 10, 1000));
}

/* Runs the body with these arguments; returns its status. */
static int run_with(void (*body)(void), char *first, char *second) {
    arguments[0] = program_invocation_name;
    arguments[1] = first;
    arguments[2] = second;
    argument_count = 1 + (first != NULL) + (second != NULL);
    return run_program(body, output, sizeof output);
}

static void assert_said(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void assert_said(const char *format, ...) {
    char expected[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(expected, sizeof expected, format, values);
    va_end(values);
    ck_assert_str_eq(output, expected);
}

START_TEST(program_without_arguments_refuses_any) {
    const char *me = program_invocation_short_name;
    ck_assert_int_eq(run_with(take_none, NULL, NULL), 0);
    assert_said("ran\n");
    ck_assert_int_eq(run_with(take_none, "--fast", NULL), 2);
    assert_said("%s: unknown argument '--fast'; usage: %s\n", me, me);
    ck_assert_int_eq(run_with(take_none, "", NULL), 2);
    assert_said("%s: unknown argument ''; usage: %s\n", me, me);
}
END_TEST

START_TEST(help_is_given) {
    const char *me = program_invocation_short_name;
    ck_assert_int_eq(run_with(take_none, "--help", NULL), 0);
    assert_said("usage: %s\n", me);
    ck_assert_int_eq(run_with(take_none, "-h", NULL), 0);
    assert_said("usage: %s\n", me);
    ck_assert_int_eq(run_with(take_number, "--help", NULL), 0);
    assert_said("usage: %s [strokes]\n", me);
}
END_TEST

START_TEST(number_is_taken_when_it_is_one_in_range) {
    static const struct {
        char *text;
        long number;
    } GOOD[] = {{NULL, 10}, {"1", 1}, {"1000", 1000}, {"007", 7}};
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        ck_assert_int_eq(run_with(take_number, GOOD[i].text, NULL), 0);
        assert_said("%ld\n", GOOD[i].number);
    }
}
END_TEST

START_TEST(what_is_no_number_in_range_is_refused) {
    const char *me = program_invocation_short_name;
    static char *const BAD[] = {"0", "-1",  "1001",  "99999999999999999999", "ten", "10x", "10 ", "1.5",
                                "",  "1e2", "--fast"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        ck_assert_int_eq(run_with(take_number, BAD[i], NULL), 2);
        assert_said("%s: strokes '%s': not a whole number from 1 to 1000; usage: %s [strokes]\n", me, BAD[i], me);
    }
    ck_assert_int_eq(run_with(take_number, "5", "6"), 2);
    assert_said("%s: unknown argument '6'; usage: %s [strokes]\n", me, me);
}
END_TEST

SUITE("error", each_code_of_ours_has_a_text_of_its_own, each_errno_has_its_text, any_number_has_a_text,
      timeout_is_not_said_to_be_of_a_connection, check_evaluates_once_and_passes_results_on,
      failed_check_names_the_call_and_ends_the_program_at_once, failed_check_ends_the_program_without_stderr_too,
      fatal_prints_one_line_and_aborts, program_without_arguments_refuses_any, help_is_given,
      number_is_taken_when_it_is_one_in_range, what_is_no_number_in_range_is_refused)
