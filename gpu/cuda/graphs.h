/* graphs.h: what a batch does on the card, recorded once for each size and lane, and then launched as a whole. */
#ifndef GPU_CUDA_GRAPHS_H
#define GPU_CUDA_GRAPHS_H

#include "lanes.h"
#include "products.h"

/*
 * Makes network's graphs for all sizes and lanes, and runs each once: what CUDA and cuBLASLt put off to the first time
 * is done now, not at a request. The lanes must be settled; on an error nothing runs any more, and what was made goes
 * with network_free.
 */
int graphs_make(struct network *network, struct lanes *lanes, struct failure *failure) AT_MUST_CHECK;

/* ---- What they are made from */

/* A product for each layer, for batches of `rows` rows. Graphs keep what they need of it. */
struct recipe {
    const struct network *network;
    uint32_t rows;
    struct product products[MODEL_LAYERS];
};

/* Makes the products of a recipe whose network and rows are given. recipe_free takes one that failed, too. */
int recipe_make(struct recipe *recipe, const struct lanes *lanes, struct failure *failure) AT_MUST_CHECK;
void recipe_free(struct recipe *recipe);
/* Puts them into the lane's stream, one layer after the other, with whatever rows lie there. */
int recipe_multiply(const struct recipe *recipe, const struct lane *lane, size_t index,
                    struct failure *failure) AT_MUST_CHECK;

#endif
