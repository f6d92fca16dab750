/* pool_blame.c: what a dead worker had in its hands, and what becomes of that; see pool_internal.h and board.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "hooks.h"
#include "pool_internal.h"

void describe_end(char *text, size_t size, pid_t pid, int exitcode) {
    if (exitcode < 0)
        snprintf(text, size, "worker %d was killed by signal %d (%s)", pid, -exitcode, strsignal(-exitcode));
    else
        snprintf(text, size, "worker %d ended with exit code %d", pid, exitcode);
}

/* A chunk that a worker had: who reads this trusts none of it, so all of it has been checked. */
struct had {
    at_result *result;
    uint64_t chunk, word;
    uint64_t begin, end; /* its items */
    uint64_t item;       /* the first one that has not been handed in */
    bool begun;          /* whether that one had begun */
    bool condemned;      /* and was over its time */
};

/* What the board says that it had: false when it had nothing. */
static bool find_chunk(at_pool *pool, unsigned worker, struct had *had) {
    struct board_worker *place = &pool->memory.board->worker[worker];
    had->result = result_at(pool, shared_load(&place->visiting, memory_order_acquire) - 1); /* 0 wraps: no position */
    had->chunk = shared_load(&place->trying, memory_order_relaxed);
    if (had->result == NULL || had->result->abandoned.code < 0 || had->chunk >= had->result->chunks)
        return false;
    had->word = shared_load(&had->result->words[had->chunk], memory_order_acquire);
    return chunk_state(had->word) == CHUNK_TAKEN && chunk_worker(had->word) == worker;
}

static void find_item(at_pool *pool, unsigned worker, struct had *had) {
    const at_result *result = had->result;
    uint64_t hand = shared_load(&pool->memory.board->worker[worker].hand, memory_order_acquire);
    had->begin = had->chunk * result->chunk_size;
    had->end = result->count - had->begin < result->chunk_size ? result->count : had->begin + result->chunk_size;
    uint64_t first = had->begin + chunk_skip(had->word);
    bool sound = first <= had->end;
    had->item = sound ? first : had->begin;
    had->begun = false;
    had->condemned = false;
    if (hand == HAND_EMPTY)
        return; /* it died between taking the chunk and its first item */
    uint64_t item = hand & HAND_ITEM;
    if (item >= had->item && item <= had->end)
        had->item = item;
    had->begun = (hand & HAND_BEGUN) != 0 && had->item < had->end;
    had->condemned = had->begun && (hand & HAND_CONDEMNED) != 0 && pool->slots[worker].condemned;
}

/* What becomes of the item that it had begun: 0, and then it is either failed or free for another try; or -ENOMEM. */
static int settle_item(const struct had *had, pid_t pid, int exitcode, bool *again) {
    at_result *result = had->result;
    *again = false;
    if (result->retries > 0) {
        int attempts = result_count_attempt(result, had->item);
        if (attempts < 0)
            return attempts;
        *again = (unsigned)attempts <= result->retries;
        if (*again)
            return 0;
    }
    at_failure failure = {.index = had->item, .pid = pid, .exitcode = exitcode};
    char end[80], item[32] = "";
    describe_end(end, sizeof end, pid, exitcode);
    if (result->count > 1)
        snprintf(item, sizeof item, ", item %zu", failure.index);
    failure.code = had->condemned ? AT_ETASKTIME : AT_EDIED;
    if (had->condemned)
        snprintf(failure.text, sizeof failure.text, "%.36s%s: longer than its %g s; worker %d was killed for it",
                 result->task->name, item, result->timeout, pid);
    else
        snprintf(failure.text, sizeof failure.text, "%.30s%s: %s in the middle of it", result->task->name, item, end);
    return result_fail_item(result, &failure);
}

/* There is no memory to go on with what is left of a chunk: its other items fail with that, if they can. */
static void give_up_chunk(const struct had *had, uint64_t item, int code) {
    at_result *result = had->result;
    at_failure why = {.code = code};
    snprintf(why.text, sizeof why.text, "%.30s: not done, since a worker died, and then: %.80s", result->task->name,
             at_strerror(code));
    int error = 0;
    for (why.index = item; why.index < had->end && error == 0; why.index++)
        error = result_fail_item(result, &why);
    if (error != 0)
        result_abandon(result, &why);
    else
        shared_store(&result->words[had->chunk], chunk_word(CHUNK_DONE, chunk_special(had->word), 0, 0),
                     memory_order_release);
}

bool blame_worker(at_pool *pool, unsigned worker, pid_t pid, int exitcode) {
    struct had had;
    bool again = false;
    if (!find_chunk(pool, worker, &had))
        return false;
    find_item(pool, worker, &had);
    int error = had.begun ? settle_item(&had, pid, exitcode, &again) : 0;
    uint64_t next = had.begun && !again ? had.item + 1 : had.item;
    enum chunk_state state = next == had.end ? CHUNK_DONE : CHUNK_FREE;
    /* Release: the partner is the acquire of whoever takes it now, or counts it as done. */
    shared_store(&had.result->words[had.chunk],
                 chunk_word(state, chunk_special(had.word), 0, state == CHUNK_DONE ? 0 : next - had.begin),
                 memory_order_release);
    if (error == 0 && state == CHUNK_FREE)
        error = job_post(pool, had.result, had.chunk + 1);
    if (error == 0 && state == CHUNK_FREE)
        board_wake(pool->memory.board, 1);
    if (error != 0)
        give_up_chunk(&had, next, error);
    return had.begun;
}
