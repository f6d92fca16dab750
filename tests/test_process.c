/* test_process.c: processes: start, join, exit code, name and sentinel, and their misuse; semantics cases 19 to 27. */
#include <poll.h>

#include "processes.h"

static bool is_active(const at_process *process) {
    at_process **children;
    bool found = false;
    ok(at_active_children(&children));
    for (at_process **child = children; *child != NULL; child++)
        found = found || *child == process;
    at_processes_free(children);
    return found;
}

/* Case 19 (test_process). */
START_TEST(lives_from_start_to_join) {
    int code = 0;
    at_process *process = at_process_new(.target = wait_forever);
    ck_assert_int_eq(at_process_exitcode(process, &code), -EAGAIN);
    ck_assert(!at_process_is_alive(process));
    ck_assert(!is_active(process));
    ck_assert_int_eq(at_process_pid(process), 0);
    ck_assert(!at_process_daemon(process));
    ok(at_process_start(process));
    ck_assert(at_process_is_alive(process));
    ck_assert(is_active(process));
    ck_assert_int_gt(at_process_pid(process), 0);
    ck_assert_int_eq(at_process_exitcode(process, &code), -EAGAIN);
    ok(at_process_kill(process));
    ok(at_process_join(process, AT_FOREVER));
    ck_assert(!at_process_is_alive(process));
    ck_assert(!is_active(process));
    ck_assert_int_eq(finish(process), -SIGKILL);
}
END_TEST

static int call_exit(void *code) {
    exit(*(int *)code);
}

static int call_quick_exit(void *code) {
    _exit(*(int *)code);
}

static int raise_signal(void *number) {
    raise(*(int *)number);
    return 0;
}

/* Case 20 (test_sys_exit, test_terminate, test_kill). */
START_TEST(exit_code_is_what_it_returns_or_exits_with_or_minus_the_signal) {
    static const int CODES[] = {0, 1, 7, 255};
    for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++) {
        ck_assert_int_eq(finish(started(.target = return_arg, .arg = &CODES[i])), CODES[i]);
        ck_assert_int_eq(finish(started(.target = call_exit, .arg = &CODES[i])), CODES[i]);
        ck_assert_int_eq(finish(started(.target = call_quick_exit, .arg = &CODES[i])), CODES[i]);
    }
    static const int SIGNALS[] = {SIGUSR1, SIGTERM, SIGKILL, SIGINT};
    for (size_t i = 0; i < sizeof SIGNALS / sizeof *SIGNALS; i++)
        ck_assert_int_eq(finish(started(.target = raise_signal, .arg = &SIGNALS[i])), -SIGNALS[i]);
    at_process *process = started(.target = wait_forever);
    ok(at_process_terminate(process));
    ck_assert_int_eq(finish(process), -SIGTERM);
}
END_TEST

static int fail_with(void *code) {
    return *(int *)code;
}

static void start_failing(void) {
    int code = -ENOENT;
    at_process *process = at_process_new(.target = fail_with, .arg = &code, .name = "painter");
    at_check(at_process_start(process));
    at_check(at_process_join(process, AT_FOREVER));
    at_check(at_process_exitcode(process, &code));
    at_process_free(process);
    exit(code + 10);
}

/* Case 20: what Python's sys.exit("text") is here: a negative result. */
START_TEST(failed_target_says_why_and_exits_with_1) {
    char output[200];
    ck_assert_int_eq(run_program(start_failing, output, sizeof output), 11);
    ck_assert_str_eq(output, "Process painter: No such file or directory\n");
}
END_TEST

/* Case 21. */
START_TEST(join_polls_with_0_and_below) {
    at_process *process = started(.target = wait_forever);
    ck_assert_int_eq(at_process_join(process, 0), -ETIMEDOUT);
    ck_assert_int_eq(at_process_join(process, -1), -ETIMEDOUT);
    double start = at_now();
    ck_assert_int_eq(at_process_join(process, 0.05), -ETIMEDOUT);
    ck_assert_double_ge(at_now() - start, 0.05);
    ck_assert(at_process_is_alive(process));
    ok(at_process_kill(process));
    for (int i = 0; i < 3; i++)
        ok(at_process_join(process, AT_FOREVER));
    ok(at_process_join(process, 0));
    ck_assert_int_eq(finish(process), -SIGKILL);
}
END_TEST

