/* scheduler_hooks.c: what a thread of a schedule does at each step of the library; see scheduler.h and hooks.h. */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "hooks.h"
#include "scheduler_internal.h"

/* ---- stores that are seen later */

static void make_seen(const struct store *store) {
    if (run.is_sound != NULL && !run.is_sound(store->word))
        schedule_fail("somebody stores something in memory that is free");
    if (store->size == sizeof(uint32_t))
        atomic_store((volatile _Atomic uint32_t *)store->word, (uint32_t)store->value);
    else
        atomic_store((volatile _Atomic uint64_t *)store->word, store->value);
}

static void commit(struct thread *thread, int place) {
    struct store *store = &thread->stores[place];
    make_seen(store);
    thread->stored--;
    memmove(store, store + 1, (size_t)(thread->stored - place) * sizeof *store);
}

void schedule_commit(struct thread *thread) {
    while (thread->stored > 0)
        commit(thread, 0);
}

static int find_store(const struct thread *thread, const volatile void *word) {
    int place = 0;
    while (place < thread->stored && thread->stores[place].word != word)
        place++;
    return place;
}

void schedule_commit_any(void) {
    struct thread *thread = &run.threads[schedule_draw((uint32_t)run.count)];
    if (thread->stored == 0)
        return;
    int place = (int)schedule_draw((uint32_t)thread->stored);
    if (thread->stores[place].is_release || find_store(thread, thread->stores[place].word) < place)
        place = 0;
    commit(thread, place);
}

/* ---- the hooks */

/* The turn has come back, and what was announced is done. */
static void check_word(const volatile void *word) {
    if (run.is_sound != NULL && word != NULL && !run.is_sound(word))
        schedule_fail("%s touches memory that is free", self->name);
}

static bool is_mine(void) {
    return self != NULL && !run.choosing;
}

static void step(const char *name, const volatile void *word) {
    if (!is_mine())
        return;
    schedule_step(name, word);
    bool is_barrier = strchr(name, '.') == NULL || strncmp(name, "process_lock.", 13) == 0;
    if (strcmp(name, "load") == 0)
        is_barrier = find_store(self, word) < self->stored; /* a thread sees its own stores: so all do */
    if (is_barrier)
        schedule_commit(self);
    check_word(word);
}

static void store(volatile void *word, size_t size, uint64_t value, memory_order order) {
    struct store store = {word, size, value, order != memory_order_relaxed};
    if (!is_mine()) {
        make_seen(&store);
        return;
    }
    schedule_step("store", word);
    check_word(word);
    if (self->stored == MOST_STORES)
        commit(self, 0);
    self->stores[self->stored++] = store;
    if (run.delay == 0 || order == memory_order_seq_cst)
        schedule_commit(self);
}

void schedule_barrier(void) {
    if (is_mine())
        schedule_commit(self);
}

int schedule_wait(_Atomic uint32_t *word, uint32_t expected, const struct deadline *deadline) {
    if (!is_mine())
        return 0;
    schedule_step("wait", word);
    schedule_commit(self);
    if (atomic_load(word) != expected)
        return 0;
    self->word = word;
    schedule_sleep(SLEEPING, deadline);
    return self->late ? -ETIMEDOUT : 0;
}

void schedule_wake(_Atomic uint32_t *word, int count) {
    if (!is_mine())
        return;
    schedule_step("wake", word);
    schedule_commit(self);
    uint32_t first = schedule_draw((uint32_t)run.count); /* the kernel wakes in its own order */
    for (int i = 0; i < run.count && count > 0; i++) {
        struct thread *thread = &run.threads[(first + (uint32_t)i) % (uint32_t)run.count];
        if (thread->state != SLEEPING || thread->word != word)
            continue;
        thread->state = READY;
        count--;
    }
}

static void pause_a_moment(void) {
    if (!is_mine())
        return;
    schedule_commit(self);
    if (schedule_draw(4) != 0)
        return;
    self->pausing = true;
    self->priority = --run.lowest; /* so that the one it waits for gets on */
    schedule_step("pause", NULL);
}

/* In place of libc's (the linker's --wrap), so that they depend on the seed only. */
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now) {
    if (run.seed == 0)
        return __real_clock_gettime(clock, now);
    *now = run.now;
    return 0;
}

int __wrap_sched_getcpu(void);
int __wrap_sched_getcpu(void) {
    return self == NULL ? 0 : (int)(self - run.threads) % 2;
}

void schedule_hook(void) {
    hooks = (struct hooks){step, store, schedule_wait, schedule_wake, pause_a_moment};
}
