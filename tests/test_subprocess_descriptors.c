/*
 * test_subprocess_descriptors.c: descriptors run out, starts fail a thousand times beside other threads, and none is
 * lost, closed twice, or somebody else's (fault 15, case 54).
 */
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "commands.h"

/* ---- what needs descriptors: 0 or the error, and which stages have been reached */

static int stages; /* bit N for stage N */

static int note(int error, const at_command_failure *failure) {
    require(failure->code == error && (failure->stage == AT_STAGE_NONE) == (error == 0));
    stages |= 1 << failure->stage;
    return error;
}

static int run_with_null(void) {
    at_completed done;
    int error = run(&done, SHELL("cat; echo out"), .stdin = AT_DEVNULL, .capture_output = true);
    require(error != 0 ? done.returncode == AT_NO_RETURNCODE : strcmp(done.stdout, "out\n") == 0);
    note(error, &done.failure);
    at_completed_free(&done);
    return error;
}

static int run_with_pipes(void) {
    at_completed done;
    int error =
        run(&done, AT_ARGS("cat"), .input = at_text("input"), .capture_output = true, .timeout = at_seconds(BOUND));
    require(error != 0 ? done.returncode == AT_NO_RETURNCODE : strcmp(done.stdout, "input") == 0);
    note(error, &done.failure);
    at_completed_free(&done);
    return error;
}

static int open_with_pipes(void) {
    at_popen *popen;
    at_output out;
    at_command_failure failure;
    int error = at_popen_new(&popen, AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE, .stderr = AT_PIPE,
                             .failure = &failure);
    require((error == 0) == (popen != NULL));
    if (error == 0) {
        require(at_popen_stdin(popen) > 2 && at_popen_stdout(popen) > 2 && at_popen_stderr(popen) > 2);
        ok(at_popen_communicate(popen, at_text("input"), BOUND, &out, NULL));
        require(strcmp(out.data, "input") == 0);
        require(close_command(popen) == 0);
    }
    return note(error, &failure);
}

static int result_of_thread;

static void *open_in_thread(void *unused) {
    result_of_thread = open_with_pipes();
    return unused;
}

static int open_from_a_thread(void) {
    pthread_t thread;
    require(pthread_create(&thread, NULL, open_in_thread, NULL) == 0);
    require(pthread_join(thread, NULL) == 0);
    return result_of_thread;
}

typedef int operation(void);

/* ---- fault 15: the real limit */

/* With room for n more, for n = 0, 1, ...: an error that says so, until there are enough; the first n that works. */
static int walk_up(operation *operate) {
    int filler[FEW_DESCRIPTORS], room = 0;
    stages = 0;
    for (int result = -1; result != 0; room++) {
        ck_assert_int_lt(room, 20);
        int fds = count_fds(), count = fill_descriptors(filler, room);
        result = operate();
        empty_descriptors(filler, count);
        ck_assert_msg(result == 0 || result == -EMFILE, "%s", at_strerror(result));
        ck_assert_int_eq(count_fds(), fds);
        ck_assert_int_eq(count_children(), 0);
    }
    return room - 1;
}

START_TEST(descriptors_run_out) {
    static const int AT_PIPES = 1 << AT_STAGE_PIPE | 1 << AT_STAGE_FORK | 1 << AT_STAGE_NONE;
    ck_assert_int_eq(walk_up(run_with_null), 6);
    ck_assert_int_eq(stages, AT_PIPES | 1 << AT_STAGE_OPEN);
    ck_assert_int_eq(walk_up(run_with_pipes), 7);
    ck_assert_int_eq(stages, AT_PIPES);
    ck_assert_int_eq(walk_up(open_with_pipes), 7);
    ck_assert_int_eq(walk_up(open_from_a_thread), 7);
    ck_assert_int_eq(stages, AT_PIPES);
}
END_TEST

/* The first that is opened then is a standard stream, and has to go elsewhere. */
START_TEST(descriptors_run_out_where_standard_streams_are_closed) {
    int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    close(STDIN_FILENO);
    ck_assert_int_ge(walk_up(run_with_null), 5);
    ck_assert_int_ge(walk_up(run_with_pipes), 5);
    ck_assert_int_ge(walk_up(open_with_pipes), 5);
    dup2(saved, STDIN_FILENO);
    close(saved);
}
END_TEST

/* ---- case 54 */

