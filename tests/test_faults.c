/*
 * test_faults.c: the system refuses: each call on which the runtime depends fails, at its first use, its second and so
 * on, in every operation that uses it. Each time the operation must say so, leave nothing behind, and work when it is
 * tried again (faults 13, 15, 16).
 *
 * The linker sends these calls of the library to the __wrap_ functions below (WRAP in the Makefile). Besides, the
 * limits of the real system are reached: RLIMIT_NOFILE, RLIMIT_NPROC.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "children.h"
#include "support.h"

/* ---- the calls that fail */

static struct {
    const char *call; /* which is to fail; NULL: none */
    int countdown;    /* at its how manieth use from now */
    int error;
    pid_t process; /* only in this one, not in its children */
} fault;

static bool strikes(const char *call) {
    return fault.call != NULL && strcmp(call, fault.call) == 0 && getpid() == fault.process && --fault.countdown == 0;
}

/* Defines __wrap_CALL, which fails as most calls do: -1, or another value, and errno. */
#define WRAP(type, call, failure, parameters, ...)                                                                     \
    type __real_##call parameters;                                                                                     \
    type __wrap_##call parameters;                                                                                     \
    type __wrap_##call parameters {                                                                                    \
        if (!strikes(#call))                                                                                           \
            return __real_##call(__VA_ARGS__);                                                                         \
        errno = fault.error;                                                                                           \
        return failure;                                                                                                \
    }

WRAP(int, socketpair, -1, (int domain, int type, int protocol, int ends[2]), domain, type, protocol, ends)
WRAP(ssize_t, sendmsg, -1, (int socket, const struct msghdr *message, int flags), socket, message, flags)
WRAP(ssize_t, recvmsg, -1, (int socket, struct msghdr *message, int flags), socket, message, flags)
WRAP(int, waitid, -1, (idtype_t type, id_t id, siginfo_t *info, int options), type, id, info, options)
WRAP(pid_t, waitpid, -1, (pid_t pid, int *status, int options), pid, status, options)
WRAP(int, ppoll, -1, (struct pollfd * fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask), fds,
     count, timeout, mask)
WRAP(void *, mmap, MAP_FAILED, (void *where, size_t length, int protection, int flags, int fd, off_t offset), where,
     length, protection, flags, fd, offset)
WRAP(void *, malloc, NULL, (size_t size), size)
WRAP(int, pthread_create, fault.error,
     (pthread_t * thread, const pthread_attr_t *attributes, void *(*start)(void *), void *arg), thread, attributes,
     start, arg)
WRAP(int, pthread_attr_init, fault.error, (pthread_attr_t * attributes), attributes)

/* What another thread, or the end of all, does at such a moment: called once, before the real call. */
static struct {
    void (*at_fork)(void);
    void (*at_pidfd_open)(void);
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
    if (!strikes("fork"))
        return __real_fork();
    errno = fault.error;
    return -1;
}

int __real_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags) {
    run_once(&hook.at_pidfd_open);
    if (!strikes("pidfd_open"))
        return __real_pidfd_open(pid, flags);
    errno = fault.error;
    return -1;
}

/* ---- the operations that use them: 0, or the error that the runtime gave */

static int start_and_join_a_thread(void) {
    int code = 0;
    at_thread *thread = at_thread_new(.target = return_arg, AT_COPY(code));
    if (thread == NULL)
        return -ENOMEM;
    size_t before = at_active_count();
    int error = at_thread_start(thread);
    if (error == 0)
        error = at_thread_join(thread, AT_FOREVER);
    else if (at_thread_is_alive(thread) || at_active_count() != before || at_thread_join(thread, 0) != AT_ENOTSTARTED)
        at_fatal("half a thread is left");
    at_thread_free(thread);
    return error;
}

static int start_and_join(at_start_method method) {
    int code = 7;
    at_process *process = at_process_new(.target = return_arg, AT_COPY(code), .start_method = method);
    if (process == NULL)
        return -ENOMEM;
    int error = at_process_start(process);
    if (error != 0 && (at_process_is_alive(process) || at_process_join(process, 0) != AT_ENOTSTARTED))
        at_fatal("half a process is left");
    if (error == 0)
        error = at_process_join(process, AT_FOREVER);
    if (error == 0)
        error = at_process_exitcode(process, &code);
    if (error == 0 && code != 7)
        at_fatal("the exit code came back as %d", code);
    at_process_free(process);
    return error;
}

