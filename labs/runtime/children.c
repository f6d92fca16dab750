/* children.c: the processes started here: who lives, who has ended and how, and what a fork makes of them. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "exit_status.h"
#include "process_internal.h"
#include "wait.h"

/* Those that have a pidfd, in the order of their start. */
static struct {
    pthread_mutex_t mutex; /* guards the list and all handles */
    TAILQ_HEAD(, at_process) list;
    size_t abandoned;    /* those on the list that nobody will join any more */
    unsigned spawns;     /* of commands, under way now: a fork waits for their end */
    unsigned forks;      /* that wait for that: no new spawn begins meanwhile */
    pthread_cond_t turn; /* either has become 0 */
} children = {
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .list = TAILQ_HEAD_INITIALIZER(children.list),
    .turn = PTHREAD_COND_INITIALIZER,
};

static bool is_foreign(const at_process *process) {
    return process->stage != UNSTARTED && process->generation != fork_generation;
}

static bool is_over(const at_process *process) {
    return process->stage == UNSTARTED || process->ended;
}

static void unlist(at_process *process) {
    if (process->pidfd < 0)
        return;
    close(process->pidfd);
    process->pidfd = -1;
    TAILQ_REMOVE(&children.list, process, listed);
    children.abandoned -= process->abandoned;
}

/*
 * Gives back what nobody needs any more: at the end of each call, of close and of free. A handle of an ancestor's
 * stays: it holds this process's name and argument, perhaps.
 */
static void tidy(at_process *process) {
    if (process->calls > 0)
        return;
    bool unwanted = process->abandoned && is_over(process);
    if (process->abandoned && process->release != NULL)
        process->release(process, false);
    if (process->closed || unwanted)
        unlist(process);
    if (unwanted)
        free(process);
}

static int refusal(const at_process *process, enum need need) {
    if (process->closed)
        return AT_ECLOSED;
    if (need >= BEGUN && process->stage != STARTED)
        return AT_ENOTSTARTED;
    if (need >= BEGUN && is_foreign(process))
        return AT_ENOTCHILD;
    if (need >= MINE && process->is_parent)
        return AT_ENOTCHILD;
    return 0;
}

int children_enter(at_process *process, enum need need) {
    if (process == NULL)
        return -EINVAL;
    pthread_mutex_lock(&children.mutex);
    int error = refusal(process, need);
    if (error == 0)
        process->calls++;
    pthread_mutex_unlock(&children.mutex);
    return error;
}

void children_leave(at_process *process) {
    pthread_mutex_lock(&children.mutex);
    process->calls--;
    tidy(process);
    pthread_mutex_unlock(&children.mutex);
}

int at_process_set_daemon(at_process *process, bool daemon) {
    if (process == NULL)
        return -EINVAL;
    pthread_mutex_lock(&children.mutex);
    int error = refusal(process, OPEN);
    if (error == 0 && process->stage != UNSTARTED)
        error = AT_ESTARTED;
    if (error == 0)
        process->daemon = daemon;
    pthread_mutex_unlock(&children.mutex);
    return error;
}

static void enlist(at_process *process, const struct launched *launched) {
    process->pid = launched->pid;
    process->pidfd = launched->pidfd;
    process->zygote = launched->zygote;
    TAILQ_INSERT_TAIL(&children.list, process, listed);
    children.abandoned += process->abandoned;
}

int children_begin_start(at_process *process) {
    if (process == NULL)
        return -EINVAL;
    pthread_mutex_lock(&children.mutex);
    int error = refusal(process, OPEN);
    if (error == 0 && process->stage != UNSTARTED)
        error = AT_ESTARTED;
    if (error == 0 && process->target == NULL)
        error = AT_ENOTARGET;
    if (error == 0) {
        process->stage = STARTING;
        process->generation = fork_generation;
        process->calls++;
    }
    pthread_mutex_unlock(&children.mutex);
    return error;
}

void children_end_start(at_process *process, int error, const struct launched *launched) {
    pthread_mutex_lock(&children.mutex);
    process->stage = error == 0 ? STARTED : UNSTARTED;
    if (error == 0)
        enlist(process, launched);
    process->calls--;
    tidy(process);
    pthread_mutex_unlock(&children.mutex);
}

void children_begin_spawn(void) {
    pthread_mutex_lock(&children.mutex);
    while (children.forks > 0)
        pthread_cond_wait(&children.turn, &children.mutex);
    children.spawns++;
    pthread_mutex_unlock(&children.mutex);
}

void children_end_spawn(at_process *process, const struct launched *launched) {
    pthread_mutex_lock(&children.mutex);
    if (process != NULL) {
        process->stage = STARTED;
        process->generation = fork_generation;
        enlist(process, launched);
    }
    if (--children.spawns == 0 && children.forks > 0)
        pthread_cond_broadcast(&children.turn);
    pthread_mutex_unlock(&children.mutex);
}

/* ---- how it ended */

/* As reap_own, for a child of the zygote's. */
static enum fate reap_by_zygote(const at_process *process, int *status) {
    if (!pidfd_is_readable(process->pidfd))
        return ALIVE;
    return zygote_reap(process->nursery, process->pid, process->zygote, status) == 0 ? ENDED : LOST;
}

/*
 * How long to wait for the reaper of a lost child. That of a dead zygote's children is init, who may never come. A pool
 * knows by itself how its workers ended then, and it may have many.
 */
static double patience(const at_process *process) {
    return process->nursery != NULL ? 0 : process->start_method == AT_START_ZYGOTE ? 0.1 : 1;
}

