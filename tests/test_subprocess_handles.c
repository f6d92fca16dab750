/* test_subprocess_handles.c: what a handle holds, hands over and gives back, and what is left of it in a fork. */
#include "outcomes.h"

START_TEST(args_pid_and_sentinel) {
    char word[] = "cat", dash[] = "-";
    char *argv[] = {word, dash, NULL};
    at_popen *popen = open_command(argv, .stdin = AT_PIPE, .stdout = AT_DEVNULL);
    strcpy(word, "dog");
    argv[1] = NULL;
    const char *const *args = at_popen_args(popen);
    ck_assert_str_eq(args[0], "cat");
    ck_assert_str_eq(args[1], "-");
    ck_assert_ptr_null(args[2]);
    struct pollfd end = {.fd = ok(at_popen_sentinel(popen)), .events = POLLIN};
    ck_assert_int_eq(poll(&end, 1, 0), 0);
    ck_assert_int_eq(fcntl(end.fd, F_GETFD), FD_CLOEXEC);
    pid_t pid = at_popen_pid(popen);
    ck_assert(pid_exists(pid));
    close_stdin(popen);
    ck_assert_int_eq(poll(&end, 1, (int)(BOUND * 1000)), 1);
    ok(at_popen_wait(popen, 0, NULL));
    ck_assert_int_eq(poll(&end, 1, 0), 1);
    ck_assert_int_eq(at_popen_pid(popen), pid);
    at_popen_free(popen);
    ck_assert_int_eq(fcntl(end.fd, F_GETFD), -1);
}
END_TEST

