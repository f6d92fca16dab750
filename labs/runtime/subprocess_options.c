/* subprocess_options.c: which options of subprocess make sense, alone and together. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "error.h"
#include "subprocess_internal.h"
#include "wait.h"

/* Two options of which only one can be given. */
static int conflict(at_command_failure *failure, const char *one, const char *other) {
    return failure_set(failure, -EINVAL, AT_STAGE_OPTIONS, NULL, one,
                       ".%s and .%s contradict each other; give one of them (nothing was started)", one, other);
}

/* One option that makes no sense, and what it should be. */
static int mistake(at_command_failure *failure, const char *option, const char *what) {
    return failure_set(failure, -EINVAL, AT_STAGE_OPTIONS, NULL, option, ".%s: %s (nothing was started)", option, what);
}

static bool is_given(at_stream stream) {
    return stream.kind != AT_STREAM_INHERIT;
}

/* at_run's own options, where another call would ignore them. */
static int check_call(enum subprocess_call call, const at_subprocess_options *options, at_command_failure *failure) {
    static const char WRONG_CALL[] = "is for at_run";
    if (call == CALL_CHECK_OUTPUT && is_given(options->stdout))
        return mistake(failure, "stdout", "at_check_output captures it; use at_run to send it elsewhere");
    if (call == CALL_CHECK_OUTPUT && options->capture_output)
        return mistake(failure, "capture_output", "at_check_output captures stdout; say .stderr = AT_STDOUT for both");
    if (call != CALL_POPEN)
        return 0;
    if (options->input.given)
        return mistake(failure, "input", "is for at_run; give it to at_popen_communicate");
    if (options->timeout.given)
        return mistake(failure, "timeout", "is for at_run; give it to at_popen_wait or at_popen_communicate");
    if (options->capture_output)
        return mistake(failure, "capture_output", "is for at_run; say .stdout = AT_PIPE, .stderr = AT_PIPE");
    if (options->check)
        return mistake(failure, "check", WRONG_CALL);
    if (options->completed != NULL)
        return mistake(failure, "completed", WRONG_CALL);
    return 0;
}

static int check_stream(at_stream stream, const char *name, at_command_failure *failure) {
    if (stream.kind < AT_STREAM_INHERIT || stream.kind > AT_STREAM_FILE)
        return mistake(failure, name, "no such kind; AT_PIPE, AT_DEVNULL, at_descriptor(...) or at_file(...)");
    if (stream.kind == AT_STREAM_FILE && (stream.file == NULL || fileno(stream.file) < 0))
        return mistake(failure, name, "a FILE without a descriptor; give it an open one");
    if (stream.kind == AT_STREAM_DESCRIPTOR && fcntl(stream.descriptor, F_GETFD) < 0)
        return failure_set(failure, -EBADF, AT_STAGE_STREAMS, NULL, name,
                           ".%s: descriptor %d is not open (nothing was started)", name, stream.descriptor);
    return 0;
}

static int check_streams(enum subprocess_call call, const at_subprocess_options *options, at_command_failure *failure) {
    bool is_stdout_inherited = !is_given(options->stdout) && !options->capture_output && call != CALL_CHECK_OUTPUT;
    if (options->input.given && is_given(options->stdin))
        return conflict(failure, "input", "stdin");
    if (options->capture_output && is_given(options->stdout))
        return conflict(failure, "capture_output", "stdout");
    if (options->capture_output && is_given(options->stderr))
        return conflict(failure, "capture_output", "stderr");
    if (options->stdin.kind == AT_STREAM_STDOUT)
        return mistake(failure, "stdin", "AT_STDOUT is for .stderr; give it AT_PIPE or something to read");
    if (options->stdout.kind == AT_STREAM_STDOUT)
        return mistake(failure, "stdout", "AT_STDOUT is for .stderr; give it AT_PIPE or something to write to");
    if (options->input.given && options->input.data == NULL && options->input.size > 0)
        return mistake(failure, "input", "NULL of more than 0 bytes");
    if (options->stderr.kind == AT_STREAM_STDOUT && is_stdout_inherited && fcntl(STDOUT_FILENO, F_GETFD) < 0)
        return failure_set(failure, -EBADF, AT_STAGE_STREAMS, NULL, "stderr",
                           ".stderr: stdout, where it is to go, is not open (nothing was started)");
    int error = check_stream(options->stdin, "stdin", failure);
    if (error == 0)
        error = check_stream(options->stdout, "stdout", failure);
    if (error == 0)
        error = check_stream(options->stderr, "stderr", failure);
    return error;
}

static int check_descriptors(const at_subprocess_options *options, at_command_failure *failure) {
    if (options->pass_fds.count > 0 && options->pass_fds.list == NULL)
        return mistake(failure, "pass_fds", "NULL of more than 0 descriptors");
    if (options->pass_fds.count > 0 && options->close_fds.off)
        return conflict(failure, "pass_fds", "close_fds");
    for (size_t i = 0; i < options->pass_fds.count; i++)
        if (fcntl(options->pass_fds.list[i], F_GETFD) < 0)
            return failure_set(failure, -EBADF, AT_STAGE_DESCRIPTORS, NULL, "pass_fds",
                               ".pass_fds: descriptor %d is not open (nothing was started)", options->pass_fds.list[i]);
    return 0;
}

static int check_seconds(at_optional_seconds seconds, enum negative_timeout negative, const char *name,
                         at_command_failure *failure) {
    struct deadline unused;
    int error = seconds.given ? deadline_after(seconds.value, negative, &unused) : 0;
    if (error == 0)
        return 0;
    return failure_set(failure, error, AT_STAGE_OPTIONS, NULL, name, ".%s: %s (nothing was started)", name,
                       error == -EINVAL ? "not a number of seconds" : at_strerror(error));
}

int options_check(enum subprocess_call call, const at_subprocess_options *options, at_command_failure *failure) {
    int error = check_call(call, options, failure);
    if (error == 0)
        error = check_streams(call, options, failure);
    if (error == 0)
        error = check_descriptors(options, failure);
    if (error == 0)
        error = check_seconds(options->timeout, NEGATIVE_POLLS, "timeout", failure);
    if (error == 0)
        error = check_seconds(options->drain, NEGATIVE_IS_AN_ERROR, "drain", failure);
    if (error != 0)
        return error;
    if (options->start_new_session && options->process_group.given)
        return conflict(failure, "start_new_session", "process_group");
    if (options->process_group.given && (options->process_group.value < 0 || options->process_group.value > INT_MAX))
        return mistake(failure, "process_group", "not a process group; at_group(0) makes one of its own");
    if (options->env.count > 0 && options->env.variables == NULL)
        return mistake(failure, "env", "NULL of more than 0 variables");
    if (options->umask.given && (options->umask.value < 0 || options->umask.value > 0777))
        return mistake(failure, "umask", "not from 0 to 0777");
    return 0;
}
