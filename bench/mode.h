/* mode.h: a way to hand out a workload's tasks to workers: one after another, threads, processes, a pool, devices. */
#ifndef BENCH_MODE_H
#define BENCH_MODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "workload.h"

/* What is to be done. */
struct job {
    const struct workload *workload;
    size_t workers;
};

/* The lock that a mode's workers would take. */
struct lock_kind {
    void *(*create)(void); /* in memory that children share, if there will be any; NULL: out of memory */
    void (*acquire)(void *lock);
    void (*release)(void *lock);
};

/*
 * A mode is one file in modes/, or a peer's in peers/. All do exactly the same: the tasks from job_first(job, w) to
 * below job_first(job, w + 1) are worker w's, unless the mode is one whose workers take the next when they are free.
 */
struct mode {
    const char *name;    /* "threads": in the files */
    const char *title;   /* in the table and the charts */
    const char *missing; /* why it cannot be measured yet; NULL when it can */
    bool alone;          /* it has one worker, whatever it is told */
    bool commands;       /* it runs commands and nothing else, by the program of its name... */
    const char *version; /* ...whose --version begins so */
    const struct lock_kind *locks;
    /* Before the first run with so many workers, not timed: workers that are started once. NULL: there are none. */
    void (*open)(size_t workers);
    /* Before the runs of a request, and after them, not timed: workers that would be busy meanwhile. NULL: nothing. */
    void (*enter)(const struct job *job);
    void (*leave)(void);
    /* Does all tasks; start and join of its workers are part of it, unless open has started them. */
    void (*run)(const struct job *job);
    /* The processes that open has started for so many workers; NULL: there are none. */
    size_t (*members)(size_t workers, const pid_t **pids);
};

/* Those in modes/, in the order of the table. */
extern const struct mode *const all_modes[];
extern const size_t mode_count;

/* Worker w's first task, when each has an equal share of them, in one piece. */
static inline size_t job_first(const struct job *job, size_t worker) {
    return worker * job->workload->tasks / job->workers;
}

/* Does worker w's share. */
static inline void job_share(const struct job *job, size_t worker) {
    size_t end = job_first(job, worker + 1);
    for (size_t task = job_first(job, worker); task < end; task++)
        job->workload->task(job->workload, task, worker);
}

/* One worker's share, for workers that are told by one pointer; as their target. */
struct share {
    const struct job *job;
    size_t worker;
};

static inline int share_do(void *arg) {
    const struct share *share = arg;
    job_share(share->job, share->worker);
    return 0;
}

/* The mode that this process runs, and a lock of its kind. Set by host.c. */
extern const struct mode *mode_here;
extern void *lock_here;

/* For a mode's workers that are processes: how much memory each of them had at its most, in KiB; shared. NULL: nobody
 * asks. Set by host.c. */
extern uint64_t *peak_of_worker;

#endif
