/* test_clock.c: time: the monotonic clock, sleeps, work at a speed, and no wait on the wall clock; faults 13 and 24. */
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "watch.h"

START_TEST(now_never_goes_back_and_is_the_monotonic_clock) {
    struct timespec kernel;
    double before = at_now();
    clock_gettime(CLOCK_MONOTONIC, &kernel);
    double between = (double)kernel.tv_sec + (double)kernel.tv_nsec * 1e-9, after = at_now();
    ck_assert_double_le(before, between + ROUNDING);
    ck_assert_double_le(between, after + ROUNDING);
    for (int i = 0; i < 100000; i++) {
        double now = at_now();
        require(now >= after);
        after = now;
    }
}
END_TEST

/* ---- at_sleep */

START_TEST(sleep_lasts_as_long_as_asked) {
    static const double SECONDS[] = {1e-9, 0.001, 0.1, 0.3};
    for (size_t i = 0; i < sizeof SECONDS / sizeof *SECONDS; i++) {
        double begin = at_now();
        at_sleep(SECONDS[i]);
        double slept = at_now() - begin;
        ck_assert_double_ge(slept, SECONDS[i] - ROUNDING);
        ck_assert_double_lt(slept, SECONDS[i] + 5);
    }
}
END_TEST

START_TEST(sleep_of_nothing_returns_at_once) {
    static const double SECONDS[] = {0, -1, -1e300};
    double begin = at_now();
    for (size_t i = 0; i < sizeof SECONDS / sizeof *SECONDS; i++)
        at_sleep(SECONDS[i]);
    at_sleep((double)NAN);
    at_sleep(-(double)INFINITY);
    ck_assert_double_lt(at_now() - begin, 5);
}
END_TEST

static void assert_sleeps_on(double seconds) {
    pid_t sleeper = fork();
    if (sleeper == 0) {
        at_sleep(seconds);
        _exit(0);
    }
    ck_assert_int_eq(usleep(50000), 0);
    ck_assert_int_eq(waitpid(sleeper, NULL, WNOHANG), 0);
    kill(sleeper, SIGKILL);
    ck_assert_int_eq(end_of(sleeper), -SIGKILL);
}

START_TEST(sleep_of_absurd_length_does_not_end) {
    assert_sleeps_on(AT_TIMEOUT_MAX);
    assert_sleeps_on(1e300);
    assert_sleeps_on(AT_FOREVER);
}
END_TEST

START_TEST(signals_neither_shorten_nor_lengthen_a_sleep) { /* fault 13 */
    storm_begin();
    double begin = at_now();
    at_sleep(0.3);
    double slept = at_now() - begin;
    storm_end();
    ck_assert_double_ge(slept, 0.3 - ROUNDING);
    ck_assert_double_lt(slept, 3);
}
END_TEST

/* ---- at_work */

static double work(const char *speed, double seconds) {
    if (speed == NULL)
        unsetenv("AT_SPEED");
    else
        setenv("AT_SPEED", speed, 1);
    double begin = at_now();
    at_work(seconds);
    return at_now() - begin;
}

START_TEST(work_is_scaled_by_at_speed) {
    ck_assert_double_ge(work(NULL, 0.1), 0.1 - ROUNDING);
    ck_assert_double_ge(work("", 0.1), 0.1 - ROUNDING);
    ck_assert_double_ge(work("1", 0.1), 0.1 - ROUNDING);
    ck_assert_double_ge(work("0.5", 0.1), 0.2 - ROUNDING);
    double fast = work("1000", 100);
    ck_assert_double_ge(fast, 0.1 - ROUNDING);
    ck_assert_double_lt(fast, 10);
    ck_assert_double_lt(work("1e9", 1e6), 10);
    ck_assert_double_lt(work("1", -5), 5);
}
END_TEST

static const char *bad_speed;

static void work_at_bad_speed(void) {
    work(bad_speed, 0);
}

START_TEST(bad_at_speed_stops_the_program) {
    static const char *const BAD[] = {"0", "-1", "fast", "2x", "nan", "inf", "1e999", " "};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        char output[256], expected[64];
        bad_speed = BAD[i];
        ck_assert_int_eq(run_program(work_at_bad_speed, output, sizeof output), -SIGABRT);
        snprintf(expected, sizeof expected, "AT_SPEED=%s: not a number above 0; ", BAD[i]);
        ck_assert_msg(strncmp(output, expected, strlen(expected)) == 0, "%s", output);
    }
}
END_TEST

