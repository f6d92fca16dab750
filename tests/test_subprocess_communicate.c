/* test_subprocess_communicate.c: input to a child and output from it, at once; semantics cases 43, 48 and 49. */
#include "outcomes.h"

enum { MUCH = 4 << 20 };

/* ---- case 43: what is and what is not captured */

START_TEST(output_is_what_is_a_pipe) {
    at_output out = {"", 1, true}, err = {"", 1, true};
    at_popen *popen = open_command(SHELL("echo out; echo err >&2; exit 3"), .stdout = AT_PIPE, .stderr = AT_PIPE);
    ok(talk(popen, AT_NO_INPUT, BOUND, &out, &err));
    expect_text(out.data, out.size, "out\n");
    expect_text(err.data, err.size, "err\n");
    ck_assert(!out.truncated && !err.truncated);
    ck_assert_int_eq(close_command(popen), 3);

    popen = open_command(SHELL("echo err >&2"), .stdout = AT_PIPE, .stderr = AT_DEVNULL);
    ok(talk(popen, AT_NO_INPUT, AT_FOREVER, &out, &err));
    expect_text(out.data, out.size, ""); /* captured, and nothing came */
    ck_assert_ptr_null(err.data);        /* not captured */
    ck_assert_uint_eq(err.size, 0);
    ck_assert_int_eq(close_command(popen), 0);

    popen = open_command(SHELL("echo 1; echo 2 >&2; echo 3"), .stdout = AT_PIPE, .stderr = AT_STDOUT);
    ok(talk(popen, AT_NO_INPUT, BOUND, &out, &err));
    expect_text(out.data, out.size, "1\n2\n3\n");
    ck_assert_ptr_null(err.data);
    ck_assert_int_eq(close_command(popen), 0);

    popen = open_command(SHELL("echo out; echo err >&2"), .stdout = AT_PIPE, .stderr = AT_PIPE);
    ok(talk(popen, AT_NO_INPUT, BOUND, NULL, &err)); /* read all the same, but not asked for */
    expect_text(err.data, err.size, "err\n");
    ck_assert_int_eq(close_command(popen), 0);
    popen = open_command(SHELL("exit 4"), .stdin = AT_DEVNULL); /* no pipe at all: it waits */
    ok(talk(popen, AT_NO_INPUT, BOUND, NULL, NULL));
    int code;
    ok(at_popen_poll(popen, &code));
    ck_assert_int_eq(code, 4);
    at_popen_free(popen);
}
END_TEST

START_TEST(nuls_and_newlines_pass_as_they_are) {
    static const char DATA[] = "\0\0a\r\n\0\rb\xff\n";
    at_output out;
    at_popen *popen = open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE);
    ok(talk(popen, at_bytes(DATA, sizeof DATA), BOUND, &out, NULL));
    expect_bytes(out.data, out.size, DATA, sizeof DATA);
    ck_assert_int_eq(close_command(popen), 0);
}
END_TEST

START_TEST(no_input_and_empty_input_close_stdin) {
    const at_input INPUTS[] = {AT_NO_INPUT, at_text(""), at_bytes(NULL, 0)};
    for (size_t i = 0; i < sizeof INPUTS / sizeof *INPUTS; i++) {
        at_output out;
        at_popen *popen = open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE);
        ok(talk(popen, INPUTS[i], BOUND, &out, NULL));
        expect_text(out.data, out.size, "");
        ck_assert_int_eq(at_popen_stdin(popen), AT_ENOPIPE);
        ck_assert_int_eq(close_command(popen), 0);
    }
}
END_TEST

START_TEST(input_needs_a_pipe) {
    at_popen *popen = open_command(SLEEP, .stdin = AT_DEVNULL);
    ck_assert_int_eq(talk(popen, at_text("in"), BOUND, NULL, NULL), AT_ENOPIPE);
    ck_assert_int_eq(talk(popen, AT_NO_INPUT, 0, NULL, NULL), -ETIMEDOUT); /* it goes on */
    ok(at_popen_kill(popen));
    ok(talk(popen, AT_NO_INPUT, BOUND, NULL, NULL));
    ck_assert_int_eq(close_command(popen), -SIGKILL);
    popen = open_command(AT_ARGS("cat"), .stdin = AT_PIPE);
    close_stdin(popen);
    ck_assert_int_eq(talk(popen, at_text("in"), BOUND, NULL, NULL), AT_ENOPIPE);
    ck_assert_int_eq(close_command(popen), 0);
}
END_TEST

