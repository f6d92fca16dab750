/*
 * pool_supervisor.c: the thread that looks after a pool's workers; see pool_internal.h.
 *
 * Work goes from who submits it to the workers, and back, without this thread. It sleeps until a worker dies, a timed
 * task is over its time, a callback is due, or the pool is closed.
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "clock.h"
#include "error.h"
#include "hooks.h"
#include "pool_internal.h"

static const double TICK = 1;     /* seconds between two looks at whether all is sound */
static const double RETRY = 0.05; /* seconds until a worker that could not be started is tried again */
enum { RETRIES = 100 };           /* with no worker left, after so many the pool is broken */

struct supervisor {
    at_pool *pool;
    struct pollfd *polled; /* each worker's, by place, and then the eventfd */
    double look;           /* when to look again at the latest, on the monotonic clock */
    unsigned failed_starts;
};

static void look_at(struct supervisor *self, double moment) {
    if (moment < self->look)
        self->look = moment;
}

/* ---- waiting */

/* poll refuses more descriptors than the process may open; then look at one after another, and not too often. */
static void look_singly(struct supervisor *self) {
    struct deadline now = {0};
    for (unsigned worker = 0; worker < self->pool->workers; worker++) {
        struct pollfd *polled = &self->polled[worker];
        polled->revents = polled->fd >= 0 && await_descriptor(polled->fd, POLLIN, &now) == 0 ? POLLIN : 0;
    }
    at_sleep(RETRY);
}

static void await_events(struct supervisor *self) {
    at_pool *pool = self->pool;
    struct pollfd *polled = self->polled;
    for (unsigned worker = 0; worker < pool->workers; worker++) {
        at_process *process = pool->slots[worker].process;
        polled[worker] = (struct pollfd){.fd = process != NULL ? at_process_sentinel(process) : -1, .events = POLLIN};
    }
    polled[pool->workers] = (struct pollfd){.fd = pool->told, .events = POLLIN};
    struct deadline deadline;
    struct timespec left;
    double seconds = self->look - at_now();
    deadline_after(seconds > AT_TIMEOUT_MAX ? AT_FOREVER : seconds, NEGATIVE_POLLS, &deadline);
    if (ppoll(polled, pool->workers + 1, deadline_left(&deadline, &left), NULL) < 0)
        look_singly(self);
    eventfd_t count;
    eventfd_read(pool->told, &count); /* before looking at what it may have been written for */
    self->look = INFINITY;
}

/* ---- workers */

static bool wants_workers(at_pool *pool) {
    return pool->state < POOL_TERMINATED && !pool->over;
}

static void bury_dead(struct supervisor *self) {
    for (unsigned worker = 0; worker < self->pool->workers; worker++)
        if (self->polled[worker].revents != 0)
            worker_bury(self->pool, worker);
}

/* No worker is left and none can be started. */
static void give_up(at_pool *pool, int error) {
    lock_take(&pool->lock);
    if (pool->state < POOL_TERMINATED) {
        pool->failure = (at_failure){.code = AT_EBROKEN};
        snprintf(pool->failure.text, sizeof pool->failure.text, "no worker can be started: %s", at_strerror(error));
        pool->state = POOL_BROKEN;
    }
    at_lock_release(&pool->lock);
}

static void replace_missing(struct supervisor *self) {
    at_pool *pool = self->pool;
    unsigned alive = 0;
    int failure = 0;
    for (unsigned worker = 0; worker < pool->workers && wants_workers(pool); worker++) {
        int error = pool->slots[worker].process == NULL && failure == 0 ? worker_start(pool, worker) : failure;
        if (pool->slots[worker].process != NULL)
            alive++;
        else
            failure = error;
    }
    if (failure == 0) {
        self->failed_starts = 0;
        return;
    }
    look_at(self, at_now() + RETRY);
    if (++self->failed_starts >= RETRIES && alive == 0)
        give_up(pool, failure);
}

/* ---- time limits; with the lock held */

/* What a worker runs just now, if that is timed. */
static at_result *timed_job_of(at_pool *pool, unsigned worker) {
    struct board_worker *place = &pool->memory.board->worker[worker];
    if (pool->slots[worker].process == NULL)
        return NULL;
    at_result *result = result_at(pool, shared_load(&place->visiting, memory_order_acquire) - 1); /* 0 wraps: none */
    return result != NULL && (result->flags & JOB_TIMED) != 0 ? result : NULL;
}

