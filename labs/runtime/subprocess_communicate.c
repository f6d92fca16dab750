/*
 * subprocess_communicate.c: input to a child and output from it, at the same time, until it has ended.
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
    FIRST_CAPACITY = 1 << 16, /* bytes: what a pipe holds when it is new */
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
static void feed(at_popen *popen) {
    size_t left = popen->input_size - popen->written;
    ssize_t size = left == 0 ? 0 : write(popen->ends[0], popen->input + popen->written, left);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size > 0)
        popen->written += (size_t)size;
    popen->had_broken_pipe = size < 0 && errno == EPIPE;
    if (size < 0 || popen->written == popen->input_size)
        popen_close_end(popen, 0);
}

/* ---- reading */

/* Where more comes than a new pipe holds, a larger one spares many a switch between the child and this thread. */
static int make_room(at_popen *popen, int i) {
    struct capture *capture = &popen->captures[i];
    if (capture->capacity > capture->size + 1)
        return 0;
    size_t capacity = capture->capacity > 0 ? 2 * capture->capacity : FIRST_CAPACITY;
    char *data = capacity > capture->capacity ? realloc(capture->data, capacity) : NULL;
    if (data == NULL)
        return -ENOMEM;
    if (capture->capacity == FIRST_CAPACITY)
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
    if (capture->size < FIRST_CAPACITY || capture->touched > capture->size + LARGE_PIPE / 2)
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

/* When .drain is over: what is in the pipe now, the child's last words among it, and no more. */
static int take_rest(at_popen *popen, int i) {
    int capacity = fcntl(popen->ends[i], F_GETPIPE_SZ);
    size_t limit = popen->captures[i].size + (size_t)(capacity > 0 ? capacity : 0);
    ssize_t size;
    do
        size = take(popen, i);
    while (size > 0 && popen->captures[i].size <= limit);
    if (size == -ENOMEM)
        return -ENOMEM;
    popen->captures[i].truncated = size != -EPIPE;
    popen_close_end(popen, i);
    return 0;
}

/* ---- both */

static void prepare(at_popen *popen, int i) {
    int end = popen->ends[i];
    if (end < 0)
        return;
    fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK);
    if (i == 0 && popen->input_size > FIRST_CAPACITY)
        fcntl(end, F_SETPIPE_SZ, LARGE_PIPE);
}