static int start_and_join_by_fork(void) {
    return start_and_join(AT_START_FORK);
}

static int start_and_join_by_zygote(void) {
    int error = at_zygote_start();
    return error != 0 ? error : start_and_join(AT_START_ZYGOTE);
}

static int result_of_thread;

static int in_thread(void *unused) {
    (void)unused;
    result_of_thread = start_and_join_by_fork();
    return 0;
}

static int start_and_join_from_a_thread(void) {
    at_thread *thread = at_thread_new(.target = in_thread);
    if (thread == NULL)
        return -ENOMEM;
    at_set_fork_policy(AT_FORK_ALLOW);
    int error = at_thread_start(thread);
    if (error == 0)
        error = at_thread_join(thread, AT_FOREVER);
    at_thread_free(thread);
    return error != 0 ? error : result_of_thread;
}

static int list_all(void) {
    at_thread **threads;
    at_process **children;
    int error = at_enumerate(&threads);
    if (error < 0)
        return error;
    at_threads_free(threads);
    error = at_active_children(&children);
    if (error < 0)
        return error;
    at_processes_free(children);
    return 0;
}

static int share_memory(void) {
    char *memory = at_shared_new(100);
    at_process_lock *lock = at_process_lock_new();
    int error = memory == NULL || lock == NULL ? -ENOMEM : 0;
    at_shared_free(memory);
    at_process_lock_free(lock);
    return error;
}

typedef int operation(void);

/* ---- a fault in an operation, in a process of its own so that each first use is a first use */

enum { PASSED, FAILED, NOT_REACHED };

static int strike(operation *operate, const char *call, int nth, int error) {
    int fds = count_fds(), children = count_children();
    fault.process = getpid();
    fault.countdown = nth;
    fault.error = error;
    fault.call = call;
    int result = operate();
    fault.call = NULL;
    bool reached = fault.countdown <= 0;
    bool right = !reached || error == EINTR ? result == 0 : result == -error;
    if (right && result == 0)
        at_zygote_stop();
    if (right && reached && error != EINTR && (operate() != 0 || (at_zygote_stop(), false)))
        right = false;
    if (right && (count_fds() != fds || count_children() != children)) {
        fprintf(stderr, "left %d descriptors, %d children; ", count_fds() - fds, count_children() - children);
        right = false;
    }
    if (!right)
        fprintf(stderr, "%s failing with %s at use %d gave %d (%s)\n", call, strerrorname_np(error), nth, result,
                at_strerror(result));
    return !right ? FAILED : reached ? PASSED : NOT_REACHED;
}

static int strike_in_a_fork(operation *operate, const char *call, int nth, int error) {
    int status = 0;
    pid_t pid = __real_fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        alarm(20);
        _exit(strike(operate, call, nth, error));
    }
    ck_assert_int_eq(__real_waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status), "%s at use %d: killed by signal %d", call, nth, WTERMSIG(status));
    return WEXITSTATUS(status);
}

/* Each use of the call fails in turn; at least `least` uses there must be, or the test tests nothing. */
static void sweep(operation *operate, const char *call, int error, int least) {
    int nth = 1, result;
    while ((result = strike_in_a_fork(operate, call, nth, error)) == PASSED)
        nth++;
    ck_assert_int_eq(result, NOT_REACHED);
    ck_assert_msg(nth > least, "%s was used %d times, and not %d", call, nth - 1, least);
}

START_TEST(thread_start_fails) {
    sweep(start_and_join_a_thread, "pthread_create", EAGAIN, 1);
    sweep(start_and_join_a_thread, "pthread_attr_init", ENOMEM, 1);
    sweep(start_and_join_a_thread, "malloc", ENOMEM, 1);
}
END_TEST

