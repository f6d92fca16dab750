/*
 * timeout.c: a command that takes too long is killed, and so is all that it has started; what it has printed is kept.
 *
 * Python:  timeout.py; subprocess.run(args, timeout=0.5) raises TimeoutExpired
 * Expect:  after half a second, what the command had printed by then; the shell's child is gone. Python leaves it alive
 * Try:     a timeout of 61: then nothing times out; how long does it take, and what does the program's check say?
 */
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "completed.h"

#define LINE "echo begun; sleep 60 & echo $! >&2; wait"

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    int ends[2];
    at_check(pipe2(ends, O_CLOEXEC) == 0 ? 0 : -errno);
    at_completed completed;
    double start = at_now();
    int code = at_run(LINE, .shell = true, .stdout = AT_PIPE, .stderr = at_descriptor(ends[1]),
                      .timeout = at_seconds(0.5), .completed = &completed);
    if (code != -ETIMEDOUT) {
        check_run(code, &completed);
        fprintf(stderr, "timeout: nothing timed out\n");
        at_completed_free(&completed);
        return 1;
    }
    printf("timed out after %.2f s; until then it had printed ", at_now() - start);
    print_bytes(completed.stdout, completed.stdout_size);
    printf("\n");
    close(ends[1]);

    char number[100]; /* of the child, printed for the twin, which ends it; read here so that only the end is left */
    at_check(read(ends[0], number, sizeof number) > 0 ? 0 : -ENODATA);
    struct pollfd end = {.fd = ends[0], .events = POLLIN}; /* it comes when nobody is left who has the pipe */
    bool gone = poll(&end, 1, 500) == 1;
    printf("the shell's child is %s\n", gone ? "gone" : "alive");
    close(ends[0]);

    bool right = gone && captured(completed.stdout, completed.stdout_size, "begun\n");
    at_completed_free(&completed);
    if (!right)
        fprintf(stderr, "timeout: all should be gone but what the command had printed\n");
    return !right;
}
