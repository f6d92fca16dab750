/* test_subprocess_run.c: at_run: how a command ended, what it wrote; semantics cases 42, 43, 47, 49 and 50. */
#include "outcomes.h"

static at_completed done;

/* ---- how it ended: case 42 */

START_TEST(return_code_is_the_exit_code_or_minus_the_signal) {
    static const int CODES[] = {0, 1, 3, 126, 127, 137, 255}, SIGNALS[] = {SIGHUP, SIGKILL, SIGTERM, SIGUSR1, 37};
    for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++) {
        require(ran(SHELL(line_of("exit %d", CODES[i])), .stdin = AT_DEVNULL) == 0);
        require(done.returncode == CODES[i] && !done.timed_out && !done.truncated);
        expect_no_failure(&done.failure);
        at_completed_free(&done);
    }
    for (size_t i = 0; i < sizeof SIGNALS / sizeof *SIGNALS; i++) {
        require(ran(SHELL(line_of("kill -%d $$", SIGNALS[i])), .stdin = AT_DEVNULL) == 0);
        require(done.returncode == -SIGNALS[i]);
        expect_no_failure(&done.failure);
        at_completed_free(&done);
    }
}
END_TEST

static const struct {
    const char *line;
    int returncode;
    const char *text;
} FAILING[] = {
    {"printf out; printf err >&2; exit 3", 3, "returned non-zero exit status 3"},
    {"printf out; printf err >&2; kill -KILL $$", -SIGKILL, "died with SIGKILL (9)"},
    {"printf out; printf err >&2; kill -TERM $$", -SIGTERM, "died with SIGTERM (15)"},
    {"printf out; printf err >&2; kill -37 $$", -37, "died with unknown signal 37"},
};
enum { FAILING_COUNT = sizeof FAILING / sizeof *FAILING };

static void assert_failed(const at_command_failure *failure, const char *text) {
    require(failure->code == AT_ECOMMAND && failure->stage == AT_STAGE_RUN);
    expect_word(failure->text, "sh");
    expect_word(failure->text, text);
}

static void assert_all_kept(size_t i) {
    require(done.returncode == FAILING[i].returncode);
    expect_stdout("out");
    expect_stderr("err");
    require(strcmp(done.args[2], FAILING[i].line) == 0 && done.args[3] == NULL);
}

START_TEST(check_makes_an_error_of_failure_and_keeps_all) {
    for (size_t i = 0; i < FAILING_COUNT; i++) {
        at_command_failure failure = {0};
        require(captured(SHELL(FAILING[i].line), .check = true, .failure = &failure) == AT_ECOMMAND);
        assert_all_kept(i);
        assert_failed(&done.failure, FAILING[i].text);
        assert_failed(&failure, FAILING[i].text);
        at_completed_free(&done);
    }
    ok(ran(SHELL("exit 0"), .check = true));
    expect_no_failure(&done.failure);
    at_completed_free(&done);
}
END_TEST

START_TEST(check_can_be_made_later) {
    for (size_t i = 0; i < FAILING_COUNT; i++) {
        ok(captured(SHELL(FAILING[i].line)));
        expect_no_failure(&done.failure);
        require(at_completed_check(&done) == AT_ECOMMAND);
        assert_failed(&done.failure, FAILING[i].text);
        assert_all_kept(i);
        at_completed_free(&done);
    }
    ok(ran(SHELL("exit 0")));
    ok(at_completed_check(&done));
    expect_no_failure(&done.failure);
    at_completed_free(&done);
}
END_TEST

START_TEST(failure_names_the_command_as_one_would_type_it) {
    char longest[2000];
    ck_assert_int_eq(ran(AT_ARGS("sh", "-c", "exit 3", "it's", "", "a-b=c"), .check = true), AT_ECOMMAND);
    ck_assert_str_eq(done.failure.text, "command sh -c 'exit 3' 'it'\\''s' '' a-b=c: returned non-zero exit status 3");
    at_completed_free(&done);
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    ck_assert_int_eq(ran(AT_ARGS("sh", "-c", "exit 3", longest), .check = true), AT_ECOMMAND);
    expect_word(done.failure.text, "command sh -c 'exit 3' xxx");
    expect_word(done.failure.text, "...: returned non-zero exit status 3");
    at_completed_free(&done);
}
END_TEST

/* ---- what it wrote: case 43 */

