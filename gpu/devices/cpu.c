/* cpu.c: a core as a device: one layer after the other, with the kernel of dense.c, for all rows of a batch at once. */
#include "device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dense.h"

/*
 * Why no BLAS: its sgemm is made for large matrices. A batch of digits (784-512-512-10) on one core of an AMD EPYC with
 * AVX-512, in microseconds, medians of 31 interleaved runs; the reference is model_forward; OpenBLAS is 0.3.21, and
 * computes one row with sgemv:
 *
 *     rows                     1     2     4     8    16    32    64    256
 *     this device             29    35    48    96   191   395   799   3098
 *     this with AVX2          30    47    53   105   200   404   850   3328
 *     this with SSE2          60   121   143   287   573  1270  2470   9504
 *     OpenBLAS                36    41   184   245   346   578  1192   4559
 *     OpenBLAS for AVX2       36   196   165   220   321   573  1141   4575
 *     the reference          542  1073  2182  4379  8684 17497 36842 141888
 *
 * A model of 80 MB (wide: 784-4096-4096-10): one row 2.9 ms and OpenBLAS 4.4, 64 rows 24 and 40. So there is no size
 * from which on another path would pay, and every answer is deterministic, whether that was asked for or not. The
 * device openblas is there to be compared with.
 */

/* A model at its place: what infer needs, made when it is loaded. */
struct place {
    const struct model *model; /* NULL: nothing is loaded here */
    struct dense layers[MODEL_LAYERS];
    float *between[2]; /* [batch][width] each: what one layer leaves for the next */
};

struct cpu {
    struct place places[DEVICE_MODELS];
};

static int cpu_check(const char *parameters, struct failure *failure) {
    return *parameters == '\0' ? 0 : fail(failure, -EINVAL, "cpu takes no parameters; ask for it as often as wanted");
}

static int cpu_open(struct device *device, const char *parameters, struct failure *failure) {
    (void)parameters;
    device->state = calloc(1, sizeof(struct cpu));
    return device->state != NULL ? 0 : fail(failure, -ENOMEM, "device \"%s\": memory is short", device->name);
}

static void empty(struct place *place) {
    for (size_t i = 0; i < MODEL_LAYERS; i++)
        dense_free(&place->layers[i]);
    free(place->between[0]);
    *place = (struct place){0};
}

static int fill(struct place *place, const struct model *model, size_t batch) {
    *place = (struct place){.model = model};
    for (size_t i = 0; i < model->depth; i++)
        if (dense_make(&place->layers[i], &model->layers[i], DENSE_WIDEST) < 0)
            return -ENOMEM;
    size_t size = batch * model->width;
    place->between[0] = calloc(2 * size, sizeof(float));
    if (place->between[0] == NULL)
        return -ENOMEM;
    place->between[1] = place->between[0] + size;
    return 0;
}

static int cpu_load(struct device *device, size_t place, const struct model *model, struct failure *failure) {
    struct cpu *cpu = device->state;
    struct place new;
    if (fill(&new, model, device->options.batch) < 0) {
        empty(&new);
        return fail(failure, -ENOMEM, "model \"%s\": memory is short for a copy of its weights", model->name);
    }
    empty(&cpu->places[place]);
    cpu->places[place] = new;
    return 0;
}

static void cpu_unload(struct device *device, size_t place) {
    struct cpu *cpu = device->state;
    empty(&cpu->places[place]);
}

/* The first layer reads where the requests' inputs lie, the last writes where outputs belong: nothing is copied. */
static void run(const struct place *place, size_t rows, const float **from, float *const *outputs) {
    const struct model *model = place->model;
    float *to[DEVICE_BATCH];
    for (size_t i = 0; i < model->depth; i++) {
        const struct layer *layer = &model->layers[i];
        for (size_t row = 0; row < rows; row++)
            to[row] = i + 1 == model->depth ? outputs[row] : place->between[i % 2] + row * layer->outputs;
        dense_run(&place->layers[i], rows, from, to);
        for (size_t row = 0; row < rows; row++) {
            if (layer->activation == ACTIVATION_SOFTMAX)
                dense_softmax(to[row], layer->outputs);
            from[row] = to[row];
        }
    }
}

static int cpu_infer(struct device *device, size_t place, const struct part *parts, size_t count,
                     struct failure *failure) {
    const struct cpu *cpu = device->state;
    const struct model *model = cpu->places[place].model;
    const float *inputs[DEVICE_BATCH];
    float *outputs[DEVICE_BATCH];
    size_t rows = 0;
    if (model == NULL)
        return fail(failure, -EINVAL, "device \"%s\": no model is loaded at place %zu", device->name, place);
    for (size_t i = 0; i < count; i++) {
        for (size_t row = 0; row < parts[i].rows; row++, rows++) {
            inputs[rows] = parts[i].input + row * model->inputs;
            outputs[rows] = parts[i].output + row * model->outputs;
        }
    }
    run(&cpu->places[place], rows, inputs, outputs);
    return 0;
}

static void cpu_close(struct device *device) {
    struct cpu *cpu = device->state;
    for (size_t place = 0; place < DEVICE_MODELS; place++)
        empty(&cpu->places[place]);
    free(cpu);
}

const struct device_kind cpu_device = {
    .name = "cpu",
    .syntax = "cpu",
    .check = cpu_check,
    .open = cpu_open,
    .load = cpu_load,
    .unload = cpu_unload,
    .infer = cpu_infer,
    .close = cpu_close,
};
