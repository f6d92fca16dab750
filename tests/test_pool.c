/*
 * test_pool.c: pools: how they are made, map and apply: order, chunks, arguments and results, failures, workers that
 * begin and retire. The numbers are those of the semantics.
 */
#include "pools.h"

AT_TASK(long, square, int, x) {
    return (long)x * x;
}

/* ---- 37: a pool's making */

static int do_nothing(void *unused) {
    (void)unused;
    return 0;
}

START_TEST(wrong_numbers_make_no_pool) {
    at_pool *pool = (at_pool *)&held;
    ck_assert_int_eq(at_pool_new(&pool, 0), AT_ECOUNT);
    ck_assert_ptr_null(pool);
    ck_assert_int_eq(at_pool_new(&pool, -1), AT_ECOUNT);
    ck_assert_int_eq(at_pool_new(&pool, 1025), -EINVAL);
    ck_assert_int_eq(at_pool_new(&pool, 1, .maxtasksperchild = at_tasks(0)), AT_ECOUNT);
    ck_assert_int_eq(at_pool_new(&pool, 1, .maxtasksperchild = at_tasks(-1)), AT_ECOUNT);
    ck_assert_ptr_null(pool);
}
END_TEST

START_TEST(no_pool_beside_threads_where_forks_are_refused) {
    struct door door;
    at_pool *pool;
    door_init(&door);
    at_thread *thread = at_thread_new(.target = pass, .arg = &door);
    start(thread);
    door_wait(&door.inside);
    at_set_fork_policy(AT_FORK_REFUSE);
    ck_assert_int_eq(at_pool_new(&pool, 1), AT_ETHREADS);
    ck_assert_ptr_null(pool);
    at_set_fork_policy(AT_FORK_ALLOW);
    at_pool_free(pool_of(1));
    sem_post(&door.open);
    join(thread);
    at_thread_free(thread);
}
END_TEST

START_TEST(as_many_workers_as_asked_for) {
    at_pool *pool = pool_of(3);
    pid_t pids[4] = {0}, children[8];
    ck_assert_int_eq(at_pool_workers(pool, NULL, 0), 3);
    ck_assert_int_eq(at_pool_workers(pool, pids, 2), 3);
    ck_assert_int_eq(pids[2], 0);
    ck_assert_int_eq(at_pool_workers(pool, pids, 4), 3);
    ck_assert_int_eq(pids[3], 0);
    ck_assert_int_eq(children_of(nursery_pid(), children, 8), 3);
    for (int i = 0; i < 3; i++)
        ck_assert(pid_exists(pids[i]));
    at_pool_free(pool);
    for (int i = 0; i < 3; i++)
        ck_assert(!pid_exists(pids[i]));
    pool = pool_of(AT_CPU_COUNT);
    ck_assert_int_eq(at_pool_workers(pool, NULL, 0), usable_cores());
    at_pool_free(pool);
    pool = pool_of(100);
    ck_assert_int_eq(at_pool_workers(pool, NULL, 0), 100);
    close_and_free(pool);
}
END_TEST

/* ---- 35: map */

START_TEST(map_keeps_the_order_for_any_chunk_size) {
    int args[13];
    long results[14];
    at_pool *pool = pool_of(3);
    for (int i = 0; i < 13; i++)
        args[i] = i - 5;
    for (int n = 0; n <= 13; n++)
        for (long chunk = 1; chunk <= n + 1; chunk++) {
            for (int i = 0; i < 14; i++)
                results[i] = -1;
            ok(at_pool_map(pool, AT_JOB(square, args, (size_t)n, .chunksize = at_tasks(chunk)), results, NULL));
            for (int i = 0; i < 14; i++)
                require(results[i] == (i < n ? (long)args[i] * args[i] : -1));
        }
    close_and_free(pool);
}
END_TEST

AT_TASK(int, count_item, int, index) {
    return add(index, 1);
}

START_TEST(each_item_runs_once) {
    enum { MANY = 100000 };
    static int args[MANY], results[MANY];
    at_pool *pool = pool_of(4);
    for (int i = 0; i < MANY; i++)
        args[i] = i;
    ok(at_map(pool, count_item, args, results));
    ok(at_pool_map(pool, AT_JOB(count_item, args, MANY / 10, .chunksize = at_tasks(1)), results, NULL));
    for (int i = 0; i < MANY; i++) {
        require(numbers[i] == (i < MANY / 10 ? 2 : 1));
        require(results[i] == (i < MANY / 10 ? 1 : 0));
    }
    close_and_free(pool);
}
END_TEST

