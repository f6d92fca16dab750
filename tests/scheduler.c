/* scheduler.c: threads that run one at a time, in an order drawn from a seed; see scheduler.h. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler_internal.h"

enum {
    MOST_STEPS = 400000, /* of a run: one of more does not end */
    STEP = 100,          /* nanoseconds */
    STACK = 1 << 18,     /* bytes; the C library keeps stacks of this size for the next run's threads */
};

struct run run; /* whoever has the turn may touch it, and nobody else */
_Thread_local struct thread *self;

/* ---- dice */

/* splitmix64, by G. Steele et al. */
static uint64_t roll(void) {
    uint64_t z = run.dice += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint32_t schedule_draw(uint32_t n) {
    return (uint32_t)((roll() >> 32) * n >> 32);
}

/* Any magnitude below 2^bits is as likely as any other. */
static long draw_step(uint32_t bits) {
    return 1 + (long)schedule_draw(2u << schedule_draw(bits));
}

/* ---- telling */

void schedule_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    schedule_report(format, arguments);
}

/* Of a word only where it lies in its page: that is the same in each run. */
static void trace(const char *what, const volatile void *word) {
    if (run.traced)
        fprintf(stderr, "%6ld  %2d %-12s %-24s %03x\n", run.steps, (int)(self - run.threads), self->name, what,
                (unsigned)((uintptr_t)word & 0xfff));
}

static __attribute__((noreturn)) void fail_stuck(const char *how) {
    static const char *const STATES[] = {"ready", "sleeping", "waiting", "ending", "ended"};
    char text[300] = "";
    for (int i = 0; i < run.count; i++) {
        size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, " %s %s;", run.threads[i].name,
                 run.threads[i].killed ? "killed" : STATES[run.threads[i].state]);
    }
    schedule_fail("%s:%s", how, text);
}

/* ---- whose turn it is */

