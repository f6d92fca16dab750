/*
 * subprocess_exchange.c: input to a child and output from it, at the same time, until it has ended.
 *
 * One loop waits for whatever comes first: room in stdin's pipe, something in stdout's or stderr's, the child's end, or
 * the deadline. How far it has come is kept in the handle, so it can stop at a deadline and go on later.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"
#include "subprocess_internal.h"

enum {
    FIRST_CAPACITY = 1 << 12, /* bytes: more than most commands print */
    NEW_PIPE = 1 << 16,       /* bytes: what a pipe holds when it is new */
    LARGE_PIPE = 1 << 20,     /* bytes: what it is made to hold where much passes through it */
    END = 3,                  /* the pidfd's place behind the three streams' */
};

/* ---- writing */

/*
 * A write to a pipe that nobody reads any more sends this thread SIGPIPE, which is not the program's business: it is
 * blocked meanwhile, and taken away if a write has sent it and it was not pending before.
 */
struct guard {
    bool is_needed, was_pending;
    sigset_t before;
};

static void guard_begin(struct guard *guard, bool is_needed) {
    sigset_t broken_pipe, pending;
    guard->is_needed = is_needed;
    if (!is_needed)
        return;
    sigpending(&pending);
    guard->was_pending = sigismember(&pending, SIGPIPE) == 1;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, &guard->before);
}

static void guard_end(const struct guard *guard, bool was_sent) {
    sigset_t broken_pipe;
    if (!guard->is_needed)
        return;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    if (was_sent && !guard->was_pending)
        while (sigtimedwait(&broken_pipe, NULL, &(struct timespec){0}) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
}

/* Writes what fits; closes stdin when all is written, or nobody reads it any more: that is the child's right. */
static int feed(at_popen *popen) {
    size_t left = popen->input_size - popen->written;
    ssize_t size = left == 0 ? 0 : write(popen->ends[0], popen->input + popen->written, left);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (size < 0 && errno != EPIPE)
        return -errno;
    if (size > 0)
        popen->written += (size_t)size;
    popen->had_broken_pipe = size < 0;
    if (size < 0 || popen->written == popen->input_size)
        popen_close_end(popen, 0);
    return 0;
}

/* ---- reading */

/* Where more comes than a new pipe holds, a larger one spares many a switch between the child and this thread. */
static int make_room(at_popen *popen, int i) {
    struct capture *capture = &popen->captures[i];
    if (capture->capacity > capture->size + 1)
        return 0;
    size_t capacity = capture->capacity >= NEW_PIPE ? 2 * capture->capacity
                      : capture->capacity > 0       ? NEW_PIPE
                                                    : FIRST_CAPACITY;
    char *data = capacity > capture->capacity ? realloc(capture->data, capacity) : NULL;
    if (data == NULL)
        return -ENOMEM;
    if (capture->capacity == NEW_PIPE)
        fcntl(popen->ends[i], F_SETPIPE_SZ, LARGE_PIPE); /* or not, if the user's pipes hold too much already */
    capture->data = data;
    capture->capacity = capacity;
    return 0;
}

/*
 * Where much is captured, the page faults of new memory cost as much as all the copying: by the MiB it comes cheaper.
 */
static void touch_ahead(struct capture *capture) {
    size_t page = (size_t)getpagesize();
    size_t from = capture->touched > capture->size ? capture->touched : capture->size;
    if (capture->size < NEW_PIPE || capture->touched > capture->size + LARGE_PIPE / 2)
        return;
    capture->touched = from + LARGE_PIPE < capture->capacity ? from + LARGE_PIPE : capture->capacity;
    uintptr_t begin = ((uintptr_t)capture->data + from + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)capture->data + capture->touched) / page * page;
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_POPULATE_WRITE); /* or not: Linux 5.14 */
}

/* Reads once: how many bytes; 0 when there is nothing just now; -EPIPE at the end, which closes it; -ENOMEM. */
static ssize_t take(at_popen *popen, int i) {
    struct capture *capture = &popen->captures[i];
    if (make_room(popen, i) != 0)
        return -ENOMEM;
    touch_ahead(&popen->captures[i]);
    ssize_t size = read(popen->ends[i], capture->data + capture->size, capture->capacity - capture->size - 1);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (size > 0) {
        capture->size += (size_t)size;
        return size;
    }
    popen_close_end(popen, i);
    return -EPIPE;
}

