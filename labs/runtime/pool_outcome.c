/* pool_outcome.c: what has become of the items of a job; see pool_internal.h. All with the pool's lock held. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "hooks.h"
#include "pool_internal.h"

/* Room for one more in an array that grows by doubling: the array, or NULL when memory is short. */
static void *grow(void *array, size_t count, size_t *room, size_t size) {
    if (count < *room)
        return array;
    size_t larger = *room == 0 ? 4 : 2 * *room;
    void *grown = realloc(array, larger * size);
    if (grown != NULL)
        *room = larger;
    return grown;
}

/* ---- what the owner knows of single items: sorted by index */

/* Where the failure of this index is, or would be. */
static size_t find_failure(const at_result *result, size_t index) {
    size_t low = 0, high = result->failure_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (result->failures[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int result_fail_item(at_result *result, const at_failure *failure) {
    at_failure *failures =
        grow(result->failures, result->failure_count, &result->failure_room, sizeof *result->failures);
    if (failures == NULL)
        return -ENOMEM;
    result->failures = failures;
    size_t place = find_failure(result, failure->index);
    memmove(failures + place + 1, failures + place, (result->failure_count - place) * sizeof *failures);
    failures[place] = *failure;
    result->failure_count++;
    return 0;
}

int result_count_attempt(at_result *result, size_t index) {
    for (size_t i = 0; i < result->attempt_count; i++)
        if (result->attempts[i].index == index)
            return (int)++result->attempts[i].count;
    struct attempt *attempts =
        grow(result->attempts, result->attempt_count, &result->attempt_room, sizeof *result->attempts);
    if (attempts == NULL)
        return -ENOMEM;
    result->attempts = attempts;
    attempts[result->attempt_count++] = (struct attempt){index, 1};
    return 1;
}

/* ---- what the workers have written */

bool result_is_done(at_result *result) {
    if (result->abandoned.code < 0)
        return true;
    /* Acquire: the results of a chunk that is done are there; the partner is in board_done. */
    while (result->chunks_done < result->chunks &&
           chunk_state(shared_load(&result->words[result->chunks_done], memory_order_acquire)) == CHUNK_DONE)
        result->chunks_done++;
    return result->chunks_done == result->chunks;
}

void result_abandon(at_result *result, const at_failure *why) {
    if (!result_is_done(result))
        result->abandoned = *why;
    board_ring(result->job);
}

/* The text of a failure that a task has said itself. */
static void read_text(const at_result *result, at_failure *failure) {
    char text[BOARD_TEXT];
    snprintf(text, sizeof text, "%s", at_strerror(failure->code));
    for (size_t i = 0; i < result->text_count; i++) {
        if (shared_load(&result->texts[i].item, memory_order_acquire) != failure->index + 1)
            continue;
        memcpy(text, result->texts[i].text, sizeof text);
        text[sizeof text - 1] = '\0'; /* a worker may have written anything */
    }
    if (result->count == 1)
        snprintf(failure->text, sizeof failure->text, "%s: %.120s", result->task->name, text);
    else
        snprintf(failure->text, sizeof failure->text, "%s, item %zu: %.110s", result->task->name, failure->index, text);
}

/* What a worker has recorded of an item of a special chunk. */
static int recorded_outcome(const at_result *result, size_t index, size_t *size, at_failure *failure) {
    uint64_t outcome = shared_load(&result->outcomes[index], memory_order_relaxed);
    int code = (int)(uint32_t)outcome;
    size_t marked = (size_t)(outcome >> 32);
    bool garbage = code > 0 || marked > result->result_size + 1;
    if (marked > 0 && !garbage)
        *size = marked - 1;
    if (code == 0 && !garbage)
        return 0;
    *failure = (at_failure){.code = garbage ? -EBADMSG : code, .index = index};
    read_text(result, failure);
    return failure->code;
}

int result_outcome(at_result *result, size_t index, size_t *size, at_failure *failure) {
    *size = result->result_size;
    size_t place = find_failure(result, index);
    if (place < result->failure_count && result->failures[place].index == index) {
        *failure = result->failures[place];
        return failure->code;
    }
    uint64_t word = shared_load(&result->words[index / result->chunk_size], memory_order_acquire);
    if (chunk_state(word) != CHUNK_DONE && index % result->chunk_size >= chunk_skip(word)) {
        *failure = result->abandoned;
        failure->index = index;
        return failure->code;
    }
    return chunk_special(word) ? recorded_outcome(result, index, size, failure) : 0;
}

/* Whether all items of a chunk went well, as can be told without looking at each. */
static bool is_plain(const at_result *result, size_t chunk) {
    size_t begin = chunk * result->chunk_size, place = find_failure(result, begin);
    uint64_t word = shared_load(&result->words[chunk], memory_order_acquire);
    bool failed = place < result->failure_count && result->failures[place].index - begin < result->chunk_size;
    return !failed && chunk_state(word) == CHUNK_DONE && !chunk_special(word);
}

bool result_first_failure(at_result *result, at_failure *failure) {
    size_t size;
    for (size_t chunk = 0; chunk < result->chunks; chunk++) {
        if (is_plain(result, chunk))
            continue;
        for (size_t i = chunk * result->chunk_size; i < result->count && i < (chunk + 1) * result->chunk_size; i++)
            if (result_outcome(result, i, &size, failure) != 0)
                return true;
    }
    return false;
}

void result_copy(at_result *result, unsigned char *to) {
    size_t size, item = result->result_size;
    at_failure unused;
    for (size_t chunk = 0; chunk < result->chunks; chunk++) {
        size_t begin = chunk * result->chunk_size;
        size_t end = result->count - begin < result->chunk_size ? result->count : begin + result->chunk_size;
        if (is_plain(result, chunk)) {
            memcpy(to + begin * item, result->results + begin * item, (end - begin) * item);
            continue;
        }
        for (size_t i = begin; i < end; i++)
            if (result_outcome(result, i, &size, &unused) == 0)
                memcpy(to + i * item, result->results + i * item, size);
    }
}
