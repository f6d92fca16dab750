/*
 * subprocess.c: what starting other programs costs: ours, the system's bare calls, Python's subprocess, libuv, GLib.
 *
 * The programs that are started are in children/. Ours and the floors are in spawns.c, exits.c and pours.c, Python's in
 * peers/spawns.py, libuv's and GLib's in peers/libuv.c and glib.c; docs/measuring.md says what to make of it. Every
 * child's status is looked at, and what it wrote is compared, outside of the time. No timing fails the run; a wrong
 * result does.
 */
#include <stdio.h>

#include "comparison.h"
#include "console.h"
#include "options.h"
#include "spawns.h"
#include "subjects.h"

/* Forked while this process is small, and asked for ours when it no longer is. */
static struct peer small_process;

/* What the peers are told: filled in by main. */
static char size_text[24];

static void after_run(void);
static void after_timeout(void);

#define OUR(text, function) [OURS] = {.name = (text), .take = (function)}
#define FLOOR_IS(text, function) [FLOOR] = {.name = (text), .take = (function)}
#define PYTHONS(...) [PYTHON] = {.name = "Python subprocess", .script = "spawns.py", .arguments = {__VA_ARGS__}}
#define LIBUVS(...) [LIBUV] = {.name = "libuv", .program = "libuv", .arguments = {__VA_ARGS__}}
#define GLIBS(...) [GLIB] = {.name = "GLib GSubprocess", .program = "glib", .arguments = {__VA_ARGS__}}
#define ALL_PEERS(...) PYTHONS(__VA_ARGS__), LIBUVS(__VA_ARGS__), GLIBS(__VA_ARGS__)
#define FORKS [FORK] = {.name = "fork+exec+waitpid", .take = run_fork}

enum { RUN, TIMEOUT = 2, EXIT = 5, CAPTURE, COMMUNICATE, OVERSHOOT };

static struct comparison comparisons[] =
    {
        [RUN] =
            {
                .name = "run",
                .title = "run a no-op",
                .subjects = {OUR("at_run", run_ours), FLOOR_IS("posix_spawn+waitpid", run_floor),
                             ALL_PEERS("run", noop_path), FORKS},
                .before = plan_noop,
                .after = after_run,
                .batch = 10,
                .reaches = {REACH(MOST_TO_FLOOR, 1.05)},
            },
        {
            .name = "run_true",
            .title = "run /bin/true",
            .subjects = {OUR("at_run", run_ours), FLOOR_IS("posix_spawn+waitpid", run_floor),
                         ALL_PEERS("run", "/bin/true"), FORKS},
            .before = plan_true,
            .batch = 10,
        },
        [TIMEOUT] =
            {
                .name = "run_timeout",
                .title = "run a no-op with a timeout",
                .subjects = {OUR("at_run with a timeout", run_ours_timed), FLOOR_IS("at_run without one", run_ours),
                             PYTHONS("timeout", noop_path), LIBUVS("timeout", noop_path)},
                .before = plan_noop,
                .after = after_timeout,
                .batch = 10,
                .reaches = {REACH(MOST_TO_FLOOR, 1.1)},
            },
        {
            .name = "run_1gib",
            .title = "run a no-op at 1 GiB",
            .subjects = {OUR("at_run", run_ours), FLOOR_IS("posix_spawn+waitpid", run_floor),
                         ALL_PEERS("run", noop_path, "1024"), FORKS},
            .before = plan_noop_at_1_gibibyte,
            .after = shrink_again,
            .batch = 5,
            .least_rounds = 6,
            .not_with_quick = true, /* footprint.c has the same with less memory, too */
        },
        {
            .name = "run_1gib_flat",
            .title = "at 1 GiB (floor: ours, small)",
            .subjects = {OUR("at_run at 1 GiB", run_ours), [FLOOR] = {.name = "at_run small", .peer = &small_process}},
            .before = plan_noop_at_1_gibibyte,
            .after = shrink_again,
            .batch = 10,
            .least_rounds = 10,
            .not_with_quick = true,
            .reaches = {REACH(MOST_TO_FLOOR, 1.1)},
        },
        [EXIT] =
            {
                .name = "exit",
                .title = "exit to wait(timeout)",
                .subjects = {OUR("at_popen_wait", exit_ours), FLOOR_IS("waitpid", exit_floor),
                             ALL_PEERS("exit", stamp_path)},
                .batch = 5,
                .least_rounds = 10,
                .reaches = {REACH(MOST_TO_FLOOR, 1.2)},
            },
        [CAPTURE] =
            {
                .name = "capture",
                .title = "capture 256 MiB",
                .subjects = {OUR("at_run", capture_ours), FLOOR_IS("a read loop", capture_floor),
                             ALL_PEERS("capture", pour_path, size_text)},
                .before = plan_bytes,
                .after = forget_bytes,
                .batch = 1,
                .least_rounds = 3,
            },
        [COMMUNICATE] =
            {
                .name = "communicate",
                .title = "256 MiB through cat",
                .subjects = {OUR("at_popen_communicate", communicate_ours), FLOOR_IS("a poll loop", communicate_floor),
                             ALL_PEERS("cat", "cat", size_text)},
                .before = plan_bytes,
                .after = forget_bytes,
                .batch = 1,
                .least_rounds = 3,
                .reaches = {REACH_TO(PYTHON, 3)},
            },
        [OVERSHOOT] =
            {
                .name = "overshoot",
                .title = "a timeout's overshoot",
                .subjects = {OUR("at_run", overshoot_ours), FLOOR_IS("posix_spawn+ppoll+kill", overshoot_floor),
                             PYTHONS("overshoot")},
                .batch = 2,
                .least_rounds = 5,
            },
};

/* What a timeout costs Python: between two rows of one run. */
static double python_run, python_timeout;

static void after_run(void) {
    python_run = spread_of(&comparisons[RUN].ns[PYTHON]).median;
}

static void after_timeout(void) {
    python_timeout = spread_of(&comparisons[TIMEOUT].ns[PYTHON]).median;
}

int main(int argc, char *argv[]) {
    struct options options =
        options_read(argc, argv, "Times the start of programs against the system's floor, Python 3, libuv and GLib.");
    spawns_ready();
    /* First, while this process is small. */
    if (!peer_fork(&small_process, "the small process", run_noop_once))
        return 1;
    catch_interrupts();
    size_t bytes = (size_t)(options.quick ? 48 : 256) << 20;
    snprintf(size_text, sizeof size_text, "%zu", bytes);
    pours_ready(bytes);
    comparisons[CAPTURE].bytes = (double)bytes;
    comparisons[COMMUNICATE].bytes = (double)bytes; /* which go in, and come out again */
    if (options.quick) {
        comparisons[CAPTURE].name = "capture_48mib"; /* by another name: not to be compared with the other size */
        comparisons[CAPTURE].title = "capture 48 MiB";
        comparisons[COMMUNICATE].name = "communicate_48mib";
        comparisons[COMMUNICATE].title = "48 MiB through cat";
        comparisons[EXIT].batch = 2; /* a child lives 11 ms, a timeout is 50 ms long */
        comparisons[OVERSHOOT].batch = 1;
    }
    double seconds = options.seconds > 0 ? options.seconds : options.quick ? 3 : 45;
    comparisons_run(comparisons, sizeof comparisons / sizeof comparisons[0], &options, "subprocess", seconds);
    if (python_run > 0 && python_timeout > 0)
        printf("Python's run of a no-op takes %.1f times as long with a timeout: %s, without %s.\n",
               python_timeout / python_run, human_time(python_timeout), human_time(python_run));
    peer_stop(&small_process);
    return end_status();
}
