/*
 * command_mended.c: the same on at_run, which reads while it waits, ends the whole process group, and does not poll.
 *
 * Python:  command_mended.py; p.communicate(timeout), os.killpg, p.communicate()
 * Expect:  what a command prints; then the three faults gone: much output in no time; nobody outlives the timeout, and
 *          what was printed by then is kept; the end is noticed at once
 * Try:     make lab12-command_mended ARGS='"ping -c 9 127.0.0.1" 2': what had it printed in those two seconds?
 */
#include "command_line.h"

static int command(const char *cmd, double timeout, at_completed *completed) {
    int result = at_run(cmd, .stderr = AT_STDOUT, .stdout = AT_PIPE, .shell = true, .timeout = at_seconds(timeout),
                        .completed = completed);
    if (result < 0 && result != -ETIMEDOUT)
        end_with_failure(&completed->failure);
    return result;
}

int main(int argc, char *argv[]) {
    struct command_line line = read_command_line(argc, argv);
    at_completed completed;
    double start = at_now();
    int result = command(line.cmd, line.timeout, &completed);
    print_end(line.cmd, (at_output){.data = completed.stdout, .size = completed.stdout_size}, result,
              completed.returncode, start);
    at_completed_free(&completed);
    if (line.given)
        return 0;

    start = at_now();
    int large = command(LARGE, 1, &completed);
    printf("fault 1, %s: %zu bytes after %.1f s\n", LARGE, completed.stdout_size, at_now() - start);
    bool whole = large == 0 && completed.returncode == 0 && completed.stdout_size >= 65536;
    at_completed_free(&completed);
    int family = command(FAMILY, 0.5, &completed);
    bool left = completed.truncated; /* somebody still had the pipe, so its end did not come */
    printf("fault 2, %s: %s; sleep is %s\n", FAMILY, how(family), left ? "alive" : "gone");
    bool kept = completed.stdout_size == 6 && memcmp(completed.stdout, "begun\n", 6) == 0;
    at_completed_free(&completed);
    start = at_now();
    for (int i = 0; i < 5; i++) {
        at_check(command(SHORT, 5, &completed));
        at_completed_free(&completed);
    }
    printf("fault 3, %s: five of them noticed %.0f ms late, on average\n", SHORT,
           1000 * ((at_now() - start) / 5 - 0.05));
    bool right = whole && family == -ETIMEDOUT && !left && kept;
    if (!right)
        fprintf(stderr, "command_mended: a fault is still there\n");
    return !right;
}
