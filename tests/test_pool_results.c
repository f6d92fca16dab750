/*
 * test_pool_results.c: results of what runs in a pool: waiting, asking, callbacks, one by one; results that outlive
 * their pool, or are given up before they are there. The numbers are those of the semantics.
 */
#include <math.h>

#include "pools.h"

AT_TASK(long, square, int, x) {
    return (long)x * x;
}

/* Waits until the test lets it go on: number 0 is the gate, 1 counts those who have come to it. */
AT_TASK(int, pass_gate, int, x) {
    add(1, 1);
    while (numbers[0] == 0)
        nap();
    return x;
}

AT_TASK(int, fail_odd, int, x) {
    return x % 2 == 0 ? x : at_fail(-ENOENT, "%d is odd", x);
}

static int first_numbers[100];

static void count_up(void) {
    for (int i = 0; i < 100; i++)
        first_numbers[i] = i;
}

/* ---- 38 */

START_TEST(result_can_be_had_after_a_timeout) {
    at_pool *pool = pool_of(2);
    at_result *result;
    int value = 0;
    ok(at_apply_async(pool, pass_gate, 7, &result));
    double begin = at_now();
    ck_assert_int_eq(at_result_get(result, &value, sizeof value, 0.1), -ETIMEDOUT);
    ck_assert_double_ge(at_now() - begin, 0.1);
    ck_assert_double_lt(at_now() - begin, BOUND);
    ck_assert_int_eq(at_result_get(result, &value, sizeof value, 0), -ETIMEDOUT);
    ck_assert_int_eq(at_result_get(result, &value, sizeof value, -1), -ETIMEDOUT);
    ck_assert_int_eq(at_result_wait(result, 0.01), -ETIMEDOUT);
    ck_assert_int_eq(at_result_successful(result), -EAGAIN);
    ck_assert_int_eq(at_result_outcome(result, 0, NULL, NULL), -EAGAIN);
    ck_assert(!at_result_ready(result));
    ck_assert_int_eq(value, 0);
    numbers[0] = 1;
    ok(at_result_wait(result, BOUND));
    for (int i = 0; i < 3; i++) { /* the same each time */
        ck_assert(at_result_ready(result));
        ck_assert_int_eq(at_result_successful(result), 1);
        value = 0;
        ok(at_result_get(result, &value, sizeof value, i == 0 ? -1 : 0));
        ck_assert_int_eq(value, 7);
        ck_assert_int_eq(at_result_outcome(result, 0, NULL, NULL), 0);
    }
    at_result_free(result);
    close_and_free(pool);
}
END_TEST

START_TEST(questions_that_have_no_answer) {
    at_pool *pool = pool_of(1);
    at_result *result;
    long value, values[2];
    ok(at_apply_async(pool, square, 2, &result));
    ck_assert_int_eq(at_result_get(result, &value, sizeof value, NAN), -EINVAL);
    ck_assert_int_eq(at_result_get(result, &value, sizeof value, 1e300), -EOVERFLOW);
    ck_assert_int_eq(at_result_wait(result, NAN), -EINVAL);
    ck_assert_int_eq(at_result_wait(result, 1e300), -EOVERFLOW);
    ck_assert_int_eq(at_result_get(result, values, sizeof values, BOUND), -EMSGSIZE);
    ck_assert_int_eq(at_result_get(result, values, 0, BOUND), -EMSGSIZE);
    ck_assert_int_eq(at_result_next(result, &value, NULL, BOUND), -EINVAL);
    ck_assert_int_eq(at_result_outcome(result, 1, NULL, NULL), -EINVAL);
    ok(at_result_get(result, NULL, 17, BOUND)); /* only waits */
    at_result_free(result);
    ok(at_imap(pool, square, first_numbers, &result));
    ck_assert_int_eq(at_result_next(result, &value, NULL, NAN), -EINVAL);
    ck_assert_int_eq(at_result_next(result, &value, NULL, 1e300), -EOVERFLOW);
    at_result_free(result);
    ck_assert_int_eq(at_result_get(NULL, NULL, 0, 0), -EINVAL);
    ck_assert_int_eq(at_result_wait(NULL, 0), -EINVAL);
    ck_assert_int_eq(at_result_next(NULL, NULL, NULL, 0), -EINVAL);
    ck_assert_int_eq(at_result_successful(NULL), -EINVAL);
    ck_assert_int_eq(at_result_outcome(NULL, 0, NULL, NULL), -EINVAL);
    ck_assert(!at_result_ready(NULL));
    at_result_free(NULL);
    at_pool_free(NULL);
    at_pool_free(pool);
}
END_TEST

