/*
 * enumerate.c: the list of all threads that are alive.
 *
 * Python:  enumerate.py; threading.enumerate()
 * Expect:  a list with one thread in it: [<_MainThread(MainThread, started N)>]
 * Try:     start a thread named "Artist A" that works for a second before the list is made
 */
#include <stdio.h>

#include "atelier.h"

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    at_thread **threads;
    int count = at_check(at_enumerate(&threads));
    printf("[");
    for (int i = 0; i < count; i++) {
        char text[128];
        at_thread_repr(threads[i], text, sizeof text);
        printf("%s%s", i > 0 ? ", " : "", text);
    }
    printf("]\n");
    at_threads_free(threads);
    if ((size_t)count != at_active_count()) {
        fprintf(stderr, "enumerate: %d threads listed, %zu counted\n", count, at_active_count());
        return 1;
    }
    return 0;
}