START_TEST(input_of_nothing_is_no_input) {
    at_output out;
    at_popen *popen = open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE);
    ck_assert_int_eq(talk(popen, at_bytes(NULL, 5), BOUND, &out, NULL), -EINVAL);
    ok(talk(popen, at_bytes("bytes", 5), BOUND, &out, NULL)); /* that has begun nothing */
    expect_text(out.data, out.size, "bytes");
    ck_assert_int_eq(close_command(popen), 0);
}
END_TEST

START_TEST(timeouts_are_numbers) {
    at_output out;
    at_popen *popen = open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE);
    ck_assert_int_eq(talk(popen, at_text("in"), __builtin_nan(""), &out, NULL), -EINVAL);
    ck_assert_int_eq(talk(popen, at_text("in"), 1e300, &out, NULL), -EOVERFLOW);
    ok(talk(popen, at_text("really in"), BOUND, &out, NULL)); /* the others have begun nothing */
    expect_text(out.data, out.size, "really in");
    ck_assert_int_eq(close_command(popen), 0);
}
END_TEST

/* ---- much at once */

START_TEST(megabytes_go_both_ways) {
    char *data = pattern_of(MUCH);
    at_output out, err;
    at_popen *popen =
        open_command(SHELL("tee /proc/self/fd/2"), .stdin = AT_PIPE, .stdout = AT_PIPE, .stderr = AT_PIPE);
    ok(talk(popen, at_bytes(data, MUCH), BOUND, &out, &err));
    expect_bytes(out.data, out.size, data, MUCH);
    expect_bytes(err.data, err.size, data, MUCH);
    ck_assert(!out.truncated && !err.truncated);
    ck_assert_int_eq(close_command(popen), 0);
    free(data);
}
END_TEST

START_TEST(one_output_does_not_hold_up_the_other) {
    static const char *const ORDERS[] = {"head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2",
                                         "head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero"};
    for (int i = 0; i < 2; i++) {
        at_output out, err;
        at_popen *popen = open_command(SHELL(ORDERS[i]), .stdout = AT_PIPE, .stderr = AT_PIPE);
        ok(talk(popen, AT_NO_INPUT, BOUND, &out, &err));
        ck_assert_uint_eq(out.size, 1000000);
        ck_assert_uint_eq(err.size, 1000000);
        ck_assert_int_eq(close_command(popen), 0);
    }
}
END_TEST

/* ---- case 49: input that is not read */

static volatile sig_atomic_t broken_pipes;

static void count_broken_pipe(int number) {
    (void)number;
    broken_pipes++;
}

static bool is_pending(int number) {
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, number);
}

static void leave_input_unread(const char *line) {
    char *data = pattern_of(MUCH);
    at_output out;
    at_popen *popen = open_command(SHELL(line), .stdin = AT_PIPE, .stdout = AT_PIPE);
    ok(talk(popen, at_bytes(data, MUCH), BOUND, &out, NULL));
    expect_text(out.data, out.size, "done");
    ck_assert_int_eq(close_command(popen), 0);
    free(data);
}

START_TEST(unread_input_sends_no_signal) {
    static const char *const LINES[] = {"printf done", "head -c 100000 >/dev/null; printf done",
                                        "exec <&-; head -c 300000 /dev/zero >&2; printf done"};
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++)
        leave_input_unread(line_of("exec 2>/dev/null; %s", LINES[i])); /* SIGPIPE would end this process */
    signal(SIGPIPE, count_broken_pipe);
    leave_input_unread(LINES[0]);
    ck_assert_int_eq(broken_pipes, 0);
    sigset_t broken_pipe, mask;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    ck_assert(!sigismember(&mask, SIGPIPE));
    pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL);
    leave_input_unread(LINES[0]);
    ck_assert(!is_pending(SIGPIPE));
    raise(SIGPIPE);
    leave_input_unread(LINES[0]);
    ck_assert(is_pending(SIGPIPE)); /* the program's own is not taken away */
    pthread_sigmask(SIG_UNBLOCK, &broken_pipe, NULL);
    ck_assert_int_eq(broken_pipes, 1);
    signal(SIGPIPE, SIG_DFL);
}
END_TEST