START_TEST(map_async_gives_all_in_order) {
    at_pool *pool = pool_of(3);
    at_result *result;
    long values[100] = {0};
    count_up();
    for (int round = 0; round < 50; round++) {
        ok(at_map_async(pool, square, first_numbers, &result));
        ok(at_result_get(result, values, sizeof values, BOUND));
        for (int i = 0; i < 100; i++)
            require(values[i] == (long)i * i);
        at_result_free(result);
    }
    close_and_free(pool);
}
END_TEST

static int wait_for(void *result) {
    int value = 0;
    require(at_result_get(result, &value, sizeof value, BOUND) == 0 && value == 5);
    add(2, 1);
    return 0;
}

START_TEST(many_threads_wait_for_one_result) {
    enum { THREADS = 8 };
    at_thread *threads[THREADS];
    at_pool *pool = pool_of(2);
    at_result *result;
    ok(at_apply_async(pool, pass_gate, 5, &result));
    for (int i = 0; i < THREADS; i++) {
        threads[i] = at_thread_new(.target = wait_for, .arg = result);
        start(threads[i]);
    }
    await(numbers[1] == 1);
    numbers[0] = 1;
    for (int i = 0; i < THREADS; i++) {
        join(threads[i]);
        at_thread_free(threads[i]);
    }
    ck_assert_int_eq(numbers[2], THREADS);
    at_result_free(result);
    close_and_free(pool);
}
END_TEST

/* ---- 39: callbacks */

static struct {
    _Atomic int good, bad, early;
    at_result *result; /* of the job: it must not be ready in the callback */
    at_pool *pool;
    at_failure failure;
    long sum;
    size_t size;
} seen;

static void on_success(void *context, const void *results, size_t size) {
    require(context == &seen);
    for (size_t i = 0; i < size / sizeof(long); i++)
        seen.sum += ((const long *)results)[i];
    seen.size = size;
    if (seen.result != NULL && at_result_ready(seen.result))
        seen.early++;
    seen.good++;
}

static void on_failure(void *context, const at_failure *failure) {
    require(context == &seen);
    seen.failure = *failure;
    if (seen.result != NULL && at_result_ready(seen.result))
        seen.early++;
    seen.bad++;
}

#define CALLBACKS .callback = on_success, .error_callback = on_failure, .context = &seen

START_TEST(one_callback_is_called_before_it_is_ready) {
    at_pool *pool = pool_of(2);
    at_result *result;
    long values[100];
    count_up();
    for (int i = 1; i <= 100; i++) {
        ok(at_pool_apply_async(pool, AT_JOB(square, first_numbers + 3, 1, CALLBACKS), &result));
        ok(at_result_wait(result, BOUND));
        require(seen.good == i && seen.bad == 0 && seen.size == sizeof(long) && seen.sum == 9 * i);
        at_result_free(result);
    }
    seen.good = 0;
    seen.sum = 0;
    ok(at_pool_map_async(pool, AT_JOB(square, first_numbers, 100, CALLBACKS), &result));
    ok(at_result_get(result, values, sizeof values, BOUND));
    ck_assert(seen.good == 1 && seen.bad == 0);
    ck_assert_uint_eq(seen.size, sizeof values);
    ck_assert_int_eq(seen.sum, 328350);
    at_result_free(result);
    ok(at_pool_map_async(pool, AT_JOB(fail_odd, first_numbers, 16, CALLBACKS), &result));
    ck_assert_int_eq(at_result_get(result, NULL, 0, BOUND), -ENOENT); /* of 8 failures all texts are kept */
    ck_assert(seen.good == 1 && seen.bad == 1);
    ck_assert_int_eq(seen.failure.code, -ENOENT);
    ck_assert_uint_eq(seen.failure.index, 1); /* the first, though not all others were done before it */
    ck_assert_str_eq(seen.failure.text, "fail_odd, item 1: 1 is odd");
    at_result_free(result);
    ck_assert_int_eq(at_pool_apply(pool, AT_JOB(fail_odd, first_numbers + 1, 1, CALLBACKS), NULL, NULL), -ENOENT);
    ck_assert(seen.good == 1 && seen.bad == 2);
    close_and_free(pool);
}
END_TEST

