/* test_rlock.c: the recursive lock: its depth, its owner, and what other threads may not; (RLockTests). */
#include <math.h>
#include <stdatomic.h>

#include "watch.h"

static at_rlock *lock;

static void setup(void) {
    lock = at_rlock_new();
    ck_assert_ptr_nonnull(lock);
}

static void teardown(void) {
    at_rlock_free(lock);
}

/* Runs target in a thread of its own, whose result it stores in *result. */
static void in_thread(at_target *target, int *result) {
    at_thread *thread = at_thread_new(.target = target, .arg = result, .name = "other");
    start(thread);
    join(thread);
    at_thread_free(thread);
}

static int poll_lock(void *result) {
    *(int *)result = at_rlock_acquire(lock, 0);
    if (*(int *)result == 0)
        at_rlock_release(lock);
    return 0;
}

static int poll_in_thread(void) {
    int result = 1;
    in_thread(poll_lock, &result);
    return result;
}

START_TEST(lock_is_free_for_others_after_as_many_releases) { /* (test_reacquire, test_recursion_count) */
    enum { DEPTH = 1000 };
    for (int i = 0; i < DEPTH; i++)
        ck_assert_int_eq(at_rlock_acquire(lock, i % 2 ? AT_FOREVER : 0), 0);
    for (int i = 0; i < DEPTH; i++) {
        if (i < 2 || i > DEPTH - 2)
            ck_assert_int_eq(poll_in_thread(), -ETIMEDOUT);
        at_rlock_release(lock);
    }
    ck_assert_int_eq(poll_in_thread(), 0);
    ck_assert_int_eq(at_rlock_acquire(lock, 0), 0);
    ck_assert_int_eq(poll_in_thread(), -ETIMEDOUT);
    at_rlock_release(lock);
}
END_TEST

static int wait_for_lock(void *result) {
    double begin = at_now();
    *(int *)result = at_rlock_acquire(lock, 0.1);
    ck_assert_double_ge(at_now() - begin, 0.1 - ROUNDING);
    return 0;
}

START_TEST(timeout_is_kept_and_harms_nothing) { /* case 13 */
    int result = 1;
    ck_assert_int_eq(at_rlock_acquire(lock, -1), 0);
    in_thread(wait_for_lock, &result);
    ck_assert_int_eq(result, -ETIMEDOUT);
    ck_assert_int_eq(at_rlock_acquire(lock, 0), 0);
    at_rlock_release(lock);
    ck_assert_int_eq(poll_in_thread(), -ETIMEDOUT);
    at_rlock_release(lock);
    ck_assert_int_eq(poll_in_thread(), 0);
}
END_TEST

START_TEST(absurd_timeouts_are_refused_and_take_nothing) { /* case 14, for the owner as well */
    for (int held = 0; held < 2; held++) {
        ck_assert_int_eq(at_rlock_acquire(lock, -2), -EINVAL);
        ck_assert_int_eq(at_rlock_acquire(lock, (double)NAN), -EINVAL);
        ck_assert_int_eq(at_rlock_acquire(lock, 1e300), -EOVERFLOW);
        ck_assert_int_eq(at_rlock_acquire(NULL, 0), -EINVAL);
        ck_assert_int_eq(poll_in_thread(), held ? -ETIMEDOUT : 0);
        if (!held)
            ck_assert_int_eq(at_rlock_acquire(lock, AT_TIMEOUT_MAX), 0);
    }
    at_rlock_release(lock);
    ck_assert_int_eq(poll_in_thread(), 0);
    at_rlock_free(NULL);
}
END_TEST

static _Atomic pid_t waiting;

static int wait_without_end(void *result) {
    atomic_store(&waiting, gettid());
    *(int *)result = at_rlock_acquire(lock, AT_FOREVER);
    at_rlock_release(lock);
    return 0;
}

START_TEST(last_release_wakes_the_one_who_waits) {
    int result = 1;
    ck_assert_int_eq(at_rlock_acquire(lock, 0), 0);
    ck_assert_int_eq(at_rlock_acquire(lock, 0), 0);
    at_thread *thread = at_thread_new(.target = wait_without_end, .arg = &result);
    start(thread);
    await(waiting != 0 && is_blocked(getpid(), waiting));
    at_rlock_release(lock);
    ck_assert_int_eq(at_thread_join(thread, 0.05), -ETIMEDOUT);
    at_rlock_release(lock);
    join(thread);
    ck_assert_int_eq(result, 0);
    at_thread_free(thread);
}
END_TEST

static long counter; /* guarded by the lock */

static int count(void *unused) {
    (void)unused;
    for (int i = 0; i < 20000; i++) {
        int depth = 1 + i % 3;
        for (int j = 0; j < depth; j++)
            ok(at_rlock_acquire(lock, AT_FOREVER));
        counter++;
        for (int j = 0; j < depth; j++)
            at_rlock_release(lock);
    }
    return 0;
}

START_TEST(one_at_a_time) {
    at_thread *threads[4];
    for (int i = 0; i < 4; i++) {
        threads[i] = at_thread_new(.target = count);
        start(threads[i]);
    }
    for (int i = 0; i < 4; i++) {
        join(threads[i]);
        at_thread_free(threads[i]);
    }
    ck_assert_int_eq(counter, 80000);
}
END_TEST

/* ---- misuse (test_release_unacquired, test_different_thread) */

static const char *const REFUSAL =
    "at_rlock_release: this thread does not hold this lock; only its holder releases a recursive lock\n";
static char output[1024];

static void release_free_lock(void) {
    at_rlock_release(lock);
}

static void release_once_too_often(void) {
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(at_rlock_acquire(lock, 0), 0);
    for (int i = 0; i < 3; i++)
        at_rlock_release(lock);
}

static void release_null(void) {
    at_rlock_release(NULL);
}

static int release_lock(void *unused) {
    (void)unused;
    at_rlock_release(lock);
    return 0;
}

static void release_by_another(void) {
    ck_assert_int_eq(at_rlock_acquire(lock, 0), 0);
    in_thread(release_lock, NULL);
}

START_TEST(release_by_who_does_not_hold_it_stops_the_program_with_its_name) { /* case 15 */
    void (*misuses[])(void) = {release_free_lock, release_once_too_often, release_null, release_by_another};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(run_program(misuses[i], output, sizeof output), -SIGABRT);
        ck_assert_str_eq(output, REFUSAL);
    }
}
END_TEST

START_TEST(holder_that_forks_holds_it_in_the_child_too) {
    ck_assert_int_eq(at_rlock_acquire(lock, 0), 0);
    pid_t child = fork();
    if (child == 0) {
        ck_assert_int_eq(at_rlock_acquire(lock, 0), 0);
        ck_assert_int_eq(poll_in_thread(), -ETIMEDOUT);
        at_rlock_release(lock);
        at_rlock_release(lock);
        ck_assert_int_eq(poll_in_thread(), 0);
        _exit(0);
    }
    ck_assert_int_eq(end_of(child), 0);
    ck_assert_int_eq(poll_in_thread(), -ETIMEDOUT);
    at_rlock_release(lock);
}
END_TEST

SUITE_WITH("rlock", setup, teardown, lock_is_free_for_others_after_as_many_releases, timeout_is_kept_and_harms_nothing,
           absurd_timeouts_are_refused_and_take_nothing, last_release_wakes_the_one_who_waits, one_at_a_time,
           release_by_who_does_not_hold_it_stops_the_program_with_its_name, holder_that_forks_holds_it_in_the_child_too)