/* The child sends it while its input is being written: it is the program's, and no write's. */
START_TEST(signal_from_outside_is_not_taken_away) {
    char *data = pattern_of(MUCH);
    signal(SIGPIPE, count_broken_pipe);
    at_popen *popen =
        open_command(SHELL("head -c 100000 >/dev/null; kill -PIPE $PPID; cat >/dev/null"), .stdin = AT_PIPE);
    ok(talk(popen, at_bytes(data, MUCH), BOUND, NULL, NULL));
    ck_assert_int_eq(close_command(popen), 0);
    await(broken_pipes == 1);
    signal(SIGPIPE, SIG_DFL);
    free(data);
}
END_TEST

/* ---- before and after */

START_TEST(after_the_end_it_says_the_same_again) {
    at_output out;
    at_popen *popen = open_command(SHELL("cat; exit 7"), .stdin = AT_PIPE, .stdout = AT_PIPE);
    ok(talk(popen, at_text("in"), BOUND, &out, NULL));
    for (int i = 0; i < 2; i++) {
        ok(talk(popen, AT_NO_INPUT, i, &out, NULL));
        expect_text(out.data, out.size, "in");
    }
    ck_assert_int_eq(close_command(popen), 7);
    popen = open_command(SHELL("printf '\\351'"), .stdout = AT_PIPE, .encoding = "latin1");
    for (int i = 0; i < 2; i++) {
        ok(talk(popen, AT_NO_INPUT, BOUND, &out, NULL));
        expect_text(out.data, out.size, "\u00e9");
    }
    ck_assert_int_eq(close_command(popen), 0);
}
END_TEST

START_TEST(end_that_was_handed_over_is_left_alone) {
    char text[8];
    at_output out, err;
    at_popen *popen = open_command(SHELL("echo out; echo err >&2"), .stdout = AT_PIPE, .stderr = AT_PIPE);
    int mine = ok(at_popen_detach(popen, STDOUT_FILENO));
    ok(talk(popen, AT_NO_INPUT, BOUND, &out, &err));
    ck_assert_ptr_null(out.data);
    expect_text(err.data, err.size, "err\n");
    ck_assert_int_eq(read(mine, text, sizeof text), 4);
    ck_assert_int_eq(close(mine), 0);
    ck_assert_int_eq(close_command(popen), 0);
}
END_TEST

/* ---- case 48: text, as far as communicate has it done */

START_TEST(what_is_no_text_is_an_error_and_kept) {
    at_output out;
    at_popen *popen = open_command(SHELL("printf 'a\\377\\r'"), .stdout = AT_PIPE, .text = true);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(talk(popen, AT_NO_INPUT, BOUND, &out, NULL), -EILSEQ);
        expect_text(out.data, out.size, "a\377\r");
    }
    ck_assert_int_eq(close_command(popen), 0);
    popen = open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE, .encoding = "latin1");
    ck_assert_int_eq(talk(popen, at_text("\u20ac"), BOUND, &out, NULL), -EILSEQ); /* latin1 has no euro */
    ok(at_popen_kill(popen));
    ck_assert_int_eq(close_command(popen), -SIGKILL);
    popen = open_command(SHELL("od -An -tx1"), .stdin = AT_PIPE, .stdout = AT_PIPE, .encoding = "latin1");
    ok(talk(popen, at_text("\u00e9"), BOUND, &out, NULL));
    expect_text(out.data, out.size, " e9\n");
    ck_assert_int_eq(close_command(popen), 0);
}
END_TEST

SUITE_WITH("subprocess_communicate", begin_commands, end_commands, output_is_what_is_a_pipe,
           nuls_and_newlines_pass_as_they_are, no_input_and_empty_input_close_stdin, input_needs_a_pipe,
           input_of_nothing_is_no_input, timeouts_are_numbers, megabytes_go_both_ways,
           one_output_does_not_hold_up_the_other, unread_input_sends_no_signal, signal_from_outside_is_not_taken_away,
           after_the_end_it_says_the_same_again, end_that_was_handed_over_is_left_alone,
           what_is_no_text_is_an_error_and_kept)