/*
 * ---- fault 24: the wall clock is set while somebody waits
 *
 * A test that sets the clock of the machine would trouble its neighbours, and no namespace has a wall clock of its own.
 * So the kernel is asked, by a seccomp filter, to kill whoever waits on CLOCK_REALTIME; who does not is safe from it.
 */

#define ARGUMENT(n)                                                                                                    \
    (offsetof(struct seccomp_data, args) + (n) * sizeof(__u64)) /* its low half, on a little-endian machine */
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define IS(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, then, otherwise)

/* A futex call without a deadline may say CLOCK_REALTIME and mean nothing by it; glibc's do. */
static void forbid_wall_clock_waits(void) {
    struct sock_filter filter[] = {
        LOAD(offsetof(struct seccomp_data, nr)),
        IS(SYS_futex, 0, 6),
        LOAD(ARGUMENT(1)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, FUTEX_CLOCK_REALTIME, 0, 8),
        LOAD(ARGUMENT(3)),
        IS(0, 0, 7),
        LOAD(ARGUMENT(3) + sizeof(__u32)),
        IS(0, 4, 5),
        IS(SYS_clock_nanosleep, 1, 0),
        IS(SYS_timerfd_create, 0, 2),
        LOAD(ARGUMENT(0)),
        IS(CLOCK_REALTIME, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(77);
}

/* What must not be done; it shows that the filter works. */
static void wait_on_the_wall_clock(void) {
    sem_t never;
    struct timespec soon;
    sem_init(&never, 0, 0);
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec = (soon.tv_nsec + 1000000) % 1000000000;
    sem_timedwait(&never, &soon);
}

static void sleep_on_the_wall_clock(void) {
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &(struct timespec){.tv_sec = 1}, NULL);
}

static struct door door;
static at_process_lock *process_lock;

static int hold_process_lock(void *unused) {
    ck_assert_int_eq(at_process_lock_acquire(process_lock, 0), 0);
    (void)unused;
    pass(&door);
    at_process_lock_release(process_lock);
    return 0;
}

static void wait_in_every_way(void) {
    at_lock *lock = at_lock_new();
    process_lock = at_process_lock_new();
    door_init(&door);
    at_thread *thread = at_thread_new(.target = hold_process_lock);
    start(thread);
    door_wait(&door.inside);
    double begin = at_now();
    at_sleep(0.01);
    ck_assert_int_eq(at_lock_acquire(lock, 0.01), 0);
    ck_assert_int_eq(at_lock_acquire(lock, 0.01), -ETIMEDOUT);
    ck_assert_int_eq(at_thread_join(thread, 0.01), -ETIMEDOUT);
    ck_assert_int_eq(at_process_lock_acquire(process_lock, 0.01), -ETIMEDOUT);
    at_process *process = started(.target = wait_forever);
    ck_assert_int_eq(at_process_join(process, 0.01), -ETIMEDOUT);
    ok(at_process_kill(process));
    ok(at_process_join(process, BOUND));
    ck_assert_double_ge(at_now() - begin, 0.05 - ROUNDING);
    sem_post(&door.open);
    join(thread);
    at_thread_free(thread);
    at_process_free(process);
    at_process_lock_free(process_lock);
    at_lock_free(lock);
}

static int run_forbidden(void (*body)(void)) {
    pid_t program = fork();
    ck_assert_int_ge(program, 0);
    if (program == 0) {
        forbid_wall_clock_waits();
        body();
        _exit(0);
    }
    return end_of(program);
}

START_TEST(no_wait_is_on_the_wall_clock) { /* fault 24 */
    at_set_fork_policy(AT_FORK_ALLOW);
    int end = run_forbidden(wait_on_the_wall_clock);
    if (end == 77)
        skip("the kernel takes no seccomp filter here");
    ck_assert_int_eq(end, -SIGSYS);
    ck_assert_int_eq(run_forbidden(sleep_on_the_wall_clock), -SIGSYS);
    ck_assert_int_eq(run_forbidden(wait_in_every_way), 0);
}
END_TEST

SUITE("clock", now_never_goes_back_and_is_the_monotonic_clock, sleep_lasts_as_long_as_asked,
      sleep_of_nothing_returns_at_once, sleep_of_absurd_length_does_not_end,
      signals_neither_shorten_nor_lengthen_a_sleep, work_is_scaled_by_at_speed, bad_at_speed_stops_the_program,
      no_wait_is_on_the_wall_clock)
