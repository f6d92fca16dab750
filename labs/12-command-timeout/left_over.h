/* left_over.h: what a command leaves behind that has been given up: what is seen of it, and how it is cleared away. */
#ifndef LEFT_OVER_H
#define LEFT_OVER_H

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "atelier.h"

/* How it ended. */
static inline int returncode_of(at_popen *p) {
    int returncode;
    at_check(at_popen_wait(p, AT_FOREVER, &returncode));
    return returncode;
}

/* The bytes that lie in the pipe of its stdout; none once it has been read to its end. */
static inline int unread(at_popen *p) {
    int size = 0, end = at_popen_stdout(p);
    if (end != AT_ENOPIPE)
        at_check(ioctl(end, FIONREAD, &size) == 0 ? 0 : -errno);
    return size;
}

/* Whether the command, that has been told to end, has left somebody who could still write into that pipe. */
static inline bool left_somebody(at_popen *p) {
    struct pollfd end = {.fd = at_check(at_popen_sentinel(p)), .events = POLLIN};
    struct pollfd pipe = {.fd = at_check(at_popen_stdout(p)), .events = POLLIN};
    poll(&end, 1, 2000); /* not reaped by that, it keeps the number of its group taken */
    poll(&pipe, 1, 0);
    return (pipe.revents & POLLHUP) == 0;
}

/* Kills all of its process group and frees p. Returns whether nobody is left, so that the pipe has come to its end. */
static inline bool clear_away(at_popen *p) {
    at_check(at_popen_signal_group(p, SIGKILL));
    returncode_of(p);
    struct pollfd pipe = {.fd = at_popen_stdout(p), .events = 0}; /* or AT_ENOPIPE, as above */
    bool gone = pipe.fd < 0 || poll(&pipe, 1, 5000) == 1;
    at_popen_free(p);
    return gone;
}

/* The same for a command of the user's; says before whether a timeout has left somebody. Returns 0, for main. */
static inline int tell_and_clear_away(at_popen *p, int result) {
    if (result == -ETIMEDOUT)
        printf("what it started is %s\n", left_somebody(p) ? "alive (and killed now)" : "gone");
    clear_away(p);
    return 0;
}

#endif
