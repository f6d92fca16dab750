/* queue_internal.h (internal): how a queue lies in memory, for its own sources and for a test that spoils it. */
#ifndef ATELIER_QUEUE_INTERNAL_H
#define ATELIER_QUEUE_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event.h"
#include "process_lock_internal.h"
#include "queue.h"

/*
 * A place in the stream of all messages that ever were is how many messages and how many units of memory lie before it,
 * both modulo 2^32: its count and its position. They are the halves of one word, so that one store moves both, and
 * nothing is half done when the one who moves dies.
 */
static inline uint64_t place_of(uint32_t count, uint32_t position) {
    return (uint64_t)count << 32 | position;
}

static inline uint32_t count_of(uint64_t place) {
    return (uint32_t)(place >> 32);
}

static inline uint32_t position_of(uint64_t place) {
    return (uint32_t)place;
}

/* A message in the ring: this, then its bytes, then what is left of the last unit. */
struct record {
    _Atomic uint64_t place; /* its own: a check */
    _Atomic uint64_t size;  /* of the message, in bytes */
};

enum { UNIT = sizeof(struct record) }; /* bytes; a record begins at a multiple of it */

/* The descriptor is... */
enum descriptor_state {
    UNUSED, /* something that nobody has asked for */
    ARMED,  /* not readable, and the next put makes it so */
    READY,  /* readable */
};

/* Processors fetch cache lines in pairs, so what different sides write lies two lines apart. */
#define OWN_LINES _Alignas(128)

/*
 * Memory that all users share, any of whom may write garbage to it, so whatever is read from it is checked before it is
 * used, except for the locks, which glibc trusts. "Of producers" means: written under the producers' lock only.
 */
struct queue_shared {
    OWN_LINES struct at_process_lock producers;
    _Atomic uint64_t tail_seen;      /* of producers: as tail, or as it was, or as it will be behind a detour */
    _Atomic uint32_t looked;         /* of producers: the position of head when they last looked at tail */
    OWN_LINES _Atomic uint64_t head; /* of producers: the place of the next message */

    OWN_LINES struct at_process_lock consumers;
    _Atomic uint64_t head_seen;      /* of consumers: as head, or as it was */
    OWN_LINES _Atomic uint64_t tail; /* of consumers: the place of the oldest message */

    OWN_LINES struct event not_empty; /* producers wake consumers */
    OWN_LINES struct event not_full;  /* consumers wake producers */

    /* What rarely changes. The detour is two positions: whoever comes to the first goes on at the second. */
    OWN_LINES _Atomic uint64_t detour; /* of producers */
    _Atomic uint32_t descriptor;       /* of producers: a descriptor_state */
    _Atomic uint32_t closed;           /* set under the producers' lock, or when that cannot be had; never unset */
};

/* Each process has its own, so nobody else writes to it. */
struct at_queue {
    struct queue_shared *shared;
    unsigned char *ring;       /* stands here twice, so that a record that passes its end goes on at its beginning */
    uint32_t units;            /* of the ring: a power of 2, at most 2^31 */
    uint32_t capacity;         /* units that messages may take: all, or fewer */
    uint32_t maxsize;          /* messages */
    int descriptor;            /* an eventfd, or a negative errno that says why there is none */
    _Atomic unsigned patience; /* of those who wait here (event.h) */
    bool spins;                /* this process might use more than one core when it made the queue */
    size_t length;             /* of the whole mapping, in bytes */
};

/* What a message of this many bytes takes; not for sizes that do not fit at all. */
static inline uint32_t units_for(size_t size) {
    return (uint32_t)((size + UNIT - 1) / UNIT) + 1;
}

static inline struct record *record_at(const struct at_queue *queue, uint32_t position) {
    return (struct record *)(void *)(queue->ring + (size_t)(position & (queue->units - 1)) * UNIT);
}

/* ---- queue_ring.c: what is done under a lock: the first two under the producers', the others under the consumers' */

