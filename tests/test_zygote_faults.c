/* test_zygote_faults.c: the zygote killed, stopped, replaced, started among closed streams; what it leaves. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "watch.h"

static struct wire wire, go; /* a child puts its word on the first, and waits for the second */

#define by_zygote(...) started(.start_method = AT_START_ZYGOTE, __VA_ARGS__)

static int do_nothing(void *unused) {
    (void)unused;
    return 0;
}

static int own_fds(void *unused) {
    (void)unused;
    return count_fds();
}

/* The only child of this process. */
static pid_t zygote_pid(void) {
    char path[64];
    int pid = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "r");
    require(file != NULL && fscanf(file, "%d", &pid) == 1);
    fclose(file);
    return pid;
}

/* ---- standard streams */

/* Bit by bit, which of the standard descriptors are closed. What is printed then must reach nobody. */
static int start_without_standard_streams(int closed) {
    for (int descriptor = 0; descriptor < 3; descriptor++)
        if (closed & 1 << descriptor)
            close(descriptor);
    if (at_zygote_start() != 0)
        return 1;
    for (int code = 0; code < 4; code++) {
        int got = 99;
        if (closed & 1 << STDOUT_FILENO)
            printf("hello\n");
        if (closed & 1 << STDERR_FILENO)
            fprintf(stderr, "hello\n");
        fflush(stdout);
        at_process *process = at_process_new(.target = return_arg, AT_COPY(code), .start_method = AT_START_ZYGOTE);
        if (at_process_start(process) != 0 || at_process_join(process, BOUND) != 0 ||
            at_process_exitcode(process, &got) != 0 || got != code)
            return 2;
        at_process_free(process);
    }
    at_zygote_stop();
    return 0;
}

START_TEST(standard_streams_may_be_closed) {
    for (int closed = 0; closed < 8; closed++) {
        pid_t program = fork();
        if (program == 0) {
            alarm((unsigned)BOUND);
            _exit(start_without_standard_streams(closed));
        }
        require(end_of(program) == 0);
    }
}
END_TEST

/* ---- the zygote ends, or stops */

START_TEST(stopped_zygote_is_given_up_and_replaced) {
    int code = 7;
    ok(at_zygote_start());
    pid_t stopped = zygote_pid();
    kill(stopped, SIGSTOP);
    at_process *process = at_process_new(.target = return_arg, AT_COPY(code), .start_method = AT_START_ZYGOTE);
    double begin = at_now();
    ck_assert_int_eq(at_process_start(process), AT_ENOZYGOTE);
    ck_assert_double_lt(at_now() - begin, BOUND); /* it waits 5 s */
    ck_assert(!pid_exists(stopped));
    ok(at_zygote_start());
    ok(at_process_start(process));
    ck_assert_int_eq(finish(process), 7);
    at_zygote_stop();
    ck_assert_int_eq(count_children(), 0);
}
END_TEST

START_TEST(stopped_zygote_can_be_ended) {
    ok(at_zygote_start());
    kill(zygote_pid(), SIGSTOP);
    at_zygote_stop();
    ck_assert_int_eq(count_children(), 0);
}
END_TEST

START_TEST(replaced_zygote_leaves_nothing) {
    ok(at_zygote_start());
    int fds = count_fds();
    for (int i = 0; i < 5; i++) {
        kill(zygote_pid(), SIGKILL);
        await(count_zombies() == 1);
        ok(at_zygote_start());
        ck_assert_int_eq(count_fds(), fds);
        ck_assert_int_eq(count_children(), 1);
    }
}
END_TEST

static int say_and_wait(void *unused) {
    wire_put(wire, 's');
    return wait_forever(unused);
}

/* Nobody reaps the orphans here, as this process does not know that it is to: what became of them is soon given up. */
START_TEST(orphans_of_a_killed_zygote_hold_up_nobody) {
    at_process *orphans[10], **active;
    wire = wire_new();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    ok(at_zygote_start());
    pid_t zygote = zygote_pid();
    for (int i = 0; i < 10; i++)
        orphans[i] = by_zygote(.target = say_and_wait);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(wire_get(wire), 's');
    kill(zygote, SIGKILL);
    await(count_zombies() == 11);
    double begin = at_now();
    ck_assert_int_eq(at_active_children(&active), 0);
    ck_assert_double_lt(at_now() - begin, 7); /* 0.1 s for each */
    at_processes_free(active);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(at_process_join(orphans[i], BOUND), -ECHILD);
        at_process_free(orphans[i]);
    }
    at_zygote_stop();
}
END_TEST

