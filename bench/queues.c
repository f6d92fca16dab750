/*
 * queues.c: what a message costs: our queue, the floor under it, and pipe, POSIX message queue, Boost and Python.
 *
 * Producers and consumers are processes of their own, for all subjects alike, and each has a core as far as there are
 * cores. What is measured is in traffic.h, the channels in channels.c and floors.c, Python's in peers/queues.py; and
 * docs/measuring.md says what to make of it. No timing fails the run; a wrong message does.
 */
#include "comparison.h"
#include "console.h"
#include "options.h"
#include "subjects.h"
#include "traffic.h"

/* How each comparison's messages go. Backlog: the consumers may lag; lock-step: the queue holds one message. */
#define PLAN(name, ...)                                                                                                \
    static bool name(void) {                                                                                           \
        return traffic_plan((struct traffic){__VA_ARGS__});                                                            \
    }
enum { SMALL = 8, LINE = 64, PAGE = 4096, LARGE = 1 << 20 };

PLAN(backlog_8, .size = SMALL, .pairs = 1)
PLAN(backlog_64, .size = LINE, .pairs = 1)
PLAN(backlog_4096, .size = PAGE, .pairs = 1)
PLAN(backlog_1m, .size = LARGE, .pairs = 1)
PLAN(two_pairs_8, .size = SMALL, .pairs = 2)
PLAN(two_pairs_64, .size = LINE, .pairs = 2)
PLAN(two_pairs_4096, .size = PAGE, .pairs = 2)
PLAN(two_pairs_1m, .size = LARGE, .pairs = 2)
PLAN(lock_step_8, .size = SMALL, .pairs = 1, .one_at_a_time = true)
PLAN(lock_step_64, .size = LINE, .pairs = 1, .one_at_a_time = true)
PLAN(lock_step_4096, .size = PAGE, .pairs = 1, .one_at_a_time = true)
PLAN(lock_step_1m, .size = LARGE, .pairs = 1, .one_at_a_time = true)
PLAN(trip_hot, .size = LINE, .pairs = 1, .trip = true)
PLAN(trip_asleep, .size = LINE, .pairs = 1, .trip = true, .asleep = true)

#define SUBJECTS(floor_name, floor_take, ...)                                                                          \
    .subjects =                                                                                                        \
        {                                                                                                              \
            [OURS] = {.name = "at_queue", .take = queue_take},                                                         \
            [FLOOR] = {.name = (floor_name), .take = (floor_take)},                                                    \
            [PYTHON] = {.name = "multiprocessing.Queue",                                                               \
                        .script = "queues.py",                                                                         \
                        .arguments = {__VA_ARGS__},                                                                    \
                        .batch = 1},                                                                                   \
            [BOOST] = {.name = "Boost.Interprocess", .take = boost_take},                                              \
            [PIPE] = {.name = "pipe", .take = pipe_take},                                                              \
            [MQUEUE] = {.name = "POSIX mq", .take = mqueue_take},                                                      \
    },                                                                                                                 \
    .after = channels_close
#define RING_AND(...) SUBJECTS("SPSC spin ring", ring_take, __VA_ARGS__), .batch = 2, .least_rounds = 3

static struct comparison comparisons[] = {
    {.name = "queue_8", .title = "8 B, backlog", RING_AND("stream", "8", "1"), .before = backlog_8},
    {
        .name = "queue_64",
        .title = "64 B, backlog",
        RING_AND("stream", "64", "1"),
        .before = backlog_64,
        .reaches = {REACH_TO(PYTHON, 70), REACH_TO(BOOST, 1)},
    },
    {.name = "queue_4096", .title = "4 KiB, backlog", RING_AND("stream", "4096", "1"), .before = backlog_4096},
    {
        .name = "queue_1mib",
        .title = "1 MiB, backlog",
        SUBJECTS("memcpy", memcpy_take, "stream", "1048576", "1"),
        .before = backlog_1m,
        .batch = 1,
        .least_rounds = 3,
        .bytes = LARGE,
        .reaches = {REACH_TO(PYTHON, 5)},
    },
    {.name = "queue_64_2to2", .title = "64 B, 2 to 2", RING_AND("stream", "64", "2"), .before = two_pairs_64},
    {
        .name = "queue_64_lock_step",
        .title = "64 B, lock-step",
        RING_AND("stream", "64", "1", "1"),
        .before = lock_step_64,
    },
    {
        .name = "queue_hot",
        .title = "round trip, hot",
        .latency = true,
        SUBJECTS("SPSC spin ring", ring_take, "hot", "64"),
        .before = trip_hot,
        .batch = BATCH_MOST,
        .least_rounds = 3,
        .reaches = {REACH(MOST_MEDIAN_NS, 1000)},
    },
    {
        .name = "queue_asleep",
        .title = "round trip, asleep",
        .latency = true,
        SUBJECTS("two futexes", futex_take, "asleep", "64"),
        .before = trip_asleep,
        .batch = 10,
        .least_rounds = 3,
        .reaches = {REACH(MOST_TO_FLOOR, 1.2)},
    },

#define ALSO(prefix, text, plan, ...)                                                                                  \
    { .name = (prefix), .title = (text), RING_AND(__VA_ARGS__), .before = (plan), .only_in_files = true }
    ALSO("queue_8_2to2", "8 B, 2 to 2", two_pairs_8, "stream", "8", "2"),
    ALSO("queue_4096_2to2", "4 KiB, 2 to 2", two_pairs_4096, "stream", "4096", "2"),
    ALSO("queue_1mib_2to2", "1 MiB, 2 to 2", two_pairs_1m, "stream", "1048576", "2"),
    ALSO("queue_8_lock_step", "8 B, lock-step", lock_step_8, "stream", "8", "1", "1"),
    ALSO("queue_4096_lock_step", "4 KiB, lock-step", lock_step_4096, "stream", "4096", "1", "1"),
    ALSO("queue_1mib_lock_step", "1 MiB, lock-step", lock_step_1m, "stream", "1048576", "1", "1"),
};

int main(int argc, char *argv[]) {
    struct options options = options_read(
        argc, argv, "Times messages between processes against a floor, and against other ways to carry them.");
    catch_interrupts();
    if (options.quick)
        traffic_warm_seconds = 0.03;
    double seconds = options.seconds > 0 ? options.seconds : options.quick ? 3 : 60;
    comparisons_run(comparisons, sizeof comparisons / sizeof comparisons[0], &options, "queues", seconds);
    return end_status();
}
