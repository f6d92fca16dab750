/* pool_result.c: waiting for results and getting them; see pool.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "hooks.h"
#include "pool_internal.h"

enum { LONGEST_SPIN = 256 }; /* pause instructions, the last and longest time; all together some ten microseconds */

/* ---- lifetime */

static void destroy(at_result *result) {
    at_pool *pool = result->pool;
    for (size_t i = 0; i < result->position_count; i++)
        if (pool->posted[result->positions[i] % BOARD_POSITIONS] == result)
            pool->posted[result->positions[i] % BOARD_POSITIONS] = NULL;
    if (result->job != NULL)
        pool_block_give(&pool->memory, result->job, result->block_size);
    free(result->positions);
    free(result->failures);
    free(result->attempts);
    free(result->pending);
    free(result);
    pool->references--;
}

static bool is_visited(at_result *result) {
    if (result->pool->gone != 0)
        return false; /* there are no workers */
    for (size_t i = 0; i < result->position_count; i++)
        if (board_is_visited(result->pool->memory.board, result->positions[i]))
            return true;
    return false;
}

void results_release(at_pool *pool) {
    at_result *result;
    for (int looks = 0; (looks < 4 || pool->gone != 0) && (result = TAILQ_FIRST(&pool->visited)) != NULL; looks++) {
        TAILQ_REMOVE(&pool->visited, result, entry);
        if (is_visited(result))
            TAILQ_INSERT_TAIL(&pool->visited, result, entry); /* the others have their turn first */
        else
            destroy(result);
    }
}

void result_leave(at_result *result) {
    if (--result->references > 0)
        return;
    if (is_visited(result))
        TAILQ_INSERT_TAIL(&result->pool->visited, result, entry);
    else
        destroy(result);
}

void result_retire(at_result *result) {
    at_pool *pool = result->pool;
    if (!result->listed)
        return;
    result->listed = false;
    TAILQ_REMOVE(&pool->active, result, entry);
    pool->timed -= (result->flags & JOB_TIMED) != 0;
    if (atomic_exchange_explicit(&result->settled, 1, memory_order_release) == 0)
        futex_wake(&result->settled, INT32_MAX, FUTEX_OF_PROCESS);
    result_leave(result);
}

static int check(const at_result *result) {
    return result == NULL ? -EINVAL : pool_check(result->pool);
}

void at_result_free(at_result *result) {
    if (check(result) != 0)
        return;
    at_pool *pool = result->pool;
    lock_take(&pool->lock);
    pool->references++; /* it may hold the last one */
    result_leave(result);
    pool_unlock_and_leave(pool);
}

/* ---- waiting */

static bool is_settled(at_result *result) {
    return atomic_load_explicit(&result->settled, memory_order_acquire) != 0;
}

/* Whether it is done; then, if no callback comes first, it is settled. */
static bool look(at_result *result) {
    if (is_settled(result))
        return true;
    if ((result->flags & JOB_TOLD) != 0)
        return false;
    at_pool *pool = result->pool;
    lock_take(&pool->lock);
    bool done = result_is_done(result);
    if (done)
        result_retire(result);
    at_lock_release(&pool->lock);
    return done;
}

/* Without the lock, and so only a hint: whether the last chunk of it is done. */
static bool seems_done(const at_result *result) {
    return chunk_state(shared_load(&result->words[result->chunks - 1], memory_order_acquire)) == CHUNK_DONE;
}

static void spin_until(at_result *result, bool (*is_ready)(const at_result *result)) {
    if (!result->pool->may_spin)
        return;
    for (int pauses = 1; pauses <= LONGEST_SPIN && !is_ready(result); pauses += 1 + pauses / 2)
        for (int i = 0; i < pauses; i++)
            spin_pause();
}

static int wait_settled(at_result *result, const struct deadline *deadline) {
    while (!is_settled(result))
        if (futex_wait(&result->settled, 0, deadline, FUTEX_OF_PROCESS) == -ETIMEDOUT && !is_settled(result))
            return -ETIMEDOUT;
    return 0;
}

/* Sleeps until the workers have done something of it; true when the time is up. */
static bool await_bell(at_result *result, uint32_t bell, const struct deadline *deadline) {
    return shared_wait(&result->job->bell, bell, deadline) == -ETIMEDOUT;
}

/* Announces that somebody waits for the bell. What is looked at after this cannot be missed. */
static uint32_t before_bell(at_result *result) {
    uint32_t bell = shared_load(&result->job->bell, memory_order_acquire);
    shared_store(&result->job->waiting, 1, memory_order_relaxed);
    shared_fence(); /* its partner is in board_done */
    return bell;
}

static int wait_done(at_result *result, const struct deadline *deadline) {
    if (look(result))
        return 0;
    if (pool_is_callback(result->pool))
        return -EDEADLK;
    if ((result->flags & JOB_TOLD) != 0)
        return wait_settled(result, deadline);
    spin_until(result, seems_done);
    for (bool late = false;;) {
        uint32_t bell = before_bell(result);
        if (look(result))
            return 0;
        if (late)
            return -ETIMEDOUT;
        late = await_bell(result, bell, deadline);
    }
}

static int begin_wait(at_result *result, double timeout, struct deadline *deadline) {
    int error = check(result);
    return error != 0 ? error : deadline_after(timeout, NEGATIVE_POLLS, deadline);
}

int at_result_wait(at_result *result, double timeout) {
    struct deadline deadline;
    int error = begin_wait(result, timeout, &deadline);
    return error != 0 ? error : wait_done(result, &deadline);
}

bool at_result_ready(at_result *result) {
    return check(result) == 0 && look(result);
}

