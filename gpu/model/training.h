/* training.h: how a model learns from examples: its gradient, and the steps against it. */
#ifndef GPU_TRAINING_H
#define GPU_TRAINING_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "idx.h"
#include "model.h"
#include "safetensors.h"

/*
 * The pieces are apart so that several processes can share the work: each computes the gradient of its rows, the
 * gradients are added up, number by number, and each takes the same step with the sum.
 */

/* ---- A model whose numbers change */

struct network {
    struct model model; /* its layers lie in `numbers`; its hash is that of the beginning */
    size_t count;       /* of the numbers; a gradient has as many, in the same order */
    float *numbers;     /* layer after layer, of each its weight and then its bias */
};

/*
 * A new one with random weights: `sizes` are the numbers that it takes, those of each hidden layer, and the labels that
 * it tells apart; there are `count` of them, at least 2. Errors: -EINVAL for too many layers, a size of 0 or above
 * 2^24; -ENOMEM.
 */
int network_new(struct network **network, const uint32_t *sizes, size_t count, uint64_t seed,
                struct failure *failure) AT_MUST_CHECK;
void network_free(struct network *network);

/*
 * For numbers that lie elsewhere, as those of a network do: fills in what follows from the sizes of the model's layers,
 * which point there then. -EINVAL where the sizes do not chain.
 */
int network_lay(struct model *model, float *numbers, struct failure *failure) AT_MUST_CHECK;

/* Writes it as a safetensors file that model_open reads. */
int network_save(const struct network *network, const char *path, const struct metadatum *metadata, size_t count,
                 struct failure *failure) AT_MUST_CHECK;

/* ---- Its gradient */

/*
 * What the way forward leaves for the way back, with room for a number of rows. From then on OpenBLAS computes in the
 * thread that asks alone, in the whole process: how it would share the work out depends on the machine, and the result
 * on that.
 */
struct tape;

struct tape *tape_new(const struct model *model, size_t rows); /* NULL: memory is short */
void tape_free(struct tape *tape);

/*
 * How wrong the model is about these rows, and in which direction each of its numbers makes it worse. `input` is
 * [rows][model's inputs], `labels` says what each row is, and `rows` is at most the tape's. Stores in `gradient`, laid
 * out as network's numbers, the sum over the rows of the derivatives of their losses, and returns the sum of the
 * losses: of a row, minus the logarithm of the probability that the model gives to its label.
 */
double gradient_of(const struct model *model, const float *input, const uint8_t *labels, size_t rows, struct tape *tape,
                   float *gradient);

/* For how many of the rows the model gives its label the highest probability. */
size_t right_answers(const struct model *model, const float *input, const uint8_t *labels, size_t rows,
                     struct tape *tape);

/* ---- Its steps */

/* Downhill, with momentum: `velocity` has as many numbers as the network, zeroed before the first step. */
void network_step(struct network *network, const float *gradient, size_t rows, float rate, float momentum,
                  float *velocity);

/* The same for some of the numbers; `scale` is the rate, divided by the rows. */
void take_step(float *numbers, const float *gradient, size_t count, float scale, float momentum, float *velocity);

/* ---- The examples in their order */

/* Another order of `count` examples in each epoch, and the same one for the same seed; stored in `order`. */
void shuffle_examples(uint32_t *order, size_t count, uint64_t seed, size_t epoch);

/*
 * `count` of the examples, `order` says which (NULL: the first), as rows of floats from 0 to 1 and their labels.
 * `pixels` is [examples][inputs], `all_labels` [examples].
 */
void load_rows(const uint8_t *pixels, const uint8_t *all_labels, size_t inputs, const uint32_t *order, size_t count,
               float *input, uint8_t *labels);

/* ---- All of it, in one thread */

struct training_options {
    size_t batch;                      /* rows of a step, at least 1 */
    float momentum;                    /* 0.9 */
    uint64_t seed;                     /* of the order of the examples */
    const volatile sig_atomic_t *stop; /* set by a signal's handler: return as soon as can be; or NULL */
};

struct training;

/*
 * The network and the examples must stay as long as it does, and fit: as many pixels as inputs, and labels below the
 * outputs. NULL: memory is short.
 */
struct training *training_new(struct network *network, const struct examples *examples,
                              const struct training_options *options);
void training_free(struct training *training);

/* Goes through all examples once and stores the mean loss. Returns 0, or -EINTR when it was stopped half-way. */
int training_epoch(struct training *training, size_t epoch, float rate, double *loss) AT_MUST_CHECK;

/* The part of these examples that the network is right about, from 0 to 1; meaningless if it was stopped. */
double training_accuracy(struct training *training, const struct examples *examples);

#endif
