/* test_subprocess_popen.c: poll, wait and signals, from one thread and from many; semantics case 52, fault 25. */
#include "outcomes.h"

/* A child that ends when its stdin is closed. */
static at_popen *open_cat(void) {
    return open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_DEVNULL);
}

static at_popen *open_sleep(void) {
    return open_command(SLEEP, .stdin = AT_DEVNULL);
}

/* ---- poll and wait: case 52 */

START_TEST(poll_says_again_and_then_always_how_it_ended) {
    int code = -1000;
    at_popen *popen = open_command(SHELL("cat; exit 5"), .stdin = AT_PIPE);
    ck_assert_int_eq(at_popen_poll(popen, &code), -EAGAIN);
    ck_assert_int_eq(at_popen_poll(popen, NULL), -EAGAIN);
    ck_assert_int_eq(code, -1000);
    close_stdin(popen);
    await(at_popen_poll(popen, &code) == 0);
    ck_assert_int_eq(code, 5);
    for (int i = 0; i < 3; i++) {
        code = -1000;
        ok(at_popen_poll(popen, &code));
        ck_assert_int_eq(code, 5);
        code = -1000;
        ok(at_popen_wait(popen, i - 1, &code));
        ck_assert_int_eq(code, 5);
    }
    ok(at_popen_poll(popen, NULL));
    ok(at_popen_wait(popen, 0, NULL));
    at_popen_free(popen);
}
END_TEST

static char state_of(pid_t pid) {
    char state = 0;
    FILE *file = fopen(line_of("/proc/%d/stat", (int)pid), "r");
    require(file != NULL && fscanf(file, "%*d (%*[^)]) %c", &state) == 1);
    fclose(file);
    return state;
}

START_TEST(stopped_is_not_ended) {
    at_popen *popen = open_cat();
    ok(at_popen_send_signal(popen, SIGSTOP));
    await(state_of(at_popen_pid(popen)) == 'T');
    ck_assert_int_eq(at_popen_poll(popen, NULL), -EAGAIN);
    ck_assert_int_eq(at_popen_wait(popen, 0.01, NULL), -ETIMEDOUT);
    close_stdin(popen);
    ck_assert_int_eq(at_popen_wait(popen, 0.01, NULL), -ETIMEDOUT);
    ok(at_popen_send_signal(popen, SIGCONT));
    ck_assert_int_eq(close_command(popen), 0);
}
END_TEST

START_TEST(wait_gives_up_in_time) {
    int code = -1000;
    at_popen *popen = open_cat();
    static const double POLLS[] = {0, -0.0, -1, -AT_FOREVER};
    for (size_t i = 0; i < sizeof POLLS / sizeof *POLLS; i++)
        ck_assert_int_eq(at_popen_wait(popen, POLLS[i], &code), -ETIMEDOUT);
    double begin = at_now();
    ck_assert_int_eq(at_popen_wait(popen, 0.05, &code), -ETIMEDOUT);
    ck_assert_double_ge(at_now() - begin, 0.05);
    ck_assert_int_eq(at_popen_wait(popen, __builtin_nan(""), &code), -EINVAL);
    ck_assert_int_eq(at_popen_wait(popen, 1e300, &code), -EOVERFLOW);
    ck_assert_int_eq(code, -1000);
    close_stdin(popen);
    ok(at_popen_wait(popen, AT_FOREVER, &code));
    ck_assert_int_eq(code, 0);
    at_popen_free(popen);
}
END_TEST

/* ---- several threads at once (test_threadsafe_wait) */

enum { WAITERS = 8 };

static struct waiter {
    at_popen *popen;
    _Atomic pid_t thread; /* 0 until it is about to wait */
    int result, code;
} waiters[WAITERS];

static int wait_for_it(void *arg) {
    struct waiter *waiter = arg;
    waiter->thread = gettid();
    waiter->result = at_popen_wait(waiter->popen, AT_FOREVER, &waiter->code);
    return 0;
}

static int poll_it(void *arg) {
    struct waiter *waiter = arg;
    waiter->thread = gettid();
    while ((waiter->result = at_popen_poll(waiter->popen, &waiter->code)) == -EAGAIN)
        nap();
    return 0;
}

