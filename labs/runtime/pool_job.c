/* pool_job.c: submitting work to a pool; see pool.h. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "hooks.h"
#include "pool_internal.h"

enum { TEXTS = 8 }; /* failures of a job whose text is kept; of the others the code is */

/* Where the parts of a job's block lie, in bytes from its beginning. */
struct layout {
    size_t words, outcomes, texts, items, results, size;
};

/* Adds count * size bytes at a boundary, a power of two; false when that is more than there are numbers. */
static bool place(size_t *end, size_t *begin, size_t count, size_t size, size_t boundary) {
    size_t length;
    if (__builtin_mul_overflow(count, size, &length))
        return false;
    if (__builtin_add_overflow(*end, boundary - 1, begin))
        return false;
    *begin &= ~(boundary - 1);
    return !__builtin_add_overflow(*begin, length, end);
}

static bool lay_out(const at_result *result, size_t item_size, struct layout *layout) {
    /* Behind the job's last member: with one item the words fit into what is left of its last line. */
    layout->size = offsetof(struct board_job, results) + sizeof(unsigned char *);
    return place(&layout->size, &layout->words, result->chunks, sizeof(uint64_t), 16) &&
           place(&layout->size, &layout->outcomes, result->count, sizeof(uint64_t), 16) &&
           place(&layout->size, &layout->items, result->count, item_size, 64) &&
           place(&layout->size, &layout->results, result->count, result->result_size, 64) &&
           place(&layout->size, &layout->texts, result->text_count, sizeof(struct board_text), 16);
}

/* 0, or what is wrong with the job. Stores the bytes of an item. */
static int check_job(const at_job *job, size_t count, size_t *item_size) {
    if (job == NULL || job->task == NULL || job->task->run == NULL)
        return -EINVAL;
    *item_size = job->item_size != 0 ? job->item_size : job->task->arg_size;
    if (job->task->arg_size != 0 && *item_size != job->task->arg_size)
        return -EINVAL;
    if (job->items == NULL && count > 0 && *item_size > 0)
        return -EINVAL;
    if (job->chunksize.given && job->chunksize.value < 1)
        return AT_ECOUNT;
    if (job->timeout.given && !(job->timeout.value > 0))
        return -EINVAL;
    if (job->timeout.given && job->timeout.value > AT_TIMEOUT_MAX && !isinf(job->timeout.value))
        return -EOVERFLOW;
    return count < BOARD_MOST_ITEMS && job->task->result_size < UINT32_MAX ? 0 : AT_ETOOLARGE;
}

static size_t chunk_size_of(const at_job *job, size_t count, bool one_by_one, unsigned workers) {
    if (job->chunksize.given)
        return (size_t)job->chunksize.value < count ? (size_t)job->chunksize.value : count;
    return one_by_one ? 1 : (count + 4 * (size_t)workers - 1) / (4 * (size_t)workers);
}

/* Whether the pool takes work: 0, or why not. With the lock held. */
static int check_state(const at_pool *pool) {
    switch ((enum pool_state)pool->state) {
    case POOL_OPEN:
        return 0;
    case POOL_CLOSED:
        return AT_ECLOSED;
    case POOL_TERMINATED:
        return -ECANCELED;
    case POOL_BROKEN:
        break;
    }
    return AT_EBROKEN;
}

/* Writes the job into its block, where no worker sees it yet. */
static void write_job(at_result *result, const at_job *job, size_t item_size, const struct layout *layout) {
    unsigned char *block = (unsigned char *)result->job;
    result->words = (_Atomic uint64_t *)(void *)(block + layout->words);
    result->outcomes = (_Atomic uint64_t *)(void *)(block + layout->outcomes);
    result->texts = (struct board_text *)(void *)(block + layout->texts);
    result->results = block + layout->results;
    /* What was in the block may be an earlier job. */
    memset(block + layout->words, 0, result->chunks * sizeof(uint64_t));
    for (size_t i = 0; i < result->text_count; i++)
        atomic_init(&result->texts[i].item, 0);
    if (item_size > 0)
        memcpy(block + layout->items, job->items, result->count * item_size);
    struct board_job *posted = result->job;
    atomic_init(&posted->next, 0);
    atomic_init(&posted->waiting, 0);
    atomic_init(&posted->texts_used, 0);
    posted->run = job->task->run;
    posted->count = result->count;
    posted->chunk_size = result->chunk_size;
    posted->chunks = result->chunks;
    posted->item_size = item_size;
    posted->result_size = result->result_size;
    posted->flags = result->flags;
    posted->text_count = (uint32_t)result->text_count;
    posted->words = result->words;
    posted->outcomes = result->outcomes;
    posted->texts = result->texts;
    posted->items = block + layout->items;
    posted->results = block + layout->results;
}

