/*
 * active_count.c: how many threads a program has that started none: one, the main thread.
 *
 * Python:  active_count.py; threading.active_count()
 * Expect:  1
 * Try:     start a thread that works for a second before the count: it says 2; join that thread first: 1 again
 */
#include <stdio.h>

#include "atelier.h"

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    size_t count = at_active_count();
    printf("%zu\n", count);
    if (count != 1) {
        fprintf(stderr, "active_count: %zu threads in a program that started none\n", count);
        return 1;
    }
    return 0;
}