START_TEST(ready_comes_after_the_callback) {
    at_pool *pool = pool_of(1);
    ok(at_pool_apply_async(pool, AT_JOB(pass_gate, first_numbers, 1, CALLBACKS), &seen.result));
    numbers[0] = 1;
    ok(at_result_wait(seen.result, BOUND));
    ck_assert(seen.good == 1 && seen.early == 0);
    at_result_free(seen.result);
    close_and_free(pool);
}
END_TEST

START_TEST(nothing_to_do_calls_nobody_and_is_ready) {
    at_pool *pool = pool_of(1);
    at_result *result;
    long value;
    ok(at_pool_map_async(pool, AT_JOB(square, NULL, 0, CALLBACKS), &result));
    ck_assert(at_result_ready(result));
    ck_assert_int_eq(at_result_successful(result), 1);
    ok(at_result_get(result, &value, 0, 0));
    ck_assert_int_eq(at_result_outcome(result, 0, NULL, NULL), -EINVAL);
    at_result_free(result);
    ok(at_pool_imap(pool, AT_JOB(square, NULL, 0, CALLBACKS), &result));
    ck_assert_int_eq(at_result_next(result, &value, NULL, AT_FOREVER), AT_EEND);
    at_result_free(result);
    ok(at_pool_imap_unordered(pool, AT_JOB(square, NULL, 0, CALLBACKS), NULL));
    close_and_free(pool);
    ck_assert(seen.good == 0 && seen.bad == 0);
}
END_TEST

START_TEST(callbacks_come_without_a_result_too) {
    at_pool *pool = pool_of(3);
    count_up();
    for (int i = 0; i < 1000; i++)
        ok(at_pool_apply_async(pool, AT_JOB(fail_odd, first_numbers + i % 2, 1, CALLBACKS), NULL));
    for (int i = 0; i < 10; i++) {
        at_result *result;
        ok(at_pool_apply_async(pool, AT_JOB(square, first_numbers, 1, CALLBACKS), &result));
        at_result_free(result); /* at once: the tasks run all the same */
        ok(at_apply_async(pool, square, 1, NULL));
    }
    close_and_free(pool);
    ck_assert_int_eq(seen.good, 510);
    ck_assert_int_eq(seen.bad, 500);
}
END_TEST

static void try_to_wait(void *context, const void *results, size_t size) {
    long value;
    (void)context, (void)results, (void)size;
    require(at_pool_apply(seen.pool, AT_JOB(square, first_numbers, 1), &value, NULL) == -EDEADLK);
    require(at_pool_map(seen.pool, AT_JOB(square, first_numbers, 9), NULL, NULL) == -EDEADLK);
    require(at_result_get(seen.result, NULL, 0, BOUND) == -EDEADLK);
    require(at_result_wait(seen.result, BOUND) == -EDEADLK);
    require(at_pool_join(seen.pool, BOUND) == AT_EOPEN);
    at_result *result;
    ok(at_pool_imap(seen.pool, AT_JOB(pass_gate, first_numbers, 1), &result));
    require(at_result_next(result, NULL, NULL, BOUND) == -EDEADLK);
    at_result_free(result);
    ok(at_pool_apply_async(seen.pool, AT_JOB(square, first_numbers + 4, 1, CALLBACKS), NULL));
    ok(at_pool_close(seen.pool));
    require(at_pool_join(seen.pool, BOUND) == -EDEADLK);
    numbers[0] = 1;
}

START_TEST(callbacks_may_submit_but_not_wait) {
    seen.pool = pool_of(2);
    count_up();
    ok(at_pool_apply_async(seen.pool, AT_JOB(pass_gate, first_numbers, 1), &seen.result)); /* not before the end */
    ok(at_pool_apply_async(seen.pool, AT_JOB(square, first_numbers, 1, .callback = try_to_wait), NULL));
    ok(at_result_wait(seen.result, BOUND));
    ok(at_pool_join(seen.pool, BOUND)); /* before the callbacks are over, they look at the result */
    at_result_free(seen.result);
    seen.result = NULL;
    ck_assert_int_eq(seen.sum, 16);
    at_pool_free(seen.pool);
}
END_TEST

static void terminate_it(void *context, const void *results, size_t size) {
    (void)context, (void)results, (void)size;
    ok(at_pool_terminate(seen.pool));
    require(at_pool_apply_async(seen.pool, AT_JOB(square, first_numbers, 1), NULL) == -ECANCELED);
}

