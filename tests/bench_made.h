/* bench_made.h: a made workload for the suites about the harness: it notes who does which task, and how often. */
#ifndef ATELIER_TESTS_BENCH_MADE_H
#define ATELIER_TESTS_BENCH_MADE_H

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "atelier.h"
#include "workload.h"

enum { MADE_TASKS = 60, MADE_WORKERS = 8 };

/* What one run leaves, in memory that all processes of the run share. */
static struct made {
    pid_t host;                      /* who has begun the run */
    _Atomic int times[MADE_TASKS];   /* that each task was done */
    _Atomic int doer[MADE_TASKS];    /* the process that did it... */
    _Atomic size_t as[MADE_TASKS];   /* ...as the worker of this number */
    _Atomic bool busy[MADE_WORKERS]; /* a worker of this number is at a task */
    _Atomic int strangers;           /* tasks done by a worker of a number that is too great... */
    _Atomic int doubles;             /* ...or that somebody else had at that time */
    _Atomic int runs;                /* of this workload so far, in all modes */
    size_t workers;                  /* how many there should be; 0: any number */
} * made;

static inline bool made_prepare(struct workload *workload) {
    made = made != NULL ? made : at_shared_new(sizeof *made);
    if (made == NULL)
        workload->missing = "out of shared memory";
    return made != NULL;
}

static inline void made_reset(const struct workload *workload) {
    (void)workload;
    made->host = getpid();
    made->strangers = made->doubles = 0;
    for (size_t i = 0; i < MADE_TASKS; i++)
        made->times[i] = made->doer[i] = 0;
    for (size_t i = 0; i < MADE_WORKERS; i++)
        made->busy[i] = false; /* as a host leaves it that was killed in the midst of a task */
    made->runs++;
}

static inline void made_task(const struct workload *workload, size_t task, size_t worker) {
    (void)workload;
    if (worker >= MADE_WORKERS || (made->workers > 0 && worker >= made->workers)) {
        made->strangers++;
        return;
    }
    if (atomic_exchange(&made->busy[worker], true))
        made->doubles++;
    made->times[task]++;
    made->doer[task] = getpid();
    made->as[task] = worker;
    made->busy[worker] = false;
}

/* Each task once, by workers of their own numbers. */
static inline bool made_check(const struct workload *workload, char wrong[WRONG_SIZE]) {
    for (size_t i = 0; i < MADE_TASKS; i++) {
        int times = made->times[i], expected = i < workload->tasks ? 1 : 0;
        if (times != expected) {
            snprintf(wrong, WRONG_SIZE, "task %zu was done %d times, not %d", i, times, expected);
            return false;
        }
    }
    if (made->strangers == 0 && made->doubles == 0)
        return true;
    snprintf(wrong, WRONG_SIZE, "%d tasks by unknown workers, %d by two of one number", made->strangers, made->doubles);
    return false;
}

static inline struct workload made_workload(void) {
    return (struct workload){
        .name = "made",
        .title = "made for the tests",
        .unit = "tasks",
        .units = MADE_TASKS,
        .tasks = MADE_TASKS,
        .prepare = made_prepare,
        .reset = made_reset,
        .task = made_task,
        .check = made_check,
    };
}

#endif
