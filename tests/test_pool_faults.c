/*
 * test_pool_faults.c: workers that die with a task in their hands, or without one; tasks that run again, or take too
 * long; initializers that fail. The numbers are those of the fault table in the semantics.
 */
#include "pools.h"

SANITIZER_OPTIONS("handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0",
                  "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0")

AT_TASK(pid_t, whoami, int, item) {
    add(1000 + item, 1);
    return getpid();
}

static at_failure apply_failing(at_pool *pool, const at_job *job, int expected) {
    at_failure failure = {0};
    ck_assert_int_eq(at_pool_apply(pool, job, NULL, &failure), expected);
    ck_assert_int_eq(failure.code, expected);
    ck_assert_uint_eq(failure.index, 0);
    return failure;
}

/* The pids of exactly so many workers that live: waits until there are. */
static void list_workers(at_pool *pool, pid_t *pids, int count) {
    await(at_pool_workers(pool, pids, count) == count);
}

static void do_a_map(at_pool *pool) {
    int args[200];
    pid_t pids[200];
    for (int i = 0; i < 200; i++) {
        args[i] = i;
        numbers[1000 + i] = 0;
    }
    ok(at_map(pool, whoami, args, pids));
    for (int i = 0; i < 200; i++)
        require(pids[i] > 0 && numbers[1000 + i] == 1);
}

/* ---- 1, 4: a worker dies with its task */

AT_TASK(int, die_by_signal, int, number) {
    signal(number, SIG_DFL);
    numbers[0] = getpid();
    kill(getpid(), number);
    return number;
}

START_TEST(any_deadly_signal_is_told) {
    static const int SIGNALS[] = {SIGHUP,  SIGINT,    SIGQUIT, SIGILL,  SIGTRAP, SIGABRT,   SIGBUS,  SIGFPE,
                                  SIGKILL, SIGUSR1,   SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM,   SIGTERM, SIGXCPU,
                                  SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO,   SIGPWR,  SIGSTKFLT, SIGSYS,  SIGSYS + 5};
    at_pool *pool = pool_of(2);
    for (size_t i = 0; i < sizeof SIGNALS / sizeof *SIGNALS; i++) {
        char death[100];
        at_failure failure = apply_failing(pool, AT_JOB(die_by_signal, SIGNALS + i, 1), AT_EDIED);
        snprintf(death, sizeof death, "die_by_signal: worker %d was killed by signal %d", numbers[0], SIGNALS[i]);
        ck_assert_int_eq(failure.exitcode, -SIGNALS[i]);
        ck_assert_int_eq(failure.pid, numbers[0]);
        ck_assert_int_eq(strncmp(failure.text, death, strlen(death)), 0);
    }
    do_a_map(pool);
    close_and_free(pool);
}
END_TEST

AT_TASK(int, end_process, int, how) {
    numbers[0] = getpid();
    if (how == 0)
        abort();
    if (how < 0)
        _exit(-how);
    exit(how - 1);
}

START_TEST(exit_in_a_task_is_told) {
    static const int HOW[] = {0, -3, -255, 1, 8}, CODES[] = {-SIGABRT, 3, 255, 0, 7};
    at_pool *pool = pool_of(1);
    for (int i = 0; i < 5; i++) {
        at_failure failure = apply_failing(pool, AT_JOB(end_process, HOW + i, 1), AT_EDIED);
        ck_assert_int_eq(failure.exitcode, CODES[i]);
        ck_assert_int_eq(failure.pid, numbers[0]);
        if (CODES[i] >= 0)
            ck_assert_ptr_nonnull(strstr(failure.text, "ended with exit code"));
    }
    do_a_map(pool);
    close_and_free(pool);
}
END_TEST

/* Items that bear a 3 in the end cost a worker, those with a 5 fail. */
static int some_die(at_call *call) {
    int item = *(const int *)at_call_arg(call);
    int before = add(1000 + item, 1);
    if (item % 10 == 3 && before < numbers[1])
        kill(getpid(), SIGKILL);
    if (item % 10 == 5)
        return -ENOENT;
    *(pid_t *)at_call_result(call) = getpid();
    return 0;
}
static const at_task some_die_task = {"some_die", some_die, sizeof(int), sizeof(pid_t)};

