/* pool_subjects.c: our pool, and the floor under it: the same tasks in processes with a counter between them. */
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "atelier.h"
#include "busy.h"
#include "console.h"
#include "crew.h"
#include "measure.h"
#include "subjects.h"
#include "tasks.h"

/* ours ------------------------------------------------------------------------------------------------------------ */

AT_TASK(uint64_t, crunch, uint32_t, seed) {
    return busy(seed, tasks.steps);
}

static at_pool *pool;
static at_result *handles[MOST_TASKS];
static size_t ours_count;

/* A failure of ours ends the program, unless Ctrl-C has ended the workers. */
static void must(int code, const char *what) {
    if (code < 0 && !interrupted())
        wrong_result("at_pool: %s: %s", what, at_strerror(code));
}

static _Atomic size_t *next_core; /* shared */

/* A worker's first call. Left alone, the system often runs two workers on one core, and then nothing is measured. */
static int bind_worker(void *unused) {
    (void)unused;
    bind_to_core(atomic_fetch_add(next_core, 1));
    return 0;
}

/* The pool, with so many workers, the first one on this core; they see the tasks as they are planned. */
static void make_pool(size_t workers, size_t first_core) {
    if (pool != NULL)
        return;
    if (next_core == NULL)
        next_core = at_shared_new(sizeof *next_core);
    if (next_core == NULL) {
        note("bench: at_shared_new: out of memory");
        exit(1);
    }
    atomic_store(next_core, first_core);
    int code = at_pool_new(&pool, (int)workers, .initializer = bind_worker);
    if (code != 0) {
        note("bench: at_pool_new: %s", at_strerror(code));
        exit(1);
    }
}

static double map_once(size_t count, bool one_by_one) {
    tasks_forget(count);
    at_job job = {.task = &crunch_task, .items = tasks.seeds, .count = count};
    if (one_by_one)
        job.chunksize = at_tasks(1);
    uint64_t start = now_ns();
    int code = at_pool_map(pool, &job, tasks.results, NULL);
    double ns = (double)(now_ns() - start);
    if (interrupted())
        return 0;
    must(code, "map");
    tasks_check("at_pool: map", count);
    return ns;
}

static double map_single_once(size_t count) {
    return map_once(count, true);
}

static double map_default_once(size_t count) {
    return map_once(count, false);
}

static double async_once(size_t count) {
    tasks_forget(count);
    int failures = 0;
    uint64_t start = now_ns();
    for (size_t i = 0; i < count; i++)
        failures |= at_apply_async(pool, crunch, tasks.seeds[i], &handles[i]);
    for (size_t i = 0; i < count && failures == 0; i++)
        failures |= at_result_get(handles[i], &tasks.results[i], sizeof tasks.results[i], AT_FOREVER);
    double ns = (double)(now_ns() - start);
    for (size_t i = 0; i < count; i++)
        at_result_free(handles[i]);
    if (interrupted())
        return 0;
    if (failures != 0)
        wrong_result("at_pool: apply_async: a call failed");
    tasks_check("at_pool: apply_async", count);
    return ns;
}

/* Samples of `once`, each of as many tasks as were found to be enough. */
static size_t take(struct observation *samples, size_t wanted, size_t *count, double (*once)(size_t count)) {
    tasks_calibrate(count, once);
    for (size_t i = 0; i < wanted; i++) {
        samples[i] = (struct observation){.ns = once(*count) / (double)*count};
        if (samples[i].ns <= 0)
            return 0;
    }
    return wanted;
}

size_t pool_map_single(struct observation *samples, size_t count) {
    make_pool(tasks.workers, 0);
    return take(samples, count, &ours_count, map_single_once);
}

size_t pool_map_default(struct observation *samples, size_t count) {
    make_pool(tasks.workers, 0);
    return take(samples, count, &ours_count, map_default_once);
}

size_t pool_apply_async(struct observation *samples, size_t count) {
    make_pool(tasks.workers, 0);
    return take(samples, count, &ours_count, async_once);
}

enum { WARM_TRIPS = 50, PAUSE_NS = 100000 };

/* One worker, on another core than the caller: as the processes of the floor are. */
static size_t apply_trips(struct observation *samples, size_t count, size_t warm_up, bool asleep) {
    make_pool(1, 1);
    bind_to_core(0);
    struct timespec pause = {.tv_nsec = PAUSE_NS};
    for (size_t i = 0; i < warm_up + count; i++) {
        uint64_t result = 0;
        if (asleep)
            nanosleep(&pause, NULL);
        tasks_forget(1);
        uint64_t start = now_ns();
        int code = at_apply(pool, crunch, tasks.seeds[0], &result);
        double ns = (double)(now_ns() - start);
        if (interrupted())
            return 0;
        must(code, "apply");
        tasks.results[0] = result;
        tasks_check("at_pool: apply", 1);
        if (i >= warm_up)
            samples[i - warm_up] = (struct observation){.ns = ns};
    }
    bind_to_none();
    return count;
}

size_t pool_apply_hot(struct observation *samples, size_t count) {
    return apply_trips(samples, count, WARM_TRIPS, false);
}

size_t pool_apply_asleep(struct observation *samples, size_t count) {
    return apply_trips(samples, count, 2, true);
}

/* the floor ------------------------------------------------------------------------------------------------------- */

static struct crew crew;
static size_t crew_tasks;
static _Atomic size_t *next_task; /* shared; only a ticket, which orders nothing */

/*
 * Each process takes the next chunk when it is done with the last: with one atomic addition between them, the least
 * that can hand out work one piece at a time. To share it all out beforehand would be less still, but then all would
 * wait for the process on whose core something else runs, too.
 */
static void counted_out(struct stage *stage, size_t index) {
    struct part *part = &stage->parts[index];
    size_t chunk = stage->samples, count = stage->messages;
    part->start = now_ns();
    for (size_t i; (i = atomic_fetch_add_explicit(next_task, chunk, memory_order_relaxed)) < count;)
        for (size_t task = i; task < i + chunk && task < count; task++)
            tasks.results[task] = busy(tasks.seeds[task], tasks.steps);
    part->end = now_ns();
}

static double crew_once(size_t count, size_t chunk) {
    tasks_forget(count);
    atomic_store(next_task, 0);
    if (crew.count == 0 || !crew_round(&crew, count, chunk))
        return 0;
    tasks_check(crew.name, count);
    return crew_ns(&crew);
}

static double singles_once(size_t count) {
    return crew_once(count, 1);
}

/* Chunks as large as Pool.map makes them by default. */
static double chunks_once(size_t count) {
    return crew_once(count, (count + 4 * tasks.workers - 1) / (4 * tasks.workers));
}

static size_t floor_take(struct observation *samples, size_t count, double (*once)(size_t count)) {
    if (next_task == NULL)
        next_task = at_shared_new(sizeof *next_task);
    if (next_task == NULL || (crew_tasks == 0 && !crew_start(&crew, "a counter", tasks.workers, counted_out)))
        return 0;
    return take(samples, count, &crew_tasks, once);
}

size_t tasks_counted_out(struct observation *samples, size_t count) {
    return floor_take(samples, count, singles_once);
}

size_t tasks_counted_out_in_chunks(struct observation *samples, size_t count) {
    return floor_take(samples, count, chunks_once);
}

void pool_done(void) {
    at_pool_free(pool);
    pool = NULL;
    ours_count = crew_tasks = 0;
    crew_end(&crew);
}