int job_post(at_pool *pool, at_result *result, uint64_t piece) {
    if (result->position_count == result->position_room) {
        size_t room = 2 * result->position_room;
        uint64_t *positions = realloc(result->positions, room * sizeof *positions);
        if (positions == NULL)
            return -ENOMEM;
        result->positions = positions;
        result->position_room = room;
    }
    struct board *board = pool->memory.board;
    if (shared_load(&board->put, memory_order_relaxed) != pool->put ||
        shared_load(&board->take, memory_order_relaxed) > pool->put)
        return -EBADMSG;
    /* What comes back from dead workers finds room even when jobs do not. */
    if (piece == 0 && pool->put - shared_load(&board->take, memory_order_relaxed) >= BOARD_POSITIONS - BOARD_PIECES)
        return AT_EFULL;
    if (!board_post(board, result->job, piece))
        return AT_EFULL;
    pool->posted[pool->put % BOARD_POSITIONS] = result;
    result->positions[result->position_count++] = pool->put++;
    return 0;
}

/* Everything that does not need the pool's lock. NULL when memory is short. */
static at_result *make_result(at_pool *pool, const at_job *job, size_t count, enum result_kind kind) {
    at_result *result = calloc(1, sizeof *result);
    uint64_t *positions = malloc(sizeof *positions);
    if (result == NULL || positions == NULL) {
        free(result);
        free(positions);
        return NULL;
    }
    bool told = job->callback != NULL || job->error_callback != NULL;
    bool timed = job->timeout.given && !isinf(job->timeout.value);
    size_t chunk_size = chunk_size_of(job, count, kind != GET_ALL, pool->workers);
    *result = (at_result){
        .pool = pool,
        .task = job->task,
        .count = count,
        .chunk_size = chunk_size,
        .chunks = count == 0 ? 0 : (count - 1) / chunk_size + 1,
        .result_size = job->task->result_size,
        .text_count = count < TEXTS ? count : TEXTS,
        .flags = (told ? JOB_TOLD : 0u) | (timed ? JOB_TIMED : 0u) | (kind != GET_ALL ? JOB_EACH : 0u),
        .timeout = timed ? job->timeout.value : 0,
        .retries = job->retries,
        .callback = job->callback,
        .error_callback = job->error_callback,
        .context = job->context,
        .kind = kind,
        .positions = positions,
        .position_room = 1,
    };
    return result;
}

/* With the lock held: room for it, or why there is none. */
static int take_block(at_pool *pool, at_result *result, size_t size) {
    int error = check_state(pool);
    if (error != 0)
        return error;
    results_release(pool);
    result->block_size = size;
    if (size > pool->memory.size / 4) /* blocks are powers of two, and the board is there, too */
        return AT_ETOOLARGE;
    result->job = pool_block_take(&pool->memory, size);
    return result->job != NULL ? 0 : -ENOMEM;
}

/* With the lock held: the workers see it from here on. */
static int publish(at_pool *pool, at_result *result, bool wanted) {
    int error = check_state(pool);
    if (error == 0)
        error = job_post(pool, result, 0);
    if (error != 0) {
        pool_block_give(&pool->memory, result->job, result->block_size);
        return error;
    }
    result->references = 1 + (unsigned)wanted;
    result->listed = true;
    TAILQ_INSERT_TAIL(&pool->active, result, entry);
    pool->timed += (result->flags & JOB_TIMED) != 0;
    pool->references++;
    /* Of those that nobody waits for, the first may be done: two for each new one, so that they do not pile up. */
    for (int i = 0; i < 2; i++) {
        at_result *first = TAILQ_FIRST(&pool->active);
        if (first != NULL && first != result && (first->flags & JOB_TOLD) == 0 && result_is_done(first))
            result_retire(first);
    }
    return 0;
}

