/* pool.h: a pool of worker processes that run tasks, as multiprocessing.Pool, and that outlives its workers. */
#ifndef ATELIER_POOL_H
#define ATELIER_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "api.h"
#include "options.h"
#include "thread.h"

AT_BEGIN_DECLS

/*
 * A worker that dies, however it dies, costs the one task in its hands: that task's outcome is AT_EDIED, with the
 * signal or the exit code, or it runs again (.retries). Everything else goes on with another worker in its place. A
 * task has exactly one outcome.
 *
 * A pool belongs to the process that made it; there, any thread may make any call at any time (but see callbacks), but
 * for free, which is the last one. No call is for signal handlers.
 */
typedef struct at_pool at_pool;
typedef struct at_result at_result;
typedef struct at_call at_call;

/* ---- tasks: what a worker is told to run */

/*
 * A task: a function that all workers have, since they are forks of the process that made the pool. `run` returns 0,
 * or a negative code when it fails (at_fail gives the failure a text).
 */
typedef struct at_task {
    const char *name;
    int (*run)(at_call *call);
    size_t arg_size;    /* bytes of its argument; 0: as many as there are */
    size_t result_size; /* the most bytes that its result may have */
} at_task;

/*
 * AT_TASK(long, square, int, x) { return (long)x * x; } defines an ordinary function, `static long square(int x)`, and
 * the task square_task that calls it. Both types must be ones that a plain copy of their bytes carries over.
 */