START_TEST(not_captured_is_null_and_captured_nothing_is_empty) {
    ok(ran(SHELL(":")));
    require(done.stdout == NULL && done.stderr == NULL && done.stdout_size == 0 && done.stderr_size == 0);
    at_completed_free(&done);
    ok(captured(SHELL(":")));
    expect_stdout("");
    expect_stderr("");
    at_completed_free(&done);
    ok(ran(SHELL("echo out; echo err >&2"), .stdout = AT_PIPE, .stderr = AT_DEVNULL));
    expect_stdout("out\n");
    require(done.stderr == NULL);
    at_completed_free(&done);
    ok(ran(SHELL("echo out; echo err >&2"), .stdout = AT_DEVNULL, .stderr = AT_PIPE));
    expect_stderr("err\n");
    require(done.stdout == NULL);
    at_completed_free(&done);
}
END_TEST

START_TEST(stderr_joins_stdout_in_order) {
    ok(ran(SHELL("echo 1; echo 2 >&2; echo 3; echo 4 >&2"), .stdout = AT_PIPE, .stderr = AT_STDOUT));
    expect_stdout("1\n2\n3\n4\n");
    require(done.stderr == NULL);
    at_completed_free(&done);
}
END_TEST

START_TEST(nothing_is_read_from_no_input) {
    ok(captured(AT_ARGS("cat"), .stdin = AT_DEVNULL));
    expect_stdout("");
    at_completed_free(&done);
    ok(captured(AT_ARGS("cat"), .input = at_text("")));
    expect_stdout("");
    at_completed_free(&done);
    ok(captured(AT_ARGS("cat"), .stdin = AT_PIPE)); /* which at_run closes, as there is no input for it */
    expect_stdout("");
    at_completed_free(&done);
}
END_TEST

START_TEST(input_is_bytes) {
    ok(captured(AT_ARGS("cat"), .input = at_text("two\nlines")));
    expect_stdout("two\nlines");
    at_completed_free(&done);
    ok(captured(AT_ARGS("cat"), .input = at_bytes("a\0\xff\r\n", 5)));
    expect_bytes(done.stdout, done.stdout_size, "a\0\xff\r\n", 5);
    at_completed_free(&done);
    ok(ran(SHELL("read -r word; exit $word"), .input = at_text("7\n"))); /* nothing need be captured */
    require(done.returncode == 7 && done.stdout == NULL);
    at_completed_free(&done);
}
END_TEST

START_TEST(both_outputs_are_kept_whole) {
    enum { SIZE = 1 << 20 };
    ok(captured(SHELL("head -c 1048576 /dev/zero; head -c 1048577 /dev/zero | tr '\\0' x >&2"), .check = true));
    require(done.stdout_size == SIZE && done.stderr_size == SIZE + 1 && strlen(done.stderr) == SIZE + 1);
    for (size_t i = 0; i < SIZE; i++)
        require(done.stdout[i] == '\0' && done.stderr[i] == 'x');
    at_completed_free(&done);
}
END_TEST

/* Case 49; Check's own process would die by SIGPIPE. */
START_TEST(unread_input_is_no_error) {
    enum { SIZE = 4 << 20 };
    char *data = pattern_of(SIZE);
    ok(captured(SHELL("printf early; exit 0"), .input = at_bytes(data, SIZE), .check = true));
    expect_stdout("early");
    at_completed_free(&done);
    ok(ran(SHELL("head -c 3 >/dev/null; exit 5"), .input = at_bytes(data, SIZE)));
    require(done.returncode == 5);
    at_completed_free(&done);
    free(data);
}
END_TEST

/* ---- the command, in all its forms: case 47 */

START_TEST(command_is_a_vector_or_a_line) {
    char word[] = "echo", name[] = "true";
    char *argv[] = {word, name, NULL};
    const char *const_argv[] = {"echo", "", "two words", NULL};
    ok(captured(argv));
    expect_stdout("true\n");
    at_completed_free(&done);
    ok(captured(const_argv));
    expect_stdout(" two words\n");
    strcpy(word, "gone"); /* what the result holds are copies */
    require(strcmp(done.args[0], "echo") == 0 && strcmp(done.args[1], "") == 0);
    require(strcmp(done.args[2], "two words") == 0 && done.args[3] == NULL);
    require(done.args[2] != const_argv[2]);
    at_completed_free(&done);
    ok(ran(name, .check = true)); /* a line that is no const is one, too */
    require(strcmp(done.args[0], "true") == 0 && done.args[1] == NULL);
    at_completed_free(&done);
    require(ran("true false") == -ENOENT); /* a name, not a line for the shell */
    at_completed_free(&done);
}
END_TEST

