/* modes.h: ways to have some workers do the tutorial's work: without concurrency, with threads, with processes. */
#ifndef BENCH_MODES_H
#define BENCH_MODES_H

#include <stddef.h>
#include <stdint.h>

enum { MODES = 3 };

struct mode {
    const char *name;
    /* Has `workers` workers compute sum_below(n), one sum each, and returns when all results are in results[]. */
    void (*run)(uint64_t n, size_t workers, uint64_t *results);
};

extern const struct mode modes[MODES];

enum { MODE_NONE, MODE_THREADS, MODE_PROCESSES };

#endif