/* What is in the pipe now, the child's last words among it, and no more; when .drain is over, that was all. */
static int take_rest(at_popen *popen, int i, bool is_last) {
    int capacity = fcntl(popen->ends[i], F_GETPIPE_SZ);
    size_t limit = popen->captures[i].size + (size_t)(capacity > 0 ? capacity : 0);
    ssize_t size;
    do
        size = take(popen, i);
    while (size > 0 && popen->captures[i].size <= limit);
    if (size == -ENOMEM)
        return -ENOMEM;
    if (is_last) {
        popen->captures[i].truncated = size != -EPIPE;
        popen_close_end(popen, i);
    }
    return 0;
}

/* ---- both */

static void prepare(at_popen *popen, int i) {
    int end = popen->ends[i];
    if (end < 0)
        return;
    fcntl(end, F_SETFL, O_NONBLOCK);
    if (i == 0 && popen->input_size > NEW_PIPE)
        fcntl(end, F_SETPIPE_SZ, LARGE_PIPE);
}

int communicate_begin(at_popen *popen) {
    for (int i = 1; i < 3; i++)
        if (popen->ends[i] >= 0 && make_room(popen, i) != 0)
            return -ENOMEM;
    for (int i = 0; i < 3; i++)
        prepare(popen, i);
    if (popen->input_size == 0)
        popen_close_end(popen, 0);
    popen->begun = true;
    return 0;
}

/* Deals with what poll has found: 0 or a negative code. */
static int serve(at_popen *popen, const struct pollfd polled[3]) {
    int error = polled[0].revents != 0 ? feed(popen) : 0;
    for (int i = 1; i < 3 && error == 0; i++) {
        if (polled[i].revents == POLLHUP)
            popen_close_end(popen, i); /* empty, and nobody writes */
        else if (polled[i].revents != 0 && take(popen, i) == -ENOMEM)
            error = -ENOMEM;
    }
    return error;
}

/* At a deadline after the child's end: the caller's, who may come again, or that of .drain, which is the last. */
static int take_what_is_left(at_popen *popen) {
    bool is_last = deadline_is_over(&popen->drained);
    int error = 0;
    for (int i = 1; i < 3 && error == 0; i++)
        if (popen->ends[i] >= 0)
            error = take_rest(popen, i, is_last);
    if (is_last) {
        popen->captures[0].truncated = popen->ends[0] >= 0;
        popen_close_end(popen, 0);
    }
    bool is_open = popen->ends[0] >= 0 || popen->ends[1] >= 0 || popen->ends[2] >= 0;
    return error != 0 ? error : is_open ? -ETIMEDOUT : 0;
}

static int exchange(at_popen *popen, const struct deadline *deadline) {
    for (;;) {
        struct pollfd polled[] = {
            {.fd = popen->ends[0], .events = POLLOUT},
            {.fd = popen->ends[1], .events = POLLIN},
            {.fd = popen->ends[2], .events = POLLIN},
            {.fd = popen->has_ended ? -1 : popen->child.pidfd, .events = POLLIN},
        };
        struct timespec left;
        if (popen->has_ended && polled[0].fd < 0 && polled[1].fd < 0 && polled[2].fd < 0)
            return 0;
        bool drains = popen->has_ended && deadline_is_before(&popen->drained, deadline);
        const struct deadline *end = drains ? &popen->drained : deadline;
        int ready = ppoll(polled, 4, deadline_left(end, &left), NULL);
        if (ready < 0 && errno != EINTR)
            return -errno;
        int error = ready > 0 ? serve(popen, polled) : 0;
        if (error != 0)
            return error;
        if (ready > 0 && polled[END].revents != 0) {
            popen->has_ended = true;
            deadline_after(popen->drain, NEGATIVE_POLLS, &popen->drained);
        }
        /* Also when something was ready: one who writes without a pause moves no deadline. */
        if (ready == 0 || deadline_is_over(end))
            return popen->has_ended ? take_what_is_left(popen) : -ETIMEDOUT;
    }
}

int communicate_exchange(at_popen *popen, const struct deadline *deadline) {
    struct guard guard;
    guard_begin(&guard, popen->ends[0] >= 0);
    int error = exchange(popen, deadline);
    guard_end(&guard, popen->had_broken_pipe);
    popen->had_broken_pipe = false;
    for (int i = 1; i < 3; i++)
        if (popen->captures[i].data != NULL)
            popen->captures[i].data[popen->captures[i].size] = '\0';
    return error;
}
