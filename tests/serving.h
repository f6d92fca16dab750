/* serving.h: what the suites about the server share: tiny models in a folder of the test, whose answers are known. */
#ifndef ATELIER_TESTS_SERVING_H
#define ATELIER_TESTS_SERVING_H

#include "safetensors.h"

#include "bench_folder.h"

/* A tiny model's answer is the first of its inputs, each times its scale: exact in float32 for small whole numbers. */
enum { TINY_INPUTS = 4, TINY_OUTPUTS = 3 };

/* Writes "NAME.safetensors" into the test's folder, in place of an older one. */
static inline void write_shaped(const char *name, uint32_t inputs, uint32_t outputs, float scale) {
    float *weight = calloc((size_t)inputs * outputs, sizeof *weight), *bias = calloc(outputs, sizeof *bias);
    require(weight != NULL && bias != NULL);
    for (uint32_t j = 0; j < outputs; j++)
        weight[j * inputs + j % inputs] = scale;
    const struct tensor tensors[] = {
        {"0.weight", "F32", 2, {outputs, inputs}, weight, (size_t)inputs * outputs * sizeof *weight},
        {"0.bias", "F32", 1, {outputs}, bias, outputs * sizeof *bias}};
    const struct metadatum activation = {"activation", "none"};
    char file[100];
    struct failure failure;
    snprintf(file, sizeof file, "%s.safetensors", name);
    if (safetensors_write(in_folder(file), tensors, 2, &activation, 1, &failure) != 0)
        ck_abort_msg("%s", failure.text);
    free(weight);
    free(bias);
}

static inline void write_tiny(const char *name, float scale) {
    write_shaped(name, TINY_INPUTS, TINY_OUTPUTS, scale);
}

/* A file of that name that is no model. */
static inline void write_broken(const char *name) {
    char file[100];
    snprintf(file, sizeof file, "%s.safetensors", name);
    FILE *broken = fopen(in_folder(file), "we");
    require(broken != NULL && fputs("no model at all", broken) >= 0 && fclose(broken) == 0);
}

/* The row of a tiny model that `value` stands for, and whether these numbers are its answer under that scale. */
static inline void draw_row(float value, float *row) {
    for (uint32_t i = 0; i < TINY_INPUTS; i++)
        row[i] = value + (float)i;
}

static inline bool is_answer(const float *output, float value, float scale) {
    for (uint32_t j = 0; j < TINY_OUTPUTS; j++)
        if (output[j] < scale * (value + (float)j) || output[j] > scale * (value + (float)j))
            return false;
    return true;
}

/* The setup and teardown of such a suite. */
static inline void make_models(void) {
    make_folder();
    write_tiny("tiny", 1);
}

#endif
