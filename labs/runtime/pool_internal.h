/* pool_internal.h (internal): what a pool holds in the process that made it; shared by the pool's files. */
#ifndef ATELIER_POOL_INTERNAL_H
#define ATELIER_POOL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "board.h"
#include "internal.h"
#include "lock_internal.h"
#include "pool.h"
#include "process.h"
#include "wait.h"

/* ---- pool_memory.c: the shared memory of a pool: its board, and blocks for jobs */

enum { BLOCK_CLASSES = 48 }; /* powers of two */

struct pool_memory {
    struct board *board; /* at its beginning */
    size_t size;         /* of the mapping, in bytes; only what is used costs memory */
    size_t used;         /* bytes from its beginning that have ever been given out */
    struct block_stack { /* those of a class that are free */
        void **blocks;
        size_t count, room;
    } free[BLOCK_CLASSES];
};

/* Maps it, with a board. 0, -ENOMEM. */
int pool_memory_map(struct pool_memory *memory, unsigned workers);
void pool_memory_unmap(struct pool_memory *memory);

/* The pool's lock guards these. A block is a power of two long, at least `size`; NULL when there is no room for it. */
void *pool_block_take(struct pool_memory *memory, size_t size);
void pool_block_give(struct pool_memory *memory, void *block, size_t size);

/* ---- results */

struct at_result {
    at_pool *pool;
    unsigned references; /* the handle, and the pool until it is done; guarded by the pool's lock */
    const at_task *task;
    struct board_job *job; /* shared, and not trusted: what follows is ours */
    size_t block_size;
    _Atomic uint64_t *words;
    _Atomic uint64_t *outcomes;
    struct board_text *texts;
    const unsigned char *results;
    size_t count, chunk_size, chunks, result_size, text_count;
    uint32_t flags;
    double timeout; /* seconds for an item, with JOB_TIMED */
    unsigned retries;
    void (*callback)(void *context, const void *results, size_t size);
    void (*error_callback)(void *context, const at_failure *failure);
    void *context;
    enum result_kind { GET_ALL, NEXT_IN_ORDER, NEXT_AS_THEY_COME } kind;

    /* Guarded by the pool's lock. */
    size_t chunks_done;  /* so many at the beginning are known to be */
    uint64_t *positions; /* where it has been posted */
    size_t position_count, position_room;
    at_failure *failures; /* of items whose worker died, by index */
    size_t failure_count, failure_room;
    struct attempt {
        size_t index;
        unsigned count;
    } * attempts; /* of items that have cost a worker and run again */
    size_t attempt_count, attempt_room;
    at_failure abandoned; /* code below 0: what has not been done never will be, and why */
    bool listed;          /* on the pool's list of those that are not done */
    size_t given;         /* next: how many results have been given out; in order, the index of the next one */
    struct pending {
        uint64_t chunk;
        size_t item; /* of it, the next to be given out */
    } * pending;     /* as they come: chunks behind the cursor that are not done or not yet given out... */
    size_t pending_count, pending_room;
    uint64_t cursor; /* ...and the first chunk that has not been looked at */

    _Atomic uint32_t waiters; /* that sleep for the bell, or are about to */
    _Atomic uint32_t settled; /* a futex word: 1 once its callback has been called, or needs not be */
    TAILQ_ENTRY(at_result) entry;
};

/* ---- the pool */

enum pool_state { POOL_OPEN, POOL_CLOSED, POOL_TERMINATED, POOL_BROKEN };

struct worker_slot {
    at_process *process; /* NULL while there is none */
    bool condemned;      /* killed for a task that took too long */
};

struct at_pool {
    struct at_lock lock; /* guards all below but what never changes */
    unsigned references; /* the handle and each result */
    uint32_t generation; /* the fork_generation of the process that made it */
    unsigned workers;
    bool may_spin; /* there is more than one core */
    long maxtasks; /* 0: no limit */
    at_target *initializer;
    void *initarg;
    char *name;
    struct pool_memory memory;
    struct zygote *nursery; /* forks the workers */
    sigset_t mask;          /* the workers' signal mask: that of the thread which made the pool */

    _Atomic uint32_t state; /* enum pool_state; only ever grows */
    bool over;              /* the supervisor has told the workers to end, as there is nothing more to do */
    at_failure failure;     /* why it broke */
    struct worker_slot *slots;
    unsigned started;                          /* workers so far, for their names */
    unsigned unfit;                            /* workers in a row that did not survive the initializer */
    unsigned idle_deaths;                      /* deaths in a row without anything done between them */
    uint64_t finished;                         /* chunks, by workers that are gone */
    uint64_t finished_then;                    /* chunks, at the last death */
    uint64_t put;                              /* board->put as the owner knows it */
    uint64_t taken;                            /* board->take, as it was at the last look: it only grows */
    uint64_t fit;                              /* board->fit, when a worker last did not survive the initializer */
    at_result **posted;                        /* by position: whose job it is */
    TAILQ_HEAD(result_list, at_result) active; /* posted, and not known to be done */
    struct result_list visited;                /* free but for a worker that may still look at them */
    size_t timed;                              /* of the active, those with a time limit */

