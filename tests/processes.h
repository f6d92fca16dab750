/* processes.h: what the suites about processes share beside children.h: a target, starts by at_check, one core. */
#ifndef ATELIER_TESTS_PROCESSES_H
#define ATELIER_TESTS_PROCESSES_H

#include <sched.h>
#include <stdatomic.h>

#include "watch.h"

/* A target. */
static inline int do_nothing(void *unused) {
    (void)unused;
    return 0;
}

/*
 * A fork of the test's has no stdio that matters and no report to write: it ends with _exit, and its exit code is what
 * it says. So this starts and joins a child as `started` and `finish` do, but stops the program where they fail a test.
 */
static inline int code_of_child(at_process *process) {
    int code = 99;
    at_check(at_process_start(process));
    at_check(at_process_join(process, BOUND));
    at_check(at_process_exitcode(process, &code));
    at_process_free(process);
    return code;
}

/* For at_set_excepthook: how many threads have failed. */
static _Atomic int failures;

static inline void count_failure(at_thread *thread, int code) {
    (void)thread;
    (void)code;
    atomic_fetch_add(&failures, 1);
}

/* From now on this process, and each that it starts, runs on one core alone. */
static inline void stay_on_one_core(void) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)first_usable_core(), &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
}

#endif
