/*
 * input.c: bytes for the command's standard input, which is then closed.
 *
 * Python:  input.py; subprocess.run(args, input=b"...")
 * Expect:  the text in capitals; a count of 3 bytes, though all are NUL; 4 MiB there and back; 4 MiB to a command that
 *          reads none of it, and no error; an error that names both options
 * Try:     leave .input out of the first command and type two lines: stdin is inherited, and Ctrl-D ends it
 */
#include "completed.h"

enum { SIZE = 4 << 20 };

static char paint[SIZE];

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    at_completed upper, counted, copied, unread, refused;
    check_run(
        at_run(AT_ARGS("tr", "a-z", "A-Z"), .input = at_text("blue\nred\n"), .stdout = AT_PIPE, .completed = &upper),
        &upper);
    print_completed("", &upper);
    check_run(at_run(AT_ARGS("wc", "-c"), .input = at_bytes("\0\0\0", 3), .stdout = AT_PIPE, .completed = &counted),
              &counted);
    print_completed("", &counted);

    check_run(at_run(AT_ARGS("cat"), .input = at_bytes(paint, SIZE), .stdout = AT_PIPE, .completed = &copied), &copied);
    bool same = copied.stdout_size == SIZE && memcmp(copied.stdout, paint, SIZE) == 0;
    printf("cat: sent %d bytes, and as many came back: %s\n", SIZE, same ? "True" : "False");
    /* It ends without having read any of it. */
    check_run(at_run(AT_ARGS("true"), .input = at_bytes(paint, SIZE), .completed = &unread), &unread);
    printf("true: sent %d bytes; return code %d\n", SIZE, unread.returncode);

    int code = at_run(AT_ARGS("cat"), .input = at_text("blue"), .stdin = AT_DEVNULL, .completed = &refused);
    printf("input and stdin: %s\n", refused.failure.text);

    bool right = captured(upper.stdout, upper.stdout_size, "BLUE\nRED\n") &&
                 captured(counted.stdout, counted.stdout_size, "3\n") && same && unread.returncode == 0 &&
                 code == -EINVAL;
    at_completed_free(&upper);
    at_completed_free(&counted);
    at_completed_free(&copied);
    at_completed_free(&unread);
    at_completed_free(&refused);
    if (!right)
        fprintf(stderr, "input: the commands should read what they are given, and see its end\n");
    return !right;
}
