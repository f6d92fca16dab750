/* test_process_launch.c: what a child gets and does not get at its start, what it leaves at its end; the gate. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "watch.h"

static struct wire wire, go; /* a child puts its word on the first, and waits for the second */

static int do_nothing(void *unused) {
    (void)unused;
    return 0;
}

/*
 * A fork of the test's has no stdio that matters and no report to write: it ends with _exit, and its exit code is what
 * it says.
 */
static int code_of_child(at_process *process) {
    int code = 99;
    at_check(at_process_start(process));
    at_check(at_process_join(process, BOUND));
    at_check(at_process_exitcode(process, &code));
    at_process_free(process);
    return code;
}

static void stay_on_one_core(void) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)first_usable_core(), &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
}

/* ---- the gate: a parent that ends in the middle of a start */

static void start_and_vanish(void) {
    at_check(at_process_start(at_process_new(.target = wait_forever)));
    _exit(0);
}

START_TEST(parent_that_ends_at_once_leaves_no_child) {
    char output[100];
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(run_program(start_and_vanish, output, sizeof output), 0);
}
END_TEST

static int say_that_it_ran(void *unused) {
    (void)unused;
    wire_put(wire, 'r');
    return 0;
}

/* On one core the child has most often not yet come to its gate when the parent ends. */
START_TEST(child_that_outlives_runs_though_its_parent_ends_at_once) {
    stay_on_one_core();
    for (int i = 0; i < 300; i++) {
        wire = wire_new();
        pid_t parent = fork();
        if (parent == 0) {
            at_process *process = at_process_new(.target = say_that_it_ran, .outlives_parent = true);
            _exit(at_process_start(process) == 0 ? 0 : 1);
        }
        close(wire.write);
        require(end_of(parent) == 0);
        require(wire_get(wire) == 'r');
        close(wire.read);
    }
}
END_TEST

static void start_children_for_ever(void) {
    at_check(at_zygote_start());
    wire_put(wire, 's');
    for (int i = 0;; i++) {
        at_process *process =
            at_process_new(.target = wait_forever, .start_method = i % 2 == 0 ? AT_START_FORK : AT_START_ZYGOTE);
        at_check(at_process_start(process));
        if (i >= 6) /* a few stay, for the parent's death to end them */
            at_check(at_process_kill(process));
        at_process_free(process);
    }
}

/* Fault 7, at any moment of a start: program_finish returns once all that came of it has ended. */
START_TEST(killed_parent_leaves_no_child_wherever_it_was) {
    char output[200];
    wire = wire_new();
    for (int i = 0; i < 50; i++) {
        struct program program = program_start(start_children_for_ever);
        ck_assert_int_eq(wire_get(wire), 's');
        at_sleep(0.002 * (1 + rand() % 60)); /* stands for the work that the kill interrupts */
        kill(program.pid, SIGKILL);
        ck_assert_int_eq(program_finish(program, output, sizeof output), -SIGKILL);
    }
}
END_TEST

/* ---- stdio: every byte is written once */

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

/* ---- what a child inherits, and what not */

static void ignore_it(int number) {
    (void)number;
}

static int tell_whether_sigterm_ends_it(void *unused) {
    (void)unused;
    struct sigaction action;
    sigaction(SIGTERM, NULL, &action);
    return action.sa_handler == SIG_DFL ? 0 : 1;
}

/* The handler is gone again before the child has come up, most often. */
START_TEST(handler_of_the_moment_of_the_start_is_not_inherited) {
    stay_on_one_core();
    for (int i = 0; i < 300; i++) {
        signal(SIGTERM, ignore_it);
        at_process *first = at_process_new(.target = tell_whether_sigterm_ends_it);
        require(at_process_start(first) == 0);
        signal(SIGTERM, SIG_DFL);
        at_process *second = at_process_new(.target = do_nothing);
        require(at_process_start(second) == 0);
        require(finish(first) == 0);
        require(finish(second) == 0);
    }
}
END_TEST

static int own_fds(void *unused) {
    (void)unused;
    return count_fds();
}

static int ask_and_start(void *ask) {
    if (*(bool *)ask && !at_process_is_alive(at_parent_process())) /* which takes a descriptor */
        return 99;
    return code_of_child(at_process_new(.target = own_fds));
}

START_TEST(grandchild_has_no_descriptor_of_its_grandparent) {
    bool no = false, yes = true;
    int without = finish(started(.target = ask_and_start, .arg = &no));
    ck_assert_int_eq(finish(started(.target = ask_and_start, .arg = &yes)), without);
}
END_TEST

static int my_parent(void *pid) {
    return at_process_pid(at_parent_process()) == *(pid_t *)pid ? 0 : 1;
}

static int ask_then_start(void *unused) {
    (void)unused;
    pid_t pid = getpid();
    if (!at_process_is_alive(at_parent_process()))
        return 2;
    return code_of_child(at_process_new(.target = my_parent, .arg = &pid));
}

START_TEST(each_process_has_its_own_parent) {
    ck_assert_int_eq(finish(started(.target = ask_then_start)), 0);
}
END_TEST

static int count_cores(void *unused) {
    (void)unused;
    return usable_cores();
}

