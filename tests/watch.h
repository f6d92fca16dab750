/* watch.h: what the suites about threads and locks share: waits for what can be seen, doors, storms of signals. */
#ifndef ATELIER_TESTS_WATCH_H
#define ATELIER_TESTS_WATCH_H

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "atelier.h"
#include "children.h"
#include "support.h"

/* What must happen is waited for this long, so only a hang reaches it. Below LIMIT, which Check gives each test. */
static const double BOUND = 20;
enum { LIMIT = 30 };

/* A sum of doubles may lie this far below the sum that the kernel made of the same numbers. */
static const double ROUNDING = 1e-6;

static inline void nap(void) {
    struct timespec millisecond = {.tv_nsec = 1000000};
    nanosleep(&millisecond, NULL);
}

/*
 * As ck_assert, for processes that a test forks and for loops: each ck_assert, passed or not, writes to the report that
 * Check keeps in one file for all of them, which those that run at once, or are killed, would garble.
 */
#define require(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            ck_abort_msg("%s:%d: %s does not hold", __FILE__, __LINE__, #condition);                                   \
    } while (0)

/* Looks again and again until the condition holds; a test that would wait for ever fails instead. */
#define await(condition)                                                                                               \
    do {                                                                                                               \
        double end_of_await = at_now() + BOUND;                                                                        \
        while (!(condition)) {                                                                                         \
            require(at_now() < end_of_await && #condition);                                                            \
            nap();                                                                                                     \
        }                                                                                                              \
    } while (0)

/* Whether a thread, of this process or of a child, sleeps in this system call. */
static inline bool sleeps_in(long call, pid_t process, pid_t thread) {
    char path[64], state = 0;
    long number = call; /* where the kernel does not say in which call, that it sleeps has to do */
    snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", process, thread);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%ld", &number) != 1)
        number = -1; /* running */
    if (file)
        fclose(file);
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", process, thread);
    file = fopen(path, "r");
    if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 0;
    if (file)
        fclose(file);
    return state == 'S' && number == call;
}

/* Joins and acquires that have to wait do so in a futex call. */
static inline bool is_blocked(pid_t process, pid_t thread) {
    return sleeps_in(SYS_futex, process, thread);
}

/* A thread goes in, says so, and waits until the door is opened. */
struct door {
    sem_t inside, open;
};

static inline void door_init(struct door *door) {
    sem_init(&door->inside, 0, 0);
    sem_init(&door->open, 0, 0);
}

static inline void door_wait(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0)
        ;
}

/* A target: goes through the door. */
static inline int pass(void *arg) {
    struct door *door = arg;
    sem_post(&door->inside);
    door_wait(&door->open);
    return 0;
}

#define start(thread) ok(at_thread_start(thread))
#define join(thread) ok(at_thread_join(thread, BOUND))

/* 1 kHz of SIGALRM without SA_RESTART, for the calling thread alone when the others were started with it blocked. */
static volatile sig_atomic_t storm_signals;

static inline void storm_handler(int number) {
    (void)number;
    storm_signals++;
}

static inline void storm_mask(int how) {
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(how, &alarm, NULL);
}

static inline void storm_begin(void) {
    struct sigaction action = {.sa_handler = storm_handler};
    struct itimerval often = {{0, 1000}, {0, 1000}};
    storm_signals = 0;
    sigaction(SIGALRM, &action, NULL);
    storm_mask(SIG_UNBLOCK);
    setitimer(ITIMER_REAL, &often, NULL);
}

/* Also checks that there was a storm. */
static inline void storm_end(void) {
    struct itimerval never = {0};
    setitimer(ITIMER_REAL, &never, NULL);
    require(storm_signals > 5 || UNDER_TSAN); /* which hands signals on when it sees fit */
}

/* How a process ended: its exit code, or minus the signal that killed it. */
static inline int end_of(pid_t process) {
    int status;
    while (waitpid(process, &status, 0) < 0)
        require(errno == EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* What a suite asks of the sanitizers; ASAN_OPTIONS and TSAN_OPTIONS say more, or otherwise. */
#define SANITIZER_OPTIONS(asan, tsan)                                                                                  \
    const char *__asan_default_options(void);                                                                          \
    const char *__tsan_default_options(void);                                                                          \
    const char *__asan_default_options(void) {                                                                         \
        return asan;                                                                                                   \
    }                                                                                                                  \
    const char *__tsan_default_options(void) {                                                                         \
        return tsan;                                                                                                   \
    }

/* The main function of a suite of one test case; setup and teardown come before and after each test, in its process. */
#define SUITE(name, ...) SUITE_WITH(name, NULL, NULL, __VA_ARGS__)
#define SUITE_WITH(name, setup, teardown, ...)                                                                         \
    int main(void) {                                                                                                   \
        const TTest *const TESTS[] = {__VA_ARGS__};                                                                    \
        Suite *suite = suite_create(name);                                                                             \
        TCase *all = tcase_create(name);                                                                               \
        tcase_set_timeout(all, LIMIT);                                                                                 \
        tcase_add_checked_fixture(all, setup, teardown);                                                               \
        for (size_t i = 0; i < sizeof TESTS / sizeof *TESTS; i++)                                                      \
            tcase_add_test(all, TESTS[i]);                                                                             \
        suite_add_tcase(suite, all);                                                                                   \
        return run_suite(suite);                                                                                       \
    }

#endif
