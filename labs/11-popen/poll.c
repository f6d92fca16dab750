/*
 * poll.c: poll says whether a command has ended, and does not wait; the command ends here when its input does.
 *
 * Python:  poll.py; p = subprocess.Popen(args, stdin=PIPE), p.poll()
 * Expect:  None while it runs; 7, its return code, when it has ended; and 7 as often as one asks
 * Try:     leave out the close: what does at_popen_sentinel's descriptor say then? (Ctrl-C ends both)
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "atelier.h"

static int ask(at_popen *p, const char *when) {
    int returncode, code = at_popen_poll(p, &returncode);
    if (code == -EAGAIN) {
        printf("poll()%s: None\n", when);
        return -1;
    }
    at_check(code);
    printf("poll()%s: %d\n", when, returncode);
    return returncode;
}

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    at_popen *p;
    at_command_failure failure;
    if (at_popen_new(&p, AT_ARGS("sh", "-c", "read colour; exit 7"), .stdin = AT_PIPE, .failure = &failure) < 0) {
        fprintf(stderr, "poll: %s\n", failure.text);
        return 1;
    }
    int before = ask(p, "");
    close(at_check(at_popen_detach(p, STDIN_FILENO))); /* p.stdin.close() */

    struct pollfd end = {.fd = at_check(at_popen_sentinel(p)), .events = POLLIN};
    while (poll(&end, 1, -1) < 0) /* readable once it has ended: waiting without a timer */
        at_check(errno == EINTR ? 0 : -errno);
    int after = ask(p, "");
    int again = ask(p, " again");
    at_popen_free(p);
    if (before != -1 || after != 7 || again != 7)
        fprintf(stderr, "poll: the command should run until its input ends, and return 7\n");
    return before != -1 || after != 7 || again != 7;
}