START_TEST(death_costs_one_item_of_a_map) {
    enum { MANY = 100 };
    int args[MANY];
    pid_t pids[MANY];
    at_pool *pool = pool_of(3);
    numbers[1] = 1000;
    for (int chunk = 1; chunk <= MANY + 1; chunk += chunk < 16 ? 3 : 28) {
        at_failure failure;
        at_result *result;
        for (int i = 0; i < MANY; i++) {
            args[i] = i;
            pids[i] = 0;
            numbers[1000 + i] = 0;
        }
        at_job job = {.task = &some_die_task, .items = args, .count = MANY, .chunksize = at_tasks(chunk)};
        ok(at_pool_map_async(pool, &job, &result));
        ck_assert_int_eq(at_result_get(result, pids, sizeof pids, BOUND), AT_EDIED);
        for (int i = 0; i < MANY; i++) {
            int expected = i % 10 == 3 ? AT_EDIED : i % 10 == 5 ? -ENOENT : 0;
            require(numbers[1000 + i] == 1); /* each began once */
            require(at_result_outcome(result, (size_t)i, NULL, &failure) == expected);
            require((pids[i] > 0) == (expected == 0));
            if (expected == 0)
                continue;
            require(failure.index == (size_t)i && failure.code == expected);
            if (expected != AT_EDIED)
                continue;
            require(failure.exitcode == -SIGKILL && failure.pid > 0 && strstr(failure.text, "some_die, item ") != NULL);
            for (int j = i + 1; j < MANY && j % chunk != 0; j++)
                require(pids[j] != failure.pid); /* what came behind it in its chunk was left to others */
            require(i % chunk == 0 || pids[i - 1] == failure.pid);
        }
        at_result_free(result);
    }
    close_and_free(pool);
}
END_TEST

AT_TASK(int, wait_at_gate, int, x) {
    add(1, 1);
    while (numbers[2] == 0)
        nap();
    return x;
}

/* 6: as when memory runs out */
START_TEST(all_workers_die_at_once) {
    at_pool *pool = pool_of(4);
    for (int round = 0; round < 10; round++) {
        at_result *results[8];
        pid_t pids[4];
        numbers[1] = numbers[2] = 0;
        for (int i = 0; i < 8; i++)
            ok(at_apply_async(pool, wait_at_gate, i, &results[i]));
        await(numbers[1] == 4);
        list_workers(pool, pids, 4);
        for (int i = 0; i < 4; i++)
            kill(pids[i], SIGKILL);
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq(outcome_of(results[i]), AT_EDIED);
        numbers[2] = 1;
        for (int i = 4; i < 8; i++)
            ck_assert_int_eq(outcome_of(results[i]), 0);
    }
    close_and_free(pool);
}
END_TEST

/* 2 */
START_TEST(death_of_idle_workers_is_invisible) {
    at_pool *pool = pool_of(3);
    pid_t pids[3], later[3];
    at_failure failure;
    for (int round = 0; round < 20; round++) {
        list_workers(pool, pids, 3);
        for (int i = 0; i <= round % 3; i++)
            kill(pids[i], SIGKILL);
        do_a_map(pool);
        for (int i = 0; i <= round % 3; i++)
            await(at_pool_workers(pool, later, 3) == 3 && later[0] != pids[i] && later[1] != pids[i] &&
                  later[2] != pids[i]);
    }
    ck_assert_int_eq(at_pool_failure(pool, &failure), 0);
    close_and_free(pool);
}
END_TEST

/* They are told by SIGTERM as the first ones are: their signal mask is the same. */
START_TEST(later_workers_are_as_the_first) {
    at_pool *pool = pool_of(1);
    pid_t pid;
    for (int i = 0; i < 3; i++) {
        list_workers(pool, &pid, 1);
        kill(pid, SIGTERM);
        await(!pid_exists(pid));
    }
    close_and_free(pool);
}
END_TEST

/* ---- retries */

