/* subprocess_run.c: a command from its start to its end, in one call; see subprocess.h. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "subprocess_internal.h"

static const at_subprocess_options DEFAULTS;

/* ---- how it went */

static void explain_status(at_completed *completed) {
    int code = completed->returncode;
    const char *name = code < 0 ? sigabbrev_np(-code) : NULL;
    if (code > 0)
        failure_set(&completed->failure, AT_ECOMMAND, AT_STAGE_RUN, completed->args, "",
                    "returned non-zero exit status %d", code);
    else if (name != NULL)
        failure_set(&completed->failure, AT_ECOMMAND, AT_STAGE_RUN, completed->args, "", "died with SIG%s (%d)", name,
                    -code);
    else
        failure_set(&completed->failure, AT_ECOMMAND, AT_STAGE_RUN, completed->args, "", "died with unknown signal %d",
                    -code);
}

int at_completed_check(at_completed *completed) {
    if (completed->returncode == 0)
        return 0;
    if (completed->returncode == AT_NO_RETURNCODE)
        return completed->failure.code != 0 ? completed->failure.code : -ECHILD;
    explain_status(completed);
    return AT_ECOMMAND;
}

void at_completed_free(at_completed *completed) {
    if (completed == NULL)
        return;
    free(completed->args);
    free(completed->stdout);
    free(completed->stderr);
    *completed = (at_completed){.returncode = AT_NO_RETURNCODE};
}

/* Takes what was captured, and leaves the handle without it. */
static void hand_over(at_popen *popen, int i, char **data, size_t *size) {
    struct capture *capture = &popen->captures[i];
    if (capture->data == NULL)
        return;
    char *shrunk = realloc(capture->data, capture->size + 1);
    *data = shrunk != NULL ? shrunk : capture->data;
    *size = capture->size;
    capture->data = NULL;
}

/* ---- the run */

/* What at_run makes of the streams that are asked for. */
static void choose_streams(enum subprocess_call call, const at_subprocess_options *options, at_stream streams[3]) {
    streams[0] = options->input.given ? AT_PIPE : options->stdin;
    streams[1] = options->capture_output || call == CALL_CHECK_OUTPUT ? AT_PIPE : options->stdout;
    streams[2] = options->capture_output ? AT_PIPE : options->stderr;
}

/*
 * It and all of its group end now, and what they wrote is read; the input's rest has no reader any more. A negative
 * code when it is not ours to kill, and then nobody waits for it.
 */
static int end_it(at_popen *popen) {
    if (popen->leads_group && at_popen_signal_group(popen, SIGKILL) != 0)
        popen->leads_group = false;   /* some of it may live on: it is not said to be gone */
    int error = at_popen_kill(popen); /* it may have left its group; and only its own end is waited for */
    popen_close_end(popen, 0);
    if (error != 0)
        return error;
    if (popen->drain > DRAIN)
        popen->drain = DRAIN; /* who has waited for a timeout does not wait for strangers */
    return communicate_exchange(popen, &NEVER);
}

/* From its start to its end: 0, or the negative code that the failure now explains. */
static int see_through(at_popen *popen, const at_subprocess_options *options, at_completed *completed, bool *goes_on) {
    struct deadline deadline = NEVER;
    at_command_failure *failure = &completed->failure;
    if (options->timeout.given)
        deadline_after(options->timeout.value, NEGATIVE_POLLS, &deadline);
    int error = communicate_begin(popen);
    if (error == 0)
        error = communicate_exchange(popen, &deadline);
    if (error == -ETIMEDOUT && popen->has_ended) { /* it was in time, but not those who hold its pipes */
        popen->drained = deadline;
        error = communicate_exchange(popen, &deadline);
    }
    completed->timed_out = error == -ETIMEDOUT;
    if (error != 0) {
        *goes_on = end_it(popen) == -EPERM;
        const char *end = *goes_on             ? "it may not be killed, as it runs as another user, and goes on"
                          : popen->leads_group ? "it was killed with its process group"
                                               : "it was killed";
        if (error == -ETIMEDOUT)
            failure_set(failure, error, AT_STAGE_RUN, popen->args, "", "not ended after %g s; %s",
                        options->timeout.value > 0 ? options->timeout.value : 0, end);
        else
            failure_set(failure, error, AT_STAGE_OUTPUT, popen->args, "", "%s; %s", at_strerror(error), end);
    } else if ((error = communicate_finish(popen)) == -EILSEQ) {
        popen_explain_text(popen, failure);
    } else if (error != 0) {
        failure_set(failure, error, AT_STAGE_OUTPUT, popen->args, "", "%s", at_strerror(error));
    }
    return error;
}

