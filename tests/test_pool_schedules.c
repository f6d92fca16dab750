/* test_pool_schedules.c: pools under thousands of orders of the steps of all who take part, and of workers' deaths. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "hooks.h"
#include "pool_internal.h"
#include "schedule_processes.h"
#include "watch.h"

SANITIZER_OPTIONS("", "")

enum { OWNERS = 2, JOBS = 4 /* of each owner */, ITEMS = 6 /* of a job, at most */ };

enum kind { PLAIN, FAILS, NEVER_ENDS, JUST_IN_TIME /* or not quite */ };

static const double LIMIT_OF_ITEM = 0.5; /* seconds, where there is one */

struct item {
    uint32_t owner, job, index;
    enum kind kind;
};

/* What one run does; all of it is drawn. */
static struct {
    at_pool *pool;
    unsigned workers;
    bool timed, deaths;
    bool terminates, terminated;
    int owners[OWNERS + 1]; /* threads, and the one that terminates the pool */
    int owner_count;
    int runs[OWNERS][JOBS][ITEMS]; /* how often each item has been run... */
    unsigned died, unrun;          /* ...and how many had AT_EDIED as their outcome, and how many of these never ran */
} scene;

static uint64_t result_of(const struct item *item) {
    return 1000u * item->owner + 100u * item->job + item->index;
}

/* ---- what workers run */

static bool never(void *unused) {
    (void)unused;
    return false;
}

static int work(at_call *call) {
    struct item item;
    memcpy(&item, at_call_arg(call), sizeof item);
    promise(item.owner < OWNERS && item.job < JOBS && item.index < ITEMS);
    hooks.step("work.begun", NULL);
    scene.runs[item.owner][item.job][item.index]++;
    hooks.step("work.ran", NULL);
    struct deadline later = {.never = item.kind == NEVER_ENDS};
    if (item.kind == JUST_IN_TIME)
        deadline_after(LIMIT_OF_ITEM - 1e-6 * schedule_draw(4), NEGATIVE_POLLS, &later);
    if (item.kind == NEVER_ENDS || item.kind == JUST_IN_TIME)
        schedule_await(never, NULL, &later);
    uint64_t result = result_of(&item);
    memcpy(at_call_result(call), &result, sizeof result);
    return item.kind == FAILS ? at_fail(-EIO, "item %u", item.index) : 0;
}

static const at_task WORK = {"work", work, sizeof(struct item), sizeof(uint64_t)};

/* ---- what owners do */

struct work {
    struct item items[ITEMS];
    size_t count;
    at_job job;
    bool given[ITEMS]; /* its outcome is known */
    int called;        /* how often it was called back... */
    int code;          /* ...and with what */
};

/* Whether this outcome may be that of this item; each has one. */
static void check_outcome(struct work *work, size_t index, int code, uint64_t value) {
    promise(index < work->count && !work->given[index]);
    work->given[index] = true;
    const struct item *item = &work->items[index];
    int runs = scene.runs[item->owner][item->job][index];
    promise(runs <= 1 + (int)work->job.retries);
    scene.died += code == AT_EDIED;
    scene.unrun += code == AT_EDIED && runs == 0;
    if (code == 0)
        promise((item->kind == PLAIN || item->kind == JUST_IN_TIME) && runs > 0 && value == result_of(item));
    else if (code == -EIO)
        promise(item->kind == FAILS && runs > 0);
    else if (code == AT_ETASKTIME)
        promise(work->job.timeout.given); /* time may leap while any item is run */
    else
        promise(code == AT_EDIED ? scene.deaths : code == -ECANCELED && scene.terminated);
}

static void check_all(struct work *work, at_result *result) {
    uint64_t values[ITEMS] = {0};
    int first = 0, error = at_result_get(result, values, work->count * sizeof *values, AT_FOREVER);
    for (size_t i = 0; i < work->count; i++) {
        size_t size;
        at_failure failure;
        int code = at_result_outcome(result, i, &size, &failure);
        check_outcome(work, i, code, values[i]);
        first = first != 0 ? first : code;
    }
    promise(error == first);
    bool called = work->job.callback != NULL;
    promise(work->called == called && (!called || work->code == first));
}

static void check_each(struct work *work, at_result *result, bool in_order) {
    size_t index = SIZE_MAX;
    for (size_t i = 0; i < work->count; i++) {
        uint64_t value = 0;
        int code = at_result_next(result, &value, &index, AT_FOREVER);
        promise(!in_order || index == i);
        check_outcome(work, index, code, value);
    }
    promise(at_result_next(result, NULL, NULL, AT_FOREVER) == AT_EEND);
}

static void note_success(void *context, const void *results, size_t size) {
    struct work *work = context;
    promise(results != NULL && size == work->count * sizeof(uint64_t));
    work->called++;
}

static void note_failure(void *context, const at_failure *failure) {
    struct work *work = context;
    work->called++;
    work->code = failure->code;
}

