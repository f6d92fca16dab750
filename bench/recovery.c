/*
 * recovery.c: how long a lock between processes is lost when its holder is killed: from the SIGKILL until the process
 * that waits for the lock has it and knows that its last holder died.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "atelier.h"
#include "console.h"
#include "measure.h"
#include "subjects.h"

/* The lock under test: acquire returns 0, or RECOVERED, or anything else for a failure. */
enum { RECOVERED = 1 };

struct contest {
    int (*acquire)(void);
    void (*release)(void);
};

static at_process_lock *process_lock;
static pthread_mutex_t *robust_mutex;

static int acquire_ours(void) {
    int result = at_process_lock_acquire(process_lock, AT_FOREVER);
    return result == AT_RECOVERED ? RECOVERED : result;
}

static void release_ours(void) {
    at_process_lock_release(process_lock);
}

static int acquire_floor(void) {
    int failure = pthread_mutex_lock(robust_mutex);
    if (failure != EOWNERDEAD)
        return -failure;
    pthread_mutex_consistent(robust_mutex);
    return RECOVERED;
}

static void release_floor(void) {
    pthread_mutex_unlock(robust_mutex);
}

/* Whether the process sleeps in the kernel: then, and only then, the waiter waits for the lock. */
static bool sleeps(pid_t pid) {
    char path[40], state = '?';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    /* "PID (name) STATE ..."; the name is this program's, without a bracket in it. */
    bool found = fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
    fclose(file);
    return found && state == 'S';
}

static pid_t fork_or_exit(void) {
    pid_t pid = fork();
    if (pid < 0) {
        note("bench: recovery: fork: %s", strerror(errno));
        exit(1);
    }
    return pid;
}

static void reap(pid_t pid) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* Takes the lock, says so, and holds it for ever. */
__attribute__((noreturn)) static void hold(const struct contest *contest, int told) {
    int result = contest->acquire();
    if (write(told, &result, sizeof result) == sizeof result)
        for (;;)
            pause();
    _exit(1);
}

struct outcome {
    int result;
    uint64_t when;
};

/* Waits for the lock, and says how and when it got it. The clock is the same in all processes. */
__attribute__((noreturn)) static void await(const struct contest *contest, int told) {
    struct outcome outcome = {.result = contest->acquire()};
    outcome.when = now_ns();
    contest->release();
    _exit(write(told, &outcome, sizeof outcome) == sizeof outcome ? 0 : 1);
}

static double kill_a_holder(const struct contest *contest) {
    int pipes[2], held = -1;
    if (pipe(pipes) != 0) {
        note("bench: recovery: pipe: %s", strerror(errno));
        exit(1);
    }
    pid_t holder = fork_or_exit();
    if (holder == 0)
        hold(contest, pipes[1]);
    bool told = read(pipes[0], &held, sizeof held) == sizeof held;
    if (!interrupted() && (!told || held != 0))
        wrong_result("recovery: the first acquire returned %d", held);
    pid_t waiter = fork_or_exit();
    if (waiter == 0)
        await(contest, pipes[1]);
    while (!sleeps(waiter) && !interrupted())
        sched_yield();
    uint64_t killed = now_ns();
    kill(holder, SIGKILL);
    struct outcome outcome = {0};
    told = read(pipes[0], &outcome, sizeof outcome) == sizeof outcome;
    if (!told)
        kill(waiter, SIGKILL); /* it may wait for ever: Ctrl-C, or a lock that was lost */
    reap(holder);
    reap(waiter);
    close(pipes[0]);
    close(pipes[1]);
    if (!interrupted() && (!told || outcome.result != RECOVERED))
        wrong_result("recovery: after its holder's death, acquire returned %d", outcome.result);
    return (double)(outcome.when - killed);
}

static void make_locks(void) {
    if (process_lock != NULL)
        return;
    process_lock = at_process_lock_new();
    robust_mutex = mmap(NULL, sizeof *robust_mutex, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (process_lock == NULL || robust_mutex == MAP_FAILED) {
        note("bench: recovery: out of memory");
        exit(1);
    }
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(robust_mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

static size_t take(const struct contest *contest, struct observation *samples, size_t count) {
    make_locks();
    for (size_t i = 0; i < count && !interrupted(); i++)
        samples[i] = (struct observation){.ns = kill_a_holder(contest)};
    return count;
}

size_t recovery_ours(struct observation *samples, size_t count) {
    static const struct contest ours = {acquire_ours, release_ours};
    return take(&ours, samples, count);
}

size_t recovery_floor(struct observation *samples, size_t count) {
    static const struct contest floor = {acquire_floor, release_floor};
    return take(&floor, samples, count);
}