int communicate_input(at_popen *popen, at_input input) {
    popen->input = input.data;
    popen->input_size = input.size;
    if (input.size == 0 || !popen->text.wanted)
        return 0;
    int error = text_encode(&popen->text, input.data, input.size, &popen->input_copy, &popen->input_size, &popen->bad);
    popen->input = popen->input_copy;
    return error;
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

/* Deals with what poll has found: 0 or -ENOMEM. */
static int serve(at_popen *popen, const struct pollfd polled[3]) {
    if (polled[0].revents != 0)
        feed(popen);
    for (int i = 1; i < 3; i++)
        if (polled[i].revents != 0 && take(popen, i) == -ENOMEM)
            return -ENOMEM;
    return 0;
}

static int drain_is_over(at_popen *popen) {
    int error = 0;
    popen_close_end(popen, 0);
    for (int i = 1; i < 3 && error == 0; i++)
        if (popen->ends[i] >= 0)
            error = take_rest(popen, i);
    return error;
}

/* The moment at which the wait for the child's end, or after it for that of its pipes, is over. */
static void bring_forward(struct deadline *end, double drain) {
    struct deadline drained;
    deadline_after(drain, NEGATIVE_POLLS, &drained);
    if (deadline_is_before(&drained, end))
        *end = drained;
}

static int exchange(at_popen *popen, struct deadline end) {
    bool has_ended = false;
    for (;;) {
        struct pollfd polled[] = {
            {.fd = popen->ends[0], .events = POLLOUT},
            {.fd = popen->ends[1], .events = POLLIN},
            {.fd = popen->ends[2], .events = POLLIN},
            {.fd = has_ended ? -1 : popen->child.pidfd, .events = POLLIN},
        };
        struct timespec left;
        if (has_ended && polled[0].fd < 0 && polled[1].fd < 0 && polled[2].fd < 0)
            return 0;
        int ready = ppoll(polled, 4, deadline_left(&end, &left), NULL);
        if (ready < 0 && errno != EINTR)
            return -errno;
        int error = ready > 0 ? serve(popen, polled) : 0;
        if (error != 0)
            return error;
        if (ready > 0 && polled[END].revents != 0) {
            has_ended = true;
            bring_forward(&end, popen->drain);
        }
        /* Also when something was ready: one who writes without a pause moves no deadline. */
        if (ready == 0 || deadline_is_over(&end))
            return has_ended ? drain_is_over(popen) : -ETIMEDOUT;
    }
}

int communicate_exchange(at_popen *popen, const struct deadline *deadline) {
    struct guard guard;
    guard_begin(&guard, popen->ends[0] >= 0);
    int error = exchange(popen, *deadline);
    guard_end(&guard, popen->had_broken_pipe);
    popen->had_broken_pipe = false;
    for (int i = 1; i < 3; i++)
        if (popen->captures[i].data != NULL)
            popen->captures[i].data[popen->captures[i].size] = '\0';
    return error;
}

static int decode(at_popen *popen, int i) {
    struct capture *capture = &popen->captures[i];
    popen->bad_stream = i;
    return capture->data != NULL ? text_decode(&popen->text, &capture->data, &capture->size, &popen->bad) : 0;
}

/* Should stdout be no text, stderr has become some already: hence the copy. */
int communicate_finish(at_popen *popen) {
    struct capture *out = &popen->captures[1], *err = &popen->captures[2];
    bool are_both = out->data != NULL && err->data != NULL;
    size_t size = err->size;
    if (!popen->text.wanted)
        return 0;
    char *copy = are_both ? malloc(size + 1) : NULL;
    if (are_both && copy == NULL)
        return -ENOMEM;
    if (are_both)
        memcpy(copy, err->data, size + 1);
    int error = decode(popen, 2);
    if (error == 0)
        error = decode(popen, 1);
    if (error != 0 && are_both) {
        free(err->data);
        *err = (struct capture){.data = copy, .size = size, .capacity = size + 1, .truncated = err->truncated};
        return error;
    }
    free(copy);
    return error;
}

/* The input is the caller's again: what has not been written of it is copied, for the next time. */
static int keep_rest(at_popen *popen) {
    size_t left = popen->input_size - popen->written;
    if (popen->input_copy != NULL || popen->ends[0] < 0 || left == 0)
        return 0;
    popen->input_copy = malloc(left);
    if (popen->input_copy == NULL) {
        popen_close_end(popen, 0);
        return -ENOMEM;
    }
    memcpy(popen->input_copy, popen->input + popen->written, left);
    popen->input = popen->input_copy;
    popen->input_size = left;
    popen->written = 0;
    return 0;
}

/* With the lock. */
static int communicate_once(at_popen *popen, at_input input, const struct deadline *deadline) {
    int error = 0;
    if (popen->begun && input.given)
        return AT_EINPUT;
    if (input.given && popen->ends[0] < 0)
        return AT_ENOPIPE;
    if (!popen->begun && (error = communicate_input(popen, input)) == 0)
        error = communicate_begin(popen);
    if (error != 0)
        return error;
    if (!popen->finished) {
        error = communicate_exchange(popen, deadline);
        if (error != 0) {
            int unkept = keep_rest(popen);
            return unkept != 0 ? unkept : error;
        }
        popen->finished = true;
        popen->outcome = communicate_finish(popen);
    }
    if (children_reap(&popen->child) && !popen->child.known)
        return -ECHILD;
    return popen->outcome;
}

int at_popen_communicate(at_popen *popen, at_input input, double timeout, at_output *out, at_output *err) {
    struct deadline deadline;
    at_output outputs[3] = {0};
    int error = popen == NULL ? -EINVAL : deadline_after(timeout, NEGATIVE_POLLS, &deadline);
    if (error == 0)
        error = children_enter(&popen->child, MINE);
    if (error == 0) {
        error = at_lock_acquire(&popen->communicating, timeout < 0 ? 0 : timeout);
        if (error == 0) {
            error = communicate_once(popen, input, &deadline);
            for (int i = 1; i < 3; i++) {
                const struct capture *capture = &popen->captures[i];
                outputs[i] = (at_output){capture->data, capture->size, capture->truncated};
            }
            at_lock_release(&popen->communicating);
        }
        children_leave(&popen->child);
    }
    if (out != NULL)
        *out = outputs[1];
    if (err != NULL)
        *err = outputs[2];
    return error;
}
