/*
 * lock.c: a counter that all workers raise: under a lock; by an atomic instruction; each its own, added up at the end;
 * and each its own again, but all within one cache line, which then goes to and fro between the cores (false sharing).
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "atelier.h"
#include "mode.h"
#include "workloads.h"

enum { TASKS = 64, LINE = 128 };

/* In each task; the quicker ones more, so that the workers' start does not hide what a raise costs. */
static const size_t raises[LOCKS] = {
    [LOCK_MUTEX] = 1 << 14, [LOCK_ATOMIC] = 1 << 15, [LOCK_PRIVATE] = 1 << 17, [LOCK_NEIGHBOURS] = 1 << 17};

/* What all raise, and what each raises for itself. */
static struct counters {
    _Alignas(LINE) uint64_t guarded; /* by the mode's lock (mode.h) */
    _Alignas(LINE) _Atomic uint64_t atomic;
    struct {
        _Alignas(LINE) uint64_t count;
    } apart[MOST_WORKERS];
    _Alignas(LINE) uint64_t neighbours[MOST_WORKERS];
} * counters;
static void *memory; /* in which they lie, at the first address that suits them */
static int users;

static bool prepare(struct workload *workload) {
    if (users++ == 0) {
        memory = at_shared_new(sizeof *counters + LINE);
        counters = memory != NULL ? (struct counters *)(((uintptr_t)memory + LINE - 1) / LINE * LINE) : NULL;
    }
    if (counters == NULL)
        workload->missing = "out of shared memory";
    workload->units = (double)(TASKS * raises[workload->variant]);
    return counters != NULL;
}

static void reset(const struct workload *workload) {
    (void)workload;
    memset(counters, 0, sizeof *counters);
}

/* Volatile: each raise is a load and a store, as it would be between other work. */
static void raise_alone(volatile uint64_t *count, size_t times) {
    for (size_t i = 0; i < times; i++)
        *count = *count + 1;
}

static void task(const struct workload *workload, size_t task, size_t worker) {
    size_t times = raises[workload->variant];
    (void)task;
    switch (workload->variant) {
    case LOCK_MUTEX:
        for (size_t i = 0; i < times; i++) {
            mode_here->locks->acquire(lock_here);
            counters->guarded++;
            mode_here->locks->release(lock_here);
        }
        break;
    case LOCK_ATOMIC: /* relaxed: nothing else is ordered by it; the workers' end is what makes it seen */
        for (size_t i = 0; i < times; i++)
            atomic_fetch_add_explicit(&counters->atomic, 1, memory_order_relaxed);
        break;
    case LOCK_PRIVATE:
        raise_alone(&counters->apart[worker].count, times);
        break;
    case LOCK_NEIGHBOURS:
        raise_alone(&counters->neighbours[worker], times);
        break;
    }
}

static bool check(const struct workload *workload, char wrong[WRONG_SIZE]) {
    uint64_t sum = counters->guarded + atomic_load(&counters->atomic);
    for (size_t i = 0; i < MOST_WORKERS; i++)
        sum += counters->apart[i].count + counters->neighbours[i];
    if (sum == TASKS * raises[workload->variant])
        return true;
    snprintf(wrong, WRONG_SIZE, "counted to %" PRIu64 ", not %zu", sum, TASKS * raises[workload->variant]);
    return false;
}

static void finish(struct workload *workload) {
    (void)workload;
    if (--users == 0)
        at_shared_free(memory);
}

#define COUNTING                                                                                                       \
    .unit = "increments", .tasks = TASKS, .prepare = prepare, .reset = reset, .task = task, .check = check,            \
    .finish = finish

struct workload lock_workloads[LOCKS] = {
    {.name = "lock_mutex", .title = "counting under one lock", .variant = LOCK_MUTEX, COUNTING},
    {.name = "lock_atomic", .title = "counting by an atomic instruction", .variant = LOCK_ATOMIC, COUNTING},
    {.name = "lock_private", .title = "counting each for itself", .variant = LOCK_PRIVATE, COUNTING},
    {.name = "lock_neighbours", .title = "the same in one cache line", .variant = LOCK_NEIGHBOURS, COUNTING},
};
