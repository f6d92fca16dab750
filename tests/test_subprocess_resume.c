/* test_subprocess_resume.c: a communicate that a timeout stops, and that goes on; semantics cases 48 and 51. */
#include "outcomes.h"

static struct wire go; /* a child with .pass_fds = GO stops at PAUSE until a byte is put here */

#define GO AT_FDS(go.read)
#define PAUSE "head -c 1 </proc/self/fd/%d >/dev/null"

static void begin(void) {
    begin_commands();
    go = wire_new();
}

static void end(void) {
    wire_close(go);
    end_commands();
}

enum { MUCH = 4 << 20 };

START_TEST(timeout_keeps_what_has_come) {
    at_output out, err;
    at_popen *popen = open_command(SHELL(line_of("printf one; printf 1 >&2; " PAUSE "; printf two; exit 3", go.read)),
                                   .stdout = AT_PIPE, .stderr = AT_PIPE, .pass_fds = GO);
    double begin = at_now();
    do {
        ck_assert_int_eq(talk(popen, AT_NO_INPUT, 0.02, &out, &err), -ETIMEDOUT);
        require(at_now() < begin + BOUND);
    } while (out.size < 3 || err.size < 1);
    ck_assert_double_ge(at_now() - begin, 0.02);
    for (int i = 0; i < 3; i++) {
        static const double TIMES[] = {0, -1, 0.01};
        ck_assert_int_eq(talk(popen, AT_NO_INPUT, TIMES[i], &out, &err), -ETIMEDOUT);
        expect_text(out.data, out.size, "one");
        expect_text(err.data, err.size, "1");
    }
    ck_assert_int_eq(at_popen_poll(popen, NULL), -EAGAIN); /* a timeout kills nobody here */
    wire_put(go, 'g');
    ok(talk(popen, AT_NO_INPUT, BOUND, &out, &err));
    expect_text(out.data, out.size, "onetwo");
    expect_text(err.data, err.size, "1");
    ck_assert_int_eq(close_command(popen), 3);
}
END_TEST

START_TEST(input_half_sent_is_kept_and_goes_on) {
    char *data = pattern_of(MUCH), *given = pattern_of(MUCH);
    at_output out;
    at_popen *popen = open_command(SHELL(line_of("dd bs=1 count=500 2>/dev/null; " PAUSE "; cat", go.read)),
                                   .stdin = AT_PIPE, .stdout = AT_PIPE, .pass_fds = GO);
    ck_assert_int_eq(talk(popen, at_bytes(given, MUCH), 0.02, &out, NULL), -ETIMEDOUT);
    memset(given, 'x', MUCH); /* it was copied */
    free(given);
    double end = at_now() + BOUND;
    while (out.size < 500) {
        ck_assert_int_eq(talk(popen, AT_NO_INPUT, 0.02, &out, NULL), -ETIMEDOUT);
        require(at_now() < end);
    }
    expect_bytes(out.data, out.size, data, 500);
    ck_assert_int_eq(talk(popen, at_text("other"), 0, &out, NULL), AT_EINPUT);
    wire_put(go, 'g');
    ok(talk(popen, AT_NO_INPUT, BOUND, &out, NULL));
    expect_bytes(out.data, out.size, data, MUCH);
    ck_assert_int_eq(close_command(popen), 0);
    free(data);
}
END_TEST

START_TEST(no_input_is_an_input_too) {
    at_output out;
    at_popen *popen =
        open_command(SHELL(line_of(PAUSE "; cat", go.read)), .stdin = AT_PIPE, .stdout = AT_PIPE, .pass_fds = GO);
    ck_assert_int_eq(talk(popen, AT_NO_INPUT, 0, &out, NULL), -ETIMEDOUT);
    ck_assert_int_eq(talk(popen, at_text("late"), 0, &out, NULL), AT_EINPUT);
    wire_put(go, 'g');
    ok(talk(popen, AT_NO_INPUT, BOUND, &out, NULL));
    expect_text(out.data, out.size, "");
    ck_assert_int_eq(close_command(popen), 0);
}
END_TEST

