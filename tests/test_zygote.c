/* test_zygote.c: children by way of the zygote: small, free of the parent's locks, and with the same promises. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "children.h"
#include "support.h"

static struct wire wire;

#define by_zygote(...) started(.start_method = AT_START_ZYGOTE, __VA_ARGS__)

static int say_and_wait(void *unused) {
    wire_put(wire, 'x');
    return wait_forever(unused);
}

START_TEST(exit_codes_and_signals_come_back) {
    ok(at_zygote_start());
    for (int code = 0; code < 256; code += 51)
        ck_assert_int_eq(finish(by_zygote(.target = return_arg, AT_COPY(code))), code);
    at_process *process = by_zygote(.target = wait_forever);
    ck_assert(at_process_is_alive(process));
    ck_assert_int_eq(at_process_join(process, 0.02), -ETIMEDOUT);
    ok(at_process_terminate(process));
    ck_assert_int_eq(exitcode_of(process), -SIGTERM);
    ok(at_process_terminate(process)); /* nothing happens */
    ok(at_process_close(process));
    ck_assert_int_eq(at_process_join(process, 0), AT_ECLOSED);
    at_process_free(process);
}
END_TEST

START_TEST(needs_a_zygote_and_one_is_enough) {
    at_process *process = at_process_new(.target = wait_forever, .start_method = AT_START_ZYGOTE);
    ck_assert_int_eq(at_process_start(process), AT_ENOZYGOTE);
    ok(at_zygote_start());
    int children = count_children();
    ok(at_zygote_start());
    ck_assert_int_eq(count_children(), children);
    ok(at_process_start(process)); /* the handle is as good as before */
    ok(at_process_kill(process));
    ck_assert_int_eq(finish(process), -SIGKILL);
    at_zygote_stop();
    at_zygote_stop();
    ck_assert_int_eq(count_children(), 0);
}
END_TEST

static int wait_on_wire(void *unused) {
    (void)unused;
    wire_get(wire);
    return 0;
}

START_TEST(must_come_before_any_thread) {
    wire = wire_new();
    at_thread *thread = at_thread_new(.target = wait_on_wire);
    ok(at_thread_start(thread));
    ck_assert_int_eq(at_zygote_start(), AT_ETHREADS);
    wire_put(wire, 'x');
    ok(at_thread_join(thread, 20));
    at_thread_free(thread);
    ok(at_zygote_start());
}
END_TEST

static int look_around(void *number) {
    at_process *parent = at_parent_process();
    return *(int *)number == 7 && at_process_pid(parent) != getppid() && at_process_is_alive(parent) &&
                   strcmp(at_process_name(parent), "MainProcess") == 0 && at_active_count() == 1 &&
                   (UNDER_TSAN || count_threads() == 1)
               ? 42
               : 1;
}

START_TEST(child_has_a_copy_of_the_argument_and_knows_its_parent) {
    int number = 7;
    ok(at_zygote_start());
    at_process *process = at_process_new(.target = look_around, AT_COPY(number), .start_method = AT_START_ZYGOTE);
    number = 8;
    ok(at_process_start(process));
    ck_assert_int_eq(finish(process), 42);
    static char large[64 * 1024 + 1];
    process = at_process_new(.target = look_around, AT_COPY(large), .start_method = AT_START_ZYGOTE);
    ck_assert_int_eq(at_process_start(process), -E2BIG);
    at_process_free(process);
    process = at_process_new(.target = wait_forever, .arg = large, .arg_size = sizeof large - 1,
                             .start_method = AT_START_ZYGOTE);
    ok(at_process_start(process));
    ok(at_process_kill(process));
    ck_assert_int_eq(finish(process), -SIGKILL);
}
END_TEST

static at_lock *lock;

static int take_the_lock(void *unused) {
    (void)unused;
    int error = at_lock_acquire(lock, 5);
    return error == 0 ? 42 : 1;
}

static int hold_the_lock(void *unused) {
    (void)unused;
    at_check(at_lock_acquire(lock, AT_FOREVER));
    wire_put(wire, 'h');
    return wait_forever(NULL);
}