/*
 * Puts a message in, one that is not larger than the capacity. 0; AT_EFULL, and then *full_at is what tail was when
 * there was no room; -EBADMSG.
 */
int ring_put(struct at_queue *queue, const void *data, size_t size, uint64_t *full_at);

/* Makes whole what a producer that died with the lock has left. */
void ring_recover(struct at_queue *queue);

/* A message that may be copied out, until tail is moved. */
struct found {
    const void *data;
    size_t size;
    uint64_t next; /* the place behind it */
};

/* Finds the message at this place, which is tail or what ring_find has called next. 0, AT_EEMPTY, -EBADMSG. */
int ring_find(struct at_queue *queue, uint64_t place, struct found *found);

/* Takes out all messages before this place. */
static inline void ring_take(struct at_queue *queue, uint64_t place) {
    /* Release, the partner of look_at_tail: who sees this tail may write where we have read. */
    shared_store(&queue->shared->tail, place, memory_order_release);
    POINT("queue.get.taken");
}

/* Whether there is no message, by the consumers' copy of head: when there is none, they know. */
static inline bool ring_seems_empty(const struct at_queue *queue) {
    struct queue_shared *shared = queue->shared;
    return shared_load(&shared->tail, memory_order_relaxed) == shared_load(&shared->head_seen, memory_order_relaxed);
}

/* ---- queue.c: what put and get share */

/* When the lock is not to be had at once: what process_lock_try has said. As queue_lock. */
int queue_lock_slowly(struct at_queue *queue, struct at_process_lock *lock, const struct deadline *deadline, int tried);

/*
 * Takes the lock of a side, and makes whole what a dead one has left: 0; -ETIMEDOUT; -EDEADLK; -EBADMSG for a spoilt
 * lock. Woken by the holder's process_lock_give, or by its death.
 */
static inline int queue_lock(struct at_queue *queue, struct at_process_lock *lock, const struct deadline *deadline) {
    int tried = process_lock_try(lock);
    return tried == 0 ? 0 : queue_lock_slowly(queue, lock, deadline, tried);
}

/* As deadline_after; but a poll, which is over before it begins, does not need to know the time. */
static inline int queue_deadline(double timeout, struct deadline *deadline) {
    *deadline = (struct deadline){.never = timeout == AT_FOREVER};
    return deadline->never || timeout <= 0 ? 0 : deadline_after(timeout, NEGATIVE_POLLS, deadline);
}

static inline bool queue_is_closed(const struct at_queue *queue) {
    /* Acquire, the partner of at_queue_close. */
    return shared_load(&queue->shared->closed, memory_order_acquire) != 0;
}

/*
 * Looks at a queue that was found empty once more, under the producers' lock, if something hangs on it: that nothing
 * will ever come, or that its descriptor is readable no longer. AT_EEMPTY; AT_ECLOSED; or an error of the lock.
 */
int queue_look_closely(struct at_queue *queue, const struct deadline *deadline);

/* ---- queue_descriptor.c: the eventfd that says that there is a message */

static inline bool descriptor_is_used(const struct at_queue *queue) {
    /* Relaxed: who is told of the descriptor before we get here has seen it in use. */
    return shared_load(&queue->shared->descriptor, memory_order_relaxed) != UNUSED;
}

/* Under the producers' lock: it is to be readable; the queue is empty; another has died with the lock. */
void descriptor_make_ready(struct at_queue *queue);
void descriptor_disarm(struct at_queue *queue);
void descriptor_recover(struct at_queue *queue);

/* Makes it readable, and no more. */
void descriptor_signal(const struct at_queue *queue);

/* Under the producers' lock: there is a message. */
static inline void descriptor_announce(struct at_queue *queue) {
    if (shared_load(&queue->shared->descriptor, memory_order_relaxed) == ARMED)
        descriptor_make_ready(queue);
}

#endif