static void give_turn(_Atomic uint32_t *turn) {
    atomic_store_explicit(turn, 1, memory_order_release);
    syscall(SYS_futex, turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void wait_for_turn(_Atomic uint32_t *turn) {
    while (atomic_exchange_explicit(turn, 0, memory_order_acquire) == 0)
        syscall(SYS_futex, turn, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static bool is_before(const struct timespec *one, const struct timespec *other) {
    return one->tv_sec != other->tv_sec ? one->tv_sec < other->tv_sec : one->tv_nsec < other->tv_nsec;
}

/* Time passes until this one has slept long enough. */
static struct thread *wake_late(struct thread *thread) {
    thread->late = true;
    if (is_before(&run.now, &thread->until.at))
        run.now = thread->until.at;
    return thread;
}

/* Nobody can run: the next is whose sleep ends first. */
static struct thread *choose_sleeper(void) {
    struct thread *first = NULL;
    bool all_ended = true;
    for (struct thread *thread = run.threads; thread < run.threads + run.count; thread++) {
        all_ended = all_ended && thread->state == ENDED;
        if ((thread->state == SLEEPING || thread->state == AWAITING) && !thread->until.never &&
            (first == NULL || is_before(&thread->until.at, &first->until.at)))
            first = thread;
    }
    if (all_ended)
        return NULL;
    if (first == NULL || !run.rules.patience)
        fail_stuck("nobody can run");
    return wake_late(first);
}

static bool has_reason(struct thread *thread) {
    return thread->state == READY || (thread->state == AWAITING && thread->holds(thread->context));
}

static bool is_late(const struct thread *thread) {
    return (thread->state == SLEEPING || thread->state == AWAITING) && !thread->until.never &&
           is_before(&thread->until.at, &run.now);
}

/* Who is next; NULL when all have ended. */
static struct thread *choose(void) {
    struct thread *ready[SCHEDULE_THREADS], *best = NULL;
    uint32_t count = 0;
    if (!run.by_priority && self != NULL && self->state == READY && !self->pausing && schedule_draw(16) < run.inertia)
        return self;
    run.choosing = true;
    for (struct thread *thread = run.threads; thread < run.threads + run.count; thread++) {
        if ((!has_reason(thread) && !is_late(thread)) || (thread == self && thread->pausing))
            continue;
        ready[count++] = thread;
        if (best == NULL || thread->priority > best->priority)
            best = thread;
    }
    run.choosing = false;
    if (count == 0 && self != NULL && self->state == READY)
        return self;
    if (count == 0)
        return choose_sleeper();
    if (run.rules.timeouts && schedule_draw(64) == 0) {
        struct thread *thread = &run.threads[schedule_draw((uint32_t)run.count)];
        if ((thread->state == SLEEPING || thread->state == AWAITING) && !thread->until.never)
            return wake_late(thread);
        if (thread->state == SLEEPING)
            return thread; /* a futex may wake for no reason */
    }
    struct thread *next = run.by_priority ? best : ready[schedule_draw(count)];
    next->late = is_late(next);
    return next;
}

/* The last that a thread does: then it is joined, before anybody else goes on. */
static void end_turn(void) {
    schedule_commit(self); /* a processor finishes what it has begun */
    self->state = ENDING;
    give_turn(&run.turn);
}

/* Ends the thread as a SIGKILL ends its process: what it holds it keeps, and the kernel marks its robust locks. */
static __attribute__((noreturn)) void die(void) {
    trace("KILLED", NULL);
    self->killed = true;
    end_turn();
    pthread_exit(NULL);
}

/* The turn goes to whom the dice say, and comes back. */
static void pass_turn(void) {
    struct thread *next = choose();
    if (next == NULL) /* not all have ended: this one has not */
        fail_stuck("nobody can run");
    if (next != self) {
        give_turn(&next->turn);
        wait_for_turn(&self->turn);
    }
    self->state = READY;
    self->pausing = false;
}

void schedule_step(const char *name, const volatile void *word) {
    trace(name, word);
    self->at = name;
    if (++run.steps > MOST_STEPS)
        fail_stuck("it does not end");
    if ((run.now.tv_nsec += STEP) >= 1000000000)
        run.now = (struct timespec){run.now.tv_sec + 1, 0};
    if (++self->steps == self->last_step || (self->condemned && schedule_draw(4) == 0))
        die();
    for (int i = 0; run.by_priority && i < MOST_CHANGES; i++)
        if (run.steps == run.changes[i])
            self->priority = --run.lowest;
    if (run.delay != 0 && schedule_draw(run.delay) == 0)
        schedule_commit_any();
    pass_turn();
}

void schedule_sleep(enum thread_state state, const struct deadline *deadline) {
    self->state = state;
    self->until = *deadline;
    self->late = false;
    if (!self->condemned)
        pass_turn();
    if (self->condemned)
        die();
}

/* ---- for scenarios */

/* schedule_processes.c has its own, for the library's threads. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *), void *arg);
int __real_pthread_join(pthread_t thread, void **result);

static void *thread_main(void *pointer) {
    self = pointer;
    wait_for_turn(&self->turn);
    if (self->condemned)
        die();
    self->body(self->arg);
    end_turn();
    return NULL;
}

int schedule_add(const char *name, void (*body)(void *), void *arg, bool mortal) {
    promise(run.count < SCHEDULE_THREADS);
    struct thread *thread = &run.threads[run.count];
    *thread =
        (struct thread){.name = name, .at = "start", .body = body, .arg = arg, .priority = (int)schedule_draw(1000)};
    if (mortal && run.rules.deaths > 0 && schedule_draw(2) == 0) {
        run.rules.deaths--;
        thread->last_step = draw_step(9);
    }
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    int error = __real_pthread_create(&thread->handle, &attributes, thread_main, thread);
    pthread_attr_destroy(&attributes);
    promise(error == 0);
    return run.count++;
}

void schedule_run(void) {
    for (struct thread *next; (next = choose()) != NULL;) {
        give_turn(&next->turn);
        wait_for_turn(&run.turn);
        for (struct thread *thread = run.threads; thread < run.threads + run.count; thread++)
            if (thread->state == ENDING) {
                __real_pthread_join(thread->handle, NULL); /* the kernel has marked its robust locks */
                thread->state = ENDED;
            }
    }
}

bool schedule_await(bool (*holds)(void *), void *context, const struct deadline *deadline) {
    schedule_commit(self);
    self->holds = holds;
    self->context = context;
    schedule_sleep(AWAITING, deadline != NULL ? deadline : &NEVER);
    return !self->late;
}

void schedule_kill(int thread) {
    struct thread *victim = &run.threads[thread];
    victim->condemned = true;
    if (victim->state == SLEEPING || victim->state == AWAITING)
        victim->state = READY;
}

pthread_t schedule_handle(int thread) {
    return run.threads[thread].handle;
}

int schedule_find(pthread_t handle) {
    int thread = run.count - 1;
    while (thread >= 0 && !pthread_equal(run.threads[thread].handle, handle))
        thread--;
    return thread; /* the newest: a handle is used again once its thread has been joined */
}

void schedule_watch(bool (*is_sound)(const volatile void *word)) {
    run.is_sound = is_sound;
}

bool schedule_has_ended(int thread) {
    return run.threads[thread].state == ENDED;
}

const char *schedule_was_killed(int thread) {
    return run.threads[thread].killed ? run.threads[thread].at : NULL;
}

void schedule_seed(uint64_t seed, bool traced) {
    memset(&run, 0, sizeof run);
    run.seed = run.dice = seed;
    run.traced = traced;
    run.now.tv_sec = 1000;
    schedule_hook();
}

void schedule_begin(const struct schedule_rules *rules) {
    run.rules = *rules;
    run.by_priority = schedule_draw(3) == 0;
    run.inertia = (uint32_t[]){0, 8, 12, 15}[schedule_draw(4)];
    run.delay = (uint32_t[]){0, 2, 8, 64}[schedule_draw(4)];
    for (int i = 0; i < MOST_CHANGES; i++)
        run.changes[i] = schedule_draw(2) != 0 ? draw_step(10) : 0;
}
