/*
 * test_pool_processes.c: the processes around a pool: the one that forks its workers, called its nursery, killed and
 * stopped; workers stopped; the owner killed, forked, and without its SIGCHLD. The numbers are those of the fault
 * table.
 */
#include <sys/prctl.h>

#include "pools.h"

AT_TASK(long, square, int, x) {
    return (long)x * x;
}

AT_TASK(int, wait_at_gate, int, x) {
    add(1, 1);
    while (numbers[0] == 0)
        nap();
    return x;
}

AT_TASK(int, work_a_little, int, x) {
    at_sleep(0.0005);
    return x;
}

static int some[400];

/* A map that is right: every result, or the death of its worker, and so many deaths at most. */
static void do_a_map(at_pool *pool, int deaths) {
    long results[400];
    at_result *result;
    for (int i = 0; i < 400; i++) {
        some[i] = i;
        results[i] = -1;
    }
    ok(at_map_async(pool, square, some, &result));
    int error = at_result_get(result, results, sizeof results, BOUND), dead = 0;
    require(error == 0 || error == AT_EDIED);
    for (int i = 0; i < 400; i++) {
        error = at_result_outcome(result, (size_t)i, NULL, NULL);
        require(error == 0 ? results[i] == (long)i * i : error == AT_EDIED);
        dead += error == AT_EDIED;
    }
    require(dead <= deaths);
    at_result_free(result);
}

/* ---- the nursery */

START_TEST(pool_goes_on_when_its_nursery_is_killed) {
    at_pool *pool = pool_of(3);
    at_failure failure;
    spawners = 1;
    for (int round = 0; round < 20; round++) {
        pid_t pids[3], nursery = nursery_pid();
        await(at_pool_workers(pool, pids, 3) == 3);
        kill(nursery, SIGKILL);
        do_a_map(pool, 3);
        for (int i = 0; i < 3; i++)
            await(!pid_exists(pids[i]));
        await(at_pool_workers(pool, pids, 3) == 3);
        ck_assert_int_ne(nursery_pid(), nursery);
    }
    ck_assert_int_eq(at_pool_failure(pool, &failure), 0);
    close_and_free(pool);
}
END_TEST

START_TEST(tasks_in_hand_die_with_the_nursery) {
    at_pool *pool = pool_of(2);
    at_result *results[4];
    at_failure failure;
    spawners = 1;
    for (int i = 0; i < 4; i++)
        ok(at_apply_async(pool, wait_at_gate, i, &results[i]));
    await(numbers[1] == 2);
    kill(nursery_pid(), SIGKILL);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(at_result_get(results[i], NULL, 0, BOUND), AT_EDIED);
        ck_assert_int_eq(at_result_outcome(results[i], 0, NULL, &failure), AT_EDIED);
        ck_assert_int_eq(failure.exitcode, -SIGKILL);
        at_result_free(results[i]);
    }
    numbers[0] = 1;
    for (int i = 2; i < 4; i++)
        ck_assert_int_eq(outcome_of(results[i]), 0);
    close_and_free(pool);
}
END_TEST

static _Atomic bool asking;

static int ask_for_workers(void *pool) {
    while (asking) {
        pid_t pids[4];
        at_process **children;
        require(at_pool_workers(pool, pids, 4) >= 0);
        require(at_active_children(&children) >= 0);
        at_processes_free(children);
    }
    return 0;
}

/* Who asks for a dead worker's status asks the nursery, which may just be forked anew. */
START_TEST(nursery_is_killed_while_others_ask_for_its_children) {
    at_pool *pool = pool_of(4);
    at_thread *threads[2];
    asking = true;
    spawners = 1;
    at_set_fork_policy(AT_FORK_ALLOW);
    for (int i = 0; i < 2; i++) {
        threads[i] = at_thread_new(.target = ask_for_workers, .arg = pool);
        start(threads[i]);
    }
    for (int round = 0; round < (UNDER_TSAN ? 10 : 40); round++) {
        pid_t pids[2];
        await(at_pool_workers(pool, NULL, 0) == 4);
        if (children_of(getpid(), pids, 2) == 1)
            kill(pids[0], SIGKILL);
        await(!pid_exists(pids[0]));
        do_a_map(pool, 4);
    }
    asking = false;
    for (int i = 0; i < 2; i++) {
        join(threads[i]);
        at_thread_free(threads[i]);
    }
    close_and_free(pool);
}
END_TEST

static int count_sockets(pid_t pid) {
    char path[64], target[64];
    int count = 0;
    for (int fd = 0; fd < 64; fd++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        count += readlink(path, target, sizeof target) > 0 && strncmp(target, "socket:", 7) == 0;
    }
    return count;
}

