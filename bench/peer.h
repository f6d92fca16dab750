/*
 * peer.h: a process beside this one that measures when asked, so that its samples and ours alternate.
 *
 * The protocol is lines of text. We write "COUNT\n"; the peer takes that many samples and answers with one line:
 * COUNT numbers, nanoseconds per operation, separated by spaces; where workers compete, then "; " and, for each of
 * them, the least worker's share of the greatest's. "wrong: TEXT" says that a result was wrong, "lost: TEXT" that the
 * operation never comes back. It says nothing unasked but these two, and ends when its input does. A peer can be tried
 * by hand: echo 5 | python3 bench/peers/lock.py lock
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

enum { BATCH_MOST = 64 }; /* samples that a subject takes at most when it is its turn */

/* One sample: ns per operation; share is 0 where no workers compete. */
struct observation {
    double ns, share;
};

struct peer {
    const char *name;
    pid_t pid;
    bool group;            /* whether it leads a process group, of its own children */
    int requests, answers; /* pipes */
    bool broken;           /* it answered otherwise than it should, or not at all, and is not asked again */
    bool unsent;           /* the last request could not be written: it has ended, and may have said why */
    char lost[80];         /* what it said after "lost:" */
};

/* Starts a program as a peer. False, with a line that says why, when it cannot be started. */
bool peer_spawn(struct peer *peer, const char *name, char *const argv[]);

/* Forks this process, as it is now, into a peer that takes its samples with `take`. */
bool peer_fork(struct peer *peer, const char *name, double (*take)(void));

/* The same, for a peer that reads its requests and writes its answers itself, until there are no more. */
typedef void peer_life(const void *context, FILE *requests, FILE *answers);
bool peer_fork_to(struct peer *peer, const char *name, peer_life *live, const void *context);

/*
 * Has it take `count` samples. Returns how many came: fewer, with a line that says why, when the peer cannot go on
 * (or with peer->lost filled in). A wrong result ends the program.
 */
size_t peer_ask(struct peer *peer, struct observation *samples, size_t count);

/*
 * Sends a request, a line, and stores the line that is the answer, without its end. False, with a line that says why,
 * when the peer cannot go on, or with peer->lost filled in. A wrong result ends the program.
 */
bool peer_request(struct peer *peer, const char *request, char *answer, size_t size);

/* Its two halves, for several peers that are to work at once. */
bool peer_send(struct peer *peer, const char *request);
bool peer_receive(struct peer *peer, char *answer, size_t size);

/*
 * Stores the numbers, all finite, of which an answer or a part of it consists. False, with a line that says so, when it
 * is anything else, or more; the peer cannot go on then.
 */
bool peer_numbers(struct peer *peer, const char *text, double *numbers, size_t count);

/*
 * Ends and reaps it, and its children with it; kills it when it does not end in a while. A peer that was never started
 * is fine.
 */
void peer_stop(struct peer *peer);

#endif
