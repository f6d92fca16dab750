/* scheduler_internal.h: what scheduler.c and scheduler_hooks.c share; see scheduler.h. */
#ifndef ATELIER_TESTS_SCHEDULER_INTERNAL_H
#define ATELIER_TESTS_SCHEDULER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#include "scheduler.h"

enum {
    MOST_STORES = 8,  /* of a thread that others do not see yet */
    MOST_CHANGES = 5, /* of priorities */
};

struct store {
    volatile void *word;
    size_t size;
    uint64_t value;
    bool is_release; /* not seen before those ahead of it */
};

struct thread {
    const char *name;
    void (*body)(void *);
    void *arg;
    pthread_t handle;
    _Atomic uint32_t turn; /* a futex word: 1 when it may run */
    enum thread_state { READY, SLEEPING, AWAITING, ENDING, ENDED } state;
    _Atomic uint32_t *word; /* SLEEPING on it... */
    bool (*holds)(void *);  /* ...or AWAITING that this holds... */
    void *context;          /* ...of this... */
    struct deadline until;  /* ...or this moment */
    bool late;              /* that moment has come */
    bool pausing;           /* it waits for others without sleeping */
    bool condemned, killed; /* to be killed; has been */
    const char *at;         /* the step before which it stands */
    long steps, last_step;  /* so far; at which it is killed, 0: at none */
    int priority;
    struct store stores[MOST_STORES]; /* not seen by others yet */
    int stored;
};

/* A run. */
struct run {
    uint64_t seed, dice;
    struct schedule_rules rules;
    bool traced, choosing;
    bool (*is_sound)(const volatile void *word);
    struct thread threads[SCHEDULE_THREADS];
    int count;
    _Atomic uint32_t turn; /* that of who runs the threads */
    struct timespec now;
    long steps;
    uint32_t inertia; /* of 16 steps after so many the same thread goes on */
    uint32_t delay;   /* one in so many steps lets a store be seen; 0: all are seen at once */
    bool by_priority; /* then the priorities change at these steps */
    long changes[MOST_CHANGES];
    int lowest; /* priority so far */
};
extern struct run run;
extern _Thread_local struct thread *self; /* NULL in a thread that is not one of the run */

/* Before a step: says what it is, if the run is traced; then others may run, and this one may end. */
void schedule_step(const char *name, const volatile void *word);

/* Sleeps in this state until somebody changes it, or the deadline. */
void schedule_sleep(enum thread_state state, const struct deadline *deadline);

/* Lets the others see all stores of a thread, or one of somebody's: any that C11 allows to go before those ahead. */
void schedule_commit(struct thread *thread);
void schedule_commit_any(void);

/* Makes the library call the scheduler. */
void schedule_hook(void);

#endif
