/*
 * test_process_gate.c: in the middle of a start, while the child waits at the gate: the handle is closed or freed, the
 * start is refused, the parent ends. The child then either runs or never was.
 *
 * The linker sends fork and pidfd_open of the library, between which the child comes to the gate, to the __wrap_
 * functions below (WRAP_GATE in the Makefile).
 */
#include "processes.h"

static struct wire wire; /* a child puts its word on it */

/* ---- the calls at which something happens */

/*
 * What another thread, or the end of all, does at such a moment: called once, before the real call; and the error with
 * which the next pidfd_open fails instead.
 */
static struct {
    void (*at_fork)(void);
    void (*at_pidfd_open)(void);
    int refusal; /* 0: none */
} hook;

static void run_once(void (**function)(void)) {
    void (*run)(void) = *function;
    *function = NULL;
    if (run != NULL)
        run();
}

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void) {
    run_once(&hook.at_fork);
    return __real_fork();
}

int __real_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags) {
    run_once(&hook.at_pidfd_open);
    if (hook.refusal == 0)
        return __real_pidfd_open(pid, flags);
    errno = hook.refusal;
    hook.refusal = 0;
    return -1;
}

/* ---- the handle is given up, the start is refused */

static at_process *starting;
static int result_of_close;

static void close_the_starting(void) {
    result_of_close = at_process_close(starting);
}

static void free_the_starting(void) {
    at_process_free(starting);
}

START_TEST(close_during_a_start_is_refused) {
    starting = at_process_new(.target = do_nothing);
    hook.at_fork = close_the_starting;
    ok(at_process_start(starting));
    ck_assert_int_eq(result_of_close, AT_ERUNNING);
    ck_assert_int_eq(finish(starting), 0);
}
END_TEST

START_TEST(free_during_a_start_leaves_no_zombie) {
    int fds = count_fds();
    starting = at_process_new(.target = do_nothing);
    hook.at_fork = free_the_starting;
    ok(at_process_start(starting));
    siginfo_t info; /* until it can be reaped; a zombie whose other threads, a sanitizer's, are still ending cannot */
    ck_assert_int_eq(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
    at_process *process = started(.target = wait_forever); /* which reaps it */
    ck_assert_int_eq(count_children(), 1);
    ok(at_process_kill(process));
    ck_assert_int_eq(finish(process), -SIGKILL);
    ck_assert_int_eq(count_fds(), fds);
}
END_TEST

static int be_refused(void *unused) {
    (void)unused;
    hook.refusal = EMFILE;
    return at_process_start(at_process_new(.target = do_nothing)) == -EMFILE ? 0 : 1;
}

/* A child that refuses a start of its own must not turn away its parent's next child. */
START_TEST(gates_of_parent_and_child_are_two) {
    ck_assert_int_eq(finish(started(.target = be_refused)), 0);
    ck_assert_int_eq(finish(started(.target = do_nothing)), 0);
}
END_TEST

/* ---- the parent ends */

/* The child has come to the gate, most often, and waits there. */
static void die(void) {
    usleep(50000);
    raise(SIGKILL);
}

static void die_behind_the_fork(void) {
    hook.at_pidfd_open = die;
    if (at_process_start(at_process_new(.target = wait_forever, .outlives_parent = true)) != 0)
        _exit(1);
}

/* The kernel does not end it, as it outlives its parent; run_program returns once it has ended. */
START_TEST(child_at_the_gate_ends_with_its_parent) {
    char output[200];
    ck_assert_int_eq(run_program(die_behind_the_fork, output, sizeof output), -SIGKILL);
}
END_TEST

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

SUITE("process_gate", close_during_a_start_is_refused, free_during_a_start_leaves_no_zombie,
      gates_of_parent_and_child_are_two, child_at_the_gate_ends_with_its_parent,
      parent_that_ends_at_once_leaves_no_child, child_that_outlives_runs_though_its_parent_ends_at_once,
      killed_parent_leaves_no_child_wherever_it_was)
