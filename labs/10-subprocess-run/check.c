/*
 * check.c: a command that fails is an error only when that is asked for; how it failed is said in words.
 *
 * Python:  check.py; subprocess.run(args, check=True) raises CalledProcessError
 * Expect:  a return code of 3 and no error; then the same as an error, what it had printed being kept; then a signal,
 *          SIGKILL; then the first once more, checked later; then check_output, for short
 * Try:     "exit 256" in place of each "exit 3": is that a failure?
 */
#include <signal.h>

#include "completed.h"

static int run_checked(const char *line) {
    at_completed completed;
    int code = at_run(AT_ARGS("sh", "-c", line), .stdout = AT_PIPE, .check = true, .completed = &completed);
    if (code != AT_ECOMMAND)
        check_run(code, &completed);
    printf("checked: %s\n  stdout was ", code == 0 ? "no failure" : completed.failure.text);
    print_bytes(completed.stdout, completed.stdout_size);
    printf("\n");
    int returncode = completed.returncode;
    at_completed_free(&completed);
    return returncode;
}

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    at_completed completed;
    check_run(at_run(AT_ARGS("sh", "-c", "echo half; exit 3"), .stdout = AT_PIPE, .completed = &completed), &completed);
    print_completed("not checked: ", &completed);

    int returncode = run_checked("echo half; exit 3");
    int by_signal = run_checked("kill -KILL $$");
    int code = at_completed_check(&completed);
    printf("checked later: %s\n", code == 0 ? "no failure" : completed.failure.text);
    at_completed_free(&completed);

    char *output;
    ssize_t size = at_check_output(&output, AT_ARGS("echo", "whole"), .text = true);
    at_check((int)size);
    printf("check_output: ");
    print_quoted(output, (size_t)size, true);
    printf("\n");
    free(output);

    bool right = returncode == 3 && by_signal == -SIGKILL && code == AT_ECOMMAND && size == 6;
    if (!right)
        fprintf(stderr, "check: the commands ended otherwise than they were told to\n");
    return !right;
}