static void draw_work(struct work *work, uint32_t owner, uint32_t job) {
    *work = (struct work){.count = schedule_draw(2) == 0 ? 1 : 1 + schedule_draw(ITEMS)};
    work->job = (at_job){.task = &WORK, .items = work->items, .count = work->count, .retries = schedule_draw(2) * 2};
    if (schedule_draw(2) == 0)
        work->job.chunksize = at_tasks(1 + (long)schedule_draw(3));
    if (scene.timed && schedule_draw(2) == 0)
        work->job.timeout = at_seconds(LIMIT_OF_ITEM);
    if (schedule_draw(4) == 0) {
        work->job.callback = note_success;
        work->job.error_callback = note_failure;
        work->job.context = work;
    }
    for (uint32_t i = 0; i < work->count; i++) {
        enum kind kind = schedule_draw(6) == 0 ? FAILS : PLAIN;
        if (work->job.timeout.given && schedule_draw(3) == 0)
            kind = schedule_draw(4) == 0 ? NEVER_ENDS : JUST_IN_TIME;
        work->items[i] = (struct item){owner, job, i, kind};
    }
}

/* Submits a job and waits for it in one of the ways there are; its handle is freed at the end, or before it is done. */
static void do_work(struct work *work, uint32_t way) {
    at_result *result;
    int error = way == 0   ? at_pool_imap(scene.pool, &work->job, &result)
                : way == 1 ? at_pool_imap_unordered(scene.pool, &work->job, &result)
                           : at_pool_map_async(scene.pool, &work->job, &result);
    if (error != 0) {
        if (error != -ECANCELED || !scene.terminated)
            schedule_fail("submitting: %s", at_strerror(error));
        return;
    }
    if (way < 2)
        check_each(work, result, way == 0);
    else if (way < 5)
        check_all(work, result);
    at_result_free(result);
}

static void own(void *pointer) {
    uint32_t owner = *(uint32_t *)pointer, jobs = 1 + schedule_draw(1 + schedule_draw(JOBS));
    static struct work works[OWNERS][JOBS]; /* a callback may come later */
    for (uint32_t job = 0; job < jobs; job++) {
        draw_work(&works[owner][job], owner, job);
        do_work(&works[owner][job], schedule_draw(8));
    }
}

static void terminate(void *unused) {
    (void)unused;
    scene.terminated = true;
    promise(at_pool_terminate(scene.pool) == 0);
}

static bool owners_have_ended(void *unused) {
    (void)unused;
    int ended = 0;
    while (ended < scene.owner_count && schedule_has_ended(scene.owners[ended]))
        ended++;
    return ended == scene.owner_count;
}

/* Makes the pool, lets the owners use it, and ends it. */
static void preside(void *unused) {
    static uint32_t numbers[OWNERS] = {0, 1};
    (void)unused;
    at_pool_options options = {.processes = (int)scene.workers};
    if (schedule_draw(3) == 0)
        options.maxtasksperchild = at_tasks(1 + (long)schedule_draw(3));
    promise(at_pool_create(&scene.pool, &options) == 0);
    scene.pool->may_spin = scene.pool->memory.board->may_spin = schedule_draw(4) == 0;
    while (scene.owner_count < OWNERS) {
        int owner = scene.owner_count++;
        scene.owners[owner] = schedule_add("owner", own, &numbers[owner], false);
    }
    if (scene.terminates)
        scene.owners[scene.owner_count++] = schedule_add("terminator", terminate, NULL, false);
    schedule_await(owners_have_ended, NULL, NULL);
    if (schedule_draw(2) == 0)
        promise(at_pool_close(scene.pool) == 0 && at_pool_join(scene.pool, AT_FOREVER) == 0);
    at_pool_free(scene.pool);
}

/* ---- a run */

static void use_a_pool(void) {
    memset(&scene, 0, sizeof scene);
    scene.deaths = schedule_draw(2) == 0;
    scene.timed = schedule_draw(4) == 0;
    scene.terminates = schedule_draw(8) == 0;
    scene.workers = 1 + schedule_draw(3);
    schedule_begin(&(struct schedule_rules){
        .deaths = scene.deaths ? 1 + schedule_draw(3) : 0, .timeouts = schedule_draw(2) == 0, .patience = scene.timed});
    schedule_begin_processes();
    schedule_add("president", preside, NULL, false);
    schedule_run();
    unsigned killed = 0, begun = 0;
    for (int thread = 0; thread < SCHEDULE_THREADS; thread++) {
        const char *at = schedule_was_killed(thread);
        killed += at != NULL;
        begun += at != NULL && (strcmp(at, "pool.item.begun") == 0 || strcmp(at, "pool.item.handed_in") == 0 ||
                                strcmp(at, "work.begun") == 0);
    }
    promise(scene.died <= killed && scene.unrun <= begun);
}

START_TEST(no_order_of_steps_and_deaths_breaks_a_pool) {
    schedule_seeds(UNDER_TSAN || UNDER_ASAN ? 500 : 10000, use_a_pool);
}
END_TEST

SUITE("pool_schedules", no_order_of_steps_and_deaths_breaks_a_pool)