START_TEST(retries_are_counted_exactly) {
    int args[] = {3};
    for (int deaths = 0; deaths <= 4; deaths++)
        for (unsigned retries = 0; retries <= 3; retries++) {
            at_pool *pool = pool_of(2);
            bool enough = deaths <= (int)retries;
            numbers[1003] = 0;
            numbers[1] = deaths;
            at_job job = {.task = &some_die_task, .items = args, .retries = retries};
            ck_assert_int_eq(at_pool_apply(pool, &job, NULL, NULL), enough ? 0 : AT_EDIED);
            ck_assert_int_eq(numbers[1003], enough ? deaths + 1 : (int)retries + 1);
            close_and_free(pool);
        }
}
END_TEST

START_TEST(retries_in_a_map_repeat_what_died_only) {
    enum { MANY = 50 };
    int args[MANY];
    at_pool *pool = pool_of(2);
    for (int i = 0; i < MANY; i++)
        args[i] = i;
    for (int chunk = 1; chunk < MANY + 8; chunk += 8) {
        pid_t pids[MANY] = {0};
        at_job job = {.task = &some_die_task, .items = args, .count = MANY, .chunksize = at_tasks(chunk), .retries = 2};
        for (int i = 0; i < MANY; i++)
            numbers[1000 + i] = 0;
        numbers[1] = 2;
        ck_assert_int_eq(at_pool_map(pool, &job, pids, NULL), -ENOENT);
        for (int i = 0; i < MANY; i++) {
            require(numbers[1000 + i] == (i % 10 == 3 ? 3 : 1)); /* a task that fails by itself is not tried again */
            require((pids[i] > 0) == (i % 10 != 5));
        }
    }
    close_and_free(pool);
}
END_TEST

/* ---- time limits */

AT_TASK(int, stay_long, int, item) {
    add(1000 + item, 1);
    if (item % 10 == 7 && numbers[1000 + item] <= numbers[1])
        at_sleep(300);
    return item;
}

START_TEST(what_takes_too_long_is_killed_alone) {
    enum { MANY = 30 };
    int args[MANY];
    at_pool *pool = pool_of(3);
    for (int i = 0; i < MANY; i++)
        args[i] = i;
    numbers[1] = 1000;
    for (int chunk = 1; chunk < MANY + 2; chunk += 10) {
        int results[MANY];
        at_result *result;
        at_failure failure;
        for (int i = 0; i < MANY; i++) {
            results[i] = -1;
            numbers[1000 + i] = 0;
        }
        ok(at_pool_map_async(
            pool, AT_JOB(stay_long, args, MANY, .chunksize = at_tasks(chunk), .timeout = at_seconds(0.2)), &result));
        ck_assert_int_eq(at_result_get(result, results, sizeof results, BOUND), AT_ETASKTIME);
        for (int i = 0; i < MANY; i++) {
            bool late = i % 10 == 7;
            require(numbers[1000 + i] == 1);
            require(at_result_outcome(result, (size_t)i, NULL, &failure) == (late ? AT_ETASKTIME : 0));
            require(results[i] == (late ? -1 : i));
            require(!late || (failure.exitcode == -SIGKILL && failure.pid > 0 &&
                              strstr(failure.text, "longer than its 0.2 s") != NULL));
        }
        at_result_free(result);
    }
    do_a_map(pool);
    close_and_free(pool);
}
END_TEST

START_TEST(what_takes_too_long_runs_again) {
    int item = 7, result = 0;
    at_pool *pool = pool_of(1);
    numbers[1] = 2;
    at_job *job = AT_JOB(stay_long, &item, 1, .timeout = at_seconds(0.1), .retries = 2);
    ok(at_pool_apply(pool, job, &result, NULL));
    ck_assert_int_eq(result, 7);
    ck_assert_int_eq(numbers[1007], 3);
    numbers[1007] = 0;
    numbers[1] = 1000;
    at_failure failure = apply_failing(pool, job, AT_ETASKTIME);
    ck_assert_int_eq(failure.exitcode, -SIGKILL);
    ck_assert_int_eq(numbers[1007], 3);
    close_and_free(pool);
}
END_TEST

