/*
 * test_subprocess_signals.c: what starts do to the signals of their caller, which is nothing, and what the child has of
 * them: the caller's mask, and never one of its handlers.
 */
#include <stdatomic.h>

#include "commands.h"

/* What a call may not change: bit N-1 for signal N. */
struct signals {
    uint64_t mask, pending, ignored, handled;
};

static uint64_t bits_of(const sigset_t *set) {
    uint64_t bits = 0;
    for (int number = 1; number <= 64; number++)
        bits |= (uint64_t)(sigismember(set, number) == 1) << (number - 1);
    return bits;
}

static struct signals signals_now(void) {
    struct signals now = {0};
    sigset_t set;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    now.mask = bits_of(&set);
    sigpending(&set);
    now.pending = bits_of(&set);
    for (int number = 1; number <= 64; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) != 0)
            continue; /* libc keeps it to itself */
        now.ignored |= (uint64_t)(action.sa_handler == SIG_IGN) << (number - 1);
        now.handled |= (uint64_t)(action.sa_handler != SIG_IGN && action.sa_handler != SIG_DFL) << (number - 1);
    }
    return now;
}

static volatile sig_atomic_t broken_pipes;

static void count_broken_pipe(int number) {
    (void)number;
    broken_pipes++;
}

/* Each way out of a call: it ran, it did not, it took too long, nobody read its input. */
static void call_in_every_way(void) {
    enum { LARGE = 4 << 20 };
    char *large = pattern_of(LARGE);
    at_completed done;
    ok(run(&done, SHELL("exit 3"), .capture_output = true));
    at_completed_free(&done);
    ok(run(&done, SHELL("exec <&-; sleep 0.05"), .input = at_bytes(large, LARGE), .capture_output = true));
    at_completed_free(&done);
    require(run(&done, AT_ARGS("no-such-program"), .capture_output = true) == -ENOENT);
    at_completed_free(&done);
    require(run(&done, AT_ARGS("true"), .cwd = "/no/such/folder") == -ENOENT);
    at_completed_free(&done);
    require(run(&done, SLEEP, .timeout = at_seconds(0.05), .input = at_bytes(large, LARGE)) == -ETIMEDOUT);
    at_completed_free(&done);
    require(run(&done, AT_ARGS("true"), .input = at_text("input"), .stdin = AT_PIPE) == -EINVAL);
    at_completed_free(&done);
    free(large);
}

static void expect_unchanged(void) {
    struct signals before = signals_now();
    call_in_every_way();
    struct signals after = signals_now();
    ck_assert_mem_eq(&after, &before, sizeof after);
    ck_assert_int_eq(broken_pipes, 0);
}

START_TEST(calls_change_no_signal_of_the_caller) {
    sigset_t some;
    sigemptyset(&some);
    sigaddset(&some, SIGUSR1);
    expect_unchanged();
    pthread_sigmask(SIG_BLOCK, &some, NULL);
    raise(SIGUSR1); /* pending for the rest of the test */
    signal(SIGPIPE, count_broken_pipe);
    expect_unchanged();
    sigaddset(&some, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &some, NULL);
    expect_unchanged();
    raise(SIGPIPE); /* the caller's own, which a call may not take away */
    expect_unchanged();
    ck_assert_uint_eq(signals_now().pending, UINT64_C(1) << (SIGPIPE - 1) | UINT64_C(1) << (SIGUSR1 - 1));
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    expect_unchanged();
}
END_TEST

/* A line of /proc/.../status that says a set of signals, as what the kernel wrote. */
static void status_line(const char *status, const char *name, char line[32]) {
    const char *found = strstr(status, name);
    require(found != NULL && sscanf(found + strlen(name), " %31s", line) == 1);
}

static void expect_mask_of_child(void) {
    char file[4096] = "", mine[32], its[32];
    at_completed done;
    ok(run(&done, AT_ARGS("cat", "/proc/self/status"), .stdout = AT_PIPE));
    FILE *status = fopen("/proc/thread-self/status", "r");
    require(status != NULL && fread(file, 1, sizeof file - 1, status) > 0);
    fclose(status);
    status_line(file, "SigBlk:", mine);
    status_line(done.stdout, "SigBlk:", its);
    ck_assert_str_eq(its, mine);
    at_completed_free(&done);
}

static int expect_mask_of_thread(void *how) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(*(int *)how, &all, NULL);
    expect_mask_of_child();
    return 0;
}

