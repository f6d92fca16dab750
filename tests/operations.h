/*
 * operations.h: what the suites about refusals share: whole operations of the runtime. Each returns 0, or the error that
 * the runtime gave, and ends the program where that left something half done.
 */
#ifndef ATELIER_TESTS_OPERATIONS_H
#define ATELIER_TESTS_OPERATIONS_H

#include "watch.h"

typedef int operation(void);

static inline int start_and_join_a_thread(void) {
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

static inline int start_and_join(at_start_method method) {
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

static inline int start_and_join_by_fork(void) {
    return start_and_join(AT_START_FORK);
}

static inline int start_and_join_by_zygote(void) {
    int error = at_zygote_start();
    return error != 0 ? error : start_and_join(AT_START_ZYGOTE);
}

static int result_of_thread;

static inline int in_thread(void *unused) {
    (void)unused;
    result_of_thread = start_and_join_by_fork();
    return 0;
}

static inline int start_and_join_from_a_thread(void) {
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

#endif
