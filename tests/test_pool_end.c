/*
 * test_pool_end.c: the end of pools: close, join, terminate and free in any order, at the end of a program, beside
 * other pools and among threads; calls that a pool refuses. The numbers are those of the semantics.
 */
#include <math.h>
#include <sys/prctl.h>

#include "pools.h"

AT_TASK(long, square, int, x) {
    return (long)x * x;
}

AT_TASK(int, sleep_long, int, x) {
    at_sleep(300);
    return x;
}

AT_TASK(int, pass_gate, int, x) {
    add(1, 1);
    while (numbers[0] == 0)
        nap();
    return x;
}

static int some[100];

/* ---- 40: close, join, terminate */

START_TEST(closed_pool_finishes_its_work) {
    at_pool *pool = pool_of(2);
    at_result *results[50];
    int value = 0;
    ck_assert_int_eq(at_pool_join(pool, 0), AT_EOPEN);
    for (int i = 0; i < 50; i++)
        ok(at_apply_async(pool, pass_gate, i, &results[i]));
    ok(at_pool_close(pool));
    ok(at_pool_close(pool));
    ck_assert_int_eq(at_apply(pool, square, 1, NULL), AT_ECLOSED);
    ck_assert_int_eq(at_map(pool, square, some, NULL), AT_ECLOSED);
    at_result *none = results[0];
    ck_assert_int_eq(at_apply_async(pool, square, 1, &none), AT_ECLOSED);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(at_pool_map_async(pool, AT_JOB(square, NULL, 0), NULL), AT_ECLOSED);
    ck_assert_int_eq(at_pool_join(pool, 0), -ETIMEDOUT);
    ck_assert_int_eq(at_pool_join(pool, -1), -ETIMEDOUT);
    ck_assert_int_eq(at_pool_join(pool, 0.05), -ETIMEDOUT);
    ck_assert_int_eq(at_pool_join(pool, NAN), -EINVAL);
    ck_assert_int_eq(at_pool_join(pool, 1e300), -EOVERFLOW);
    numbers[0] = 1;
    ok(at_pool_join(pool, BOUND));
    ok(at_pool_join(pool, 0));
    ck_assert_int_eq(at_pool_workers(pool, NULL, 0), 0);
    ck_assert_int_eq(count_children(), 0);
    ck_assert_int_eq(at_apply(pool, square, 1, NULL), AT_ECLOSED);
    for (int i = 0; i < 50; i++) {
        ok(at_result_get(results[i], &value, sizeof value, 0));
        ck_assert_int_eq(value, i);
        at_result_free(results[i]);
    }
    ok(at_pool_terminate(pool)); /* too late, and so nothing */
    ok(at_pool_join(pool, 0));
    at_pool_free(pool);
}
END_TEST

START_TEST(terminate_among_ten_thousand_pending_tasks_is_prompt) {
    enum { MANY = 10000 };
    static int args[MANY];
    static at_result *results[MANY];
    at_failure failure;
    for (int kind = 0; kind < 3; kind++) {
        at_pool *pool = pool_of(4);
        at_result *map;
        ok(at_pool_map_async(pool, AT_JOB(sleep_long, args, MANY, .chunksize = at_tasks(1)), &map));
        for (int i = 0; i < MANY; i++)
            ok(at_apply_async(pool, sleep_long, i, kind == 0 ? &results[i] : NULL));
        if (kind == 2)
            at_result_free(map);
        double begin = at_now();
        ok(at_pool_terminate(pool));
        ck_assert_double_lt(at_now() - begin, 5);
        ck_assert_int_eq(count_children(), 0);
        ok(at_pool_join(pool, 0));
        ck_assert_int_eq(at_apply(pool, square, 1, NULL), -ECANCELED);
        ck_assert_int_eq(at_pool_close(pool), 0);
        ck_assert_int_eq(at_apply(pool, square, 1, NULL), -ECANCELED);
        if (kind < 2) {
            ck_assert_int_eq(at_result_get(map, NULL, 0, 0), -ECANCELED);
            ck_assert_int_eq(at_result_outcome(map, MANY - 1, NULL, &failure), -ECANCELED);
            ck_assert_uint_eq(failure.index, MANY - 1);
            ck_assert_int_eq(failure.pid, 0);
            at_result_free(map);
        }
        for (int i = 0; i < MANY && kind == 0; i++)
            require(outcome_of(results[i]) == -ECANCELED);
        at_pool_free(pool);
    }
}
END_TEST