/* gh-142195: a timeout of 0 that never made any progress. */
START_TEST(polling_comes_to_an_end) {
    char *data = pattern_of(MUCH);
    at_output out;
    at_popen *popen = open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE);
    int result = talk(popen, at_bytes(data, MUCH), 0, &out, NULL);
    for (double end = at_now() + BOUND; result == -ETIMEDOUT; result = talk(popen, AT_NO_INPUT, 0, &out, NULL)) {
        require(at_now() < end);
        nap();
    }
    ok(result);
    expect_bytes(out.data, out.size, data, MUCH);
    ck_assert_int_eq(close_command(popen), 0);
    free(data);
}
END_TEST

/* test_communicate_repeated_call_after_stdout_close */
START_TEST(output_that_ends_before_the_child_does) {
    at_output out;
    at_popen *popen = open_command(SHELL(line_of("printf early; exec >&-; " PAUSE "; exit 6", go.read)),
                                   .stdout = AT_PIPE, .pass_fds = GO);
    double begin = at_now();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(talk(popen, AT_NO_INPUT, 0.05, &out, NULL), -ETIMEDOUT);
    ck_assert_double_ge(at_now() - begin, 0.15 - ROUNDING);
    wire_put(go, 'g');
    ok(talk(popen, AT_NO_INPUT, BOUND, &out, NULL));
    expect_text(out.data, out.size, "early");
    ck_assert_int_eq(close_command(popen), 6);
}
END_TEST

START_TEST(text_is_made_at_the_end) {
    at_output out;
    at_popen *popen = open_command(SHELL(line_of("printf 'a\\r'; " PAUSE "; printf '\\nb\\r'", go.read)),
                                   .stdout = AT_PIPE, .text = true, .pass_fds = GO);
    do
        ck_assert_int_eq(talk(popen, AT_NO_INPUT, 0.02, &out, NULL), -ETIMEDOUT);
    while (out.size == 0);
    expect_text(out.data, out.size, "a\r"); /* as it was written */
    wire_put(go, 'g');
    ok(talk(popen, AT_NO_INPUT, BOUND, &out, NULL));
    expect_text(out.data, out.size, "a\nb\n");
    ok(talk(popen, AT_NO_INPUT, BOUND, &out, NULL));
    expect_text(out.data, out.size, "a\nb\n");
    ck_assert_int_eq(close_command(popen), 0);
}
END_TEST

/* Several threads at once: one goes on where another stopped, or has been at the end. */
static struct {
    at_popen *popen;
    int result;
    at_output out;
} other;

static int talk_too(void *unused) {
    (void)unused;
    other.result = talk(other.popen, AT_NO_INPUT, AT_FOREVER, &other.out, NULL);
    return 0;
}

START_TEST(threads_take_turns) {
    at_output out;
    at_thread *thread = at_thread_new(.target = talk_too);
    other.popen =
        open_command(SHELL(line_of("printf one; " PAUSE "; printf two", go.read)), .stdout = AT_PIPE, .pass_fds = GO);
    start(thread);
    for (int i = 0; i < 3; i++) /* whose turn it is, nobody knows */
        ck_assert_int_eq(talk(other.popen, AT_NO_INPUT, i * 0.02, &out, NULL), -ETIMEDOUT);
    wire_put(go, 'g');
    ok(talk(other.popen, AT_NO_INPUT, BOUND, &out, NULL));
    expect_text(out.data, out.size, "onetwo");
    join(thread);
    at_thread_free(thread);
    ck_assert_int_eq(other.result, 0);
    expect_text(other.out.data, other.out.size, "onetwo");
    ck_assert_int_eq(close_command(other.popen), 0);
}
END_TEST

SUITE_WITH("subprocess_resume", begin, end, timeout_keeps_what_has_come, input_half_sent_is_kept_and_goes_on,
           no_input_is_an_input_too, polling_comes_to_an_end, output_that_ends_before_the_child_does,
           text_is_made_at_the_end, threads_take_turns)
