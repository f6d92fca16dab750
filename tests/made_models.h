/* made_models.h: what the suites about devices share: models of random weights, and batches in uneven parts. */
#ifndef ATELIER_TESTS_MADE_MODELS_H
#define ATELIER_TESTS_MADE_MODELS_H

#include <math.h>

#include "device.h"
#include "watch.h"

/* How far a probability may lie from the reference, which sums in double. */
static const double TOLERANCE = 1e-4;

/* Numbers from -1 to 1. */
static uint64_t made_seed;

static inline float number(void) {
    made_seed = made_seed * 6364136223846793005U + 1442695040888963407U;
    return (float)((double)(made_seed >> 11) / 4503599627370496.0 - 1);
}

static inline float *numbers(size_t count, double scale) {
    float *made = malloc((count + 1) * sizeof *made);
    require(made != NULL);
    for (size_t i = 0; i < count; i++)
        made[i] = (float)scale * number();
    return made;
}

/* A model of these widths, the last 0; with softmax at the end unless `plain`. */
static inline struct model *model_of(const uint32_t *widths, bool plain) {
    struct model *model = calloc(1, sizeof *model);
    require(model != NULL);
    model->inputs = model->width = widths[0];
    for (; widths[model->depth + 1] != 0; model->depth++) {
        uint32_t inputs = widths[model->depth], outputs = widths[model->depth + 1];
        model->layers[model->depth] =
            (struct layer){.inputs = inputs, .outputs = outputs, .activation = ACTIVATION_RELU};
        model->layers[model->depth].weight = numbers((size_t)inputs * outputs, 2 / sqrt(inputs));
        model->layers[model->depth].bias = numbers(outputs, 0.5);
        model->outputs = outputs;
        model->width = outputs > model->width ? outputs : model->width;
    }
    model->layers[model->depth - 1].activation = plain ? ACTIVATION_NONE : ACTIVATION_SOFTMAX;
    snprintf(model->name, sizeof model->name, "made");
    return model;
}

static inline void discard(struct model *model) {
    for (size_t i = 0; i < model->depth; i++) {
        free((void *)model->layers[i].weight);
        free((void *)model->layers[i].bias);
    }
    free(model);
}

static inline struct device opened(const char *text) {
    struct device device;
    struct failure failure;
    if (device_open(&device, text, &(struct device_options){.deterministic = true, .batch = DEVICE_BATCH}, &failure) <
        0)
        ck_abort_msg("%s", failure.text);
    return device;
}

/* Runs rows as parts of 1, 2, 3... rows, whose outputs lie apart, and gathers their outputs. */
static inline void infer(struct device *device, size_t place, const struct model *model, const float *input,
                         uint32_t rows, float *output) {
    struct part parts[DEVICE_BATCH] = {{0}};
    struct failure failure;
    size_t count = 0;
    for (uint32_t done = 0; done < rows; count++) {
        uint32_t size = (uint32_t)count + 1 < rows - done ? (uint32_t)count + 1 : rows - done;
        parts[count] = (struct part){.input = input + (size_t)done * model->inputs, .rows = size};
        parts[count].output = numbers((size_t)size * model->outputs, 1);
        done += size;
    }
    if (device_infer(device, place, parts, count, &failure) < 0)
        ck_abort_msg("%s", failure.text);
    for (size_t i = 0; i < count; i++) {
        memcpy(output, parts[i].output, (size_t)parts[i].rows * model->outputs * sizeof *output);
        output += (size_t)parts[i].rows * model->outputs;
        free(parts[i].output);
    }
}

static inline void require_near(const float *answer, const float *expected, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)answer[i] - (double)expected[i]) <= TOLERANCE))
            ck_abort_msg("number %zu is %.9g instead of %.9g", i, (double)answer[i], (double)expected[i]);
}

#endif
