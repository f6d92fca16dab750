/* test_process_lock.c: the lock between processes while nobody dies: exclusion, timeouts, releases; cases 13 to 18. */
#include <math.h>
#include <stdatomic.h>

#include "watch.h"

static at_process_lock *lock;

/* What the processes of a test share. */
static struct {
    long counter; /* guarded by the lock */
    _Atomic int phase;
} * shared;

static void setup(void) {
    lock = at_process_lock_new();
    shared = at_shared_new(sizeof *shared);
    ck_assert_ptr_nonnull(lock);
    ck_assert_ptr_nonnull(shared);
}

static void teardown(void) {
    at_process_lock_free(lock);
    at_shared_free(shared);
}

static void acquire(void) {
    require(at_process_lock_acquire(lock, AT_FOREVER) == 0);
}

/* What another process gets; it gives back what it got. */
static int acquire_in_child(double timeout) {
    _Atomic int *result = at_shared_new(sizeof *result);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        *result = at_process_lock_acquire(lock, timeout);
        if (*result >= 0)
            at_process_lock_release(lock);
        _exit(0);
    }
    ck_assert_int_eq(end_of(child), 0);
    int got = *result;
    at_shared_free((void *)result);
    return got;
}

/* ---- one process */

START_TEST(lock_is_taken_and_given_back) { /* (_TestLock) */
    static const double TIMEOUTS[] = {AT_FOREVER, 0, -1, 1, AT_TIMEOUT_MAX};
    for (size_t i = 0; i < sizeof TIMEOUTS / sizeof *TIMEOUTS; i++) {
        ck_assert_int_eq(at_process_lock_acquire(lock, TIMEOUTS[i]), 0);
        ck_assert_int_eq(acquire_in_child(0), -ETIMEDOUT);
        at_process_lock_release(lock);
        ck_assert_int_eq(acquire_in_child(0), 0);
    }
}
END_TEST

START_TEST(negative_timeout_polls_and_absurd_ones_are_refused) { /* cases 14, 18 */
    for (int held = 0; held < 2; held++) {
        ck_assert_int_eq(at_process_lock_acquire(lock, (double)NAN), -EINVAL);
        ck_assert_int_eq(at_process_lock_acquire(lock, 1e300), -EOVERFLOW);
        ck_assert_int_eq(at_process_lock_acquire(lock, nextafter(AT_TIMEOUT_MAX, INFINITY)), -EOVERFLOW);
        ck_assert_int_eq(at_process_lock_acquire(NULL, 0), -EINVAL);
        ck_assert_int_eq(acquire_in_child(-1), held ? -ETIMEDOUT : 0);
        ck_assert_int_eq(acquire_in_child(-1e300), held ? -ETIMEDOUT : 0);
        if (!held)
            acquire();
    }
    at_process_lock_release(lock);
    at_process_lock_free(NULL);
}
END_TEST

START_TEST(thread_that_holds_it_is_told_so_instead_of_waiting) {
    static const double TIMEOUTS[] = {AT_FOREVER, 0, 1};
    acquire();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(at_process_lock_acquire(lock, TIMEOUTS[i]), -EDEADLK);
    ck_assert_int_eq(acquire_in_child(0), -ETIMEDOUT);
    at_process_lock_release(lock);
    ck_assert_int_eq(acquire_in_child(0), 0);
}
END_TEST

START_TEST(locks_leave_nothing) {
    int descriptors = count_fds();
    unsigned long before = 0, after = 0;
    for (int i = 0; i < 10000; i++) {
        at_process_lock *other = at_process_lock_new();
        require(other != NULL); /* 65 530 mappings are the system's limit, so a leak of some fails too */
        require(at_process_lock_acquire(other, 0) == 0);
        at_process_lock_release(other);
        at_process_lock_free(other);
        if (i != 100 && i != 9999)
            continue;
        FILE *file = fopen("/proc/self/statm", "r");
        ck_assert_int_eq(fscanf(file, "%lu", i == 100 ? &before : &after), 1);
        fclose(file);
    }
    ck_assert_int_eq(count_fds(), descriptors);
    if (!UNDER_TSAN && !UNDER_ASAN)
        ck_assert_uint_le(after, before + 1000); /* pages */
}
END_TEST