START_TEST(process_start_by_fork_fails) {
    sweep(start_and_join_by_fork, "fork", EAGAIN, 1);
    sweep(start_and_join_by_fork, "fork", ENOMEM, 1);
    sweep(start_and_join_by_fork, "pidfd_open", EMFILE, 1);
    sweep(start_and_join_by_fork, "pidfd_open", ENFILE, 1);
    sweep(start_and_join_by_fork, "mmap", ENOMEM, 1);
    sweep(start_and_join_by_fork, "malloc", ENOMEM, 1);
}
END_TEST

START_TEST(process_start_from_a_thread_fails) {
    sweep(start_and_join_from_a_thread, "pthread_create", EAGAIN, 2); /* the thread, and the spawner */
    sweep(start_and_join_from_a_thread, "fork", EAGAIN, 1);
    sweep(start_and_join_from_a_thread, "pidfd_open", EMFILE, 1);
}
END_TEST

START_TEST(process_start_by_zygote_fails) {
    sweep(start_and_join_by_zygote, "socketpair", EMFILE, 1);
    sweep(start_and_join_by_zygote, "fork", EAGAIN, 1);
    sweep(start_and_join_by_zygote, "pidfd_open", EMFILE, 1);
    sweep(start_and_join_by_zygote, "malloc", ENOMEM, 1);
    sweep(start_and_join_by_zygote, "mmap", ENOMEM, 1);
}
END_TEST

/* The first of these is the request, which can fail and be tried again; to break off later is the zygote's end. */
START_TEST(message_to_the_zygote_fails) {
    ck_assert_int_eq(strike_in_a_fork(start_and_join_by_zygote, "sendmsg", 1, ENOBUFS), PASSED);
}
END_TEST

START_TEST(lists_fail) {
    sweep(list_all, "malloc", ENOMEM, 2);
}
END_TEST

START_TEST(shared_memory_fails) {
    sweep(share_memory, "mmap", ENOMEM, 2);
}
END_TEST

/* Fault 13 at each call site: nothing fails, nothing ends early. */
START_TEST(every_wait_goes_on_after_a_signal) {
    sweep(start_and_join_by_fork, "waitid", EINTR, 1);
    sweep(start_and_join_by_fork, "ppoll", EINTR, 1);
    sweep(start_and_join_by_zygote, "sendmsg", EINTR, 3);
    sweep(start_and_join_by_zygote, "recvmsg", EINTR, 2);
    sweep(start_and_join_by_zygote, "waitid", EINTR, 0);
    sweep(start_and_join_by_zygote, "ppoll", EINTR, 1);
}
END_TEST

/* ---- the real limits */

/* With room for n more descriptors, for n = 0, 1, ...: an error that says so, until there are enough. */
static void fill_descriptors(operation *operate) {
    int fds = count_fds();
    struct rlimit limit, low;
    getrlimit(RLIMIT_NOFILE, &limit);
    for (int room = 0, result = -1; result != 0; room++) {
        ck_assert_int_lt(room, 20);
        low = (struct rlimit){.rlim_cur = 64, .rlim_max = limit.rlim_max};
        setrlimit(RLIMIT_NOFILE, &low);
        int filler[64], count = 0;
        while ((filler[count] = dup(0)) >= 0)
            count++;
        for (int i = 0; i < room; i++)
            close(filler[--count]);
        result = operate();
        ck_assert_msg(result == 0 || result == -EMFILE, "%s", at_strerror(result));
        at_zygote_stop();
        while (count > 0)
            close(filler[--count]);
        ck_assert_int_eq(count_fds(), fds);
        ck_assert_int_eq(count_children(), 0);
    }
    setrlimit(RLIMIT_NOFILE, &limit);
}

START_TEST(descriptors_run_out) {
    fill_descriptors(start_and_join_by_fork);
    fill_descriptors(start_and_join_by_zygote);
    fill_descriptors(start_and_join_from_a_thread);
}
END_TEST

