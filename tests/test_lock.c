/* test_lock.c: the lock between threads: exclusion, waiting, timeouts, who may release; cases 13 to 17. */
#include <math.h>
#include <stdatomic.h>

#include "watch.h"

static at_lock *lock;

static void setup(void) {
    lock = at_lock_new();
    ck_assert_ptr_nonnull(lock);
}

static void teardown(void) {
    at_lock_free(lock);
}

static void acquire(void) {
    ck_assert_int_eq(at_lock_acquire(lock, AT_FOREVER), 0);
}

/* ---- one thread */

START_TEST(lock_is_taken_and_given_back) { /* (test_acquire_release, test_locked) */
    for (int i = 0; i < 3; i++) {
        ck_assert(!at_lock_locked(lock));
        ck_assert_int_eq(at_lock_acquire(lock, i == 0 ? AT_FOREVER : i == 1 ? 0 : -1), 0);
        ck_assert(at_lock_locked(lock));
        at_lock_release(lock);
    }
    ck_assert(!at_lock_locked(lock));
}
END_TEST

START_TEST(held_lock_polled_is_refused_at_once) { /* case 13 (test_try_acquire_contended) */
    acquire();
    double begin = at_now();
    for (int i = 0; i < 1000; i++)
        require(at_lock_acquire(lock, 0) == -ETIMEDOUT);
    ck_assert_double_lt(at_now() - begin, 5);
    ck_assert(at_lock_locked(lock));
    at_lock_release(lock);
    ck_assert_int_eq(at_lock_acquire(lock, 0), 0);
    at_lock_release(lock);
}
END_TEST

START_TEST(timeout_is_kept_and_harms_nothing) { /* case 13 (test_timeout, test_state_after_timeout) */
    static const double TIMEOUTS[] = {1e-9, 0.001, 0.05, 0.3};
    acquire();
    for (size_t i = 0; i < sizeof TIMEOUTS / sizeof *TIMEOUTS; i++) {
        double begin = at_now();
        ck_assert_int_eq(at_lock_acquire(lock, TIMEOUTS[i]), -ETIMEDOUT);
        double waited = at_now() - begin;
        ck_assert_double_ge(waited, TIMEOUTS[i] - ROUNDING);
        ck_assert_double_lt(waited, TIMEOUTS[i] + 5);
    }
    ck_assert(at_lock_locked(lock));
    at_lock_release(lock);
    ck_assert(!at_lock_locked(lock));
    ck_assert_int_eq(at_lock_acquire(lock, 0), 0);
    at_lock_release(lock);
}
END_TEST

START_TEST(wait_uses_no_processor) {
    struct timespec used;
    acquire();
    ck_assert_int_eq(at_lock_acquire(lock, 0.5), -ETIMEDOUT);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    ck_assert_int_eq(used.tv_sec, 0);
    ck_assert_int_lt(used.tv_nsec, 250000000);
    at_lock_release(lock);
}
END_TEST

START_TEST(absurd_timeouts_are_refused_and_take_nothing) { /* case 14 */
    for (int held = 0; held < 2; held++) {
        ck_assert_int_eq(at_lock_acquire(lock, -2), -EINVAL);
        ck_assert_int_eq(at_lock_acquire(lock, -0.5), -EINVAL);
        ck_assert_int_eq(at_lock_acquire(lock, -(double)INFINITY), -EINVAL);
        ck_assert_int_eq(at_lock_acquire(lock, (double)NAN), -EINVAL);
        ck_assert_int_eq(at_lock_acquire(lock, 1e300), -EOVERFLOW);
        ck_assert_int_eq(at_lock_acquire(lock, nextafter(AT_TIMEOUT_MAX, INFINITY)), -EOVERFLOW);
        ck_assert_int_eq(at_lock_acquire(NULL, 0), -EINVAL);
        ck_assert_int_eq(at_lock_locked(lock), held);
        if (!held)
            ck_assert_int_eq(at_lock_acquire(lock, AT_TIMEOUT_MAX), 0);
    }
    ck_assert(!at_lock_locked(NULL));
    at_lock_free(NULL);
    at_lock_release(lock);
}
END_TEST

/* ---- several threads */

struct waiter {
    double timeout;
    int result;
    _Atomic pid_t tid;
};

