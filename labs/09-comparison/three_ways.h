/* three_ways.h: the work of lab 5 in two processes, in two threads, and without concurrency. Each returns the sum. */
#ifndef THREE_WAYS_H
#define THREE_WAYS_H

#include "atelier.h"

struct function_arguments {
    at_queue *q;
    long num;
};

/* A compiler that sees through this loop replaces it by num(num - 1)/2. The empty asm, which may change res each time
 * round, makes it add up. */
static inline long sum_below(long num) {
    long res = 0;
    for (long i = 0; i < num; i++) {
        res += i;
        __asm__ volatile("" : "+r"(res));
    }
    return res;
}

static inline int function(void *arg) {
    const struct function_arguments *given = arg;
    long res = sum_below(given->num);
    return at_put(given->q, res);
}

static inline long get_two(at_queue *q) {
    long res1, res2;
    at_check(at_get(q, &res1));
    at_check(at_get(q, &res2));
    at_queue_free(q);
    return res1 + res2;
}

static inline long multi(long num) {
    struct function_arguments given = {.q = at_queue_new(), .num = num};
    at_process *m1 = at_process_new(.target = function, AT_COPY(given));
    at_process *m2 = at_process_new(.target = function, AT_COPY(given));
    at_check(at_process_start(m1));
    at_check(at_process_start(m2));
    at_check(at_process_join(m1, AT_FOREVER));
    at_check(at_process_join(m2, AT_FOREVER));
    at_process_free(m1);
    at_process_free(m2);
    return get_two(given.q);
}

static inline long thread(long num) {
    struct function_arguments given = {.q = at_queue_new(), .num = num};
    at_thread *t1 = at_thread_new(.target = function, AT_COPY(given));
    at_thread *t2 = at_thread_new(.target = function, AT_COPY(given));
    at_check(at_thread_start(t1));
    at_check(at_thread_start(t2));
    at_check(at_thread_join(t1, AT_FOREVER));
    at_check(at_thread_join(t2, AT_FOREVER));
    at_thread_free(t1);
    at_thread_free(t2);
    return get_two(given.q);
}

static inline long normal(long num) {
    return sum_below(num) + sum_below(num);
}

enum { MULTI, THREAD, NORMAL, WAYS };

static const struct way {
    const char *name;
    long (*run)(long num);
} ways[WAYS] = {{"multi", multi}, {"thread", thread}, {"normal", normal}};

#endif
