/* board.h (internal): the board on which a pool's owner posts jobs and from which its workers take them. */

/*
 * The board lies in memory that the owner and the workers share, and no lock guards it: what a worker has is written
 * there by the one atomic instruction by which it takes it, and what it has done by the one by which it hands it in. So
 * whatever moment a worker dies at, the board says what was in its hands.
 *
 * A job is `count` items, cut into chunks. Each chunk has a word (CHUNK_...) that says whether it is free, whose it is,
 * or that it is done, and how many of its items were done when it was last free. Jobs are posted in a ring, in the
 * order of their positions; `take` is the first position at which a chunk may still be free. It and a job's `next` are
 * only ever moved past what is not free, by whoever sees it, so a death between two instructions holds nobody up.
 *
 * The owner trusts nothing that it reads here: a worker with a wild pointer may have written it.
 */
#ifndef ATELIER_BOARD_H
#define ATELIER_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pool.h"

enum {
    BOARD_POSITIONS = 1 << 18,                  /* jobs posted and not yet taken */
    BOARD_PIECES = BOARD_POSITIONS / 16,        /* of these, kept for chunks that come back from dead workers */
    BOARD_WORKERS = 1024,                       /* at most */
    BOARD_SETS = BOARD_WORKERS / 64,            /* words of a set of workers */
    BOARD_LINE = 128,                           /* bytes: two cache lines, since some processors fetch pairs */
    BOARD_TEXT = sizeof((at_failure *)0)->text, /* bytes of a failure's text, the 0 at its end included */
};

/* ---- a chunk's word: its state, a flag, the number of its worker, and how many of its items need not be done */

enum chunk_state { CHUNK_FREE, CHUNK_TAKEN, CHUNK_DONE };

static const uint64_t CHUNK_SPECIAL = 1 << 2; /* the outcomes of its items are to be looked at */
enum { CHUNK_WORKER_SHIFT = 3, CHUNK_SKIP_SHIFT = 16 };
static const uint64_t CHUNK_WORKER_MASK = BOARD_WORKERS - 1;

static inline uint64_t chunk_word(enum chunk_state state, bool special, unsigned worker, uint64_t skip) {
    return (uint64_t)state | (special ? CHUNK_SPECIAL : 0) | (uint64_t)worker << CHUNK_WORKER_SHIFT |
           skip << CHUNK_SKIP_SHIFT;
}

static inline enum chunk_state chunk_state(uint64_t word) {
    return (enum chunk_state)(word & 3);
}

static inline bool chunk_special(uint64_t word) {
    return (word & CHUNK_SPECIAL) != 0;
}

static inline unsigned chunk_worker(uint64_t word) {
    return (unsigned)(word >> CHUNK_WORKER_SHIFT & CHUNK_WORKER_MASK);
}

static inline uint64_t chunk_skip(uint64_t word) {
    return word >> CHUNK_SKIP_SHIFT;
}

static const uint64_t BOARD_MOST_ITEMS = (uint64_t)1 << 39;

/* ---- what a worker has in its hands: an item, and whether its task has begun, and whether it ran out of time */

static const uint64_t HAND_EMPTY = UINT64_MAX;
static const uint64_t HAND_BEGUN = (uint64_t)1 << 62;
static const uint64_t HAND_CONDEMNED = (uint64_t)1 << 61; /* written by the owner, who is about to kill the worker */
enum { HAND_CLAIM_SHIFT = 40, HAND_CLAIM_BITS = 20 };     /* which claim of this worker's: no two hands are the same */
static const uint64_t HAND_ITEM = ((uint64_t)1 << HAND_CLAIM_SHIFT) - 1;

enum worker_stage {
    WORKER_STARTING,
    WORKER_INITIALIZING, /* in the pool's initializer */
    WORKER_UNFIT,        /* which failed */
    WORKER_READY,
    WORKER_RETIRED, /* it has done as many tasks as it may, or there are no more */
};

/* One for each worker, who alone writes there, but for CONDEMNED and `wake`. */
struct board_worker {
    _Alignas(BOARD_LINE) _Atomic uint64_t visiting; /* 1 + the position whose job it looks at; 0: none */
    _Atomic uint64_t trying;                        /* the chunk of it that it takes, or tries to */
    _Atomic uint64_t hand;                          /* HAND_... */
    _Atomic uint64_t started;                       /* when it began what it has in hand, if that is timed: ns */
    _Atomic uint64_t finished;                      /* chunks */
    _Atomic uint32_t stage;                         /* enum worker_stage */
    _Atomic uint32_t wake;                          /* a futex word, on which it sleeps when there is nothing to do */
    int code;                                       /* why it is unfit */
    char text[BOARD_TEXT];
};