/* Whether this thread starts it itself, or another one does for it. */
START_TEST(child_has_the_mask_of_the_thread_that_starts_it) {
    sigset_t some;
    expect_mask_of_child();
    sigemptyset(&some);
    sigaddset(&some, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &some, NULL);
    expect_mask_of_child();
    for (int i = 0; i < 2; i++) {
        at_thread *thread =
            at_thread_new(.target = expect_mask_of_thread, .arg = (int[]){i == 0 ? SIG_BLOCK : SIG_UNBLOCK});
        start(thread);
        join(thread);
        at_thread_free(thread);
    }
    expect_mask_of_child();
    expect_mask_of_thread(&(int){SIG_BLOCK});
}
END_TEST

/* With all signals blocked a timeout still ends the command, and one that is terminated ends. */
START_TEST(blocked_signals_hold_up_nothing) {
    at_completed done;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    ck_assert_int_eq(run(&done, SLEEP, .timeout = at_seconds(0.1)), -ETIMEDOUT);
    at_completed_free(&done);
    expect_echo(1 << 20);
    ck_assert_int_eq(close_command(open_command(AT_ARGS("cat"), .stdin = AT_DEVNULL)), 0);
}
END_TEST

static _Atomic int caught_here, caught_in_child;
static pid_t parent;

static void tell_where(int number) {
    (void)number;
    atomic_fetch_add(syscall(SYS_getpid) == parent ? &caught_here : &caught_in_child, 1);
}

/*
 * A child borrows this memory until it executes its program, so it would count here. SIGURG is one of the signals that
 * do nothing to a program that does not ask for them.
 */
static pid_t start_storm_on_the_group(void) {
    pid_t storm = fork();
    require(storm >= 0);
    if (storm == 0) {
        signal(SIGURG, SIG_IGN);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            kill(0, SIGURG);
            usleep(50);
        }
    }
    return storm;
}

static void expect_no_handler_in_children(void) {
    for (int i = 0; i < 100; i++) {
        at_completed done;
        ok(run(&done, AT_ARGS("true"), .capture_output = true));
        require(done.returncode == 0);
        at_completed_free(&done);
        require(run(&done, AT_ARGS("true"), .cwd = "/no/such/folder") == -ENOENT);
        at_completed_free(&done);
    }
}

START_TEST(no_handler_runs_in_a_child) {
    parent = getpid();
    sigaction(SIGURG, &(struct sigaction){.sa_handler = tell_where, .sa_flags = SA_RESTART}, NULL);
    pid_t storm = start_storm_on_the_group();
    expect_no_handler_in_children();
    if (refuse(SYS_clone3, ENOSYS)) /* the child itself has to take them off then */
        expect_no_handler_in_children();
    kill(storm, SIGKILL);
    ck_assert_int_eq(end_of(storm), -SIGKILL);
    ck_assert_int_gt(atomic_load(&caught_here), 50);
    ck_assert_int_eq(atomic_load(&caught_in_child), 0);
}
END_TEST

/* What is caught here is by default there, what is ignored stays so, but for SIGPIPE and SIGXFSZ. */
START_TEST(child_ignores_what_the_caller_ignores) {
    at_completed done;
    char ignored[32], caught[32];
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, tell_where);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; i < 4; i++) {
        bool restored = i % 2 == 0;
        if (i == 2 && !refuse(SYS_clone3, ENOSYS))
            break;
        ok(run(&done, AT_ARGS("cat", "/proc/self/status"), .stdout = AT_PIPE,
               .restore_signals = restored ? AT_ON : AT_OFF));
        status_line(done.stdout, "SigIgn:", ignored);
        status_line(done.stdout, "SigCgt:", caught);
        uint64_t bits = strtoull(ignored, NULL, 16);
        ck_assert_int_eq(bits >> (SIGUSR1 - 1) & 1, 1);
        ck_assert_int_eq(bits >> (SIGUSR2 - 1) & 1, 0);
        ck_assert_int_eq(bits >> (SIGPIPE - 1) & 1, !restored);
        ck_assert_int_eq(bits >> (SIGXFSZ - 1) & 1, !restored);
        ck_assert_uint_eq(strtoull(caught, NULL, 16), 0);
        at_completed_free(&done);
    }
}
END_TEST

SUITE_WITH("subprocess_signals", begin_commands, end_commands, calls_change_no_signal_of_the_caller,
           child_has_the_mask_of_the_thread_that_starts_it, blocked_signals_hold_up_nothing, no_handler_runs_in_a_child,
           child_ignores_what_the_caller_ignores)
