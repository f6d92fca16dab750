/*
 * cpu.c: the tutorial's work, sums of the numbers below n; all of it in tasks, or, mixed, only a part of it: the rest
 * is done by one worker alone before the others begin (Amdahl, 1967).
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "atelier.h"
#include "work.h"
#include "workloads.h"

/* So many tasks that most numbers of workers get nearly equal shares. */
enum { TASKS = 480, ADDITIONS = 20000000 };

/* One for each task, and one for the part that is done alone; all of these workloads use the same. */
static uint64_t *results;
static int users;

/* Task i adds up the numbers below this; no two have the same sum, so that no result can stand for another's. */
static uint64_t below(const struct workload *workload, size_t task) {
    return (uint64_t)(workload->parameter * ADDITIONS / TASKS) + task;
}

static uint64_t below_alone(const struct workload *workload) {
    return (uint64_t)((1 - workload->parameter) * ADDITIONS);
}

static bool prepare(struct workload *workload) {
    if (users++ == 0)
        results = results_new(workload, TASKS + 1);
    return results != NULL;
}

static void reset(const struct workload *workload) {
    (void)workload;
    memset(results, 0, (TASKS + 1) * sizeof *results);
}

static void alone(const struct workload *workload) {
    results[TASKS] = sum_below(below_alone(workload));
}

static void task(const struct workload *workload, size_t task, size_t worker) {
    (void)worker;
    results[task] = sum_below(below(workload, task));
}

static bool check(const struct workload *workload, char wrong[WRONG_SIZE]) {
    for (size_t i = 0; i < TASKS; i++) {
        uint64_t n = below(workload, i);
        if (results[i] != expected_sum(n)) {
            snprintf(wrong, WRONG_SIZE, "the sum below %" PRIu64 " is %" PRIu64 ", not %" PRIu64, n, expected_sum(n),
                     results[i]);
            return false;
        }
    }
    if (workload->alone != NULL && results[TASKS] != expected_sum(below_alone(workload))) {
        snprintf(wrong, WRONG_SIZE, "the part done alone is %" PRIu64 ", not %" PRIu64, results[TASKS],
                 expected_sum(below_alone(workload)));
        return false;
    }
    return true;
}

static void finish(struct workload *workload) {
    (void)workload;
    if (--users == 0)
        at_shared_free(results);
}

#define SUMS                                                                                                           \
    .unit = "additions", .units = ADDITIONS, .tasks = TASKS, .prepare = prepare, .reset = reset, .task = task,         \
    .check = check, .finish = finish

struct workload cpu_workload = {.name = "cpu", .title = "sums: nothing but computing", .parameter = 1, SUMS};

struct workload mixed_workloads[MIXED] = {
    {.name = "mixed_50", .title = "sums: 50% can be shared out", .parameter = 0.5, .alone = alone, SUMS},
    {.name = "mixed_90", .title = "sums: 90% can be shared out", .parameter = 0.9, .alone = alone, SUMS},
};

void mixed_choose(double part) {
    static char name[32], title[64];
    snprintf(name, sizeof name, "mixed_%.4g", 100 * part);
    snprintf(title, sizeof title, "sums: %.4g%% can be shared out", 100 * part);
    mixed_workloads[0].name = name;
    mixed_workloads[0].title = title;
    mixed_workloads[0].parameter = part;
    mixed_workloads[1].missing = "another part was chosen";
}
