/*
 * test_subprocess_faults.c: commands under faults that are injected for real: signals in storms, statuses stolen, pids
 * used again, threads and parents that end. The numbers are those of the fault table in the semantics. Timeouts and
 * groups are in test_subprocess_group.c, refused calls in test_subprocess_limits.c.
 */
#include <stdatomic.h>

#include "commands.h"

/* ---- fault 13 */

START_TEST(eintr_storm_changes_no_result) {
    at_completed done;
    start_eintr_storm();
    for (int i = 0; i < 30; i++) {
        ok(run(&done, SHELL("echo out; echo err >&2; exit 3"), .capture_output = true));
        require(done.returncode == 3 && !done.truncated);
        require(strcmp(done.stdout, "out\n") == 0 && strcmp(done.stderr, "err\n") == 0);
        at_completed_free(&done);
    }
    expect_echo(4 << 20);
}
END_TEST

START_TEST(eintr_storm_moves_no_deadline) {
    at_completed done;
    char *input = pattern_of(4 << 20);
    at_popen *popen = open_command(SLEEP, .stdin = AT_PIPE);
    start_eintr_storm();
    double begin = at_now();
    ck_assert_int_eq(at_popen_wait(popen, 0.3, NULL), -ETIMEDOUT);
    ck_assert_double_ge(at_now() - begin, 0.3 - ROUNDING);
    ck_assert_int_eq(at_popen_communicate(popen, at_bytes(input, 4 << 20), 0.3, NULL, NULL), -ETIMEDOUT);
    ck_assert_double_ge(at_now() - begin, 0.6 - ROUNDING);
    ok(at_popen_kill(popen));
    ck_assert_int_eq(close_command(popen), -SIGKILL);
    ck_assert_int_eq(run(&done, SLEEP, .timeout = at_seconds(0.3)), -ETIMEDOUT);
    ck_assert_double_ge(at_now() - begin, 0.9 - ROUNDING);
    ck_assert_double_lt(at_now() - begin, BOUND);
    at_completed_free(&done);
    free(input);
}
END_TEST

/* A conversation in pieces of a few milliseconds, which end wherever they happen to, loses no byte either way. */
START_TEST(eintr_storm_and_timeouts_lose_no_byte) {
    enum { SIZE = 4 << 20 };
    char *input = pattern_of(SIZE);
    at_popen *popen = open_command(SHELL("sleep 0.1; cat; exit 5"), .stdin = AT_PIPE, .stdout = AT_PIPE);
    start_eintr_storm();
    at_output out;
    double end = at_now() + BOUND;
    int timeouts = 0, error = at_popen_communicate(popen, at_bytes(input, SIZE), 0.002, &out, NULL);
    for (; error == -ETIMEDOUT && at_now() < end; timeouts++)
        error = at_popen_communicate(popen, AT_NO_INPUT, 0.002, &out, NULL);
    ok(error);
    ck_assert_int_gt(timeouts, 5);
    ck_assert_uint_eq(out.size, SIZE);
    require(memcmp(out.data, input, SIZE) == 0 && !out.truncated);
    ck_assert_int_eq(close_command(popen), 5);
    free(input);
}
END_TEST

/* ---- fault 17 */

/* How many of so many return codes are known; the others are unknown, and none is wrong. */
static int count_known(int runs) {
    int known = 0;
    for (int i = 0; i < runs; i++) {
        at_completed done;
        bool killed = i % 2;
        int error = run(&done, SHELL(killed ? "kill -KILL $$" : "exit 7"), .stdout = AT_PIPE);
        require(error == 0 || (error == -ECHILD && done.failure.stage == AT_STAGE_RUN));
        require(done.returncode == (error != 0 ? AT_NO_RETURNCODE : killed ? -SIGKILL : 7));
        known += error == 0;
        at_completed_free(&done);
    }
    return known;
}

START_TEST(ignored_sigchld_invents_no_return_code) {
    signal(SIGCHLD, SIG_IGN);
    int known = count_known(50);
    if (kernel_remembers())
        ck_assert_int_ge(known, 40); /* a reaper that stands still on a busy machine may leave one unknown */
}
END_TEST

START_TEST(stray_reaper_invents_no_return_code) {
    at_thread *thief = start_thief();
    int known = count_known(50);
    end_thief(thief);
    if (kernel_remembers())
        ck_assert_int_ge(known, 40);
}
END_TEST

/* What the first who asks is told, all others are told, too. */
START_TEST(stolen_return_code_is_the_same_for_all) {
    int expected = kernel_remembers() ? 0 : -ECHILD;
    for (int i = 0; i < 2; i++) {
        int returncode = 99, again = 99;
        at_popen *popen = open_command(SHELL("exit 7"), .stdout = AT_PIPE);
        ck_assert_int_eq(waitpid(at_popen_pid(popen), NULL, 0), at_popen_pid(popen));
        ck_assert_int_eq(i == 0 ? at_popen_poll(popen, &returncode) : at_popen_wait(popen, BOUND, &returncode),
                         expected);
        ck_assert_int_eq(at_popen_communicate(popen, AT_NO_INPUT, BOUND, NULL, NULL), expected);
        ck_assert_int_eq(at_popen_wait(popen, BOUND, &again), expected);
        ck_assert_int_eq(returncode, expected == 0 ? 7 : 99);
        ck_assert_int_eq(again, returncode);
        at_popen_free(popen);
    }
}
END_TEST

