/* work.c: runs what was put into streams: one piece at a time, in an order by the seed among all that is allowed. */
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "card.h"
#include "simt.h"

static struct work *pending; /* in the order in which it was put there */
static size_t host_calls;    /* of it, functions of the host's */

/* ---- what is to be done */

struct work *work_make(int device, void (*run)(void *argument), const void *argument, size_t size) {
    struct work *work = aligned_alloc(16, (sizeof *work + size + 15) / 16 * 16);
    if (work == NULL)
        card_abort("out of memory");
    *work = (struct work){.references = 1, .device = device, .run = run};
    if (size > 0)
        memcpy(work->argument, argument, size);
    return work;
}

struct work *work_hold(struct work *work) {
    if (work != NULL)
        work->references++;
    return work;
}

static void forget_needs(struct work *work) {
    struct work **needs = work->needs;
    size_t count = work->need_count;
    work->needs = NULL;
    work->need_count = 0;
    for (size_t i = 0; i < count; i++)
        work_release(needs[i]);
    free(needs);
}

void work_release(struct work *work) {
    if (work == NULL || --work->references > 0)
        return;
    forget_needs(work);
    free(work);
}

void work_need(struct work *work, struct work *needed) {
    if (needed == NULL || needed->done)
        return;
    struct work **needs = realloc(work->needs, (work->need_count + 1) * sizeof *needs);
    if (needs == NULL)
        card_abort("out of memory");
    work->needs = needs;
    needs[work->need_count++] = work_hold(needed);
}

void work_put(struct work *work) {
    struct work **end = &pending;
    while (*end != NULL)
        end = &(*end)->next;
    *end = work_hold(work);
    if (work->calls_host) {
        host_calls++;
        work_call_soon();
    }
}

static void take_out(struct work *work) {
    struct work **place = &pending;
    while (*place != work)
        place = &(*place)->next;
    *place = work->next;
    host_calls -= work->calls_host;
    work->done = true;
    forget_needs(work);
    work_release(work);
}

void work_drop(void) {
    while (pending != NULL)
        take_out(pending);
}

/* ---- doing it */

static __thread jmp_buf escape;
static __thread bool working;

void work_escape(cudaError_t error) {
    card_break(error);
    longjmp(escape, 1);
}

bool work_is_running(void) {
    return working;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void run(struct work *work) {
    memory_open(work->device);
    faults_catch();
    working = true;
    *thread_called_back() = work->calls_host;
    if (setjmp(escape) == 0)
        work->run(work->argument);
    *thread_called_back() = false;
    working = false;
    work->time = seconds();
}

static bool may_run(const struct work *work) {
    for (size_t i = 0; i < work->need_count; i++)
        if (!work->needs[i]->done)
            return false;
    return true;
}

bool work_step(void) {
    struct work *chosen = NULL;
    uint32_t candidates = 0;
    if (card_broken() != cudaSuccess)
        work_drop(); /* and the functions of the host's in it are never called */
    for (struct work *work = pending; work != NULL; work = work->next)
        if (may_run(work) && card_random(++candidates) == 0)
            chosen = work;
    if (chosen == NULL)
        return false;
    work_hold(chosen);
    run(chosen);
    take_out(chosen);
    work_release(chosen);
    return true;
}

cudaError_t work_wait(struct work *target) {
    while (target != NULL && !target->done && card_broken() == cudaSuccess)
        if (!work_step())
            card_abort("somebody waits for work that can never run");
    return card_broken();
}

cudaError_t work_wait_device(int device) {
    for (;;) {
        const struct work *work = pending;
        while (work != NULL && work->device != device)
            work = work->next;
        if (work == NULL || card_broken() != cudaSuccess)
            return card_broken();
        work_step();
    }
}

/* ---- the card's own thread: a function of the host's is called even where nobody waits */

static pthread_cond_t called = PTHREAD_COND_INITIALIZER;
static bool thread_runs;

static void *serve(void *unused) {
    (void)unused;
    for (;;) {
        card_lock();
        while (host_calls == 0)
            card_wait(&called);
        uint32_t delay = 50 + card_random(400); /* microseconds, in which a card would be at work */
        card_unlock();
        usleep(delay);
        card_lock();
        while (host_calls > 0 && work_step())
            ;
        memory_close();
        card_unlock();
    }
    return NULL;
}

void work_call_soon(void) {
    pthread_t thread;
    if (!thread_runs) {
        if (pthread_create(&thread, NULL, serve, NULL) != 0)
            card_abort("no thread for the functions of the host's");
        pthread_detach(thread);
        thread_runs = true;
    }
    pthread_cond_signal(&called);
}