START_TEST(callback_may_terminate) {
    at_result *result;
    seen.pool = pool_of(2);
    ok(at_pool_map_async(seen.pool, AT_JOB(pass_gate, first_numbers, 100), &result));
    ok(at_pool_apply_async(seen.pool, AT_JOB(square, first_numbers, 1, .callback = terminate_it), NULL));
    numbers[0] = 1;
    int error = outcome_of(result);
    ck_assert(error == 0 || error == -ECANCELED);
    await(at_pool_join(seen.pool, BOUND) == 0);
    at_pool_free(seen.pool);
}
END_TEST

/* ---- one by one */

START_TEST(imap_gives_in_order) {
    enum { MANY = 100000 };
    static int args[MANY];
    static const long CHUNKS[] = {1, 7, 1000};
    at_pool *pool = pool_of(3);
    for (int i = 0; i < MANY; i++)
        args[i] = i;
    for (int c = 0; c < 3; c++) {
        at_result *result;
        long value;
        size_t index;
        ok(at_pool_imap(pool, AT_JOB(square, args, MANY, .chunksize = at_tasks(CHUNKS[c])), &result));
        for (int i = 0; i < MANY; i++) {
            require(at_result_next(result, &value, &index, BOUND) == 0);
            require(index == (size_t)i && value == (long)i * i);
        }
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(at_result_next(result, &value, &index, BOUND), AT_EEND);
        at_result_free(result);
    }
    close_and_free(pool);
}
END_TEST

START_TEST(imap_unordered_gives_each_once) {
    enum { MANY = 30000 };
    static int args[MANY];
    static bool given[MANY];
    static const long CHUNKS[] = {1, 7, 1000};
    at_pool *pool = pool_of(3);
    for (int i = 0; i < MANY; i++)
        args[i] = i;
    for (int c = 0; c < 3; c++) {
        at_result *result;
        int value;
        size_t index;
        memset(given, 0, sizeof given);
        ok(at_pool_imap_unordered(pool, AT_JOB(fail_odd, args, MANY, .chunksize = at_tasks(CHUNKS[c])), &result));
        for (int i = 0; i < MANY; i++) {
            value = -1;
            int error = at_result_next(result, &value, &index, BOUND);
            require(error == (index % 2 == 0 ? 0 : -ENOENT)); /* a failure is no end */
            require(value == (index % 2 == 0 ? (int)index : -1) && !given[index]);
            given[index] = true;
        }
        ck_assert_int_eq(at_result_next(result, &value, &index, BOUND), AT_EEND);
        ck_assert_int_eq(at_result_get(result, NULL, 0, BOUND), -ENOENT);
        at_result_free(result);
    }
    close_and_free(pool);
}
END_TEST

/* Items come to the gate of their own number, behind the first three. */
AT_TASK(int, pass_own_gate, int, x) {
    while (numbers[3 + x] == 0)
        nap();
    return x;
}

START_TEST(unordered_results_come_as_they_are_done) {
    at_pool *pool = pool_of(3);
    at_result *result;
    static const int ORDER[] = {2, 0, 1};
    count_up();
    ok(at_pool_imap_unordered(pool, AT_JOB(pass_own_gate, first_numbers, 3), &result));
    ck_assert_int_eq(at_result_next(result, NULL, NULL, 0), -ETIMEDOUT);
    for (int i = 0; i < 3; i++) {
        int value = -1;
        numbers[3 + ORDER[i]] = 1;
        ok(at_result_next(result, &value, NULL, BOUND));
        ck_assert_int_eq(value, ORDER[i]);
        if (i < 2)
            ck_assert_int_eq(at_result_next(result, &value, NULL, 0.02), -ETIMEDOUT);
    }
    ck_assert_int_eq(at_result_next(result, NULL, NULL, 0), AT_EEND);
    at_result_free(result);
    close_and_free(pool);
}
END_TEST

SUITE_WITH("pool_results", begin_pools, end_pools, result_can_be_had_after_a_timeout, questions_that_have_no_answer,
           map_async_gives_all_in_order, many_threads_wait_for_one_result, one_callback_is_called_before_it_is_ready,
           ready_comes_after_the_callback, nothing_to_do_calls_nobody_and_is_ready, callbacks_come_without_a_result_too,
           callbacks_may_submit_but_not_wait, callback_may_terminate, imap_gives_in_order,
           imap_unordered_gives_each_once, unordered_results_come_as_they_are_done)
