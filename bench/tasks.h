/* tasks.h: the tasks that a pool is given, how many make a sample, and whether the results are right. */
#ifndef BENCH_TASKS_H
#define BENCH_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MOST_TASKS = 1 << 20, SEEDS = 16 };

/* The tasks of a comparison: task i is busy(seed i, steps), and all its arguments and results are here. */
struct tasks {
    size_t workers; /* of the pool, and of the floor */
    uint64_t steps; /* of a task: 0, or what takes `us` microseconds here */
    uint32_t *seeds;
    uint64_t *results; /* shared: the floor's processes write them */
    size_t most;       /* in a sample, whoever takes it */
};

extern struct tasks tasks;

/* Once: the memory, and how many steps a microsecond has (the most of some tries: what disturbs only slows). */
void tasks_prepare(size_t workers);

/* For a comparison's `before`: so long tasks, and at most so many in a sample. Always true. */
bool tasks_plan(unsigned us, size_t most);

/* For programs that do the same: the steps of a task of so many us. */
uint64_t tasks_steps(unsigned us);

/* Before and after a sample: forgets the results; ends the program if one of them is not right. */
void tasks_forget(size_t count);
void tasks_check(const char *name, size_t count);

/* How many tasks make a sample that is long enough; *count is 0 before the first call. `once` gives ns for all. */
void tasks_calibrate(size_t *count, double (*once)(size_t count));

#endif
