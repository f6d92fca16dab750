/*
 * memory.c: streaming: one array, many times larger than the cache, is read, scaled, and written to another (the Scale
 * of McCalpin's STREAM). What bounds it is how fast memory is, and no number of workers makes that faster.
 */
#include <string.h>
#include <unistd.h>

#include "atelier.h"
#include "subjects.h"
#include "workloads.h"

enum { TASKS = 480, MIB = 1 << 20 };

/* The factor is another one in each run, so that no run's result can be taken for the next one's. */
static struct {
    double factor;
    double numbers[];
} * memory;
static double chosen_bytes; /* 0: as many as there is room for */
static size_t count;        /* numbers in each of the two arrays, the second right behind the first */

/*
 * In bytes, 0 when it is not known. The kernel's word first: the C library's, from the processor, is ten times too
 * large on some virtual machines.
 */
static double last_cache(void) {
    long kib = 0;
    FILE *file = fopen("/sys/devices/system/cpu/cpu0/cache/index3/size", "r");
    bool read = file != NULL && fscanf(file, "%ldK", &kib) == 1;
    if (file != NULL)
        fclose(file);
    return read ? 1024.0 * (double)kib : (double)sysconf(_SC_LEVEL3_CACHE_SIZE);
}

/* Both arrays together: four times the last cache, but no more than 256 MiB, nor an eighth of the free memory. */
static double wanted_bytes(void) {
    double cache = last_cache();
    double bytes = cache > 0 ? 4.0 * cache : 128.0 * MIB;
    double most = available_memory() / 8;
    bytes = bytes < 64.0 * MIB ? 64.0 * MIB : bytes > 256.0 * MIB ? 256.0 * MIB : bytes;
    return bytes < most ? bytes : most;
}

void memory_choose(double bytes) {
    chosen_bytes = bytes;
}

static bool prepare(struct workload *workload) {
    double bytes = chosen_bytes > 0 ? chosen_bytes : wanted_bytes();
    count = (size_t)(bytes / 2 / sizeof(double)) / TASKS * TASKS;
    memory = count > 0 ? at_shared_new(sizeof *memory + 2 * count * sizeof(double)) : NULL;
    if (memory == NULL) {
        workload->missing = "too little free memory for two arrays larger than the cache";
        return false;
    }
    for (size_t i = 0; i < count; i++)
        memory->numbers[i] = (double)(i % 1000);
    memset(memory->numbers + count, 0, count * sizeof(double));
    memory->factor = 0;
    workload->units = 2.0 * (double)(count * sizeof(double));
    return true;
}

static void reset(const struct workload *workload) {
    (void)workload;
    memory->factor = memory->factor < 1000 ? memory->factor + 1 : 1;
}

static void task(const struct workload *workload, size_t task, size_t worker) {
    (void)worker;
    size_t size = count / workload->tasks;
    const double *restrict from = memory->numbers + task * size;
    double *restrict to = memory->numbers + count + task * size;
    double factor = memory->factor;
    for (size_t i = 0; i < size; i++)
        to[i] = factor * from[i];
}

static bool check(const struct workload *workload, char wrong[WRONG_SIZE]) {
    (void)workload;
    for (size_t i = 0; i < count; i++) {
        if (memory->numbers[count + i] != memory->factor * (double)(i % 1000)) {
            snprintf(wrong, WRONG_SIZE, "number %zu of %zu is %g, not %g", i, count, memory->numbers[count + i],
                     memory->factor * (double)(i % 1000));
            return false;
        }
    }
    return true;
}

static void finish(struct workload *workload) {
    (void)workload;
    at_shared_free(memory);
    memory = NULL;
}

struct workload memory_workload = {
    .name = "memory",
    .title = "memory: an array larger than the cache",
    .unit = "bytes read and written",
    .tasks = TASKS,
    .prepare = prepare,
    .reset = reset,
    .task = task,
    .check = check,
    .finish = finish,
};