static int post_result(at_pool *pool, at_result *result, const at_job *job, size_t item_size, bool wanted) {
    struct layout layout;
    if (!lay_out(result, item_size, &layout))
        return AT_ETOOLARGE;
    lock_take(&pool->lock);
    int error = take_block(pool, result, layout.size);
    at_lock_release(&pool->lock);
    if (error != 0)
        return error;
    write_job(result, job, item_size, &layout);
    lock_take(&pool->lock);
    error = publish(pool, result, wanted);
    size_t chunks = result->chunks; /* once unlocked, a result that nobody wants may be gone */
    uint32_t flags = result->flags;
    at_lock_release(&pool->lock);
    if (error != 0)
        return error;
    board_wake(pool->memory.board, chunks);
    if ((flags & JOB_TIMED) != 0)
        pool_tell(pool); /* it has to look at the clock from now on */
    return 0;
}

/* A result without items: it is done. */
static int post_nothing(at_pool *pool, at_result *result, bool wanted) {
    lock_take(&pool->lock);
    int error = check_state(pool);
    if (error == 0 && wanted) {
        result->references = 1;
        result->settled = 1;
        pool->references++;
    }
    at_lock_release(&pool->lock);
    return error;
}

/* Submits so many items; *result may be NULL. */
static int submit(at_pool *pool, const at_job *job, size_t count, enum result_kind kind, at_result **pointer) {
    size_t item_size = 0;
    if (pointer != NULL)
        *pointer = NULL;
    int error = pool_check(pool);
    if (error == 0)
        error = check_job(job, count, &item_size);
    if (error != 0)
        return error;
    at_result *result = make_result(pool, job, count, kind);
    if (result == NULL)
        return -ENOMEM;
    bool wanted = pointer != NULL;
    error = count > 0 ? post_result(pool, result, job, item_size, wanted) : post_nothing(pool, result, wanted);
    if (error != 0 || (count == 0 && !wanted)) {
        free(result->positions);
        free(result);
        return error;
    }
    if (wanted)
        *pointer = result;
    return 0;
}

static size_t count_of(const at_job *job) {
    return job != NULL ? job->count : 0;
}

int at_pool_apply_async(at_pool *pool, const at_job *job, at_result **result) {
    return submit(pool, job, 1, GET_ALL, result);
}

int at_pool_map_async(at_pool *pool, const at_job *job, at_result **result) {
    return submit(pool, job, count_of(job), GET_ALL, result);
}

int at_pool_imap(at_pool *pool, const at_job *job, at_result **result) {
    return submit(pool, job, count_of(job), NEXT_IN_ORDER, result);
}

int at_pool_imap_unordered(at_pool *pool, const at_job *job, at_result **result) {
    return submit(pool, job, count_of(job), NEXT_AS_THEY_COME, result);
}

/* Submits it and waits. */
static int run(at_pool *pool, const at_job *job, size_t count, void *results, at_failure *failure) {
    at_result *result;
    int error = pool_check(pool);
    if (error == 0 && pool_is_callback(pool))
        error = -EDEADLK;
    if (error == 0)
        error = submit(pool, job, count, GET_ALL, &result);
    if (error != 0)
        return error;
    error = result_get(result, results, result->count * result->result_size, &NEVER);
    if (error != 0 && failure != NULL) {
        lock_take(&pool->lock);
        result_first_failure(result, failure);
        at_lock_release(&pool->lock);
    }
    at_result_free(result);
    return error;
}

int at_pool_apply(at_pool *pool, const at_job *job, void *result, at_failure *failure) {
    return run(pool, job, 1, result, failure);
}

int at_pool_map(at_pool *pool, const at_job *job, void *results, at_failure *failure) {
    return run(pool, job, count_of(job), results, failure);
}