/* Fault 23: a fork would copy the held lock; the zygote has it as it was. */
START_TEST(child_does_not_inherit_a_held_lock) {
    wire = wire_new();
    lock = at_lock_new();
    ok(at_zygote_start());
    ok(at_thread_start(at_thread_new(.target = hold_the_lock, .daemon = true)));
    ck_assert_int_eq(wire_get(wire), 'h');
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(finish(by_zygote(.target = take_the_lock)), 42);
}
END_TEST

/* Fault 17: nobody can steal a grandchild. */
START_TEST(status_survives_an_ignored_sigchld) {
    int code = 7;
    ok(at_zygote_start());
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(finish(by_zygote(.target = return_arg, AT_COPY(code))), 7);
}
END_TEST

/* The only child of this process. */
static pid_t zygote_pid(void) {
    char path[64];
    int pid = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%d", &pid), 1);
    fclose(file);
    return pid;
}

START_TEST(killed_zygote_is_an_error_and_can_be_replaced) {
    int code = 0;
    wire = wire_new();
    ok(at_zygote_start());
    at_process *process = by_zygote(.target = say_and_wait);
    ck_assert_int_eq(wire_get(wire), 'x');
    kill(zygote_pid(), SIGKILL);
    int error = at_process_join(process, 20); /* the child dies with the zygote */
    if (error != -ECHILD) {                   /* before Linux 6.15 nobody knows how */
        ck_assert_int_eq(error, 0);
        ok(at_process_exitcode(process, &code));
        ck_assert_int_eq(code, -SIGKILL);
    }
    at_process_free(process);
    process = at_process_new(.target = return_arg, AT_COPY(code), .start_method = AT_START_ZYGOTE);
    ck_assert_int_eq(at_process_start(process), AT_ENOZYGOTE);
    ok(at_zygote_start());
    ok(at_process_start(process));
    finish(process);
}
END_TEST

START_TEST(stop_ends_its_children_too) {
    wire = wire_new();
    ok(at_zygote_start());
    at_process *process = by_zygote(.target = say_and_wait);
    ck_assert_int_eq(wire_get(wire), 'x');
    pid_t pid = at_process_pid(process);
    at_zygote_stop();
    int error = at_process_join(process, 20);
    ck_assert(error == 0 || error == -ECHILD);
    ck_assert(!pid_exists(pid));
    at_process_free(process);
}
END_TEST

static int mark(void *unused) {
    (void)unused;
    wire_put(wire, 'm');
    return 0;
}

/* Fault 15: a descriptor for which there is no room is dropped by the kernel; then nothing has run. */
START_TEST(no_descriptor_left_means_no_child) {
    wire = wire_new();
    ok(at_zygote_start());
    int zero = 0, fds[64], count = 0;
    finish(by_zygote(.target = return_arg, AT_COPY(zero)));
    int before = count_fds();
    struct rlimit limit, few = {.rlim_cur = 40, .rlim_max = 40};
    getrlimit(RLIMIT_NOFILE, &limit);
    few.rlim_max = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &few);
    while ((fds[count] = dup(wire.read)) >= 0)
        count++;
    at_process *process = at_process_new(.target = mark, .start_method = AT_START_ZYGOTE);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(at_process_start(process), -EMFILE);
    close(fds[--count]);
    ok(at_process_start(process));
    ck_assert_int_eq(exitcode_of(process), 0);
    at_process_free(process);
    while (count > 0)
        close(fds[--count]);
    setrlimit(RLIMIT_NOFILE, &limit);
    close(wire.write);
    ck_assert_int_eq(wire_get(wire), 'm'); /* the one that was started, and none of the five */
    at_zygote_stop();
    ck_assert_int_eq(wire_get(wire), 0);
    ck_assert_int_eq(count_fds(), before - 3);
}
END_TEST

static int start_by_zygote(void *unused) {
    (void)unused;
    int code = 5, got = 0;
    for (int i = 0; i < 30; i++) {
        at_process *process = at_process_new(.target = return_arg, AT_COPY(code), .start_method = AT_START_ZYGOTE);
        if (at_process_start(process) < 0 || at_process_join(process, 20) < 0 ||
            at_process_exitcode(process, &got) < 0 || got != 5)
            at_fatal("a child by the zygote went wrong");
        at_process_free(process);
    }
    return 0;
}

