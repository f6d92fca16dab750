/* spawns.c: start and end of a program that does nothing: ours, and the bare calls of the system under it. */
#include "spawns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "atelier.h"
#include "comparison.h"
#include "console.h"
#include "measure.h"
#include "subjects.h"

extern char **environ;

char noop_path[4200], stamp_path[4200], pour_path[4200];
static const char *planned = noop_path;

void spawns_ready(void) {
    char folder[FOLDER_SIZE];
    folder_beside("children", folder);
    snprintf(noop_path, sizeof noop_path, "%s/noop", folder);
    snprintf(stamp_path, sizeof stamp_path, "%s/stamp", folder);
    snprintf(pour_path, sizeof pour_path, "%s/pour", folder);
    const char *const paths[] = {noop_path, stamp_path, pour_path};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (access(paths[i], X_OK) != 0) {
            note("bench: no %s: there is nothing to start; make bench builds it", paths[i]);
            exit(1);
        }
    }
}

bool plan_noop(void) {
    planned = noop_path;
    return true;
}

bool plan_true(void) {
    planned = "/bin/true";
    return true;
}

bool plan_noop_at_1_gibibyte(void) {
    enum { PROCESSES = 4, MIB_EACH = 1100 };
    planned = noop_path;
    if (available_memory() < PROCESSES * MIB_EACH * 0x1p20) {
        note("bench: programs started at 1 GiB: left out: less than %d MiB of memory are free (ours and each peer have "
             "one)",
             PROCESSES * MIB_EACH);
        return false;
    }
    return grow_by_a_gibibyte();
}

__attribute__((noreturn)) static void cannot(const char *what, int failure) {
    note("bench: %s: %s", what, strerror(failure));
    exit(1);
}

/* posix_spawn has never written to them. */
static char *const *writable(const char *const argv[]) {
    return (char *const *)(uintptr_t)argv;
}

/* posix_spawn of a program by PATH, or the end of this one. Either of the last two may be NULL. */
static pid_t bare_start(const char *const argv[], const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes) {
    pid_t pid = 0;
    int failure = posix_spawnp(&pid, argv[0], actions, attributes, writable(argv), environ);
    if (failure != 0)
        cannot(argv[0], failure);
    return pid;
}

pid_t bare_start_connected(const char *const argv[], const int in[2], const int out[2],
                           const posix_spawnattr_t *attributes) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (in != NULL)
        posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    pid_t pid = bare_start(argv, &actions, attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (in != NULL)
        close(in[0]);
    close(out[1]);
    return pid;
}

int bare_end(pid_t pid) {
    int status = -1;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            cannot("waitpid", errno);
    }
    return status;
}

void bare_pipe(int ends[2], bool large) {
    enum { AS_LARGE_AS_ANYBODY_MAY = 1 << 20 };
    if (pipe2(ends, O_CLOEXEC) != 0)
        cannot("pipe", errno);
    if (large)
        fcntl(ends[1], F_SETPIPE_SZ, AS_LARGE_AS_ANYBODY_MAY); /* otherwise it stays as it is */
}

static void must_be_zero(const char *who, int status) {
    if (status != 0 && !interrupted())
        wrong_result("%s: %s ended with %d", who, planned, status);
}

static double ours(at_optional_seconds timeout) {
    at_completed done;
    uint64_t start = now_ns();
    int code = at_run(AT_ARGS(planned), .timeout = timeout, .completed = &done);
    double ns = (double)(now_ns() - start);
    if (code != 0 && !interrupted())
        wrong_result("at_run: %s", done.failure.text);
    must_be_zero("at_run", done.returncode);
    start = now_ns();
    at_completed_free(&done);
    return ns + (double)(now_ns() - start);
}

double run_noop_once(void) {
    plan_noop();
    return ours((at_optional_seconds){.given = false});
}

size_t run_ours(struct observation *samples, size_t count) {
    for (size_t i = 0; i < count; i++)
        samples[i] = (struct observation){.ns = ours((at_optional_seconds){.given = false})};
    return count;
}

size_t run_ours_timed(struct observation *samples, size_t count) {
    for (size_t i = 0; i < count; i++)
        samples[i] = (struct observation){.ns = ours(at_seconds(5))};
    return count;
}

size_t run_floor(struct observation *samples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t start = now_ns();
        int status = bare_end(bare_start(AT_ARGS(planned), NULL, NULL));
        samples[i] = (struct observation){.ns = (double)(now_ns() - start)};
        must_be_zero("posix_spawn", status);
    }
    return count;
}

size_t run_fork(struct observation *samples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t start = now_ns();
        pid_t pid = fork();
        if (pid == 0) {
            execve(planned, writable(AT_ARGS(planned)), environ);
            _exit(127);
        }
        if (pid < 0)
            cannot("fork", errno);
        int status = bare_end(pid);
        samples[i] = (struct observation){.ns = (double)(now_ns() - start)};
        must_be_zero("fork and exec", status);
    }
    return count;
}
