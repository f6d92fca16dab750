/*
 * test_process_handle.c: close and free: what they give back, and what becomes of the calls, lists and children that
 * still need the handle; case 22, fault 25.
 */
#include <poll.h>

#include "processes.h"

/* ---- closed */

/* Case 22 (test_close). */
START_TEST(close_gives_back_all_but_the_memory) {
    int fds = count_fds(), code;
    at_process *process = started(.target = wait_forever);
    ck_assert_int_eq(at_process_close(process), AT_ERUNNING);
    ck_assert(at_process_is_alive(process));
    ok(at_process_kill(process));
    ok(at_process_join(process, AT_FOREVER));
    ck_assert_int_eq(count_fds(), fds + 1);
    ok(at_process_close(process));
    ck_assert_int_eq(count_fds(), fds);
    ok(at_process_close(process));
    ck_assert_int_eq(at_process_join(process, 0), AT_ECLOSED);
    ck_assert_int_eq(at_process_exitcode(process, &code), AT_ECLOSED);
    ck_assert_int_eq(at_process_terminate(process), AT_ECLOSED);
    ck_assert_int_eq(at_process_kill(process), AT_ECLOSED);
    ck_assert_int_eq(at_process_pid(process), AT_ECLOSED);
    ck_assert_int_eq(at_process_sentinel(process), AT_ECLOSED);
    ck_assert_int_eq(at_process_start(process), AT_ECLOSED);
    ck_assert_int_eq(at_process_set_daemon(process, true), AT_ECLOSED);
    ck_assert(!at_process_is_alive(process));
    at_process_free(process);
}
END_TEST

START_TEST(close_before_start_and_without_join) {
    at_process *process = at_process_new(.target = wait_forever);
    ok(at_process_close(process));
    ck_assert_int_eq(at_process_start(process), AT_ECLOSED);
    at_process_free(process);
    int fds = count_fds(), code = 3;
    process = started(.target = return_arg, .arg = &code);
    struct pollfd ended = {.fd = at_process_sentinel(process), .events = POLLIN};
    ck_assert_int_eq(poll(&ended, 1, 20000), 1);
    ok(at_process_close(process)); /* it has ended, so close reaps it */
    ck_assert_int_eq(count_zombies(), 0);
    at_process_free(process);
    ck_assert_int_eq(count_fds(), fds);
}
END_TEST

static int join_until_it_ends(void *process) {
    int error = at_process_join(process, 20);
    return error == AT_ECLOSED ? 0 : error;
}

static int signal_until_it_ends(void *process) {
    int error;
    while ((error = at_process_terminate(process)) == 0 && at_process_is_alive(process))
        ;
    return error == AT_ECLOSED ? 0 : error;
}

static int close_when_it_ends(void *process) {
    while (at_process_close(process) == AT_ERUNNING)
        ;
    return 0;
}

START_TEST(handle_closed_while_others_wait_and_signal) {
    int fds = count_fds();
    at_set_fork_policy(AT_FORK_ALLOW);
    at_set_excepthook(count_failure);
    for (int round = 0; round < 30; round++) {
        static at_target *const ROLES[] = {join_until_it_ends, join_until_it_ends, signal_until_it_ends,
                                           close_when_it_ends};
        at_thread *threads[4];
        at_process *process = started(.target = wait_forever);
        for (int i = 0; i < 4; i++) {
            threads[i] = at_thread_new(.target = ROLES[i], .arg = process);
            ok(at_thread_start(threads[i]));
        }
        for (int i = 0; i < 4; i++) {
            ok(at_thread_join(threads[i], 20));
            at_thread_free(threads[i]);
        }
        at_process_free(process);
    }
    ck_assert_int_eq(atomic_load(&failures), 0);
    ck_assert_int_eq(count_fds(), fds);
    ck_assert_int_eq(count_children(), 0);
}
END_TEST

/* ---- freed, with its child left to itself */

START_TEST(freed_handle_of_a_running_child_leaves_no_zombie) {
    int fds = count_fds(), code = 0;
    for (int i = 0; i < 50; i++)
        at_process_free(started(.target = return_arg, .arg = &code));
    at_process *last = started(.target = wait_forever);
    at_process **active;
    for (;;) { /* each look reaps those that have ended meanwhile */
        int count = ok(at_active_children(&active));
        at_processes_free(active);
        if (count == 1)
            break;
    }
    ck_assert_int_eq(count_children(), 1);
    ok(at_process_kill(last));
    finish(last);
    ck_assert_int_eq(count_fds(), fds);
}
END_TEST

START_TEST(next_start_reaps_the_abandoned) {
    for (int i = 0; i < 5; i++)
        at_process_free(started(.target = do_nothing));
    await(count_zombies() == count_children());
    at_process *process = started(.target = wait_forever);
    ck_assert_int_eq(count_children(), 1);
    ok(at_process_kill(process));
    ck_assert_int_eq(finish(process), -SIGKILL);
}
END_TEST