START_TEST(terminate_keeps_what_is_done) {
    static int values[100];
    at_pool *pool = pool_of(1);
    at_result *result;
    size_t size;
    for (int i = 0; i < 100; i++)
        some[i] = i;
    numbers[0] = 1;
    ok(at_pool_map_async(pool, AT_JOB(pass_gate, some, 100, .chunksize = at_tasks(1)), &result));
    await(numbers[1] >= 10);
    numbers[0] = 0;
    ok(at_pool_terminate(pool));
    int error = at_result_get(result, values, sizeof values, 0), done = 0;
    for (size_t i = 0; i < 100; i++)
        if (at_result_outcome(result, i, &size, NULL) == 0) {
            require(values[i] == (int)i);
            done++;
        }
    ck_assert(error == (done == 100 ? 0 : -ECANCELED));
    ck_assert_int_ge(done, 9);
    at_result_free(result);
    at_pool_free(pool);
}
END_TEST

static int map_until_the_end(void *pool) {
    int error = at_map((at_pool *)pool, sleep_long, some, NULL);
    require(error == -ECANCELED);
    return 0;
}

START_TEST(terminate_wakes_those_who_wait) {
    at_pool *pool = pool_of(2);
    at_thread *threads[4];
    for (int i = 0; i < 4; i++) {
        threads[i] = at_thread_new(.target = map_until_the_end, .arg = pool);
        start(threads[i]);
    }
    ok(at_pool_terminate(pool));
    for (int i = 0; i < 4; i++) {
        join(threads[i]);
        at_thread_free(threads[i]);
    }
    at_pool_free(pool);
}
END_TEST

/*
 * The calls in any order, with work there that is done, and that is not, and results that are freed before and after.
 */
START_TEST(all_orders_of_the_end) {
    for (int order = 0; order < 64; order++) {
        at_pool *pool = pool_of(1 + order % 3);
        at_result *done, *pending;
        long value;
        ok(at_apply_async(pool, square, 5, &done));
        ok(at_apply_async(pool, sleep_long, 5, &pending));
        if (order & 1)
            ok(at_result_wait(done, BOUND));
        if (order & 2)
            ok(at_pool_close(pool));
        if (order & 4)
            at_result_free(pending);
        if (order & 8)
            ok(at_pool_terminate(pool));
        if ((order & 24) == 24)
            ok(at_pool_join(pool, BOUND));
        at_result *early = order & 32 ? done : NULL;
        at_result_free(early);
        at_pool_free(pool);
        if (early == NULL) {
            int error = at_result_get(done, &value, sizeof value, 0);
            require(error == 0 ? value == 25 : error == -ECANCELED && !(order & 1));
            at_result_free(done);
        }
        if (!(order & 4))
            require(outcome_of(pending) == -ECANCELED);
    }
}
END_TEST

START_TEST(results_outlive_their_pool) {
    at_result *results[3];
    long values[100];
    int item;
    size_t index;
    for (int i = 0; i < 100; i++)
        some[i] = i;
    at_pool *pool = pool_of(2);
    ok(at_map_async(pool, square, some, &results[0]));
    ok(at_imap(pool, square, some, &results[1]));
    ok(at_apply_async(pool, sleep_long, 1, &results[2]));
    ok(at_result_wait(results[0], BOUND));
    ok(at_result_wait(results[1], BOUND));
    at_pool_free(pool);
    ck_assert_int_eq(count_children(), 0);
    ok(at_result_get(results[0], values, sizeof values, 0));
    for (int i = 0; i < 100; i++) {
        long value = -1;
        ok(at_result_next(results[1], &value, &index, 0));
        require(values[i] == (long)i * i && value == values[i] && index == (size_t)i);
    }
    ck_assert_int_eq(at_result_get(results[2], &item, sizeof item, 0), -ECANCELED);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(count_pool_mappings(), 1);
        at_result_free(results[i]);
    }
    ck_assert_int_eq(count_pool_mappings(), 0); /* now it is gone as well */
}
END_TEST

/* ---- what submitting refuses */

