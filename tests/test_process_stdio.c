/* test_process_stdio.c: what parent and child print and read: every byte is written once; case 28. */
#include <fcntl.h>
#include <sys/stat.h>

#include "processes.h"

static struct wire wire, go; /* a thread puts its word on the first, and waits for the second */

/* ---- what is printed before, in and after a child */

static int print_without_a_newline(void *unused) {
    (void)unused;
    printf("B");
    return 0;
}

static int print_to_nowhere(void *unused) {
    (void)unused;
    int full = open("/dev/full", O_WRONLY);
    dup2(full, STDOUT_FILENO);
    printf("lost");
    return 0;
}

static int print_to_a_closed_stdout(void *unused) {
    (void)unused;
    close(STDOUT_FILENO);
    printf("lost");
    return 0;
}

/*
 * Case 28, second part (test_error_on_stdio_flush): flushed, once each, in order; a stdout that is broken changes
 * nothing.
 */
static void print_around_children(void) {
    printf("A");
    at_process *process = at_process_new(.target = print_without_a_newline);
    at_check(at_process_start(process));
    at_check(at_process_join(process, AT_FOREVER));
    at_process_free(process);
    printf("C");
    static at_target *const BROKEN[] = {print_to_nowhere, print_to_a_closed_stdout};
    for (int i = 0; i < 2; i++) {
        int code = 1;
        process = at_process_new(.target = BROKEN[i]);
        at_check(at_process_start(process));
        at_check(at_process_join(process, AT_FOREVER));
        at_check(at_process_exitcode(process, &code));
        at_process_free(process);
        printf("%d", code);
    }
}

START_TEST(stdio_is_flushed_once_and_in_order) {
    char output[200];
    ck_assert_int_eq(run_program(print_around_children, output, sizeof output), 0);
    ck_assert_str_eq(output, "ABC00");
}
END_TEST

/* ---- while a thread has stdout, or prints to it */

static int hold_stdout(void *unused) {
    (void)unused;
    flockfile(stdout);
    putchar_unlocked('X');
    wire_put(wire, 'h');
    wire_get(go);
    funlockfile(stdout);
    return 0;
}

static void start_while_stdout_is_held(void) {
    at_set_fork_policy(AT_FORK_ALLOW);
    at_thread *holder = at_thread_new(.target = hold_stdout);
    at_check(at_thread_start(holder));
    wire_get(wire);
    if (code_of_child(at_process_new(.target = do_nothing)) != 0)
        _exit(3);
    wire_put(go, 'g');
    at_check(at_thread_join(holder, BOUND));
    at_thread_free(holder);
}

START_TEST(stdout_held_by_a_thread_is_neither_waited_for_nor_written_twice) {
    char output[100];
    wire = wire_new();
    go = wire_new();
    ck_assert_int_eq(run_program(start_while_stdout_is_held, output, sizeof output), 0);
    ck_assert_str_eq(output, "X");
}
END_TEST

/* An empty file without a name, and stdout in it: what children write there is counted, and not read through a pipe. */
static void turn_stdout_into_a_file(void) {
    FILE *file = tmpfile();
    if (file == NULL || dup2(fileno(file), STDOUT_FILENO) < 0)
        _exit(98);
}

static long size_of(int descriptor) {
    struct stat about;
    return fstat(descriptor, &about) == 0 ? (long)about.st_size : -1;
}

static _Atomic bool chatting;

static int count_what_it_prints(void *count) {
    while (chatting) {
        putchar('x');
        ++*(long *)count;
    }
    return 0;
}

static void start_while_a_thread_prints(void) {
    long count = 0;
    turn_stdout_into_a_file();
    at_set_fork_policy(AT_FORK_ALLOW);
    chatting = true;
    at_thread *printer = at_thread_new(.target = count_what_it_prints, .arg = &count);
    at_check(at_thread_start(printer));
    for (int i = 0; i < 300; i++)
        code_of_child(at_process_new(.target = do_nothing));
    chatting = false;
    at_check(at_thread_join(printer, BOUND));
    fflush(stdout);
    _exit(size_of(STDOUT_FILENO) == count && count > 0 ? 0 : 1);
}

START_TEST(what_a_thread_prints_meanwhile_is_written_once) {
    char output[200];
    if (UNDER_TSAN || UNDER_ASAN)
        skip("the sanitizers' own locks, unlike glibc's and ours, do not survive a fork among threads");
    ck_assert_int_eq(run_program(start_while_a_thread_prints, output, sizeof output), 0);
}
END_TEST

