/* test_subprocess_options.c: options that make no sense are named, and nothing is started; cases 44 and 46. */
#include "outcomes.h"

static at_completed done;

/* ---- a command that would leave a trace, had it been started */

static char folder[] = "/tmp/atelier-XXXXXX", trace[64], tracing[128];

static void lay_trap(void) {
    begin_commands();
    require(mkdtemp(folder) != NULL);
    snprintf(trace, sizeof trace, "%s/started", folder);
    snprintf(tracing, sizeof tracing, ": >%s", trace);
}

static void clear_trap(void) {
    require(access(trace, F_OK) != 0);
    require(rmdir(folder) == 0);
    end_commands();
}

#define TRACE AT_COMMAND(SHELL(tracing))

/* What a refusal has to say: the code, its stage, the option whose name is the failure's file, and another name. */
struct refusal {
    int code;
    at_stage stage;
    const char *option, *other;
};

static void expect_refusal(const at_command_failure *failure, int result, const struct refusal *refusal) {
    if (result != refusal->code || failure->code != refusal->code || failure->stage != refusal->stage)
        ck_abort_msg(".%s: %d at stage %d: %s", refusal->option, result, failure->stage, failure->text);
    ck_assert_str_eq(failure->file, refusal->option);
    if (strcmp(refusal->option, "args") != 0) /* which is not written as an option */
        expect_word(failure->text, line_of(".%s", refusal->option));
    if (refusal->other != NULL)
        expect_word(failure->text, refusal->other);
    expect_word(failure->text, "nothing was started");
}

/* Each call refuses what makes no sense; at_run stores that as its result, too, and at_popen_new no handle. */
static void refused_by_run(at_command command, at_subprocess_options options, struct refusal refusal) {
    at_command_failure failure;
    options.failure = &failure;
    options.completed = &done;
    int result = at_run_command(command, &options);
    expect_refusal(&failure, result, &refusal);
    require(memcmp(&failure, &done.failure, sizeof failure) == 0);
    require(done.returncode == AT_NO_RETURNCODE && done.stdout == NULL && done.stderr == NULL);
    require(!done.timed_out && !done.truncated);
    at_completed_free(&done);
    require(access(trace, F_OK) != 0);
}

static void refused_by_popen(at_command command, at_subprocess_options options, struct refusal refusal) {
    at_command_failure failure;
    at_popen *popen = (at_popen *)&failure;
    options.failure = &failure;
    options.completed = NULL;
    int result = at_popen_create(&popen, command, &options);
    expect_refusal(&failure, result, &refusal);
    require(popen == NULL);
    require(access(trace, F_OK) != 0);
}

static void refused(at_command command, at_subprocess_options options, struct refusal refusal) {
    refused_by_run(command, options, refusal);
    refused_by_popen(command, options, refusal);
}

#define OPTIONS(...) ((at_subprocess_options){__VA_ARGS__})
#define SENSELESS(...) ((struct refusal){-EINVAL, AT_STAGE_OPTIONS, __VA_ARGS__})

/* ---- case 44: two options of which only one can be given */

START_TEST(input_and_stdin_contradict_each_other) {
    const at_stream STREAMS[] = {AT_PIPE, AT_DEVNULL, at_descriptor(STDIN_FILENO), at_file(stdin)};
    for (size_t i = 0; i < sizeof STREAMS / sizeof *STREAMS; i++)
        refused_by_run(TRACE, OPTIONS(.input = at_text("in"), .stdin = STREAMS[i]), SENSELESS("input", ".stdin"));
    refused_by_run(TRACE, OPTIONS(.input = at_text(""), .stdin = AT_PIPE), SENSELESS("input", ".stdin"));
}
END_TEST