START_TEST(free_reaps_one_that_has_ended) {
    at_process *process = started(.target = do_nothing);
    struct pollfd end = {.fd = ok(at_process_sentinel(process)), .events = POLLIN};
    ck_assert_int_eq(poll(&end, 1, (int)BOUND * 1000), 1);
    at_process_free(process);
    ck_assert_int_eq(count_children(), 0);
}
END_TEST

/* ---- freed, at its most inconvenient */

/* A join that began before the free goes on to its end. */
START_TEST(handle_freed_while_another_thread_waits) {
    int fds = count_fds();
    at_set_fork_policy(AT_FORK_ALLOW);
    for (int round = 0; round < 30; round++) {
        struct wire go = wire_new();
        at_process *process = started(.target = wait_forever);
        at_thread *joiner = at_thread_new(.target = join_until_it_ends, .arg = process);
        pid_t pid = at_process_pid(process);
        ok(at_thread_start(joiner));
        while (at_process_join(process, 0.001) == -ETIMEDOUT && round % 2 == 0)
            break; /* the joiner has most likely begun; the next lines are right whether it has or not */
        kill(pid, SIGKILL);
        ok(at_thread_join(joiner, 20));
        at_process_free(process);
        at_thread_free(joiner);
        close(go.read);
        close(go.write);
    }
    ck_assert_int_eq(count_fds(), fds);
}
END_TEST

/*
 * Whether a thread of this process sleeps in ppoll; where the kernel does not say in which call, that it sleeps has to
 * do.
 */
static bool is_polling(pid_t thread) {
    char path[64], state = 0;
    long number = SYS_ppoll;
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", thread);
    FILE *file = fopen(path, "r");
    if (file != NULL && fscanf(file, "%ld", &number) != 1)
        number = -1; /* running */
    if (file != NULL)
        fclose(file);
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    file = fopen(path, "r");
    if (file != NULL && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 0;
    if (file != NULL)
        fclose(file);
    return state == 'S' && number == SYS_ppoll;
}

static _Atomic pid_t waiting_thread;
static _Atomic int result_of_join;

static int join_for_ever(void *process) {
    atomic_store(&waiting_thread, gettid());
    atomic_store(&result_of_join, at_process_join(process, AT_FOREVER));
    return 0;
}

/* The join has begun once its thread sleeps in the kernel. Fault 25. */
START_TEST(handle_freed_during_a_join_that_goes_on_to_its_end) {
    int fds = count_fds();
    at_set_fork_policy(AT_FORK_ALLOW);
    for (int round = 0; round < 20; round++) {
        at_process *process = started(.target = wait_forever);
        pid_t pid = at_process_pid(process);
        atomic_store(&waiting_thread, 0);
        atomic_store(&result_of_join, 99);
        at_thread *joiner = at_thread_new(.target = join_for_ever, .arg = process);
        ok(at_thread_start(joiner));
        await(atomic_load(&waiting_thread) != 0 && is_polling(atomic_load(&waiting_thread)));
        at_process_free(process);
        kill(pid, SIGKILL);
        ok(at_thread_join(joiner, BOUND));
        at_thread_free(joiner);
        ck_assert_int_eq(atomic_load(&result_of_join), 0);
        ck_assert_int_eq(count_children(), 0);
        ck_assert_int_eq(count_fds(), fds);
    }
}
END_TEST

/* A list holds the handles that are on it: their memory is not given to anybody else. */
START_TEST(handle_on_a_list_stays_though_it_is_freed) {
    at_process **active;
    int code = 99;
    at_process *process = started(.target = wait_forever, .name = "first");
    ck_assert_int_eq(at_active_children(&active), 1);
    ok(at_process_kill(process));
    struct pollfd end = {.fd = ok(at_process_sentinel(process)), .events = POLLIN};
    ck_assert_int_eq(poll(&end, 1, (int)BOUND * 1000), 1);
    at_process_free(process);
    at_process *other = at_process_new(.target = wait_forever, .name = "other");
    ck_assert_ptr_ne(other, active[0]);
    ck_assert_str_eq(at_process_name(active[0]), "first");
    ck_assert_int_eq(at_process_join(active[0], 0), 0);
    ok(at_process_exitcode(active[0], &code));
    ck_assert_int_eq(code, -SIGKILL);
    at_processes_free(active);
    at_process_free(other);
    ck_assert_int_eq(count_children(), 0);
}
END_TEST

SUITE("process_handle", close_gives_back_all_but_the_memory, close_before_start_and_without_join,
      handle_closed_while_others_wait_and_signal, freed_handle_of_a_running_child_leaves_no_zombie,
      next_start_reaps_the_abandoned, free_reaps_one_that_has_ended, handle_freed_while_another_thread_waits,
      handle_freed_during_a_join_that_goes_on_to_its_end, handle_on_a_list_stays_though_it_is_freed)
