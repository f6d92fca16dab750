/* process.c: processes that run a C function: handles, start and join, the end of a process; see process.h. */
#include "process.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "lock_internal.h"
#include "process_internal.h"
#include "wait.h"
#include "zygote.h"

static const double GRACE = 1; /* seconds between a daemon's SIGTERM and its SIGKILL, at exit */

void (*end_of_pools)(void);

static _Atomic at_fork_policy fork_policy = AT_FORK_WARN;
static _Atomic bool has_warned;

/* ---- handles */

/* "Process-2", or in a child "Process-1:2", as Python counts them. */
static void default_name(char *text, size_t size) {
    static _Atomic unsigned unnamed;
    static _Atomic uint32_t counted_in; /* each process counts its own */
    if (atomic_exchange(&counted_in, fork_generation) != fork_generation)
        atomic_store(&unnamed, 0);
    unsigned number = 1 + atomic_fetch_add(&unnamed, 1);
    if (strncmp(identity.name, "Process-", strlen("Process-")) == 0)
        snprintf(text, size, "%.200s:%u", identity.name, number);
    else
        snprintf(text, size, "Process-%u", number);
}

at_process *at_process_create(const at_process_options *options) {
    char generated[256];
    const char *name = options->name;
    if (name == NULL || *name == '\0') {
        default_name(generated, sizeof generated);
        name = generated;
    }
    size_t name_size = strlen(name) + 1;
    size_t size;
    bool too_large = __builtin_add_overflow(sizeof(at_process) + name_size, options->arg_size, &size);
    at_process *process = too_large ? NULL : malloc(size);
    if (process == NULL)
        return NULL;
    *process = (at_process){
        .target = options->target,
        .arg = (void *)options->arg,
        .arg_size = options->arg_size,
        .start_method = options->start_method,
        .outlives_parent = options->outlives_parent,
        .daemon = options->daemon > 0,
        .pidfd = -1,
    };
    unsigned char *storage = (unsigned char *)(process + 1);
    if (options->arg_size > 0)
        process->arg = memcpy(storage, options->arg, options->arg_size);
    process->name = memcpy(storage + options->arg_size, name, name_size);
    return process;
}

const char *at_process_name(const at_process *process) {
    return process != NULL ? process->name : NULL;
}

bool at_process_daemon(const at_process *process) {
    return process != NULL && process->daemon;
}

pid_t at_process_pid(const at_process *process) {
    at_process *handle = (at_process *)process; /* counting the call is the only change to it */
    int error = children_enter(handle, OPEN);
    if (error != 0)
        return error;
    pid_t pid = handle->pid;
    children_leave(handle);
    return pid;
}

/* ---- start */

at_fork_policy at_set_fork_policy(at_fork_policy policy) {
    atomic_store(&has_warned, false);
    return atomic_exchange(&fork_policy, policy);
}

int check_fork_policy(const char *kind, const char *name, int others) {
    at_fork_policy policy = atomic_load(&fork_policy);
    if (others == 0 || policy == AT_FORK_ALLOW)
        return 0;
    if (policy == AT_FORK_REFUSE)
        return AT_ETHREADS;
    if (!atomic_exchange(&has_warned, true))
        fprintf(stderr,
                "atelier: %s \"%s\": start by fork while %d other thread%s: a lock that one of them holds stays "
                "held for ever in the child; start it before the threads, or by the zygote, or say "
                "at_set_fork_policy(AT_FORK_ALLOW)\n",
                kind, name, others, others == 1 ? " runs" : "s run");
    return 0;
}

static int launch(const at_process *process, struct launched *launched) {
    struct launch launch = {
        .target = process->target,
        .arg = process->arg,
        .outlives_parent = process->outlives_parent,
        .launcher = getpid(),
        .identity = identity_of_child(process->name, process->daemon),
    };
    if (process->mask != NULL)
        launch.mask = *process->mask;
    else
        pthread_sigmask(SIG_SETMASK, NULL, &launch.mask);
    if (process->start_method == AT_START_ZYGOTE)
        return zygote_launch(process->nursery, &launch, process->arg_size, launched);
    int others = count_other_threads();
    int error = check_fork_policy("process", process->name, others);
    launch.alone = others == 0;
    return error != 0 ? error : launch_by_fork(&launch, launched);
}

static void shut_down_at_exit(void) {
    atexit(end_of_process);
}

int at_process_start(at_process *process) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct launched launched;
    if (identity.daemon)
        return AT_EDAEMON;
    int error = children_begin_start(process);
    if (error != 0)
        return error;
    pthread_once(&once, shut_down_at_exit);
    children_reap_abandoned();
    error = launch(process, &launched);
    children_end_start(process, error, &launched);
    return error;
}