START_TEST(capture_output_and_the_outputs_contradict_each_other) {
    const at_stream STREAMS[] = {AT_PIPE, AT_DEVNULL, at_descriptor(STDOUT_FILENO), at_file(stdout)};
    for (size_t i = 0; i < sizeof STREAMS / sizeof *STREAMS; i++) {
        refused_by_run(TRACE, OPTIONS(.capture_output = true, .stdout = STREAMS[i]),
                       SENSELESS("capture_output", ".stdout"));
        refused_by_run(TRACE, OPTIONS(.capture_output = true, .stderr = STREAMS[i]),
                       SENSELESS("capture_output", ".stderr"));
    }
    refused_by_run(TRACE, OPTIONS(.capture_output = true, .stderr = AT_STDOUT), SENSELESS("capture_output", ".stderr"));
}
END_TEST

START_TEST(other_contradictions_name_both_options) {
    refused(TRACE, OPTIONS(.pass_fds = AT_FDS(STDERR_FILENO), .close_fds = AT_OFF),
            SENSELESS("pass_fds", ".close_fds"));
    refused(TRACE, OPTIONS(.start_new_session = true, .process_group = at_group(0)),
            SENSELESS("start_new_session", ".process_group"));
}
END_TEST

START_TEST(options_of_run_are_not_for_popen) {
    refused_by_popen(TRACE, OPTIONS(.input = at_text("")), SENSELESS("input", "at_popen_communicate"));
    refused_by_popen(TRACE, OPTIONS(.timeout = at_seconds(AT_FOREVER)), SENSELESS("timeout", "at_popen_wait"));
    refused_by_popen(TRACE, OPTIONS(.capture_output = true), SENSELESS("capture_output", "AT_PIPE"));
    refused_by_popen(TRACE, OPTIONS(.check = true), SENSELESS("check", "at_run"));
    at_command_failure failure;
    at_popen *popen = (at_popen *)&failure;
    int result = at_popen_new(&popen, SHELL(tracing), .completed = &done, .failure = &failure);
    expect_refusal(&failure, result, &SENSELESS("completed", "at_run"));
    ck_assert_ptr_null(popen);
}
END_TEST

START_TEST(check_output_captures_by_itself) {
    at_command_failure failure;
    char *output = tracing;
    ssize_t size = at_check_output(&output, SHELL(tracing), .stdout = AT_PIPE, .failure = &failure);
    expect_refusal(&failure, (int)size, &SENSELESS("stdout", "at_check_output"));
    ck_assert_ptr_null(output);
    output = tracing;
    size = at_check_output(&output, SHELL(tracing), .capture_output = true, .failure = &failure);
    expect_refusal(&failure, (int)size, &SENSELESS("capture_output", "at_check_output"));
    ck_assert_ptr_null(output);
}
END_TEST

/* ---- case 46: the command and its environment */

START_TEST(command_of_nothing_is_refused) {
    const char *const nothing[] = {NULL};
    refused(AT_COMMAND(nothing), OPTIONS(.shell = false), SENSELESS("args", "empty"));
    refused(AT_COMMAND((const char *)NULL), OPTIONS(.shell = false), SENSELESS("args", "empty"));
    refused(AT_COMMAND((char **)NULL), OPTIONS(.shell = true), SENSELESS("args", "empty"));
}
END_TEST

START_TEST(no_options_are_all_defaults) {
    at_popen *popen = NULL;
    char *output = tracing;
    ok(at_run_command(AT_COMMAND("true"), NULL));
    ok(at_popen_create(&popen, AT_COMMAND("true"), NULL));
    ck_assert_int_eq(close_command(popen), 0);
    ck_assert_int_eq(ok((int)at_check_output_of(&output, AT_COMMAND(AT_ARGS("echo", "out")), NULL)), 4);
    ck_assert_str_eq(output, "out\n");
    free(output);
}
END_TEST