static int take_stdout_again_and_again(void *unused) {
    (void)unused;
    wire_put(wire, 't');
    for (;;) {
        flockfile(stdout);
        funlockfile(stdout);
    }
    return 0;
}

static int print_beside_a_daemon_thread(void *unused) {
    (void)unused;
    at_check(at_thread_start(at_thread_new(.target = take_stdout_again_and_again, .daemon = true)));
    wire_get(wire);
    printf("RESULT");
    return 0;
}

static void start_those_who_print(void) {
    turn_stdout_into_a_file();
    for (int i = 1; i <= 100; i++) {
        code_of_child(at_process_new(.target = print_beside_a_daemon_thread));
        if (size_of(STDOUT_FILENO) != i * (long)strlen("RESULT"))
            _exit(1);
    }
    _exit(0);
}

START_TEST(child_writes_its_output_though_a_daemon_thread_prints_too) {
    char output[200];
    wire = wire_new();
    ck_assert_int_eq(run_program(start_those_who_print, output, sizeof output), 0);
}
END_TEST

static int hold_stdin(void *unused) {
    (void)unused;
    flockfile(stdin);
    wire_put(wire, 'h');
    return wait_forever(NULL);
}

static int leave_a_thread_in_stdin(void *unused) {
    (void)unused;
    int error = at_thread_start(at_thread_new(.target = hold_stdin, .daemon = true));
    wire_get(wire);
    return error;
}

START_TEST(child_ends_though_a_daemon_thread_waits_for_input) {
    wire = wire_new();
    ck_assert_int_eq(finish(started(.target = leave_a_thread_in_stdin)), 0);
}
END_TEST

/* ---- files */

static int write_a_file(void *path) {
    FILE *file = fopen(path, "w");
    fputs("data", file); /* left open: the end of the process writes it */
    return 0;
}

static int write_a_file_after_a_thread(void *path) {
    at_thread *thread = at_thread_new(.target = do_nothing);
    at_check(at_thread_start(thread));
    at_check(at_thread_join(thread, BOUND));
    at_thread_free(thread);
    return write_a_file(path);
}

START_TEST(child_writes_out_its_files) {
    static at_target *const TARGETS[] = {write_a_file, write_a_file_after_a_thread};
    for (int i = 0; i < 2; i++) {
        char path[] = "/tmp/atelier-launch-XXXXXX";
        int file = mkstemp(path);
        int code = finish(started(.target = TARGETS[i], .arg = path));
        long size = size_of(file);
        close(file);
        unlink(path);
        ck_assert_int_eq(code, 0);
        ck_assert_int_eq(size, 4);
    }
}
END_TEST

START_TEST(files_of_the_parent_are_written_once) {
    FILE *file = tmpfile();
    ok(at_zygote_start());
    for (int i = 0; i < 4; i++) {
        fputs("hello", file);
        if (i == 2) {
            at_zygote_stop();
            ok(at_zygote_start()); /* the zygote is such a child, too */
        }
        finish(started(.target = do_nothing, .start_method = i % 2 == 0 ? AT_START_FORK : AT_START_ZYGOTE));
    }
    at_zygote_stop();
    fflush(file);
    ck_assert_int_eq(size_of(fileno(file)), 4 * 5);
    fclose(file);
}
END_TEST

/* ---- without standard streams */

/* Bit by bit, which of the standard descriptors are closed. */
static int start_without_standard_streams(int closed) {
    for (int descriptor = 0; descriptor < 3; descriptor++)
        if (closed & 1 << descriptor)
            close(descriptor);
    for (int code = 0; code < 3; code++) {
        int got = 99;
        at_process *process = at_process_new(.target = return_arg, AT_COPY(code));
        if (at_process_start(process) != 0 || at_process_join(process, BOUND) != 0 ||
            at_process_exitcode(process, &got) != 0 || got != code)
            return 1;
        at_process_free(process);
    }
    return 0;
}

START_TEST(standard_streams_may_be_closed) {
    for (int closed = 0; closed < 8; closed++) {
        pid_t program = fork();
        if (program == 0)
            _exit(start_without_standard_streams(closed));
        require(end_of(program) == 0);
    }
}
END_TEST

SUITE("process_stdio", stdio_is_flushed_once_and_in_order,
      stdout_held_by_a_thread_is_neither_waited_for_nor_written_twice, what_a_thread_prints_meanwhile_is_written_once,
      child_writes_its_output_though_a_daemon_thread_prints_too, child_ends_though_a_daemon_thread_waits_for_input,
      child_writes_out_its_files, files_of_the_parent_are_written_once, standard_streams_may_be_closed)