/* ---- getting */

int at_result_get(at_result *result, void *results, size_t size, double timeout) {
    struct deadline deadline;
    int error = begin_wait(result, timeout, &deadline);
    if (error == 0 && results != NULL && size != result->count * result->result_size)
        error = -EMSGSIZE;
    if (error == 0)
        error = wait_done(result, &deadline);
    if (error != 0)
        return error;
    at_failure failure;
    lock_take(&result->pool->lock);
    if (results != NULL)
        result_copy(result, results);
    error = result_first_failure(result, &failure) ? failure.code : 0;
    at_lock_release(&result->pool->lock);
    return error;
}

int at_result_failure(at_result *result, at_failure *failure) {
    int error = check(result);
    if (error != 0)
        return error;
    if (!look(result))
        return -EAGAIN;
    lock_take(&result->pool->lock);
    error = result_first_failure(result, failure) ? failure->code : 0;
    at_lock_release(&result->pool->lock);
    return error;
}

int at_result_successful(at_result *result) {
    at_failure failure;
    int error = check(result);
    if (error != 0)
        return error;
    return look(result) ? at_result_failure(result, &failure) == 0 : -EAGAIN;
}

int at_result_outcome(at_result *result, size_t index, size_t *size, at_failure *failure) {
    size_t bytes;
    at_failure unused;
    int error = check(result);
    if (error == 0 && index >= result->count)
        error = -EINVAL;
    if (error == 0 && !look(result))
        error = -EAGAIN;
    if (error != 0)
        return error;
    lock_take(&result->pool->lock);
    error = result_outcome(result, index, size != NULL ? size : &bytes, failure != NULL ? failure : &unused);
    at_lock_release(&result->pool->lock);
    return error;
}

/* ---- one by one; with the lock held */

static bool chunk_is_over(at_result *result, uint64_t chunk) {
    return result->abandoned.code < 0 ||
           chunk_state(shared_load(&result->words[chunk], memory_order_acquire)) == CHUNK_DONE;
}

/* Remembers a chunk to come back to. */
static int add_pending(at_result *result, uint64_t chunk) {
    if (result->pending_count == result->pending_room) {
        size_t room = 8 + 2 * result->pending_room;
        struct pending *pending = realloc(result->pending, room * sizeof *pending);
        if (pending == NULL)
            return -ENOMEM;
        result->pending = pending;
        result->pending_room = room;
    }
    result->pending[result->pending_count++] = (struct pending){chunk, 0};
    return 0;
}

/* Takes the next item of this pending chunk. */
static size_t take_pending(at_result *result, size_t place) {
    struct pending *pending = &result->pending[place];
    size_t index = pending->chunk * result->chunk_size + pending->item++;
    if (pending->item == result->chunk_size || index + 1 == result->count)
        *pending = result->pending[--result->pending_count];
    return index;
}

/* Finds an item that is done and has not been given out: 0; -EAGAIN when there is none yet, -ENOMEM. */
static int find_any(at_result *result, size_t *index) {
    for (;;) {
        for (size_t i = 0; i < result->pending_count; i++)
            if (chunk_is_over(result, result->pending[i].chunk)) {
                *index = take_pending(result, i);
                return 0;
            }
        /* Chunks are taken in their order, so behind one that is free there is nothing. */
        bool found = false;
        while (!found && result->cursor < result->chunks) {
            uint64_t word = shared_load(&result->words[result->cursor], memory_order_acquire);
            if (chunk_state(word) == CHUNK_FREE && !chunk_is_over(result, result->cursor))
                break;
            found = chunk_is_over(result, result->cursor);
            if (add_pending(result, result->cursor) != 0)
                return -ENOMEM;
            result->cursor++;
        }
        if (!found)
            return -EAGAIN;
    }
}

static int find_next(at_result *result, size_t *index) {
    if (result->kind == NEXT_AS_THEY_COME)
        return find_any(result, index);
    *index = result->given;
    return chunk_is_over(result, result->given / result->chunk_size) ? 0 : -EAGAIN;
}

/* 0 or the outcome of an item, -EAGAIN when none is done, AT_EEND; *given tells an outcome from the others. */
static int give_next(at_result *result, void *value, size_t *index, bool *given) {
    size_t item, size;
    at_failure failure;
    if (result->given == result->count)
        return AT_EEND;
    int error = find_next(result, &item);
    if (error != 0)
        return error;
    result->given++;
    *given = true;
    if (index != NULL)
        *index = item;
    error = result_outcome(result, item, &size, &failure);
    if (error == 0 && value != NULL)
        memcpy(value, result->results + item * result->result_size, size);
    return error;
}

static int next(at_result *result, void *value, size_t *index, bool *given) {
    lock_take(&result->pool->lock);
    int error = give_next(result, value, index, given);
    if ((result->flags & JOB_TOLD) == 0 && result_is_done(result))
        result_retire(result);
    at_lock_release(&result->pool->lock);
    return error;
}

int at_result_next(at_result *result, void *value, size_t *index, double timeout) {
    struct deadline deadline;
    int error = begin_wait(result, timeout, &deadline);
    if (error == 0 && result->kind == GET_ALL)
        error = -EINVAL;
    if (error != 0)
        return error;
    bool given = false;
    error = next(result, value, index, &given);
    for (bool late = false; !given && error == -EAGAIN;) {
        if (pool_is_callback(result->pool))
            return -EDEADLK;
        uint32_t bell = before_bell(result);
        error = next(result, value, index, &given);
        if (given || error != -EAGAIN)
            break;
        if (late)
            return -ETIMEDOUT;
        late = await_bell(result, bell, &deadline);
    }
    return error;
}
