/* empty.c: tasks that do next to nothing: what is left is what the harness and the mode cost. */
#include <inttypes.h>
#include <string.h>

#include "atelier.h"
#include "workloads.h"

enum { TASKS = 1000 };

static uint64_t *results;

static bool prepare(struct workload *workload) {
    results = results_new(workload, TASKS);
    return results != NULL;
}

static void reset(const struct workload *workload) {
    memset(results, 0, workload->tasks * sizeof *results);
}

/* One store, so that it can be seen that the call was made. */
static void task(const struct workload *workload, size_t task, size_t worker) {
    (void)workload, (void)worker;
    results[task] = task + 1;
}

static bool check(const struct workload *workload, char wrong[WRONG_SIZE]) {
    for (size_t i = 0; i < workload->tasks; i++) {
        if (results[i] != i + 1) {
            snprintf(wrong, WRONG_SIZE, "call %zu of %zu left %" PRIu64 ", not %zu", i, workload->tasks, results[i],
                     i + 1);
            return false;
        }
    }
    return true;
}

static void finish(struct workload *workload) {
    (void)workload;
    at_shared_free(results);
    results = NULL;
}

struct workload empty_workload = {
    .name = "empty",
    .title = "empty calls",
    .unit = "calls",
    .units = TASKS,
    .tasks = TASKS,
    .prepare = prepare,
    .reset = reset,
    .task = task,
    .check = check,
    .finish = finish,
};
