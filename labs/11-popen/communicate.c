/*
 * communicate.c: input and output at once, with a timeout; after it the next goes on, and nothing is lost.
 *
 * Python:  communicate.py; p.communicate(paint, timeout=0.2), then p.communicate()
 * Expect:  a timeout, and what the command had printed by then; a second later all of it, with all of the input.
 *          Python may lose the rest of the input
 * Try:     another input in the second call: refused, since half of the first has gone
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "atelier.h"

enum { SIZE = 1 << 20 }; /* far more than the two pipes hold */

static char paint[SIZE];

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    at_popen *p;
    at_command_failure failure;
    if (at_popen_new(&p, AT_ARGS("sh", "-c", "echo begun; sleep 1; exec cat"), .stdin = AT_PIPE, .stdout = AT_PIPE,
                     .failure = &failure) < 0) {
        fprintf(stderr, "communicate: %s\n", failure.text);
        return 1;
    }
    at_output output;
    int code = at_popen_communicate(p, at_bytes(paint, SIZE), 0.2, &output, NULL);
    while (code == -ETIMEDOUT && output.size == 0) /* a slow start: wait for the first word */
        code = at_popen_communicate(p, AT_NO_INPUT, 0.2, &output, NULL);
    if (code != -ETIMEDOUT) {
        fprintf(stderr, "communicate: %s\n", code == 0 ? "nothing timed out" : at_strerror(code));
        return 1;
    }
    printf("communicate(paint, 0.2): timeout; so far b'%.*s\\n'\n", (int)output.size - 1, output.data);

    at_check(at_popen_communicate(p, AT_NO_INPUT, AT_FOREVER, &output, NULL));
    bool right = output.size == strlen("begun\n") + SIZE && memcmp(output.data, "begun\n", 6) == 0 &&
                 memcmp(output.data + 6, paint, SIZE) == 0;
    printf("communicate(): %zu bytes in all, as they were sent: %s\n", output.size, right ? "True" : "False");
    int returncode;
    at_check(at_popen_poll(p, &returncode));
    printf("return code %d\n", returncode);
    at_popen_free(p);
    if (!right || returncode != 0)
        fprintf(stderr, "communicate: all that was sent should come back\n");
    return !right || returncode != 0;
}
