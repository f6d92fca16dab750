/* pool_workers.c: a pool's worker processes: how they start, what their deaths mean; see pool_internal.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "hooks.h"
#include "pool_internal.h"
#include "process_internal.h"

/*
 * Workers that die with a task in their hands cannot go on for ever: each death settles a task. But these could, and so
 * so many in a row, without anything done meanwhile, break the pool.
 */
static const unsigned IDLE_DEATHS = 1000;

/* Of workers killed in the initializer, at least so many in a row break the pool. */
static const unsigned KILLED_UNFIT = 3;

int worker_start(at_pool *pool, unsigned worker) {
    struct worker_arguments arguments = {
        .board = pool->memory.board,
        .worker = worker,
        .told = pool->told,
        .maxtasks = pool->maxtasks,
        .initializer = pool->initializer,
        .initarg = pool->initarg,
    };
    char name[128];
    snprintf(name, sizeof name, "%.100s-%u", pool->name, pool->started + 1);
    at_process *process = at_process_new(.target = worker_main, .name = name, .daemon = true,
                                         .start_method = AT_START_ZYGOTE, AT_COPY(arguments));
    if (process == NULL)
        return -ENOMEM;
    process->nursery = pool->nursery;
    process->mask = &pool->mask;
    board_clear_worker(pool->memory.board, worker);
    int error = at_process_start(process);
    if (error == AT_ENOZYGOTE && (error = pool_revive_nursery(pool)) == 0)
        error = at_process_start(process);
    if (error != 0) {
        at_process_free(process);
        return error;
    }
    lock_take(&pool->lock);
    pool->started++;
    pool->slots[worker] = (struct worker_slot){.process = process};
    at_lock_release(&pool->lock);
    return 0;
}

/* ---- whether the pool can go on; with the lock held */

static void break_pool(at_pool *pool, const at_failure *why) {
    if (pool->state >= POOL_TERMINATED)
        return;
    pool->failure = *why;
    pool->state = POOL_BROKEN;
}

/* A worker that did not get through the initializer, and why. */
static void count_unfit(at_pool *pool, const struct board_worker *place, enum worker_stage stage, pid_t pid,
                        int exitcode) {
    /* "In a row": if another has got through it since the last time, this is the first one again. */
    uint64_t fit = shared_load(&pool->memory.board->fit, memory_order_relaxed);
    pool->unfit = fit == pool->fit ? pool->unfit + 1 : 1;
    pool->fit = fit;
    /* One that was killed in it may have been killed by somebody else. */
    unsigned enough = stage == WORKER_UNFIT || pool->workers > KILLED_UNFIT ? pool->workers : KILLED_UNFIT;
    if (pool->unfit < enough)
        return;
    at_failure why = {.code = AT_EBROKEN, .pid = pid, .exitcode = exitcode};
    char how[BOARD_TEXT];
    if (stage == WORKER_UNFIT) {
        memcpy(how, place->text, sizeof how);
        how[sizeof how - 1] = '\0';
        if (how[0] == '\0')
            snprintf(how, sizeof how, "%s", at_strerror(place->code < 0 ? place->code : -EBADMSG));
    } else {
        describe_end(how, sizeof how, pid, exitcode);
    }
    snprintf(why.text, sizeof why.text, "the initializer failed %u times in a row: %.110s", pool->unfit, how);
    break_pool(pool, &why);
}

static uint64_t count_finished(at_pool *pool) {
    uint64_t finished = pool->finished;
    for (unsigned worker = 0; worker < pool->workers; worker++)
        finished += shared_load(&pool->memory.board->worker[worker].finished, memory_order_relaxed);
    return finished;
}

static void count_idle_death(at_pool *pool, pid_t pid, int exitcode) {
    uint64_t finished = count_finished(pool);
    bool idle = finished == pool->finished_then;
    pool->finished_then = finished;
    pool->idle_deaths = idle ? pool->idle_deaths + 1 : 0;
    if (pool->idle_deaths < IDLE_DEATHS)
        return;
    at_failure why = {.code = AT_EBROKEN, .pid = pid, .exitcode = exitcode};
    char how[96];
    describe_end(how, sizeof how, pid, exitcode);
    snprintf(why.text, sizeof why.text, "%u workers in a row died before they did anything; the last: %s",
             pool->idle_deaths, how);
    break_pool(pool, &why);
}

/* What a death says about the pool. */
static void judge(at_pool *pool, unsigned worker, pid_t pid, int exitcode, bool had_task) {
    struct board_worker *place = &pool->memory.board->worker[worker];
    enum worker_stage stage = shared_load(&place->stage, memory_order_acquire);
    if (stage == WORKER_INITIALIZING || stage == WORKER_UNFIT) {
        count_unfit(pool, place, stage, pid, exitcode);
        return;
    }
    if (had_task || stage == WORKER_RETIRED)
        pool->idle_deaths = 0;
    else
        count_idle_death(pool, pid, exitcode);
}

/* ---- burials */

/* It may have died between saying that it rings for a chunk, and doing so. With the lock held. */
static void ring_for(at_pool *pool, unsigned worker) {
    const struct board_worker *place = &pool->memory.board->worker[worker];
    at_result *visited = result_at(pool, shared_load(&place->visiting, memory_order_acquire) - 1); /* 0 wraps: none */
    if (visited != NULL)
        board_ring(visited->job);
}

void worker_bury(at_pool *pool, unsigned worker) {
    struct worker_slot *slot = &pool->slots[worker];
    at_process *process = slot->process;
    int exitcode = 0;
    pid_t pid = at_process_pid(process);
    if (at_process_join(process, AT_FOREVER) != 0 || at_process_exitcode(process, &exitcode) != 0)
        exitcode = -SIGKILL; /* it has ended; how, nobody knows: its parent, the nursery, was killed with it */
    lock_take(&pool->lock);
    ring_for(pool, worker);
    bool had_task = blame_worker(pool, worker, pid, exitcode);
    judge(pool, worker, pid, exitcode, had_task);
    pool->finished += shared_load(&pool->memory.board->worker[worker].finished, memory_order_relaxed);
    board_clear_worker(pool->memory.board, worker);
    slot->process = NULL;
    /* It may have died between saying that it wakes somebody and doing so. */
    board_wake_all(pool->memory.board);
    at_lock_release(&pool->lock);
    at_process_free(process);
}

void workers_end(at_pool *pool) {
    int error = 0;
    for (unsigned worker = 0; worker < pool->workers; worker++)
        if (pool->slots[worker].process != NULL)
            error = at_process_kill(pool->slots[worker].process);
    for (unsigned worker = 0; worker < pool->workers; worker++) {
        at_process *process = pool->slots[worker].process;
        if (process == NULL)
            continue;
        error = at_process_join(process, AT_FOREVER);
        lock_take(&pool->lock);
        pool->slots[worker].process = NULL;
        at_lock_release(&pool->lock);
        at_process_free(process);
    }
    (void)error; /* a child of ours can be killed and has ended; its status does not matter */
}