/* How a task failed, in words; there are a few for each job. */
struct board_text {
    _Atomic uint64_t item; /* 1 + its index; 0: not written */
    char text[BOARD_TEXT];
};

enum board_flags {
    JOB_TIMED = 1, /* its items have a time limit */
    JOB_EACH = 2,  /* somebody waits for single chunks (imap) */
    JOB_TOLD = 4,  /* the supervisor is to be told when it is done (callbacks) */
};

/* A job as the workers see it. After it the words of its chunks and all else that it points to. */
struct board_job {
    _Alignas(BOARD_LINE) _Atomic uint64_t next; /* the first chunk that may be free */
    _Atomic uint32_t bell;                      /* a futex word, for those who wait until something of it is done */
    _Atomic uint32_t waiting;                   /* whether there may be any */
    _Atomic uint32_t texts_used;

    /* Never changes once it is posted. */
    _Alignas(64) int (*run)(at_call *call);
    uint64_t count, chunk_size, chunks; /* items, items in a chunk, chunks */
    size_t item_size, result_size;      /* bytes */
    uint32_t flags;
    uint32_t text_count;
    _Atomic uint64_t *words; /* one for each chunk */
    _Atomic uint64_t
        *outcomes; /* one for each item: its code in the low half, 1 + its result's size above; 0: all well */
    struct board_text *texts;
    const unsigned char *items;
    unsigned char *results;
};

/* What is posted at a position: a whole job, or a single chunk that comes back from a dead worker. */
struct board_post {
    struct board_job *job;
    uint64_t piece; /* 1 + the chunk; 0: all */
};

struct board {
    _Alignas(BOARD_LINE) _Atomic uint64_t take; /* the first position at which there may be something free */
    _Alignas(BOARD_LINE) _Atomic uint64_t put;  /* the first one that has not been posted; the owner alone writes it */
    _Atomic uint32_t draining; /* the pool is closed: tell the supervisor when there is nothing to do */
    _Atomic uint32_t over;     /* nothing will come any more: workers end */
    _Atomic uint64_t fit;      /* workers that have got through the initializer */
    _Alignas(BOARD_LINE) _Atomic uint64_t spinning[BOARD_SETS]; /* workers that look for work without sleeping */
    _Alignas(BOARD_LINE) _Atomic uint64_t sleeping[BOARD_SETS]; /* workers that sleep and have not been woken */
    _Atomic unsigned workers;
    bool may_spin; /* there is more than one core */
    struct board_post posts[BOARD_POSITIONS];
    struct board_worker worker[];
};

/* Bytes of a board for so many workers. A board starts as zeros, and then is made ready by board_init. */
size_t board_size(unsigned workers);
void board_init(struct board *board, unsigned workers);

/* ---- for the owner; the pool's lock guards posting */

/* Posts a job, or a piece of one. True, or false when there is no position left. */
bool board_post(struct board *board, struct board_job *job, uint64_t piece);

/* Wakes sleeping workers for so many new chunks, as far as none is on its way. */
void board_wake(struct board *board, uint64_t chunks);

/* Wakes them all, whatever there is. */
void board_wake_all(struct board *board);

/* Wakes those who wait for something of this job. */
void board_ring(struct board_job *job);

/* Makes a worker's place that of one which has not started yet. */
void board_clear_worker(struct board *board, unsigned worker);

/* Whether no worker can be looking at this position's job any more. */
bool board_is_visited(struct board *board, uint64_t position);

/* ---- for the workers */

struct claim {
    int told; /* the eventfd by which the supervisor is told to look: not on the board, where anybody may write */
    uint64_t position; /* 1 + the one that it visits; 0: none. Kept from claim to claim */
    struct board_post post;
    struct board_job *job;
    uint64_t chunk;
    uint64_t word; /* as it is now: taken by this worker */
    uint64_t hand; /* what its first item's hand would be: HAND_CLAIM_... */
};

/* Takes a chunk, the oldest that is free: true, or false when there is none. */
bool board_claim(struct board *board, unsigned worker, struct claim *claim);

/* Says that the chunk is done, to all who want to know. */
void board_done(struct board *board, unsigned worker, const struct claim *claim);

/*
 * Waits until there may be something to do, or the board is over: true. False when nobody has said so for a while, and
 * it should be looked at whether there is still somebody who could; after that do not spin.
 */
bool board_idle(struct board *board, unsigned worker, int told, bool spins);

#endif
