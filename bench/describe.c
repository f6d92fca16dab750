/* describe.c: the compiler, and a probe for noise: can this machine show a speedup just now? */
#include "describe.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "work.h"

enum { PROBE_ROUNDS = 9 };

static void *spin(void *steps) {
    sum_below(*(uint64_t *)steps);
    return NULL;
}

/* The seconds that `threads` threads need for so many steps each, all at once. */
static double spin_seconds(size_t threads, uint64_t steps) {
    pthread_t others[2];
    uint64_t start = now_ns();
    for (size_t i = 1; i < threads; i++) {
        int failure = pthread_create(&others[i], NULL, spin, &steps);
        if (failure != 0) {
            fprintf(stderr, "bench: probe: pthread_create: %s\n", strerror(failure));
            exit(1);
        }
    }
    spin(&steps);
    for (size_t i = 1; i < threads; i++)
        pthread_join(others[i], NULL);
    return seconds_since(start);
}

/* Both in turn, so that a slow moment falls on both. */
static double two_thread_speedup(double burst_seconds) {
    uint64_t steps = 1000000;
    spin_seconds(2, steps);
    double once = spin_seconds(1, steps);
    steps = (uint64_t)(burst_seconds / once * (double)steps) + 1;
    double speedups[PROBE_ROUNDS];
    for (size_t i = 0; i < PROBE_ROUNDS; i++) {
        double one = spin_seconds(1, steps);
        double two = spin_seconds(2, steps);
        speedups[i] = 2 * one / two;
    }
    return median_of(speedups, PROBE_ROUNDS);
}

void describe(void) {
#ifdef __clang__
    printf("compiler: %s\n", __VERSION__);
#else
    printf("compiler: gcc %s\n", __VERSION__);
#endif
    printf("two_thread_speedup: %.2f\n", two_thread_speedup(0.025));
    printf("two_thread_speedup_in_bursts: %.2f\n", two_thread_speedup(0.002));
}
