/* workload.h: a piece of work that every mode hands out to its workers, and that checks its own result. */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { WRONG_SIZE = 160, MOST_WORKERS = 1024 };

/*
 * A workload is one file in workloads/: it names itself, its unit and its check, and all modes do the same tasks. What
 * tasks write lies in memory that children share (at_shared_new), in every mode, so that it can be checked by the one
 * who asked for it.
 */
struct workload {
    const char *name;    /* "cpu": in the files */
    const char *title;   /* "sums, the tutorial's work": in the table and the charts */
    const char *unit;    /* what it does so many of: "additions" */
    double units;        /* how many in all, however many workers there are; prepare may set it */
    size_t tasks;        /* in how many tasks; prepare may set it */
    int variant;         /* for a file of several workloads: which of them */
    double parameter;    /* the same, as a number */
    bool waits;          /* it waits more than it computes: more workers than cores pay */
    const char *missing; /* why it cannot be measured, NULL when it can */

    /*
     * Before all else, in the process that all others are forks of: memory. False, and `missing` says why. NULL: none.
     */
    bool (*prepare)(struct workload *workload);
    /* Before each run, not timed: removes the last run's result. */
    void (*reset)(const struct workload *workload);
    /* The part that one worker does, before the tasks; NULL: there is none. */
    void (*alone)(const struct workload *workload);
    /* Does a task; `worker` is below the number of workers, and nobody else has it just now. */
    void (*task)(const struct workload *workload, size_t task, size_t worker);
    /* After each run, not timed: false, and what is wrong, when the result is not the right one. */
    bool (*check)(const struct workload *workload, char wrong[WRONG_SIZE]);
    /* For those that run programs: the program that does a task, told its number; and where it writes. NULL: none. */
    const char *command;
    int (*output)(void);
    /* Frees what prepare made. NULL: nothing. */
    void (*finish)(struct workload *workload);
};

struct workload_list {
    struct workload *const *workloads;
    size_t count;
};

/* All of them, in the order of the table. */
extern const struct workload_list all_workloads;

/* The one of this name, NULL when there is none. */
struct workload *workload_named(struct workload_list list, const char *name);

/*
 * Tasks that each leave one number, in memory that children share: made by prepare, cleared by reset. A task that was
 * left out, or run by a worker whose memory nobody sees, leaves 0.
 */
uint64_t *results_new(struct workload *workload, size_t count);

#endif
