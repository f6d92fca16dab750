/* test_subprocess_deadlines.c: deadlines before the end of .drain, and what may be done with the pipes between calls. */
#include "outcomes.h"

static at_completed done;

static struct wire go, told; /* a child that has both by PASSED stops at PAUSE until a byte is put on the one */

#define PASSED .pass_fds = AT_FDS(go.read, told.write)
#define PAUSE "head -c 1 </proc/self/fd/%d >/dev/null"

static void begin(void) {
    begin_commands();
    go = wire_new();
    told = wire_new();
}

static void end(void) {
    wire_close(go);
    wire_close(told);
    end_commands();
}

/* ---- the child has ended, and a grandchild keeps the pipe */

static const double DRAINS[] = {BOUND, AT_FOREVER};

/* The deadline is the caller's, and not the end of .drain: whoever comes again is told the rest. */
START_TEST(deadline_before_the_end_of_the_drain_loses_nothing) {
    static const double TIMES[] = {0, 0.05, -1};
    for (int i = 0; i < 2; i++) {
        at_output out;
        at_popen *popen = open_command(SHELL(line_of("(" PAUSE "; echo late) & echo early; exit 3", go.read)),
                                       .stdout = AT_PIPE, .drain = at_seconds(DRAINS[i]), PASSED);
        ok(at_popen_wait(popen, BOUND, NULL));
        for (size_t k = 0; k < sizeof TIMES / sizeof *TIMES; k++) {
            double before = at_now();
            ck_assert_int_eq(talk(popen, AT_NO_INPUT, TIMES[k], &out, NULL), -ETIMEDOUT);
            ck_assert_double_ge(at_now() - before, TIMES[k] - ROUNDING);
            expect_text(out.data, out.size, "early\n");
            ck_assert(!out.truncated);
        }
        wire_put(go, 'g');
        ok(talk(popen, AT_NO_INPUT, BOUND, &out, NULL));
        expect_text(out.data, out.size, "early\nlate\n");
        ck_assert(!out.truncated);
        ck_assert_int_eq(close_command(popen), 3);
    }
}
END_TEST

/* It was in time; those who keep its pipe were not, and live on. */
START_TEST(run_that_ended_in_time_is_not_timed_out) {
    for (int i = 0; i < 2; i++) {
        double timeout = 0.25, before;
        int error;
        for (;; timeout *= 2) {
            before = at_now();
            error = ran(SHELL("sleep 1000 & echo $!; exit 3"), .stdout = AT_PIPE, .timeout = at_seconds(timeout),
                        .drain = at_seconds(DRAINS[i]));
            if (error != -ETIMEDOUT || timeout > 2)
                break;
            at_completed_free(&done); /* on a machine that is very busy it may not have ended in time */
        }
        ck_assert_int_eq(error, 0);
        ck_assert_double_ge(at_now() - before, timeout - ROUNDING);
        ck_assert_double_lt(at_now() - before, timeout + BOUND / 2);
        ck_assert_int_eq(done.returncode, 3);
        ck_assert(done.truncated && !done.timed_out);
        expect_no_failure(&done.failure);
        end_survivor(survivor_of(&done));
        at_completed_free(&done);
    }
}
END_TEST

/* ---- detach, during a communicate and after one */

static at_popen *shared;
static at_output output;

static int talk_to_the_end(void *unused) {
    (void)unused;
    ok(talk(shared, at_text("input"), AT_FOREVER, &output, NULL));
    return 0;
}

START_TEST(pipes_are_not_handed_over_during_a_communicate) {
    at_thread *thread = at_thread_new(.target = talk_to_the_end);
    shared = open_command(SHELL(line_of("head -c 1 >/proc/self/fd/%d; " PAUSE "; printf out", told.write, go.read)),
                          .stdin = AT_PIPE, .stdout = AT_PIPE, .stderr = AT_PIPE, PASSED);
    start(thread);
    ck_assert_int_eq(wire_get(told), 'i'); /* it communicates */
    ck_assert_int_eq(at_popen_detach(shared, STDOUT_FILENO), -EBUSY);
    ck_assert_int_eq(at_popen_detach(shared, STDERR_FILENO), -EBUSY);
    ck_assert_int_ge(at_popen_stdout(shared), 3);
    wire_put(go, 'g');
    join(thread);
    at_thread_free(thread);
    expect_text(output.data, output.size, "out");
    ck_assert_int_eq(at_popen_detach(shared, STDOUT_FILENO), AT_ENOPIPE);
    ck_assert_int_eq(close_command(shared), 0);
}
END_TEST

static void expect_blocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    require(flags >= 0 && (flags & O_NONBLOCK) == 0);
}

/* Whoever reads from them waits, as from any pipe. */
START_TEST(pipes_that_are_handed_over_are_blocking_ones) {
    static const size_t MUCH = 4 << 20;
    char text[16] = "", *input = pattern_of(MUCH);
    at_popen *popen = open_command(SHELL(line_of(PAUSE "; printf out; printf err >&2", go.read)), .stdin = AT_PIPE,
                                   .stdout = AT_PIPE, .stderr = AT_PIPE, PASSED);
    ck_assert_int_eq(talk(popen, at_bytes(input, MUCH), 0.02, NULL, NULL), -ETIMEDOUT);
    int in = ok(at_popen_detach(popen, STDIN_FILENO)), out = ok(at_popen_detach(popen, STDOUT_FILENO));
    int err = ok(at_popen_detach(popen, STDERR_FILENO));
    expect_blocking(in);
    expect_blocking(out);
    expect_blocking(err);
    wire_put(go, 'g');
    ck_assert_int_eq((int)read(out, text, sizeof text), 3);
    ck_assert_str_eq(text, "out");
    ck_assert_int_eq((int)read(err, text, sizeof text), 3);
    ck_assert_str_eq(text, "err");
    close(in);
    close(out);
    close(err);
    ck_assert_int_eq(close_command(popen), 0);
    free(input);
}
END_TEST

SUITE_WITH("subprocess_deadlines", begin, end, deadline_before_the_end_of_the_drain_loses_nothing,
           run_that_ended_in_time_is_not_timed_out, pipes_are_not_handed_over_during_a_communicate,
           pipes_that_are_handed_over_are_blocking_ones)
