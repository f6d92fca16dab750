/* trainer_network.h: a network that learns, on a card: its numbers, its gradient, and what is computed between. */
#ifndef GPU_CUDA_TRAINER_NETWORK_H
#define GPU_CUDA_TRAINER_NETWORK_H

#include "products.h"
#include "training.h"

/* Each layer's products: forward; the weights' gradient; the slopes of the layer before. */
struct layer_products {
    struct product forward, gradient, back;
};

/*
 * All arrays are on the card. Numbers, gradient and velocities are laid out alike: each layer's weight and each bias
 * begins at a multiple of LEARNING_ALIGNMENT floats, as cuBLASLt likes it, with zeros between.
 */
enum { LEARNING_ALIGNMENT = 64 };

struct learning {
    const struct model *model;
    uint32_t rows; /* of each call's products: fewer are filled up with rows that have no slopes */
    size_t count;  /* of the numbers, and of what is between them */
    size_t weights[MODEL_LAYERS], biases[MODEL_LAYERS]; /* where they begin */
    float *numbers, *gradient, *velocities;
    float *input;                                        /* [rows][inputs] */
    uint8_t *labels;                                     /* [rows] */
    float *outputs[MODEL_LAYERS], *slopes[MODEL_LAYERS]; /* [rows][layer's outputs] */
    float *losses;                                       /* [rows] */
    double *loss;                                        /* of all rows since it was set to 0 */
    void *workspace;
    struct layer_products products[MODEL_LAYERS];
};

/* Makes it, with all numbers, velocities and the loss 0; what a failed one leaves, learning_free gives back. */
int learning_make(struct learning *learning, const struct card *card, const struct model *model, size_t rows,
                  struct failure *failure) AT_MUST_CHECK;
void learning_free(struct learning *learning);

/* Put into the stream: the model's numbers to the card, and what lies there as they do (a gradient, say) back. */
int learning_take(struct learning *learning, cudaStream_t stream, struct failure *failure) AT_MUST_CHECK;
int learning_give(const struct learning *learning, const float *from, float *numbers, cudaStream_t stream,
                  struct failure *failure) AT_MUST_CHECK;

/*
 * Puts into the stream: the gradient of the first `rows` rows of input, 0 to learning->rows, of which the others must
 * be 0; their losses are added to *loss.
 */
int learning_run(const struct learning *learning, uint32_t rows, cudaStream_t stream,
                 struct failure *failure) AT_MUST_CHECK;

#endif