START_TEST(nothing_to_map_is_done_at_once) {
    static const long CHUNKS[] = {1, 5};
    at_pool *pool = pool_of(1);
    int none[1] = {0};
    ok(at_pool_map(pool, AT_JOB(square, none, 0), NULL, NULL));
    for (int i = 0; i < 2; i++)
        ok(at_pool_map(pool, AT_JOB(square, NULL, 0, .chunksize = at_tasks(CHUNKS[i])), NULL, NULL));
    at_pool_free(pool);
}
END_TEST

AT_TASK(pid_t, whoami, int, unused) {
    (void)unused;
    return getpid();
}

/* 36, 41: a worker does one chunk only, and so each chunk has a pid of its own. */
START_TEST(default_chunk_is_a_quarter_of_a_workers_share) {
    static const size_t COUNTS[] = {1, 7, 8, 9, 16, 17, 100};
    int args[100] = {0};
    pid_t pids[100];
    at_pool *pool;
    ok(at_pool_new(&pool, 2, .maxtasksperchild = at_tasks(1)));
    for (int n = 0; n < 7; n++) {
        size_t count = COUNTS[n], chunk = (count + 7) / 8;
        ok(at_pool_map(pool, AT_JOB(whoami, args, count), pids, NULL));
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < i; j++)
                require((pids[i] == pids[j]) == (i / chunk == j / chunk));
    }
    close_and_free(pool);
}
END_TEST

START_TEST(workers_retire_after_their_tasks) {
    int args[50];
    long results[50];
    pid_t pids[50];
    at_pool *pool;
    ok(at_pool_new(&pool, 2, .maxtasksperchild = at_tasks(3)));
    for (int i = 0; i < 50; i++)
        args[i] = i;
    ok(at_pool_map(pool, AT_JOB(whoami, args, 50, .chunksize = at_tasks(1)), pids, NULL));
    for (int i = 0; i < 50; i++) {
        int same = 0;
        for (int j = 0; j < 50; j++)
            same += pids[i] == pids[j];
        require(same <= 3);
    }
    ok(at_pool_map(pool, AT_JOB(square, args, 50, .chunksize = at_tasks(1)), results, NULL));
    for (int i = 0; i < 50; i++)
        require(results[i] == (long)i * i);
    await(at_pool_workers(pool, NULL, 0) == 2);
    close_and_free(pool);
}
END_TEST

/* ---- apply, arguments and results */

typedef struct point {
    double x, y;
    char name[20];
} point;

AT_TASK(point, mirror, point, p) {
    point mirrored = {p.y, p.x, ""};
    snprintf(mirrored.name, sizeof mirrored.name, "not %.8s", p.name);
    return mirrored;
}

START_TEST(apply_takes_numbers_and_structs) {
    at_pool *pool = pool_of(2);
    long result = 0;
    point p;
    for (int i = -100; i < 100; i++) {
        ok(at_apply(pool, square, i, &result));
        require(result == (long)i * i);
    }
    ok(at_apply(pool, square, 3, NULL));
    ok(at_pool_apply(pool, AT_JOB(mirror, (&(point){1, 2, "here"}), 0), &p, NULL));
    ck_assert(p.x == 2 && p.y == 1);
    ck_assert_str_eq(p.name, "not here");
    close_and_free(pool);
}
END_TEST

/* Sends back its argument's bytes, the last first; aligned for any type. */
static int reverse(at_call *call) {
    size_t size = at_call_arg_size(call);
    const unsigned char *arg = at_call_arg(call);
    unsigned char *result = at_call_result(call);
    if ((uintptr_t)arg % _Alignof(max_align_t) != 0 || (uintptr_t)result % _Alignof(max_align_t) != 0)
        return at_fail(-EFAULT, "not aligned");
    for (size_t i = 0; i < size; i++)
        result[i] = arg[size - 1 - i];
    return at_call_set_size(call, size);
}

enum { LARGE = 16 << 20 };
static const at_task reverse_task = {"reverse", reverse, 0, LARGE};

