/* test_subprocess_output.c: at_check_output, at_getoutput and at_getstatusoutput: a command for its output alone. */
#include "outcomes.h"

static at_completed done;

static char NOTHING[] = "nothing has been stored";

START_TEST(check_output_returns_what_was_written) {
    char *output = NOTHING;
    ck_assert_int_eq(ok((int)at_check_output(&output, SHELL("printf 'a\\0b'; echo err >&2"), .stderr = AT_DEVNULL)), 3);
    expect_bytes(output, 3, "a\0b", 3);
    free(output);
    ck_assert_int_eq(ok((int)at_check_output(&output, SHELL(":"), .text = true)), 0);
    expect_text(output, 0, "");
    free(output);
    ck_assert_int_eq(
        ok((int)at_check_output(&output, SHELL("cat; echo err >&2"), .input = at_text("in"), .stderr = AT_STDOUT)), 6);
    expect_text(output, 6, "inerr\n");
    free(output);
}
END_TEST

/* The output is stored in one place only, so that it is freed once. */
START_TEST(check_output_leaves_none_in_the_result) {
    char *output = NOTHING;
    ck_assert_int_eq(
        ok((int)at_check_output(&output, SHELL("echo out; echo err >&2"), .stderr = AT_PIPE, .completed = &done)), 4);
    expect_text(output, 4, "out\n");
    ck_assert_ptr_null(done.stdout);
    ck_assert_uint_eq(done.stdout_size, 0);
    expect_stderr("err\n");
    at_completed_free(&done);
    free(output);
}
END_TEST

START_TEST(check_output_that_fails_stores_nothing_but_how) {
    at_command_failure failure;
    char *output = NOTHING;
    ck_assert_int_eq((int)at_check_output(&output, SHELL("echo lost; exit 3"), .failure = &failure), AT_ECOMMAND);
    ck_assert_ptr_null(output);
    ck_assert_int_eq(failure.code, AT_ECOMMAND);
    expect_word(failure.text, "returned non-zero exit status 3");
    output = NOTHING;
    ck_assert_int_eq((int)at_check_output(&output, SHELL("printf kept; exit 4"), .completed = &done), AT_ECOMMAND);
    ck_assert_ptr_null(output);
    expect_stdout("kept"); /* CalledProcessError.output */
    ck_assert_int_eq(done.returncode, 4);
    at_completed_free(&done);
    output = NOTHING;
    ck_assert_int_eq((int)at_check_output(&output, AT_ARGS("/no/such/program"), .failure = &failure), -ENOENT);
    ck_assert_ptr_null(output);
    ck_assert_str_eq(failure.file, "/no/such/program");
}
END_TEST

START_TEST(getoutput_strips_one_newline) {
    static const struct {
        const char *line, *output;
        int returncode;
    } LINES[] = {
        {"echo hello", "hello", 0},
        {"printf 'a\\n\\n'", "a\n", 0},
        {"printf 'a\\r\\nb\\r\\n'", "a\nb", 0},
        {":", "", 0},
        {"echo", "", 0},
        {"echo out; echo err >&2; exit 3", "out\nerr", 3},
        {"printf x; kill -TERM $$", "x", -SIGTERM},
    };
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        char *output = NOTHING;
        int returncode = -1000;
        ok(at_getstatusoutput(&returncode, &output, LINES[i].line));
        require(returncode == LINES[i].returncode && strcmp(output, LINES[i].output) == 0);
        free(output);
        ok(at_getoutput(&output, LINES[i].line));
        require(strcmp(output, LINES[i].output) == 0);
        free(output);
    }
    char *output = NOTHING;
    ck_assert_int_eq(at_getoutput(&output, "printf '\\377'"), -EILSEQ);
    ck_assert_ptr_null(output);
    output = NOTHING;
    ck_assert_int_eq(at_getstatusoutput(NULL, &output, NULL), -EINVAL);
    ck_assert_ptr_null(output);
}
END_TEST

SUITE_WITH("subprocess_output", begin_commands, end_commands, check_output_returns_what_was_written,
           check_output_leaves_none_in_the_result, check_output_that_fails_stores_nothing_but_how,
           getoutput_strips_one_newline)
