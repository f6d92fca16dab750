/*
 * zygote.c: a small process that forks children on request, seen from its parent; see zygote.h.
 *
 * It is a child like any other (launch.c) that serves requests from a socket until its parent closes the other end
 * (zygote_serve.c). What it forks are its children, not its parent's: the parent gets a pidfd to wait on, and asks the
 * zygote for the exit status. What they say to each other is in zygote_internal.h.
 */
#include "zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "lock_internal.h"
#include "wait.h"
#include "zygote_internal.h"

/*
 * A zygote that does not answer in this time has been stopped, or worse: it is as good as dead. It needs a millisecond.
 */
static const struct timeval PATIENCE = {.tv_sec = 5};

/*
 * One start at a time, of all zygotes: none is forked while the ends of another's socket lie open here, since it would
 * keep them. Whoever forks waits for the lock of all children (children.c), whose holder may want a zygote's own lock,
 * to ask for a status: so that one is not held at a fork.
 */
static struct at_lock starting;

struct zygote {
    struct at_lock lock; /* one conversation at a time; guards all below */
    int socket;          /* the parent's end; -1 without a zygote */
    struct launched process;
    uint32_t number; /* how many there have been in its place */
    LIST_ENTRY(zygote) listed;
};

/* Those of this process: the one of at_zygote_start, and those of pools. */
static struct zygote common = {.socket = -1};
static struct {
    pthread_mutex_t mutex; /* guards the list */
    LIST_HEAD(, zygote) list;
} zygotes = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- its life */

/*
 * Two connected descriptors, and neither 0, 1 nor 2: where a standard stream is closed, what the program prints there
 * would be taken for a request. 0 or -errno.
 */
static int connected_pair(int ends[2]) {
    int low[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, low) != 0)
        return -errno;
    int error = 0;
    for (int i = 0; i < 2; i++) {
        ends[i] = low[i] > STDERR_FILENO ? low[i] : fcntl(low[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (ends[i] < 0)
            error = -errno;
        if (ends[i] != low[i])
            close(low[i]);
    }
    for (int i = 0; i < 2 && error != 0; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    return error;
}

static bool lives(const struct zygote *zygote) {
    struct deadline now;
    deadline_after(0, NEGATIVE_POLLS, &now);
    return zygote->socket >= 0 && await_descriptor(zygote->process.pidfd, POLLIN, &now) == -ETIMEDOUT;
}

static void stop(struct zygote *zygote) {
    if (zygote->socket < 0)
        return;
    int socket = zygote->socket;
    zygote->socket = -1; /* first, lest a child forked now closes what has this number then */
    close(socket);
    siginfo_t info;
    pidfd_send_signal(zygote->process.pidfd, SIGKILL, NULL, 0); /* it would end by itself, were it not stopped, say */
    while (waitid(P_PIDFD, (id_t)zygote->process.pidfd, &info, WEXITED) != 0 && errno == EINTR)
        ;
    close(zygote->process.pidfd);
}

/* Without the lock, but for the last step. */
static int start(struct zygote *zygote, const char *name) {
    struct launched process;
    int ends[2];
    int error = connected_pair(ends);
    if (error != 0)
        return error;
    struct launch launch = {
        .target = zygote_serve,
        .arg = ends,
        .alone = count_other_threads() == 0,
        .launcher = getpid(),
        .identity = identity_of_child(name, false),
    };
    sigfillset(&launch.mask); /* Ctrl-C is for the program to answer; the zygote ends with it */
    error = launch_by_fork(&launch, &process);
    close(ends[1]);
    if (error != 0) {
        close(ends[0]);
        return error;
    }
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &PATIENCE, sizeof PATIENCE);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &PATIENCE, sizeof PATIENCE);
    lock_take(&zygote->lock);
    zygote->process = process;
    zygote->number++;
    zygote->socket = ends[0];
    at_lock_release(&zygote->lock);
    return 0;
}

int at_zygote_start(void) {
    if (identity.daemon)
        return AT_EDAEMON;
    return zygote_ensure(&common, "Zygote", true);
}

void at_zygote_stop(void) {
    lock_take(&common.lock);
    stop(&common);
    at_lock_release(&common.lock);
}