/* ---- several */

static const int ROUNDS = 20000;

static int count_with_lock(void *unused) {
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        require(at_process_lock_acquire(lock, i % 2 ? AT_FOREVER : BOUND) == 0);
        shared->counter++;
        at_process_lock_release(lock);
    }
    return 0;
}

START_TEST(one_process_at_a_time) {
    enum { CHILDREN = 4 };
    pid_t children[CHILDREN];
    for (int i = 0; i < CHILDREN; i++)
        if ((children[i] = fork()) == 0)
            _exit(count_with_lock(NULL));
    for (int i = 0; i < CHILDREN; i++)
        ck_assert_int_eq(end_of(children[i]), 0);
    ck_assert_int_eq(shared->counter, CHILDREN * ROUNDS);
}
END_TEST

START_TEST(one_thread_at_a_time) {
    enum { THREADS = 4 };
    at_thread *threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        threads[i] = at_thread_new(.target = count_with_lock);
        start(threads[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        join(threads[i]);
        at_thread_free(threads[i]);
    }
    ck_assert_int_eq(shared->counter, THREADS * ROUNDS);
}
END_TEST

/* A process that holds the lock until phase is 2. */
static pid_t start_holder(void) {
    pid_t holder = fork();
    ck_assert_int_ge(holder, 0);
    if (holder == 0) {
        acquire();
        shared->phase = 1;
        await(shared->phase == 2);
        at_process_lock_release(lock);
        _exit(0);
    }
    await(shared->phase == 1);
    return holder;
}

START_TEST(timeout_is_kept_and_harms_nothing) { /* case 13 */
    static const double TIMEOUTS[] = {0, -1, 0.001, 0.05, 0.3};
    pid_t holder = start_holder();
    for (size_t i = 0; i < sizeof TIMEOUTS / sizeof *TIMEOUTS; i++) {
        double begin = at_now();
        ck_assert_int_eq(at_process_lock_acquire(lock, TIMEOUTS[i]), -ETIMEDOUT);
        double waited = at_now() - begin;
        ck_assert_double_ge(waited, TIMEOUTS[i] - ROUNDING);
        ck_assert_double_lt(waited, TIMEOUTS[i] + 5);
    }
    shared->phase = 2;
    ck_assert_int_eq(at_process_lock_acquire(lock, BOUND), 0);
    at_process_lock_release(lock);
    ck_assert_int_eq(end_of(holder), 0);
}
END_TEST

START_TEST(timeout_is_kept_while_the_holder_is_stopped) { /* fault 12 */
    pid_t holder = start_holder();
    kill(holder, SIGSTOP);
    ck_assert_int_eq(waitpid(holder, NULL, WUNTRACED), holder);
    shared->phase = 2;
    double begin = at_now();
    ck_assert_int_eq(at_process_lock_acquire(lock, 0.2), -ETIMEDOUT);
    double waited = at_now() - begin;
    ck_assert_double_ge(waited, 0.2 - ROUNDING);
    ck_assert_double_lt(waited, 5);
    kill(holder, SIGCONT);
    ck_assert_int_eq(at_process_lock_acquire(lock, BOUND), 0);
    at_process_lock_release(lock);
    ck_assert_int_eq(end_of(holder), 0);
}
END_TEST

START_TEST(signals_neither_shorten_nor_lengthen_a_wait) { /* case 17, fault 13 */
    pid_t holder = start_holder();
    storm_begin();
    double begin = at_now();
    ck_assert_int_eq(at_process_lock_acquire(lock, 0.3), -ETIMEDOUT);
    double waited = at_now() - begin;
    storm_end();
    ck_assert_double_ge(waited, 0.3 - ROUNDING);
    ck_assert_double_lt(waited, 3);
    shared->phase = 2;
    ck_assert_int_eq(end_of(holder), 0);
}
END_TEST

START_TEST(signals_do_not_end_a_wait_without_deadline) { /* case 17, fault 13 */
    acquire();
    pid_t waiter = fork();
    if (waiter == 0) {
        storm_begin();
        acquire();
        storm_end();
        require(shared->phase == 2);
        at_process_lock_release(lock);
        _exit(0);
    }
    await(is_blocked(waiter, waiter));
    at_sleep(0.2); /* storm */
    shared->phase = 2;
    at_process_lock_release(lock);
    ck_assert_int_eq(end_of(waiter), 0);
}
END_TEST

START_TEST(each_release_wakes_one_until_all_had_it) {
    enum { WAITERS = 6 };
    pid_t waiters[WAITERS];
    for (int round = 0; round < 5; round++) {
        acquire();
        for (int i = 0; i < WAITERS; i++) {
            if ((waiters[i] = fork()) == 0) {
                require(at_process_lock_acquire(lock, i % 2 ? AT_FOREVER : 1000) == 0);
                at_process_lock_release(lock);
                _exit(0);
            }
            await(is_blocked(waiters[i], waiters[i]));
        }
        at_process_lock_release(lock);
        for (int i = 0; i < WAITERS; i++)
            ck_assert_int_eq(end_of(waiters[i]), 0);
        ck_assert_int_eq(at_process_lock_acquire(lock, 0), 0);
        at_process_lock_release(lock);
    }
}
END_TEST

/* ---- misuse: case 15 */

static char output[1024];

static void release_free_lock(void) {
    at_process_lock_release(lock);
}

static void release_twice(void) {
    acquire();
    at_process_lock_release(lock);
    at_process_lock_release(lock);
}

static void release_null(void) {
    at_process_lock_release(NULL);
}

static int release_lock(void *unused) {
    (void)unused;
    at_process_lock_release(lock);
    return 0;
}

static void release_by_another_thread(void) {
    acquire();
    at_thread *thread = at_thread_new(.target = release_lock);
    start(thread);
    join(thread);
}

static void release_in_a_child(void) {
    acquire();
    pid_t child = fork();
    if (child == 0)
        at_process_lock_release(lock);
    kill(getpid(), end_of(child) == -SIGABRT ? SIGABRT : SIGKILL);
}

START_TEST(release_by_who_does_not_hold_it_stops_the_program_with_its_name) { /* case 15 */
    void (*misuses[])(void) = {release_free_lock, release_twice, release_null, release_by_another_thread,
                               release_in_a_child};
    for (int i = 0; i < 5; i++) {
        at_process_lock *before = lock;
        lock = i == 2 ? lock : at_process_lock_new();
        ck_assert_int_eq(run_program(misuses[i], output, sizeof output), -SIGABRT);
        ck_assert_str_eq(output,
                         "at_process_lock_release: this thread does not hold this lock; only its holder releases it\n");
        lock = before;
    }
}
END_TEST

START_TEST(child_of_the_holder_does_not_hold_it) {
    acquire();
    ck_assert_int_eq(acquire_in_child(0), -ETIMEDOUT);
    ck_assert_int_eq(acquire_in_child(0.05), -ETIMEDOUT);
    ck_assert_int_eq(at_process_lock_acquire(lock, 0), -EDEADLK); /* and that child's end has not taken it from us */
    at_process_lock_release(lock);
    ck_assert_int_eq(acquire_in_child(0), 0);
}
END_TEST

SUITE_WITH("process_lock", setup, teardown, lock_is_taken_and_given_back,
           negative_timeout_polls_and_absurd_ones_are_refused, thread_that_holds_it_is_told_so_instead_of_waiting,
           locks_leave_nothing, one_process_at_a_time, one_thread_at_a_time, timeout_is_kept_and_harms_nothing,
           timeout_is_kept_while_the_holder_is_stopped, signals_neither_shorten_nor_lengthen_a_wait,
           signals_do_not_end_a_wait_without_deadline, each_release_wakes_one_until_all_had_it,
           release_by_who_does_not_hold_it_stops_the_program_with_its_name, child_of_the_holder_does_not_hold_it)