START_TEST(failed_starts_leave_nothing) {
    static const char *const PROGRAMS[] = {"no-such-program", "/", "/no/such/program"};
    size_t memory = 0;
    for (int i = 0; i < 1024 + 10; i++) {
        at_popen *popen;
        at_command_failure failure;
        int error = at_popen_new(&popen, AT_ARGS(PROGRAMS[i % 3]), .stdin = AT_PIPE, .stdout = AT_PIPE,
                                 .stderr = AT_PIPE, .failure = &failure);
        require(popen == NULL && error == (i % 3 == 1 ? -EACCES : -ENOENT) && failure.stage == AT_STAGE_EXEC);
        if (i == 10)
            memory = mallinfo2().uordblks;
    }
    if (!UNDER_ASAN && !UNDER_TSAN)
        ck_assert_uint_eq(mallinfo2().uordblks, memory);
    ck_assert_int_eq(count_zombies(), 0);
}
END_TEST

static _Atomic bool opening;

/* What it opens nobody else may close: neither before it does, nor for somebody else's file under the same number. */
static int open_and_close(void *unused) {
    (void)unused;
    while (atomic_load(&opening)) {
        int ends[2];
        char byte = 'b';
        require(pipe2(ends, O_CLOEXEC) == 0 && write(ends[1], &byte, 1) == 1);
        sched_yield();
        require(read(ends[0], &byte, 1) == 1 && close(ends[0]) == 0 && close(ends[1]) == 0);
    }
    return 0;
}

START_TEST(failed_start_closes_nothing_of_another_thread) {
    at_thread *threads[2];
    atomic_store(&opening, true);
    for (int i = 0; i < 2; i++) {
        threads[i] = at_thread_new(.target = open_and_close);
        start(threads[i]);
    }
    for (int i = 0; i < 300; i++) {
        at_completed done;
        require(run(&done, AT_ARGS("no-such-program"), .input = at_text("input"), .capture_output = true) == -ENOENT);
        at_completed_free(&done);
        require(run(&done, AT_ARGS("true"), .cwd = "/no/such/folder", .stdout = AT_DEVNULL) == -ENOENT);
        at_completed_free(&done);
    }
    atomic_store(&opening, false);
    for (int i = 0; i < 2; i++) {
        join(threads[i]);
        at_thread_free(threads[i]);
    }
}
END_TEST

static _Atomic int lost;

/* Its writes fail, as they did before: what stands where stdout was is no pipe of a command. */
static int write_where_nothing_is(void *unused) {
    (void)unused;
    while (atomic_load(&opening))
        if (write(STDOUT_FILENO, "lost", 4) != -1 || errno != EBADF)
            lost++;
    return 0;
}

static void run_without_streams(int unused) {
    (void)unused;
    for (int i = 0; i < 3; i++)
        close(i);
    atomic_store(&opening, true);
    at_thread *writer = at_thread_new(.target = write_where_nothing_is);
    start(writer);
    for (int i = 0; i < 300; i++) {
        at_completed done;
        require(run(&done, AT_ARGS("echo", "out"), .stdin = AT_DEVNULL, .capture_output = true) == 0);
        require(strcmp(done.stdout, "out\n") == 0 && done.stderr_size == 0);
        at_completed_free(&done);
    }
    atomic_store(&opening, false);
    join(writer);
    at_thread_free(writer);
    require(lost == 0);
}

START_TEST(what_is_written_to_a_closed_stream_is_in_no_pipe) {
    if (UNDER_TSAN)
        skip("ThreadSanitizer takes it for a race that one thread writes where another has a descriptor");
    in_a_fork(run_without_streams, 0);
}
END_TEST

/* ---- the descriptors of one command are not another's */

START_TEST(child_that_keeps_all_has_no_pipe_of_anothers) {
    at_popen *cat = open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE, .stderr = AT_PIPE);
    at_popen *keeper = open_command(SLEEP, .close_fds = AT_OFF, .stdout = AT_PIPE);
    ok(at_popen_communicate(cat, AT_NO_INPUT, BOUND, NULL, NULL));
    ck_assert_int_eq(close_command(cat), 0);
    ok(at_popen_kill(keeper));
    ck_assert_int_eq(close_command(keeper), -SIGKILL);
}
END_TEST

SUITE_WITH("subprocess_descriptors", begin_commands, end_commands, descriptors_run_out,
           descriptors_run_out_where_standard_streams_are_closed, failed_starts_leave_nothing,
           failed_start_closes_nothing_of_another_thread, what_is_written_to_a_closed_stream_is_in_no_pipe,
           child_that_keeps_all_has_no_pipe_of_anothers)
