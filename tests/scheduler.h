/*
 * scheduler.h: threads that run one at a time, in an order drawn from a seed, and that may be killed at any step.
 *
 * The code under test is that of the library with hooks (labs/runtime/hooks.h). Before each of its steps (an atomic
 * instruction on shared memory, a sleep, a wake, a named point) the dice say which thread goes on; a sleep ends by a
 * wake, or when its time is up, on a clock that stands still unless nobody can run; a store may be seen by others later
 * than by its thread, as processors have it. So one seed is one run, exactly, and many seeds are many runs, most of
 * which would never happen by themselves. AT_SEED=N runs the seed N alone and prints its steps.
 *
 * The dice walk at random, or keep to priorities that change at a few steps, which finds what takes few, but well
 * placed, switches. (S. Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs",
 * 2010)
 */
#ifndef ATELIER_TESTS_SCHEDULER_H
#define ATELIER_TESTS_SCHEDULER_H

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "wait.h"

/*
 * Runs the scenario under the seeds 1 to `count`, on all cores; fails the running test with the first that fails.
 * AT_SEEDS=N runs so many instead; with CK_FORK=no, since otherwise Check ends a test after half a minute.
 */
void schedule_seeds(long count, void (*scenario)(void));

enum { SCHEDULE_THREADS = 64 }; /* in a run, at most */

/* ---- for a scenario: it draws what is to happen, adds threads, runs them, and looks at what they have done */

struct schedule_rules {
    unsigned deaths; /* threads that may be killed, at steps that are drawn */
    bool timeouts;   /* a sleep that has a deadline may reach it while others can run: they are slow */
    /*
     * When nobody can run, time passes until the first deadline. Without this, that is a failure, although the run
     * would go on: somebody should have been woken, and was not.
     */
    bool patience;
};
void schedule_begin(const struct schedule_rules *rules);

/* A number below n, which is above 0. */
uint32_t schedule_draw(uint32_t n);

/* A thread; it may be added while others run. Only a mortal one is killed by the rules. Returns its number, from 0. */
int schedule_add(const char *name, void (*body)(void *), void *arg, bool mortal);

/* Their handles. */
pthread_t schedule_handle(int thread);
int schedule_find(pthread_t handle);

/* From now on each word that a step is about to touch has to be one of which this is true. */
void schedule_watch(bool (*is_sound)(const volatile void *word));

/* Runs them until all have ended. */
void schedule_run(void);

/*
 * Waits until this is true, or the deadline, unless that is NULL: then false. It is asked at any time, in any thread.
 */
bool schedule_await(bool (*holds)(void *), void *context, const struct deadline *deadline);

/* Kills a thread: at one of its next steps, or at once if it sleeps. */
void schedule_kill(int thread);
bool schedule_has_ended(int thread);
const char *schedule_was_killed(int thread); /* NULL, or the name of the last step that it came to */

/* What stands in for futex_wait and futex_wake (wait.h), for those calls that do not go through the hooks. */
int schedule_wait(_Atomic uint32_t *word, uint32_t expected, const struct deadline *deadline);
void schedule_wake(_Atomic uint32_t *word, int count);

/* What the calling thread has stored is seen by all: where the library does what implies that, past the hooks. */
void schedule_barrier(void);

/* Ends the run as failed, with this text and its seed. */
void schedule_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
#define promise(condition) ((condition) ? (void)0 : schedule_fail("%s:%d: %s", __FILE__, __LINE__, #condition))

/* ---- between scheduler.c and scheduler_seeds.c */

/* The next run has this seed; traced: its steps are printed. */
void schedule_seed(uint64_t seed, bool traced);
/* Notes how the run failed, and ends the process. */
void schedule_report(const char *format, va_list arguments) __attribute__((format(printf, 1, 0), noreturn));

#endif