/* ---- join and status */

int at_process_join(at_process *process, double timeout) {
    struct deadline deadline;
    int error = process == NULL ? -EINVAL : deadline_after(timeout, NEGATIVE_POLLS, &deadline);
    if (error == 0)
        error = children_enter(process, BEGUN);
    if (error != 0)
        return error;
    if (process->pidfd >= 0)
        error = await_descriptor(process->pidfd, POLLIN, &deadline);
    if (error == 0 && children_reap(process) && !process->known && !process->is_parent)
        error = -ECHILD;
    children_leave(process);
    return error;
}

bool at_process_is_alive(at_process *process) {
    if (children_enter(process, BEGUN) != 0)
        return false;
    bool ended = children_reap(process);
    children_leave(process);
    return !ended;
}

int at_process_exitcode(at_process *process, int *code) {
    int error = children_enter(process, MINE);
    if (error != 0)
        return error == AT_ENOTSTARTED ? -EAGAIN : error;
    if (!children_reap(process))
        error = -EAGAIN;
    else if (!process->known)
        error = -ECHILD;
    else
        *code = process->exitcode;
    children_leave(process);
    return error;
}

static int send_signal(at_process *process, int number) {
    int error = children_enter(process, MINE);
    if (error != 0)
        return error;
    if (pidfd_send_signal(process->pidfd, number, NULL, 0) != 0 && errno != ESRCH) /* ESRCH: it has ended */
        error = -errno;
    children_leave(process);
    return error;
}

int at_process_terminate(at_process *process) {
    return send_signal(process, SIGTERM);
}

int at_process_kill(at_process *process) {
    return send_signal(process, SIGKILL);
}

int at_process_sentinel(at_process *process) {
    int error = children_enter(process, BEGUN);
    if (error != 0)
        return error;
    int sentinel = process->pidfd;
    children_leave(process);
    return sentinel;
}

/* ---- the parent */

static struct at_lock parent_lock; /* guards the two below, until the parent is known */
static bool parent_is_known;
static at_process parent;

/* A pidfd for the parent, or -1 when it is dead. */
static int open_parent(pid_t pid) {
    int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0 || getppid() == pid)
        return pidfd; /* while it is our parent it lives, so nobody else had its pid when pidfd_open looked it up */
    close(pidfd);
    return -1;
}

at_process *at_parent_process(void) {
    if (identity.parent == 0)
        return NULL;
    lock_take(&parent_lock);
    if (!parent_is_known) {
        if (identity.parent_pidfd < 0)
            identity.parent_pidfd = open_parent(identity.parent);
        parent = (at_process){
            .name = identity.parent_name,
            .stage = STARTED,
            .generation = fork_generation,
            .pid = identity.parent,
            .pidfd = identity.parent_pidfd,
            .ended = identity.parent_pidfd < 0,
            .is_parent = true,
        };
        parent_is_known = true;
    }
    at_lock_release(&parent_lock);
    return &parent;
}

/* ---- the end of a process */

/* SIGTERM to all daemons first, so that they end side by side. */
static void end_daemons(at_process **children) {
    int error = 0;
    for (at_process **child = children; *child != NULL; child++)
        if (at_process_daemon(*child))
            error = at_process_terminate(*child);
    double deadline = at_now() + GRACE;
    for (at_process **child = children; *child != NULL; child++) {
        if (!at_process_daemon(*child))
            continue;
        error = at_process_join(*child, deadline - at_now());
        if (error == -ETIMEDOUT && at_process_kill(*child) == 0)
            error = at_process_join(*child, AT_FOREVER);
    }
    (void)error; /* the process ends: there is nobody to tell */
}

static void end_children(void) {
    at_process **children;
    if (at_active_children(&children) < 0)
        return;
    end_daemons(children);
    for (at_process **child = children; *child != NULL; child++)
        if (!at_process_daemon(*child) && !(*child)->outlives_parent && at_process_join(*child, AT_FOREVER) != 0)
            continue; /* its status is unknown, but it has ended */
    at_processes_free(children);
}

/* The end of a process. */
static void shut_down(void) {
    threads_join_all();
    if (end_of_pools != NULL)
        end_of_pools();
    if (children_exist())
        end_children();
    at_zygote_stop();
}

/* For processes that is the end; but commands, which nobody waits for at the end, are waited for. */
static void shut_down_main(void) {
    shut_down();
    children_await_commands();
}

static void after_fork_in_child(void) {
    lock_reset(&parent_lock);
    parent_is_known = false;
}

static __attribute__((constructor)) void initialise(void) {
    end_of_process = shut_down;
    end_of_main = shut_down_main;
    pthread_atfork(NULL, NULL, after_fork_in_child);
}