/* ---- fault 18 */

/* Whether the runtime has seen the child end, or it has been stolen. */
static void signal_beside_a_stranger(bool seen) {
    at_popen *popen = open_command(AT_ARGS("true"), .process_group = at_group(0));
    pid_t pid = at_popen_pid(popen);
    if (seen)
        ok(at_popen_wait(popen, BOUND, NULL));
    else
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    pid_t stranger = fork_with_pid(pid);
    if (stranger == 0) {
        at_popen_free(popen);
        skip("no right to choose a pid by /proc/sys/kernel/ns_last_pid, or others took it each time");
    }
    await(getpgid(stranger) == stranger);
    ok(at_popen_kill(popen));
    ok(at_popen_terminate(popen));
    ok(at_popen_send_signal(popen, SIGINT));
    ok(at_popen_signal_group(popen, SIGKILL));
    ck_assert_int_eq(at_popen_poll(popen, NULL), seen || kernel_remembers() ? 0 : -ECHILD);
    kill(stranger, SIGUSR1);
    ck_assert_int_eq(end_of(stranger), -SIGUSR1); /* ours, and none of the others */
    at_popen_free(popen);
}

/* Also where the kernel cannot signal a group by a pidfd (before 6.9). */
START_TEST(signal_reaches_no_stranger_who_has_the_pid_now) {
    signal_beside_a_stranger(true);
    signal_beside_a_stranger(false);
    if (refuse_with(SYS_pidfd_send_signal, EINVAL, 3, 1u << 2)) {
        signal_beside_a_stranger(true);
        signal_beside_a_stranger(false);
    }
}
END_TEST

/* ---- fault 26, and the end of the parent */

static at_popen *started_there;
static _Atomic pid_t starting_thread;

static int start_cat(void *unused) {
    (void)unused;
    atomic_store(&starting_thread, gettid());
    started_there = open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE);
    return 0;
}

static bool is_thread(pid_t thread) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d", thread);
    return access(path, F_OK) == 0;
}

START_TEST(command_outlives_the_thread_that_started_it) {
    at_thread *thread = at_thread_new(.target = start_cat);
    start(thread);
    join(thread);
    at_thread_free(thread);
    await(!is_thread(atomic_load(&starting_thread)));
    at_output out;
    ck_assert_int_eq(at_popen_poll(started_there, NULL), -EAGAIN);
    ok(at_popen_communicate(started_there, at_text("alive"), BOUND, &out, NULL));
    ck_assert_str_eq(out.data, "alive");
    ck_assert_int_eq(close_command(started_there), 0);
}
END_TEST

static struct wire asked, told;
static bool outliving;

static int start_answerer(void *unused) {
    (void)unused;
    open_command(SHELL("echo; read line && echo $line"), .stdin = at_descriptor(asked.read),
                 .stdout = at_descriptor(told.write), .outlives_parent = outliving);
    return 0;
}

static void start_answerer_and_die(void) {
    start_answerer(NULL);
    wire_get(told); /* the program runs, and its parent is alive until then */
    raise(SIGKILL);
}

static void start_answerer_by_a_thread_and_die(void) {
    at_thread *thread = at_thread_new(.target = start_answerer);
    start(thread);
    join(thread);
    wire_get(told);
    raise(SIGKILL);
}

START_TEST(command_dies_with_its_parent_unless_it_outlives_it) {
    static void (*const PARENTS[])(void) = {start_answerer_and_die, start_answerer_by_a_thread_and_die};
    for (int i = 0; i < 4; i++) {
        char output[600];
        outliving = i >= 2;
        asked = wire_new();
        told = wire_new();
        struct program parent = program_start(PARENTS[i % 2]);
        close(asked.read);
        close(told.write);
        ck_assert_int_eq(end_of(parent.pid), -SIGKILL);
        if (outliving) {
            wire_put(asked, 'y');
            wire_put(asked, '\n');
            ck_assert_int_eq(wire_get(told), 'y');
            ck_assert_int_eq(wire_get(told), '\n');
        }
        ck_assert_int_eq(wire_get(told), 0); /* nobody is left who has it */
        ck_assert_int_ge((int)read(parent.output, output, sizeof output), 0);
        close(parent.output);
        close(asked.write);
        close(told.read);
    }
}
END_TEST

SUITE_WITH("subprocess_faults", begin_commands, end_commands, eintr_storm_changes_no_result,
           eintr_storm_moves_no_deadline, eintr_storm_and_timeouts_lose_no_byte, ignored_sigchld_invents_no_return_code,
           stray_reaper_invents_no_return_code, stolen_return_code_is_the_same_for_all,
           signal_reaches_no_stranger_who_has_the_pid_now, command_outlives_the_thread_that_started_it,
           command_dies_with_its_parent_unless_it_outlives_it)
