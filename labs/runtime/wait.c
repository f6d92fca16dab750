/* wait.c: deadlines, futexes and polling; see wait.h. */
#include "wait.h"

#include <errno.h>
#include <math.h>
#include <poll.h>

#include "clock.h"

static const long NANOSECONDS = 1000000000;

int deadline_after(double timeout, enum negative_timeout negative, struct deadline *deadline) {
    if (isnan(timeout) || (timeout < 0 && negative == NEGATIVE_IS_AN_ERROR))
        return -EINVAL;
    if (timeout > AT_TIMEOUT_MAX && !isinf(timeout))
        return -EOVERFLOW;
    deadline->never = isinf(timeout) && timeout > 0;
    if (deadline->never)
        return 0;
    if (timeout < 0)
        timeout = 0;
    clock_gettime(CLOCK_MONOTONIC, &deadline->at);
    time_t seconds = (time_t)timeout;
    deadline->at.tv_sec += seconds;
    deadline->at.tv_nsec += (long)((timeout - (double)seconds) * (double)NANOSECONDS);
    if (deadline->at.tv_nsec >= NANOSECONDS) {
        deadline->at.tv_sec++;
        deadline->at.tv_nsec -= NANOSECONDS;
    }
    return 0;
}

const struct timespec *deadline_left(const struct deadline *deadline, struct timespec *left) {
    if (deadline->never)
        return NULL;
    clock_gettime(CLOCK_MONOTONIC, left);
    left->tv_sec = deadline->at.tv_sec - left->tv_sec;
    left->tv_nsec = deadline->at.tv_nsec - left->tv_nsec;
    if (left->tv_nsec < 0) {
        left->tv_sec--;
        left->tv_nsec += NANOSECONDS;
    }
    if (left->tv_sec < 0)
        *left = (struct timespec){0};
    return left;
}

bool deadline_is_over(const struct deadline *deadline) {
    struct timespec left;
    return deadline_left(deadline, &left) != NULL && left.tv_sec == 0 && left.tv_nsec == 0;
}

bool deadline_is_before(const struct deadline *one, const struct deadline *other) {
    if (one->never || other->never)
        return !one->never;
    if (one->at.tv_sec != other->at.tv_sec)
        return one->at.tv_sec < other->at.tv_sec;
    return one->at.tv_nsec < other->at.tv_nsec;
}

int futex_wait(_Atomic uint32_t *word, uint32_t expected, const struct deadline *deadline, enum futex_scope scope) {
    /* FUTEX_WAIT_BITSET, unlike FUTEX_WAIT, takes an absolute time. */
    long result = syscall(SYS_futex, word, FUTEX_WAIT_BITSET | (int)scope, expected, deadline_time(deadline), NULL,
                          FUTEX_BITSET_MATCH_ANY);
    return result == -1 && errno == ETIMEDOUT ? -ETIMEDOUT : 0;
}

void futex_wake(_Atomic uint32_t *word, int count, enum futex_scope scope) {
    syscall(SYS_futex, word, FUTEX_WAKE | (int)scope, count, NULL, NULL, 0);
}

int await_descriptor(int descriptor, short events, const struct deadline *deadline) {
    struct pollfd ready = {.fd = descriptor, .events = events};
    struct timespec left;
    for (;;) {
        int count = ppoll(&ready, 1, deadline_left(deadline, &left), NULL);
        if (count > 0)
            return 0;
        if (count == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}