START_TEST(pipes_are_its_ends) {
    char text[8];
    at_popen *popen = open_command(SHELL("cat; echo err >&2"), .stdin = AT_PIPE, .stdout = AT_PIPE, .stderr = AT_PIPE);
    int in = ok(at_popen_stdin(popen)), out = ok(at_popen_stdout(popen)), err = ok(at_popen_stderr(popen));
    ck_assert_int_eq(fcntl(in, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(fcntl(out, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(fcntl(err, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(write(in, "ping", 4), 4);
    ck_assert_int_eq(read(out, text, sizeof text), 4);
    ck_assert_int_eq(memcmp(text, "ping", 4), 0);
    close_stdin(popen);
    ck_assert_int_eq(read(err, text, sizeof text), 4);
    ck_assert_int_eq(read(out, text, sizeof text), 0);
    ck_assert_int_eq(close_command(popen), 0);
    ck_assert_int_eq(fcntl(out, F_GETFD), -1);
    ck_assert_int_eq(fcntl(err, F_GETFD), -1);
}
END_TEST

START_TEST(pipe_is_handed_over_once) {
    char text[8];
    at_popen *popen = open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE);
    int in = ok(at_popen_stdin(popen)), out = ok(at_popen_stdout(popen));
    ck_assert_int_eq(at_popen_stderr(popen), AT_ENOPIPE);
    ck_assert_int_eq(at_popen_detach(popen, STDERR_FILENO), AT_ENOPIPE);
    ck_assert_int_lt(at_popen_detach(popen, 3), 0);
    ck_assert_int_lt(at_popen_detach(popen, -1), 0);
    ck_assert_int_eq(at_popen_detach(popen, STDOUT_FILENO), out);
    ck_assert_int_eq(at_popen_detach(popen, STDOUT_FILENO), AT_ENOPIPE);
    ck_assert_int_eq(at_popen_stdout(popen), AT_ENOPIPE);
    ck_assert_int_eq(at_popen_detach(popen, STDIN_FILENO), in);
    at_popen_free(popen);
    ck_assert_int_eq(write(in, "ping", 4), 4); /* they go on without the handle, and so does the child */
    ck_assert_int_eq(read(out, text, sizeof text), 4);
    close(in);
    ck_assert_int_eq(read(out, text, sizeof text), 0);
    close(out);
    await(count_zombies() == 1);
    ck_assert_int_eq(at_run(SHELL("exit 0"), .check = true), 0); /* the start of which reaps it */
    ck_assert_int_eq(count_children(), 0);
}
END_TEST

static _Atomic int handed_over;

static int take_stdin(void *popen) {
    int in = at_popen_detach(popen, STDIN_FILENO);
    if (in < 0)
        return in == AT_ENOPIPE ? 0 : in;
    handed_over++;
    return close(in);
}

START_TEST(one_thread_alone_is_handed_the_pipe) {
    enum { TAKERS = 4, ROUNDS = 20 };
    for (int round = 0; round < ROUNDS; round++) {
        at_thread *threads[TAKERS];
        handed_over = 0;
        at_popen *popen = open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_DEVNULL);
        for (int i = 0; i < TAKERS; i++) {
            threads[i] = at_thread_new(.target = take_stdin, .arg = popen);
            start(threads[i]);
        }
        for (int i = 0; i < TAKERS; i++) {
            join(threads[i]);
            at_thread_free(threads[i]);
        }
        require(handed_over == 1);
        require(close_command(popen) == 0);
    }
}
END_TEST

START_TEST(freed_child_goes_on_and_is_reaped_later) {
    struct wire wire = wire_new();
    at_popen *popen = open_command(SHELL(line_of("cat; echo x >/proc/self/fd/%d", wire.write)), .stdin = AT_PIPE,
                                   .pass_fds = AT_FDS(wire.write));
    close(wire.write);
    at_popen_free(popen); /* which closes its stdin */
    ck_assert_int_eq(wire_get(wire), 'x');
    close(wire.read);
    await(count_zombies() == 1);
    ck_assert_int_eq(close_command(open_command(SHELL("exit 3"), .stdin = AT_DEVNULL)), 3);
    ck_assert_int_eq(count_children(), 0);
}
END_TEST

/* ---- in a forked process the handles are of no use */

static struct {
    at_popen *popen;
    int in, out;
} inherited;

static int use_a_strangers_child(void *unused) {
    (void)unused;
    at_popen *popen = inherited.popen;
    at_output out;
    require(fcntl(inherited.in, F_GETFD) == -1 && fcntl(inherited.out, F_GETFD) == -1);
    require(at_popen_poll(popen, NULL) == AT_ENOTCHILD);
    require(at_popen_wait(popen, 0, NULL) == AT_ENOTCHILD);
    require(at_popen_send_signal(popen, SIGKILL) == AT_ENOTCHILD);
    require(at_popen_terminate(popen) == AT_ENOTCHILD);
    require(at_popen_kill(popen) == AT_ENOTCHILD);
    require(at_popen_signal_group(popen, SIGKILL) == AT_ENOTCHILD);
    require(at_popen_sentinel(popen) == AT_ENOTCHILD);
    require(at_popen_stdin(popen) == AT_ENOTCHILD);
    require(at_popen_stdout(popen) == AT_ENOTCHILD);
    require(at_popen_stderr(popen) == AT_ENOTCHILD);
    require(at_popen_detach(popen, STDIN_FILENO) == AT_ENOTCHILD);
    require(at_popen_communicate(popen, AT_NO_INPUT, 0, &out, NULL) == AT_ENOTCHILD);
    require(strcmp(at_popen_args(popen)[0], "cat") == 0);
    at_popen_free(popen);
    require(at_run(SHELL("exit 0"), .check = true) == 0);
    return 42;
}

START_TEST(forked_process_has_no_hold_on_it) {
    inherited.popen = open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE, .process_group = at_group(0));
    inherited.in = ok(at_popen_stdin(inherited.popen));
    inherited.out = ok(at_popen_stdout(inherited.popen));
    ck_assert_int_eq(finish(started(.target = use_a_strangers_child)), 42);
    pid_t pid = fork();
    if (pid == 0)
        _exit(use_a_strangers_child(NULL));
    ck_assert_int_eq(end_of(pid), 42);
    at_output out;
    ok(at_popen_communicate(inherited.popen, at_text("still here"), BOUND, &out, NULL));
    expect_text(out.data, out.size, "still here");
    ck_assert_int_eq(close_command(inherited.popen), 0);
}
END_TEST

START_TEST(no_handle_is_an_error) {
    ck_assert_int_eq(at_popen_poll(NULL, NULL), -EINVAL);
    ck_assert_int_eq(at_popen_wait(NULL, 0, NULL), -EINVAL);
    ck_assert_int_eq(at_popen_communicate(NULL, AT_NO_INPUT, 0, NULL, NULL), -EINVAL);
    ck_assert_int_eq(at_popen_send_signal(NULL, SIGTERM), -EINVAL);
    ck_assert_int_eq(at_popen_terminate(NULL), -EINVAL);
    ck_assert_int_eq(at_popen_kill(NULL), -EINVAL);
    ck_assert_int_eq(at_popen_signal_group(NULL, SIGTERM), -EINVAL);
    ck_assert_int_eq(at_popen_stdin(NULL), -EINVAL);
    ck_assert_int_eq(at_popen_stdout(NULL), -EINVAL);
    ck_assert_int_eq(at_popen_stderr(NULL), -EINVAL);
    ck_assert_int_eq(at_popen_detach(NULL, STDIN_FILENO), -EINVAL);
    ck_assert_int_eq(at_popen_sentinel(NULL), -EINVAL);
    at_popen_free(NULL);
}
END_TEST

SUITE_WITH("subprocess_handles", begin_commands, end_commands, args_pid_and_sentinel, pipes_are_its_ends,
           pipe_is_handed_over_once, one_thread_alone_is_handed_the_pipe, freed_child_goes_on_and_is_reaped_later,
           forked_process_has_no_hold_on_it, no_handle_is_an_error)
