/* test_thread_exit.c: what becomes of threads when the program ends: case 9, and the default excepthook of case 12. */
#include <pthread.h>
#include <stdatomic.h>

#include "watch.h"

/* A daemon may have been stopped between a start and its join. */
SANITIZER_OPTIONS("", "report_thread_leaks=0 atexit_sleep_ms=0")

/* Each body below is a program of its own; what it prints and its status are looked at. */
static char output[4096];

static void say(const char *line) {
    ssize_t written =
        write(STDOUT_FILENO, line, strlen(line)); /* not by stdio: whether exit flushes is not the question */
    (void)written;
}

static sem_t main_has_returned;

/* Registered after a thread has been started, so it runs before that thread is joined. */
static void tell_that_main_has_returned(void) {
    say("main has returned\n");
    sem_post(&main_has_returned);
}

static int work_on_after_main(void *unused) {
    (void)unused;
    door_wait(&main_has_returned);
    at_sleep(0.05);
    say("the thread has ended\n");
    return 0;
}

static void leave_a_thread_running(void) {
    sem_init(&main_has_returned, 0, 0);
    at_thread *thread = at_thread_new(.target = work_on_after_main);
    start(thread);
    atexit(tell_that_main_has_returned);
    at_thread_free(thread);
}

START_TEST(program_waits_for_its_threads) { /* case 9 (test_1_join_on_shutdown) */
    ck_assert_int_eq(run_program(leave_a_thread_running, output, sizeof output), 0);
    ck_assert_str_eq(output, "main has returned\nthe thread has ended\n");
}
END_TEST

static void leave_and_exit_3(void) {
    leave_a_thread_running();
    exit(3);
}

START_TEST(exit_status_survives_the_wait) { /* case 9 */
    ck_assert_int_eq(run_program(leave_and_exit_3, output, sizeof output), 3);
    ck_assert_str_eq(output, "main has returned\nthe thread has ended\n");
}
END_TEST

static int start_another(void *unused) {
    (void)unused;
    door_wait(&main_has_returned);
    sem_post(&main_has_returned);
    at_thread *thread = at_thread_new(.target = work_on_after_main);
    start(thread);
    at_thread_free(thread);
    return 0;
}

static void leave_a_thread_that_starts_another(void) {
    sem_init(&main_has_returned, 0, 0);
    at_thread *thread = at_thread_new(.target = start_another);
    start(thread);
    atexit(tell_that_main_has_returned);
    at_thread_free(thread);
}

START_TEST(program_waits_for_threads_that_are_started_meanwhile) { /* case 9 (test_threads_join) */
    ck_assert_int_eq(run_program(leave_a_thread_that_starts_another, output, sizeof output), 0);
    ck_assert_str_eq(output, "main has returned\nthe thread has ended\n");
}
END_TEST

static __attribute__((noreturn)) int wait_for_good(void *inside) {
    sem_post(inside);
    for (;;)
        pause();
}

static void leave_a_daemon_running(void) {
    static sem_t inside;
    sem_init(&inside, 0, 0);
    at_thread *daemon = at_thread_new(.target = wait_for_good, .arg = &inside, .daemon = true);
    start(daemon);
    at_thread_free(daemon);
    door_wait(&inside);
    say("main has returned\n");
}

START_TEST(program_does_not_wait_for_daemons) { /* case 9 (test_4_daemon_threads) */
    ck_assert_int_eq(run_program(leave_a_daemon_running, output, sizeof output), 0);
    ck_assert_str_eq(output, "main has returned\n");
}
END_TEST

static __attribute__((noreturn)) int use_the_library(void *unused) {
    (void)unused;
    for (;;) {
        at_thread **threads;
        at_thread *thread = at_thread_new(.target = return_arg, .arg = &(int){0}, .daemon = true);
        if (at_thread_start(thread) == 0)
            ok(at_thread_join(thread, AT_FOREVER));
        at_thread_free(thread);
        if (at_enumerate(&threads) >= 0)
            at_threads_free(threads);
    }
}

