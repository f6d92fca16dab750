/* tally.h: what became of the requests of one run: counted, timed, and never forgotten. */
#ifndef GPU_CLIENT_TALLY_H
#define GPU_CLIENT_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "histogram.h"
#include "inference.h"

enum { TALLY_DEVICES = 64, TALLY_DEVICE_NAME = 32, TALLY_BATCHES = 257, TALLY_STATUSES = 600 };

/* Every request that was due ends as exactly one of these. */
enum outcome {
    OUTCOME_RIGHT,     /* answered with 200 and, as far as that was asked, rightly */
    OUTCOME_WRONG,     /* answered with 200, but with wrong numbers, of a wrong shape or to another request */
    OUTCOME_REFUSED,   /* answered with another status */
    OUTCOME_CONNECT,   /* no connection */
    OUTCOME_RESET,     /* the connection ended before the answer was complete */
    OUTCOME_TIMEOUT,   /* no answer in the time that was given */
    OUTCOME_MALFORMED, /* what came was no HTTP, or no answer of an inference server */
    OUTCOME_UNSENT,    /* its turn came, but no connection was free until the end */
    OUTCOMES,
};

extern const char *const outcome_names[OUTCOMES]; /* "right", "wrong"... */

struct tally_device {
    char name[TALLY_DEVICE_NAME]; /* as the answers say; "" stands for those that do not */
    bool simulated;
    uint64_t answers, rows;
};

/* A tenth of a second, by when the answers came. */
struct tally_slot {
    uint32_t right, failed;
    uint64_t p99; /* nanoseconds, of the right ones */
};

/* All times are nanoseconds, all latencies count from the moment at which the request was intended to be sent. */
struct tally {
    uint64_t outcomes[OUTCOMES];
    uint64_t statuses[TALLY_STATUSES]; /* of those that are right, wrong or refused, by HTTP status */
    uint64_t lost;                     /* sent, and neither answered nor refused: connections that ended, timeouts */
    uint64_t duplicated;               /* answers to requests that had been answered before */
    uint64_t stray;                    /* bytes that nobody had asked for, and that are no such answer */
    uint64_t retry_after;              /* refusals that say when to come again */
    uint64_t good;                     /* right, and within the bound */
    uint64_t waited;                   /* found all connections busy and had to wait for one, with the clock running */
    uint64_t connects;                 /* connections made, the first ones included */
    uint64_t bytes_sent, bytes_received;
    struct histogram latency;        /* of the right ones */
    struct histogram queries;        /* multi: from the intended moment to the last answer of the query */
    struct histogram lag;            /* how late the generator itself was: with a connection free, and the time come */
    uint64_t batches[TALLY_BATCHES]; /* right answers by the rows that ran together; 0: not said; the last: more */
    struct tally_device devices[TALLY_DEVICES];
    size_t device_count;
    uint64_t other_devices; /* answers of those for which there was no room */
    struct tally_slot *slots;
    size_t slot_count;
    const char *fault; /* of the last malformed answer, in words; NULL: none */
    /* Its own: */
    size_t slot_room;
    struct histogram slot; /* of the slot that is being filled, the last one */
};

enum { TALLY_SLOT = 100000000 }; /* nanoseconds */

/* A request has ended, at that time after the beginning of what is measured. `latency` counts only if it was right. */
void tally_end(struct tally *tally, enum outcome outcome, uint64_t moment, uint64_t latency);

/* Who answered, and together with how many. */
void tally_answer(struct tally *tally, const struct inference_answer *answer);

/* Ends the last slot. To be called once, after the last request. */
void tally_finish(struct tally *tally);

/* Adds what another one counted in the same time; slots only as counts, with the larger of the p99. */
void tally_merge(struct tally *tally, const struct tally *other);

/* The sum of all outcomes; and of those that are not right. */
uint64_t tally_requests(const struct tally *tally);
uint64_t tally_failed(const struct tally *tally);

void tally_free(struct tally *tally);

#endif
