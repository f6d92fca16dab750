/*
 * queue.c: messages between processes: who may touch the ring, who waits, and how a queue is closed; see queue.h.
 *
 * Two locks, one for those who put and one for those who get, let one of each work at the same time. They are robust:
 * who is killed with one of them leaves it to the next, and what else it leaves is whole (queue_ring.c). Nobody sleeps
 * with a lock; the sleeping is event.c's.
 */
#include "queue.h"

#include <errno.h>

#include "error.h"
#include "queue_internal.h"

/*
 * A call that polls does not give up on a lock at once that somebody has for a moment only, but waits this long, in
 * seconds. It is long enough for whoever copies a message, and is not over unless the holder has been stopped.
 */
static const double PATIENCE = 0.1;

/* The same for close, which has no timeout. */
static const double PATIENCE_OF_CLOSE = 1;

/* Pause instructions between two attempts to get a lock without sleeping, the last and longest time. */
enum { LONGEST_PAUSE = 32 };

/* ---- the locks */

/* It is held by somebody. As process_lock_take. */
static int wait_for(const struct at_queue *queue, struct at_process_lock *lock, const struct deadline *deadline) {
    /* The holder needs its cache lines to get done, so look at growing intervals. */
    for (int pauses = 1; queue->spins && pauses <= LONGEST_PAUSE; pauses *= 2) {
        for (int i = 0; i < pauses; i++)
            spin_pause();
        int result = process_lock_try(lock);
        if (result != -EBUSY)
            return result;
    }
    struct deadline patience;
    deadline_after(PATIENCE, NEGATIVE_POLLS, &patience);
    return process_lock_take(lock, deadline_is_before(&patience, deadline) ? deadline : &patience);
}

int queue_lock_slowly(struct at_queue *queue, struct at_process_lock *lock, const struct deadline *deadline,
                      int tried) {
    int result = tried == -EBUSY ? wait_for(queue, lock, deadline) : tried;
    if (result == AT_RECOVERED && lock == &queue->shared->producers) { /* for consumers there is nothing to repair */
        ring_recover(queue);
        descriptor_recover(queue);
    }
    if (result >= 0)
        return 0;
    return result == -ETIMEDOUT || result == -EDEADLK ? result : -EBADMSG;
}

/* ---- put */

struct producer {
    struct at_queue *queue;
    struct sleeper sleeper;
    uint64_t tail; /* what it was when there was no room */
};

/* Whether another attempt may find room. Relaxed: the attempt itself looks with acquire. */
static bool tail_has_moved(void *context) {
    struct producer *producer = context;
    struct queue_shared *shared = producer->queue->shared;
    return shared_load(&shared->tail, memory_order_relaxed) != producer->tail || queue_is_closed(producer->queue);
}

static int try_to_put(struct producer *producer, const void *data, size_t size) {
    struct at_queue *queue = producer->queue;
    struct queue_shared *shared = queue->shared;
    int result = queue_lock(queue, &shared->producers, &producer->sleeper.deadline);
    if (result < 0)
        return result;
    POINT("queue.put.locked");
    result = queue_is_closed(queue) ? AT_ECLOSED : ring_put(queue, data, size, &producer->tail);
    process_lock_give(&shared->producers);
    POINT("queue.put.unlocked");
    if (result == 0 && event_has_sleepers(&shared->not_empty))
        event_wake(&shared->not_empty);
    return result;
}

int at_queue_put(at_queue *queue, const void *data, size_t size, double timeout) {
    if (queue == NULL || (data == NULL && size > 0))
        return -EINVAL;
    struct producer producer = {.queue = queue, .sleeper.patience = queue->spins ? &queue->patience : NULL};
    struct event *not_full = &queue->shared->not_full;
    int result = queue_deadline(timeout, &producer.sleeper.deadline);
    if (result != 0)
        return result;
    if (size > (size_t)(queue->capacity - 1) * UNIT)
        return AT_ETOOLARGE;
    do { /* woken by consumers, when they have moved tail, and by close */
        result = try_to_put(&producer, data, size);
        if (producer.sleeper.slept) /* whether this message fits now or not, what room there is may do for another's */
            event_pass_on(not_full);
    } while (result == AT_EFULL && event_await(not_full, &producer.sleeper, tail_has_moved, &producer));
    return result == -ETIMEDOUT ? AT_EFULL : result;
}

int at_queue_put_nowait(at_queue *queue, const void *data, size_t size) {
    return at_queue_put(queue, data, size, 0);
}

/* ---- the rest */

/* Under the producers' lock, where an empty queue stays empty. AT_EEMPTY, or AT_ECLOSED. */
static int settle(struct at_queue *queue) {
    struct queue_shared *shared = queue->shared;
    if (shared_load(&shared->tail, memory_order_relaxed) != shared_load(&shared->head, memory_order_relaxed))
        return AT_EEMPTY;       /* no longer, but it was */
    if (queue_is_closed(queue)) /* and whoever gets this lock next sees it, too, so nothing will ever come */
        return AT_ECLOSED;
    descriptor_disarm(queue);
    return AT_EEMPTY;
}

int queue_look_closely(struct at_queue *queue, const struct deadline *deadline) {
    struct queue_shared *shared = queue->shared;
    if (!queue_is_closed(queue) && !descriptor_is_used(queue))
        return AT_EEMPTY;
    int result = queue_lock(queue, &shared->producers, deadline);
    if (result < 0)
        return result;
    result = settle(queue);
    process_lock_give(&shared->producers);
    return result;
}

size_t at_queue_qsize(at_queue *queue) {
    if (queue == NULL)
        return 0;
    /* Tail first: head is never behind what tail was. Acquire, so that the order holds. */
    uint64_t tail = shared_load(&queue->shared->tail, memory_order_acquire);
    return count_of(shared_load(&queue->shared->head, memory_order_acquire)) - count_of(tail);
}

bool at_queue_empty(at_queue *queue) {
    return at_queue_qsize(queue) == 0;
}

bool at_queue_full(at_queue *queue) {
    return queue != NULL && at_queue_qsize(queue) >= queue->maxsize;
}

void at_queue_close(at_queue *queue) {
    if (queue == NULL)
        return;
    struct queue_shared *shared = queue->shared;
    struct deadline deadline;
    deadline_after(PATIENCE_OF_CLOSE, NEGATIVE_POLLS, &deadline);
    bool locked = queue_lock(queue, &shared->producers, &deadline) == 0;
    if (locked) { /* which keeps others from making the descriptor unreadable before closed is set */
        descriptor_signal(queue);
        POINT("queue.close.signalled");
    }
    /* Release, the partner of is_closed. */
    shared_store(&shared->closed, 1, memory_order_release);
    POINT("queue.close.closed");
    if (locked)
        process_lock_give(&shared->producers);
    else
        descriptor_signal(queue); /* whoever finds the queue empty after this finds it closed, and leaves it readable */
    event_wake_all(&shared->not_empty);
    event_wake_all(&shared->not_full);
}

int at_queue_fileno(at_queue *queue) {
    if (queue == NULL)
        return -EINVAL;
    if (queue->descriptor < 0 || descriptor_is_used(queue))
        return queue->descriptor;
    int result = queue_lock(queue, &queue->shared->producers, &NEVER);
    if (result < 0)
        return result;
    descriptor_make_ready(queue); /* and no longer, if there is nothing */
    settle(queue);
    process_lock_give(&queue->shared->producers);
    return queue->descriptor;
}
