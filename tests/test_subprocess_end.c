/*
 * test_subprocess_end.c: ends that others have a hand in: of the main thread, of a thread that is cancelled, of a
 * command that a debugger traces, of one that runs as another user.
 */
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/statvfs.h>

#include "outcomes.h"

static at_completed done;

/* ---- pthread_exit in main, while other threads go on */

static at_popen *of_main;
static sem_t main_leaves;

/* The command waits for its input: so whatever ends it sooner has killed it. */
static void *wait_for_the_command_of_main(void *unused) {
    (void)unused;
    int returncode = 0;
    door_wait(&main_leaves);
    int error = at_popen_wait(of_main, 0.3, &returncode);
    bool lives = error == -ETIMEDOUT;
    close_stdin(of_main);
    if (lives)
        error = at_popen_wait(of_main, BOUND, &returncode);
    printf("%s %d %d", lives ? "lives" : "ended", error, returncode);
    fflush(stdout);
    _exit(0);
}

static void say_that_main_leaves(void *unused) {
    (void)unused;
    sem_post(&main_leaves);
}

static void start_a_command_and_leave_main(void) {
    pthread_t thread;
    sem_init(&main_leaves, 0, 0);
    of_main = open_command(SHELL("read line; exit 7"), .stdin = AT_PIPE, .stdout = AT_DEVNULL, .stderr = AT_DEVNULL);
    require(pthread_create(&thread, NULL, wait_for_the_command_of_main, NULL) == 0);
    pthread_cleanup_push(say_that_main_leaves, NULL);
    end_main_thread();
    pthread_cleanup_pop(0);
}

START_TEST(command_of_main_outlives_its_pthread_exit) {
    char output[200];
    ck_assert_int_eq(run_program(start_a_command_and_leave_main, output, sizeof output), 0);
    ck_assert_str_eq(output, "lives 0 7");
}
END_TEST

/* ---- a thread that is cancelled */

/* Work for a thread that has been cancelled before it begins: at the first cancellation point it would end. */
struct cancelled {
    int (*work)(void);
    int result;
};

static struct wire cancel, go;

static void *work_and_be_cancelled(void *arg) {
    struct cancelled *cancelled = arg;
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    wire_get(cancel);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
    cancelled->result = cancelled->work();
    pthread_testcancel();
    return NULL;
}

/* The call goes on to its end, and what cancels the thread is the next cancellation point. */
static void expect_uncancelled(int (*work)(void), int result) {
    struct cancelled cancelled = {work, 1000};
    pthread_t thread;
    void *end;
    cancel = wire_new();
    require(pthread_create(&thread, NULL, work_and_be_cancelled, &cancelled) == 0);
    require(pthread_cancel(thread) == 0);
    wire_put(cancel, 'c');
    require(pthread_join(thread, &end) == 0 && end == PTHREAD_CANCELED);
    ck_assert_int_eq(cancelled.result, result);
    wire_close(cancel);
}

static int run_to_the_end(void) {
    return ran(SHELL("cat; exit 3"), .stdin = AT_DEVNULL, .capture_output = true);
}

static int start_to_the_end(void) {
    return at_popen_new(&of_main, AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE, .stderr = AT_DEVNULL);
}

static int communicate_for_a_while(void) {
    return talk(of_main, at_text("input"), 0.02, NULL, NULL);
}

static int wait_for_a_while(void) {
    return at_popen_wait(of_main, 0.02, NULL);
}

static void expect_forks_to_go_on(void) {
    pid_t pid = fork();
    if (pid == 0)
        _exit(42);
    ck_assert_int_eq(end_of(pid), 42);
    ok(at_run(AT_ARGS("true"), .check = true));
}

START_TEST(start_is_not_cancelled_within) {
    expect_uncancelled(run_to_the_end, 0);
    ck_assert_int_eq(done.returncode, 3);
    expect_stdout("");
    at_completed_free(&done);
    expect_forks_to_go_on();
    expect_uncancelled(start_to_the_end, 0);
    expect_forks_to_go_on();
    close_stdin(of_main);
    ck_assert_int_eq(close_command(of_main), 0);
}
END_TEST

START_TEST(cancelled_communicate_leaves_the_handle_usable) {
    at_output out;
    go = wire_new();
    of_main = open_command(SHELL(line_of("head -c 1 <&%d >/dev/null; cat; exit 3", go.read)), .stdin = AT_PIPE,
                           .stdout = AT_PIPE, .pass_fds = AT_FDS(go.read));
    expect_uncancelled(communicate_for_a_while, -ETIMEDOUT);
    expect_uncancelled(wait_for_a_while, -ETIMEDOUT);
    wire_put(go, 'g');
    ok(talk(of_main, AT_NO_INPUT, BOUND, &out, NULL));
    expect_text(out.data, out.size, "input");
    ck_assert_int_eq(close_command(of_main), 3);
    wire_close(go);
}
END_TEST

/* ---- a debugger that has not yet looked: until then the end of what it traces is nobody else's */

static struct wire named, seized, look;

/* It has no children, whose ends would stop it, too. */
#define TRACED SHELL(line_of("echo $$ >/proc/self/fd/%d; read line; exit 3", named.write))
#define CONNECTED .stdin = at_descriptor(go.read), .pass_fds = AT_FDS(named.write)

