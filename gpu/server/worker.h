/* worker.h: one device and what it is asked to do, in a process or a thread of its own. */
#ifndef GPU_WORKER_H
#define GPU_WORKER_H

#include "region.h"

struct worker {
    struct region *region;
    size_t index;
    const char *device; /* its text */
    int bell, front;    /* the eventfds: its own, and the front's */
    bool process;       /* it may end its process */
};

/* A worker at work. */
struct work {
    const struct worker *worker;
    struct mailbox *mailbox;
    struct device device;
    struct model *models[DEVICE_MODELS]; /* NULL: nothing at that place */
    uint64_t done;                       /* orders */
};

/*
 * Opens the device. When that fails, and when the device fails later, the mailbox says why: a process then ends with
 * status 70, and the front starts another; a thread fails the requests, and goes on.
 */
int worker_open(struct work *work, const struct worker *worker) AT_MUST_CHECK;
/* Does the order that is there. False: it was the last one. */
bool worker_step(struct work *work);
void worker_close(struct work *work);

/* All of that, from the beginning to ORDER_STOP; then 0, or the code of worker_open. */
int worker_run(const struct worker *worker);

/* The main of a worker process: `serve --worker INDEX DEVICE REGION BELL FRONT`, the last three descriptors. */
int worker_main(int argc, char *argv[]);

#endif
