/* dense.h: one dense layer, y = activation(W x + b), for some rows at once: its weights packed, and its kernel. */
#ifndef GPU_DENSE_H
#define GPU_DENSE_H

#include <stdbool.h>

#include "model.h"

/* Row i's inputs are at input[i], its outputs go to output[i]. */
struct dense;
typedef void dense_kernel(const struct dense *dense, size_t rows, const float *const *input, float *const *output);

/* A layer whose weights lie as its kernel reads them; made once, read by anybody. Zeroed: not made. */
struct dense {
    uint32_t inputs, outputs;
    bool relu;
    float *packed, *bias; /* see dense.c; one piece of memory */
    dense_kernel *kernel;
};

/*
 * Packs a layer, whose own arrays are not needed any more then, for the widest vectors that the processor has, of at
 * most `widest` bytes: DENSE_WIDEST but in tests. Returns 0 or -ENOMEM; dense_free gives it back.
 */
enum { DENSE_WIDEST = 64 };
int dense_make(struct dense *dense, const struct layer *layer, size_t widest) AT_MUST_CHECK;
void dense_free(struct dense *dense);

/*
 * Computes 1 or more rows: the sums, the bias, and ReLU where the layer has it (no softmax). Each sum is made in the
 * order of the inputs, by the same operations in every batch, so that a row's answer has the same bits whatever the
 * other rows are. NaN and infinity pass through.
 */
void dense_run(const struct dense *dense, size_t rows, const float *const *input, float *const *output);

/* Makes numbers to probabilities, in place. */
void dense_softmax(float *numbers, size_t count);

#endif
