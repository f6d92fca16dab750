/*
 * command_as_written.c: the tutorial's command with a timeout, line by line; it has three faults.
 *
 * Python:  command_as_written.py; Popen(cmd, shell=True), poll() every 0.1 s, terminate(), p.stdout.read()
 * Expect:  what a command prints; then the faults: one that prints much never ends, since nobody reads; the shell's
 *          child outlives the timeout; the end is noticed late
 * Try:     make lab12-command_as_written ARGS='"ping -c 9 127.0.0.1" 2': what had it printed in those two seconds?
 */
#include "command_line.h"
#include "left_over.h"

/* The caller gets p, too: C has no garbage collector. Its session serves only to clear away what is left over. */
static int command(const char *cmd, double timeout, at_popen **p, at_output *output) {
    at_command_failure failure;
    if (at_popen_new(p, cmd, .stderr = AT_STDOUT, .stdout = AT_PIPE, .shell = true, .start_new_session = true,
                     .drain = at_seconds(AT_FOREVER), .failure = &failure) < 0)
        end_with_failure(&failure);
    double t_beginning = at_now();
    while (at_popen_poll(*p, NULL) == -EAGAIN) {
        if (at_now() - t_beginning > timeout) {
            at_check(at_popen_terminate(*p));
            *output = (at_output){.data = "", .size = 0};
            return -ETIMEDOUT; /* raise TimeoutError(cmd, timeout) */
        }
        at_sleep(0.1);
    }
    return at_check(at_popen_communicate(*p, AT_NO_INPUT, AT_FOREVER, output, NULL)); /* p.stdout.read() */
}

int main(int argc, char *argv[]) {
    struct command_line line = read_command_line(argc, argv);
    at_popen *p;
    at_output output;
    double start = at_now();
    int result = command(line.cmd, line.timeout, &p, &output);
    print_end(line.cmd, output, result, result == 0 ? returncode_of(p) : 0, start);
    if (line.given)
        return tell_and_clear_away(p, result);
    bool gone = clear_away(p);

    start = at_now();
    int large = command(LARGE, 1, &p, &output);
    printf("fault 1, %s: %s after %.1f s; %d bytes lie in the pipe\n", LARGE, how(large), at_now() - start, unread(p));
    gone &= clear_away(p);
    int family = command(FAMILY, 0.5, &p, &output);
    bool left = left_somebody(p);
    printf("fault 2, %s: %s; sleep is %s\n", FAMILY, how(family), left ? "alive" : "gone");
    gone &= clear_away(p);
    start = at_now();
    for (int i = 0; i < 5; i++) {
        at_check(command(SHORT, 5, &p, &output));
        gone &= clear_away(p);
    }
    printf("fault 3, %s: five of them noticed %.0f ms late, on average\n", SHORT,
           1000 * ((at_now() - start) / 5 - 0.05));
    bool right = large == -ETIMEDOUT && family == -ETIMEDOUT && left && gone;
    if (!right)
        fprintf(stderr, "command_as_written: a fault did not show, or left something behind\n");
    return !right;
}
