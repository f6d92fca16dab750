/*
 * test_process_exit.c: for whom a process waits when it ends: its threads, and not those children that may outlive it;
 * and that daemons can heed SIGTERM. More of this is in test_process_end.c.
 */
#include <poll.h>
#include <pthread.h>

#include "processes.h"

static struct wire wire, go; /* a child puts its word on the first, and waits for the second */

/* ---- threads */

static int write_later(void *unused) {
    (void)unused;
    at_work(0.2);
    wire_put(wire, 'x');
    return 0;
}

static int leave_a_thread_behind(void *unused) {
    (void)unused;
    at_thread *thread = at_thread_new(.target = write_later);
    int error = at_thread_start(thread);
    at_thread_free(thread);
    return error;
}

/* Case 28, first part (test_wait_for_threads). */
START_TEST(child_waits_for_its_threads) {
    wire = wire_new();
    at_process *process = started(.target = leave_a_thread_behind);
    close(wire.write);
    ck_assert_int_eq(finish(process), 0);
    ck_assert_int_eq(wire_get(wire), 'x');
}
END_TEST

static int speak_late(void *unused) {
    (void)unused;
    wire_get(go);
    wire_put(wire, 'l');
    return 0;
}

static int leave_a_thread(void *unused) {
    (void)unused;
    return at_thread_start(at_thread_new(.target = speak_late));
}

START_TEST(child_waits_for_its_threads_though_its_parent_had_some) {
    wire = wire_new();
    go = wire_new();
    at_thread *thread = at_thread_new(.target = do_nothing);
    start(thread);
    join(thread);
    at_thread_free(thread);
    at_process *process = started(.target = leave_a_thread);
    ck_assert_int_eq(at_process_join(process, 0.2), -ETIMEDOUT);
    wire_put(go, 'g');
    ck_assert_int_eq(finish(process), 0);
    close(wire.write);
    ck_assert_int_eq(wire_get(wire), 'l');
}
END_TEST

static void *wait_for_the_other_end(void *unused) {
    (void)unused;
    wire_get(go);
    return NULL;
}

static void end_main_with_a_foreign_thread(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_the_other_end, NULL);
    at_set_fork_policy(AT_FORK_ALLOW);
    at_check(at_process_start(at_process_new(.target = speak_late)));
    close(wire.write);
    end_main_thread();
}

START_TEST(child_survives_pthread_exit_in_main_while_threads_go_on) {
    char output[100];
    if (UNDER_TSAN)
        skip("ThreadSanitizer's own thread keeps a process alive after pthread_exit in main");
    wire = wire_new();
    go = wire_new();
    struct program program = program_start(end_main_with_a_foreign_thread);
    close(wire.write);
    struct pollfd word_or_end = {.fd = wire.read, .events = POLLIN};
    ck_assert_int_eq(poll(&word_or_end, 1, 300), 0); /* killed, it would leave the pipe without a writer */
    wire_put(go, 'g');
    wire_put(go, 'g');
    ck_assert_int_eq(wire_get(wire), 'l');
    ck_assert_int_eq(program_finish(program, output, sizeof output), 0);
}
END_TEST

/* ---- children */

static int wait_for_the_end_of_the_wire(void *unused) {
    (void)unused;
    char byte;
    close(go.write);
    wire_put(wire, 'r');
    while (read(go.read, &byte, 1) < 0)
        require(errno == EINTR);
    return 0;
}

static void leave_one_that_outlives(void) {
    at_process *process = at_process_new(.target = wait_for_the_end_of_the_wire, .outlives_parent = true);
    at_check(at_process_start(process));
    wire_get(wire);
}

static bool has_ended(pid_t pid) {
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid == pid;
}

START_TEST(exit_does_not_wait_for_one_that_outlives) {
    char output[100];
    wire = wire_new();
    go = wire_new();
    struct program program = program_start(leave_one_that_outlives);
    await(has_ended(program.pid));
    close(go.write);
    ck_assert_int_eq(program_finish(program, output, sizeof output), 0);
}
END_TEST

static void tell_and_end(int number) {
    (void)number;
    wire_put(wire, 't');
    _exit(0);
}

static int heed_sigterm(void *unused) {
    signal(SIGTERM, tell_and_end);
    wire_put(wire, 'r');
    return wait_forever(unused);
}

static void leave_a_heedful_daemon(void) {
    at_check(at_process_start(at_process_new(.target = heed_sigterm, .daemon = true)));
    wire_get(wire);
}

START_TEST(daemon_is_told_before_it_is_killed) {
    char output[100];
    wire = wire_new();
    ck_assert_int_eq(run_program(leave_a_heedful_daemon, output, sizeof output), 0);
    close(wire.write);
    ck_assert_int_eq(wire_get(wire), 't');
}
END_TEST

SUITE("process_exit", child_waits_for_its_threads, child_waits_for_its_threads_though_its_parent_had_some,
      child_survives_pthread_exit_in_main_while_threads_go_on, exit_does_not_wait_for_one_that_outlives,
      daemon_is_told_before_it_is_killed)
