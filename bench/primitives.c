/*
 * primitives.c: what a lock, a recovery, a thread and a process cost: ours, the floor under it, and Python's.
 *
 * Each row is a comparison (comparison.h): its subjects take turns in an order shuffled by a printed seed, and its
 * ratios are taken within a turn. Python's side is programs in bench/peers that run beside this one and measure
 * themselves when it is their turn (peer.h). No timing fails the run; a wrong result does.
 */
#include "atelier.h"
#include "comparison.h"
#include "console.h"
#include "options.h"
#include "subjects.h"

/* Forked while this process is small, and asked for the floor when it no longer is. */
static struct peer small_process;

static struct comparison comparisons[] = {
    {
        .name = "lock",
        .title = "lock pair",
        .subjects = {{.name = "at_lock", .take = lock_ours},
                     {.name = "pthread_mutex", .take = lock_floor},
                     {.name = "threading.Lock", .script = "lock.py", .arguments = {"lock"}}},
        .before = locks_ready,
        .after = locks_done,
        .batch = 3,
        .reaches = {REACH(MOST_TO_FLOOR, 1.0)},
    },
    {
        .name = "rlock",
        .title = "recursive lock pair",
        .subjects = {{.name = "at_rlock", .take = rlock_ours},
                     {.name = "pthread_mutex recursive", .take = rlock_floor},
                     {.name = "threading.RLock", .script = "lock.py", .arguments = {"rlock"}}},
        .before = locks_ready,
        .after = locks_done,
        .batch = 3,
    },
    {
        .name = "process_lock",
        .title = "process lock pair",
        .subjects = {{.name = "at_process_lock", .take = process_lock_ours},
                     {.name = "pthread_mutex pshared robust", .take = process_lock_floor},
                     {.name = "multiprocessing.Lock", .script = "lock.py", .arguments = {"process_lock"}}},
        .before = locks_ready,
        .after = locks_done,
        .batch = 3,
    },
    {
        .name = "lock_2_threads",
        .title = "lock pair, 2 threads contend",
        .subjects = {{.name = "at_lock", .take = contention_ours},
                     {.name = "pthread_mutex", .take = contention_floor},
                     {.name = "threading.Lock", .script = "lock.py", .arguments = {"contended", "2"}}},
        .before = two_contend,
        .batch = 1,
        .least_rounds = 15,
        .reaches = {REACH(MOST_TO_FLOOR, 1.0)},
    },
    {
        .name = "lock_all_cores",
        .title = "lock pair, all cores contend",
        .subjects = {{.name = "at_lock", .take = contention_ours},
                     {.name = "pthread_mutex", .take = contention_floor},
                     {.name = "threading.Lock", .script = "lock.py", .arguments = {"contended", "0"}}},
        .before = all_cores_contend,
        .batch = 1,
        .least_rounds = 15,
        .reaches = {REACH(MOST_TO_FLOOR, 1.0)},
    },
    {
        .name = "recovery",
        .title = "killed holder's lock handed on",
        .subjects = {{.name = "at_process_lock", .take = recovery_ours},
                     {.name = "pthread_mutex robust", .take = recovery_floor},
                     {.name = "multiprocessing.Lock", .script = "lock.py", .arguments = {"recovery"}}},
        .batch = 5,
        .least_rounds = 40, /* 200 samples, so that p99 means something */
        .reaches = {REACH(MOST_P99_NS, 1e6)},
    },
    {
        .name = "thread",
        .title = "thread start+join",
        .subjects = {{.name = "at_thread", .take = thread_ours},
                     {.name = "pthread_create+join", .take = thread_floor},
                     {.name = "threading.Thread", .script = "start.py", .arguments = {"thread"}}},
        .batch = 10,
        .reaches = {REACH(MOST_TO_FLOOR, 1.1)},
    },
    {
        .name = "process",
        .title = "process start+join",
        .subjects = {{.name = "at_process by fork", .take = fork_ours},
                     {.name = "fork+_exit+waitpid", .take = fork_floor},
                     {.name = "multiprocessing fork", .script = "start.py", .arguments = {"fork"}}},
        .batch = 5,
        .reaches = {REACH(MOST_TO_FLOOR, 1.15)},
    },
    {
        .name = "zygote",
        .title = "process start+join, by zygote",
        .subjects = {{.name = "at_process by zygote", .take = zygote_ours},
                     {.name = "fork+_exit+waitpid", .take = fork_floor},
                     {.name = "multiprocessing forkserver", .script = "start.py", .arguments = {"forkserver"}}},
        .batch = 3,
    },
    {
        .name = "process_1gib",
        .title = "process start+join, 1 GiB",
        .subjects = {{.name = "at_process by fork", .take = fork_ours},
                     {.name = "fork+_exit+waitpid at 1 GiB", .take = fork_floor},
                     {.name = "multiprocessing fork at 1 GiB", .script = "start.py", .arguments = {"fork", "1024"}}},
        .before = grow_by_a_gibibyte,
        .batch = 1,
        .least_rounds = 6,
        .not_with_quick = true, /* footprint.c has the same with less memory, too */
    },
    {
        .name = "zygote_1gib",
        .title = "1 GiB, by zygote (floor: small)",
        .subjects = {{.name = "at_process by zygote", .take = zygote_ours},
                     {.name = "fork+_exit+waitpid small", .peer = &small_process},
                     {.name = "multiprocessing fork at 1 GiB",
                      .script = "start.py",
                      .arguments = {"fork", "1024"},
                      .batch = 1}},
        .before = grow_by_a_gibibyte,
        .batch = 3,
        .least_rounds = 10,
        .not_with_quick = true,
        .reaches = {REACH(MOST_TO_FLOOR, 3)},
    },
};

int main(int argc, char *argv[]) {
    struct options options =
        options_read(argc, argv, "Times locks, threads and processes against the system's floor and against Python 3.");
    /* First, while this process is small and has one thread. */
    if (!peer_fork(&small_process, "the small process", fork_once))
        return 1;
    at_check(at_zygote_start());
    catch_interrupts();
    double seconds = options.seconds > 0 ? options.seconds : options.quick ? 3 : 90;
    comparisons_run(comparisons, sizeof comparisons / sizeof comparisons[0], &options, "primitives", seconds);
    peer_stop(&small_process);
    return end_status();
}
