/* openblas.c: a core as a device that leaves the products to OpenBLAS: what the kernels of cpu.c are compared with. */
#include <cblas.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dense.h"
#include "device.h"

struct place {
    const struct model *model; /* NULL: nothing is loaded here */
    float *between[2];         /* [batch][width] each: what goes into a layer, and what comes out */
};

struct openblas {
    struct place places[DEVICE_MODELS];
};

static int openblas_check(const char *parameters, struct failure *failure) {
    return *parameters == '\0' ? 0 : fail(failure, -EINVAL, "openblas takes no parameters");
}

static int openblas_open(struct device *device, const char *parameters, struct failure *failure) {
    (void)parameters;
    openblas_set_num_threads(1); /* a worker is one core */
    device->state = calloc(1, sizeof(struct openblas));
    return device->state != NULL ? 0 : fail(failure, -ENOMEM, "device \"%s\": memory is short", device->name);
}

static void empty(struct place *place) {
    free(place->between[0]);
    *place = (struct place){0};
}

static int openblas_load(struct device *device, size_t place, const struct model *model, struct failure *failure) {
    struct openblas *openblas = device->state;
    size_t size = (size_t)device->options.batch * model->width;
    float *between = calloc(2 * size, sizeof(float));
    if (between == NULL)
        return fail(failure, -ENOMEM, "model \"%s\": memory is short for a batch", model->name);
    empty(&openblas->places[place]);
    openblas->places[place] = (struct place){.model = model, .between = {between, between + size}};
    return 0;
}

static void openblas_unload(struct device *device, size_t place) {
    struct openblas *openblas = device->state;
    empty(&openblas->places[place]);
}

/* Adds the bias, and does what comes behind the product. */
static void activate(const struct layer *layer, float *row) {
    for (size_t i = 0; i < layer->outputs; i++) {
        row[i] += layer->bias[i];
        if (layer->activation == ACTIVATION_RELU && row[i] < 0)
            row[i] = 0;
    }
    if (layer->activation == ACTIVATION_SOFTMAX)
        dense_softmax(row, layer->outputs);
}

/* Its sums of a row depend on how many rows there are; for one row there is a function of its own, which is faster. */
static void multiply(const struct layer *layer, size_t rows, const float *from, float *to) {
    int inputs = (int)layer->inputs, outputs = (int)layer->outputs;
    if (rows == 1)
        cblas_sgemv(CblasRowMajor, CblasNoTrans, outputs, inputs, 1, layer->weight, inputs, from, 1, 0, to, 1);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, outputs, inputs, 1, from, inputs, layer->weight,
                    inputs, 0, to, outputs);
}

/* `between[0]` holds the rows; returns where the answers are. */
static const float *run(const struct place *place, size_t rows) {
    const struct model *model = place->model;
    for (size_t i = 0; i < model->depth; i++) {
        const struct layer *layer = &model->layers[i];
        float *to = place->between[(i + 1) % 2];
        multiply(layer, rows, place->between[i % 2], to);
        for (size_t row = 0; row < rows; row++)
            activate(layer, to + row * layer->outputs);
    }
    return place->between[model->depth % 2];
}

/* The rows of all parts, one behind the other: gathered, computed, and given back. */
static void run_parts(const struct place *place, const struct part *parts, size_t count) {
    const struct model *model = place->model;
    size_t rows = 0;
    for (size_t i = 0; i < count; rows += parts[i++].rows)
        memcpy(place->between[0] + rows * model->inputs, parts[i].input,
               (size_t)parts[i].rows * model->inputs * sizeof(float));
    const float *answers = run(place, rows);
    rows = 0;
    for (size_t i = 0; i < count; rows += parts[i++].rows)
        memcpy(parts[i].output, answers + rows * model->outputs,
               (size_t)parts[i].rows * model->outputs * sizeof(float));
}

static int openblas_infer(struct device *device, size_t place, const struct part *parts, size_t count,
                          struct failure *failure) {
    const struct openblas *openblas = device->state;
    const struct model *model = openblas->places[place].model;
    if (model == NULL)
        return fail(failure, -EINVAL, "device \"%s\": no model is loaded at place %zu", device->name, place);
    if (!device->options.deterministic) {
        run_parts(&openblas->places[place], parts, count);
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        for (uint32_t row = 0; row < parts[i].rows; row++) {
            struct part one = {.input = parts[i].input + (size_t)row * model->inputs,
                               .output = parts[i].output + (size_t)row * model->outputs,
                               .rows = 1};
            run_parts(&openblas->places[place], &one, 1);
        }
    return 0;
}

static void openblas_close(struct device *device) {
    struct openblas *openblas = device->state;
    for (size_t place = 0; place < DEVICE_MODELS; place++)
        empty(&openblas->places[place]);
    free(openblas);
}

const struct device_kind openblas_device = {
    .name = "openblas",
    .syntax = "openblas",
    .check = openblas_check,
    .open = openblas_open,
    .load = openblas_load,
    .unload = openblas_unload,
    .infer = openblas_infer,
    .close = openblas_close,
};
