/* test_process_end.c: how a process and its children end: at exit, with the parent, with the thread that started. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "children.h"
#include "support.h"

static struct wire wire; /* between a test and the programs that it runs */

static int say_and_wait(void *word) {
    wire_put(wire, *(char *)word);
    return wait_forever(NULL);
}

static int work_and_print(void *unused) {
    (void)unused;
    at_work(1);
    printf("painted ");
    return 0;
}

/* ---- case 24: at the parent's exit */

static void leave_a_child_at_work(void) {
    at_process *process = at_process_new(.target = work_and_print);
    at_check(at_process_start(process));
    at_process_free(process);
    printf("main ends ");
    fflush(stdout);
}

START_TEST(children_are_joined_at_exit) {
    char output[100];
    ck_assert_int_eq(run_program(leave_a_child_at_work, output, sizeof output), 0);
    ck_assert_str_eq(output, "main ends painted ");
}
END_TEST

static int ignore_sigterm(void *unused) {
    (void)unused;
    signal(SIGTERM, SIG_IGN);
    wire_put(wire, 'i');
    return wait_forever(NULL);
}

static void leave_daemons(void) {
    at_check(at_process_start(at_process_new(.target = say_and_wait, .arg = "d", .daemon = true)));
    at_check(at_process_start(at_process_new(.target = ignore_sigterm, .daemon = true)));
    wire_get(wire);
    wire_get(wire);
}

/* run_program returns only once every process that has its output has ended. */
START_TEST(daemons_are_ended_at_exit_even_if_they_ignore_sigterm) {
    char output[100];
    wire = wire_new();
    ck_assert_int_eq(run_program(leave_daemons, output, sizeof output), 0);
    ck_assert_str_eq(output, "");
}
END_TEST

static int leave_grandchildren(void *unused) {
    (void)unused;
    leave_a_child_at_work();
    leave_daemons();
    return 0;
}

static void leave_children_that_leave_children(void) {
    at_check(at_process_start(at_process_new(.target = leave_grandchildren)));
}

START_TEST(the_same_holds_at_the_end_of_a_child) {
    char output[100];
    wire = wire_new();
    ck_assert_int_eq(run_program(leave_children_that_leave_children, output, sizeof output), 0);
    ck_assert_ptr_nonnull(strstr(output, "main ends "));
    ck_assert_ptr_nonnull(strstr(output, "painted "));
}
END_TEST

static void say_parent(void) {
    printf("atexit of the parent ");
}

static void say_child(void) {
    printf("atexit of the child ");
}

static int register_and_exit(void *by_exit) {
    atexit(say_child);
    if (*(bool *)by_exit)
        exit(0);
    return 0;
}

static void run_atexit_functions(void) {
    atexit(say_parent);
    for (int i = 0; i < 2; i++) {
        bool by_exit = i;
        at_process *process = at_process_new(.target = register_and_exit, AT_COPY(by_exit));
        at_check(at_process_start(process));
        at_check(at_process_join(process, AT_FOREVER));
        at_process_free(process);
    }
}

START_TEST(each_process_runs_its_own_atexit_functions) {
    char output[200];
    ck_assert_int_eq(run_program(run_atexit_functions, output, sizeof output), 0);
    ck_assert_str_eq(output, "atexit of the child atexit of the child atexit of the parent ");
}
END_TEST

/* ---- fault 7: the parent is killed */

static int start_deeper(void *unused) {
    (void)unused;
    at_check(at_process_start(at_process_new(.target = say_and_wait, .arg = "2")));
    return wait_forever(NULL);
}

static int start_from_a_thread(void *unused) {
    (void)unused;
    return at_process_start(at_process_new(.target = say_and_wait, .arg = "3"));
}

static void start_family(void) {
    at_check(at_zygote_start());
    at_check(at_process_start(at_process_new(.target = say_and_wait, .arg = "1")));
    at_check(at_process_start(at_process_new(.target = start_deeper)));
    at_check(at_process_start(at_process_new(.target = say_and_wait, .arg = "4", .start_method = AT_START_ZYGOTE)));
    at_check(at_thread_start(at_thread_new(.target = start_from_a_thread)));
    wait_forever(NULL);
}

START_TEST(killed_parent_takes_all_its_descendants_with_it) {
    char output[300];
    wire = wire_new();
    struct program program = program_start(start_family);
    for (int i = 0; i < 4; i++)
        ck_assert_int_ne(wire_get(wire), 0);
    kill(program.pid, SIGKILL);
    /* It ends only when the last of them has ended, as each holds the output. */
    ck_assert_int_eq(program_finish(program, output, sizeof output), -SIGKILL);
}
END_TEST

