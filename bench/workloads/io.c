/* io.c: waiting, as the tutorial's painters do. It needs no core, so more workers than cores pay. */
#include <inttypes.h>
#include <string.h>

#include "atelier.h"
#include "measure.h"
#include "workloads.h"

enum { TASKS = 16, WAIT_NS = 1000000 };

static uint64_t *waited; /* by each task, in ns, on the clock */

static bool prepare(struct workload *workload) {
    waited = results_new(workload, TASKS);
    return waited != NULL;
}

static void reset(const struct workload *workload) {
    memset(waited, 0, workload->tasks * sizeof *waited);
}

static void task(const struct workload *workload, size_t task, size_t worker) {
    (void)workload, (void)worker;
    uint64_t start = now_ns();
    struct timespec left = {.tv_nsec = WAIT_NS};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) != 0)
        ;
    waited[task] = now_ns() - start;
}

static bool check(const struct workload *workload, char wrong[WRONG_SIZE]) {
    for (size_t i = 0; i < workload->tasks; i++) {
        if (waited[i] < WAIT_NS) {
            snprintf(wrong, WRONG_SIZE, "task %zu waited %" PRIu64 " ns, not %d", i, waited[i], WAIT_NS);
            return false;
        }
    }
    return true;
}

static void finish(struct workload *workload) {
    (void)workload;
    at_shared_free(waited);
    waited = NULL;
}

struct workload io_workload = {
    .name = "io",
    .title = "waiting: 1 ms, 16 times",
    .unit = "waits",
    .units = TASKS,
    .tasks = TASKS,
    .waits = true,
    .prepare = prepare,
    .reset = reset,
    .task = task,
    .check = check,
    .finish = finish,
};