START_TEST(nul_in_an_argument_is_refused) {
    const size_t first[] = {3, 2}, second[] = {6, 3}, cut[] = {4, 2};
    refused(AT_COMMAND(AT_ARGS("a\0b", "cd")), OPTIONS(.arg_sizes = first), SENSELESS("args", "argument 0"));
    refused(AT_COMMAND(AT_ARGS("abcdef", "c\0d")), OPTIONS(.arg_sizes = second), SENSELESS("args", "argument 1"));
    refused(AT_COMMAND("a\0b"), OPTIONS(.arg_sizes = first, .shell = true), SENSELESS("args", "NUL"));
    ok(ran(AT_ARGS("echo no end", "42 and more"), .arg_sizes = cut, .stdout = AT_PIPE)); /* sizes are kept to */
    expect_stdout("42\n");
    ck_assert_str_eq(done.args[0], "echo");
    ck_assert_str_eq(done.args[1], "42");
    at_completed_free(&done);
}
END_TEST

START_TEST(variable_that_cannot_be_is_refused) {
    static const struct {
        at_variable variable;
        size_t sizes[2];
        const char *why;
    } BAD[] = {
        {{"A=B", "c"}, {3, 1}, "'='"},
        {{"=", "c"}, {1, 1}, "'='"},
        {{"", "c"}, {0, 1}, "no name"},
        {{NULL, "c"}, {0, 1}, "no name"},
        {{"A", NULL}, {1, 0}, "no value"},
        {{"A\0B", "c"}, {3, 1}, "NUL in its name"},
        {{"A", "c\0d"}, {1, 3}, "NUL in its value"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        const at_variable variables[] = {{"GOOD", "x"}, BAD[i].variable, {"LAST", "y"}};
        const size_t sizes[] = {4, 1, BAD[i].sizes[0], BAD[i].sizes[1], 4, 1};
        at_environment environment = at_env(variables, 3);
        environment.sizes = sizes;
        refused(TRACE, OPTIONS(.env = environment), SENSELESS("env", BAD[i].why));
        refused(TRACE, OPTIONS(.env = environment), SENSELESS("env", "variable 1"));
        environment.sizes = NULL; /* without sizes each ends at its NUL */
        if (strstr(BAD[i].why, "NUL") == NULL)
            refused(TRACE, OPTIONS(.env = environment), SENSELESS("env", BAD[i].why));
    }
}
END_TEST

/* ---- values that make no sense */

START_TEST(nothing_is_not_some) {
    refused(TRACE, OPTIONS(.env = at_env(NULL, 2)), SENSELESS("env", "NULL"));
    refused(TRACE, OPTIONS(.pass_fds = at_fds(NULL, 2)), SENSELESS("pass_fds", "NULL"));
    refused_by_run(TRACE, OPTIONS(.input = at_bytes(NULL, 5)), SENSELESS("input", "NULL"));
}
END_TEST

START_TEST(streams_must_be_some) {
    const at_stream no_kind = {.kind = (at_stream_kind)77}, below = {.kind = (at_stream_kind)-1};
    FILE *memory = fmemopen(folder, sizeof folder, "r"); /* it has no descriptor */
    const at_stream SENSELESS_STREAMS[] = {no_kind, below, at_file(NULL), at_file(memory)};
    for (size_t i = 0; i < sizeof SENSELESS_STREAMS / sizeof *SENSELESS_STREAMS; i++) {
        at_stream stream = SENSELESS_STREAMS[i];
        refused(TRACE, OPTIONS(.stdin = stream), SENSELESS("stdin", NULL));
        refused(TRACE, OPTIONS(.stdout = stream), SENSELESS("stdout", NULL));
        refused(TRACE, OPTIONS(.stderr = stream), SENSELESS("stderr", NULL));
    }
    fclose(memory);
    refused(TRACE, OPTIONS(.stdin = AT_STDOUT), SENSELESS("stdin", "AT_STDOUT"));
    refused(TRACE, OPTIONS(.stdout = AT_STDOUT), SENSELESS("stdout", "AT_STDOUT"));
}
END_TEST

START_TEST(descriptors_must_be_open) {
    static const int CLOSED[] = {-1, -100, 999, INT_MAX};
    for (size_t i = 0; i < sizeof CLOSED / sizeof *CLOSED; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", CLOSED[i]);
        at_stream stream = at_descriptor(CLOSED[i]);
        refused(TRACE, OPTIONS(.stdin = stream), (struct refusal){-EBADF, AT_STAGE_STREAMS, "stdin", number});
        refused(TRACE, OPTIONS(.stdout = stream), (struct refusal){-EBADF, AT_STAGE_STREAMS, "stdout", number});
        refused(TRACE, OPTIONS(.stderr = stream), (struct refusal){-EBADF, AT_STAGE_STREAMS, "stderr", number});
        refused(TRACE, OPTIONS(.pass_fds = AT_FDS(STDERR_FILENO, CLOSED[i])),
                (struct refusal){-EBADF, AT_STAGE_DESCRIPTORS, "pass_fds", number});
    }
}
END_TEST

START_TEST(seconds_must_be_a_number) {
    const double nan = __builtin_nan("");
    const struct refusal huge = {-EOVERFLOW, AT_STAGE_OPTIONS, "timeout", NULL};
    refused_by_run(TRACE, OPTIONS(.timeout = at_seconds(nan)), SENSELESS("timeout", NULL));
    refused_by_run(TRACE, OPTIONS(.timeout = at_seconds(AT_TIMEOUT_MAX * 2)), huge);
    refused(TRACE, OPTIONS(.drain = at_seconds(nan)), SENSELESS("drain", NULL));
    refused(TRACE, OPTIONS(.drain = at_seconds(-1)), SENSELESS("drain", NULL));
    refused(TRACE, OPTIONS(.drain = at_seconds(-AT_FOREVER)), SENSELESS("drain", NULL));
    refused(TRACE, OPTIONS(.drain = at_seconds(1e300)), (struct refusal){-EOVERFLOW, AT_STAGE_OPTIONS, "drain", NULL});
}
END_TEST

START_TEST(groups_and_masks_must_be_in_range) {
    static const long GROUPS[] = {-1, LONG_MIN, (long)INT_MAX + 1}, MASKS[] = {-1, 01000, LONG_MAX, LONG_MIN};
    for (size_t i = 0; i < sizeof GROUPS / sizeof *GROUPS; i++)
        refused(TRACE, OPTIONS(.process_group = {true, GROUPS[i]}), SENSELESS("process_group", NULL));
    for (size_t i = 0; i < sizeof MASKS / sizeof *MASKS; i++)
        refused(TRACE, OPTIONS(.umask = {true, MASKS[i]}), SENSELESS("umask", "0777"));
}
END_TEST

START_TEST(encodings_must_be_known) {
    refused(TRACE, OPTIONS(.encoding = "no-such-code"), SENSELESS("encoding", "no-such-code"));
    refused(TRACE, OPTIONS(.errors = "surrogateescape"), SENSELESS("errors", "surrogateescape"));
    refused(TRACE, OPTIONS(.text = true, .encoding = ""), SENSELESS("encoding", "iconv"));
    refused(TRACE, OPTIONS(.errors = "surrogateescape"), SENSELESS("errors", "surrogateescape"));
    refused(TRACE, OPTIONS(.text = true, .errors = "loud"), SENSELESS("errors", NULL));
    refused(TRACE, OPTIONS(.universal_newlines = true, .errors = ""), SENSELESS("errors", NULL));
}
END_TEST

SUITE_WITH("subprocess_options", lay_trap, clear_trap, input_and_stdin_contradict_each_other,
           capture_output_and_the_outputs_contradict_each_other, other_contradictions_name_both_options,
           options_of_run_are_not_for_popen, check_output_captures_by_itself, command_of_nothing_is_refused,
           no_options_are_all_defaults, nul_in_an_argument_is_refused, variable_that_cannot_be_is_refused,
           nothing_is_not_some, streams_must_be_some, descriptors_must_be_open, seconds_must_be_a_number,
           groups_and_masks_must_be_in_range, encodings_must_be_known)
