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

static bool is_posted_at(const at_result *result, uint64_t position) {
    for (size_t i = 0; i < result->position_count; i++)
        if (result->positions[i] == position)
            return true;
    return false;
}

at_result *result_at(at_pool *pool, uint64_t position) {
    at_result *result;
    if (position >= pool->put)
        return NULL;
    if (pool->put - position <= BOARD_POSITIONS)
        return pool->posted[position % BOARD_POSITIONS];
    /* A later job has its place by now; but as long as it is not done, it is listed. */
    TAILQ_FOREACH(result, &pool->active, entry)
    if (is_posted_at(result, position))
        return result;
    return NULL;
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
    if (atomic_load(&result->waiters) > 0)
        board_ring(result->job); /* whoever should have rung may be dead, or stopped */
    if (atomic_exchange_explicit(&result->settled, 1, memory_order_release) == 0)
        futex_wake(&result->settled, INT32_MAX, FUTEX_OF_PROCESS);
    result_leave(result);
}

int result_enter(at_result *result) {
    int error = result == NULL ? -EINVAL : pool_check(result->pool);
    if (error != 0)
        return error;
    lock_take(&result->pool->lock);
    result->references++;
    at_lock_release(&result->pool->lock);
    return 0;
}

void result_exit(at_result *result) {
    at_pool *pool = result->pool;
    lock_take(&pool->lock);
    pool->references++; /* the result may hold the last one */
    result_leave(result);
    pool_unlock_and_leave(pool);
}

void at_result_free(at_result *result) {
    if (result != NULL && pool_check(result->pool) == 0)
        result_exit(result);
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

/* What is looked at after this cannot be missed: whoever does something of it from here on rings. */
uint32_t result_before_bell(at_result *result) {
    uint32_t bell = shared_load(&result->job->bell, memory_order_acquire);
    shared_store(&result->job->waiting, 1, memory_order_relaxed);
    shared_fence(); /* its partner is in board_done */
    return bell;
}

bool result_await_bell(at_result *result, uint32_t bell, const struct deadline *deadline) {
    return shared_wait(&result->job->bell, bell, deadline) == -ETIMEDOUT;
}

static int sleep_until_done(at_result *result, const struct deadline *deadline) {
    for (bool late = false;;) {
        uint32_t bell = result_before_bell(result);
        if (look(result))
            return 0;
        if (late)
            return -ETIMEDOUT;
        late = result_await_bell(result, bell, deadline);
    }
}

int result_wait(at_result *result, const struct deadline *deadline) {
    if (look(result))
        return 0;
    if (pool_is_callback(result->pool))
        return deadline_is_over(deadline) ? -ETIMEDOUT : -EDEADLK;
    if ((result->flags & JOB_TOLD) != 0)
        return wait_settled(result, deadline);
    spin_until(result, seems_done);
    result->waiters++;
    int error = sleep_until_done(result, deadline);
    result->waiters--;
    return error;
}

int at_result_wait(at_result *result, double timeout) {
    struct deadline deadline;
    int error = deadline_after(timeout, NEGATIVE_POLLS, &deadline);
    if (error == 0)
        error = result_enter(result);
    if (error != 0)
        return error;
    error = result_wait(result, &deadline);
    result_exit(result);
    return error;
}

bool at_result_ready(at_result *result) {
    if (result_enter(result) != 0)
        return false;
    bool ready = look(result);
    result_exit(result);
    return ready;
}

/* ---- getting */

int result_get(at_result *result, void *results, size_t size, const struct deadline *deadline) {
    at_failure failure;
    if (results != NULL && size != result->count * result->result_size)
        return -EMSGSIZE;
    int error = result_wait(result, deadline);
    if (error != 0)
        return error;
    lock_take(&result->pool->lock);
    if (results != NULL)
        result_copy(result, results);
    error = result_first_failure(result, &failure) ? failure.code : 0;
    at_lock_release(&result->pool->lock);
    return error;
}

int at_result_get(at_result *result, void *results, size_t size, double timeout) {
    struct deadline deadline;
    int error = deadline_after(timeout, NEGATIVE_POLLS, &deadline);
    if (error == 0)
        error = result_enter(result);
    if (error != 0)
        return error;
    error = result_get(result, results, size, &deadline);
    result_exit(result);
    return error;
}

/* The first failure, in *failure, as a flag; or why there is no answer. */
static int has_failed(at_result *result, at_failure *failure) {
    int answer = result_enter(result);
    if (answer != 0)
        return answer;
    answer = -EAGAIN;
    if (look(result)) {
        lock_take(&result->pool->lock);
        answer = result_first_failure(result, failure);
        at_lock_release(&result->pool->lock);
    }
    result_exit(result);
    return answer;
}

int at_result_failure(at_result *result, at_failure *failure) {
    int answer = has_failed(result, failure);
    return answer == 1 ? failure->code : answer;
}

int at_result_successful(at_result *result) {
    at_failure failure;
    int answer = has_failed(result, &failure);
    return answer >= 0 ? answer == 0 : answer;
}

int at_result_outcome(at_result *result, size_t index, size_t *size, at_failure *failure) {
    size_t bytes;
    at_failure unused;
    int error = result_enter(result);
    if (error != 0)
        return error;
    if (index >= result->count)
        error = -EINVAL;
    else if (!look(result))
        error = -EAGAIN;
    if (error == 0) {
        lock_take(&result->pool->lock);
        error = result_outcome(result, index, size != NULL ? size : &bytes, failure != NULL ? failure : &unused);
        at_lock_release(&result->pool->lock);
    }
    result_exit(result);
    return error;
}