/* Makes this pid the next one to be given; false without the right to. */
static bool give_next(pid_t pid) {
    FILE *last = fopen("/proc/sys/kernel/ns_last_pid", "w");
    if (last == NULL)
        return false;
    fprintf(last, "%d", (int)pid - 1);
    return fclose(last) == 0;
}

/*
 * Fault 18: the first zygote's child is gone, its pid a child of the second's: to wait for that would be to wait for
 * ever.
 */
START_TEST(pid_means_nothing_to_the_next_zygote) {
    wire = wire_new();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int tries = 0; tries < 50; tries++) {
        ok(at_zygote_start());
        at_process *first = by_zygote(.target = say_and_wait);
        ck_assert_int_eq(wire_get(wire), 's');
        pid_t pid = at_process_pid(first);
        at_zygote_stop();
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        ok(at_zygote_start());
        if (!give_next(pid)) {
            at_process_free(first);
            skip("no right to choose a pid by /proc/sys/kernel/ns_last_pid");
        }
        at_process *second = by_zygote(.target = wait_forever);
        bool reused = at_process_pid(second) == pid;
        if (reused) {
            int error = at_process_join(first, BOUND), code = -SIGKILL;
            ck_assert(error == 0 || error == -ECHILD);
            if (error == 0)
                ok(at_process_exitcode(first, &code));
            ck_assert_int_eq(code, -SIGKILL);
            ck_assert(at_process_is_alive(second));
        }
        ok(at_process_kill(second));
        ck_assert_int_eq(finish(second), -SIGKILL);
        at_process_free(first);
        at_zygote_stop();
        if (reused)
            return;
    }
    skip("other processes of this machine took the pid each time");
}
END_TEST

static void handle(int number) {
    (void)number;
}

static void handle_an_interrupt(void) {
    setpgid(0, 0);
    signal(SIGINT, handle);
    at_check(at_zygote_start());
    pid_t zygote = zygote_pid();
    kill(0, SIGINT);
    for (int i = 0; i < 20; i++) { /* were the signal its end, it would come now */
        at_process *process = at_process_new(.target = do_nothing, .start_method = AT_START_ZYGOTE);
        at_check(at_process_start(process));
        at_check(at_process_join(process, BOUND));
        at_process_free(process);
    }
    printf("%s", pid_exists(zygote) ? "done" : "dead");
}

START_TEST(zygote_survives_a_ctrl_c_that_the_program_handles) {
    char output[200];
    ck_assert_int_eq(run_program(handle_an_interrupt, output, sizeof output), 0);
    ck_assert_str_eq(output, "done");
}
END_TEST

/* ---- the end of the program, and of its main thread */

static int wait_for_the_go(void *code) {
    wire_put(wire, 'r');
    wire_get(go);
    return *(int *)code;
}

static int start_after_main(void *unused) {
    (void)unused;
    int code = 7, got = 99;
    wire_get(go);
    at_process *process = at_process_new(.target = wait_for_the_go, AT_COPY(code), .start_method = AT_START_ZYGOTE);
    at_check(at_process_start(process));
    wire_get(wire);
    if (at_process_join(process, 0.2) == -ETIMEDOUT)
        wire_put(go, 'g');
    at_check(at_process_join(process, BOUND));
    at_check(at_process_exitcode(process, &got));
    at_process_free(process);
    printf("%d", got);
    return 0;
}

static void leave_the_zygote_to_a_thread(void) {
    at_check(at_zygote_start());
    at_thread *thread = at_thread_new(.target = start_after_main);
    at_check(at_thread_start(thread));
    at_thread_free(thread);
    end_main_thread();
}