static at_thread *start_waiter(struct waiter *waiter, at_popen *popen, at_target *target) {
    *waiter = (struct waiter){.popen = popen, .result = 1, .code = -1000};
    at_thread *thread = at_thread_new(.target = target, .arg = waiter);
    start(thread);
    await(waiter->thread != 0);
    return thread;
}

/* Whether it sleeps in a call of the poll family; where the kernel does not say in which call, that it sleeps. */
static bool waits_for_events(pid_t thread) {
    long number = -1;
    FILE *file = fopen(line_of("/proc/self/task/%d/syscall", (int)thread), "r");
    if (file == NULL)
        return state_of(thread) == 'S';
    if (fscanf(file, "%ld", &number) != 1)
        number = -1; /* running */
    fclose(file);
#ifdef SYS_poll
    if (number == SYS_poll)
        return true;
#endif
    return number == SYS_ppoll;
}

START_TEST(all_threads_hear_the_same_end) {
    at_thread *threads[WAITERS];
    at_popen *popen = open_sleep();
    for (int i = 0; i < WAITERS; i++)
        threads[i] = start_waiter(&waiters[i], popen, i % 4 == 3 ? poll_it : wait_for_it);
    ok(at_popen_terminate(popen));
    for (int i = 0; i < WAITERS; i++) {
        join(threads[i]);
        at_thread_free(threads[i]);
        ck_assert_int_eq(waiters[i].result, 0);
        ck_assert_int_eq(waiters[i].code, -SIGTERM);
    }
    ck_assert_int_eq(close_command(popen), -SIGTERM);
}
END_TEST

static _Atomic bool is_over;

static int call_all(void *popen) {
    while (!is_over) {
        int polled = at_popen_poll(popen, NULL), waited = at_popen_wait(popen, 0, NULL);
        require(polled == 0 || polled == -EAGAIN);
        require(waited == 0 || waited == -ETIMEDOUT);
        require(at_popen_send_signal(popen, SIGCONT) == 0);
        require(at_popen_signal_group(popen, SIGCONT) == 0);
        require(at_popen_sentinel(popen) >= 0 && at_popen_pid(popen) > 0);
        int in = at_popen_stdin(popen);
        require(in >= 0 || in == AT_ENOPIPE);
    }
    return 0;
}

START_TEST(calls_of_many_threads_get_along) {
    enum { CALLERS = 3, ROUNDS = 20 };
    for (int round = 0; round < ROUNDS; round++) {
        at_thread *threads[CALLERS];
        at_popen *popen = open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .process_group = at_group(0));
        is_over = false;
        for (int i = 0; i < CALLERS; i++) {
            threads[i] = at_thread_new(.target = call_all, .arg = popen);
            start(threads[i]);
        }
        close_stdin(popen);
        ok(at_popen_wait(popen, BOUND, NULL));
        is_over = true;
        for (int i = 0; i < CALLERS; i++) {
            join(threads[i]);
            at_thread_free(threads[i]);
        }
        at_popen_free(popen);
    }
}
END_TEST

/* Fault 25: a wait that has begun goes on to its end, though the handle is given back meanwhile. */
START_TEST(free_leaves_waiting_threads_in_peace) {
    at_thread *threads[2];
    at_popen *popen = open_sleep();
    pid_t pid = at_popen_pid(popen);
    for (int i = 0; i < 2; i++) {
        threads[i] = start_waiter(&waiters[i], popen, wait_for_it);
        await(waits_for_events(waiters[i].thread));
    }
    at_popen_free(popen);
    require(waits_for_events(waiters[0].thread) && waits_for_events(waiters[1].thread));
    require(kill(pid, SIGTERM) == 0); /* ours, and not reaped before the threads do it */
    for (int i = 0; i < 2; i++) {
        join(threads[i]);
        at_thread_free(threads[i]);
        ck_assert_int_eq(waiters[i].result, 0);
        ck_assert_int_eq(waiters[i].code, -SIGTERM);
    }
}
END_TEST

static int talk_to_it(void *arg) {
    struct waiter *waiter = arg;
    at_output out;
    waiter->thread = gettid();
    waiter->result = at_popen_communicate(waiter->popen, AT_NO_INPUT, AT_FOREVER, &out, NULL);
    return 0;
}