static int join_it(void *process) {
    return at_process_join(process, AT_FOREVER);
}

/* gh-148318: concurrent joins lost the exit code. */
START_TEST(many_threads_join_one_process) {
    enum { JOINERS = 8 };
    at_thread *joiners[JOINERS];
    at_set_excepthook(count_failure);
    at_process *process = started(.target = wait_forever);
    for (int i = 0; i < JOINERS; i++) {
        joiners[i] = at_thread_new(.target = join_it, .arg = process);
        ok(at_thread_start(joiners[i]));
    }
    ok(at_process_kill(process));
    for (int i = 0; i < JOINERS; i++) {
        ok(at_thread_join(joiners[i], 20));
        at_thread_free(joiners[i]);
    }
    ck_assert_int_eq(atomic_load(&failures), 0);
    ck_assert_int_eq(finish(process), -SIGKILL);
}
END_TEST

/* Case 23 (test_sentinel). */
START_TEST(sentinel_is_readable_once_it_has_ended) {
    at_process *process = at_process_new(.target = wait_forever);
    ck_assert_int_eq(at_process_sentinel(process), AT_ENOTSTARTED);
    ok(at_process_start(process));
    struct pollfd ended = {.fd = ok(at_process_sentinel(process)), .events = POLLIN};
    ck_assert_int_eq(poll(&ended, 1, 0), 0);
    ok(at_process_kill(process));
    ck_assert_int_eq(poll(&ended, 1, 20000), 1);
    ck_assert_int_eq(exitcode_of(process), -SIGKILL);
    ck_assert_int_eq(poll(&ended, 1, 0), 1);
    at_process_free(process);
}
END_TEST

static int start_a_child(void *unused) {
    (void)unused;
    at_process *child = at_process_new(.target = wait_forever);
    return at_process_start(child) == AT_EDAEMON && at_zygote_start() == AT_EDAEMON ? 42 : 1;
}

/* Case 24, first part. */
START_TEST(daemon_may_not_have_children) {
    ck_assert_int_eq(finish(started(.target = start_a_child, .daemon = true)), 42);
    at_process *process = at_process_new(.target = start_a_child);
    ok(at_process_set_daemon(process, true));
    ck_assert(at_process_daemon(process));
    ok(at_process_start(process));
    ck_assert_int_eq(at_process_set_daemon(process, false), AT_ESTARTED);
    ck_assert_int_eq(finish(process), 42);
}
END_TEST

/* Case 26 (test_many_processes). */
START_TEST(hundred_processes_start_terminate_and_join) {
    enum { MANY = 100 };
    at_process *processes[MANY];
    for (int i = 0; i < MANY; i++)
        processes[i] = started(.target = wait_forever);
    at_process **active;
    ck_assert_int_eq(ok(at_active_children(&active)), MANY);
    for (int i = 0; i < MANY; i++)
        ck_assert_ptr_eq(active[i], processes[i]);
    at_processes_free(active);
    for (int i = 0; i < MANY; i++)
        ok(at_process_terminate(processes[i]));
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(finish(processes[i]), -SIGTERM);
    ck_assert_int_eq(count_children(), 0);
}
END_TEST

static int use_a_stranger(void *sibling) {
    int code;
    return at_process_join(sibling, 0) == AT_ENOTCHILD && at_process_kill(sibling) == AT_ENOTCHILD &&
                   at_process_exitcode(sibling, &code) == AT_ENOTCHILD && at_process_close(sibling) == AT_ENOTCHILD &&
                   at_process_sentinel(sibling) == AT_ENOTCHILD && !at_process_is_alive(sibling) &&
                   at_process_start(sibling) == AT_ESTARTED
               ? 42
               : 1;
}

