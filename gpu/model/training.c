/* training.c: a network that learns from examples, batch after batch. */
#include "training.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "generator.h"
#include "model_internal.h"

enum { ALIGNMENT = 64 };

/* Zeroed, and aligned the same in every run: what a matrix product rounds may depend on it. NULL: memory is short. */
static float *new_numbers(size_t count) {
    size_t size = (count * sizeof(float) / ALIGNMENT + 1) * ALIGNMENT;
    float *numbers = aligned_alloc(ALIGNMENT, size);
    return numbers != NULL ? memset(numbers, 0, size) : NULL;
}

/* ---- The network */

static size_t numbers_of(const struct layer *layer) {
    return (size_t)layer->outputs * (layer->inputs + 1);
}

/* Random weights of the size that keeps the numbers as large from layer to layer (He et al. 2015); no bias. */
static void set_weights(struct network *network, uint64_t seed) {
    float *numbers = network->numbers;
    for (size_t i = 0; i < network->model.depth; i++) {
        const struct layer *layer = &network->model.layers[i];
        struct generator generator = {.key = generator_bits(seed, i)};
        size_t weights = (size_t)layer->outputs * layer->inputs;
        float limit = sqrtf(6.0F / (float)layer->inputs);
        for (size_t j = 0; j < weights; j++)
            numbers[j] = generator_between(&generator, -limit, limit);
        numbers += numbers_of(layer);
    }
}

int network_lay(struct model *model, float *numbers, struct failure *failure) {
    for (size_t i = 0; i < model->depth; i++) {
        struct layer *layer = &model->layers[i];
        layer->weight = numbers;
        layer->bias = numbers + (size_t)layer->outputs * layer->inputs;
        numbers += numbers_of(layer);
    }
    return model_finish(model, ACTIVATION_SOFTMAX, failure);
}

static int check_sizes(const uint32_t *sizes, size_t count, struct failure *failure) {
    static const uint32_t most = 1 << 24; /* as of a model that is read */
    if (count < 2 || count > MODEL_LAYERS + 1)
        return fail(failure, -EINVAL, "a network of %zu sizes; it needs 2 to %d", count, MODEL_LAYERS + 1);
    for (size_t i = 0; i < count; i++)
        if (sizes[i] == 0 || sizes[i] > most)
            return fail(failure, -EINVAL, "a network with a size of %" PRIu32 "; it must be 1 to %" PRIu32, sizes[i],
                        most);
    return 0;
}

int network_new(struct network **network, const uint32_t *sizes, size_t count, uint64_t seed, struct failure *failure) {
    int result = check_sizes(sizes, count, failure);
    if (result != 0)
        return result;
    struct network *new = calloc(1, sizeof *new);
    if (new == NULL)
        return fail(failure, -ENOMEM, "not enough memory for a network");
    new->model.depth = count - 1;
    for (size_t i = 0; i < new->model.depth; i++) {
        new->model.layers[i] = (struct layer){.inputs = sizes[i], .outputs = sizes[i + 1]};
        new->count += numbers_of(&new->model.layers[i]);
    }
    new->numbers = new_numbers(new->count);
    if (new->numbers == NULL) {
        free(new);
        return fail(failure, -ENOMEM, "not enough memory for a network");
    }
    set_weights(new, seed);
    result = network_lay(&new->model, new->numbers, failure);
    if (result != 0)
        network_free(new);
    else
        *network = new;
    return result;
}

void network_free(struct network *network) {
    if (network != NULL)
        free(network->numbers);
    free(network);
}

int network_save(const struct network *network, const char *path, const struct metadatum *metadata, size_t count,
                 struct failure *failure) {
    struct tensor tensors[2 * MODEL_LAYERS];
    char names[2 * MODEL_LAYERS][32];
    size_t depth = network->model.depth;
    for (size_t i = 0; i < depth; i++) {
        const struct layer *layer = &network->model.layers[i];
        size_t row = layer->outputs * sizeof(float);
        snprintf(names[2 * i], sizeof names[0], "%zu.weight", i);
        snprintf(names[2 * i + 1], sizeof names[0], "%zu.bias", i);
        tensors[2 * i] = (struct tensor){.name = names[2 * i],
                                         .dtype = "F32",
                                         .rank = 2,
                                         .shape = {layer->outputs, layer->inputs},
                                         .data = layer->weight,
                                         .size = row * layer->inputs};
        tensors[2 * i + 1] = (struct tensor){.name = names[2 * i + 1],
                                             .dtype = "F32",
                                             .rank = 1,
                                             .shape = {layer->outputs},
                                             .data = layer->bias,
                                             .size = row};
    }
    return safetensors_write(path, tensors, 2 * depth, metadata, count, failure);
}