START_TEST(large_arguments_and_results) {
    static unsigned char args[2 * LARGE], results[2 * LARGE];
    size_t size = 0;
    at_pool *pool = pool_of(2);
    for (int i = 0; i < 2 * LARGE; i++)
        args[i] = (unsigned char)(i * 31 + i / 1000);
    ok(at_pool_map(pool, &(at_job){.task = &reverse_task, .items = args, .item_size = LARGE, .count = 2}, results,
                   NULL));
    for (int i = 0; i < LARGE; i++)
        require(results[i] == args[LARGE - 1 - i] && results[LARGE + i] == args[2 * LARGE - 1 - i]);
    static const size_t SIZES[] = {1, 2, 15, 16, 17, 4097};
    for (int i = 0; i < 6; i++) {
        at_result *result;
        ok(at_pool_apply_async(pool, &(at_job){.task = &reverse_task, .items = args, .item_size = SIZES[i]}, &result));
        results[SIZES[i]] = 99;
        ok(at_result_get(result, results, LARGE, BOUND));
        ok(at_result_outcome(result, 0, &size, NULL));
        ck_assert_uint_eq(size, SIZES[i]);
        ck_assert_int_eq(results[0], args[SIZES[i] - 1]);
        ck_assert_int_eq(results[SIZES[i]], 99); /* no more is copied than the result has */
        at_result_free(result);
    }
    close_and_free(pool);
}
END_TEST

static int take_no_argument(at_call *call) {
    return at_call_arg_size(call) == 0 && at_call_set_size(call, 0) == 0 && at_call_set_size(call, 1) == -EMSGSIZE
               ? at_call_set_size(call, 0)
               : -EINVAL;
}

START_TEST(no_argument_and_no_result) {
    static const at_task task = {"nothing", take_no_argument, 0, 0};
    at_pool *pool = pool_of(2);
    ok(at_pool_apply(pool, &(at_job){.task = &task}, NULL, NULL));
    ok(at_pool_map(pool, &(at_job){.task = &task, .count = 1000}, NULL, NULL));
    close_and_free(pool);
}
END_TEST

/* ---- 39: failures */

static int fail_odd(at_call *call) {
    int item = *(const int *)at_call_arg(call);
    *(int *)at_call_result(call) = item + 1000;
    if (item % 4 == 1)
        return -ENOENT;
    if (item % 4 == 3)
        at_fail(-EACCES, "item %d is odd", item);
    return 0;
}
static const at_task fail_odd_task = {"fail_odd", fail_odd, sizeof(int), sizeof(int)};

START_TEST(failures_leave_all_other_results) {
    enum { MANY = 40 };
    int args[MANY], results[MANY];
    char text[160], bare[160];
    at_pool *pool = pool_of(3);
    for (long chunk = 1; chunk <= MANY; chunk += 3) {
        at_result *result;
        at_failure failure;
        for (int i = 0; i < MANY; i++) {
            args[i] = i + 2;
            results[i] = -1;
        }
        at_job job = {.task = &fail_odd_task, .items = args, .count = MANY, .chunksize = at_tasks(chunk)};
        ok(at_pool_map_async(pool, &job, &result));
        require(at_result_get(result, results, sizeof results, BOUND) == -EACCES); /* of item 1: 3 */
        for (int i = 0; i < MANY; i++) {
            int expected = args[i] % 4 == 1 ? -ENOENT : args[i] % 4 == 3 ? -EACCES : 0;
            require(at_result_outcome(result, (size_t)i, NULL, &failure) == expected);
            require(results[i] == (expected == 0 ? args[i] + 1000 : -1));
            if (expected == 0)
                continue;
            require(failure.code == expected && failure.index == (size_t)i && failure.pid == 0);
            snprintf(text, sizeof text, "fail_odd, item %d: item %d is odd", i, args[i]);
            snprintf(bare, sizeof bare, "fail_odd, item %d: %s", i, at_strerror(expected));
            require(strcmp(failure.text, text) == 0 || strcmp(failure.text, bare) == 0); /* some texts are kept */
        }
        job.count = 12; /* few enough failures for all texts */
        require(at_pool_map(pool, &job, results, &failure) == -EACCES && failure.index == 1);
        require(strcmp(failure.text, "fail_odd, item 1: item 3 is odd") == 0);
        require(at_result_successful(result) == 0);
        at_result_free(result);
    }
    close_and_free(pool);
}
END_TEST