START_TEST(wrong_jobs_are_refused) {
    static const at_task no_function = {"none", NULL, 4, 4}, bytes = {"bytes", sleep_long_run, 0, 4};
    static const at_task huge = {"huge", sleep_long_run, 0, (size_t)1 << 35}, endless = {"endless", NULL, 0, SIZE_MAX};
    at_pool *pool = pool_of(1);
    at_result *result = (at_result *)&held;
    int args[3] = {1, 2, 3};
    ck_assert_int_eq(at_pool_apply(pool, NULL, NULL, NULL), -EINVAL);
    ck_assert_int_eq(at_pool_map(pool, NULL, NULL, NULL), -EINVAL);
    ck_assert_int_eq(at_pool_apply_async(pool, &(at_job){.items = args}, &result), -EINVAL);
    ck_assert_ptr_null(result);
    ck_assert_int_eq(at_pool_apply(pool, &(at_job){.task = &no_function, .items = args}, NULL, NULL), -EINVAL);
    ck_assert_int_eq(at_pool_apply(pool, AT_JOB(square, args, 1, .item_size = 8), NULL, NULL), -EINVAL);
    ck_assert_int_eq(at_pool_apply(pool, AT_JOB(square, NULL, 1), NULL, NULL), -EINVAL);
    ck_assert_int_eq(at_pool_map(pool, AT_JOB(square, args, 3, .chunksize = at_tasks(0)), NULL, NULL), AT_ECOUNT);
    ck_assert_int_eq(at_pool_imap(pool, AT_JOB(square, args, 3, .chunksize = at_tasks(-5)), &result), AT_ECOUNT);
    static const double TIMES[] = {0, -1, -INFINITY, NAN};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(at_pool_apply(pool, AT_JOB(square, args, 1, .timeout = at_seconds(TIMES[i])), NULL, NULL),
                         -EINVAL);
    ck_assert_int_eq(at_pool_apply(pool, AT_JOB(square, args, 1, .timeout = at_seconds(1e10)), NULL, NULL), -EOVERFLOW);
    ok(at_pool_apply(pool, AT_JOB(square, args, 1, .timeout = at_seconds(AT_FOREVER)), NULL, NULL));
    ok(at_pool_apply(pool, AT_JOB(square, args, 1, .timeout = at_seconds(AT_TIMEOUT_MAX)), NULL, NULL));
    ck_assert_int_eq(at_pool_map_async(pool, AT_JOB(square, args, (size_t)1 << 50), &result), AT_ETOOLARGE);
    ck_assert_int_eq(at_pool_map_async(pool, AT_JOB(square, args, (size_t)1 << 40), &result), AT_ETOOLARGE);
    ck_assert_int_eq(at_pool_map(pool, AT_JOB(square, args, SIZE_MAX), NULL, NULL), AT_ETOOLARGE);
    at_job large = {.task = &bytes, .items = args, .item_size = SIZE_MAX / 2, .count = 3};
    ck_assert_int_eq(at_pool_map(pool, &large, NULL, NULL), AT_ETOOLARGE);
    large = (at_job){.task = &huge, .items = args, .item_size = 4, .count = 100};
    ck_assert_int_eq(at_pool_map(pool, &large, NULL, NULL), AT_ETOOLARGE);
    large.count = 1; /* there is so much, but not in one piece */
    int error = at_pool_apply(pool, &large, NULL, NULL);
    ck_assert(error == -ENOMEM || error == AT_ETOOLARGE);
    large.task = &endless;
    ck_assert_int_eq(at_pool_apply(pool, &large, NULL, NULL), -EINVAL);
    long value = 0; /* it is none the worse for all that */
    ok(at_apply(pool, square, 3, &value));
    ck_assert_int_eq(value, 9);
    close_and_free(pool);
}
END_TEST

START_TEST(no_pool_is_refused) {
    ck_assert_int_eq(at_pool_close(NULL), -EINVAL);
    ck_assert_int_eq(at_pool_terminate(NULL), -EINVAL);
    ck_assert_int_eq(at_pool_join(NULL, 0), -EINVAL);
    ck_assert_int_eq(at_pool_workers(NULL, NULL, 0), -EINVAL);
    ck_assert_int_eq(at_pool_failure(NULL, NULL), -EINVAL);
    ck_assert_int_eq(at_pool_apply(NULL, AT_JOB(square, some, 1), NULL, NULL), -EINVAL);
    ck_assert_int_eq(at_pool_map_async(NULL, AT_JOB(square, some, 1), NULL), -EINVAL);
}
END_TEST

/* ---- many pools, many threads */

static int use_pool(void *pool) {
    int args[20];
    long results[20];
    for (int round = 0; round < 100; round++) {
        at_result *result;
        long value;
        for (int i = 0; i < 20; i++)
            args[i] = round + i;
        require(at_map((at_pool *)pool, square, args, results) == 0);
        require(at_imap_unordered((at_pool *)pool, square, args, &result) == 0);
        for (int i = 0; i < 20; i++)
            require(results[i] == (long)args[i] * args[i] && at_result_next(result, &value, NULL, BOUND) == 0);
        at_result_free(result);
        require(at_apply((at_pool *)pool, square, round, &value) == 0 && value == (long)round * round);
        require(at_pool_workers(pool, NULL, 0) > 0);
    }
    return 0;
}

