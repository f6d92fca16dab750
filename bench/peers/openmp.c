/* openmp.c: OpenMP's tasks, for bench/pools.c: openmp tasks | loop STEPS THREADS MOST (threads, and not processes) */
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../busy.h"
#include "../measure.h"

enum { MOST_TASKS = 1 << 20, SEEDS = 16, SAMPLE_NS = 10000000 };

static uint64_t results[MOST_TASKS], expected[SEEDS], steps;
static int threads;

/* A task for each item, as chunk size 1 has it. */
static void by_tasks(size_t count) {
#pragma omp parallel num_threads(threads)
#pragma omp single
    for (size_t i = 0; i < count; i++) {
#pragma omp task firstprivate(i)
        results[i] = busy((uint32_t)(i % SEEDS), steps);
    }
}

/* As many chunks for each thread as Pool.map makes for each worker by default. */
static void by_loop(size_t count) {
    size_t chunk = (count + 4 * (size_t)threads - 1) / (4 * (size_t)threads);
#pragma omp parallel for num_threads(threads) schedule(dynamic, chunk)
    for (size_t i = 0; i < count; i++)
        results[i] = busy((uint32_t)(i % SEEDS), steps);
}

static double once(void (*run)(size_t count), size_t count) {
    memset(results, 0, count * sizeof *results);
    uint64_t start = now_ns();
    run(count);
    double ns = (double)(now_ns() - start);
    for (size_t i = 0; i < count; i++) {
        if (results[i] != expected[i % SEEDS]) {
            printf("wrong: task %zu of %zu\n", i, count);
            exit(0);
        }
    }
    return ns;
}

/* Doubles until a sample is long enough, at the best of three tries: as bench/tasks.c does it. */
static size_t enough(void (*run)(size_t count), size_t most) {
    size_t count = (size_t)(2e6 / ((double)steps + 500));
    count = count < 64 ? 64 : count;
    count = count < most ? count : most;
    while (count < most &&
           (once(run, count) < SAMPLE_NS || once(run, count) < SAMPLE_NS || once(run, count) < SAMPLE_NS))
        count = 2 * count < most ? 2 * count : most;
    return count;
}

int main(int argc, char *argv[]) {
    char line[32];
    if (argc != 5 || (strcmp(argv[1], "tasks") != 0 && strcmp(argv[1], "loop") != 0)) {
        fputs("usage: openmp tasks|loop STEPS THREADS MOST\n", stderr);
        return 2;
    }
    void (*run)(size_t count) = argv[1][0] == 't' ? by_tasks : by_loop;
    steps = strtoull(argv[2], NULL, 10);
    threads = atoi(argv[3]);
    size_t most = strtoul(argv[4], NULL, 10);
    for (uint32_t seed = 0; seed < SEEDS; seed++)
        expected[seed] = busy(seed, steps);
    size_t count = enough(run, most < MOST_TASKS ? most : MOST_TASKS);
    while (fgets(line, sizeof line, stdin) != NULL) {
        once(run, 2 * (size_t)threads); /* wakes the threads */
        for (long left = strtol(line, NULL, 10); left > 0; left--)
            printf("%.6g ", once(run, count) / (double)count);
        putchar('\n');
        fflush(stdout);
        omp_pause_resource_all(omp_pause_soft); /* idle threads would spin, in the next one's time */
    }
    return 0;
}
