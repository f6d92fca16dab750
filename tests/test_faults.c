/*
 * test_faults.c: the system refuses: each call on which the runtime depends fails, at its first use, its second and so
 * on, in every operation that uses it. Each time the operation must say so, leave nothing behind, and work when it is
 * tried again (faults 13, 15, 16). What happens at the real limits is in test_process_limits.c.
 *
 * The linker sends these calls of the library to the __wrap_ functions below (WRAP in the Makefile).
 */
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "operations.h"
#include "wrap.h"

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

WRAP_SOCKETPAIR
WRAP_SENDMSG
WRAP_RECVMSG
WRAP_WAITID
WRAP(pid_t, waitpid, -1, (pid_t pid, int *status, int options), pid, status, options)
WRAP_PPOLL
WRAP_MMAP
WRAP_MALLOC
WRAP_PTHREAD_CREATE
WRAP(int, pthread_attr_init, fault.error, (pthread_attr_t * attributes), attributes)
WRAP_FORK
WRAP_PIDFD_OPEN

/* ---- the operations that use them, beside those of operations.h */

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
    tcase_add_test(cases, conversation_with_the_zygote_breaks_off);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
