/* model.h: a neural network of dense layers: read from a safetensors file, or made from a seed; and what it answers. */
#ifndef GPU_MODEL_H
#define GPU_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "failure.h"

enum { MODEL_NAME = 64, MODEL_LAYERS = 16 };

enum activation { ACTIVATION_NONE, ACTIVATION_RELU, ACTIVATION_SOFTMAX };

/* y = activation(W x + b). */
struct layer {
    uint32_t inputs, outputs;
    const float *weight; /* [outputs][inputs], as PyTorch's Linear; aligned to 4 bytes */
    const float *bias;   /* [outputs] */
    enum activation activation;
};

/* Names are 1 to 63 printable ASCII characters without a blank; sizes are 1 to 2^24. */
struct model {
    char name[MODEL_NAME];                                /* "digits" */
    char input_name[MODEL_NAME], output_name[MODEL_NAME]; /* the tensors': "input" and "output" unless the file says */
    uint32_t inputs, outputs;                             /* of one row, in float32 numbers */
    uint32_t width;                                       /* of the widest layer, inputs and outputs included */
    size_t depth;
    struct layer layers[MODEL_LAYERS];
    uint64_t hash; /* of its shapes, activations and numbers: equal models have equal ones (as FNV-1a, by words) */
};

/*
 * Opens a model and stores it; model_free gives it back. `source` is a name, and then the model is
 * FOLDER/NAME.safetensors; or the path of such a file, if it has a '/'; or "wide:WIDTHxDEPTH:SEED", of which the parts
 * after "wide" may be left out (4096x2, 1): 784 inputs, DEPTH hidden layers of WIDTH, 10 outputs, weights from the
 * seed. Errors, with the sentence: -ENOENT, -EACCES...; -EINVAL for a file or a source that is none; -ENOMEM.
 *   A file's tensors are pairs NAME.weight [outputs, inputs] and NAME.bias [outputs], of type F32; the layers follow
 * each other as the numbers in their names do. Its metadata may say "input" and "output", names, and "activation",
 * that of the last layer: "softmax" (the default) or "none". A file must not be written to while it is open, only
 * replaced (safetensors.h).
 */
int model_open(struct model **model, const char *source, const char *folder, struct failure *failure) AT_MUST_CHECK;
void model_free(struct model *model);

/* The name that a source gives its model: of "wide:512x2" it is "wide", of "models/digits.safetensors" "digits". */
void model_name_of(const char *source, char name[MODEL_NAME]);

/*
 * The names of the models in a folder, sorted, as an array that ends with NULL, "wide" among them; free() gives it
 * back, all at once. NULL when memory is short. A folder that is not there has no models but "wide".
 */
char **model_list(const char *folder);

/*
 * The reference: `rows` rows of `inputs` numbers, one behind the other, become rows of `outputs` numbers. Plain loops,
 * one row after the other, sums in double in the order of the inputs: slow, and obviously right; what devices are
 * tested against. NaN stays NaN, also through ReLU. Returns 0 or -ENOMEM.
 */
int model_forward(const struct model *model, const float *input, size_t rows, float *output) AT_MUST_CHECK;

#endif
