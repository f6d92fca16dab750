/*
 * queue_descriptor.c: the descriptor that poll finds readable when there is a message: an eventfd; see queue.h.
 *
 * It costs a system call to make it readable, and one to make it unreadable, so it is left alone until somebody asks
 * for it, and then while it is as it should be.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "queue_internal.h"

void descriptor_signal(const struct at_queue *queue) {
    uint64_t one = 1;
    if (queue->descriptor >= 0 && write(queue->descriptor, &one, sizeof one) < 0)
        return; /* it has been written 2^64 - 2 times, and is readable */
}

void descriptor_make_ready(struct at_queue *queue) {
    descriptor_signal(queue);
    POINT("queue.descriptor.written");
    shared_store(&queue->shared->descriptor, READY, memory_order_relaxed); /* the lock's order is enough */
}

void descriptor_recover(struct at_queue *queue) {
    if (descriptor_is_used(queue))
        descriptor_make_ready(queue); /* perhaps for nothing; whoever finds the queue empty then disarms it */
}

void descriptor_disarm(struct at_queue *queue) {
    struct queue_shared *shared = queue->shared;
    uint64_t sum;
    if (shared_load(&shared->descriptor, memory_order_relaxed) != READY || queue->descriptor < 0)
        return;
    shared_store(&shared->descriptor, ARMED, memory_order_relaxed);
    POINT("queue.descriptor.armed");
    (void)!read(queue->descriptor, &sum, sizeof sum);
    POINT("queue.descriptor.read");
    /* A close that could not get the lock may have written just before we read; it set `closed` before. */
    if (shared_load(&shared->closed, memory_order_acquire) != 0)
        descriptor_make_ready(queue);
}