static void collect(at_popen *popen, at_completed *completed, bool goes_on) {
    int unknown = popen_status(popen, &completed->returncode);
    if (unknown == -EAGAIN && !goes_on)
        unknown = at_popen_wait(popen, AT_FOREVER, &completed->returncode);
    if (unknown != 0 && completed->failure.code == 0)
        failure_set(&completed->failure, unknown, AT_STAGE_RUN, popen->args, "", "%s",
                    unknown == -ECHILD
                        ? "ended, but somebody else took its exit status, and this kernel does not keep it"
                        : at_strerror(unknown));
    hand_over(popen, 1, &completed->stdout, &completed->stdout_size);
    hand_over(popen, 2, &completed->stderr, &completed->stderr_size);
    completed->truncated = popen->captures[0].truncated || popen->captures[1].truncated || popen->captures[2].truncated;
    popen->args = NULL; /* they are the result's */
}

static int run(enum subprocess_call call, at_command command, const at_subprocess_options *options,
               at_completed *completed) {
    at_stream streams[3];
    at_popen *popen;
    bool goes_on = false;
    int cancel = cancel_disable();
    at_subprocess_options chosen = *options;
    *completed = (at_completed){.returncode = AT_NO_RETURNCODE};
    choose_streams(call, options, streams);
    bool may_be_killed = options->timeout.given && options->timeout.value < AT_FOREVER;
    if (may_be_killed && !options->start_new_session && !options->process_group.given)
        chosen.process_group = at_group(0);
    int error = command_copy(command, options, &completed->args, &completed->failure);
    if (error == 0)
        error = popen_start(call, completed->args, &chosen, streams, &popen, &completed->failure);
    if (error == 0) {
        error = see_through(popen, options, completed, &goes_on);
        collect(popen, completed, goes_on);
        at_popen_free(popen);
        error = error != 0 ? error : completed->failure.code;
        if (error == 0 && options->check)
            error = at_completed_check(completed);
    }
    cancel_restore(cancel);
    return error;
}

int at_run_command(at_command command, const at_subprocess_options *options) {
    at_completed completed;
    if (options == NULL)
        options = &DEFAULTS;
    int error = run(CALL_RUN, command, options, &completed);
    if (options->failure != NULL)
        *options->failure = completed.failure;
    if (options->completed != NULL)
        *options->completed = completed;
    else
        at_completed_free(&completed);
    return error;
}

/* ---- what came before run */

ssize_t at_check_output_of(char **output, at_command command, const at_subprocess_options *options) {
    at_completed completed;
    *output = NULL;
    if (options == NULL)
        options = &DEFAULTS;
    int error = run(CALL_CHECK_OUTPUT, command, options, &completed);
    if (error == 0)
        error = at_completed_check(&completed);
    ssize_t size = error != 0 ? error : (ssize_t)completed.stdout_size;
    if (options->failure != NULL)
        *options->failure = completed.failure;
    if (error == 0) {
        *output = completed.stdout;
        completed.stdout = NULL;
        completed.stdout_size = 0;
    }
    if (options->completed != NULL)
        *options->completed = completed;
    else
        at_completed_free(&completed);
    return size;
}

int at_getstatusoutput(int *returncode, char **output, const char *line) {
    at_completed done;
    *output = NULL;
    int error = at_run(line, .shell = true, .text = true, .stdout = AT_PIPE, .stderr = AT_STDOUT, .completed = &done);
    if (error == 0) {
        if (returncode != NULL)
            *returncode = done.returncode;
        if (done.stdout_size > 0 && done.stdout[done.stdout_size - 1] == '\n')
            done.stdout[done.stdout_size - 1] = '\0';
        *output = done.stdout;
        done.stdout = NULL;
    }
    at_completed_free(&done);
    return error;
}

int at_getoutput(char **output, const char *line) {
    return at_getstatusoutput(NULL, output, line);
}
