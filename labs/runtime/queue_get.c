/* queue_get.c: taking messages out of a queue; see queue.h, and queue.c for the locks. */
#include "queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "queue_internal.h"

static const struct deadline NOW = {.never = false}; /* long over */

struct consumer;

/* Copies a message out: 0, -EMSGSIZE, -ENOMEM. */
typedef int copy_out(struct consumer *consumer, const struct found *found);

struct consumer {
    struct at_queue *queue;
    struct sleeper sleeper;
    uint64_t tail; /* what it was, and head, too, when there was no message */
    copy_out *copy_out;
    unsigned char *buffer;
    size_t size;     /* of the buffer in bytes, or of its items; then of the message */
    int most, taken; /* messages */
};

static bool head_has_moved(void *context) {
    struct consumer *consumer = context;
    struct queue_shared *shared = consumer->queue->shared;
    return shared_load(&shared->head, memory_order_relaxed) != consumer->tail || queue_is_closed(consumer->queue);
}

/* Under the consumers' lock. */
static int take_out(struct consumer *consumer) {
    struct at_queue *queue = consumer->queue;
    struct found found;
    uint64_t place = consumer->tail = shared_load(&queue->shared->tail, memory_order_relaxed);
    int result;
    while ((result = ring_find(queue, place, &found)) == 0 && (result = consumer->copy_out(consumer, &found)) == 0) {
        place = found.next;
        if (++consumer->taken == consumer->most)
            break;
    }
    if (consumer->taken == 0)
        return result;
    POINT("queue.get.copied");
    ring_take(queue, place); /* all at once, so that a death before it loses none */
    return 0;
}

static int try_to_get(struct consumer *consumer) {
    struct at_queue *queue = consumer->queue;
    struct queue_shared *shared = queue->shared;
    int result = queue_lock(queue, &shared->consumers, &consumer->sleeper.deadline);
    if (result < 0)
        return result;
    POINT("queue.get.locked");
    result = take_out(consumer);
    bool was_last = result == 0 && ring_seems_empty(queue);
    process_lock_give(&shared->consumers);
    POINT("queue.get.unlocked");
    if (result == 0 && event_has_sleepers(&shared->not_full))
        event_wake(&shared->not_full);
    if (was_last && descriptor_is_used(queue))
        (void)queue_look_closely(queue, &NOW);
    return result;
}

/* Whoever has slept for a message says, as it leaves, that others may still sleep, and wakes one if there is more. */
static void leave_consumers(struct consumer *consumer) {
    struct queue_shared *shared = consumer->queue->shared;
    event_leave(&shared->not_empty);
    if (shared_load(&shared->head, memory_order_acquire) != shared_load(&shared->tail, memory_order_acquire))
        event_wake(&shared->not_empty);
}

static int get(struct consumer *consumer, double timeout) {
    struct at_queue *queue = consumer->queue;
    struct event *not_empty = &queue->shared->not_empty;
    int result = queue_deadline(timeout, &consumer->sleeper.deadline);
    if (result != 0)
        return result;
    consumer->sleeper.patience = queue->spins ? &queue->patience : NULL;
    do { /* woken by producers, when they have moved head, and by close */
        result = try_to_get(consumer);
        if (result == AT_EEMPTY)
            result = queue_look_closely(queue, &consumer->sleeper.deadline);
    } while (result == AT_EEMPTY && event_await(not_empty, &consumer->sleeper, head_has_moved, consumer));
    if (consumer->sleeper.slept)
        leave_consumers(consumer);
    return result == -ETIMEDOUT ? AT_EEMPTY : result;
}

/* A copy_out. */
static int into_buffer(struct consumer *consumer, const struct found *found) {
    size_t room = consumer->size;
    consumer->size = found->size;
    if (found->size > room)
        return -EMSGSIZE;
    if (found->size > 0)
        memcpy(consumer->buffer, found->data, found->size);
    return 0;
}

int at_queue_get(at_queue *queue, void *buffer, size_t *size, double timeout) {
    if (queue == NULL || size == NULL || (buffer == NULL && *size > 0))
        return -EINVAL;
    struct consumer consumer = {.queue = queue, .copy_out = into_buffer, .buffer = buffer, .size = *size, .most = 1};
    int result = get(&consumer, timeout);
    if (result == 0 || result == -EMSGSIZE)
        *size = consumer.size;
    return result;
}

int at_queue_get_nowait(at_queue *queue, void *buffer, size_t *size) {
    return at_queue_get(queue, buffer, size, 0);
}

/* A copy_out. */
static int into_new_memory(struct consumer *consumer, const struct found *found) {
    consumer->buffer = malloc(found->size > 0 ? found->size : 1);
    if (consumer->buffer == NULL)
        return -ENOMEM;
    consumer->size = found->size;
    memcpy(consumer->buffer, found->data, found->size);
    return 0;
}

int at_queue_get_new(at_queue *queue, void **data, size_t *size, double timeout) {
    if (queue == NULL || data == NULL || size == NULL)
        return -EINVAL;
    struct consumer consumer = {.queue = queue, .copy_out = into_new_memory, .most = 1};
    int result = get(&consumer, timeout);
    *data = result == 0 ? consumer.buffer : NULL;
    if (result == 0)
        *size = consumer.size;
    return result;
}

/* A copy_out. */
static int into_array(struct consumer *consumer, const struct found *found) {
    if (found->size != consumer->size)
        return -EMSGSIZE;
    if (found->size > 0)
        memcpy(consumer->buffer + (size_t)consumer->taken * found->size, found->data, found->size);
    return 0;
}

int at_queue_get_many(at_queue *queue, void *items, size_t item_size, int most, double timeout) {
    if (queue == NULL || (items == NULL && item_size > 0) || most < 1)
        return -EINVAL;
    struct consumer consumer = {
        .queue = queue, .copy_out = into_array, .buffer = items, .size = item_size, .most = most};
    int result = get(&consumer, timeout);
    return result == 0 ? consumer.taken : result;
}

int at_queue_get_exactly(at_queue *queue, void *item, size_t size, double timeout) {
    int taken = at_queue_get_many(queue, item, size, 1, timeout);
    return taken < 0 ? taken : 0;
}
