/*
 * queue_ring.c: messages in a ring of shared memory, put in and taken out by who has the lock of the side; see queue.h.
 *
 * A message is copied in behind head, and then one store moves head behind it; it is copied out, and then one store
 * moves tail. A death before the store has changed nothing, and after it everything. Each side keeps a copy of the
 * other's word and looks at the word itself only when the copy says that the ring is full, or empty: to look is to take
 * the cache line from the other side, who writes it all the time. (P. Lee et al., "A Lock-Free, Cache-Efficient Shared
 * Ring Buffer for Multi-Core Architectures", 2009)
 */
#include <errno.h>
#include <string.h>

#include "error.h"
#include "queue_internal.h"

/*
 * An empty queue goes on at the beginning of the ring when it has used this much of it, so that a queue that is empty
 * now and then stays in the cache, and takes no more memory than this, however large its capacity is.
 */
enum { WARM_UNITS = 256 * 1024 / UNIT };

/* Whether it is empty just now costs a look at tail; often enough is each time that this much has been put in. */
enum { LOOK_UNITS = 4 * 1024 / UNIT };

/* Where who stands at this place finds the next message. Relaxed: it was written before the head that led here. */
static uint64_t after_detour(struct queue_shared *shared, uint64_t place) {
    uint64_t detour = shared_load(&shared->detour, memory_order_relaxed);
    return position_of(place) == (uint32_t)(detour >> 32) ? place_of(count_of(place), (uint32_t)detour) : place;
}

/* Whether what lies between the two may be the content of this queue. */
static bool are_sound(const struct at_queue *queue, uint64_t tail, uint64_t head) {
    uint32_t units = position_of(head) - position_of(tail), messages = count_of(head) - count_of(tail);
    return units <= queue->capacity && messages <= units && (messages > 0) == (units > 0);
}

/* ---- producers */

/*
 * Looks at tail itself; returns the place that it leads to. Acquire, the partner of ring_take: where we write, all has
 * been copied out.
 */
static uint64_t look_at_tail(struct at_queue *queue, uint64_t head, uint64_t *as_it_is) {
    struct queue_shared *shared = queue->shared;
    uint64_t tail = *as_it_is = shared_load(&shared->tail, memory_order_acquire);
    uint64_t next = after_detour(shared, tail);
    /*
     * Once passed the detour has to go: positions repeat, though not before producers had to look here several times.
     */
    if (next == tail && shared_load(&shared->detour, memory_order_relaxed) != 0)
        shared_store(&shared->detour, 0, memory_order_relaxed);
    shared_store(&shared->tail_seen, next, memory_order_relaxed);
    shared_store(&shared->looked, position_of(head), memory_order_relaxed);
    return next;
}

/* Whether the queue may be empty, and should begin anew if so. */
static bool is_worth_a_look(struct at_queue *queue, uint64_t head) {
    struct queue_shared *shared = queue->shared;
    if ((position_of(head) & (queue->units - 1)) < WARM_UNITS)
        return false;
    return position_of(head) - shared_load(&shared->looked, memory_order_relaxed) >= LOOK_UNITS ||
           event_may_have_sleepers(&shared->not_empty);
}

/* The queue is empty. Its next message shall lie at the beginning of the ring; returns the place of that. */
static uint64_t restart(struct at_queue *queue, uint64_t head) {
    struct queue_shared *shared = queue->shared;
    uint32_t from = position_of(head), to = (from | (queue->units - 1)) + 1;
    uint64_t place = place_of(count_of(head), to);
    /* Relaxed: who follows it has seen, with acquire, the head that is stored after it. */
    shared_store(&shared->detour, (uint64_t)from << 32 | to, memory_order_relaxed);
    shared_store(&shared->tail_seen, place, memory_order_relaxed);
    POINT("queue.put.restarted");
    return place;
}

static bool has_room(const struct at_queue *queue, uint64_t tail, uint64_t head, uint32_t units) {
    return position_of(head) - position_of(tail) <= queue->capacity - units &&
           count_of(head) - count_of(tail) < queue->maxsize;
}

/* The place for a message of so many units. 0; AT_EFULL, and then what tail was; -EBADMSG. */
static int find_room(struct at_queue *queue, uint32_t units, uint64_t *place, uint64_t *full_at) {
    struct queue_shared *shared = queue->shared;
    uint64_t head = shared_load(&shared->head, memory_order_relaxed); /* the lock's order is enough */
    uint64_t tail = shared_load(&shared->tail_seen, memory_order_relaxed);
    *place = head;
    if (has_room(queue, tail, head, units) && !is_worth_a_look(queue, head))
        return 0;
    tail = look_at_tail(queue, head, full_at);
    if (!are_sound(queue, tail, head))
        return -EBADMSG;
    if (tail == head && (position_of(head) & (queue->units - 1)) >= WARM_UNITS)
        *place = restart(queue, head);
    return has_room(queue, tail, head, units) ? 0 : AT_EFULL;
}

int ring_put(struct at_queue *queue, const void *data, size_t size, uint64_t *full_at) {
    uint32_t units = units_for(size);
    uint64_t place;
    int error = find_room(queue, units, &place, full_at);
    if (error != 0)
        return error;
    struct record *record = record_at(queue, position_of(place));
    shared_store(&record->place, place, memory_order_relaxed);
    shared_store(&record->size, size, memory_order_relaxed);
    if (size > 0)
        memcpy(record + 1, data, size);
    POINT("queue.put.copied");
    descriptor_announce(queue); /* before the message is there, so that it never is without that */
    /* Release, the partner of look_at_head: who sees this head sees the message. */
    uint64_t head = place_of(count_of(place) + 1, position_of(place) + units);
    shared_store(&queue->shared->head, head, memory_order_release);
    POINT("queue.put.committed");
    return 0;
}

void ring_recover(struct at_queue *queue) {
    struct queue_shared *shared = queue->shared;
    uint64_t head = shared_load(&shared->head, memory_order_relaxed);
    /* A detour that nobody needs: the dead one did not get as far as moving head, or all has been taken out since. */
    uint64_t tail = shared_load(&shared->tail, memory_order_acquire);
    if (tail == head)
        shared_store(&shared->detour, 0, memory_order_relaxed);
    look_at_tail(queue, head, &tail);
}

/* ---- consumers */

/* Looks at head itself. Acquire, the partner of ring_put. */
static uint64_t look_at_head(struct queue_shared *shared) {
    uint64_t head = shared_load(&shared->head, memory_order_acquire);
    shared_store(&shared->head_seen, head, memory_order_relaxed);
    return head;
}

int ring_find(struct at_queue *queue, uint64_t place, struct found *found) {
    struct queue_shared *shared = queue->shared;
    uint64_t head = shared_load(&shared->head_seen, memory_order_relaxed);
    if (place == head && place == (head = look_at_head(shared)))
        return AT_EEMPTY;
    place = after_detour(shared, place);
    struct record *record = record_at(queue, position_of(place));
    uint64_t size = shared_load(&record->size, memory_order_relaxed);
    if (!are_sound(queue, place, head) || shared_load(&record->place, memory_order_relaxed) != place)
        return -EBADMSG;
    if (size > (uint64_t)(position_of(head) - position_of(place) - 1) * UNIT)
        return -EBADMSG;
    *found = (struct found){
        .data = record + 1,
        .size = size,
        .next = place_of(count_of(place) + 1, position_of(place) + units_for(size)),
    };
    return 0;
}