/* Whether it has ended; then its status is recorded for good. With the mutex held. */
static bool reap_if_ended(at_process *process) {
    int status = 0;
    if (process->ended)
        return true;
    if (process->is_parent)
        return process->ended = pidfd_is_readable(process->pidfd);
    enum fate fate =
        process->start_method == AT_START_ZYGOTE ? reap_by_zygote(process, &status) : reap_own(process->pidfd, &status);
    if (fate == ALIVE)
        return false;
    process->ended = true;
    process->known = fate == ENDED || remembered_status(process->pidfd, patience(process), &status);
    if (process->known)
        process->exitcode = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    return true;
}

bool children_reap(at_process *process) {
    pthread_mutex_lock(&children.mutex);
    bool ended = reap_if_ended(process);
    pthread_mutex_unlock(&children.mutex);
    return ended;
}

int children_signal_group(at_process *process, int number) {
    pthread_mutex_lock(&children.mutex);
    siginfo_t info; /* as long as it is ours to reap, nobody else has the number */
    bool is_gone = process->ended || waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) != 0;
    int error = is_gone || kill(-process->pid, number) == 0 || errno == ESRCH ? 0 : -errno;
    pthread_mutex_unlock(&children.mutex);
    return error;
}

/* ---- free, close, and the list */

void at_process_free(at_process *process) {
    if (process == NULL || process->is_parent)
        return;
    pthread_mutex_lock(&children.mutex);
    process->abandoned = true;
    children.abandoned += process->pidfd >= 0;
    if (process->stage == STARTED && !is_foreign(process) && !process->closed)
        reap_if_ended(process);
    tidy(process);
    pthread_mutex_unlock(&children.mutex);
}

int at_process_close(at_process *process) {
    if (process == NULL)
        return -EINVAL;
    pthread_mutex_lock(&children.mutex);
    int error = 0;
    if (is_foreign(process) || process->is_parent)
        error = AT_ENOTCHILD;
    else if (process->stage == STARTING || (process->stage == STARTED && !process->closed && !reap_if_ended(process)))
        error = AT_ERUNNING;
    if (error == 0) {
        process->closed = true;
        tidy(process);
    }
    pthread_mutex_unlock(&children.mutex);
    return error;
}

/* Reaps those that have ended, frees the abandoned among them, and counts the rest. With the mutex held. */
static size_t sweep(void) {
    size_t alive = 0;
    for (at_process *process = TAILQ_FIRST(&children.list), *next; process != NULL; process = next) {
        next = TAILQ_NEXT(process, listed);
        if (reap_if_ended(process))
            tidy(process);
        else
            alive++;
    }
    return alive;
}

int at_active_children(at_process ***active) {
    int count = 0;
    at_process *process;
    pthread_mutex_lock(&children.mutex);
    at_process **list = malloc((sweep() + 1) * sizeof(at_process *));
    if (list != NULL) {
        TAILQ_FOREACH(process, &children.list, listed) {
            if (process->ended || process->release != NULL)
                continue;
            process->calls++;
            list[count++] = process;
        }
        list[count] = NULL;
    }
    pthread_mutex_unlock(&children.mutex);
    *active = list;
    return list != NULL ? count : -ENOMEM;
}

void at_processes_free(at_process **processes) {
    for (at_process **process = processes; process != NULL && *process != NULL; process++)
        children_leave(*process);
    free(processes);
}

bool children_exist(void) {
    pthread_mutex_lock(&children.mutex);
    bool any = !TAILQ_EMPTY(&children.list);
    pthread_mutex_unlock(&children.mutex);
    return any;
}

void children_reap_abandoned(void) {
    pthread_mutex_lock(&children.mutex);
    if (children.abandoned > 0)
        sweep();
    pthread_mutex_unlock(&children.mutex);
}

void children_close(_Atomic int *descriptor) {
    pthread_mutex_lock(&children.mutex);
    int closed = atomic_exchange(descriptor, -1);
    if (closed >= 0)
        close(closed);
    pthread_mutex_unlock(&children.mutex);
}

void children_await_commands(void) {
    at_process *process;
    pthread_mutex_lock(&children.mutex);
    process = TAILQ_FIRST(&children.list);
    while (process != NULL) {
        if (process->release == NULL || process->outlives_parent || reap_if_ended(process)) {
            process = TAILQ_NEXT(process, listed);
            continue;
        }
        process->calls++; /* so that its pidfd stays */
        pthread_mutex_unlock(&children.mutex);
        await_descriptor(process->pidfd, POLLIN, &NEVER);
        pthread_mutex_lock(&children.mutex);
        process->calls--;
        tidy(process);
        process = TAILQ_FIRST(&children.list);
    }
    pthread_mutex_unlock(&children.mutex);
}

/* ---- fork: a child has none of its parent's children, and keeps none of their descriptors */

static void before_fork(void) {
    pthread_mutex_lock(&children.mutex);
    children.forks++;
    while (children.spawns > 0)
        pthread_cond_wait(&children.turn, &children.mutex);
    if (--children.forks == 0)
        pthread_cond_broadcast(&children.turn);
}

static void after_fork_in_parent(void) {
    pthread_mutex_unlock(&children.mutex);
}

static void after_fork_in_child(void) {
    at_process *process;
    while ((process = TAILQ_FIRST(&children.list)) != NULL) {
        unlist(process);
        if (process->release != NULL)
            process->release(process, true);
    }
    children.forks = 0;
    children.turn = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    pthread_mutex_unlock(&children.mutex); /* this thread locked it in before_fork */
}

static __attribute__((constructor)) void initialise(void) {
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}
