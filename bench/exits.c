/*
 * exits.c: how soon a wait returns: from the last thing that a child does to the return of the wait for it; and from a
 * timeout to the return of the call that had it, when a shell and its own child have been killed.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "atelier.h"
#include "console.h"
#include "measure.h"
#include "spawns.h"

/* The child's life, in ms: other lengths in turn, or one who looks now and then could always look at the right time. */
static const char *next_life(size_t *turn) {
    static char text[16];
    snprintf(text, sizeof text, "%zu", 2 + *turn * 7 % 19);
    *turn += 1;
    return text;
}

/* From the child's last act, as it wrote it into the pipe, to `end`. */
static double since_stamp(const char *who, int pipe_end, uint64_t end, int status) {
    uint64_t stamp = 0;
    bool stamped = read(pipe_end, &stamp, sizeof stamp) == sizeof stamp;
    if ((!stamped || status != 0 || end < stamp) && !interrupted())
        wrong_result("%s: a child ended with %d%s", who, status, stamped ? "" : ", without its last word");
    return stamped ? (double)(end - stamp) : 0;
}

size_t exit_ours(struct observation *samples, size_t count) {
    static size_t turn;
    for (size_t i = 0; i < count && !interrupted(); i++) {
        at_popen *child;
        int status = -1;
        at_check(at_popen_new(&child, AT_ARGS(stamp_path, next_life(&turn)), .stdout = AT_PIPE));
        int code = at_popen_wait(child, 5, &status);
        uint64_t end = now_ns();
        if (code != 0 && !interrupted())
            wrong_result("at_popen_wait: %s", at_strerror(code));
        samples[i] = (struct observation){.ns = since_stamp("at_popen", at_popen_stdout(child), end, status)};
        at_popen_free(child);
    }
    return interrupted() ? 0 : count;
}

size_t exit_floor(struct observation *samples, size_t count) {
    static size_t turn;
    for (size_t i = 0; i < count && !interrupted(); i++) {
        int ends[2];
        bare_pipe(ends, false);
        pid_t pid = bare_start_connected(AT_ARGS(stamp_path, next_life(&turn)), NULL, ends, NULL);
        int status = bare_end(pid);
        uint64_t end = now_ns();
        samples[i] = (struct observation){.ns = since_stamp("posix_spawn", ends[0], end, status)};
        close(ends[0]);
    }
    return interrupted() ? 0 : count;
}

/* A shell with a child of its own, which holds the shell's stdout: both live longer than the timeout. */
static const char shell_line[] = "sleep 2 & wait";
static const double TIMEOUT = 0.05;

static double beyond(uint64_t start, uint64_t end) {
    return (double)(end - start) - TIMEOUT * 1e9;
}

size_t overshoot_ours(struct observation *samples, size_t count) {
    for (size_t i = 0; i < count && !interrupted(); i++) {
        at_completed done;
        uint64_t start = now_ns();
        int code =
            at_run(shell_line, .shell = true, .stdout = AT_PIPE, .timeout = at_seconds(TIMEOUT), .completed = &done);
        samples[i] = (struct observation){.ns = beyond(start, now_ns())};
        /* Not truncated: the pipe came to its end, so that nobody lives who had it. */
        bool killed = code == -ETIMEDOUT && done.timed_out && done.returncode == -SIGKILL && !done.truncated;
        if (!killed && !interrupted())
            wrong_result("at_run: at its timeout: %s", done.failure.text);
        at_completed_free(&done);
    }
    return interrupted() ? 0 : count;
}

/* A process group; a pidfd, polled until the time is up; a signal to the group, the pipe's end, the shell's status. */
size_t overshoot_floor(struct observation *samples, size_t count) {
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    for (size_t i = 0; i < count && !interrupted(); i++) {
        int ends[2];
        char nothing;
        uint64_t start = now_ns();
        bare_pipe(ends, false);
        pid_t pid = bare_start_connected(AT_ARGS("/bin/sh", "-c", shell_line), NULL, ends, &attributes);
        struct pollfd pollfd = {.fd = pidfd_open(pid, 0), .events = POLLIN};
        double left = TIMEOUT * 1e9 - (double)(now_ns() - start);
        struct timespec timeout = {.tv_nsec = left > 0 ? (long)left : 0};
        int ended = ppoll(&pollfd, 1, &timeout, NULL);
        kill(-pid, SIGKILL);
        while (read(ends[0], &nothing, 1) < 0 && errno == EINTR) {
        }
        int status = bare_end(pid);
        samples[i] = (struct observation){.ns = beyond(start, now_ns())};
        if ((ended != 0 || !WIFSIGNALED(status)) && !interrupted())
            wrong_result("posix_spawn: %s ended with status %d before its timeout", shell_line, status);
        close(pollfd.fd);
        close(ends[0]);
    }
    posix_spawnattr_destroy(&attributes);
    return interrupted() ? 0 : count;
}
