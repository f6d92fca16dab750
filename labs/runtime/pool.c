/* pool.c: a pool's beginning and end; see pool.h. */
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "pool_internal.h"

/* All pools of this process, to end them when it ends. */
static struct {
    struct at_lock lock; /* guards the list */
    LIST_HEAD(, at_pool) list;
} pools;

int pool_check(const at_pool *pool) {
    if (pool == NULL)
        return -EINVAL;
    return pool->generation == fork_generation ? 0 : AT_ENOTMINE;
}

bool pool_is_callback(const at_pool *pool) {
    return pthread_equal(pthread_self(), pool->supervisor) != 0 &&
           atomic_load_explicit(&pool->gone, memory_order_relaxed) == 0; /* after it another thread may bear its id */
}

static void list(at_pool *pool) {
    lock_take(&pools.lock);
    LIST_INSERT_HEAD(&pools.list, pool, all);
    pool->listed = true;
    at_lock_release(&pools.lock);
}

static void unlist(at_pool *pool) {
    lock_take(&pools.lock);
    if (pool->listed)
        LIST_REMOVE(pool, all);
    pool->listed = false;
    at_lock_release(&pools.lock);
}

/* ---- the beginning */

static int count_cores(void) {
    cpu_set_t cores;
    return sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

/* The number of workers, or a negative code. */
static int check_options(const at_pool_options *options) {
    int workers = options->processes == AT_CPU_COUNT ? count_cores() : options->processes;
    if (identity.daemon)
        return AT_EDAEMON;
    if (workers < 1 || (options->maxtasksperchild.given && options->maxtasksperchild.value < 1))
        return AT_ECOUNT;
    return workers <= BOARD_WORKERS ? workers : -EINVAL;
}

/* An eventfd that is none of the standard streams, which a program may have closed. */
static int make_eventfd(void) {
    int low = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (low < 0 || low > STDERR_FILENO)
        return low < 0 ? -errno : low;
    int high = fcntl(low, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = errno;
    close(low);
    return high < 0 ? -error : high;
}

static void destroy(at_pool *pool) {
    zygote_free(pool->nursery); /* if the supervisor has not */
    if (pool->memory.board != NULL)
        pool_memory_unmap(&pool->memory);
    if (pool->told >= 0)
        close(pool->told);
    free(pool->posted);
    free(pool->slots);
    free(pool->name);
    free(pool);
}

/* All that a pool needs before its first process; what is missing afterwards destroy() gives back. */
static int furnish(at_pool *pool, const at_pool_options *options) {
    const char *name = options->name != NULL && *options->name != '\0' ? options->name : "PoolWorker";
    pool->name = strdup(name);
    pool->slots = calloc(pool->workers, sizeof *pool->slots);
    pool->posted = calloc(BOARD_POSITIONS, sizeof *pool->posted); /* pages that nobody touches cost nothing */
    pool->nursery = zygote_new();
    if (pool->name == NULL || pool->slots == NULL || pool->posted == NULL || pool->nursery == NULL)
        return -ENOMEM;
    if ((pool->told = make_eventfd()) < 0)
        return pool->told;
    int error = pool_memory_map(&pool->memory, pool->workers);
    if (error != 0)
        return error;
    board_init(pool->memory.board, pool->workers);
    pool->may_spin = pool->memory.board->may_spin;
    return 0;
}

/* The processes and the thread. */
static int start(at_pool *pool) {
    int error = check_fork_policy("pool", pool->name, count_other_threads());
    if (error == 0)
        error = zygote_ensure(pool->nursery, pool->name, false);
    for (unsigned worker = 0; worker < pool->workers && error == 0; worker++)
        error = worker_start(pool, worker);
    if (error == 0)
        error = supervisor_start(pool);
    if (error != 0)
        workers_end(pool);
    return error;
}

int at_pool_create(at_pool **pool_pointer, const at_pool_options *options) {
    *pool_pointer = NULL;
    int workers = check_options(options);
    if (workers < 0)
        return workers;
    at_pool *pool = malloc(sizeof *pool);
    if (pool == NULL)
        return -ENOMEM;
    *pool = (at_pool){
        .references = 1,
        .generation = fork_generation,
        .workers = (unsigned)workers,
        .maxtasks = options->maxtasksperchild.value,
        .initializer = options->initializer,
        .initarg = (void *)options->initarg,
        .active = TAILQ_HEAD_INITIALIZER(pool->active),
        .visited = TAILQ_HEAD_INITIALIZER(pool->visited),
        .told = -1,
    };
    pthread_sigmask(SIG_SETMASK, NULL, &pool->mask);
    int error = furnish(pool, options);
    if (error == 0) {
        pool->reviving = true; /* its processes need its descriptor; other children do not */
        list(pool);
        error = start(pool);
        pool->reviving = false;
    }
    if (error != 0) {
        unlist(pool);
        destroy(pool);
        return error;
    }
    *pool_pointer = pool;
    return 0;
}

/* ---- the end */

void pool_unlock_and_leave(at_pool *pool) {
    bool last = --pool->references == 0;
    at_lock_release(&pool->lock);
    if (last)
        destroy(pool);
}

void pool_tell(at_pool *pool) {
    eventfd_write(pool->told, 1); /* it fails only when 2^64 - 2 have not been read */
}

int at_pool_close(at_pool *pool) {
    int error = pool_check(pool);
    if (error != 0)
        return error;
    lock_take(&pool->lock);
    if (pool->state == POOL_OPEN)
        pool->state = POOL_CLOSED;
    at_lock_release(&pool->lock);
    pool_tell(pool); /* the supervisor ends the workers when all is done */
    return 0;
}

/* Until its last processes and its thread have ended. */
static int wait_until_gone(at_pool *pool, const struct deadline *deadline) {
    while (atomic_load_explicit(&pool->gone, memory_order_acquire) == 0)
        if (futex_wait(&pool->gone, 0, deadline, FUTEX_OF_PROCESS) == -ETIMEDOUT)
            return -ETIMEDOUT;
    lock_take(&pool->lock); /* which that thread does not take any more */
    if (!pool->joined) {
        pthread_join(pool->supervisor, NULL);
        harmless_count(-1);
    }
    pool->joined = true;
    at_lock_release(&pool->lock);
    return 0;
}

int at_pool_terminate(at_pool *pool) {
    int error = pool_check(pool);
    if (error != 0)
        return error;
    lock_take(&pool->lock);
    if (pool->state < POOL_TERMINATED)
        pool->state = POOL_TERMINATED;
    at_lock_release(&pool->lock);
    pool_tell(pool);
    return pool_is_callback(pool) ? 0 : wait_until_gone(pool, &NEVER);
}

int at_pool_join(at_pool *pool, double timeout) {
    struct deadline deadline;
    int error = pool_check(pool);
    if (error == 0)
        error = deadline_after(timeout, NEGATIVE_POLLS, &deadline);
    if (error != 0)
        return error;
    if (pool->state == POOL_OPEN)
        return AT_EOPEN;
    if (pool_is_callback(pool))
        return -EDEADLK;
    return wait_until_gone(pool, &deadline);
}

void at_pool_free(at_pool *pool) {
    if (pool == NULL)
        return;
    if (pool->generation != fork_generation)
        return; /* another process's: its memory is all that is here, and workers need it */
    if (at_pool_terminate(pool) != 0)
        return;
    unlist(pool);
    lock_take(&pool->lock);
    close(pool->told); /* forked children close those of listed pools only */
    pool->told = -1;
    results_release(pool); /* those that a worker visited when it was killed, too */
    pool_unlock_and_leave(pool);
}

/* ---- questions */

int at_pool_workers(at_pool *pool, pid_t *pids, int most) {
    int error = pool_check(pool);
    if (error != 0)
        return error;
    int count = 0;
    lock_take(&pool->lock);
    for (unsigned worker = 0; worker < pool->workers; worker++) {
        at_process *process = pool->slots[worker].process;
        if (process == NULL || !at_process_is_alive(process))
            continue;
        if (count < most)
            pids[count] = at_process_pid(process);
        count++;
    }
    at_lock_release(&pool->lock);
    return count;
}

int at_pool_failure(at_pool *pool, at_failure *failure) {
    int error = pool_check(pool);
    if (error != 0)
        return error;
    lock_take(&pool->lock);
    if (pool->state == POOL_BROKEN) {
        *failure = pool->failure;
        error = AT_EBROKEN;
    }
    at_lock_release(&pool->lock);
    return error;
}

/* ---- the end of the process, and forks */

int pool_revive_nursery(at_pool *pool) {
    pool->reviving = true;
    int error = zygote_ensure(pool->nursery, pool->name, false);
    pool->reviving = false;
    return error;
}

/* One that has not been ended yet, with a reference to it, in case that another thread frees it meanwhile. */
static at_pool *first_pool(void) {
    lock_take(&pools.lock);
    at_pool *pool = LIST_FIRST(&pools.list);
    if (pool != NULL) {
        lock_take(&pool->lock);
        pool->references++;
        at_lock_release(&pool->lock);
    }
    at_lock_release(&pools.lock);
    return pool;
}

static void end_all(void) {
    at_pool *pool;
    while ((pool = first_pool()) != NULL) {
        if (at_pool_terminate(pool) != 0)
            return;
        unlist(pool);
        lock_take(&pool->lock);
        pool_unlock_and_leave(pool);
    }
}

/*
 * A child has no pools; what it has of them it leaves to its end, but for the descriptors. A pool's new nursery needs
 * them; what another child has of them then does no harm.
 */
static void after_fork_in_child(void) {
    at_pool *pool;
    lock_reset(&pools.lock);
    LIST_FOREACH(pool, &pools.list, all)
    if (!pool->reviving)
        close(pool->told);
    LIST_INIT(&pools.list);
}

static __attribute__((constructor)) void initialise(void) {
    end_of_pools = end_all;
    pthread_atfork(NULL, NULL, after_fork_in_child);
}
