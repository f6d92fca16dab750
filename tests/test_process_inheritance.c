/* test_process_inheritance.c: what a child has of its parent, what it shares with it, and what is its own. */
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

#include "processes.h"

static struct wire wire; /* a thread puts its word on it */

/* ---- signals */

static void ignore_it(int number) {
    (void)number;
}

static int check_signals(void *unused) {
    (void)unused;
    struct sigaction action;
    sigset_t mask;
    sigaction(SIGTERM, NULL, &action);
    bool is_default = action.sa_handler == SIG_DFL;
    sigaction(SIGCHLD, NULL, &action);
    is_default = is_default && action.sa_handler == SIG_DFL;
    sigaction(SIGHUP, NULL, &action);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return is_default && action.sa_handler == SIG_IGN && sigismember(&mask, SIGUSR2) && !sigismember(&mask, SIGUSR1)
               ? 42
               : 1;
}

START_TEST(child_has_the_callers_mask_and_default_handlers) {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    signal(SIGTERM, ignore_it);
    signal(SIGCHLD, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    at_process *process = started(.target = check_signals);
    signal(SIGCHLD, SIG_DFL);
    ck_assert_int_eq(finish(process), 42);
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    ck_assert(!sigismember(&now, SIGTERM) && sigismember(&now, SIGUSR2));
}
END_TEST

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

/* ---- descriptors */

static int count_own_fds(void *unused) {
    (void)unused;
    return count_fds();
}

/* test_child_fd_inflation: the tenth child has no more descriptors than the first. */
START_TEST(children_do_not_inherit_each_others_descriptors) {
    at_process *others[9];
    int first = finish(started(.target = count_own_fds));
    for (int i = 0; i < 9; i++)
        others[i] = started(.target = wait_forever);
    int code = 0;
    at_process *ended = started(.target = return_arg, .arg = &code);
    ck_assert_int_eq(exitcode_of(ended), 0); /* not closed: its sentinel is still there */
    ck_assert_int_eq(finish(started(.target = count_own_fds)), first);
    for (int i = 0; i < 9; i++) {
        ok(at_process_kill(others[i]));
        finish(others[i]);
    }
    at_process_free(ended);
}
END_TEST

static int ask_and_start(void *ask) {
    if (*(bool *)ask && !at_process_is_alive(at_parent_process())) /* which takes a descriptor */
        return 99;
    return code_of_child(at_process_new(.target = count_own_fds));
}

START_TEST(grandchild_has_no_descriptor_of_its_grandparent) {
    bool no = false, yes = true;
    int without = finish(started(.target = ask_and_start, .arg = &no));
    ck_assert_int_eq(finish(started(.target = ask_and_start, .arg = &yes)), without);
}
END_TEST

/* ---- its parent */

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

/* ---- cores */

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

/* ---- shared memory */

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

SUITE("process_inheritance", child_has_the_callers_mask_and_default_handlers,
      handler_of_the_moment_of_the_start_is_not_inherited, children_do_not_inherit_each_others_descriptors,
      grandchild_has_no_descriptor_of_its_grandparent, each_process_has_its_own_parent,
      child_runs_where_the_thread_may_that_started_it, shared_memory_is_all_there_and_its_own)
