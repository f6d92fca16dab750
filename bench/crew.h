/* crew.h: processes that do something measured together, round by round, each on a core of its own. */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "peer.h"

enum { CREW_MOST = 64 };

/* What a member found in a round. */
struct part {
    _Alignas(128) uint64_t start, end; /* ns on the monotonic clock; 0 where it has none */
    uint64_t count, sum;               /* what it received, for the one who compares */
};

/* What the crew and the one who leads it share. */
struct stage {
    _Atomic uint32_t round;                 /* futex: rises when a round begins */
    _Alignas(128) _Atomic uint32_t arrived; /* members at the start line */
    _Alignas(128) _Atomic uint32_t done;    /* futex: members that have finished their part */
    size_t messages;                        /* what to do in this round: how many messages or tasks... */
    size_t samples;                         /* ...or how many samples, into ns */
    double ns[BATCH_MOST];
    struct part parts[CREW_MOST];
    char wrong[160]; /* what a member found to be wrong */
};

/* A member's part of a round; `index` says which member it is. */
typedef void crew_member(struct stage *stage, size_t index);

struct crew {
    const char *name;
    size_t count;
    pid_t members[CREW_MOST];
    struct stage *stage;
};

/*
 * Forks `count` members, bound to the usable cores in turn; they sleep until the first round, and end with this
 * process. What they have in common is made before. False, with a line that says why, when it cannot be had.
 */
bool crew_start(struct crew *crew, const char *name, size_t count, crew_member *member);

/*
 * One round: every member does its part, once all of them are awake. False after Ctrl-C, and, with a line that says so,
 * when they are not done in a long while, which ends the crew; a member that fails or dies ends the program.
 */
bool crew_round(struct crew *crew, size_t messages, size_t samples);

/* From the first start of a part to the last end, in ns. */
double crew_ns(const struct crew *crew);

/* Ends and reaps them. A crew that was never started is fine. */
void crew_end(struct crew *crew);

/* For members: this round's work is wrong; ends the member, and then the program says so and ends with status 1. */
void crew_wrong(struct stage *stage, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

/* Binds the calling thread to the index-th usable core, starting over when there are no more; and frees it again. */
void bind_to_core(size_t index);
void bind_to_none(void);

#endif
