/* pool_next.c: results one by one, in the order of the items or as they come (imap, imap_unordered); see pool.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "hooks.h"
#include "pool_internal.h"

/* ---- with the pool's lock held */

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

/*
 * Whether the chunk at the cursor has been taken before, and came back from a dead worker. Behind one that has not,
 * there is nothing, since chunks are taken in their order.
 */
static bool has_been_taken(const at_result *result) {
    return result->cursor < shared_load(&result->job->next, memory_order_relaxed);
}

/* Finds an item that is done and has not been given out: 0; -EAGAIN when there is none yet, -ENOMEM. */
static int find_any(at_result *result, size_t *index) {
    for (;;) {
        for (size_t i = 0; i < result->pending_count; i++)
            if (chunk_is_over(result, result->pending[i].chunk)) {
                *index = take_pending(result, i);
                return 0;
            }
        bool found = false;
        while (!found && result->cursor < result->chunks) {
            uint64_t word = shared_load(&result->words[result->cursor], memory_order_acquire);
            if (chunk_state(word) == CHUNK_FREE && !chunk_is_over(result, result->cursor) && !has_been_taken(result))
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

/* The same, but waits for one. */
static int await_next(at_result *result, void *value, size_t *index, const struct deadline *deadline) {
    bool given = false;
    int error = next(result, value, index, &given);
    if (given || error != -EAGAIN)
        return error;
    if (pool_is_callback(result->pool))
        return deadline_is_over(deadline) ? -ETIMEDOUT : -EDEADLK;
    result->waiters++;
    for (bool late = false;;) {
        uint32_t bell = result_before_bell(result);
        error = next(result, value, index, &given);
        if (given || error != -EAGAIN)
            break;
        error = -ETIMEDOUT;
        if (late)
            break;
        late = result_await_bell(result, bell, deadline);
    }
    result->waiters--;
    return error;
}

int at_result_next(at_result *result, void *value, size_t *index, double timeout) {
    struct deadline deadline;
    if (index != NULL)
        *index = SIZE_MAX; /* no item's */
    int error = deadline_after(timeout, NEGATIVE_POLLS, &deadline);
    if (error == 0)
        error = result_enter(result);
    if (error != 0)
        return error;
    error = result->kind == GET_ALL ? -EINVAL : await_next(result, value, index, &deadline);
    result_exit(result);
    return error;
}
