/*
 * signals.c: send_signal, terminate and kill; a signal is a request, but for two of them.
 *
 * Python:  signals.py; p.send_signal(SIGUSR1), p.terminate(), p.kill()
 * Expect:  minus the signal that ended it: -10, -15; 5 of one that tidies up first; one that ignores SIGTERM runs on
 *          until SIGKILL, -9, which nobody can ignore
 * Try:     SIGSTOP in place of SIGUSR1: the wait would not end. Use wait(p, 1); then send SIGCONT, and SIGUSR1
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "atelier.h"

/* Starts a shell that says when it is ready, and waits until it does. */
static at_popen *start(const char *line) {
    at_popen *p;
    at_command_failure failure;
    if (at_popen_new(&p, AT_ARGS("sh", "-c", line), .stdin = AT_PIPE, .stdout = AT_PIPE, .failure = &failure) < 0) {
        fprintf(stderr, "signals: %s\n", failure.text);
        exit(1);
    }
    at_check(read(at_check(at_popen_stdout(p)), &(char[16]){0}, 16) > 0 ? 0 : -ENODATA);
    return p;
}

static int finish(at_popen *p, const char *what) {
    int returncode;
    at_check(at_popen_wait(p, AT_FOREVER, &returncode));
    at_check(at_popen_terminate(p)); /* nothing happens: it has ended */
    printf("%s: %d\n", what, returncode);
    at_popen_free(p);
    return returncode;
}

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    at_popen *p = start("echo ready; exec sleep 60");
    at_check(at_popen_send_signal(p, SIGUSR1));
    int by_number = finish(p, "send_signal(SIGUSR1)");
    p = start("echo ready; exec sleep 60");
    at_check(at_popen_terminate(p));
    int terminated = finish(p, "terminate()");
    p = start("trap 'exit 5' TERM; echo ready; read line");
    at_check(at_popen_terminate(p));
    int tidied = finish(p, "terminate() of one that tidies up");
    p = start("trap '' TERM; echo ready; exec sleep 60");
    at_check(at_popen_terminate(p));
    bool ignored = at_popen_wait(p, 0.2, NULL) == -ETIMEDOUT;
    printf("terminate() of one that ignores it: %s\n", ignored ? "timeout" : "ended");
    at_check(at_popen_kill(p));
    int killed = finish(p, "kill()");
    bool right = by_number == -SIGUSR1 && terminated == -SIGTERM && tidied == 5 && ignored && killed == -SIGKILL;
    if (!right)
        fprintf(stderr, "signals: the commands ended otherwise than the signals ask for\n");
    return !right;
}
