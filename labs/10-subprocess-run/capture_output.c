/*
 * capture_output.c: what a command prints comes back as bytes, stdout and stderr apart, however much it is.
 *
 * Python:  capture_output.py; subprocess.run(args, capture_output=True)
 * Expect:  both streams; two empty ones; stderr not captured, so it is not there at all; then 1 MiB, whole
 * Try:     .capture_output = true together with .stdout = AT_PIPE: refused, with both names, and nothing is started
 */
#include "completed.h"

enum { MEBIBYTE = 1 << 20 }; /* far more than a pipe holds */

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    at_completed both, nothing, one, large;
    check_run(at_run(AT_ARGS("sh", "-c", "echo colour; echo water >&2"), .capture_output = true, .completed = &both),
              &both);
    print_completed("", &both);
    check_run(at_run(AT_ARGS("true"), .capture_output = true, .completed = &nothing), &nothing);
    print_completed("", &nothing);
    check_run(at_run(AT_ARGS("echo", "colour"), .stdout = AT_PIPE, .completed = &one), &one);
    print_completed("", &one);
    check_run(at_run(AT_ARGS("head", "-c", "1048576", "/dev/zero"), .stdout = AT_PIPE, .completed = &large), &large);
    printf("head: captured %zu bytes\n", large.stdout_size);

    bool right =
        captured(both.stdout, both.stdout_size, "colour\n") && captured(both.stderr, both.stderr_size, "water\n") &&
        captured(nothing.stdout, nothing.stdout_size, "") && one.stderr == NULL && large.stdout_size == MEBIBYTE;
    at_completed_free(&both);
    at_completed_free(&nothing);
    at_completed_free(&one);
    at_completed_free(&large);
    if (!right)
        fprintf(stderr, "capture_output: what was captured is not what the commands print\n");
    return !right;
}