/* Case 27, and the other misuses. */
START_TEST(misuse_is_an_error) {
    int code = 0;
    at_process *process = at_process_new(.target = wait_forever);
    ck_assert_int_eq(at_process_join(process, AT_FOREVER), AT_ENOTSTARTED);
    ck_assert_int_eq(at_process_terminate(process), AT_ENOTSTARTED);
    ck_assert_int_eq(at_process_kill(process), AT_ENOTSTARTED);
    ok(at_process_start(process));
    ck_assert_int_eq(at_process_start(process), AT_ESTARTED);
    ck_assert_int_eq(at_process_join(process, __builtin_nan("")), -EINVAL);
    ck_assert_int_eq(at_process_join(process, 1e300), -EOVERFLOW);
    ck_assert_int_eq(at_process_join(NULL, 0), -EINVAL);
    ck_assert_int_eq(at_process_start(NULL), -EINVAL);
    ck_assert_int_eq(at_process_exitcode(NULL, &code), -EINVAL);
    ck_assert_int_eq(finish(started(.target = use_a_stranger, .arg = process)), 42);
    ok(at_process_kill(process));
    ck_assert_int_eq(finish(process), -SIGKILL);
    process = at_process_new(.name = "idle");
    ck_assert_int_eq(at_process_start(process), AT_ENOTARGET);
    at_process_free(process);
    at_process_free(NULL);
}
END_TEST

static int check_copy(void *number) {
    return *(int *)number == 7 ? 42 : 1;
}

START_TEST(argument_is_copied_when_it_has_a_size) {
    int number = 7;
    at_process *process = at_process_new(.target = check_copy, AT_COPY(number));
    number = 8;
    ok(at_process_start(process));
    ck_assert_int_eq(finish(process), 42);
}
END_TEST

static int report_names(void *wire) {
    at_process *grandchild = at_process_new(.target = wait_forever);
    bool right = strcmp(at_process_name(grandchild), "Process-2:1") == 0 && at_active_count() == 1 &&
                 strcmp(at_thread_name(at_main_thread()), "MainThread") == 0 && at_current_thread() == at_main_thread();
    wire_put(*(struct wire *)wire, right ? 'y' : 'n');
    return 0;
}

START_TEST(names_are_counted_as_pythons) {
    struct wire wire = wire_new();
    at_process *first = at_process_new(.target = report_names, .arg = &wire);
    at_process *named = at_process_new(.target = report_names, .name = "painting");
    at_process *second = at_process_new(.target = report_names, .arg = &wire, .name = "");
    ck_assert_str_eq(at_process_name(first), "Process-1");
    ck_assert_str_eq(at_process_name(named), "painting");
    ck_assert_str_eq(at_process_name(second), "Process-2");
    ok(at_process_start(second));
    ck_assert_int_eq(wire_get(wire), 'y');
    ck_assert_int_eq(finish(second), 0);
    at_process_free(first);
    at_process_free(named);
}
END_TEST

static int start_deeper(void *depth) {
    int left = *(int *)depth - 1, code = 0;
    if (left < 0)
        return 1;
    for (int i = 0; i < 2; i++) {
        at_process *process = at_process_new(.target = start_deeper, AT_COPY(left));
        int one = 0;
        if (at_process_start(process) < 0 || at_process_join(process, 20) < 0 || at_process_exitcode(process, &one) < 0)
            return 99;
        code += one;
        at_process_free(process);
    }
    return code;
}

/* test_recursion: processes that start processes. */
START_TEST(processes_start_processes) {
    int depth = 3;
    ck_assert_int_eq(finish(started(.target = start_deeper, AT_COPY(depth))), 8);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("process");
    TCase *cases = tcase_create("process");
    tcase_set_timeout(cases, 30);
    tcase_add_test(cases, lives_from_start_to_join);
    tcase_add_test(cases, exit_code_is_what_it_returns_or_exits_with_or_minus_the_signal);
    tcase_add_test(cases, failed_target_says_why_and_exits_with_1);
    tcase_add_test(cases, join_polls_with_0_and_below);
    tcase_add_test(cases, many_threads_join_one_process);
    tcase_add_test(cases, sentinel_is_readable_once_it_has_ended);
    tcase_add_test(cases, daemon_may_not_have_children);
    tcase_add_test(cases, hundred_processes_start_terminate_and_join);
    tcase_add_test(cases, misuse_is_an_error);
    tcase_add_test(cases, argument_is_copied_when_it_has_a_size);
    tcase_add_test(cases, names_are_counted_as_pythons);
    tcase_add_test(cases, processes_start_processes);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
