/* forward.c: what a model answers, computed in the plainest way: the reference that devices are tested against. */
#include "model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The comparison is false for NaN, which so stays what it is. */
static void relu(float *numbers, size_t count) {
    for (size_t i = 0; i < count; i++)
        numbers[i] = numbers[i] < 0 ? 0 : numbers[i];
}

/* Without the maximum taken off first, exp would overflow for numbers above 88. */
static void softmax(float *numbers, size_t count) {
    float most = numbers[0];
    for (size_t i = 1; i < count; i++)
        most = numbers[i] > most ? numbers[i] : most;
    float sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += numbers[i] = expf(numbers[i] - most);
    for (size_t i = 0; i < count; i++)
        numbers[i] /= sum;
}

/* Sums in double, so that what a device's answer differs by is the device's own rounding. */
static void run_layer(const struct layer *layer, const float *input, float *output) {
    for (size_t i = 0; i < layer->outputs; i++) {
        const float *weight = layer->weight + i * layer->inputs;
        double sum = layer->bias[i];
        for (size_t j = 0; j < layer->inputs; j++)
            sum += (double)weight[j] * (double)input[j];
        output[i] = (float)sum;
    }
    if (layer->activation == ACTIVATION_RELU)
        relu(output, layer->outputs);
    else if (layer->activation == ACTIVATION_SOFTMAX)
        softmax(output, layer->outputs);
}

int model_forward(const struct model *model, const float *input, size_t rows, float *output) {
    float *buffers = malloc(2 * (size_t)model->width * sizeof *buffers);
    if (buffers == NULL)
        return -ENOMEM;
    for (size_t row = 0; row < rows; row++) {
        float *from = buffers, *to = buffers + model->width;
        memcpy(from, input + row * model->inputs, model->inputs * sizeof *from);
        for (size_t i = 0; i < model->depth; i++) {
            run_layer(&model->layers[i], from, to);
            float *full = to;
            to = from;
            from = full;
        }
        memcpy(output + row * model->outputs, from, model->outputs * sizeof *from);
    }
    free(buffers);
    return 0;
}
