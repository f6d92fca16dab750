/*
 * with_join.c: main waits for the thread, so the four lines come in the order of the work.
 *
 * Python:  with_join.py; t.join() after t.start()
 * Expect:  A starts (0 s), A ends (3 s), B starts (4 s), B ends (7 s)
 * Try:     join twice: the second returns at once, with 0, since the thread has ended
 */
#include "atelier.h"
#include "print_with_time.h"

static int painting(void *arg) {
    (void)arg;
    at_work(3);
    print_with_time("Artist A ends painting:");
    at_work(1);
    print_with_time("Artist B starts painting");
    at_work(3);
    return 0;
}

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    print_with_time("Artist A starts painting");
    at_thread *t = at_thread_new(.target = painting);
    at_check(at_thread_start(t));
    at_check(at_thread_join(t, AT_FOREVER));
    print_with_time("Artist B ends painting");
    at_thread_free(t);
    return 0;
}