static int count_cores_of_a_child(void *pinned) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)first_usable_core(), &one);
    if (*(bool *)pinned && sched_setaffinity(0, sizeof one, &one) != 0)
        return -EINVAL;
    wire_put(wire, (char)code_of_child(at_process_new(.target = count_cores)));
    return 0;
}

START_TEST(child_runs_where_the_thread_may_that_started_it) {
    static const bool PINNED[] = {true, false, true, false};
    int cores = usable_cores();
    if (cores < 2 || cores > 127)
        skip("%d cores, and 2 to 127 are needed", cores);
    wire = wire_new();
    at_set_fork_policy(AT_FORK_ALLOW);
    for (int i = 0; i < 4; i++) {
        at_thread *thread = at_thread_new(.target = count_cores_of_a_child, .arg = &PINNED[i]);
        start(thread);
        ck_assert_int_eq(wire_get(wire), PINNED[i] ? 1 : cores);
        join(thread);
        at_thread_free(thread);
    }
    ck_assert_int_eq(finish(started(.target = count_cores)), cores);
}
END_TEST

static bool is_mapped(char *memory) {
    uintptr_t page = (uintptr_t)memory & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
    return msync((void *)page, 1, MS_ASYNC) == 0;
}

/* What one area's user writes reaches no other, nor what at_shared_free has to know. */
START_TEST(shared_memory_is_all_there_and_its_own) {
    enum { SIZE = 4096 };
    char *first = at_shared_new(SIZE), *second = at_shared_new(SIZE);
    memset(first, 1, SIZE);
    memset(second, 2, SIZE);
    for (int i = 0; i < SIZE; i++)
        require(first[i] == 1 && second[i] == 2);
    at_shared_free(first);
    memset(second, 3, SIZE);
    ck_assert(!is_mapped(first) && is_mapped(second));
    at_shared_free(second);
    ck_assert(!is_mapped(second));
    for (int i = 0; i < 70000; i++) { /* more than a process can have mappings */
        char *memory = at_shared_new(SIZE);
        require(memory != NULL);
        at_shared_free(memory);
    }
}
END_TEST

/* ---- children of threads: the spawner */

static int run_a_child(void *target) {
    return code_of_child(at_process_new(.target = *(at_target **)target)) == 0 ? 0 : -EIO;
}

static _Atomic bool failed;

static void note_failure(at_thread *thread, int code) {
    (void)thread;
    (void)code;
    failed = true;
}

/* Runs a process with this target, started by a thread; 0 when it returned 0. */
static int run_by_a_thread(at_target *target) {
    at_set_fork_policy(AT_FORK_ALLOW);
    at_set_excepthook(note_failure);
    at_thread *thread = at_thread_new(.target = run_a_child, .arg = &target);
    if (at_thread_start(thread) < 0 || at_thread_join(thread, BOUND) < 0)
        return 1;
    at_thread_free(thread);
    return failed;
}

static int run_one_more_by_a_thread(void *unused) {
    (void)unused;
    return run_by_a_thread(do_nothing);
}

START_TEST(child_of_a_thread_starts_children_from_its_threads) {
    if (UNDER_TSAN || UNDER_ASAN)
        skip("the sanitizers' own locks, unlike glibc's and ours, do not survive a fork among threads");
    ck_assert_int_eq(run_by_a_thread(run_one_more_by_a_thread), 0);
    ck_assert_int_eq(finish(started(.target = run_one_more_by_a_thread)), 0);
}
END_TEST

/* A thread that has it not blocked would take it, and end all. */
START_TEST(signals_are_not_for_the_spawner) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    ck_assert_int_eq(run_by_a_thread(do_nothing), 0);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    kill(getpid(), SIGUSR1);
    ck_assert_int_eq(sigtimedwait(&signals, NULL, &(struct timespec){.tv_sec = 20}), SIGUSR1);
}
END_TEST

START_TEST(spawner_is_no_other_thread) {
    ck_assert_int_eq(run_by_a_thread(do_nothing), 0);
    at_set_fork_policy(AT_FORK_REFUSE);
    ck_assert_int_eq(finish(started(.target = do_nothing)), 0);
}
END_TEST

/* ---- the end */

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
    pthread_exit(NULL);
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

SUITE("process_launch", parent_that_ends_at_once_leaves_no_child,
      child_that_outlives_runs_though_its_parent_ends_at_once, killed_parent_leaves_no_child_wherever_it_was,
      stdout_held_by_a_thread_is_neither_waited_for_nor_written_twice, what_a_thread_prints_meanwhile_is_written_once,
      child_writes_its_output_though_a_daemon_thread_prints_too, child_ends_though_a_daemon_thread_waits_for_input,
      child_writes_out_its_files, files_of_the_parent_are_written_once, standard_streams_may_be_closed,
      handler_of_the_moment_of_the_start_is_not_inherited, grandchild_has_no_descriptor_of_its_grandparent,
      each_process_has_its_own_parent, child_runs_where_the_thread_may_that_started_it,
      shared_memory_is_all_there_and_its_own, child_of_a_thread_starts_children_from_its_threads,
      signals_are_not_for_the_spawner, spawner_is_no_other_thread, exit_does_not_wait_for_one_that_outlives,
      child_waits_for_its_threads_though_its_parent_had_some, child_survives_pthread_exit_in_main_while_threads_go_on,
      daemon_is_told_before_it_is_killed)
