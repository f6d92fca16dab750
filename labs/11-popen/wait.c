/*
 * wait.c: wait with a timeout gives up after that many seconds, and the command goes on.
 *
 * Python:  wait.py; p.wait(0.05) raises TimeoutExpired
 * Expect:  the first wait runs out and the command still runs; the second returns its code, a moment after it has
 *          ended; so does the third, at once. Python's second wait sleeps and looks by turns, and is later
 * Try:     "30" in place of "0.3" and 50 in place of 5; SIGKILL the sleep from another terminal: what does wait return?
 */
#include <errno.h>
#include <stdio.h>

#include "atelier.h"

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    at_popen *p;
    at_command_failure failure;
    double start = at_now();
    if (at_popen_new(&p, AT_ARGS("sleep", "0.3"), .failure = &failure) < 0) {
        fprintf(stderr, "wait: %s\n", failure.text);
        return 1;
    }
    int code = at_popen_wait(p, 0.05, NULL);
    if (code == -ETIMEDOUT)
        printf("wait(0.05): timeout, poll(): %s\n", at_popen_poll(p, NULL) == -EAGAIN ? "None" : "ended");

    int first, second;
    at_check(at_popen_wait(p, 5, &first));
    double late = at_now() - start - 0.3;
    printf("wait(5): %d\n", first);
    at_check(at_popen_wait(p, AT_FOREVER, &second));
    printf("wait(): %d\n", second);
    printf("wait(5) returned %.1f ms after 0.3 s had passed\n", 1000 * late);
    at_popen_free(p);
    if (code != -ETIMEDOUT || first != 0 || second != 0 || late < 0)
        fprintf(stderr, "wait: the command should end after 0.3 s, and return 0\n");
    return code != -ETIMEDOUT || first != 0 || second != 0 || late < 0;
}