    int told; /* the eventfd by which the supervisor is told to look */
    pthread_t supervisor;
    _Atomic uint32_t gone; /* a futex word: 1 once the workers and the supervisor have ended */
    bool joined;           /* and the supervisor has been joined */
    _Atomic bool reviving; /* its nursery is just being forked */
    bool listed;           /* among all pools of this process; guarded by the lock of that list */
    LIST_ENTRY(at_pool) all;
};

/* 0, AT_ENOTMINE, -EINVAL. */
int pool_check(const at_pool *pool);

/* Whether the caller is the pool's own thread: what waits for the pool would wait for itself. */
bool pool_is_callback(const at_pool *pool);

/* With the lock held, which is released: one reference less; the last one frees the pool. */
void pool_unlock_and_leave(at_pool *pool);

/* Tells the supervisor to look. */
void pool_tell(at_pool *pool);

/* Forks the process that forks the workers, if it does not live. */
int pool_revive_nursery(at_pool *pool);

/* ---- pool_job.c: posting */

/* Posts a job, or a piece of one (board.h). With the lock held. 0, AT_EFULL, -ENOMEM, -EBADMSG. */
int job_post(at_pool *pool, at_result *result, uint64_t piece);

/* ---- pool_outcome.c, with the lock held */

/* Looks at what has been done since; true when that is all, or the rest is abandoned. */
bool result_is_done(at_result *result);

/* Records how an item failed. -ENOMEM. */
int result_fail_item(at_result *result, const at_failure *failure);

/* How often it has cost a worker, this time included. -ENOMEM. */
int result_count_attempt(at_result *result, size_t index);

/* What is not done never will be. Only when no worker works on it any more. */
void result_abandon(at_result *result, const at_failure *why);

/* What has become of an item of a chunk that is done or abandoned: 0 and its result's size, or the failure's code. */
int result_outcome(at_result *result, size_t index, size_t *size, at_failure *failure);

/* The first failure by index; false when there is none. Only when it is done. */
bool result_first_failure(at_result *result, at_failure *failure);

/* Copies the results of all items that went well to their places. Only when it is done. */
void result_copy(at_result *result, unsigned char *to);

/* ---- pool_result.c, with the lock held */

/* Whose job is posted at this position: NULL when there is no such position, or its job is done and gone. */
at_result *result_at(at_pool *pool, uint64_t position);

/* Takes one that is done off the list of active ones: it is settled. Its callback has been called, if it has one. */
void result_retire(at_result *result);

/* One reference less; the last one frees it, but not while a worker may look at its job. */
void result_leave(at_result *result);

/* Frees those that no worker looks at any more. */
void results_release(at_pool *pool);

/* ---- pool_result.c, without the lock */

/*
 * Each call on a result begins and ends with these: it stays until then, even if it is freed. 0, -EINVAL, AT_ENOTMINE.
 */
int result_enter(at_result *result);
void result_exit(at_result *result);

/* Wait until it is done, and copy what it is: at_result_wait and at_result_get. */
int result_wait(at_result *result, const struct deadline *deadline);
int result_get(at_result *result, void *results, size_t size, const struct deadline *deadline);

/*
 * How to sleep until something of it is done: take the bell's number, look whether it is done, wait for the bell to
 * ring again (true: the time is up). Who does so is among the result's `waiters` meanwhile.
 */
uint32_t result_before_bell(at_result *result);
bool result_await_bell(at_result *result, uint32_t bell, const struct deadline *deadline);

/* ---- pool_worker.c */

/* What a worker process runs: what it is given is a struct worker_arguments. */
struct worker_arguments {
    struct board *board;
    unsigned worker;
    int told;
    long maxtasks;
    at_target *initializer;
    void *initarg;
};
int worker_main(void *arguments);

/* ---- pool_supervisor.c: the thread that looks after the workers */

int supervisor_start(at_pool *pool);

/* ---- pool_workers.c: for the supervisor, and before there is one */

/* Starts a worker in this place: 0, or a negative code, and then the place stays empty. */
int worker_start(at_pool *pool, unsigned worker);

/* Reaps the worker of this place, who is dead, settles what it had, and sees whether the pool can go on. */
void worker_bury(at_pool *pool, unsigned worker);

/* Kills all workers, and buries them without blame. */
void workers_end(at_pool *pool);

/* ---- pool_blame.c: with the lock held, and the worker dead */

/*
 * Settles what it had in its hands: what had not begun is free again, what had is failed, or free for another try.
 * True when a task had begun.
 */
bool blame_worker(at_pool *pool, unsigned worker, pid_t pid, int exitcode);

/* "worker 123 was killed by signal 9 (Killed)" or "worker 123 ended with exit code 3". */
void describe_end(char *text, size_t size, pid_t pid, int exitcode);

#endif