static int wait_for_lock(void *arg) {
    struct waiter *waiter = arg;
    atomic_store(&waiter->tid, gettid());
    waiter->result = at_lock_acquire(lock, waiter->timeout);
    if (waiter->result == 0)
        at_lock_release(lock);
    return 0;
}

static at_thread *start_waiter(struct waiter *waiter, double timeout) {
    *waiter = (struct waiter){.timeout = timeout, .result = 1};
    at_thread *thread = at_thread_new(.target = wait_for_lock, .arg = waiter);
    start(thread);
    await(waiter->tid != 0 && is_blocked(getpid(), waiter->tid));
    return thread;
}

START_TEST(release_wakes_the_one_who_waits_however_long_he_would) { /* cases 13, 14 (test_acquire_contended) */
    static const double TIMEOUTS[] = {AT_FOREVER, -1, 1000, AT_TIMEOUT_MAX};
    for (size_t i = 0; i < sizeof TIMEOUTS / sizeof *TIMEOUTS; i++) {
        struct waiter waiter;
        acquire();
        at_thread *thread = start_waiter(&waiter, TIMEOUTS[i]);
        at_lock_release(lock);
        join(thread);
        ck_assert_int_eq(waiter.result, 0);
        ck_assert(!at_lock_locked(lock));
        at_thread_free(thread);
    }
}
END_TEST

START_TEST(each_release_wakes_one_until_all_had_it) {
    enum { WAITERS = 8 };
    struct waiter waiters[WAITERS];
    at_thread *threads[WAITERS];
    for (int round = 0; round < 10; round++) {
        acquire();
        for (int i = 0; i < WAITERS; i++)
            threads[i] = start_waiter(&waiters[i], i % 2 ? AT_FOREVER : 1000);
        at_lock_release(lock);
        for (int i = 0; i < WAITERS; i++) {
            join(threads[i]);
            ck_assert_int_eq(waiters[i].result, 0);
            at_thread_free(threads[i]);
        }
        ck_assert(!at_lock_locked(lock));
    }
}
END_TEST

static int release_lock(void *unused) {
    (void)unused;
    at_lock_release(lock);
    return 0;
}

START_TEST(any_thread_may_release) { /* case 15 (test_different_thread) */
    acquire();
    at_thread *thread = at_thread_new(.target = release_lock);
    start(thread);
    join(thread);
    ck_assert(!at_lock_locked(lock));
    ck_assert_int_eq(at_lock_acquire(lock, 0), 0);
    at_lock_release(lock);
    at_thread_free(thread);
}
END_TEST

static _Atomic pid_t main_tid;

static int release_when_main_waits(void *unused) {
    (void)unused;
    await(is_blocked(getpid(), main_tid));
    at_lock_release(lock);
    return 0;
}

START_TEST(second_acquire_of_a_thread_waits_for_another_to_release) { /* case 16 (test_reacquire) */
    main_tid = gettid();
    acquire();
    ck_assert_int_eq(at_lock_acquire(lock, 0), -ETIMEDOUT);
    at_thread *thread = at_thread_new(.target = release_when_main_waits);
    start(thread);
    ck_assert_int_eq(at_lock_acquire(lock, BOUND), 0);
    ck_assert(at_lock_locked(lock));
    at_lock_release(lock);
    join(thread);
    at_thread_free(thread);
}
END_TEST

/* ---- exclusion, counted with a plain variable: a lost update is a hole in the lock */

enum { THREADS = 4 };
static const long ROUNDS = UNDER_TSAN || UNDER_ASAN ? 20000 : 100000;
static long counter; /* guarded by the lock */

static int count_with_lock(void *unused) {
    (void)unused;
    for (long i = 0; i < ROUNDS; i++) {
        ok(at_lock_acquire(lock, AT_FOREVER));
        counter++;
        at_lock_release(lock);
    }
    return 0;
}

/* With deadlines so short that some pass in the middle of all that can happen. */
static int count_with_deadlines(void *successes) {
    for (int i = 0; i < 5000; i++) {
        int result = at_lock_acquire(lock, (i % 50) * 1e-6);
        require(result == 0 || result == -ETIMEDOUT);
        if (result != 0)
            continue;
        counter++;
        at_lock_release(lock);
        ++*(long *)successes;
    }
    return 0;
}

