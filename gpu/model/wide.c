/* wide.c: a model of any size, its weights made from a seed: something to load a device with, not to ask. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "generator.h"
#include "model_internal.h"
#include "whole.h"

enum { WIDE_INPUTS = 784, WIDE_OUTPUTS = 10, WIDTH_MOST = 65536, ALIGNMENT = 64 };

static const uint64_t NUMBERS_MOST = 1ULL << 30; /* 4 GiB */

struct wide {
    unsigned long width, depth, seed;
};

static bool read_source(const char *text, struct wide *wide) {
    *wide = (struct wide){.width = 4096, .depth = 2, .seed = 1};
    text += strlen("wide");
    if (*text == ':' && text[1] != ':') {
        text++;
        if (!whole_read(&text, 1, WIDTH_MOST, &wide->width) || *text++ != 'x' ||
            !whole_read(&text, 1, MODEL_LAYERS - 1, &wide->depth))
            return false;
    } else if (*text == ':') {
        text++; /* "wide::7" */
    }
    if (*text == ':') {
        text++;
        if (!whole_read(&text, 0, ULONG_MAX, &wide->seed))
            return false;
    }
    return *text == '\0';
}

/* How many numbers an array of so many takes when the next one is aligned. */
static uint64_t aligned(uint64_t count) {
    uint64_t line = ALIGNMENT / sizeof(float);
    return (count + line - 1) / line * line;
}

/* Even between -limit and limit; each 64 random bits make two. */
static void fill(float *numbers, uint64_t count, uint64_t key, float limit) {
    for (uint64_t i = 0; i + 1 < count; i += 2) {
        uint64_t bits = generator_bits(key, i / 2);
        numbers[i] = generator_sign((uint32_t)bits) * limit;
        numbers[i + 1] = generator_sign((uint32_t)(bits >> 32)) * limit;
    }
    if (count % 2 == 1)
        numbers[count - 1] = generator_sign((uint32_t)generator_bits(key, count / 2)) * limit;
}

/* Weights of the size that keeps the numbers as large from layer to layer, with ReLU between (He et al. 2015). */
static float *make_layer(struct layer *layer, float *numbers, uint64_t key) {
    uint64_t weights = (uint64_t)layer->inputs * layer->outputs;
    float limit = sqrtf(6.0F / (float)layer->inputs);
    float *bias = numbers + aligned(weights);
    fill(numbers, weights, generator_bits(key, 0), limit);
    fill(bias, layer->outputs, generator_bits(key, 1), limit / 4);
    layer->weight = numbers;
    layer->bias = bias;
    return bias + aligned(layer->outputs);
}

/* The layers' sizes; returns how many numbers they have. */
static uint64_t set_sizes(struct model *model, const struct wide *wide) {
    uint64_t count = 0;
    model->depth = wide->depth + 1;
    for (size_t i = 0; i < model->depth; i++) {
        struct layer *layer = &model->layers[i];
        layer->inputs = i == 0 ? WIDE_INPUTS : (uint32_t)wide->width;
        layer->outputs = i == wide->depth ? WIDE_OUTPUTS : (uint32_t)wide->width;
        count += aligned((uint64_t)layer->inputs * layer->outputs) + aligned(layer->outputs);
    }
    return count;
}

int model_make_wide(struct made_model *made, const char *source, struct failure *failure) {
    struct wide wide;
    if (!read_source(source, &wide))
        return fail(failure, -EINVAL,
                    "model \"%.80s\": say wide:WIDTHxDEPTH:SEED, as wide:4096x2:1, with a width from 1 to %d and a "
                    "depth from 1 to %d",
                    source, WIDTH_MOST, MODEL_LAYERS - 1);
    uint64_t count = set_sizes(&made->model, &wide);
    if (count > NUMBERS_MOST)
        return fail(failure, -EINVAL, "model \"%.80s\": more than 4 GiB of weights; ask for less width or depth",
                    source);
    made->numbers = aligned_alloc(ALIGNMENT, count * sizeof(float));
    if (made->numbers == NULL)
        return fail(failure, -ENOMEM, "model \"%.80s\": not enough memory for its weights; ask for less width or depth",
                    source);
    float *numbers = made->numbers;
    for (size_t i = 0; i < made->model.depth; i++)
        numbers = make_layer(&made->model.layers[i], numbers, generator_bits(wide.seed, i));
    return model_finish(&made->model, ACTIVATION_SOFTMAX, failure);
}
