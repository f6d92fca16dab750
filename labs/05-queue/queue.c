/*
 * queue.c: what a function in another process has found out comes back through a queue.
 *
 * Python:  queue.py; q.put(res) in the child, q.get() in the parent
 * Expect:  multi: 20, which is twice 0 + 1 + 2 + 3 + 4
 * Try:     a third get: it waits for ever, since nobody puts. In place of for ever, let it wait for a second:
 *          at_check(at_queue_get_exactly(q, &res1, sizeof res1, 1)); it says that the queue is empty
 */
#include <stdio.h>

#include "atelier.h"

struct function_arguments {
    at_queue *q;
    int num;
};

static int function(void *arg) {
    const struct function_arguments *given = arg;
    int res = 0;
    for (int i = 0; i < given->num; i++)
        res += i;
    return at_put(given->q, res);
}

static int multi(void) {
    at_queue *q = at_queue_new();
    struct function_arguments given = {.q = q, .num = 5};
    at_process *m1 = at_process_new(.target = function, AT_COPY(given));
    at_process *m2 = at_process_new(.target = function, AT_COPY(given));
    at_check(at_process_start(m1));
    at_check(at_process_start(m2));
    at_check(at_process_join(m1, AT_FOREVER));
    at_check(at_process_join(m2, AT_FOREVER));
    int res1, res2;
    at_check(at_get(q, &res1));
    at_check(at_get(q, &res2));
    at_process_free(m1);
    at_process_free(m2);
    at_queue_free(q);
    printf("multi: %d\n", res1 + res2);
    return res1 + res2;
}

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    int sum = multi();
    if (sum != 20)
        fprintf(stderr, "queue: the results of two processes should add up to 20, not to %d\n", sum);
    return sum != 20;
}
