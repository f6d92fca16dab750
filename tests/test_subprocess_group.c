/*
 * test_subprocess_group.c: commands that do not end when they should: timeouts, process groups, grandchildren that keep
 * a pipe, children that read nothing or close what they have. Faults 19 to 22 of the table in the semantics, and 12.
 *
 * A grandchild has one end of a pipe of the test's, by .pass_fds: when nobody has it any more, the test reads its end.
 */
#include "commands.h"

enum { LARGE = 4 << 20 };

static const at_optional_seconds USUAL; /* .drain left out */

static struct wire life;

static void begin_lives(void) {
    begin_commands();
    life = wire_new();
}

/* Nobody has the pipe any more. */
static void await_deaths(void) {
    close(life.write);
    life.write = -1;
    ck_assert_int_eq(wire_get(life), 0);
}

/* Also checks that all have gone, whom a test had let live. */
static void end_lives(void) {
    if (life.write >= 0)
        await_deaths();
    close(life.read);
    end_commands();
}

/*
 * Runs a line for the shell whose first output is a line of its own, with a timeout that is long enough for that: on a
 * busy machine the first one may not be. Returns how long the last run took beyond its timeout.
 */
static double run_until_timeout(at_completed *done, const char *line, at_optional_seconds drain) {
    double timeout = 0.25;
    for (;;) {
        double begin = at_now();
        int error = run(done, line, .shell = true, .stdout = AT_PIPE, .timeout = at_seconds(timeout), .drain = drain,
                        .pass_fds = AT_FDS(life.write));
        double took = at_now() - begin;
        ck_assert_int_eq(error, -ETIMEDOUT);
        ck_assert_double_ge(took, timeout - ROUNDING);
        ck_assert_int_eq(done->timed_out, true);
        ck_assert_int_eq(done->failure.stage, AT_STAGE_RUN);
        ck_assert_int_eq(done->returncode, -SIGKILL);
        if (strchr(done->stdout, '\n') != NULL)
            return took - timeout;
        timeout *= 2;
        require(timeout < BOUND / 2);
        at_completed_free(done);
    }
}

/* ---- fault 20: the whole group is gone */

START_TEST(timeout_ends_grandchildren) {
    static const char *const LINES[] = {
        "echo partial; sleep 1000; echo never",
        "sleep 1000 & sh -c 'sleep 1000; echo' & echo partial; wait",
        "(trap '' TERM HUP INT; sleep 1000) & echo partial; wait",
        "trap '' TERM; echo partial; while :; do sleep 1000; done",
        "sleep 1000 & (sleep 1000 & kill -STOP $$) & echo partial; sleep 1000",
    };
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        at_completed done;
        run_until_timeout(&done, LINES[i], USUAL);
        ck_assert_str_eq(done.stdout, "partial\n");
        ck_assert(!done.truncated); /* nobody is left who could hold the pipe */
        ck_assert_int_eq(count_children(), 0);
        at_completed_free(&done);
    }
    await_deaths();
}
END_TEST

/* It can be neither killed by the group nor waited for, and it keeps the pipe; a timeout ends any .drain. */
START_TEST(one_that_left_the_group_holds_nobody) {
    at_completed done;
    if (system("setsid true") != 0)
        skip("no setsid; install util-linux");
    for (int i = 0; i < 2; i++) {
        double beyond = run_until_timeout(&done, "setsid sh -c 'echo $$; exec sleep 1000' & wait",
                                          i == 0 ? USUAL : at_seconds(AT_FOREVER));
        ck_assert_double_lt(beyond, BOUND);
        ck_assert_int_eq(done.truncated, true);
        end_survivor(survivor_of(&done));
        at_completed_free(&done);
    }
}
END_TEST

/* A group is killed at the timeout, and only then. */
START_TEST(grandchildren_live_on_without_a_timeout) {
    for (int i = 0; i < 2; i++) {
        at_completed done;
        at_optional_seconds timeout = {.given = i == 1, .value = BOUND};
        ok(run(&done, "sleep 1000 >&2 & echo $!", .shell = true, .stdout = AT_PIPE, .timeout = timeout));
        ck_assert_int_eq(done.returncode, 0);
        ck_assert(!done.truncated);
        end_survivor(survivor_of(&done));
        at_completed_free(&done);
    }
}
END_TEST

/*
 * Also when its leader has ended, and has been reaped. The shell waits by `wait`: a command that dash waits for in its
 * foreground now and then misses a SIGTERM that comes just as it is started (and never a SIGKILL), whoever sends it.
 */
START_TEST(group_is_signalled_as_a_whole) {
    static const char *const LINES[] = {"sleep 1000 & echo; wait", "sleep 1000 & echo; exit 3"};
    for (int i = 0; i < 4; i++) {
        char byte = 0;
        bool ends = i % 2;
        at_popen *popen = open_command(SHELL(LINES[ends]), .stdout = AT_PIPE, .pass_fds = AT_FDS(life.write),
                                       .start_new_session = i < 2, .process_group = (at_optional_count){i >= 2, 0});
        ck_assert_int_eq((int)read(at_popen_stdout(popen), &byte, 1), 1);
        if (ends)
            ok(at_popen_wait(popen, BOUND, NULL));
        ok(at_popen_signal_group(popen, SIGTERM));
        ck_assert_int_eq((int)read(at_popen_stdout(popen), &byte, 1), 0); /* all who had it have ended */
        ck_assert_int_eq(close_command(popen), ends ? 3 : -SIGTERM);
    }
    await_deaths();
}
END_TEST