START_TEST(one_at_a_time) {
    at_thread *threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        threads[i] = at_thread_new(.target = count_with_lock);
        start(threads[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        join(threads[i]);
        at_thread_free(threads[i]);
    }
    ck_assert_int_eq(counter, THREADS * ROUNDS);
    ck_assert(!at_lock_locked(lock));
}
END_TEST

START_TEST(one_at_a_time_and_none_forgotten_while_others_give_up) {
    at_thread *threads[THREADS];
    long successes[THREADS] = {0}, expected = 2 * ROUNDS;
    for (int i = 0; i < THREADS; i++) {
        threads[i] = i < 2 ? at_thread_new(.target = count_with_lock)
                           : at_thread_new(.target = count_with_deadlines, .arg = &successes[i]);
        start(threads[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        join(threads[i]);
        at_thread_free(threads[i]);
        expected += successes[i];
    }
    ck_assert_int_eq(counter, expected);
    ck_assert(!at_lock_locked(lock));
}
END_TEST

/* ---- case 17, fault 13 */

START_TEST(signals_neither_shorten_nor_lengthen_a_wait) { /* case 17 (test_interrupted_timed_acquire) */
    acquire();
    storm_begin();
    double begin = at_now();
    ck_assert_int_eq(at_lock_acquire(lock, 0.3), -ETIMEDOUT);
    double waited = at_now() - begin;
    storm_end();
    ck_assert_double_ge(waited, 0.3 - ROUNDING);
    ck_assert_double_lt(waited, 3);
    at_lock_release(lock);
}
END_TEST

static _Atomic bool released;

static int release_after_work(void *unused) {
    (void)unused;
    at_sleep(0.2);
    released = true;
    at_lock_release(lock);
    return 0;
}

START_TEST(signals_do_not_end_a_wait_without_deadline) { /* case 17 (test_lock_acquire_retries_on_intr) */
    storm_mask(SIG_BLOCK);
    acquire();
    at_thread *thread = at_thread_new(.target = release_after_work);
    start(thread);
    storm_begin();
    acquire();
    ck_assert(released);
    storm_end();
    at_lock_release(lock);
    join(thread);
    at_thread_free(thread);
}
END_TEST

/* ---- misuse: case 15 (test_releasing_unacquired_lock) */

static char output[1024];

static void release_free_lock(void) {
    at_lock_release(lock);
}

static void release_twice(void) {
    acquire();
    at_lock_release(lock);
    at_lock_release(lock);
}

static void release_null(void) {
    at_lock_release(NULL);
}

START_TEST(release_of_a_free_lock_stops_the_program_with_its_name) { /* case 15 */
    void (*misuses[])(void) = {release_free_lock, release_twice, release_null};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(run_program(misuses[i], output, sizeof output), -SIGABRT);
        ck_assert_str_eq(output, "at_lock_release: nobody holds this lock; acquire it before you release it\n");
    }
}
END_TEST

/* ---- fork (test_at_fork_reinit): what the child sees is what was there */

START_TEST(child_finds_a_lock_as_it_was_at_the_fork) { /* fault 23, and what lock.h says of it */
    at_lock *free_lock = at_lock_new();
    acquire();
    pid_t child = fork();
    if (child == 0) {
        ck_assert_int_eq(at_lock_acquire(lock, 0.01), -ETIMEDOUT);
        at_lock_release(lock);
        ck_assert_int_eq(at_lock_acquire(lock, 0), 0);
        ck_assert_int_eq(at_lock_acquire(free_lock, 0), 0);
        _exit(0);
    }
    ck_assert_int_eq(end_of(child), 0);
    ck_assert(at_lock_locked(lock));
    ck_assert(!at_lock_locked(free_lock));
    at_lock_release(lock);
    at_lock_free(free_lock);
}
END_TEST

SUITE_WITH("lock", setup, teardown, lock_is_taken_and_given_back, held_lock_polled_is_refused_at_once,
           timeout_is_kept_and_harms_nothing, wait_uses_no_processor, absurd_timeouts_are_refused_and_take_nothing,
           release_wakes_the_one_who_waits_however_long_he_would, each_release_wakes_one_until_all_had_it,
           any_thread_may_release, second_acquire_of_a_thread_waits_for_another_to_release, one_at_a_time,
           one_at_a_time_and_none_forgotten_while_others_give_up, signals_neither_shorten_nor_lengthen_a_wait,
           signals_do_not_end_a_wait_without_deadline, release_of_a_free_lock_stops_the_program_with_its_name,
           child_finds_a_lock_as_it_was_at_the_fork)
