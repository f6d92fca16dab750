/* wait.h (internal): how the runtime waits: deadlines on the monotonic clock, and futexes. */
#ifndef ATELIER_WAIT_H
#define ATELIER_WAIT_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/*
 * The moment at which a timeout ends. It is fixed once, at the start of a call, so no EINTR and no retry can move it.
 */
struct deadline {
    bool never;         /* AT_FOREVER */
    struct timespec at; /* on CLOCK_MONOTONIC, when not never */
};

static const struct deadline NEVER = {.never = true};

/* What a function does with a negative timeout: some of Python's poll, some refuse it. */
enum negative_timeout { NEGATIVE_POLLS, NEGATIVE_IS_AN_ERROR };

/* Returns 0, -EINVAL or -EOVERFLOW (clock.h). */
int deadline_after(double timeout, enum negative_timeout negative, struct deadline *deadline);

/* What is left of it, for ppoll: never below zero. NULL when it never ends. */
const struct timespec *deadline_left(const struct deadline *deadline, struct timespec *left);

/* Whether it is over; whether one ends before the other. */
bool deadline_is_over(const struct deadline *deadline);
bool deadline_is_before(const struct deadline *one, const struct deadline *other);

/* For the calls of libc that want an absolute time, NULL meaning no end. */
static inline const struct timespec *deadline_time(const struct deadline *deadline) {
    return deadline->never ? NULL : &deadline->at;
}

/* Whether a futex word lies in memory of this process alone, or in memory that processes share. */
enum futex_scope { FUTEX_OF_PROCESS = FUTEX_PRIVATE_FLAG, FUTEX_SHARED = 0 };

/*
 * Sleeps while *word == expected, until futex_wake or the deadline: -ETIMEDOUT then, else 0. It also returns 0 for no
 * reason (a signal, a word that had changed already), so the caller looks again in a loop. futex(2)
 */
int futex_wait(_Atomic uint32_t *word, uint32_t expected, const struct deadline *deadline, enum futex_scope scope);

/* Wakes up to `count` of those who sleep on it. */
void futex_wake(_Atomic uint32_t *word, int count, enum futex_scope scope);

/*
 * Waits until a descriptor has one of these events (POLLIN; POLLHUP for that alone): 0, -ETIMEDOUT, or -ENOMEM. poll(2)
 */
int await_descriptor(int descriptor, short events, const struct deadline *deadline);

#endif