/* Where the kernel cannot signal a group by a pidfd (before 6.9). */
START_TEST(group_is_signalled_on_an_older_kernel) {
    at_completed done;
    char byte;
    if (!refuse_with(SYS_pidfd_send_signal, EINVAL, 3, 1u << 2))
        skip("the kernel takes no seccomp filter here");
    at_popen *popen = open_command(SHELL("sleep 1000 & echo; wait"), .stdout = AT_PIPE, .start_new_session = true);
    ck_assert_int_eq((int)read(at_popen_stdout(popen), &byte, 1), 1);
    ok(at_popen_signal_group(popen, SIGTERM));
    ck_assert_int_eq((int)read(at_popen_stdout(popen), &byte, 1), 0);
    ck_assert_int_eq(close_command(popen), -SIGTERM);
    run_until_timeout(&done, "sleep 1000 & echo; sleep 1000", USUAL);
    ck_assert(!done.truncated);
    at_completed_free(&done);
    await_deaths();
}
END_TEST

START_TEST(group_of_others_is_not_signalled) {
    at_popen *popen = open_command(SLEEP, .stdin = AT_PIPE);
    ck_assert_int_eq(at_popen_signal_group(popen, SIGKILL), AT_ENOTLEADER);
    ok(at_popen_terminate(popen));
    ck_assert_int_eq(close_command(popen), -SIGTERM);
}
END_TEST

/* ---- fault 19: a grandchild keeps the pipe */

START_TEST(pipe_kept_by_a_grandchild_holds_for_the_drain_only) {
    static const double DRAINS[] = {-1, 0, 0.5};
    for (int i = 0; i < 3; i++) {
        at_completed done;
        at_optional_seconds drain = {.given = i > 0, .value = DRAINS[i]};
        double begin = at_now(), used = processor_time();
        ok(run(&done, SHELL("sleep 1000 & echo $!; echo out; exit 3"), .capture_output = true, .drain = drain));
        ck_assert_double_ge(at_now() - begin, (i == 0 ? 0.25 : DRAINS[i]) - ROUNDING);
        ck_assert_double_lt(at_now() - begin, BOUND);
        ck_assert_double_lt(processor_time() - used, 0.15); /* it sleeps, though the child has ended */
        ck_assert_int_eq(done.returncode, 3);
        ck_assert(done.truncated && !done.timed_out);
        ck_assert_str_eq(strchr(done.stdout, '\n'), "\nout\n");
        end_survivor(survivor_of(&done));
        at_completed_free(&done);
    }
}
END_TEST

START_TEST(communicate_is_held_for_the_drain_only) {
    at_output out, err;
    at_popen *popen = open_command(SHELL("sleep 1000 2>&- & echo $!; exit 3"), .stdout = AT_PIPE, .stderr = AT_PIPE);
    double begin = at_now();
    ok(at_popen_communicate(popen, AT_NO_INPUT, AT_FOREVER, &out, &err));
    ck_assert_double_lt(at_now() - begin, BOUND);
    ck_assert(out.truncated && !err.truncated);
    end_survivor((pid_t)atoi(out.data));
    ck_assert_int_eq(close_command(popen), 3);
}
END_TEST

START_TEST(drain_for_ever_waits_for_the_grandchild) {
    at_completed done;
    ok(run(&done, SHELL("(sleep 0.6; echo late) & echo early; exit 3"), .stdout = AT_PIPE,
           .drain = at_seconds(AT_FOREVER)));
    ck_assert_int_eq(done.returncode, 3);
    ck_assert(!done.truncated);
    ck_assert_str_eq(done.stdout, "early\nlate\n");
    at_completed_free(&done);
}
END_TEST

/* It has all been written when the child ends, however short the drain is. */
START_TEST(all_that_the_child_wrote_is_read_before_the_drain_ends) {
    for (int i = 0; i < 10; i++) {
        at_completed done;
        ok(run(&done, SHELL("sleep 1000 & echo $!; head -c 300000 /dev/zero; exit 3"), .stdout = AT_PIPE,
               .drain = at_seconds(0)));
        size_t line = strcspn(done.stdout, "\n") + 1;
        ck_assert(done.truncated);
        ck_assert_uint_eq(done.stdout_size - line, 300000);
        end_survivor(survivor_of(&done));
        at_completed_free(&done);
    }
}
END_TEST

