/* lanes.h: two batches in the card's hands at once: while it computes one, it fetches the next. */
#ifndef GPU_CUDA_LANES_H
#define GPU_CUDA_LANES_H

#include "network.h"

/*
 * A lane has a stream of its own, and nothing of it is shared with the other: the card runs both as it can. A batch in
 * a lane takes one launch, of a graph that was made when the model was loaded (graphs.h); from begin to finish nothing
 * is allocated, freed, pinned or loaded, since that would make both lanes wait.
 */
struct lane {
    cudaStream_t stream;
    cudaEvent_t done;
    cudaStream_t bells;                 /* where the bell is rung from; NULL: nobody listens */
    void *workspace;                    /* on the card, PRODUCT_WORKSPACE bytes */
    uint32_t *odd;                      /* on the card, [rows]: see launch_gather */
    struct row_table *table;            /* on the host; read by the batch in this lane */
    const struct row_table *card_table; /* the same, as the card reaches it */
    /* The batch. */
    const struct network *network; /* NULL: none */
    size_t copy_count;
    struct part copies[DEVICE_BATCH]; /* of floats, [rows]: from staging memory to where the outputs belong */
    bool over;                        /* it has been waited for, and this came of it: */
    int result;
    struct failure failure;
};

struct lanes {
    const struct card *card;
    bool deterministic;       /* a row's answer has the same bits in every batch: one size for all, no sum split */
    size_t smallest, largest; /* the sizes of graphs: 2 to the power of these */
    int bell; /* an eventfd to be written to at the end of each batch; 0: none. A broken card rings none */
    struct lane lane[DEVICE_LANES];
};

/* The most rows that a graph takes. */
static inline uint32_t lanes_rows(const struct lanes *lanes) {
    return (uint32_t)1 << lanes->largest;
}

/* The size of the graph that takes so many rows. */
size_t lanes_size(const struct lanes *lanes, size_t rows);

/* On an error there is nothing to be closed. */
int lanes_open(struct lanes *lanes, const struct card *card, const struct device_options *options,
               struct failure *failure) AT_MUST_CHECK;
/* Waits for what is running. */
void lanes_close(struct lanes *lanes);

/* device_kind's begin, poll and finish; -ENOMEM: not this time, and the lane is free again. */
int lanes_begin(struct lanes *lanes, size_t lane, const struct network *network, const struct part *parts, size_t count,
                struct failure *failure) AT_MUST_CHECK;
int lanes_poll(struct lanes *lanes, size_t lane) AT_MUST_CHECK;
int lanes_finish(struct lanes *lanes, size_t lane, struct failure *failure) AT_MUST_CHECK;

/*
 * Waits for all batches, whose outputs are then where they belong; what came of them finish says. Afterwards the lanes'
 * tables are free, and no network is in use.
 */
void lanes_settle(struct lanes *lanes);

#endif
