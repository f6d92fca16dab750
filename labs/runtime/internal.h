/* internal.h (internal): what the pieces of the runtime tell each other and nobody else. */
#ifndef ATELIER_INTERNAL_H
#define ATELIER_INTERNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "process.h"
#include "thread.h"

/* ---- thread.c and thread_registry.c */

/*
 * How many forks lie between the first process and this one: a handle that bears another number was started by an
 * ancestor.
 */
extern uint32_t fork_generation;

/* Joins every thread that is not a daemon, but for the caller. */
void threads_join_all(void);

/* ---- tasks.c */

/*
 * The threads of this process beside the caller, whoever started them, but for those that are ending and for the
 * runtime's own.
 */
int count_other_threads(void);

/*
 * Harmless threads hold no lock that a forked child would miss: the spawner, and pools' threads but in their callbacks.
 * Whoever starts one counts it, and whoever joins it takes it off; the thread itself knows that it is one.
 */
void harmless_count(int change);
extern _Thread_local bool is_harmless;

/* ---- launch.c: how a child comes to be */

/* What a process knows of itself and of the process that started it. */
struct identity {
    const char *name; /* "MainProcess" in a process that at_process_start did not start */
    const char *parent_name;
    bool daemon;
    pid_t parent;     /* 0 without one */
    int parent_pidfd; /* -1 until it is asked for */
};

struct launch {
    at_target *target;
    void *arg;
    bool outlives_parent;
    bool alone;               /* no other thread runs in the process that forks */
    pid_t launcher;           /* who forks it */
    sigset_t mask;            /* the signal mask of the thread that asked, and so the child's */
    struct identity identity; /* the child's; made here, so that the child has less to do */
};

/* Of this process. */
extern struct identity identity;

/* The identity of a child of this process. */
struct identity identity_of_child(const char *name, bool daemon);

struct launched {
    pid_t pid;
    int pidfd;
    uint32_t zygote; /* which zygote's child it is: a pid means nothing to the next one */
};

/*
 * Forks a child that waits, before it does anything, to be told to go on. 0, and then launch_finish must follow in the
 * same thread; or a negative errno, with no child left. Unless it may outlive its parent, the child dies with the
 * thread that calls.
 */
int launch_begin(const struct launch *launch, struct launched *launched);

/* Lets the child go on; or makes it end without having run anything, and reaps it. */
void launch_finish(struct launched *launched, bool go);

/*
 * Writes out what stdout and stderr hold, for a child that is to write to the same, unless another thread is in them.
 */
void flush_inherited(bool is_stdout, bool is_stderr);

/* What a process does at its end, when its own atexit functions are done; process.c sets it. */
extern void (*end_of_process)(void);

/* ---- process.c */

/* Whether a fork may go ahead beside other threads, for "process" NAME, say: 0, or AT_ETHREADS (at_set_fork_policy). */
int check_fork_policy(const char *kind, const char *name, int other_threads);

/* ---- spawner.c: which thread forks */

/* What the main thread does that has started children and ends before its process (pthread_exit); process.c sets it. */
extern void (*end_of_main)(void);

/*
 * Calls work(arg) in a thread that lives as long as the process: the main thread itself, or one kept for this. Returns
 * what it returned, or a negative errno when there can be no such thread.
 */
int call_in_lasting_thread(int (*work)(void *), void *arg);

/* Begins and finishes a launch there. */
int launch_by_fork(const struct launch *launch, struct launched *launched);

/* ---- zygote.c */

/* A zygote beside that of at_zygote_start, such as a pool has: NULL stands for that one in the calls below. */
struct zygote;
struct zygote *zygote_new(void); /* not running yet; NULL when memory is short */
void zygote_free(struct zygote *zygote);

/* Forks it if it does not live: 0 or a negative code, AT_ETHREADS when it must be alone and other threads run. */
int zygote_ensure(struct zygote *zygote, const char *name, bool only_alone);

/*
 * Asks the zygote for a child; arg_size bytes at launch->arg are copied, or with 0 the pointer itself travels. 0 or a
 * negative code.
 */
int zygote_launch(struct zygote *zygote, const struct launch *launch, size_t arg_size, struct launched *launched);

/* The wait status of a child of the zygote's that has ended (waitpid(2)): 0 or a negative code. */
int zygote_reap(struct zygote *zygote, pid_t pid, uint32_t number, int *status);

/* ---- pool.c */

/* Ends all pools of this process; pool.c sets it. */
extern void (*end_of_pools)(void);

#endif
