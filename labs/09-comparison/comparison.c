/*
 * comparison.c: the same work in two processes, in two threads and without concurrency, and how long each takes.
 *
 * Python:  comparison.py; run_time(multi), run_time(thread), run_time(normal)
 * Expect:  three times the sum 20, normal fastest, then threads, then processes; then the same with more work, doubled
 *          in each line, until processes and threads are faster than normal
 * Try:     one core: taskset -c 0 make lab9; no size is large enough
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "atelier.h"
#include "three_ways.h"

static double shorter(double a, double b) {
    return a < b ? a : b;
}

/* Returns how many seconds the work takes that way. */
static double run_time(int way, long num, long *sum) {
    double start = at_now();
    *sum = ways[way].run(num);
    double seconds = at_now() - start;
    if (*sum != num * (num - 1)) {
        fprintf(stderr, "comparison: %s found %ld in place of %ld\n", ways[way].name, *sum, num * (num - 1));
        exit(1);
    }
    return seconds;
}

int main(int argc, char *argv[]) {
    long sum, largest = at_argument(argc, argv, "LARGEST", 50000000, 2000000000);
    for (int way = 0; way < WAYS; way++) {
        double seconds = run_time(way, 5, &sum);
        printf("%s: %ld\nrunning time %.7f\n", ways[way].name, sum, seconds);
    }
    printf("\n      work      multi     thread     normal  (us, best of ten)\n");
    long since[WAYS] = {0};
    int wins[WAYS] = {0}; /* how many sizes in a row it has been faster than normal, by 5%; three decide */
    for (long num = 5; num <= largest && (wins[MULTI] < 3 || wins[THREAD] < 3); num *= 2) {
        double best[WAYS] = {INFINITY, INFINITY, INFINITY};
        for (int turn = 0; turn < 10; turn++)
            for (int way = 0; way < WAYS; way++)
                best[way] = shorter(best[way], run_time(way, num, &sum));
        printf("%10ld %10.1f %10.1f %10.1f\n", num, 1e6 * best[MULTI], 1e6 * best[THREAD], 1e6 * best[NORMAL]);
        for (int way = MULTI; way <= THREAD; way++) {
            if (wins[way] < 3)
                wins[way] = best[way] < 0.95 * best[NORMAL] ? wins[way] + 1 : 0;
            since[way] = wins[way] == 1 ? num : since[way];
        }
    }
    for (int way = MULTI; way <= THREAD; way++) {
        if (wins[way] == 3)
            printf("%s is faster than normal from %ld on\n", ways[way].name, since[way]);
        else
            printf("%s is not reliably faster up to %ld, here and now\n", ways[way].name, largest);
    }
    return 0;
}