#define AT_TASK(result_type, function, arg_type, arg)                                                                  \
    typedef arg_type function##_arg;                                                                                   \
    typedef result_type function##_result;                                                                             \
    static function##_result function(function##_arg);                                                                 \
    static int function##_run(at_call *at_the_call) {                                                                  \
        const function##_arg *at_the_arg = (const function##_arg *)at_call_arg(at_the_call);                           \
        function##_result *at_the_result = (function##_result *)at_call_result(at_the_call);                           \
        *at_the_result = function(*at_the_arg);                                                                        \
        return 0;                                                                                                      \
    }                                                                                                                  \
    static const at_task function##_task = {#function, function##_run, sizeof(function##_arg),                         \
                                            sizeof(function##_result)};                                                \
    static function##_result function(function##_arg arg)

/*
 * What `run` is called with: the argument and its size; room for the result. Both lie as elements of an array do that
 * begins at a cache line.
 */
AT_API const void *at_call_arg(const at_call *call);
AT_API size_t at_call_arg_size(const at_call *call);
AT_API void *at_call_result(const at_call *call);

/*
 * Says how many bytes the result has, when it is fewer than the task's result_size; those behind them have no meaning.
 * Errors: -EMSGSIZE for more.
 */
AT_API int at_call_set_size(at_call *call, size_t size) AT_MUST_CHECK;

/*
 * What `raise` is to a Python task: the task that runs just now, here in a worker, has failed with this negative code
 * and this text, whatever it returns. Returns the code. Outside of a task it stops the program with the text.
 */
AT_API int at_fail(int code, const char *format, ...) AT_PRINTF(2, 3);

/* ---- how a task failed */

typedef struct at_failure {
    int code;       /* negative: what the task said, AT_EDIED, AT_ETASKTIME, AT_EBROKEN, -ECANCELED, -EBADMSG... */
    size_t index;   /* of the item, in a map */
    pid_t pid;      /* of the worker that died with it; 0 when none has */
    int exitcode;   /* of a worker that died: its exit code, or minus the signal */
    char text[160]; /* all that as a sentence */
} at_failure;

/* ---- the pool */

/* For the option where 0 is something else than leaving it out: .chunksize = at_tasks(1) */
static inline at_optional_count at_tasks(long count) {
    at_optional_count tasks = {true, count};
    return tasks;
}

enum { AT_CPU_COUNT = -0x7fffffff }; /* as many workers as this process may use cores (Pool()) */

typedef struct at_pool_options {
    int processes;                      /* how many workers, at least 1, or AT_CPU_COUNT */
    at_target *initializer;             /* what each worker calls first, if anything; negative: it cannot work */
    const void *initarg;                /* what it is called with; valid as long as the pool */
    at_optional_count maxtasksperchild; /* tasks (chunks, in a map) after which a worker is replaced; left out: never */
    const char *name;                   /* of its workers: NAME-1...; left out: "PoolWorker" */
} at_pool_options;

/*
 * A new pool whose workers run already (multiprocessing.Pool): at_pool_new(&pool, 3, .initializer = f). Later workers,
 * too, start from the memory as it is at this call: they are forked by a small process that is forked now. (Only if
 * that one is killed, the next one, and its workers, start from the memory as it is then.) Workers are daemons: they
 * end with this process, however it ends, and have no children. Release it with at_pool_free. Errors, and then *pool is
 * NULL: AT_ECOUNT for a number of workers or of maxtasksperchild below 1; -EINVAL above 1024 workers; AT_EDAEMON in a
 * daemon process, such as a worker; AT_ETHREADS (at_set_fork_policy); -ENOMEM, -EAGAIN, -EMFILE.
 */
#define at_pool_new(pool, ...) at_pool_create((pool), &(at_pool_options){.processes = __VA_ARGS__})
AT_API int at_pool_create(at_pool **pool, const at_pool_options *options) AT_MUST_CHECK;

/* No more tasks (Pool.close): submitting says AT_ECLOSED; those there are will be done, then the workers end. */
AT_API int at_pool_close(at_pool *pool) AT_MUST_CHECK;

/*
 * Kills the workers at once (Pool.terminate); the outcome of tasks not done is -ECANCELED, and so is that of items done
 * in a chunk that was not. Returns when the workers are gone; in a callback of this pool at once.
 */
AT_API int at_pool_terminate(at_pool *pool) AT_MUST_CHECK;

/*
 * Waits until all workers have ended (Pool.join). Errors: AT_EOPEN before close or terminate; -ETIMEDOUT; -EDEADLK in a
 * callback of this pool; AT_ENOTMINE; -EINVAL, -EOVERFLOW. A negative timeout polls.
 */
AT_API int at_pool_join(at_pool *pool, double timeout) AT_MUST_CHECK;

/* Terminates it if it still works, and frees it; results stay valid until they are freed. NULL is fine. */
AT_API void at_pool_free(at_pool *pool);

/* Stores the pids of the workers that live, up to `most`; returns how many live. Errors: AT_ENOTMINE. */
AT_API int at_pool_workers(at_pool *pool, pid_t *pids, int most) AT_MUST_CHECK;

/* 0, or AT_EBROKEN: then the failure says why. */
AT_API int at_pool_failure(at_pool *pool, at_failure *failure) AT_MUST_CHECK;

/* ---- work */

/*
 * What is to be done: one task for each of `count` items. Everything is copied, but for the at_task. Callbacks run in
 * the pool's own thread, one at a time, before the result is ready: exactly one of the two is called, once; they should
 * be short, and may submit tasks, but what would wait for this pool says -EDEADLK there. They must not free the pool.
 */
typedef struct at_job {
    const at_task *task;
    const void *items;           /* the arguments, one after another */
    size_t item_size;            /* bytes of each; left out: the task's arg_size */
    size_t count;                /* how many; left out: 0, for apply it is 1 in any case */
    at_optional_count chunksize; /* items that a worker takes at a time; left out: count / (4 * workers), rounded up;
                                    for imap: 1 */
    at_optional_seconds timeout; /* for each item: the worker that takes longer is killed (AT_ETASKTIME) */
    unsigned retries;            /* how often an item runs again whose worker died or took too long */
    void (*callback)(void *context, const void *results, size_t size); /* when all has gone well */
    void (*error_callback)(void *context, const at_failure *failure); /* when something has failed: the first failure */
    void *context;
} at_job;

/*
 * Runs one task and waits for its result (Pool.apply), copied to `result` unless that is NULL. Errors: the outcome of
 * the task, and then *failure, unless it is NULL, tells more; and those of submitting: AT_ECLOSED; AT_EBROKEN;
 * -ECANCELED after terminate; AT_ECOUNT for a chunksize below 1; -EINVAL for no task, an item size that is not the
 * task's, or a timeout that is not above 0, -EOVERFLOW for one above AT_TIMEOUT_MAX; AT_EFULL for too many pending
 * tasks; AT_ETOOLARGE, -ENOMEM for memory; -EDEADLK in a callback of this pool; AT_ENOTMINE.
 */
AT_API int at_pool_apply(at_pool *pool, const at_job *job, void *result, at_failure *failure) AT_MUST_CHECK;

/*
 * Runs one task for each item and waits for all results (Pool.map), in the order of the items. Returns 0, or the code
 * of the first item, by index, that failed; the results of the others are there all the same.
 */
AT_API int at_pool_map(at_pool *pool, const at_job *job, void *results, at_failure *failure) AT_MUST_CHECK;

/*
 * Submit and do not wait (Pool.apply_async, map_async, imap, imap_unordered). *result is to be freed; it may be NULL
 * where only callbacks, or nobody, want to know. Errors: those of submitting, and *result is NULL.
 */
AT_API int at_pool_apply_async(at_pool *pool, const at_job *job, at_result **result) AT_MUST_CHECK;
AT_API int at_pool_map_async(at_pool *pool, const at_job *job, at_result **result) AT_MUST_CHECK;
AT_API int at_pool_imap(at_pool *pool, const at_job *job, at_result **result) AT_MUST_CHECK;
AT_API int at_pool_imap_unordered(at_pool *pool, const at_job *job, at_result **result) AT_MUST_CHECK;

/* The same for functions made by AT_TASK, with their types checked. `args` and `results` are arrays. */
#define at_apply(pool, function, arg, result)                                                                          \
    at_pool_apply((pool), AT_JOB(function, (function##_arg[1]){(arg)}, 1), AT_TYPED(function##_result *, result), NULL)
#define at_apply_async(pool, function, arg, result)                                                                    \
    at_pool_apply_async((pool), AT_JOB(function, (function##_arg[1]){(arg)}, 1), (result))
#define at_map(pool, function, args, results)                                                                          \
    at_pool_map((pool), AT_JOB(function, args, sizeof(args) / sizeof *(args)), AT_TYPED(function##_result *, results), \
                NULL)
#define at_map_async(pool, function, args, result)                                                                     \
    at_pool_map_async((pool), AT_JOB(function, args, sizeof(args) / sizeof *(args)), (result))
#define at_imap(pool, function, args, result)                                                                          \
    at_pool_imap((pool), AT_JOB(function, args, sizeof(args) / sizeof *(args)), (result))
#define at_imap_unordered(pool, function, args, result)                                                                \
    at_pool_imap_unordered((pool), AT_JOB(function, args, sizeof(args) / sizeof *(args)), (result))

/* AT_JOB(square, args, count, .retries = 2): the at_job, with what follows, if anything, as further options. */
#define AT_JOB(function, args, ...)                                                                                    \
    (&(at_job){.task = &function##_task, .items = AT_TYPED(const function##_arg *, args), .count = __VA_ARGS__})
#define AT_TYPED(type, pointer) (1 ? (pointer) : (type)0)

/* ---- results */

/*
 * Waits and copies the result, or all the results of a map, one after another, to `results`, of `size` bytes; a NULL
 * one only waits (AsyncResult.get). Any number of times, by any thread; the answer stays the same. Returns 0, or the
 * code of the first item, by index, that failed (the other results are copied all the same); -ETIMEDOUT, and it can be
 * asked for later; -EMSGSIZE when `size` is not exactly what the results have, and nothing is copied; -EDEADLK in a
 * callback of its pool; AT_ENOTMINE; -EINVAL, -EOVERFLOW. A negative timeout polls.
 */
AT_API int at_result_get(at_result *result, void *results, size_t size, double timeout) AT_MUST_CHECK;

/* Waits until it is ready (AsyncResult.wait): 0; -ETIMEDOUT, -EDEADLK, AT_ENOTMINE, -EINVAL, -EOVERFLOW. */
AT_API int at_result_wait(at_result *result, double timeout) AT_MUST_CHECK;

/* Whether all is done (AsyncResult.ready); whether all went well: 1 or 0, -EAGAIN before that (successful). */
AT_API bool at_result_ready(at_result *result);
AT_API int at_result_successful(at_result *result) AT_MUST_CHECK;

/*
 * The first failure, by index: 0 when all went well, or its code, and then *failure says more. -EAGAIN before it is
 * ready.
 */
AT_API int at_result_failure(at_result *result, at_failure *failure) AT_MUST_CHECK;

/*
 * The outcome of one item: 0 and the size of its result, or the code of its failure, which *failure, unless NULL, tells
 * more about. Errors beside that: -EAGAIN before it is ready; -EINVAL for an index that there is not.
 */
AT_API int at_result_outcome(at_result *result, size_t index, size_t *size, at_failure *failure) AT_MUST_CHECK;

/*
 * For imap and imap_unordered: waits for the next result, in the order of the items or as they come, and copies it to
 * `value` (unless NULL; the task's result_size bytes), and its item's index to *index (unless NULL;
 * SIZE_MAX when there is none, which tells a task's own codes from the others here). Returns 0; the
 * code of the item's failure, and the next call goes on; AT_EEND after the last; -ETIMEDOUT; -EDEADLK; AT_ENOTMINE;
 * -EINVAL for a result of another kind, -EOVERFLOW. Each result is given out once, whichever thread asks.
 */
AT_API int at_result_next(at_result *result, void *value, size_t *index, double timeout) AT_MUST_CHECK;

/*
 * Frees it, at any time: the tasks run all the same, and a call on it that waits in another thread goes on. NULL is
 * fine.
 */
AT_API void at_result_free(at_result *result);

AT_END_DECLS

#endif
