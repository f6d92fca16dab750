/* subprocess_popen.c: handles of commands: poll, wait, signals, the ends of the pipes; see subprocess.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "subprocess_internal.h"

/* ---- the handle */

void popen_close_end(at_popen *popen, int number) {
    if (popen->ends[number] >= 0)
        children_close(&popen->ends[number]);
}

static void release(at_process *process, bool in_child) {
    at_popen *popen = (at_popen *)process;
    for (int i = 0; i < 3; i++) {
        int end = atomic_exchange(&popen->ends[i], -1);
        if (end >= 0)
            close(end);
    }
    if (in_child)
        return;
    for (int i = 0; i < 3; i++)
        free(popen->captures[i].data);
    free(popen->input_copy);
    free(popen->args);
    memset(popen->captures, 0, sizeof popen->captures);
    popen->input_copy = NULL;
    popen->args = NULL;
}

at_popen *popen_new(char **args, const struct text *text, const at_subprocess_options *options) {
    at_popen *popen = malloc(sizeof *popen);
    if (popen == NULL)
        return NULL;
    *popen = (at_popen){
        .child = {.pidfd = -1, .release = release, .outlives_parent = options->outlives_parent},
        .args = args,
        .text = *text,
        .drain = options->drain.given ? options->drain.value : DRAIN,
        .leads_group =
            options->start_new_session || (options->process_group.given && options->process_group.value == 0),
        .ends = {-1, -1, -1},
    };
    return popen;
}

void at_popen_free(at_popen *popen) {
    if (popen != NULL)
        at_process_free(&popen->child);
}

/* ---- start */

int at_popen_create(at_popen **popen, at_command command, const at_subprocess_options *options) {
    static const at_subprocess_options DEFAULTS;
    if (options == NULL)
        options = &DEFAULTS;
    int cancel = cancel_disable();
    at_command_failure failure = {0};
    const at_stream streams[] = {options->stdin, options->stdout, options->stderr};
    char **args;
    *popen = NULL;
    int error = command_copy(command, options, &args, &failure);
    if (error == 0 && (error = popen_start(CALL_POPEN, args, options, streams, popen, &failure)) != 0)
        free(args);
    if (options->failure != NULL)
        *options->failure = failure;
    cancel_restore(cancel);
    return error;
}

/* ---- its end */

int popen_status(at_popen *popen, int *returncode) {
    if (!children_reap(&popen->child))
        return -EAGAIN;
    if (!popen->child.known)
        return -ECHILD;
    if (returncode != NULL)
        *returncode = popen->child.exitcode;
    return 0;
}

int at_popen_poll(at_popen *popen, int *returncode) {
    int error = popen == NULL ? -EINVAL : children_enter(&popen->child, MINE);
    if (error != 0)
        return error;
    error = popen_status(popen, returncode);
    children_leave(&popen->child);
    return error;
}

int at_popen_wait(at_popen *popen, double timeout, int *returncode) {
    struct deadline deadline;
    int error = popen == NULL ? -EINVAL : deadline_after(timeout, NEGATIVE_POLLS, &deadline);
    if (error == 0)
        error = children_enter(&popen->child, MINE);
    if (error != 0)
        return error;
    int cancel = cancel_disable();
    error = await_descriptor(popen->child.pidfd, POLLIN, &deadline);
    /* A debugger that traces it takes note of its end first: until then nobody else can. */
    while (error == 0 && (error = popen_status(popen, returncode)) == -EAGAIN)
        error = deadline_is_over(&deadline) ? -ETIMEDOUT : (at_sleep(0.001), 0);
    children_leave(&popen->child);
    cancel_restore(cancel);
    return error;
}

/* ---- signals */

int at_popen_send_signal(at_popen *popen, int number) {
    int error = popen == NULL ? -EINVAL : children_enter(&popen->child, MINE);
    if (error != 0)
        return error;
    if (pidfd_send_signal(popen->child.pidfd, number, NULL, 0) != 0 && errno != ESRCH) /* ESRCH: it has ended */
        error = -errno;
    children_leave(&popen->child);
    return error;
}

int at_popen_terminate(at_popen *popen) {
    return at_popen_send_signal(popen, SIGTERM);
}

int at_popen_kill(at_popen *popen) {
    return at_popen_send_signal(popen, SIGKILL);
}

int at_popen_signal_group(at_popen *popen, int number) {
    static const unsigned WHOLE_GROUP = 1u << 2; /* PIDFD_SIGNAL_PROCESS_GROUP, since Linux 6.9 */
    int error = popen == NULL ? -EINVAL : children_enter(&popen->child, MINE);
    if (error != 0)
        return error;
    if (!popen->leads_group)
        error = AT_ENOTLEADER;
    else if (pidfd_send_signal(popen->child.pidfd, number, NULL, WHOLE_GROUP) != 0)
        error = errno == ESRCH ? 0 : errno == EINVAL ? children_signal_group(&popen->child, number) : -errno;
    children_leave(&popen->child);
    return error;
}

/* ---- what it holds */

static int end_of(at_popen *popen, int number, bool detach) {
    int error = popen == NULL ? -EINVAL : children_enter(&popen->child, MINE);
    if (error != 0)
        return error;
    int end = AT_ENOPIPE;
    if (!detach) {
        end = atomic_load(&popen->ends[number]);
    } else if (at_lock_acquire(&popen->communicating, 0) != 0) {
        end = -EBUSY; /* a communicate is in the midst of it */
    } else {
        end = atomic_exchange(&popen->ends[number], -1);
        if (end >= 0 && popen->begun)
            fcntl(end, F_SETFL, 0); /* no longer O_NONBLOCK */
        at_lock_release(&popen->communicating);
    }
    children_leave(&popen->child);
    return end != -1 ? end : AT_ENOPIPE;
}

int at_popen_stdin(at_popen *popen) {
    return end_of(popen, STDIN_FILENO, false);
}

int at_popen_stdout(at_popen *popen) {
    return end_of(popen, STDOUT_FILENO, false);
}

int at_popen_stderr(at_popen *popen) {
    return end_of(popen, STDERR_FILENO, false);
}

int at_popen_detach(at_popen *popen, int number) {
    return number < 0 || number > 2 ? -EINVAL : end_of(popen, number, true);
}

pid_t at_popen_pid(at_popen *popen) {
    int error = popen == NULL ? -EINVAL : children_enter(&popen->child, OPEN);
    if (error != 0)
        return error;
    pid_t pid = popen->child.pid;
    children_leave(&popen->child);
    return pid;
}

const char *const *at_popen_args(const at_popen *popen) {
    return popen != NULL ? (const char *const *)popen->args : NULL;
}

int at_popen_sentinel(at_popen *popen) {
    return popen == NULL ? -EINVAL : at_process_sentinel(&popen->child);
}