/* Kills the worker if what it has in hand is over its time; else says when to look again. */
static void check_time(struct supervisor *self, unsigned worker, double now) {
    at_pool *pool = self->pool;
    struct board_worker *place = &pool->memory.board->worker[worker];
    at_result *result = timed_job_of(pool, worker);
    /* Acquire: `started`, which is written before it, is its own, or that of a later one, which then is not over. */
    uint64_t hand = shared_load(&place->hand, memory_order_acquire);
    uint64_t started = shared_load(&place->started, memory_order_acquire);
    if (hand == HAND_EMPTY || (hand & HAND_BEGUN) == 0 || (hand & HAND_CONDEMNED) != 0)
        return;
    if (result == NULL || timed_job_of(pool, worker) != result)
        return; /* what is in hand may be another job's; that began just now, and check_times looks in time */
    double end = (double)started * 1e-9 + result->timeout;
    if (end > now) {
        look_at(self, end);
        return;
    }
    /* From here on the worker cannot hand this item in, nor begin another: so nothing else is killed with it. */
    if (!shared_swap(&place->hand, &hand, hand | HAND_CONDEMNED, memory_order_acq_rel))
        return;
    pool->slots[worker].condemned = true;
    if (at_process_kill(pool->slots[worker].process) != 0)
        return; /* it has ended */
}

static void check_times(struct supervisor *self) {
    at_pool *pool = self->pool;
    lock_take(&pool->lock);
    double now = at_now(), shortest = INFINITY;
    if (pool->timed > 0) {
        at_result *result;
        for (unsigned worker = 0; worker < pool->workers; worker++)
            check_time(self, worker, now);
        TAILQ_FOREACH(result, &pool->active, entry)
        if ((result->flags & JOB_TIMED) != 0 && result->timeout < shortest)
            shortest = result->timeout;
    }
    look_at(self, now + shortest); /* what begins after now cannot be over its time before that */
    at_lock_release(&pool->lock);
}

/* ---- callbacks */

static void call_back(at_pool *pool, at_result *result) {
    at_failure failure;
    bool failed = result_first_failure(result, &failure);
    result->references++; /* while the lock is released */
    at_lock_release(&pool->lock);
    is_harmless = false; /* a callback may take locks of the program's own */
    harmless_count(-1);
    if (failed && result->error_callback != NULL)
        result->error_callback(result->context, &failure);
    else if (!failed && result->callback != NULL)
        result->callback(result->context, result->results, result->count * result->result_size);
    is_harmless = true;
    harmless_count(1);
    lock_take(&pool->lock);
    result_retire(result);
    result_leave(result);
}

/* The first that is done, and has not been retired. Those that no worker has come to yet need not be looked at. */
static at_result *find_done(at_pool *pool) {
    uint64_t take = shared_load(&pool->memory.board->take, memory_order_acquire);
    if (take > pool->taken && take <= pool->put)
        pool->taken = take; /* it only grows, or somebody has spoilt it */
    at_result *result;
    TAILQ_FOREACH(result, &pool->active, entry) {
        if (result_is_done(result))
            return result;
        if (result->positions[0] > pool->taken && result->abandoned.code == 0)
            break;
    }
    return NULL;
}

/* Calls back for all that are done, and takes the others that are off the list. */
static void settle_done(at_pool *pool) {
    at_result *result;
    lock_take(&pool->lock);
    while ((result = find_done(pool)) != NULL)
        if ((result->flags & JOB_TOLD) != 0)
            call_back(pool, result);
        else
            result_retire(result);
    results_release(pool);
    at_lock_release(&pool->lock);
}

/* ---- whether all is sound */

static bool is_working(at_pool *pool) {
    for (unsigned worker = 0; worker < pool->workers; worker++)
        if (shared_load(&pool->memory.board->worker[worker].visiting, memory_order_acquire) != 0)
            return true;
    return false;
}

/*
 * What a worker with a wild pointer may have done to the board, and nothing else would notice: that it says there is no
 * work when there is, or more than was posted, or that they all may go.
 */
