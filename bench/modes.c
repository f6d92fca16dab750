/* modes.c: the tutorial's work without concurrency, with threads, with processes. */
#include "modes.h"

#include <stdlib.h>

#include "atelier.h"
#include "console.h"
#include "measure.h"
#include "work.h"

/* One worker's share. Its result lies in memory that children share, in every mode: all modes do the same. */
struct task {
    uint64_t n;
    uint64_t *result;
};

static int work(void *arg) {
    const struct task *task = arg;
    *task->result = sum_below(task->n);
    return 0;
}

static void run_none(uint64_t n, size_t workers, uint64_t *results) {
    for (size_t i = 0; i < workers; i++) {
        struct task task = {n, &results[i]};
        work(&task);
    }
}

static void run_threads(uint64_t n, size_t workers, uint64_t *results) {
    at_thread *threads[workers];
    for (size_t i = 0; i < workers; i++) {
        struct task task = {n, &results[i]};
        threads[i] = at_thread_new(.target = work, AT_COPY(task));
        at_check(at_thread_start(threads[i]));
    }
    for (size_t i = 0; i < workers; i++) {
        at_check(at_thread_join(threads[i], AT_FOREVER));
        at_thread_free(threads[i]);
    }
}

static void run_processes(uint64_t n, size_t workers, uint64_t *results) {
    at_process *processes[workers];
    for (size_t i = 0; i < workers; i++) {
        struct task task = {n, &results[i]};
        processes[i] = at_process_new(.target = work, .arg = &task, .arg_size = sizeof task);
        at_check(at_process_start(processes[i]));
    }
    for (size_t i = 0; i < workers; i++) {
        at_check(at_process_join(processes[i], AT_FOREVER));
        at_process_free(processes[i]);
    }
}

const struct mode modes[MODES] = {
    [MODE_NONE] = {"none", run_none},
    [MODE_THREADS] = {"threads", run_threads},
    [MODE_PROCESSES] = {"processes", run_processes},
};
