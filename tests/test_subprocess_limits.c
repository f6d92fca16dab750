/*
 * test_subprocess_limits.c: commands where there is not enough: each call on which they depend fails, at its first use,
 * its second and so on; reads and writes are short; the kernel forgets; the wall clock jumps (faults 13 to 17 and 24).
 * What happens at the real limits is in test_subprocess_descriptors.c.
 *
 * The linker sends these calls of the library to the __wrap_ functions below (WRAP_SUBPROCESS in the Makefile).
 */
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#include "commands.h"
#include "wrap.h"

/* ---- the calls that fail */

static struct {
    const char *call; /* which is to fail; NULL: none */
    _Atomic int countdown;
    bool lasts; /* and from then on at each */
    int error;
    pid_t owner; /* only in this process, not in its children */
} fault;

static bool strikes(const char *call) {
    if (fault.call == NULL || strcmp(call, fault.call) != 0 || getpid() != fault.owner)
        return false;
    int left = --fault.countdown;
    return left == 0 || (left < 0 && fault.lasts);
}

WRAP_MALLOC
WRAP_REALLOC
WRAP(int, pipe2, -1, (int ends[2], int flags), ends, flags)
WRAP_PTHREAD_CREATE
WRAP_PPOLL
WRAP_WAITID
WRAP(int, sigtimedwait, -1, (const sigset_t *set, siginfo_t *info, const struct timespec *timeout), set, info, timeout)

/* The last argument of fcntl may be left out, and is a word that nobody looks at then. */
WRAP(int, open, -1, (const char *path, int flags), path, flags)
WRAP(int, fcntl, -1, (int descriptor, int operation, long argument), descriptor, operation, argument)

/*
 * Whether reads and writes are of a few bytes each; whether there is always one more byte to read; whether the statuses
 * of the reaped are forgotten.
 */
static bool is_short, is_endless, is_forgetful;

static size_t shorten(size_t size) {
    static _Atomic unsigned turn;
    size_t most = 1 + atomic_fetch_add(&turn, 1) % 7 * 31;
    return is_short && size > most ? most : size;
}

ssize_t __real_read(int descriptor, void *bytes, size_t size);
ssize_t __wrap_read(int descriptor, void *bytes, size_t size);
ssize_t __wrap_read(int descriptor, void *bytes, size_t size) {
    static int endless;
    if (is_endless) {
        require(++endless < 10000000); /* whoever has read so much would have gone on for ever */
        *(char *)bytes = 'y';
        return 1;
    }
    if (!strikes("read"))
        return __real_read(descriptor, bytes, shorten(size));
    errno = fault.error;
    return -1;
}

ssize_t __real_write(int descriptor, const void *bytes, size_t size);
ssize_t __wrap_write(int descriptor, const void *bytes, size_t size);
ssize_t __wrap_write(int descriptor, const void *bytes, size_t size) {
    if (!strikes("write"))
        return __real_write(descriptor, bytes, shorten(size));
    errno = fault.error;
    return -1;
}

int __real_ioctl(int descriptor, unsigned long request, void *argument);
int __wrap_ioctl(int descriptor, unsigned long request, void *argument);
int __wrap_ioctl(int descriptor, unsigned long request, void *argument) {
    if (!is_forgetful)
        return __real_ioctl(descriptor, request, argument);
    errno = ENOTTY; /* what a kernel before 6.13 says */
    return -1;
}

/* The wall clock jumps an hour to and fro each time that somebody looks. */
static _Atomic int looks;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now) {
    int result = __real_clock_gettime(clock, now);
    if (clock == CLOCK_REALTIME)
        now->tv_sec += atomic_fetch_add(&looks, 1) % 2 == 0 ? 3600 : -3600;
    return result;
}

/* ---- what uses them: 0, or the error of the call that failed */

enum { SIZE = 200000, LARGE = 4 << 20 };
static char *bytes;

