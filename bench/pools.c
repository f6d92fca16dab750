/*
 * pools.c: what a task costs: our pool, the floor under it, Python's Pool and ProcessPoolExecutor, and OpenMP.
 *
 * The tasks are in tasks.h, ours and the floors in pool_subjects.c (the round trips' in floors.c), Python's in
 * peers/pools.py, OpenMP's in peers/openmp.c; docs/measuring.md says what to make of it. No timing fails the run; a
 * wrong result of a task does.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "comparison.h"
#include "console.h"
#include "options.h"
#include "subjects.h"
#include "tasks.h"
#include "traffic.h"

/* What the peers are told: filled in by main. */
static char workers[16], steps_0[24], steps_1[24], steps_10[24], steps_100[24];

enum { MOST_PENDING = 4096 };

#define PLAN(name, us, most)                                                                                           \
    static bool name(void) {                                                                                           \
        return tasks_plan((us), (most));                                                                               \
    }
PLAN(empty_tasks, 0, MOST_TASKS)
PLAN(empty_pending, 0, MOST_PENDING)
PLAN(tasks_of_1, 1, MOST_TASKS)
PLAN(tasks_of_10, 10, MOST_TASKS)
PLAN(tasks_of_100, 100, MOST_TASKS)

/* The floors of apply are round trips of a message as large as a cache line. */
static bool trips_hot(void) {
    return tasks_plan(0, 1) && traffic_plan((struct traffic){.size = 64, .pairs = 1, .trip = true});
}

static bool trips_asleep(void) {
    return tasks_plan(0, 1) && traffic_plan((struct traffic){.size = 64, .pairs = 1, .trip = true, .asleep = true});
}

static void trips_done(void) {
    pool_done();
    channels_close();
}

#define OUR(function) [OURS] = {.name = "at_pool", .take = (function)}
#define FLOOR_IS(text, function) [FLOOR] = {.name = (text), .take = (function)}
#define PYTHONS(kind, us, number, most)                                                                                \
    [PYTHON] = {.name = "multiprocessing.Pool", .script = "pools.py", .arguments = {"pool", kind, us, number, most}},  \
    [EXECUTOR] = {                                                                                                     \
        .name = "ProcessPoolExecutor", .script = "pools.py", .arguments = {"executor", kind, us, number, most}}
#define OPENMPS(kind, steps, most)                                                                                     \
    [OPENMP] = {.name = "OpenMP", .program = "openmp", .arguments = {kind, steps, workers, most}}

/* Tasks that take a while, with chunk size 1; the floor is the same work in processes that share a counter. */
#define LASTING(text, us, steps)                                                                                       \
    .subjects = {OUR(pool_map_single), FLOOR_IS("a counter", tasks_counted_out),                                       \
                 PYTHONS("single", us, workers, "1048576"), OPENMPS("tasks", steps, "1048576")},                       \
    .title = (text), .after = pool_done, .batch = 1, .least_rounds = 3

static struct comparison comparisons[] = {
    {
        .name = "pool_map_1",
        .title = "map, chunk size 1",
        .subjects = {OUR(pool_map_single), FLOOR_IS("a counter", tasks_counted_out),
                     PYTHONS("single", "0", workers, "1048576"), OPENMPS("tasks", steps_0, "1048576")},
        .before = empty_tasks,
        .after = pool_done,
        .batch = 1,
        .least_rounds = 3,
        .reaches = {REACH_TO(PYTHON, 50), REACH(LEAST_PER_SECOND, 1e6)},
    },
    {
        .name = "pool_map",
        .title = "map, default chunks",
        .subjects = {OUR(pool_map_default), FLOOR_IS("a counter", tasks_counted_out_in_chunks),
                     PYTHONS("default", "0", workers, "1048576"), OPENMPS("loop", steps_0, "1048576")},
        .before = empty_tasks,
        .after = pool_done,
        .batch = 1,
        .least_rounds = 3,
        .reaches = {REACH_TO(PYTHON, 20)},
    },
    {
        .name = "pool_apply_hot",
        .title = "apply, hot",
        .latency = true,
        .subjects = {OUR(pool_apply_hot), FLOOR_IS("SPSC spin ring", ring_take), PYTHONS("hot", "0", "1", "1")},
        .before = trips_hot,
        .after = trips_done,
        .batch = 20,
        .least_rounds = 3,
        .reaches = {REACH_TO(PYTHON, 50)},
    },
    {
        .name = "pool_apply_asleep",
        .title = "apply, asleep",
        .latency = true,
        .subjects = {OUR(pool_apply_asleep), FLOOR_IS("two futexes", futex_take), PYTHONS("asleep", "0", "1", "1")},
        .before = trips_asleep,
        .after = trips_done,
        .batch = 10,
        .least_rounds = 3,
        .reaches = {REACH(MOST_TO_FLOOR, 1.4)},
    },
    {
        .name = "pool_apply_async",
        .title = "apply_async",
        .subjects = {OUR(pool_apply_async), FLOOR_IS("a counter", tasks_counted_out),
                     PYTHONS("async", "0", workers, "4096"), OPENMPS("tasks", steps_0, "1048576")},
        .before = empty_pending,
        .after = pool_done,
        .batch = 1,
        .least_rounds = 3,
    },
    {.name = "pool_1us", LASTING("map of 1 us tasks", "1", steps_1), .before = tasks_of_1},
    {.name = "pool_10us", LASTING("map of 10 us tasks", "10", steps_10), .before = tasks_of_10, .not_with_quick = true},
    {
        .name = "pool_100us",
        LASTING("map of 100 us tasks", "100", steps_100),
        .before = tasks_of_100,
        .reaches = {REACH(LEAST_PART, 0.95)},
    },
};

int main(int argc, char *argv[]) {
    struct options options =
        options_read(argc, argv, "Times tasks in processes against a floor, and against Python's pools and OpenMP.");
    catch_interrupts();
    tasks_prepare(options.workers);
    snprintf(workers, sizeof workers, "%zu", options.workers);
    snprintf(steps_0, sizeof steps_0, "%" PRIu64, tasks_steps(0));
    snprintf(steps_1, sizeof steps_1, "%" PRIu64, tasks_steps(1));
    snprintf(steps_10, sizeof steps_10, "%" PRIu64, tasks_steps(10));
    snprintf(steps_100, sizeof steps_100, "%" PRIu64, tasks_steps(100));
    double seconds = options.seconds > 0 ? options.seconds : options.quick ? 3 : 45;
    comparisons_run(comparisons, sizeof comparisons / sizeof comparisons[0], &options, "pools", seconds);
    return end_status();
}
