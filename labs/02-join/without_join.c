/*
 * without_join.c: nobody waits for the thread, so artist B is done before artist A has begun.
 *
 * Python:  without_join.py; t.start() without t.join()
 * Expect:  "Artist B ends painting" second and at once; then A ends after 3 seconds and B starts after 4
 * Try:     add at_check(at_thread_join(t, AT_FOREVER)); after the start: that is with_join.c
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
    print_with_time("Artist B ends painting");
    at_thread_free(t);
    return 0;
}