/* As much as one run can need: pipes, an environment, text both ways, more output than fits at first. */
static int run_a_command(void) {
    at_completed done;
    int error = run(&done, AT_ARGS("cat"), .input = at_bytes(bytes, SIZE), .capture_output = true, .text = true,
                    .env = AT_ENV({"LANG", "C"}), .pass_fds = AT_FDS(STDERR_FILENO, STDOUT_FILENO),
                    .timeout = at_seconds(BOUND));
    require(error != 0 || (done.returncode == 0 && done.stdout_size == SIZE && !done.truncated));
    require(error != 0 || memcmp(done.stdout, bytes, SIZE) == 0);
    require(error == done.failure.code);
    at_completed_free(&done);
    return error;
}

static int run_with_other_streams(void) {
    at_completed done;
    int error = run(&done, SHELL("echo; echo >&2; exit 3"), .stdin = AT_DEVNULL, .stdout = AT_PIPE, .stderr = AT_STDOUT,
                    .start_new_session = true);
    require(error != 0 || (done.returncode == 3 && strcmp(done.stdout, "\n\n") == 0));
    at_completed_free(&done);
    return error;
}

static int talk(at_popen *popen) {
    at_output out;
    int returncode = 0, error = at_popen_communicate(popen, at_bytes(bytes, SIZE), BOUND, &out, NULL);
    require(error != 0 || (out.size == SIZE && memcmp(out.data, bytes, SIZE) == 0));
    if (error == 0)
        error = at_popen_wait(popen, BOUND, &returncode);
    require(returncode == 0);
    return error;
}

/* One whose conversation failed is still a handle: it is killed, and reaped. */
static int open_a_command(void) {
    at_popen *popen;
    int error = at_popen_new(&popen, AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE);
    require((error == 0) == (popen != NULL));
    if (error != 0)
        return error;
    error = talk(popen);
    ok(at_popen_kill(popen));
    int end = at_popen_wait(popen, BOUND, NULL);
    if (end != 0)
        ok(at_popen_wait(popen, BOUND, NULL));
    at_popen_free(popen);
    return error != 0 ? error : end;
}

static int check_an_output(void) {
    char *output;
    ssize_t size = at_check_output(&output, AT_ARGS("echo", "out"), .stderr = AT_PIPE);
    require((size < 0) == (output == NULL) && (size < 0 || strcmp(output, "out\n") == 0));
    free(output);
    return size < 0 ? (int)size : 0;
}

static int get_an_output(void) {
    char *output;
    int error = at_getoutput(&output, "echo out");
    require((error < 0) == (output == NULL) && (error < 0 || strcmp(output, "out") == 0));
    free(output);
    return error;
}

static int result_of_thread;

static void *open_in_thread(void *unused) {
    result_of_thread = open_a_command();
    return unused;
}

static int open_from_a_thread(void) {
    pthread_t thread; /* not one of the runtime's, whose start would fail, too */
    require(__real_pthread_create(&thread, NULL, open_in_thread, NULL) == 0);
    require(pthread_join(thread, NULL) == 0);
    return result_of_thread;
}

/* Its input is more than a pipe holds, and nobody reads it. */
static int run_without_a_reader(void) {
    at_completed done;
    int error = run(&done, SHELL("exec <&-; exit 3"), .input = at_bytes(bytes, LARGE), .stdout = AT_PIPE);
    require(error != 0 || done.returncode == 3);
    at_completed_free(&done);
    return error;
}

typedef int operation(void);

/* ---- each use of a call fails in turn, in a process of its own */

enum { PASSED, FAILED, NOT_REACHED };

/* Whether an operation may fail by it, or has to go on. */
enum effect { FAILS, GOES_ON };

static int strike(operation *operate, const char *call, int nth, int error, enum effect effect) {
    int fds = count_fds(), children = count_children();
    fault.owner = getpid();
    fault.countdown = nth;
    fault.error = error;
    fault.call = call;
    int result = operate();
    fault.call = NULL;
    bool reached = fault.countdown <= 0;
    bool right = result == 0 || (reached && effect == FAILS && result == -error);
    int left_fds = count_fds() - fds, left_children = count_children() - children;
    right = right && left_fds == 0 && left_children == 0 && (!reached || operate() == 0);
    if (!right)
        fprintf(stderr, "%s failing with %s at use %d gave %d (%s); %d fds, %d children more\n", call,
                strerrorname_np(error), nth, result, at_strerror(result), left_fds, left_children);
    return !right ? FAILED : reached ? PASSED : NOT_REACHED;
}

