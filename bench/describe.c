/* describe.c: the compiler, and a probe for noise: what speedup can this machine show just now? */
#include "describe.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "work.h"

enum { PROBE_ROUNDS = 9, PROBE_MOST = 64 };

static void *spin(void *steps) {
    sum_below(*(uint64_t *)steps);
    return NULL;
}

/* The seconds that `threads` threads need for so many steps each, all at once. */
static double spin_seconds(size_t threads, uint64_t steps) {
    pthread_t others[PROBE_MOST];
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

/* Both in turn, so that a slow moment falls on both. After a pause the cores have to be given back to us first. */
static double speedup_of(size_t threads, double burst_seconds, double pause_seconds) {
    uint64_t steps = 1000000;
    spin_seconds(threads, steps);
    double once = spin_seconds(1, steps);
    steps = (uint64_t)(burst_seconds / once * (double)steps) + 1;
    double speedups[PROBE_ROUNDS];
    const struct timespec pause = {.tv_nsec = (long)(pause_seconds * 1e9)};
    for (size_t i = 0; i < PROBE_ROUNDS; i++) {
        double one = spin_seconds(1, steps);
        nanosleep(&pause, NULL);
        double all = spin_seconds(threads, steps);
        nanosleep(&pause, NULL);
        speedups[i] = (double)threads * one / all;
    }
    return median_of(speedups, PROBE_ROUNDS);
}

void describe(size_t workers) {
    size_t threads = workers < PROBE_MOST ? workers : PROBE_MOST;
#ifdef __clang__
    printf("compiler: %s\n", __VERSION__);
#else
    printf("compiler: gcc %s\n", __VERSION__);
#endif
    if (threads < 2) {
        puts("noise_verdict: this machine has one core to use: no number of workers makes computing faster here");
        return;
    }
    double lasting = speedup_of(threads, 0.025, 0), bursts = speedup_of(threads, 0.003, 0.005);
    double speedup = fmax(1, fmin(lasting, bursts));
    printf("probe_workers: %zu\nprobe_speedup: %.2f\nprobe_speedup_in_bursts: %.2f\n", threads, lasting, bursts);
    printf("noise_verdict: this machine cannot show a speedup of more than %.*f in computing with %zu workers just "
           "now%s\n",
           speedup < 9.95 ? 2 : 1, speedup, threads,
           speedup > 0.9 * (double)threads ? ": all of its cores are its own"
                                           : ": something else wants these cores, here or on the host");
}