/* Of its own pipe's end there is no other reader, so that the child's death is what ends it. */
START_TEST(free_leaves_a_communicate_in_peace) {
    at_popen *popen = open_command(SLEEP, .stdin = AT_DEVNULL, .stdout = AT_PIPE);
    pid_t pid = at_popen_pid(popen);
    at_thread *thread = start_waiter(&waiters[0], popen, talk_to_it);
    await(waits_for_events(waiters[0].thread));
    at_popen_free(popen);
    require(kill(pid, SIGTERM) == 0);
    join(thread);
    at_thread_free(thread);
    ck_assert_int_eq(waiters[0].result, 0);
}
END_TEST

/* ---- signals */

START_TEST(signals_end_it) {
    at_popen *popen = open_sleep();
    ok(at_popen_terminate(popen));
    ck_assert_int_eq(close_command(popen), -SIGTERM);
    popen = open_sleep();
    ok(at_popen_kill(popen));
    ck_assert_int_eq(close_command(popen), -SIGKILL);
    popen = open_sleep();
    ok(at_popen_send_signal(popen, SIGINT));
    ck_assert_int_eq(close_command(popen), -SIGINT);
}
END_TEST

/* test_send_signal_dead, _terminate_dead, _kill_dead: whether its status has been taken or not. */
START_TEST(signals_after_the_end_do_nothing) {
    for (int i = 0; i < 2; i++) {
        at_popen *popen = open_command(SHELL("exit 5"), .process_group = at_group(0));
        await_end(popen);
        if (i == 1)
            ok(at_popen_poll(popen, NULL));
        ok(at_popen_send_signal(popen, SIGINT));
        ok(at_popen_terminate(popen));
        ok(at_popen_kill(popen));
        ok(at_popen_signal_group(popen, SIGKILL));
        ck_assert_int_eq(close_command(popen), 5);
    }
}
END_TEST

START_TEST(only_signals_are_sent) {
    static const int NUMBERS[] = {-1, -SIGTERM, 65, 10000, INT_MAX, INT_MIN};
    at_popen *popen = open_command(SLEEP, .process_group = at_group(0));
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++) {
        ck_assert_int_eq(at_popen_send_signal(popen, NUMBERS[i]), -EINVAL);
        ck_assert_int_eq(at_popen_signal_group(popen, NUMBERS[i]), -EINVAL);
    }
    ck_assert_int_eq(at_popen_poll(popen, NULL), -EAGAIN);
    ok(at_popen_kill(popen));
    ck_assert_int_eq(close_command(popen), -SIGKILL);
}
END_TEST

START_TEST(group_is_signalled_when_the_child_leads_one) {
    at_popen *popen = open_cat();
    ck_assert_int_eq(at_popen_signal_group(popen, SIGKILL), AT_ENOTLEADER);
    ck_assert_int_eq(at_popen_poll(popen, NULL), -EAGAIN);
    close_stdin(popen);
    ck_assert_int_eq(close_command(popen), 0);
    popen = open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .process_group = at_group(getpgrp()));
    ck_assert_int_eq(at_popen_signal_group(popen, SIGKILL), AT_ENOTLEADER); /* a member; this test is one, too */
    close_stdin(popen);
    ck_assert_int_eq(close_command(popen), 0);
    popen = open_command(SLEEP, .start_new_session = true);
    ok(at_popen_signal_group(popen, SIGTERM));
    ck_assert_int_eq(close_command(popen), -SIGTERM);
    popen = open_command(SHELL("sleep 1000 & sleep 1000"), .stdout = AT_PIPE, .process_group = at_group(0));
    ok(at_popen_signal_group(popen, SIGKILL));
    char byte;
    ck_assert_int_eq(read(ok(at_popen_stdout(popen)), &byte, 1), 0); /* at the end of its last member */
    ck_assert_int_eq(close_command(popen), -SIGKILL);
}
END_TEST

SUITE_WITH("subprocess_popen", begin_commands, end_commands, poll_says_again_and_then_always_how_it_ended,
           stopped_is_not_ended, wait_gives_up_in_time, all_threads_hear_the_same_end, calls_of_many_threads_get_along,
           free_leaves_waiting_threads_in_peace, free_leaves_a_communicate_in_peace, signals_end_it,
           signals_after_the_end_do_nothing, only_signals_are_sent, group_is_signalled_when_the_child_leads_one)