static int make_and_use_pool(void *unused) {
    at_pool *pool = pool_of(2);
    (void)unused;
    use_pool(pool);
    close_and_free(pool);
    return 0;
}

static void use_in_threads(at_target *target, void *arg) {
    at_thread *threads[6];
    for (int i = 0; i < 6; i++) {
        threads[i] = at_thread_new(.target = target, .arg = arg);
        start(threads[i]);
    }
    for (int i = 0; i < 6; i++) {
        join(threads[i]);
        at_thread_free(threads[i]);
    }
}

START_TEST(many_threads_use_one_pool) {
    at_pool *pool = pool_of(3);
    use_in_threads(use_pool, pool);
    close_and_free(pool);
}
END_TEST

START_TEST(many_threads_make_a_pool_each) {
    if (UNDER_ASAN)
        skip("AddressSanitizer's allocator does not survive a fork among threads");
    at_set_fork_policy(AT_FORK_ALLOW);
    use_in_threads(make_and_use_pool, NULL);
    spawners = 1;
}
END_TEST

START_TEST(pools_side_by_side_do_not_disturb_each_other) {
    at_pool *pools[5];
    long value;
    for (int i = 0; i < 5; i++)
        pools[i] = pool_of(1 + i % 3);
    for (int left = 5; left > 0; left--) {
        for (int i = 0; i < left; i++) {
            ok(at_apply(pools[i], square, i, &value));
            ck_assert_int_eq(value, (long)i * i);
        }
        if (left % 2 == 0)
            ok(at_pool_terminate(pools[left - 1]));
        at_pool_free(pools[left - 1]);
    }
}
END_TEST

/* ---- the end of the program */

static void end_with_a_busy_pool(void) {
    at_pool *pool;
    at_result *result;
    at_check(at_pool_new(&pool, 3));
    at_check(at_apply(pool, square, 1, NULL));
    at_check(at_map_async(pool, sleep_long, some, &result));
    printf("main ends");
}

static void end_with_a_closed_pool(void) {
    at_pool *pool;
    at_check(at_pool_new(&pool, 1));
    at_check(at_apply_async(pool, sleep_long, 1, NULL));
    at_check(at_pool_close(pool)); /* and nobody joins it: what is pending is not done, as in Python */
    printf("main ends");
}

static void end_in_a_callback(void *context, const void *results, size_t size) {
    (void)context, (void)results, (void)size;
    printf("main ends");
    exit(0);
}

static void be_ended_by_a_callback(void) {
    at_pool *pool;
    at_check(at_pool_new(&pool, 2));
    at_check(at_apply_async(pool, sleep_long, 1, NULL));
    at_check(at_pool_apply_async(pool, AT_JOB(square, some, 1, .callback = end_in_a_callback), NULL));
    at_sleep(300);
}

/* run_program waits until all have ended who have the program's stdout: the workers, too. */
START_TEST(program_ends_at_once_with_its_pool) {
    static void (*const PROGRAMS[])(void) = {end_with_a_busy_pool, end_with_a_closed_pool, be_ended_by_a_callback};
    char output[300];
    if (UNDER_ASAN)
        skip("LeakSanitizer does not care for programs that end without freeing");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int i = 0; i < 3; i++) {
        double begin = at_now();
        ck_assert_int_eq(run_program(PROGRAMS[i], output, sizeof output), 0);
        ck_assert_double_lt(at_now() - begin, 5);
        ck_assert_str_eq(output, "main ends");
        if (PROGRAMS[i] != be_ended_by_a_callback)      /* the kernel ends that one's */
            ck_assert_int_eq(waitpid(-1, NULL, 0), -1); /* nothing that nobody has waited for */
    }
    while (waitpid(-1, NULL, 0) > 0)
        ;
}
END_TEST

SUITE_WITH("pool_end", begin_pools, end_pools, closed_pool_finishes_its_work,
           terminate_among_ten_thousand_pending_tasks_is_prompt, terminate_keeps_what_is_done,
           terminate_wakes_those_who_wait, all_orders_of_the_end, results_outlive_their_pool, wrong_jobs_are_refused,
           no_pool_is_refused, many_threads_use_one_pool, many_threads_make_a_pool_each,
           pools_side_by_side_do_not_disturb_each_other, program_ends_at_once_with_its_pool)
