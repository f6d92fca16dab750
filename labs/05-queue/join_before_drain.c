/*
 * join_before_drain.c: the parent joins a child that has put a large message before anybody gets it.
 *
 * Python:  join_before_drain.py; m.join() before q.get()
 * Expect:  the join returns at once: the child has ended, and its message waits in the queue. Python's join never
 *          returns, so both programs join with a timeout of a second
 * Try:     a smaller message: make twin5-join_before_drain ARGS=60000; that much fits into Python's pipe
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "atelier.h"

static at_queue *q;
static size_t bytes;

static int function(void *arg) {
    (void)arg;
    char *painting = calloc(bytes, 1);
    at_check(painting != NULL ? 0 : -ENOMEM);
    int result = at_queue_put(q, painting, bytes, AT_FOREVER);
    free(painting);
    return result;
}

int main(int argc, char *argv[]) {
    bytes = (size_t)at_argument(argc, argv, "BYTES", 1 << 20, 60000000);
    q = at_queue_new();
    at_process *m = at_process_new(.target = function);
    at_check(at_process_start(m));

    bool ended = at_process_join(m, 1) == 0;
    printf("join(1) before get() returns: %s, is_alive %s\n", ended ? "ended" : "timeout",
           at_process_is_alive(m) ? "True" : "False");

    void *painting;
    size_t size;
    at_check(at_queue_get_new(q, &painting, &size, AT_FOREVER));
    printf("get() returns: %zu bytes\n", size);
    free(painting);

    at_check(at_process_join(m, AT_FOREVER));
    printf("join() after get() returns: ended, is_alive %s\n", at_process_is_alive(m) ? "True" : "False");
    at_process_free(m);
    at_queue_free(q);
    if (!ended || size != bytes)
        fprintf(stderr, "join_before_drain: the child should end before its %zu bytes are taken out\n", bytes);
    return !ended || size != bytes;
}