/* Its pipe is never empty: neither a drain nor a deadline may wait until it is. */
START_TEST(grandchild_that_never_stops_writing_is_bounded) {
    for (int i = 0; i < 2; i++) {
        at_completed done;
        double begin = at_now();
        int error = i == 0 ? run(&done, SHELL("(echo; exec yes) & exit 3"), .stdout = AT_PIPE, .drain = at_seconds(0))
                           : run(&done, AT_ARGS("yes"), .stdout = AT_PIPE, .timeout = at_seconds(0.05));
        ck_assert_int_eq(error, i == 0 ? 0 : -ETIMEDOUT);
        ck_assert_int_eq(done.returncode, i == 0 ? 3 : -SIGKILL);
        ck_assert(i == 1 || done.truncated);
        ck_assert_double_lt(at_now() - begin, BOUND);
        at_completed_free(&done);
    }
}
END_TEST

/* ---- faults 21 and 22: nothing comes, nothing goes, and nobody spins */

static void expect_quiet_timeout(const char *line, at_input input) {
    at_completed done;
    double begin = at_now(), used = processor_time();
    ck_assert_int_eq(
        run(&done, line, .shell = true, .capture_output = true, .input = input, .timeout = at_seconds(0.7)),
        -ETIMEDOUT);
    ck_assert_double_ge(at_now() - begin, 0.7 - ROUNDING);
    ck_assert_double_lt(at_now() - begin, BOUND);
    ck_assert_double_lt(processor_time() - used, 0.2);
    ck_assert_int_eq(done.returncode, -SIGKILL);
    ck_assert_uint_eq(done.stdout_size, 0);
    at_completed_free(&done);
}

START_TEST(child_that_closes_its_streams_and_lives_on) {
    char *large = pattern_of(LARGE);
    expect_quiet_timeout("exec >&- 2>&-; exec sleep 1000", AT_NO_INPUT);
    expect_quiet_timeout("exec >&-; exec sleep 1000", AT_NO_INPUT);
    expect_quiet_timeout("exec <&-; exec sleep 1000", at_bytes(large, LARGE));
    expect_quiet_timeout("exec <&- >&- 2>&-; exec sleep 1000", at_bytes(large, LARGE));
    free(large);
}
END_TEST

START_TEST(child_that_never_reads) {
    char *large = pattern_of(LARGE);
    at_completed done;
    expect_quiet_timeout("exec sleep 1000", at_bytes(large, LARGE));
    for (int i = 0; i < 10; i++) {
        ok(run(&done, SHELL("echo out; exit 5"), .input = at_bytes(large, LARGE), .stdout = AT_PIPE));
        ck_assert_int_eq(done.returncode, 5);
        ck_assert_str_eq(done.stdout, "out\n");
        ck_assert(!done.truncated);
        at_completed_free(&done);
    }
    free(large);
}
END_TEST

/* Its input goes nowhere, as long as somebody has the other end of that pipe. */
START_TEST(grandchild_that_keeps_stdin_holds_nobody) {
    char *large = pattern_of(LARGE);
    at_completed done;
    ok(run(&done, SHELL("exec 3<&0; sleep 1000 0<&3 >&2 & echo $!; exit 5"), .input = at_bytes(large, LARGE),
           .stdout = AT_PIPE));
    ck_assert_int_eq(done.returncode, 5);
    ck_assert(done.truncated); /* what was not written is known to be missing */
    end_survivor(survivor_of(&done));
    at_completed_free(&done);
    free(large);
}
END_TEST

/* ---- fault 12 */

START_TEST(stopped_child_keeps_no_deadline) {
    at_completed done;
    run_until_timeout(&done, "echo; kill -STOP $$; echo never", USUAL);
    ck_assert_str_eq(done.stdout, "\n");
    at_completed_free(&done);
    at_popen *popen = open_command(SHELL("kill -STOP $$; exit 3"), .stdout = AT_PIPE);
    siginfo_t info;
    ck_assert_int_eq(waitid(P_PID, (id_t)at_popen_pid(popen), &info, WSTOPPED | WNOWAIT), 0);
    double begin = at_now();
    ck_assert_int_eq(at_popen_poll(popen, NULL), -EAGAIN);
    ck_assert_int_eq(at_popen_wait(popen, 0.2, NULL), -ETIMEDOUT);
    ck_assert_int_eq(at_popen_communicate(popen, AT_NO_INPUT, 0.2, NULL, NULL), -ETIMEDOUT);
    ck_assert_double_ge(at_now() - begin, 0.4 - ROUNDING);
    ok(at_popen_send_signal(popen, SIGCONT));
    ck_assert_int_eq(close_command(popen), 3);
}
END_TEST

SUITE_WITH("subprocess_group", begin_lives, end_lives, timeout_ends_grandchildren, one_that_left_the_group_holds_nobody,
           grandchildren_live_on_without_a_timeout, group_is_signalled_as_a_whole,
           group_is_signalled_on_an_older_kernel, group_of_others_is_not_signalled,
           pipe_kept_by_a_grandchild_holds_for_the_drain_only, communicate_is_held_for_the_drain_only,
           drain_for_ever_waits_for_the_grandchild, all_that_the_child_wrote_is_read_before_the_drain_ends,
           grandchild_that_never_stops_writing_is_bounded, child_that_closes_its_streams_and_lives_on,
           child_that_never_reads, grandchild_that_keeps_stdin_holds_nobody, stopped_child_keeps_no_deadline)