/* There are `least` uses, or the test tests nothing, and at most so many are tried. */
static void sweep(operation *operate, const char *call, int error, enum effect effect, int least) {
    enum { MOST = 60 };
    int nth = 0, result;
    do {
        nth++;
        fflush(NULL);
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            alarm((unsigned)BOUND);
            _exit(strike(operate, call, nth, error, effect));
        }
        result = end_of(pid);
    } while (result == PASSED && nth < MOST);
    ck_assert_msg(result == NOT_REACHED || nth == MOST, "%s at use %d: %d", call, nth, result);
    ck_assert_msg(nth > least, "%s was used %d times, and not %d", call, nth - 1, least);
}

static operation *const OPERATIONS[] = {run_a_command,   run_with_other_streams, open_a_command,
                                        check_an_output, get_an_output,          open_from_a_thread};
enum { COUNT = sizeof OPERATIONS / sizeof *OPERATIONS };

START_TEST(memory_runs_out) {
    for (int i = 0; i < COUNT; i++)
        sweep(OPERATIONS[i], "malloc", ENOMEM, FAILS, 3);
    sweep(run_a_command, "realloc", ENOMEM, FAILS, 2);
    sweep(open_a_command, "realloc", ENOMEM, FAILS, 2);
    fault.lasts = true;
    sweep(run_a_command, "malloc", ENOMEM, FAILS, 3);
    sweep(run_a_command, "realloc", ENOMEM, FAILS, 2);
    fault.lasts = false;
    sweep(run_a_command, "ppoll", ENOMEM, FAILS, 2);
    sweep(open_a_command, "ppoll", ENOMEM, FAILS, 2);
}
END_TEST

START_TEST(pipes_and_threads_cannot_be_made) {
    sweep(run_a_command, "pipe2", EMFILE, FAILS, 3);
    sweep(run_with_other_streams, "pipe2", ENFILE, FAILS, 1);
    sweep(run_with_other_streams, "open", ENFILE, FAILS, 1);
    sweep(open_a_command, "pipe2", EMFILE, FAILS, 2);
    sweep(open_from_a_thread, "pthread_create", EAGAIN, FAILS, 1);
}
END_TEST

/* Fault 13 at each call site, and reads and writes that find nothing after all. */
START_TEST(every_call_goes_on_after_a_signal) {
    for (int i = 0; i < COUNT; i++) {
        sweep(OPERATIONS[i], "waitid", EINTR, GOES_ON, 1);
        sweep(OPERATIONS[i], "ppoll", EINTR, GOES_ON, 1);
        sweep(OPERATIONS[i], "read", EINTR, GOES_ON, 1);
    }
    sweep(run_a_command, "read", EAGAIN, GOES_ON, 3);
    is_short = true;
    sweep(run_a_command, "write", EAGAIN, GOES_ON, 3);
    sweep(run_a_command, "write", EINTR, GOES_ON, 3);
    sweep(open_a_command, "write", EINTR, GOES_ON, 3);
    sweep(run_without_a_reader, "sigtimedwait", EINTR, GOES_ON, 1);
}
END_TEST

/* ---- fault 14 */

START_TEST(short_reads_and_writes_lose_no_byte) {
    is_short = true;
    expect_echo(SIZE);
    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(OPERATIONS[i](), 0);
}
END_TEST

