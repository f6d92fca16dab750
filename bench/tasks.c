/* tasks.c: what a pool is given to do, and whether it did it. */
#include "tasks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "busy.h"
#include "console.h"
#include "measure.h"

enum {
    FIRST_STEPS = 2000000, /* about so many steps are tried first, in so many tasks */
    LEAST_FIRST = 64,
    MOST_FIRST = 4096,
    COUNT_TRIES = 3,
    SAMPLE_NS = 10000000,
    TRIES = 200,
    TRY_STEPS = 20000
};

struct tasks tasks;

static uint64_t expected[SEEDS]; /* of the tasks that are planned */
static double steps_per_us;

static void *shared(size_t count, size_t size) {
    void *memory = mmap(NULL, count * size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        note("bench: memory for %zu tasks: %s", count, strerror(errno));
        exit(1);
    }
    return memory;
}

void tasks_prepare(size_t workers) {
    tasks.workers = workers;
    tasks.seeds = shared(MOST_TASKS, sizeof *tasks.seeds);
    tasks.results = shared(MOST_TASKS, sizeof *tasks.results);
    for (size_t i = 0; i < MOST_TASKS; i++)
        tasks.seeds[i] = (uint32_t)(i % SEEDS);
    for (size_t i = 0; i < TRIES; i++) {
        uint64_t start = now_ns();
        volatile uint64_t result = busy((uint32_t)i, TRY_STEPS);
        (void)result;
        double found = TRY_STEPS * 1e3 / (double)(now_ns() - start);
        if (found > steps_per_us)
            steps_per_us = found;
    }
}

uint64_t tasks_steps(unsigned us) {
    return (uint64_t)(us * steps_per_us);
}

bool tasks_plan(unsigned us, size_t most) {
    tasks.steps = tasks_steps(us);
    tasks.most = most < MOST_TASKS ? most : MOST_TASKS;
    for (uint32_t seed = 0; seed < SEEDS; seed++)
        expected[seed] = busy(seed, tasks.steps);
    return true;
}

void tasks_forget(size_t count) {
    memset(tasks.results, 0, count * sizeof *tasks.results);
}

void tasks_check(const char *name, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (tasks.results[i] != expected[i % SEEDS])
            wrong_result("%s: task %zu of %zu: %#llx, not %#llx", name, i, count, (unsigned long long)tasks.results[i],
                         (unsigned long long)expected[i % SEEDS]);
}

void tasks_calibrate(size_t *count, double (*once)(size_t count)) {
    if (*count > 0)
        return;
    double first = (double)FIRST_STEPS / ((double)tasks.steps + (double)FIRST_STEPS / MOST_FIRST);
    *count = first < LEAST_FIRST ? LEAST_FIRST : (size_t)first;
    *count = *count < tasks.most ? *count : tasks.most;
    for (;;) {
        double ns = 0; /* the least of some tries: what else runs here only adds */
        for (size_t i = 0; i < COUNT_TRIES && !interrupted(); i++) {
            double found = once(*count);
            ns = ns == 0 || (found > 0 && found < ns) ? found : ns;
        }
        double factor = ns > 0 ? SAMPLE_NS / ns : 0;
        if (factor < 1.5 || *count == tasks.most)
            return;
        double wanted = (double)*count * (factor < 8 ? factor : 8);
        *count = wanted < (double)tasks.most ? (size_t)wanted : tasks.most;
    }
}
