/* pool.c: a pool's workers: processes that are started once; each takes some of the tasks, and then the next. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "atelier.h"
#include "measure.h"
#include "modes.h"

/* A pool for each number of workers that was asked for. */
static struct pool {
    at_pool *pool;
    size_t workers;
    pid_t pids[MOST_WORKERS];
    _Atomic size_t arrived; /* counts its workers, each in its turn */
    struct pool *next;
} * pools;

static size_t worker_here;

static int arrive(void *arg) {
    struct pool *pool = arg;
    worker_here = atomic_fetch_add(&pool->arrived, 1);
    return 0;
}

struct item {
    const struct workload *workload;
    size_t task;
};

static int run_item(at_call *call) {
    const struct item *item = at_call_arg(call);
    item->workload->task(item->workload, item->task, worker_here);
    return 0;
}

static const at_task item_task = {"a task", run_item, sizeof(struct item), 0};

static struct pool *pool_of(size_t workers) {
    struct pool *pool = pools;
    while (pool != NULL && pool->workers != workers)
        pool = pool->next;
    return pool;
}

static void open_pool(size_t workers) {
    if (pool_of(workers) != NULL)
        return;
    struct pool *pool = at_shared_new(sizeof *pool);
    at_check(pool != NULL ? 0 : -ENOMEM);
    pool->workers = workers;
    pool->next = pools;
    at_check(at_pool_new(&pool->pool, (int)workers, .initializer = arrive, .initarg = pool));
    at_check(at_pool_workers(pool->pool, pool->pids, MOST_WORKERS));
    pools = pool;
}

static void run(const struct job *job) {
    static struct item *items;
    static size_t room;
    size_t tasks = job->workload->tasks;
    if (tasks > room) {
        free(items);
        items = need(tasks, sizeof *items);
        room = tasks;
    }
    for (size_t i = 0; i < tasks; i++)
        items[i] = (struct item){job->workload, i};
    at_check(at_pool_map(pool_of(job->workers)->pool, &(at_job){.task = &item_task, .items = items, .count = tasks},
                         NULL, NULL));
}

static size_t members(size_t workers, const pid_t **pids) {
    struct pool *pool = pool_of(workers);
    *pids = pool->pids;
    return pool->workers;
}

const struct mode pool_mode = {
    .name = "pool", .title = "pool", .locks = &process_locks, .open = open_pool, .run = run, .members = members};