/* What died by itself is not said to have been late; what keeps its time is left alone. */
START_TEST(time_limit_changes_nothing_else) {
    int args[200];
    pid_t pids[200];
    at_pool *pool = pool_of(2);
    args[0] = SIGKILL;
    at_failure failure = apply_failing(pool, AT_JOB(die_by_signal, args, 1, .timeout = at_seconds(BOUND)), AT_EDIED);
    ck_assert_int_eq(failure.pid, numbers[0]);
    for (int i = 0; i < 200; i++)
        args[i] = i;
    for (int i = 0; i < 20; i++)
        ok(at_pool_map(pool, AT_JOB(whoami, args, 200, .timeout = at_seconds(BOUND)), pids, NULL));
    close_and_free(pool);
}
END_TEST

/* ---- 5: initializers */

static int fail_to_begin(void *how) {
    add(0, 1);
    switch (*(int *)how) {
    case 0:
        return -ENOENT;
    case 1:
        return at_fail(-EACCES, "no key for %s", "the studio");
    case 2:
        at_fail(-EPERM, "said, but not returned");
        return 0;
    case 3:
        _exit(3);
    case 4:
        kill(getpid(), SIGKILL);
    }
    return 0;
}

START_TEST(pool_breaks_when_no_worker_can_begin) {
    static const char *const REASONS[] = {"No such file", "no key for the studio", "said, but not returned",
                                          "ended with exit code 3", "was killed by signal 9"};
    int args[20] = {0};
    for (int how = 0; how < 5; how++) {
        at_pool *pool;
        at_result *result = NULL;
        at_failure failure = {0}, outcome = {0};
        numbers[0] = 0;
        ok(at_pool_new(&pool, 3, .initializer = fail_to_begin, .initarg = &how));
        int error = at_map_async(pool, whoami, args, &result);
        ck_assert(error == 0 || error == AT_EBROKEN);
        if (error == 0) {
            ck_assert_int_eq(at_result_get(result, NULL, 0, BOUND), AT_EBROKEN);
            ck_assert_int_eq(at_result_outcome(result, 19, NULL, &outcome), AT_EBROKEN);
            ck_assert_uint_eq(outcome.index, 19);
            ck_assert_msg(strstr(outcome.text, REASONS[how]) != NULL, "%d: %s", how, outcome.text);
            at_result_free(result);
        }
        await(at_pool_failure(pool, &failure) == AT_EBROKEN);
        ck_assert_int_eq(failure.code, AT_EBROKEN);
        ck_assert_msg(strstr(failure.text, REASONS[how]) != NULL, "%d: %s", how, failure.text);
        ck_assert_int_gt(failure.pid, 0);
        ck_assert_int_eq(failure.exitcode, how < 3 ? 1 : how == 3 ? 3 : -SIGKILL);
        ck_assert_int_eq(at_apply(pool, whoami, 0, NULL), AT_EBROKEN);
        ok(at_pool_join(pool, BOUND));
        ck_assert_int_eq(at_pool_workers(pool, NULL, 0), 0);
        ck_assert_int_le(numbers[0], 2 * 3); /* no storm of forks */
        ok(at_pool_close(pool));
        ck_assert_int_eq(at_apply(pool, whoami, 0, NULL), AT_EBROKEN);
        at_pool_free(pool);
    }
}
END_TEST

static int fail_at_first(void *unused) {
    (void)unused;
    return add(0, 1) < 3 ? -EAGAIN : 0;
}

START_TEST(few_failures_to_begin_are_forgiven) {
    at_pool *pool;
    at_failure failure;
    ok(at_pool_new(&pool, 4, .initializer = fail_at_first));
    do_a_map(pool);
    await(at_pool_workers(pool, NULL, 0) == 4);
    ck_assert_int_eq(at_pool_failure(pool, &failure), 0);
    close_and_free(pool);
}
END_TEST

SUITE_WITH("pool_faults", begin_pools, end_pools, any_deadly_signal_is_told, exit_in_a_task_is_told,
           death_costs_one_item_of_a_map, all_workers_die_at_once, death_of_idle_workers_is_invisible,
           later_workers_are_as_the_first, retries_are_counted_exactly, retries_in_a_map_repeat_what_died_only,
           what_takes_too_long_is_killed_alone, what_takes_too_long_runs_again, time_limit_changes_nothing_else,
           pool_breaks_when_no_worker_can_begin, few_failures_to_begin_are_forgiven)