static bool is_spoilt(at_pool *pool) {
    struct board *board = pool->memory.board;
    uint64_t take = shared_load(&board->take, memory_order_acquire);
    shared_fence(); /* its partner is in visit(): who took the last of it is seen visiting, or has handed it in */
    if (shared_load(&board->put, memory_order_relaxed) != pool->put || take > pool->put)
        return true;
    if (board->workers != pool->workers ||
        (atomic_load_explicit(&board->over, memory_order_relaxed) != 0) != pool->over)
        return true;
    /* When all that was posted has been taken, and no worker has anything any more, then something must be done. */
    return !TAILQ_EMPTY(&pool->active) && take == pool->put && !is_working(pool) && find_done(pool) == NULL;
}

static void check_board(struct supervisor *self) {
    at_pool *pool = self->pool;
    lock_take(&pool->lock);
    if (is_spoilt(pool) && pool->state < POOL_TERMINATED) {
        pool->failure = (at_failure){.code = -EBADMSG};
        snprintf(pool->failure.text, sizeof pool->failure.text, "%s", at_strerror(-EBADMSG));
        pool->state = POOL_BROKEN;
    }
    at_lock_release(&pool->lock);
    look_at(self, at_now() + TICK);
}

/* ---- the end */

/* Once the pool is closed and all is done, lets the workers end. */
static void drain(at_pool *pool) {
    struct board *board = pool->memory.board;
    if (pool->state != POOL_CLOSED || pool->over)
        return;
    shared_store(&board->draining, 1, memory_order_relaxed);
    shared_fence(); /* its partner is in board_idle: whoever had nothing more to do either sees this and says so... */
    settle_done(pool); /* ...or has handed in before, and that is seen here */
    lock_take(&pool->lock);
    bool done = TAILQ_EMPTY(&pool->active);
    at_lock_release(&pool->lock);
    if (!done)
        return; /* whoever finds nothing more to do says so */
    pool->over = true;
    shared_store(&board->over, 1, memory_order_release);
    board_wake_all(board);
}

static bool has_workers(at_pool *pool) {
    for (unsigned worker = 0; worker < pool->workers; worker++)
        if (pool->slots[worker].process != NULL)
            return true;
    return false;
}

/* What is left has one more outcome: that it was not done. */
static void abandon_all(at_pool *pool) {
    static const at_failure CANCELLED = {.code = -ECANCELED, .text = "not done: the pool was terminated"};
    at_result *result;
    lock_take(&pool->lock);
    TAILQ_FOREACH(result, &pool->active, entry)
    result_abandon(result, pool->state == POOL_BROKEN ? &pool->failure : &CANCELLED);
    at_lock_release(&pool->lock);
}

static void end(struct supervisor *self) {
    at_pool *pool = self->pool;
    workers_end(pool);
    abandon_all(pool);
    settle_done(pool);
    zygote_free(pool->nursery);
    pool->nursery = NULL;
    free(self->polled);
    free(self);
    atomic_store_explicit(&pool->gone, 1, memory_order_release);
    futex_wake(&pool->gone, INT32_MAX, FUTEX_OF_PROCESS);
}

static void *supervise(void *argument) {
    struct supervisor *self = argument;
    at_pool *pool = self->pool;
    self->look = INFINITY;
    is_harmless = true;
    do {
        await_events(self);
        bury_dead(self);
        replace_missing(self);
        settle_done(pool);
        check_times(self);
        check_board(self);
        drain(pool);
    } while (pool->state < POOL_TERMINATED && (!pool->over || has_workers(pool)));
    end(self);
    return NULL;
}

int supervisor_start(at_pool *pool) {
    struct supervisor *self = calloc(1, sizeof *self);
    struct pollfd *polled = calloc(pool->workers + 1, sizeof *polled);
    sigset_t all, before;
    int error = ENOMEM;
    if (self != NULL && polled != NULL) {
        *self = (struct supervisor){.pool = pool, .polled = polled};
        harmless_count(1);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the program's own threads */
        error = pthread_create(&pool->supervisor, NULL, supervise, self);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (error == 0)
            return 0;
        harmless_count(-1);
    }
    free(self);
    free(polled);
    return -error;
}