START_TEST(zygote_survives_pthread_exit_in_main) {
    char output[200];
    if (UNDER_TSAN)
        skip("ThreadSanitizer's own thread keeps a process alive after pthread_exit in main");
    wire = wire_new();
    go = wire_new();
    struct program program = program_start(leave_the_zygote_to_a_thread);
    await(is_blocked(program.pid, program.pid) || !pid_exists(program.pid)); /* main has nothing more to do */
    wire_put(go, 'g');
    ck_assert_int_eq(program_finish(program, output, sizeof output), 0);
    ck_assert_str_eq(output, "7");
}
END_TEST

static void leave_a_zygote_and_a_child(void) {
    at_check(at_zygote_start());
    at_check(at_process_start(at_process_new(.target = do_nothing)));
}

/* What nobody waited for would now be a child of this process. */
START_TEST(exit_reaps_the_zygote) {
    char output[200];
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    ck_assert_int_eq(run_program(leave_a_zygote_and_a_child, output, sizeof output), 0);
    ck_assert_int_eq(waitpid(-1, NULL, 0), -1);
}
END_TEST

static int paint(void *unused) {
    (void)unused;
    at_work(1);
    printf("painted");
    return 0;
}

static void leave_a_child_of_the_zygote(void) {
    at_check(at_zygote_start());
    at_check(at_process_start(at_process_new(.target = paint, .start_method = AT_START_ZYGOTE)));
}

START_TEST(children_of_the_zygote_are_joined_at_exit) {
    char output[200];
    ck_assert_int_eq(run_program(leave_a_child_of_the_zygote, output, sizeof output), 0);
    ck_assert_str_eq(output, "painted");
}
END_TEST

/* ---- descriptors */

START_TEST(sentinels_close_at_exec) {
    ok(at_zygote_start());
    static const at_start_method METHODS[] = {AT_START_FORK, AT_START_ZYGOTE};
    for (int i = 0; i < 2; i++) {
        at_process *process = started(.target = do_nothing, .start_method = METHODS[i]);
        ck_assert_int_eq(fcntl(at_process_sentinel(process), F_GETFD), FD_CLOEXEC);
        finish(process);
    }
}
END_TEST

START_TEST(child_has_neither_end_of_the_zygotes_socket) {
    int before = finish(started(.target = own_fds));
    ok(at_zygote_start());
    ck_assert_int_eq(finish(started(.target = own_fds)), before);
    ck_assert_int_eq(finish(by_zygote(.target = own_fds)), before + 1); /* the pidfd of its parent */
}
END_TEST

START_TEST(refused_children_leave_the_zygote_no_descriptor) {
    enum { MOST = 64 };
    char path[64];
    int fds[MOST], count = 0, errors[3];
    struct rlimit limit, low;
    ok(at_zygote_start());
    finish(by_zygote(.target = do_nothing));
    snprintf(path, sizeof path, "/proc/%d/fd", (int)zygote_pid());
    int had = count_entries(path);
    getrlimit(RLIMIT_NOFILE, &limit);
    low = (struct rlimit){.rlim_cur = MOST, .rlim_max = limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &low);
    while (count < MOST && (fds[count] = fcntl(0, F_DUPFD, 0)) >= 0)
        count++;
    at_process *process = at_process_new(.target = do_nothing, .start_method = AT_START_ZYGOTE);
    for (int i = 0; i < 3; i++)
        errors[i] = at_process_start(process);
    while (count > 0)
        close(fds[--count]);
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(errors[i], -EMFILE);
    await(count_entries(path) == had);
    ok(at_process_start(process));
    ck_assert_int_eq(finish(process), 0);
}
END_TEST

SUITE("zygote_faults", standard_streams_may_be_closed, stopped_zygote_is_given_up_and_replaced,
      stopped_zygote_can_be_ended, replaced_zygote_leaves_nothing, orphans_of_a_killed_zygote_hold_up_nobody,
      pid_means_nothing_to_the_next_zygote, zygote_survives_a_ctrl_c_that_the_program_handles,
      zygote_survives_pthread_exit_in_main, exit_reaps_the_zygote, children_of_the_zygote_are_joined_at_exit,
      sentinels_close_at_exec, child_has_neither_end_of_the_zygotes_socket,
      refused_children_leave_the_zygote_no_descriptor)