static int see_the_parent_die(void *unused) {
    (void)unused;
    at_process *parent = at_parent_process();
    bool alive_before = at_process_is_alive(parent);
    wire_put(wire, 'r');
    int error = at_process_join(parent, 20);
    wire_put(wire, alive_before && error == 0 && !at_process_is_alive(parent) ? 'y' : 'n');
    return 0;
}

static void start_one_that_outlives(void) {
    at_check(at_process_start(at_process_new(.target = see_the_parent_die, .outlives_parent = true)));
    wait_forever(NULL);
}

/* Case 25 (test_parent_process). */
START_TEST(child_that_outlives_its_parent_sees_it_die) {
    char output[100];
    wire = wire_new();
    struct program program = program_start(start_one_that_outlives);
    ck_assert_int_eq(wire_get(wire), 'r');
    kill(program.pid, SIGKILL);
    ck_assert_int_eq(wire_get(wire), 'y');
    ck_assert_int_eq(program_finish(program, output, sizeof output), -SIGKILL);
}
END_TEST

static int describe_parent(void *pid) {
    at_process *parent = at_parent_process();
    int code;
    return strcmp(at_process_name(parent), "MainProcess") == 0 && at_process_pid(parent) == *(pid_t *)pid &&
                   at_process_is_alive(parent) && at_process_kill(parent) == AT_ENOTCHILD &&
                   at_process_exitcode(parent, &code) == AT_ENOTCHILD && at_process_close(parent) == AT_ENOTCHILD &&
                   at_process_join(parent, 0) == -ETIMEDOUT && at_parent_process() == parent
               ? 42
               : 1;
}

START_TEST(parent_process_describes_the_parent) {
    pid_t pid = getpid();
    ck_assert_ptr_null(at_parent_process());
    ck_assert_int_eq(finish(started(.target = describe_parent, AT_COPY(pid))), 42);
}
END_TEST

/* ---- fault 26: the thread that started it ends */

static at_process *started_by_thread;

static int start_in_thread(void *unused) {
    (void)unused;
    started_by_thread = at_process_new(.target = wait_forever);
    return at_process_start(started_by_thread);
}

START_TEST(child_survives_the_thread_that_started_it) {
    at_thread *thread = at_thread_new(.target = start_in_thread);
    ok(at_thread_start(thread));
    ok(at_thread_join(thread, 20));
    at_thread_free(thread);
    ck_assert(at_process_is_alive(started_by_thread));
    ck_assert_int_eq(at_process_join(started_by_thread, 0.2), -ETIMEDOUT);
    ok(at_process_kill(started_by_thread));
    ck_assert_int_eq(finish(started_by_thread), -SIGKILL);
}
END_TEST

static int print_after_main(void *unused) {
    (void)unused;
    wire_get(wire); /* nobody is left to write once the main thread has closed its end */
    at_work(0.5);
    printf("painted ");
    return 0;
}

static int close_and_print(void *unused) {
    close(wire.write);
    return print_after_main(unused);
}

static void end_the_main_thread(void) {
    at_check(at_process_start(at_process_new(.target = close_and_print)));
    close(wire.write);
    printf("main thread ends ");
    fflush(stdout);
    end_main_thread();
}

START_TEST(child_survives_pthread_exit_in_main) {
    char output[100];
    if (UNDER_TSAN)
        skip("ThreadSanitizer's own thread keeps a process alive after pthread_exit in main");
    wire = wire_new();
    struct program program = program_start(end_the_main_thread);
    close(wire.write);
    ck_assert_int_eq(program_finish(program, output, sizeof output), 0);
    ck_assert_str_eq(output, "main thread ends painted ");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("process_end");
    TCase *cases = tcase_create("process_end");
    tcase_set_timeout(cases, 30);
    tcase_add_test(cases, children_are_joined_at_exit);
    tcase_add_test(cases, daemons_are_ended_at_exit_even_if_they_ignore_sigterm);
    tcase_add_test(cases, the_same_holds_at_the_end_of_a_child);
    tcase_add_test(cases, each_process_runs_its_own_atexit_functions);
    tcase_add_test(cases, killed_parent_takes_all_its_descendants_with_it);
    tcase_add_test(cases, child_that_outlives_its_parent_sees_it_die);
    tcase_add_test(cases, parent_process_describes_the_parent);
    tcase_add_test(cases, child_survives_the_thread_that_started_it);
    tcase_add_test(cases, child_survives_pthread_exit_in_main);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