/* Each has its own end of its own socket, and none of the others', or nobody would see these close. */
START_TEST(nurseries_of_several_pools_are_killed_at_once) {
    at_pool *pools[4];
    int sockets = count_sockets(getpid());
    spawners = 1;
    for (int i = 0; i < 4; i++)
        pools[i] = pool_of(1);
    for (int round = 0; round < 20; round++) {
        pid_t pids[8];
        ck_assert_int_eq(children_of(getpid(), pids, 8), 4);
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq(count_sockets(pids[i]), sockets + 1);
        for (int i = 0; i < 4; i++)
            kill(pids[i], SIGKILL);
        for (int i = 0; i < 4; i++)
            await(!pid_exists(pids[i]));
        for (int i = 0; i < 4; i++)
            do_a_map(pools[i], 1);
    }
    for (int i = 0; i < 4; i++)
        close_and_free(pools[i]);
}
END_TEST

/* ---- 12: stopped */

START_TEST(stopped_worker_holds_up_nobody_else) {
    at_pool *pool = pool_of(2);
    at_result *stuck;
    pid_t pids[2];
    int value = 0;
    ok(at_apply_async(pool, wait_at_gate, 5, &stuck));
    await(numbers[1] == 1);
    await(at_pool_workers(pool, pids, 2) == 2);
    for (int i = 0; i < 2; i++)
        kill(pids[i], SIGSTOP);
    double begin = at_now();
    ck_assert_int_eq(at_result_get(stuck, &value, sizeof value, 0.2), -ETIMEDOUT);
    ck_assert_double_ge(at_now() - begin, 0.2 - ROUNDING);
    ck_assert_double_lt(at_now() - begin, 10);
    numbers[0] = 1;
    ck_assert_int_eq(at_result_get(stuck, &value, sizeof value, 0.2), -ETIMEDOUT);
    kill(pids[1], SIGCONT);
    kill(pids[0], SIGCONT);
    ok(at_result_get(stuck, &value, sizeof value, BOUND));
    ck_assert_int_eq(value, 5);
    at_result_free(stuck);
    for (int round = 0; round < 2; round++) { /* one idle worker stands still, the other does all */
        kill(pids[round], SIGSTOP);
        for (int i = 0; i < 10; i++)
            ck_assert_int_eq(at_apply(pool, wait_at_gate, i, &value), 0);
        kill(pids[round], SIGCONT);
        do_a_map(pool, 0);
    }
    kill(pids[0], SIGSTOP);
    kill(pids[1], SIGSTOP);
    ok(at_apply_async(pool, wait_at_gate, 5, &stuck));
    ok(at_pool_terminate(pool)); /* does not wait for the stopped */
    ck_assert_int_eq(outcome_of(stuck), -ECANCELED);
    at_pool_free(pool);
}
END_TEST

START_TEST(stopped_nursery_is_replaced) {
    at_pool *pool = pool_of(2);
    pid_t pids[2], stopped = nursery_pid();
    spawners = 1;
    await(at_pool_workers(pool, pids, 2) == 2);
    kill(stopped, SIGSTOP);
    do_a_map(pool, 0);
    kill(pids[0], SIGKILL);
    kill(pids[1], SIGKILL);
    do_a_map(pool, 0);
    ck_assert(!pid_exists(stopped));
    kill(nursery_pid(), SIGSTOP);
    double begin = at_now();
    ok(at_pool_terminate(pool));
    ck_assert_double_lt(at_now() - begin, 15); /* it is given 5 s to answer */
    at_pool_free(pool);
}
END_TEST

/* 13 */
START_TEST(eintr_storm_changes_nothing) {
    at_pool *pool = pool_of(2);
    at_result *result;
    storm_begin();
    for (int i = 0; i < 20; i++)
        do_a_map(pool, 0);
    ok(at_apply_async(pool, wait_at_gate, 5, &result));
    double begin = at_now();
    ck_assert_int_eq(at_result_get(result, NULL, 0, 0.3), -ETIMEDOUT);
    ck_assert_double_ge(at_now() - begin, 0.3 - ROUNDING);
    numbers[0] = 1;
    ck_assert_int_eq(outcome_of(result), 0);
    ok(at_pool_apply(pool, AT_JOB(work_a_little, some, 1, .timeout = at_seconds(BOUND)), NULL, NULL));
    close_and_free(pool);
    at_pool_free(pool_of(2));
    storm_end();
}
END_TEST

/* ---- 17: the owner's SIGCHLD */

static void lose_workers(at_pool *pool) {
    for (int round = 0; round < 5; round++) {
        pid_t pids[2];
        await(at_pool_workers(pool, pids, 2) == 2);
        kill(pids[0], SIGKILL);
        do_a_map(pool, 0);
    }
    pid_t nursery = nursery_pid(), other;
    kill(nursery, SIGKILL);
    await(children_of(getpid(), &other, 1) == 1 && other != nursery);
    do_a_map(pool, 2);
    close_and_free(pool);
}

START_TEST(sigchld_may_be_ignored) {
    signal(SIGCHLD, SIG_IGN);
    spawners = 1;
    lose_workers(pool_of(2));
    signal(SIGCHLD, SIG_DFL);
}
END_TEST

START_TEST(others_may_wait_for_all_children) {
    spawners = 1;
    at_set_fork_policy(AT_FORK_ALLOW);
    at_thread *thief = start_thief();
    lose_workers(pool_of(2));
    end_thief(thief);
}
END_TEST