int zygote_ensure(struct zygote *zygote, const char *name, bool only_alone) {
    int error = 0;
    lock_take(&starting);
    lock_take(&zygote->lock);
    bool alive = lives(zygote);
    if (!alive)
        stop(zygote);
    at_lock_release(&zygote->lock);
    if (!alive)
        error = only_alone && count_other_threads() > 0 ? AT_ETHREADS : start(zygote, name);
    at_lock_release(&starting);
    return error;
}

struct zygote *zygote_new(void) {
    struct zygote *zygote = calloc(1, sizeof *zygote);
    if (zygote == NULL)
        return NULL;
    zygote->socket = -1;
    pthread_mutex_lock(&zygotes.mutex);
    LIST_INSERT_HEAD(&zygotes.list, zygote, listed);
    pthread_mutex_unlock(&zygotes.mutex);
    return zygote;
}

void zygote_free(struct zygote *zygote) {
    if (zygote == NULL)
        return;
    pthread_mutex_lock(&zygotes.mutex);
    LIST_REMOVE(zygote, listed);
    stop(zygote);
    pthread_mutex_unlock(&zygotes.mutex);
    free(zygote);
}

/* ---- its children */

/*
 * A request and its answer, with the lock held. A conversation that breaks off is the zygote's end: nothing would fit
 * any more.
 */
static int converse(struct zygote *zygote, struct iovec *parts, size_t count, struct answer *answer, int *descriptor) {
    if (zygote->socket < 0)
        return AT_ENOZYGOTE;
    int error = message_send(zygote->socket, &(struct msghdr){.msg_iov = parts, .msg_iovlen = count});
    if (error == AT_ENOZYGOTE)
        stop(zygote);
    if (error != 0)
        return error;
    if (answer_receive(zygote->socket, answer, descriptor))
        return answer->error;
    stop(zygote);
    return AT_ENOZYGOTE;
}

static int give_verdict(struct zygote *zygote, bool go) {
    int error = message_send_bytes(zygote->socket, &go, sizeof go);
    if (error != 0)
        stop(zygote);
    return error;
}

int zygote_launch(struct zygote *zygote, const struct launch *launch, size_t arg_size, struct launched *launched) {
    if (zygote == NULL)
        zygote = &common;
    if (arg_size > ARGUMENT_MAX)
        return -E2BIG;
    struct request request = {.kind = LAUNCH, .launch = *launch, .arg_size = arg_size};
    strncpy(request.name, launch->identity.name, sizeof request.name - 1);
    struct iovec parts[] = {{&request, sizeof request}, {launch->arg, arg_size}};
    struct answer answer;
    lock_take(&zygote->lock);
    int error = converse(zygote, parts, 2, &answer, &launched->pidfd);
    if (error == 0) {
        launched->pid = answer.value;
        launched->zygote = zygote->number;
        bool go = launched->pidfd >= 0; /* the kernel drops a descriptor for which the receiver has no room */
        error = give_verdict(zygote, go);
        if (error != 0 && go)
            close(launched->pidfd);
        else if (!go)
            error = -EMFILE;
    }
    at_lock_release(&zygote->lock);
    return error;
}

int zygote_reap(struct zygote *zygote, pid_t pid, uint32_t number, int *status) {
    if (zygote == NULL)
        zygote = &common;
    struct request request = {.kind = REAP, .pid = pid};
    struct iovec part = {&request, sizeof request};
    struct answer answer = {0};
    int none;
    lock_take(&zygote->lock);
    int error = number == zygote->number ? converse(zygote, &part, 1, &answer, &none) : -ECHILD;
    at_lock_release(&zygote->lock);
    *status = answer.value;
    return error;
}

/* ---- fork */

static void before_fork(void) {
    pthread_mutex_lock(&zygotes.mutex);
}

static void after_fork_in_parent(void) {
    pthread_mutex_unlock(&zygotes.mutex);
}

/* Children of either process must hold no end, or the other would never see it close. */
static void forget(struct zygote *zygote) {
    lock_reset(&zygote->lock);
    if (zygote->socket >= 0) {
        close(zygote->socket);
        close(zygote->process.pidfd);
        zygote->socket = -1;
    }
}

static void after_fork_in_child(void) {
    struct zygote *zygote;
    lock_reset(&starting);
    forget(&common);
    LIST_FOREACH(zygote, &zygotes.list, listed)
    forget(zygote);
    zygote_serve_no_more();
    pthread_mutex_unlock(&zygotes.mutex); /* this thread locked it in before_fork */
}

static __attribute__((constructor)) void initialise(void) {
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}