/* The pid that a shell has put there. */
static pid_t take_pid(struct wire wire) {
    char digits[16] = "";
    for (size_t size = 0; size < sizeof digits - 1 && strchr(digits, '\n') == NULL; size++)
        digits[size] = wire_get(wire);
    return atoi(digits);
}

/* Seizes the process that names itself, lets it end, and looks when it is told to, or a little later. */
static void trace(void) {
    pid_t pid = take_pid(named);
    bool has_it = ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0;
    wire_put(go, '\n');
    while (has_it && pid_exists(pid))
        nap();
    wire_put(seized, has_it ? 'y' : 'n');
    wire_get(look);
    for (int i = 0; i < 200; i++)
        nap();
    waitpid(pid, NULL, __WALL);
    _exit(0);
}

static pid_t start_debugger(void) {
    named = wire_new();
    go = wire_new();
    seized = wire_new();
    look = wire_new();
    pid_t debugger = fork();
    if (debugger == 0)
        trace();
    return debugger;
}

static void end_debugger(pid_t debugger) {
    ck_assert_int_eq(end_of(debugger), 0);
    wire_close(named);
    wire_close(go);
    wire_close(seized);
    wire_close(look);
}

START_TEST(wait_goes_on_until_the_debugger_has_looked) {
    int returncode = 99;
    pid_t debugger = start_debugger();
    at_popen *popen = open_command(TRACED, CONNECTED);
    bool has_it = wire_get(seized) == 'y';
    if (has_it) {
        ck_assert_int_eq(at_popen_wait(popen, 0.02, &returncode), -ETIMEDOUT);
        ck_assert_int_eq(at_popen_poll(popen, &returncode), -EAGAIN);
        ck_assert_int_eq(returncode, 99);
    }
    wire_put(look, 'l');
    ck_assert_int_eq(close_command(popen), 3);
    end_debugger(debugger);
    if (!has_it)
        skip("no right to trace a process here");
}
END_TEST

START_TEST(run_goes_on_until_the_debugger_has_looked) {
    pid_t debugger = start_debugger();
    wire_put(look, 'l');
    ok(ran(TRACED, CONNECTED));
    bool has_it = wire_get(seized) == 'y';
    ck_assert_int_eq(done.returncode, 3);
    expect_no_failure(&done.failure);
    at_completed_free(&done);
    end_debugger(debugger);
    if (!has_it)
        skip("no right to trace a process here");
}
END_TEST

/* ---- one that runs as another user, whom this one may not kill */

static char folder[] = "/tmp/atelier-XXXXXX", set_user[64];

/* A copy of setpriv that runs as root, whoever starts it. */
static void make_set_user(void) {
    struct statvfs system;
    if (geteuid() != 0)
        skip("not root, who alone can make a set-uid program");
    if (access("/usr/bin/setpriv", X_OK) != 0)
        skip("no setpriv; install util-linux");
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0)
        skip("set-uid programs get no rights here (no_new_privs)");
    require(mkdtemp(folder) != NULL && chmod(folder, 0755) == 0);
    if (statvfs(folder, &system) != 0 || (system.f_flag & ST_NOSUID) != 0) {
        rmdir(folder);
        skip("set-uid programs get no rights in /tmp (nosuid)");
    }
    snprintf(set_user, sizeof set_user, "%s/setpriv", folder);
    ok(at_run(AT_ARGS("cp", "/usr/bin/setpriv", set_user), .check = true));
    require(chmod(set_user, 04755) == 0);
}

/* As nobody. A timeout that came before it was another user's has killed it, and a longer one is tried. */
static void run_what_may_not_be_killed(void) {
    const char *line = line_of("echo $$ >/proc/self/fd/%d; exec sleep 1000", named.write);
    require(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
    for (double timeout = 0.25; timeout < BOUND / 2; timeout *= 2) {
        int error = ran(AT_ARGS(set_user, "--reuid=0", "--clear-groups", "sh", "-c", line), .stdout = AT_PIPE,
                        .stderr = AT_DEVNULL, .timeout = at_seconds(timeout), .pass_fds = AT_FDS(named.write));
        if (done.returncode == -SIGKILL)
            continue;
        printf("%d %d %d %s", error, done.returncode, done.timed_out, strstr(done.failure.text, "it may"));
        fflush(stdout);
        _exit(0);
    }
}

START_TEST(one_that_may_not_be_killed_holds_nobody) {
    char output[800], expected[200];
    make_set_user();
    named = wire_new();
    int end = run_program(run_what_may_not_be_killed, output, sizeof output);
    unlink(set_user);
    rmdir(folder);
    snprintf(expected, sizeof expected, "%d %d 1 it may not be killed, as it runs as another user, and goes on",
             -ETIMEDOUT, AT_NO_RETURNCODE);
    ck_assert_int_eq(end, 0);
    ck_assert_str_eq(output, expected);
    end_survivor(take_pid(named));
    wire_close(named);
}
END_TEST

SUITE_WITH("subprocess_end", begin_commands, end_commands, command_of_main_outlives_its_pthread_exit,
           start_is_not_cancelled_within, cancelled_communicate_leaves_the_handle_usable,
           wait_goes_on_until_the_debugger_has_looked, run_goes_on_until_the_debugger_has_looked,
           one_that_may_not_be_killed_holds_nobody)
