/*
 * contention.c: a lock that several threads want all the time: ns for each pair of acquire and release, overall, and
 * how evenly the threads got it. The lock guards a counter, and a counter that does not come out fails the run.
 *
 * Each thread is bound to a core of its own as far as there are cores: two threads that the scheduler puts on one
 * core take turns of some ms, and hardly ever meet.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "atelier.h"
#include "console.h"
#include "measure.h"
#include "subjects.h"

enum { MOST_THREADS = 1024, WINDOW_NS = 10000000 };

static size_t contenders = 2;
static at_lock *lock;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* On a line of its own: what the lock guards must not lie beside what says when to stop. */
static _Alignas(128) uint64_t counter; /* guarded by the lock that is being measured */
static _Alignas(128) _Atomic bool stop;
static pthread_barrier_t start_line;

struct contender {
    _Alignas(128) pthread_t thread;
    void *(*run)(void *);
    uint64_t pairs, start, end;
};

/* The index-th core that this process may use, starting over when there are no more. */
static void bind_to_core(pthread_attr_t *attributes, size_t index) {
    cpu_set_t usable, one;
    if (sched_getaffinity(0, sizeof usable, &usable) != 0)
        return;
    size_t left = index % (size_t)CPU_COUNT(&usable);
    for (size_t core = 0; core < CPU_SETSIZE; core++) {
        if (CPU_ISSET(core, &usable) && left-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(core, &one);
            pthread_attr_setaffinity_np(attributes, sizeof one, &one);
            return;
        }
    }
}

/* `stop` needs no order: it only ends the loop, and join gives the rest. */
#define CONTENDER(function, acquire, release)                                                                          \
    static void *function(void *arg) {                                                                                 \
        struct contender *self = arg;                                                                                  \
        int failures = 0;                                                                                              \
        pthread_barrier_wait(&start_line);                                                                             \
        self->start = now_ns();                                                                                        \
        while (!atomic_load_explicit(&stop, memory_order_relaxed)) {                                                   \
            failures |= acquire;                                                                                       \
            counter++;                                                                                                 \
            release;                                                                                                   \
            self->pairs++;                                                                                             \
        }                                                                                                              \
        self->end = now_ns();                                                                                          \
        if (failures != 0)                                                                                             \
            wrong_result(#function ": a contended acquire failed");                                                    \
        return NULL;                                                                                                   \
    }

CONTENDER(contend_for_ours, at_lock_acquire(lock, AT_FOREVER), at_lock_release(lock))
CONTENDER(contend_for_floor, pthread_mutex_lock(&mutex), pthread_mutex_unlock(&mutex))

/* One window: all start together, run until told to stop, and their pairs are counted. */
static struct observation contend(void *(*run)(void *)) {
    struct contender *all = aligned_alloc(128, contenders * sizeof *all);
    if (all == NULL) {
        note("bench: contention: out of memory");
        exit(1);
    }
    counter = 0;
    atomic_store(&stop, false);
    pthread_barrier_init(&start_line, NULL, (unsigned)contenders + 1);
    for (size_t i = 0; i < contenders; i++) {
        all[i] = (struct contender){.run = run};
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        bind_to_core(&attributes, i);
        int failure = pthread_create(&all[i].thread, &attributes, run, &all[i]);
        pthread_attr_destroy(&attributes);
        if (failure != 0) {
            note("bench: contention: pthread_create: %s", strerror(failure));
            exit(1);
        }
    }
    pthread_barrier_wait(&start_line);
    struct timespec window = {.tv_nsec = WINDOW_NS};
    nanosleep(&window, NULL); /* Ctrl-C shortens it, and then the sample is dropped */
    atomic_store(&stop, true);
    uint64_t start = UINT64_MAX, end = 0, total = 0, least = UINT64_MAX, greatest = 0;
    for (size_t i = 0; i < contenders; i++) {
        pthread_join(all[i].thread, NULL);
        start = all[i].start < start ? all[i].start : start;
        end = all[i].end > end ? all[i].end : end;
        least = all[i].pairs < least ? all[i].pairs : least;
        greatest = all[i].pairs > greatest ? all[i].pairs : greatest;
        total += all[i].pairs;
    }
    pthread_barrier_destroy(&start_line);
    free(all);
    if (counter != total)
        wrong_result("contended lock: the counter says %lu after %lu increments", (unsigned long)counter,
                     (unsigned long)total);
    /* A thread that did not get the lock once has the share of one pair: 0 stands for no competition. */
    return (struct observation){.ns = (double)(end - start) / (double)(total > 0 ? total : 1),
                                .share = (double)(least > 0 ? least : 1) / (double)(greatest > 0 ? greatest : 1)};
}

size_t contention_ours(struct observation *samples, size_t count) {
    for (size_t i = 0; i < count; i++)
        samples[i] = contend(contend_for_ours);
    return count;
}

size_t contention_floor(struct observation *samples, size_t count) {
    for (size_t i = 0; i < count; i++)
        samples[i] = contend(contend_for_floor);
    return count;
}

static bool ready(size_t threads) {
    contenders = threads < MOST_THREADS ? threads : MOST_THREADS;
    if (lock == NULL && (lock = at_lock_new()) == NULL) {
        note("bench: contention: out of memory; this row is left out");
        return false;
    }
    return true;
}

bool two_contend(void) {
    return ready(2);
}

bool all_cores_contend(void) {
    return cores_at_hand() > 2 && ready(cores_at_hand());
}