static void leave_busy_daemons(void) {
    for (int i = 0; i < 3; i++) {
        at_thread *daemon = at_thread_new(.target = use_the_library, .daemon = true);
        start(daemon);
        at_thread_free(daemon);
    }
    await(at_active_count() > 4);
}

START_TEST(daemons_may_use_the_library_while_the_program_ends) { /* case 9 */
    for (int round = 0; round < 20; round++) {
        ck_assert_int_eq(run_program(leave_busy_daemons, output, sizeof output), 0);
        ck_assert_str_eq(output, "");
    }
}
END_TEST

static void end_main_alone(void) {
    leave_a_thread_running();
    sem_post(&main_has_returned);
    end_main_thread();
}

START_TEST(main_may_end_by_pthread_exit) { /* case 9 */
    if (UNDER_ASAN || UNDER_TSAN)
        skip("a sanitizer does not outlive the main thread");
    ck_assert_int_eq(run_program(end_main_alone, output, sizeof output), 0);
    ck_assert_str_eq(output, "the thread has ended\nmain has returned\n");
}
END_TEST

static struct door exit_door;

static int exit_from_thread(void *unused) {
    (void)unused;
    door_wait(&exit_door.open);
    exit(5);
}

static void exit_while_another_works(void) {
    leave_a_thread_running();
    door_init(&exit_door);
    sem_post(&exit_door.open);
    at_thread *thread = at_thread_new(.target = exit_from_thread);
    start(thread);
    pause();
}

START_TEST(exit_in_a_thread_waits_for_the_others) { /* case 9; main and the thread that exits cannot be waited for */
    ck_assert_int_eq(run_program(exit_while_another_works, output, sizeof output), 5);
    ck_assert_str_eq(output, "main has returned\nthe thread has ended\n");
}
END_TEST

static _Atomic pid_t joiner;

static int join_thread(void *thread) {
    joiner = gettid();
    return at_thread_join(thread, AT_FOREVER);
}

static void exit_while_another_joins_and_one_works(void) {
    door_init(&exit_door);
    at_thread *exiting = at_thread_new(.target = exit_from_thread);
    at_thread *joining = at_thread_new(.target = join_thread, .arg = exiting);
    start(exiting);
    start(joining);
    await(joiner != 0 && is_blocked(getpid(), joiner));
    leave_a_thread_running();
    sem_post(&exit_door.open);
    pause();
}

START_TEST(exit_in_a_thread_that_is_being_joined_still_waits_for_the_others) { /* case 9 */
    ck_assert_int_eq(run_program(exit_while_another_joins_and_one_works, output, sizeof output), 5);
    ck_assert_str_eq(output, "main has returned\nthe thread has ended\n");
}
END_TEST

/* ---- case 12: what is printed about a thread that fails (ExceptHookTests, test_excepthook) */

static int run_out_of_space(void *unused) {
    (void)unused;
    return -ENOSPC;
}

static void leave_a_failing_thread(void) {
    at_thread *thread = at_thread_new(.target = run_out_of_space, .name = "Artist A");
    start(thread);
    join(thread);
    ck_assert_int_eq(at_thread_join(thread, AT_FOREVER), 0);
    at_thread_free(thread);
}

START_TEST(failing_thread_is_reported_once_and_the_program_goes_on) { /* case 12 */
    ck_assert_int_eq(run_program(leave_a_failing_thread, output, sizeof output), 0);
    ck_assert_str_eq(output, "Exception in thread Artist A: No space left on device\n");
}
END_TEST

SUITE("thread_exit", program_waits_for_its_threads, exit_status_survives_the_wait,
      program_waits_for_threads_that_are_started_meanwhile, program_does_not_wait_for_daemons,
      daemons_may_use_the_library_while_the_program_ends, main_may_end_by_pthread_exit,
      exit_in_a_thread_waits_for_the_others, exit_in_a_thread_that_is_being_joined_still_waits_for_the_others,
      failing_thread_is_reported_once_and_the_program_goes_on)
