/* spawns.h: what the subjects of subprocess.c share: the programs that they start, a bare start, and its end. */
#ifndef BENCH_SPAWNS_H
#define BENCH_SPAWNS_H

#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "peer.h"

/* spawns.c. The programs of bench/children, by path; spawns_ready fills them in. */
extern char noop_path[4200], stamp_path[4200], pour_path[4200];
void spawns_ready(void);

/* The program that the next comparison starts. */
bool plan_noop(void);
bool plan_true(void);
bool plan_noop_at_1_gibibyte(void);

/*
 * posix_spawn of a program by PATH, with pipes for its stdin, if `in` is not NULL, and its stdout, whose ends for the
 * program are closed here; or the end of this one. The attributes may be NULL.
 */
pid_t bare_start_connected(const char *const argv[], const int in[2], const int out[2],
                           const posix_spawnattr_t *attributes);

/* waitpid, through interruptions: the status. */
int bare_end(pid_t pid);

/* A pipe that is closed at exec, of 1 MiB if `large` and the system allows it; or the end of this program. */
void bare_pipe(int ends[2], bool large);

/* A start of the planned program, and the wait for its end. */
size_t run_ours(struct observation *samples, size_t count);
size_t run_ours_timed(struct observation *samples, size_t count); /* with a timeout that never comes */
size_t run_floor(struct observation *samples, size_t count);
size_t run_fork(struct observation *samples, size_t count);
double run_noop_once(void); /* ours, for a peer */

/* exits.c: from a child's last act to the return of the wait for it; and how much too late a timeout ends. */
size_t exit_ours(struct observation *samples, size_t count);
size_t exit_floor(struct observation *samples, size_t count);
size_t overshoot_ours(struct observation *samples, size_t count);
size_t overshoot_floor(struct observation *samples, size_t count);

/* pours.c: a child's output, and input and output of `cat`, as many bytes as planned. */
bool plan_bytes(void);
void forget_bytes(void);
void pours_ready(size_t bytes);
size_t capture_ours(struct observation *samples, size_t count);
size_t capture_floor(struct observation *samples, size_t count);
size_t communicate_ours(struct observation *samples, size_t count);
size_t communicate_floor(struct observation *samples, size_t count);

#endif
