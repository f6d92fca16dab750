/*
 * join_timeout.c: a join with a timeout gives up after that many seconds, and the thread goes on.
 *
 * Python:  join_timeout.py; t.join(timeout), then t.is_alive()
 * Expect:  A starts; the first join runs out and the thread is alive; A ends 3 seconds later; the second join ends it
 * Try:     a timeout of 0, which only looks and never waits, and one of 5, which does not run out
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "atelier.h"
#include "print_with_time.h"

static int painting(void *arg) {
    (void)arg;
    at_work(3);
    print_with_time("Artist A ends painting:");
    return 0;
}

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    print_with_time("Artist A starts painting");
    at_thread *t = at_thread_new(.target = painting);
    at_check(at_thread_start(t));

    int result = at_thread_join(t, 0.05); /* real seconds: AT_SPEED scales work, not timeouts */
    const char *how = result == -ETIMEDOUT ? "timeout" : "ended";
    printf("join(0.05) returns: %s, is_alive %s\n", how, at_thread_is_alive(t) ? "True" : "False");

    at_check(at_thread_join(t, AT_FOREVER));
    bool alive = at_thread_is_alive(t);
    printf("join() returns: ended, is_alive %s\n", alive ? "True" : "False");
    at_thread_free(t);
    if (alive) {
        fprintf(stderr, "join_timeout: the thread is alive after a join without a timeout\n");
        return 1;
    }
    return 0;
}
