/* queues.h: the queue that each test of the suites about queues has. */
#ifndef ATELIER_TESTS_QUEUES_H
#define ATELIER_TESTS_QUEUES_H

#include "watch.h"

static at_queue *queue;

static inline void setup(void) {
    queue = at_queue_new();
    ck_assert_ptr_nonnull(queue);
}

static inline void teardown(void) {
    at_queue_free(queue);
}

/* Another one for this test. */
#define use_queue(...)                                                                                                 \
    do {                                                                                                               \
        at_queue_free(queue);                                                                                          \
        ck_assert_ptr_nonnull(queue = at_queue_new(__VA_ARGS__));                                                      \
    } while (0)

static inline int get_number_within(double timeout) {
    int number, result = at_queue_get_exactly(queue, &number, sizeof number, timeout);
    return result == 0 ? number : result;
}

static inline int put_number_within(int number, double timeout) {
    return at_queue_put(queue, &number, sizeof number, timeout);
}

#endif
