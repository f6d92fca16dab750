/*
 * test_subprocess_forks.c: many threads start commands at once, while others fork: nobody holds an end of another's
 * pipe, so each command ends once its stdin is closed; and what was forked can itself start commands (fault 23).
 *
 * The linker sends the library's calls of close to __wrap_close (in the Makefile), which is slow: whoever forks has
 * time to do so just then.
 */
#include "commands.h"

int __real_close(int descriptor);
int __wrap_close(int descriptor);
int __wrap_close(int descriptor) {
    usleep(200);
    return __real_close(descriptor);
}

static int start_cats(void *unused) {
    (void)unused;
    for (int i = 0; i < 20; i++) {
        at_popen *popen = open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE);
        require(at_popen_communicate(popen, AT_NO_INPUT, BOUND, NULL, NULL) == 0);
        require(close_command(popen) == 0);
        expect_echo(100);
    }
    return 0;
}

enum { THREADS = 4, FORKS = 20 };

/* Runs start_cats in so many threads, and meanwhile `work` in this one. */
static void work_beside_cats(int count, void (*work)(void)) {
    at_thread *threads[THREADS];
    for (int i = 0; i < count; i++) {
        threads[i] = at_thread_new(.target = start_cats);
        start(threads[i]);
    }
    work();
    for (int i = 0; i < count; i++) {
        join(threads[i]);
        at_thread_free(threads[i]);
    }
}

static void start_cats_here(void) {
    start_cats(NULL);
}

START_TEST(cats_end_at_once_beside_other_starts) {
    work_beside_cats(THREADS, start_cats_here);
}
END_TEST

static at_process *forks[2 * FORKS];

static int start_forks(void *first) {
    for (int i = 0; i < FORKS; i++)
        ((at_process **)first)[i] = started(.target = wait_forever);
    return 0;
}

static void start_forks_by_two_threads(void) {
    at_thread *thread = at_thread_new(.target = start_forks, .arg = forks);
    start(thread);
    start_forks(forks + FORKS);
    join(thread);
    at_thread_free(thread);
}

/* Those forks live on and execute nothing, so each descriptor that one of them took would stay open. */
START_TEST(cats_end_at_once_beside_forks) {
    if (UNDER_TSAN || UNDER_ASAN)
        skip("the sanitizers' own locks, unlike glibc's and ours, do not survive a fork among threads");
    at_set_fork_policy(AT_FORK_ALLOW);
    work_beside_cats(THREADS - 1, start_forks_by_two_threads);
    for (int i = 0; i < 2 * FORKS; i++) {
        ok(at_process_kill(forks[i]));
        ck_assert_int_eq(finish(forks[i]), -SIGKILL);
    }
}
END_TEST

/* In a fork: 0 when commands run there. */
static int run_true(void *unused) {
    (void)unused;
    at_popen *popen;
    at_completed done;
    int returncode = 1, error = run(&done, AT_ARGS("true"), .capture_output = true);
    bool right = error == 0 && done.returncode == 0;
    at_completed_free(&done);
    error = at_popen_new(&popen, AT_ARGS("true"), .stdout = AT_PIPE);
    if (error == 0)
        error = at_popen_wait(popen, BOUND, &returncode);
    at_popen_free(popen);
    return right && error == 0 ? returncode : 1;
}

static void start_forks_that_run(void) {
    for (int i = 0; i < FORKS; i++)
        ck_assert_int_eq(finish(started(.target = run_true)), 0);
}

/* They are forked while others start, and miss none of their locks. Fault 23. */
START_TEST(forks_among_starts_can_start) {
    if (UNDER_TSAN || UNDER_ASAN)
        skip("the sanitizers' own locks, unlike glibc's and ours, do not survive a fork among threads");
    at_set_fork_policy(AT_FORK_ALLOW);
    work_beside_cats(THREADS - 1, start_forks_that_run);
}
END_TEST

static struct wire full;
static _Atomic pid_t flushing;

static int run_into_a_full_pipe(void *unused) {
    (void)unused;
    FILE *file = fdopen(full.write, "w");
    require(file != NULL && fputs("flushed, ", file) >= 0);
    flushing = gettid();
    ok(at_run(SHELL("printf 'and written'"), .stdout = at_file(file)));
    require(fclose(file) == 0);
    return 0;
}

/* What is written before a start may wait for a reader, and whoever is to read may yet have to be forked. */
START_TEST(flush_that_waits_holds_up_no_fork) {
    enum { ROOM = 4096 };
    static char filler[ROOM], text[32];
    full = wire_new();
    require(fcntl(full.write, F_SETPIPE_SZ, ROOM) == ROOM && write(full.write, filler, ROOM) == ROOM);
    at_thread *thread = at_thread_new(.target = run_into_a_full_pipe);
    start(thread);
    await(flushing != 0 && sleeps_in(SYS_write, getpid(), flushing));
    pid_t reader = fork();
    if (reader == 0)
        _exit(read(full.read, filler, ROOM) == ROOM ? 42 : 1);
    ck_assert_int_eq(end_of(reader), 42);
    join(thread);
    at_thread_free(thread);
    ck_assert_int_eq((int)read(full.read, text, sizeof text), 20);
    ck_assert_str_eq(text, "flushed, and written");
    close(full.read);
}
END_TEST

SUITE_WITH("subprocess_forks", begin_commands, end_commands, cats_end_at_once_beside_other_starts,
           cats_end_at_once_beside_forks, forks_among_starts_can_start, flush_that_waits_holds_up_no_fork)