/* No wait comes to its end because there is nothing to read. */
START_TEST(output_without_an_end_moves_no_deadline) {
    at_completed done;
    is_endless = true;
    ck_assert_int_eq(run(&done, AT_ARGS("yes"), .stdout = AT_PIPE, .timeout = at_seconds(0.1)), -ETIMEDOUT);
    ck_assert_int_eq(done.returncode, -SIGKILL);
    ck_assert_int_eq(strncmp(done.stdout, "yyyy", 4), 0);
    at_completed_free(&done);
    ok(run(&done, SHELL("(echo; exec yes) & exit 3"), .stdout = AT_PIPE, .drain = at_seconds(0.1)));
    ck_assert_int_eq(done.returncode, 3);
    ck_assert(done.truncated);
    at_completed_free(&done);
}
END_TEST

/* A page is the least that a pipe can hold. */
START_TEST(tiny_pipes_lose_no_byte) {
    at_popen *popen = open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE);
    ck_assert_int_gt(fcntl(at_popen_stdin(popen), F_SETPIPE_SZ, 4096), 0);
    ck_assert_int_gt(fcntl(at_popen_stdout(popen), F_SETPIPE_SZ, 4096), 0);
    ck_assert_int_eq(talk(popen), 0);
    at_popen_free(popen);
}
END_TEST

/* ---- fault 17, where the kernel does not remember */

START_TEST(forgotten_status_is_unknown) {
    is_forgetful = true;
    for (int i = 0; i < 3; i++) {
        int returncode = 99;
        at_popen *popen = open_command(SHELL("exit 7"), .stdout = AT_PIPE);
        ck_assert_int_eq(waitpid(at_popen_pid(popen), NULL, 0), at_popen_pid(popen));
        if (i > 0)
            ck_assert_int_eq(at_popen_communicate(popen, AT_NO_INPUT, BOUND, NULL, NULL), -ECHILD);
        if (i > 1)
            ck_assert_int_eq(at_popen_poll(popen, &returncode), -ECHILD);
        ck_assert_int_eq(at_popen_wait(popen, BOUND, &returncode), -ECHILD);
        ok(at_popen_kill(popen));
        ck_assert_int_eq(returncode, 99);
        at_popen_free(popen);
    }
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 10; i++) {
        at_completed done;
        ck_assert_int_eq(run(&done, SHELL("echo out; exit 7"), .stdout = AT_PIPE, .check = i % 2), -ECHILD);
        ck_assert_int_eq(done.returncode, AT_NO_RETURNCODE);
        ck_assert_int_eq(done.failure.stage, AT_STAGE_RUN);
        ck_assert_str_eq(done.stdout, "out\n"); /* that is known */
        at_completed_free(&done);
    }
}
END_TEST

/* ---- fault 24 */

START_TEST(jumps_of_the_wall_clock_change_nothing) {
    at_completed done;
    struct timespec now, then;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_REALTIME, &then);
    ck_assert_int_gt(labs(then.tv_sec - now.tv_sec), 3600);
    int before = atomic_load(&looks);
    double begin = at_now();
    ck_assert_int_eq(run(&done, AT_ARGS("sleep", "1000"), .capture_output = true, .timeout = at_seconds(0.2)),
                     -ETIMEDOUT);
    ck_assert_double_ge(at_now() - begin, 0.2 - ROUNDING);
    at_completed_free(&done);
    ck_assert_int_eq(run_a_command(), 0);
    ok(run(&done, SHELL("sleep 0.5 & exit 3"), .capture_output = true));
    ck_assert(done.truncated);
    at_completed_free(&done);
    ck_assert_double_lt(at_now() - begin, BOUND);
    ck_assert_int_eq(atomic_load(&looks), before);
}
END_TEST

static void begin_limits(void) {
    begin_commands();
    bytes = malloc(LARGE);
    memset(bytes, 'b', LARGE);
}

static void end_limits(void) {
    free(bytes);
    end_commands();
}

SUITE_WITH("subprocess_limits", begin_limits, end_limits, memory_runs_out, pipes_and_threads_cannot_be_made,
           every_call_goes_on_after_a_signal, short_reads_and_writes_lose_no_byte,
           output_without_an_end_moves_no_deadline, tiny_pipes_lose_no_byte, forgotten_status_is_unknown,
           jumps_of_the_wall_clock_change_nothing)
