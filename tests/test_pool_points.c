/* test_pool_points.c: workers that are killed at each named point of a pool's code, one by one and two by two. */
#include "points.h"

#include "error.h"
#include "pool.h"

SANITIZER_OPTIONS("", "")

enum { WORKERS = 3, ITEMS = 10, BAD = 7 /* the item that fails */ };

static _Atomic int *runs; /* of each item of the job that runs; shared with the workers */

static int work(at_call *call) {
    int item;
    memcpy(&item, at_call_arg(call), sizeof item);
    atomic_fetch_add(&runs[item], 1);
    int result = item * item;
    memcpy(at_call_result(call), &result, sizeof result);
    return item == BAD ? at_fail(-EIO, "item %d", item) : 0;
}

static const at_task WORK = {"work", work, sizeof(int), sizeof(int)};

/* Whether an item of a job that has been done has the outcome that it should have; says how many cost a worker. */
static int check_item(at_result *result, int item, int value, unsigned retries) {
    at_failure failure;
    size_t size;
    int code = at_result_outcome(result, (size_t)item, &size, &failure);
    hold(runs[item] <= 1 + (int)retries);
    if (code == AT_EDIED) {
        hold(failure.exitcode == -SIGKILL && failure.index == (size_t)item && retries == 0);
        return 1;
    }
    hold(runs[item] > 0 && code == (item == BAD ? -EIO : 0) && (code != 0 || value == item * item));
    return 0;
}

/* Runs all items and checks them: how many cost a worker. */
static int run_job(at_pool *pool, bool timed, bool each, unsigned retries) {
    int items[ITEMS], values[ITEMS] = {0}, died = 0, given = 0;
    at_result *result;
    for (int i = 0; i < ITEMS; i++) {
        items[i] = i;
        runs[i] = 0;
    }
    at_job job = {.task = &WORK, .items = items, .count = ITEMS, .retries = retries};
    if (timed)
        job.timeout = at_seconds(BOUND);
    if (!each) {
        job.chunksize = at_tasks(3);
        hold(at_pool_map_async(pool, &job, &result) == 0);
        hold(at_result_wait(result, AT_FOREVER) == 0);
        int error = at_result_get(result, values, sizeof values, AT_FOREVER);
        hold(error == -EIO || error == AT_EDIED);
    } else {
        hold(at_pool_imap_unordered(pool, &job, &result) == 0);
        size_t index = 0;
        int value = 0;
        while (at_result_next(result, &value, &index, AT_FOREVER) != AT_EEND) {
            values[index] = value;
            given++;
        }
        hold(given == ITEMS);
    }
    for (int i = 0; i < ITEMS; i++)
        died += check_item(result, i, values[i], retries);
    at_result_free(result);
    return died;
}

/* Jobs of one item each, faster than workers fall asleep: some wake each other. */
static void run_burst(at_pool *pool) {
    at_result *results[ITEMS];
    int zero = 0;
    for (int i = 0; i < ITEMS; i++)
        hold(at_pool_apply_async(pool, &(at_job){.task = &WORK, .items = &zero, .retries = 2}, &results[i]) == 0);
    for (int i = 0; i < ITEMS; i++) {
        int value = 1;
        hold(at_result_get(results[i], &value, sizeof value, AT_FOREVER) == 0 && value == 0);
        at_result_free(results[i]);
    }
}

static void run(void) {
    at_pool *pool;
    runs = mmap(NULL, ITEMS * sizeof *runs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    hold(at_pool_new(&pool, WORKERS) == 0);
    int died = run_job(pool, false, false, 0);
    died += run_job(pool, true, false, 0);
    died += run_job(pool, false, true, 2);
    died += run_job(pool, false, true, 0);
    for (int i = 0; i < 3; i++)
        run_burst(pool);
    int killed = experiment->struck[0] + experiment->struck[1];
    hold(died <= killed);
    hold(at_pool_close(pool) == 0 && at_pool_join(pool, AT_FOREVER) == 0);
    at_pool_free(pool);
    munmap(runs, ITEMS * sizeof *runs);
}

START_TEST(a_death_at_any_point_costs_the_item_in_hand_only) {
    static const char *const PREFIXES[] = {"board.", "pool."};
    kill_at_all_points(PREFIXES, 2, run);
}
END_TEST

SUITE("pool_points", a_death_at_any_point_costs_the_item_in_hand_only)