/* ---- 7: the owner is killed */

static bool with_work;

static void own_a_pool(void) {
    at_pool *pool;
    at_check(at_pool_new(&pool, 4));
    for (int i = 0; i < 400; i++)
        some[i] = i;
    printf("%d", (int)nursery_pid());
    fflush(stdout);
    numbers[2] = 1;
    while (with_work)
        at_check(at_pool_map(pool, AT_JOB(work_a_little, some, 400, .chunksize = at_tasks(1)), NULL, NULL));
    at_sleep(300);
}

/* program_finish waits for all who have the owner's stdout. */
START_TEST(nothing_survives_the_owner) {
    char output[200];
    int names = count_entries("/dev/shm");
    for (int round = 0; round < 20; round++) {
        with_work = round % 2 == 1;
        numbers[2] = 0;
        struct program owner = program_start(own_a_pool);
        await(numbers[2] == 1);
        for (int i = 0; i < round; i++)
            nap(); /* some other moment of its work */
        kill(owner.pid, SIGKILL);
        ck_assert_int_eq(program_finish(owner, output, sizeof output), -SIGKILL);
        await(!pid_exists(atoi(output)));
    }
    ck_assert_int_eq(count_entries("/dev/shm"), names);
}
END_TEST

/* ---- the owner forks */

static int be_a_stranger(at_pool *pool, at_result *result) {
    long value = 0;
    size_t size;
    at_failure failure;
    require(at_pool_close(pool) == AT_ENOTMINE && at_pool_terminate(pool) == AT_ENOTMINE);
    require(at_pool_join(pool, 0) == AT_ENOTMINE && at_pool_workers(pool, NULL, 0) == AT_ENOTMINE);
    require(at_pool_failure(pool, &failure) == AT_ENOTMINE);
    require(at_apply(pool, square, 1, &value) == AT_ENOTMINE && at_map(pool, square, some, NULL) == AT_ENOTMINE);
    require(at_apply_async(pool, square, 1, NULL) == AT_ENOTMINE);
    require(at_imap(pool, square, some, NULL) == AT_ENOTMINE);
    require(at_result_get(result, NULL, 0, 0) == AT_ENOTMINE && at_result_wait(result, 0) == AT_ENOTMINE);
    require(at_result_next(result, NULL, NULL, 0) == AT_ENOTMINE && !at_result_ready(result));
    require(at_result_successful(result) == AT_ENOTMINE);
    require(at_result_outcome(result, 0, &size, &failure) == AT_ENOTMINE);
    at_result_free(result);
    at_pool_free(pool);
    at_pool *own = pool_of(2); /* it may have pools of its own */
    require(at_apply(own, square, 5, &value) == 0 && value == 25);
    at_pool_free(own);
    return 0;
}

START_TEST(forks_of_the_owner_have_no_part_in_its_pool) {
    at_pool *pool = pool_of(3);
    at_result *result;
    if (UNDER_ASAN || UNDER_TSAN)
        skip("the sanitizers' own locks do not survive a fork among threads");
    at_set_fork_policy(AT_FORK_ALLOW);
    for (int round = 0; round < 20; round++) {
        ok(at_pool_map_async(pool, AT_JOB(work_a_little, some, 400, .chunksize = at_tasks(1)), &result));
        pid_t child = fork();
        if (child == 0) {
            alarm((unsigned)BOUND);
            int error = be_a_stranger(pool, result);
            if (round % 2 == 0)
                exit(error); /* with all that a program does at its end */
            _exit(error);
        }
        ck_assert_int_eq(end_of(child), 0);
        ck_assert_int_eq(outcome_of(result), 0);
        do_a_map(pool, 0);
    }
    close_and_free(pool);
}
END_TEST

static at_pool *pool_of_a_thread;

static int make_a_pool(void *unused) {
    (void)unused;
    pool_of_a_thread = pool_of(2);
    return 0;
}

START_TEST(pool_outlives_the_thread_that_made_it) {
    spawners = 1;
    at_set_fork_policy(AT_FORK_ALLOW);
    at_thread *thread = at_thread_new(.target = make_a_pool);
    start(thread);
    join(thread);
    at_thread_free(thread);
    do_a_map(pool_of_a_thread, 0);
    lose_workers(pool_of_a_thread);
}
END_TEST

SUITE_WITH("pool_processes", begin_pools, end_pools, pool_goes_on_when_its_nursery_is_killed,
           tasks_in_hand_die_with_the_nursery, nursery_is_killed_while_others_ask_for_its_children,
           nurseries_of_several_pools_are_killed_at_once, stopped_worker_holds_up_nobody_else,
           stopped_nursery_is_replaced, eintr_storm_changes_nothing, sigchld_may_be_ignored,
           others_may_wait_for_all_children, nothing_survives_the_owner, forks_of_the_owner_have_no_part_in_its_pool,
           pool_outlives_the_thread_that_made_it)