/* As a user who has used up its processes; root knows no such limit, so root becomes that user. */
static void use_up_processes(void) {
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        at_fatal("cannot become another user");
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_NPROC, &none);
    int by_fork = start_and_join_by_fork();
    int by_thread = start_and_join_a_thread();
    int by_zygote = at_zygote_start();
    printf("%d %d %d", by_fork, by_thread, by_zygote);
    fflush(stdout);
    _exit(0); /* past LeakSanitizer, which would need a process of its own */
}

START_TEST(processes_run_out) {
    char output[200], expected[100];
    ck_assert_int_eq(run_program(use_up_processes, output, sizeof output), 0);
    snprintf(expected, sizeof expected, "%d %d %d", -EAGAIN, -EAGAIN, -EAGAIN);
    ck_assert_str_eq(output, expected);
}
END_TEST

/* ---- a conversation with the zygote that breaks off */

/* In a process of its own: the start says so, the zygote is given up, and the next one works. */
static int break_off(const char *call, int nth, int error) {
    int fds = count_fds();
    if (at_zygote_start() != 0)
        return 1;
    fault.process = getpid();
    fault.countdown = nth;
    fault.error = error;
    fault.call = call;
    int result = start_and_join_by_zygote();
    fault.call = NULL;
    if (result != AT_ENOZYGOTE)
        return 2;
    if (count_children() != 0 || count_zombies() != 0)
        return 3;
    if (start_and_join_by_zygote() != 0)
        return 4;
    at_zygote_stop();
    return count_fds() == fds && count_children() == 0 ? 0 : 5;
}

static int break_off_in_a_fork(const char *call, int nth, int error) {
    int status = 0;
    pid_t pid = __real_fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        alarm(20);
        _exit(break_off(call, nth, error));
    }
    ck_assert_int_eq(__real_waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

START_TEST(conversation_with_the_zygote_breaks_off) {
    ck_assert_int_eq(break_off_in_a_fork("sendmsg", 1, EPIPE), 0); /* the request */
    ck_assert_int_eq(break_off_in_a_fork("sendmsg", 2, EPIPE), 0); /* the verdict */
    ck_assert_int_eq(break_off_in_a_fork("recvmsg", 1, ECONNRESET), 0);
    ck_assert_int_eq(break_off_in_a_fork("recvmsg", 1, EAGAIN), 0); /* it does not answer */
}
END_TEST

/* ---- in the middle of a start */

static at_process *starting;
static int result_of_close;

static void close_the_starting(void) {
    result_of_close = at_process_close(starting);
}

static void free_the_starting(void) {
    at_process_free(starting);
}

static int do_nothing(void *unused) {
    (void)unused;
    return 0;
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

static int be_refused(void *unused) {
    (void)unused;
    fault.process = getpid();
    fault.countdown = 1;
    fault.error = EMFILE;
    fault.call = "pidfd_open";
    int error = at_process_start(at_process_new(.target = do_nothing));
    fault.call = NULL;
    return error == -EMFILE ? 0 : 1;
}

/* A child that refuses a start of its own must not turn away its parent's next child. */
START_TEST(gates_of_parent_and_child_are_two) {
    ck_assert_int_eq(finish(started(.target = be_refused)), 0);
    ck_assert_int_eq(finish(started(.target = do_nothing)), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("faults");
    TCase *cases = tcase_create("faults");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, thread_start_fails);
    tcase_add_test(cases, process_start_by_fork_fails);
    tcase_add_test(cases, process_start_from_a_thread_fails);
    tcase_add_test(cases, process_start_by_zygote_fails);
    tcase_add_test(cases, message_to_the_zygote_fails);
    tcase_add_test(cases, lists_fail);
    tcase_add_test(cases, shared_memory_fails);
    tcase_add_test(cases, every_wait_goes_on_after_a_signal);
    tcase_add_test(cases, descriptors_run_out);
    tcase_add_test(cases, processes_run_out);
    tcase_add_test(cases, conversation_with_the_zygote_breaks_off);
    tcase_add_test(cases, close_during_a_start_is_refused);
    tcase_add_test(cases, free_during_a_start_leaves_no_zombie);
    tcase_add_test(cases, child_at_the_gate_ends_with_its_parent);
    tcase_add_test(cases, gates_of_parent_and_child_are_two);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
