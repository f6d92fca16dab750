/* worker.h: one device and what it is asked to do, in a process or a thread of its own. */
#ifndef GPU_WORKER_H
#define GPU_WORKER_H

#include "inject.h"
#include "region.h"

struct worker {
    struct region *region;
    size_t index;
    const char *device; /* its text */
    int bell, front;    /* the eventfds: its own, and the front's */
    bool process;       /* it may end its process */
};

/* An order that has been begun. What it has of a batch is the device's until that is over. */
struct flight {
    struct order *order;
    struct part parts[DEVICE_BATCH];
    uint32_t slots[DEVICE_BATCH]; /* of each part: which of the order's */
    bool failed[DEVICE_BATCH];    /* of each part: it had no memory, even alone */
    uint32_t count;
    int result; /* of its beginning */
    struct failure failure;
};

/*
 * A worker at work. Order n lies in the device's lane n modulo its lanes; there `done` <= n < `begun`, and all are
 * finished in their order.
 */
struct work {
    const struct worker *worker;
    struct mailbox *mailbox;
    struct device device;
    struct model *models[DEVICE_MODELS]; /* NULL: nothing at that place */
    uint64_t begun, done;                /* orders */
    uint64_t ended;                      /* when the last one was done */
    uint64_t batches;                    /* begun; without canaries */
    bool breaks;                         /* on purpose: */
    struct inject_cuda fault;
    int over; /* the eventfd that the device writes to when a batch is over; -1: it does not */
    struct flight flights[DEVICE_LANES];
};

/*
 * Opens the device. When that fails, and when the device fails later, the mailbox says why: a process then ends with
 * status 70 (75 for want of memory), and the front starts another; a thread fails the requests, and goes on.
 */
int worker_open(struct work *work, const struct worker *worker) AT_MUST_CHECK;
/* Begins the orders that are there, as many as the device has lanes for; does the oldest. False: it was the last. */
bool worker_step(struct work *work);
/*
 * Sleeps until there is an order to be done, or, of two that the device can have at once, until the older one is over;
 * one that comes meanwhile is begun.
 */
void worker_await(struct work *work);
void worker_close(struct work *work);

/* All of that, from the beginning to ORDER_STOP; then 0, or the code of worker_open. */
int worker_run(const struct worker *worker);

/* The main of a worker process: `serve --worker INDEX DEVICE REGION BELL FRONT`, the last three descriptors. */
int worker_main(int argc, char *argv[]);

/* ---- between worker.c and worker_batch.c */

/* The device is lost, by that error: says so to the front, and ends a process. */
void worker_give_up(struct work *work, int error, const char *text);
/* A batch's way through the lane, and its end: its answers are in the slots, and the slots say so. */
void flight_begin(struct work *work, size_t lane);
void flight_finish(struct work *work, size_t lane);

#endif
