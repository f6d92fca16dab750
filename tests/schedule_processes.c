/*
 * schedule_processes.c: the threads and processes that a pool starts, as threads of a schedule; see scheduler.h.
 *
 * The linker (--wrap) sends the library's own calls of these functions here. A process is a thread of the schedule; its
 * sentinel is an eventfd; a zygote is nothing.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pool_internal.h"
#include "process_internal.h"
#include "schedule_processes.h"
#include "wait.h"

/* ---- what the rest of the library sleeps on */

int __wrap_futex_wait(_Atomic uint32_t *word, uint32_t expected, const struct deadline *deadline,
                      enum futex_scope scope);
int __wrap_futex_wait(_Atomic uint32_t *word, uint32_t expected, const struct deadline *deadline,
                      enum futex_scope scope) {
    (void)scope;
    return schedule_wait(word, expected, deadline);
}

void __wrap_futex_wake(_Atomic uint32_t *word, int count, enum futex_scope scope);
void __wrap_futex_wake(_Atomic uint32_t *word, int count, enum futex_scope scope) {
    (void)scope;
    schedule_wake(word, count);
}

/* Both are barriers for what was stored before them. */
void __real_at_lock_release(at_lock *lock);
void __wrap_at_lock_release(at_lock *lock);
void __wrap_at_lock_release(at_lock *lock) {
    schedule_barrier();
    __real_at_lock_release(lock);
}

static bool told; /* whether one may be readable: asking the kernel at each step would take most of the time */

int __real_eventfd_write(int descriptor, eventfd_t value);
int __wrap_eventfd_write(int descriptor, eventfd_t value);
int __wrap_eventfd_write(int descriptor, eventfd_t value) {
    schedule_barrier();
    told = true;
    return __real_eventfd_write(descriptor, value);
}

static bool never(void *unused) {
    (void)unused;
    return false;
}

int __wrap_pause(void);
int __wrap_pause(void) {
    schedule_await(never, NULL, NULL);
    return -1;
}

/* ---- threads: the supervisor */

struct start {
    void *(*routine)(void *);
    void *arg;
};

static void run_thread(void *pointer) {
    struct start start = *(struct start *)pointer;
    free(pointer);
    start.routine(start.arg);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *), void *arg) {
    (void)attributes;
    struct start *start = malloc(sizeof *start);
    *start = (struct start){routine, arg};
    *thread = schedule_handle(schedule_add("supervisor", run_thread, start, false));
    return 0;
}

static bool thread_has_ended(void *pointer) {
    return schedule_has_ended(schedule_find(*(pthread_t *)pointer));
}

int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result) {
    (void)result;
    schedule_await(thread_has_ended, &thread, NULL);
    return 0;
}

/* ---- processes */

/* Of the process that is this thread. */
static struct {
    int descriptor; /* an eventfd, readable once it has ended; 0: there is none */
    bool readable;
} sentinels[SCHEDULE_THREADS];

static void run_process(void *pointer) {
    at_process *process = pointer;
    process->target(process->arg);
}

int __wrap_at_process_start(at_process *process);
int __wrap_at_process_start(at_process *process) {
    process->pid = schedule_add("worker", run_process, process, true);
    sentinels[process->pid].descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return 0;
}

pid_t __wrap_at_process_pid(const at_process *process);
pid_t __wrap_at_process_pid(const at_process *process) {
    return process->pid;
}

int __wrap_at_process_sentinel(at_process *process);
int __wrap_at_process_sentinel(at_process *process) {
    return sentinels[process->pid].descriptor;
}

int __wrap_at_process_kill(at_process *process);
int __wrap_at_process_kill(at_process *process) {
    schedule_kill(process->pid);
    return 0;
}

static bool process_has_ended(void *process) {
    return schedule_has_ended(((at_process *)process)->pid);
}

int __wrap_at_process_join(at_process *process, double timeout);
int __wrap_at_process_join(at_process *process, double timeout) {
    (void)timeout; /* never with one */
    schedule_await(process_has_ended, process, NULL);
    return 0;
}