START_TEST(shell_runs_a_line_and_names_its_arguments) {
    ok(captured("echo $((20 + 3)) | tr 2 4; exit 6", .shell = true));
    expect_stdout("43\n");
    require(done.returncode == 6);
    require(strcmp(done.args[0], "echo $((20 + 3)) | tr 2 4; exit 6") == 0 && done.args[1] == NULL);
    at_completed_free(&done);
    ok(captured(AT_ARGS("echo $0 $1 $#", "a", "b"), .shell = true));
    expect_stdout("a b 1\n");
    require(strcmp(done.args[2], "b") == 0 && done.args[3] == NULL);
    at_completed_free(&done);
    ok(captured("no-such-command-here", .shell = true)); /* case 45: the shell's own failure */
    require(done.returncode == 127 && strstr(done.stderr, "no-such-command-here") != NULL);
    at_completed_free(&done);
}
END_TEST

START_TEST(executable_takes_the_place_of_the_first_argument) {
    ok(captured(AT_ARGS("painter", "-c", "echo $0"), .executable = "/bin/sh"));
    expect_stdout("painter\n");
    require(strcmp(done.args[0], "painter") == 0);
    at_completed_free(&done);
    ok(captured("a line", .shell = true, .executable = "/bin/echo")); /* another shell, of a sort */
    expect_stdout("-c a line\n");
    at_completed_free(&done);
}
END_TEST

/* ---- too long: case 50 */

START_TEST(timeout_kills_and_reaps_and_keeps_what_was_written) {
    bool written = false;
    for (double patience = 0.1; !written; patience *= 2) {
        at_command_failure failure;
        double begin = at_now();
        require(captured("printf 'BDFL\\r'; printf err >&2; sleep 1000; echo late", .shell = true, .text = true,
                         .check = true, .timeout = at_seconds(patience), .failure = &failure) == -ETIMEDOUT);
        double took = at_now() - begin;
        require(took >= patience && took < BOUND);
        require(count_children() == 0);
        require(done.timed_out && !done.truncated && done.returncode == -SIGKILL);
        require(done.failure.code == -ETIMEDOUT && done.failure.stage == AT_STAGE_RUN);
        require(memcmp(&done.failure, &failure, sizeof failure) == 0);
        expect_word(failure.text, line_of("not ended after %g s", patience));
        require(patience < BOUND / 4);
        written = done.stdout_size > 0 && done.stderr_size > 0; /* not yet, on a machine that is very busy */
        if (written) {
            expect_stdout("BDFL\r"); /* as it was written */
            expect_stderr("err");
        }
        at_completed_free(&done);
    }
}
END_TEST

START_TEST(timeout_that_does_not_pass_changes_nothing) {
    static const double TIMES[] = {BOUND, 1e9, AT_FOREVER};
    for (size_t i = 0; i < sizeof TIMES / sizeof *TIMES; i++) {
        ok(captured(SHELL("cat; exit 2"), .input = at_text("in"), .timeout = at_seconds(TIMES[i])));
        require(done.returncode == 2 && !done.timed_out);
        expect_stdout("in");
        at_completed_free(&done);
    }
    static const double POLLS[] = {0, -1, -0.0, -AT_FOREVER};
    for (size_t i = 0; i < sizeof POLLS / sizeof *POLLS; i++) {
        require(ran(SHELL("sleep 1000"), .timeout = at_seconds(POLLS[i])) == -ETIMEDOUT);
        require(done.timed_out && done.returncode == -SIGKILL && done.stdout == NULL);
        expect_word(done.failure.text, "not ended after 0 s");
        at_completed_free(&done);
    }
}
END_TEST

/* ---- the result */

START_TEST(completed_is_given_back_once_or_never) {
    at_completed empty = {0};
    at_completed_free(NULL);
    at_completed_free(&empty);
    ok(captured(SHELL("echo out")));
    at_completed_free(&done);
    require(done.args == NULL && done.stdout == NULL && done.stderr == NULL && done.stdout_size == 0);
    at_completed_free(&done);
    ok(at_run(SHELL("echo out"), .capture_output = true)); /* nobody asked for it */
}
END_TEST

SUITE_WITH("subprocess_run", begin_commands, end_commands, return_code_is_the_exit_code_or_minus_the_signal,
           check_makes_an_error_of_failure_and_keeps_all, check_can_be_made_later,
           failure_names_the_command_as_one_would_type_it, not_captured_is_null_and_captured_nothing_is_empty,
           stderr_joins_stdout_in_order, nothing_is_read_from_no_input, input_is_bytes, both_outputs_are_kept_whole,
           unread_input_is_no_error, command_is_a_vector_or_a_line, shell_runs_a_line_and_names_its_arguments,
           executable_takes_the_place_of_the_first_argument, timeout_kills_and_reaps_and_keeps_what_was_written,
           timeout_that_does_not_pass_changes_nothing, completed_is_given_back_once_or_never)