START_TEST(threads_share_the_zygote) {
    at_thread *threads[4];
    ok(at_zygote_start());
    for (int i = 0; i < 4; i++) {
        threads[i] = at_thread_new(.target = start_by_zygote);
        ok(at_thread_start(threads[i]));
    }
    for (int i = 0; i < 4; i++) {
        ok(at_thread_join(threads[i], 60));
        at_thread_free(threads[i]);
    }
    ck_assert_int_eq(count_children(), 1);
}
END_TEST

START_TEST(thousand_starts_leave_nothing) {
    int code = 0;
    ok(at_zygote_start());
    finish(by_zygote(.target = return_arg, AT_COPY(code)));
    int fds = count_fds();
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)zygote_pid());
    int zygote_fds = count_entries(path);
    for (int i = 0; i < 1000; i++)
        finish(by_zygote(.target = return_arg, AT_COPY(code)));
    ck_assert_int_eq(count_fds(), fds);
    ck_assert_int_eq(count_entries(path), zygote_fds);
    at_zygote_stop();
    ck_assert_int_eq(count_children(), 0);
    ck_assert_int_eq(count_fds(), fds - 2);
}
END_TEST

static void start_by_zygote_and_get_interrupted(void) {
    setpgid(0, 0);
    signal(SIGINT, SIG_IGN); /* as a server that drains would */
    at_check(at_zygote_start());
    kill(0, SIGINT);
    int code = 0;
    for (int i = 0; i < 3; i++) {
        at_process *process = at_process_new(.target = return_arg, AT_COPY(code), .start_method = AT_START_ZYGOTE);
        at_check(at_process_start(process));
        at_check(at_process_join(process, AT_FOREVER));
        at_process_free(process);
    }
    printf("done");
}

START_TEST(zygote_survives_ctrl_c) {
    char output[200];
    ck_assert_int_eq(run_program(start_by_zygote_and_get_interrupted, output, sizeof output), 0);
    ck_assert_str_eq(output, "done");
}
END_TEST

static int start_own(void *unused) {
    (void)unused;
    int code = 6;
    at_process *process = at_process_new(.target = return_arg, AT_COPY(code), .start_method = AT_START_ZYGOTE);
    if (at_process_start(process) != AT_ENOZYGOTE) /* the parent's is not ours */
        return 1;
    if (at_zygote_start() < 0 || at_process_start(process) < 0 || at_process_join(process, 20) < 0 ||
        at_process_exitcode(process, &code) < 0)
        return 2;
    return code == 6 ? 42 : 3;
}

START_TEST(child_has_no_zygote_until_it_starts_its_own) {
    ok(at_zygote_start());
    ck_assert_int_eq(finish(started(.target = start_own)), 42);
    ck_assert_int_eq(finish(by_zygote(.target = start_own)), 42);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("zygote");
    TCase *cases = tcase_create("zygote");
    tcase_set_timeout(cases, 30);
    tcase_add_test(cases, exit_codes_and_signals_come_back);
    tcase_add_test(cases, needs_a_zygote_and_one_is_enough);
    tcase_add_test(cases, must_come_before_any_thread);
    tcase_add_test(cases, child_has_a_copy_of_the_argument_and_knows_its_parent);
    tcase_add_test(cases, child_does_not_inherit_a_held_lock);
    tcase_add_test(cases, status_survives_an_ignored_sigchld);
    tcase_add_test(cases, killed_zygote_is_an_error_and_can_be_replaced);
    tcase_add_test(cases, stop_ends_its_children_too);
    tcase_add_test(cases, no_descriptor_left_means_no_child);
    tcase_add_test(cases, threads_share_the_zygote);
    tcase_add_test(cases, thousand_starts_leave_nothing);
    tcase_add_test(cases, zygote_survives_ctrl_c);
    tcase_add_test(cases, child_has_no_zygote_until_it_starts_its_own);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