AT_TASK(int, fail_as_told, int, code) {
    return at_fail(code, "told %d", code);
}

START_TEST(apply_tells_how_it_failed) {
    at_failure failure = {0};
    int result = 7, code = -EPERM;
    at_pool *pool = pool_of(1);
    ck_assert_int_eq(at_pool_apply(pool, AT_JOB(fail_as_told, &code, 1), &result, &failure), -EPERM);
    ck_assert_int_eq(failure.code, -EPERM);
    ck_assert_str_eq(failure.text, "fail_as_told: told -1");
    ck_assert_int_eq(result, 7);
    code = 5; /* not a code: at_fail makes it one */
    ck_assert_int_eq(at_pool_apply(pool, AT_JOB(fail_as_told, &code, 1), &result, &failure), -EINVAL);
    ck_assert_str_eq(failure.text, "fail_as_told: told 5");
    code = AT_EBROKEN;
    ck_assert_int_eq(at_apply(pool, fail_as_told, code, &result), AT_EBROKEN);
    ck_assert_int_eq(at_pool_failure(pool, &failure), 0); /* the task said so, not the pool */
    close_and_free(pool);
}
END_TEST

static void fail_outside_of_a_task(void) {
    at_fail(-EPERM, "nobody asked");
}

START_TEST(at_fail_outside_of_a_task_stops_the_program) {
    char output[300];
    ck_assert_int_eq(run_program(fail_outside_of_a_task, output, sizeof output), -SIGABRT);
    ck_assert_ptr_nonnull(strstr(output, "nobody asked"));
}
END_TEST

/* ---- initializers */

static int initialised;

static int initialise(void *number) {
    initialised += *(int *)number;
    add(0, 1);
    return 0;
}

AT_TASK(int, tell_initialised, int, unused) {
    (void)unused;
    return initialised;
}

START_TEST(initializer_runs_once_in_each_worker) {
    int number = 7, args[60] = {0}, results[60];
    at_pool *pool;
    ok(at_pool_new(&pool, 3, .initializer = initialise, .initarg = &number));
    number = 8; /* too late */
    ok(at_pool_map(pool, AT_JOB(tell_initialised, args, 60, .chunksize = at_tasks(1)), results, NULL));
    for (int i = 0; i < 60; i++)
        require(results[i] == 7);
    close_and_free(pool);
    ck_assert_int_eq(numbers[0], 3);
    number = 9;
    ok(at_pool_new(&pool, 2, .initializer = initialise, .initarg = &number, .maxtasksperchild = at_tasks(1)));
    number = 10;
    ok(at_pool_map(pool, AT_JOB(tell_initialised, args, 10, .chunksize = at_tasks(1)), results, NULL));
    for (int i = 0; i < 10; i++)
        require(results[i] == 9);
    close_and_free(pool);
    ck_assert_int_ge(numbers[0], 3 + 10);
    ck_assert_int_eq(initialised, 0);
}
END_TEST

AT_TASK(int, tell_identity, int, unused) {
    (void)unused;
    at_process *parent = at_parent_process();
    at_pool *pool;
    at_process *child = at_process_new(.target = do_nothing);
    require(at_process_start(child) == AT_EDAEMON);
    require(at_pool_new(&pool, 1) == AT_EDAEMON);
    return at_process_pid(parent);
}

START_TEST(workers_are_daemons_of_the_owner) {
    at_pool *pool = pool_of(1);
    int parent = 0;
    ok(at_apply(pool, tell_identity, 0, &parent));
    ck_assert_int_eq(parent, getpid());
    at_pool_free(pool);
}
END_TEST

SUITE_WITH("pool", begin_pools, end_pools, wrong_numbers_make_no_pool, no_pool_beside_threads_where_forks_are_refused,
           as_many_workers_as_asked_for, map_keeps_the_order_for_any_chunk_size, each_item_runs_once,
           nothing_to_map_is_done_at_once, default_chunk_is_a_quarter_of_a_workers_share,
           workers_retire_after_their_tasks, apply_takes_numbers_and_structs, large_arguments_and_results,
           no_argument_and_no_result, failures_leave_all_other_results, apply_tells_how_it_failed,
           at_fail_outside_of_a_task_stops_the_program, initializer_runs_once_in_each_worker,
           workers_are_daemons_of_the_owner)
