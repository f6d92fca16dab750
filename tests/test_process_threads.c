/*
 * test_process_threads.c: processes that are started among threads and by them (fault 23), and the spawner, the thread
 * that forks the children of all others.
 */
#include <pthread.h>

#include "processes.h"

/* ---- among threads, which may hold locks just then */

static _Atomic bool hammering;

static int hammer_the_runtime(void *unused) {
    (void)unused;
    while (atomic_load(&hammering)) {
        at_thread **threads;
        at_process **children;
        if (at_enumerate(&threads) >= 0)
            at_threads_free(threads);
        if (at_active_children(&children) >= 0)
            at_processes_free(children);
        at_thread *thread = at_thread_new(.target = do_nothing);
        if (at_thread_start(thread) == 0 && at_thread_join(thread, AT_FOREVER) != 0)
            return -EINVAL;
        at_thread_free(thread);
    }
    return 0;
}

/* What needs each of the runtime's locks. */
static int use_the_runtime(void *unused) {
    (void)unused;
    int code = 5;
    if (at_active_count() != 1)
        return 1;
    at_thread *thread = at_thread_new(.target = do_nothing);
    if (at_thread_start(thread) < 0 || at_thread_join(thread, AT_FOREVER) < 0)
        return 2;
    at_thread_free(thread);
    at_process *process = at_process_new(.target = return_arg, AT_COPY(code));
    if (at_process_start(process) < 0 || at_process_join(process, AT_FOREVER) < 0 ||
        at_process_exitcode(process, &code) < 0)
        return 3;
    at_process_free(process);
    return code == 5 ? 42 : 4;
}

START_TEST(children_forked_among_busy_threads_can_use_the_runtime) {
    at_thread *threads[3];
    if (UNDER_TSAN || UNDER_ASAN)
        skip("the sanitizers' own locks, unlike glibc's and ours, do not survive a fork among threads");
    atomic_store(&hammering, true);
    at_set_fork_policy(AT_FORK_ALLOW);
    for (int i = 0; i < 3; i++) {
        threads[i] = at_thread_new(.target = hammer_the_runtime);
        ok(at_thread_start(threads[i]));
    }
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(finish(started(.target = use_the_runtime)), 42);
    atomic_store(&hammering, false);
    for (int i = 0; i < 3; i++) {
        ok(at_thread_join(threads[i], 20));
        at_thread_free(threads[i]);
    }
}
END_TEST

static int start_children(void *unused) {
    (void)unused;
    int code = 3, got = 0;
    for (int i = 0; i < 20; i++) {
        at_process *process = at_process_new(.target = return_arg, AT_COPY(code));
        if (at_process_start(process) < 0 || at_process_join(process, 20) < 0 ||
            at_process_exitcode(process, &got) < 0 || got != 3)
            return -EINVAL;
        at_process_free(process);
    }
    return 0;
}

START_TEST(many_threads_start_processes_side_by_side) {
    at_thread *threads[6];
    if (UNDER_ASAN)
        skip("AddressSanitizer's allocator does not survive a fork among threads");
    at_set_fork_policy(AT_FORK_ALLOW);
    at_set_excepthook(count_failure);
    for (int i = 0; i < 6; i++) {
        threads[i] = at_thread_new(.target = start_children);
        ok(at_thread_start(threads[i]));
    }
    ck_assert_int_eq(start_children(NULL), 0);
    for (int i = 0; i < 6; i++) {
        ok(at_thread_join(threads[i], 60));
        at_thread_free(threads[i]);
    }
    ck_assert_int_eq(atomic_load(&failures), 0);
    ck_assert_int_eq(count_children(), 0);
}
END_TEST

static int sleep_forever(void *unused) {
    return wait_forever(unused);
}

static void start_two_among_threads(void) {
    at_check(at_thread_start(at_thread_new(.target = sleep_forever, .daemon = true)));
    for (int i = 0; i < 2; i++) {
        at_process *process = at_process_new(.target = do_nothing, .name = "child");
        at_check(at_process_start(process));
        at_check(at_process_join(process, AT_FOREVER));
    }
    at_set_fork_policy(AT_FORK_REFUSE);
    at_process *refused = at_process_new(.target = do_nothing);
    if (at_process_start(refused) == AT_ETHREADS)
        printf("refused");
    at_process_free(refused);
}

START_TEST(fork_among_threads_warns_once_or_refuses) {
    char output[600];
    ck_assert_int_eq(run_program(start_two_among_threads, output, sizeof output), 0);
    static const char *const WARNING = "atelier: process \"child\": start by fork while 1 other thread runs";
    ck_assert_str_eq(output + strlen(output) - strlen("refused"), "refused");
    ck_assert_int_eq(strncmp(output, WARNING, strlen(WARNING)), 0);
    ck_assert_ptr_null(strstr(output + 1, "atelier:"));
}
END_TEST

/* ---- by threads: the spawner */

static int run_a_child(void *target) {
    return code_of_child(at_process_new(.target = *(at_target **)target)) == 0 ? 0 : -EIO;
}

/* Runs a process with this target, started by a thread; 0 when it returned 0. */
static int run_by_a_thread(at_target *target) {
    at_set_fork_policy(AT_FORK_ALLOW);
    at_set_excepthook(count_failure);
    at_thread *thread = at_thread_new(.target = run_a_child, .arg = &target);
    if (at_thread_start(thread) < 0 || at_thread_join(thread, BOUND) < 0)
        return 1;
    at_thread_free(thread);
    return atomic_load(&failures) != 0;
}

static int run_one_more_by_a_thread(void *unused) {
    (void)unused;
    return run_by_a_thread(do_nothing);
}

START_TEST(child_of_a_thread_starts_children_from_its_threads) {
    if (UNDER_TSAN || UNDER_ASAN)
        skip("the sanitizers' own locks, unlike glibc's and ours, do not survive a fork among threads");
    ck_assert_int_eq(run_by_a_thread(run_one_more_by_a_thread), 0);
    ck_assert_int_eq(finish(started(.target = run_one_more_by_a_thread)), 0);
}
END_TEST

/* A thread that has it not blocked would take it, and end all. */
START_TEST(signals_are_not_for_the_spawner) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    ck_assert_int_eq(run_by_a_thread(do_nothing), 0);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    kill(getpid(), SIGUSR1);
    ck_assert_int_eq(sigtimedwait(&signals, NULL, &(struct timespec){.tv_sec = 20}), SIGUSR1);
}
END_TEST

START_TEST(spawner_is_no_other_thread) {
    ck_assert_int_eq(run_by_a_thread(do_nothing), 0);
    at_set_fork_policy(AT_FORK_REFUSE);
    ck_assert_int_eq(finish(started(.target = do_nothing)), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("process_threads");
    TCase *cases = tcase_create("process_threads");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, children_forked_among_busy_threads_can_use_the_runtime);
    tcase_add_test(cases, many_threads_start_processes_side_by_side);
    tcase_add_test(cases, fork_among_threads_warns_once_or_refuses);
    tcase_add_test(cases, child_of_a_thread_starts_children_from_its_threads);
    tcase_add_test(cases, signals_are_not_for_the_spawner);
    tcase_add_test(cases, spawner_is_no_other_thread);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
