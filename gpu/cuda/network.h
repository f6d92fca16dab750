/* network.h: a model on the card: its numbers, and all the memory that its batches need. */
#ifndef GPU_CUDA_NETWORK_H
#define GPU_CUDA_NETWORK_H

#include "card.h"

/* There is a graph for batches of 1, 2, 4... rows, up to DEVICE_BATCH: 2 to the power of its index. */
enum { GRAPH_SIZES = 9 };
_Static_assert(1 << (GRAPH_SIZES - 1) == DEVICE_BATCH, "the largest graph takes the largest batch");

/* A layer; its widths are multiples of 16, with zeros for what the model has not, so that tensor cores can be used. */
struct network_layer {
    uint32_t inputs, outputs;
    void *weight; /* [outputs][inputs] */
    void *bias;   /* [outputs], of the type of the layer's result */
};

/* What a batch in that lane needs of this model's own. */
struct network_lane {
    void *between[2];      /* on the card, [rows][widest layer]: what one layer leaves for the next */
    float *input, *output; /* on the host, [rows][inputs], [rows][outputs]: for parts out of the card's reach */
    float *card_input, *card_output;     /* the same memory, as the card reaches it */
    cudaGraphExec_t graphs[GRAPH_SIZES]; /* see graphs.h; NULL: none of that size is needed */
};

struct network {
    const struct model *model; /* NULL: there is none */
    enum number_type type;     /* of the numbers; what the last layer leaves, and its bias, are float */
    struct network_layer layers[MODEL_LAYERS];
    struct network_lane lanes[DEVICE_LANES];
};

/*
 * Brings the model to the card, which must be this thread's, for batches of up to `rows` rows; it has no graphs yet.
 * On an error there is nothing to be freed. Errors: CUDA's; -ENOMEM.
 */
int network_make(struct network *network, const struct card *card, const struct model *model, uint32_t rows,
                 struct failure *failure) AT_MUST_CHECK;
/* Gives everything back; nothing may be running in it any more. Takes one that is all zero, too. */
void network_free(struct network *network);

#endif