int __wrap_at_process_exitcode(at_process *process, int *code);
int __wrap_at_process_exitcode(at_process *process, int *code) {
    *code = schedule_was_killed(process->pid) != NULL ? -SIGKILL : 0;
    return 0;
}

/* ---- polling */

struct polling {
    struct pollfd *polled;
    nfds_t count;
};

static bool is_ready(void *pointer) {
    struct polling *polling = pointer;
    for (int thread = 0; thread < SCHEDULE_THREADS; thread++)
        if (sentinels[thread].descriptor != 0 && !sentinels[thread].readable && schedule_has_ended(thread)) {
            sentinels[thread].readable = true;
            eventfd_write(sentinels[thread].descriptor, 1);
        }
    told = told && poll(polling->polled, polling->count, 0) > 0;
    return told;
}

int __wrap_ppoll(struct pollfd *polled, nfds_t count, const struct timespec *left, const sigset_t *mask);
int __wrap_ppoll(struct pollfd *polled, nfds_t count, const struct timespec *left, const sigset_t *mask) {
    (void)mask;
    struct polling polling = {polled, count};
    struct deadline deadline = {.never = true};
    if (left != NULL)
        deadline_after((double)left->tv_sec + (double)left->tv_nsec * 1e-9, NEGATIVE_POLLS, &deadline);
    schedule_await(is_ready, &polling, &deadline);
    return poll(polled, count, 0);
}

/* ---- zygotes, and what forks ask first */

static char a_zygote;

struct zygote *__wrap_zygote_new(void);
struct zygote *__wrap_zygote_new(void) {
    return (struct zygote *)(void *)&a_zygote;
}

void __wrap_zygote_free(struct zygote *zygote);
void __wrap_zygote_free(struct zygote *zygote) {
    (void)zygote;
}

int __wrap_zygote_ensure(struct zygote *zygote, const char *name, bool only_alone);
int __wrap_zygote_ensure(struct zygote *zygote, const char *name, bool only_alone) {
    (void)zygote, (void)name, (void)only_alone;
    return 0;
}

int __wrap_check_fork_policy(const char *kind, const char *name, int others);
int __wrap_check_fork_policy(const char *kind, const char *name, int others) {
    (void)kind, (void)name, (void)others;
    return 0;
}

int __wrap_count_other_threads(void);
int __wrap_count_other_threads(void) {
    return 0;
}

/* ---- blocks of memory: nobody may touch one that is free */

static struct block {
    char *begin;
    size_t size;
} blocks[64];

static struct block *find_block(const volatile void *word) {
    for (struct block *block = blocks; block < blocks + sizeof blocks / sizeof *blocks; block++)
        if (block->begin != NULL && (const volatile char *)word >= block->begin &&
            (const volatile char *)word < block->begin + block->size)
            return block;
    return NULL;
}

static bool is_sound(const volatile void *word) {
    return find_block(word) == NULL;
}

void *__real_pool_block_take(struct pool_memory *memory, size_t size);
void *__wrap_pool_block_take(struct pool_memory *memory, size_t size);
void *__wrap_pool_block_take(struct pool_memory *memory, size_t size) {
    void *taken = __real_pool_block_take(memory, size);
    struct block *block = find_block(taken);
    if (block != NULL)
        block->begin = NULL;
    return taken;
}

void __real_pool_block_give(struct pool_memory *memory, void *given, size_t size);
void __wrap_pool_block_give(struct pool_memory *memory, void *given, size_t size);
void __wrap_pool_block_give(struct pool_memory *memory, void *given, size_t size) {
    memset(given, 0xdb, size); /* so that what is read there makes no sense */
    for (struct block *block = blocks;; block++)
        if (block->begin == NULL) {
            *block = (struct block){given, size};
            break;
        }
    __real_pool_block_give(memory, given, size);
}

void schedule_begin_processes(void) {
    for (int thread = 0; thread < SCHEDULE_THREADS; thread++)
        if (sentinels[thread].descriptor != 0)
            close(sentinels[thread].descriptor);
    memset(sentinels, 0, sizeof sentinels);
    memset(blocks, 0, sizeof blocks);
    schedule_watch(is_sound);
}