/* `count` is known where it is inlined: then compilers make vectors of it. */
static inline void step_some(float *restrict numbers, const float *restrict gradient, size_t count, float scale,
                             float momentum, float *restrict velocity) {
    for (size_t i = 0; i < count; i++) {
        velocity[i] = momentum * velocity[i] - scale * gradient[i];
        numbers[i] += velocity[i];
    }
}

void take_step(float *numbers, const float *gradient, size_t count, float scale, float momentum, float *velocity) {
    enum { SOME = 16 };
    size_t i = 0;
    for (; i + SOME <= count; i += SOME)
        step_some(numbers + i, gradient + i, SOME, scale, momentum, velocity + i);
    step_some(numbers + i, gradient + i, count - i, scale, momentum, velocity + i);
}

void network_step(struct network *network, const float *gradient, size_t rows, float rate, float momentum,
                  float *velocity) {
    take_step(network->numbers, gradient, network->count, rate / (float)rows, momentum, velocity);
}

/* ---- The examples */

/* The shuffle of Fisher and Yates. */
void shuffle_examples(uint32_t *order, size_t count, uint64_t seed, size_t epoch) {
    struct generator generator = {.key = generator_bits(~seed, epoch)};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t other = generator_below(&generator, i + 1);
        order[i] = order[other];
        order[other] = i;
    }
}

void load_rows(const uint8_t *pixels, const uint8_t *all_labels, size_t inputs, const uint32_t *order, size_t count,
               float *input, uint8_t *labels) {
    for (size_t row = 0; row < count; row++) {
        size_t example = order != NULL ? order[row] : row;
        const uint8_t *from = pixels + example * inputs;
        for (size_t i = 0; i < inputs; i++)
            input[row * inputs + i] = (float)from[i] / 255.0F;
        labels[row] = all_labels[example];
    }
}

/* ---- The training */

struct training {
    struct network *network;
    const struct examples *examples;
    struct training_options options;
    struct tape *tape;
    float *gradient, *velocity;
    float *input;    /* [batch][inputs] */
    uint8_t *labels; /* [batch] */
    uint32_t *order; /* of the examples in this epoch */
};

struct training *training_new(struct network *network, const struct examples *examples,
                              const struct training_options *options) {
    struct training *training = calloc(1, sizeof *training);
    if (training == NULL)
        return NULL;
    *training = (struct training){
        .network = network,
        .examples = examples,
        .options = *options,
        .tape = tape_new(&network->model, options->batch),
        .gradient = new_numbers(network->count),
        .velocity = new_numbers(network->count),
        .input = new_numbers(options->batch * network->model.inputs),
        .labels = malloc(options->batch),
        .order = malloc(examples->count * sizeof *training->order),
    };
    if (training->tape == NULL || training->gradient == NULL || training->velocity == NULL || training->input == NULL ||
        training->labels == NULL || training->order == NULL) {
        training_free(training);
        return NULL;
    }
    return training;
}

void training_free(struct training *training) {
    if (training == NULL)
        return;
    tape_free(training->tape);
    free(training->gradient);
    free(training->velocity);
    free(training->input);
    free(training->labels);
    free(training->order);
    free(training);
}

static bool is_stopped(const struct training *training) {
    return training->options.stop != NULL && *training->options.stop != 0;
}

/* The rows of a batch; `order` NULL: the examples from `begin` on. Returns how many there are. */
static size_t load_batch(struct training *training, const struct examples *examples, const uint32_t *order,
                         size_t begin) {
    size_t inputs = training->network->model.inputs, left = examples->count - begin;
    size_t rows = left < training->options.batch ? left : training->options.batch, first = order == NULL ? begin : 0;
    load_rows(examples->pixels + first * inputs, examples->labels + first, inputs, order != NULL ? order + begin : NULL,
              rows, training->input, training->labels);
    return rows;
}

int training_epoch(struct training *training, size_t epoch, float rate, double *loss) {
    struct network *network = training->network;
    double sum = 0;
    shuffle_examples(training->order, training->examples->count, training->options.seed, epoch);
    for (size_t begin = 0, rows; begin < training->examples->count; begin += rows) {
        if (is_stopped(training))
            return -EINTR;
        rows = load_batch(training, training->examples, training->order, begin);
        sum +=
            gradient_of(&network->model, training->input, training->labels, rows, training->tape, training->gradient);
        network_step(network, training->gradient, rows, rate, training->options.momentum, training->velocity);
    }
    *loss = sum / (double)training->examples->count;
    return 0;
}

double training_accuracy(struct training *training, const struct examples *examples) {
    size_t right = 0;
    for (size_t begin = 0, rows; begin < examples->count && !is_stopped(training); begin += rows) {
        rows = load_batch(training, examples, NULL, begin);
        right += right_answers(&training->network->model, training->input, training->labels, rows, training->tape);
    }
    return (double)right / (double)examples->count;
}
