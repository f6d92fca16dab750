/*
 * pipeline.c: two commands joined by a pipe, as the shell's yes | head -n 3.
 *
 * Python:  pipeline.py; Popen(["head", "-n", "3"], stdin=yes.stdout), then yes.stdout.close()
 * Expect:  head's three lines. yes prints without end, but runs on while somebody could still read, and that is this
 *          process; when its end is closed, SIGPIPE (13) ends yes
 * Try:     close it before head is asked for its output, as one should: then yes ends when head does
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "atelier.h"

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    at_popen *yes, *head;
    at_command_failure failure;
    if (at_popen_new(&yes, AT_ARGS("yes"), .stdout = AT_PIPE, .failure = &failure) < 0 ||
        at_popen_new(&head, AT_ARGS("head", "-n", "3"), .stdin = at_descriptor(at_check(at_popen_stdout(yes))),
                     .stdout = AT_PIPE, .failure = &failure) < 0) {
        fprintf(stderr, "pipeline: %s\n", failure.text);
        return 1;
    }
    at_output output;
    int head_code, yes_code;
    at_check(at_popen_communicate(head, AT_NO_INPUT, AT_FOREVER, &output, NULL));
    at_check(at_popen_poll(head, &head_code));
    bool right = output.size == 6 && memcmp(output.data, "y\ny\ny\n", 6) == 0;
    printf("head: %s and return code %d\n", right ? "b'y\\ny\\ny\\n'" : "other lines", head_code);

    int code = at_popen_wait(yes, 0.3, NULL);
    printf("yes, with the reading end open here: %s\n", code == -ETIMEDOUT ? "timeout" : "ended");
    close(at_check(at_popen_detach(yes, STDOUT_FILENO))); /* now nobody is left who could read */
    at_check(at_popen_wait(yes, AT_FOREVER, &yes_code));
    printf("yes, with it closed: %d (SIGPIPE)\n", yes_code);
    at_popen_free(head);
    at_popen_free(yes);
    if (!right || head_code != 0 || code != -ETIMEDOUT || yes_code != -SIGPIPE) {
        fprintf(stderr, "pipeline: head should print three lines, and yes end by SIGPIPE when nobody reads\n");
        return 1;
    }
    return 0;
}
