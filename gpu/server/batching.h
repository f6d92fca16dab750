/* batching.h: which of the waiting requests run together, where, and when; and which are given up. It knows no time but
 * the one it is told, and starts nothing: the engine does. */
#ifndef GPU_BATCHING_H
#define GPU_BATCHING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a batch of b rows takes on a device: alpha + beta * b, in nanoseconds, learnt from the batches that it has run,
 * by least squares with forgetting. Zeroed: nothing is known yet, and predictions are 0.
 */
struct cost {
    double alpha, beta;                     /* what is believed now; never below 0 */
    double n, rows, rows2, time, rows_time; /* the weighted sums it follows from */
    double error;                           /* the weighted sum of how far off predictions were */
};

void cost_learn(struct cost *cost, uint32_t rows, uint64_t nanoseconds);
uint64_t cost_predict(const struct cost *cost, uint32_t rows);
/* What nearly all batches of so many rows keep to: the prediction, and three times as much as it was off on average. */
uint64_t cost_bound(const struct cost *cost, uint32_t rows);

/*
 * One request that waits; part of the engine's own record, and not to be changed while it waits. Times are nanoseconds
 * on the monotonic clock.
 */
struct waiting {
    struct waiting *next, *previous;        /* batching's own: those of its priority */
    struct waiting *child, *sibling, *back; /* batching's own: its place among the deadlines */
    uint64_t order;                         /* batching's own: how many came before it */
    uint64_t arrived;
    uint64_t deadline; /* the moment at which its answer is worth nothing any more; 0: none */
    uint32_t rows;
    uint32_t model;
    uint8_t
        priority; /* 1: before all others, who wait as long as it comes; 2, 3...; 0: as the middle one, 8; up to 15 */
    bool alone;   /* must be the only one of its batch: it was there when a worker died */
    bool queued;  /* batching's own: whether it is in here */
};

struct batching_options {
    uint32_t most;  /* rows of a batch; 1: no batching */
    uint64_t delay; /* nanoseconds that the oldest may be kept waiting for others; 0: a free worker never waits */
    bool keep_late; /* true: a request is given up at its deadline; false: as soon as it cannot be met any more */
};

struct batching;

struct batching *batching_new(const struct batching_options *options); /* NULL: memory is short */
void batching_free(struct batching *batching);

/*
 * A request comes to wait, behind those of its priority; or is back, and has the place again that it had: before all
 * that came after it. Several that return keep their order, whichever returns first.
 */
void batching_add(struct batching *batching, struct waiting *waiting);
void batching_return(struct batching *batching, struct waiting *waiting);
/* It does not wait any more: its client has gone. One that does not wait is left as it is. */
void batching_remove(struct batching *batching, struct waiting *waiting);

/* The model of the batch that would be taken next, whose cost is to be given to those below; 0 when nobody waits. */
uint32_t batching_model(const struct batching *batching);

/*
 * The batch that a worker that is free should run now: up to `room` requests of one model, stored in the order in which
 * they waited, and taken out of here. Returns how many; 0 when nobody waits, or all may wait longer (.delay).
 *   The first is the oldest of the best priority, and is taken whatever it is. The others are those behind it, of its
 * model, as long as their rows fit into .most, as the worker is expected to finish before the earliest deadline among
 * them (those that even a batch of their own would miss do not count), and as no more are taken than a fair share: the
 * waiting rows divided by the workers that are free (`free`, this one counted), rounded up. The first that does not fit
 * ends the batch, so that nobody overtakes another of the same model and priority.
 *   A free worker waits for others as long as .delay says, but not when .most rows are there, when the first runs
 * alone, or when half the time has gone that the request with the earliest deadline had.
 */
size_t batching_take(struct batching *batching, uint64_t now, const struct cost *cost, size_t free,
                     struct waiting **batch, size_t room);

/*
 * What the next batch may take (cost_bound) on the fastest worker if the waiting rows are shared among all `workers`:
 * for give_up and next, to be asked anew before each call. Why not the time of one row: past saturation those at the
 * front always have just time for that, and batches cut to fit them serve nobody else: a seventh of the peak instead of
 * all. As long as a worker is free, it is to be 0: to run what seems to be late costs nothing then, and what is
 * believed of a device can get better only while it runs something.
 */
uint64_t batching_least(const struct batching *batching, const struct cost *fastest, size_t workers);

/*
 * A request that has to be given up, taken out of here: its deadline has come or, unless .keep_late, cannot be met any
 * more even if it ran at once, which takes `least` nanoseconds (batching_least). NULL when there is none.
 */
struct waiting *batching_give_up(struct batching *batching, uint64_t now, uint64_t least);

/* When take or give_up will say something new if nothing else happens: `now` at the earliest; UINT64_MAX: never. */
uint64_t batching_next(const struct batching *batching, uint64_t now, uint64_t least);

/* How many wait, requests and rows. */
size_t batching_requests(const struct batching *batching);
size_t batching_rows(const struct batching *batching);

#endif
