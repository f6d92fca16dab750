/* gradient.c: the way through a network and back: what it answers, and how its numbers should have been otherwise. */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "training.h"

struct tape {
    float *outputs[MODEL_LAYERS]; /* of each layer, [rows][layer's outputs] */
    float *slopes[MODEL_LAYERS];  /* how the loss changes with them, before the activation; as large */
    float memory[];
};

struct tape *tape_new(const struct model *model, size_t rows) {
    openblas_set_num_threads(1);
    size_t count = 0;
    for (size_t i = 0; i < model->depth; i++)
        count += rows * model->layers[i].outputs;
    struct tape *tape = malloc(sizeof *tape + 2 * count * sizeof(float));
    if (tape == NULL)
        return NULL;
    float *next = tape->memory;
    for (size_t i = 0; i < model->depth; i++) {
        tape->outputs[i] = next;
        tape->slopes[i] = next + count;
        next += rows * model->layers[i].outputs;
    }
    return tape;
}

void tape_free(struct tape *tape) {
    free(tape);
}

/* ---- Forward */

/* c = a b + add * c, row-major: a is [rows][inner] or, where it is turned, [inner][rows]; b is alike. */
static void product(CBLAS_TRANSPOSE turn_a, CBLAS_TRANSPOSE turn_b, size_t rows, size_t columns, size_t inner,
                    const float *a, const float *b, float add, float *c) {
    cblas_sgemm(CblasRowMajor, turn_a, turn_b, (blasint)rows, (blasint)columns, (blasint)inner, 1, a,
                (blasint)(turn_a == CblasTrans ? rows : inner), b, (blasint)(turn_b == CblasTrans ? inner : columns),
                add, c, (blasint)columns);
}

/* The logarithms of the probabilities: what softmax would give, without the numbers that it rounds to 0. */
static void log_softmax(float *numbers, size_t count) {
    float most = numbers[0], sum = 0;
    for (size_t i = 1; i < count; i++)
        most = numbers[i] > most ? numbers[i] : most;
    for (size_t i = 0; i < count; i++)
        sum += expf(numbers[i] - most);
    float log_sum = most + logf(sum);
    for (size_t i = 0; i < count; i++)
        numbers[i] -= log_sum;
}

/* Leaves each layer's outputs on the tape; the last one's are logarithms of probabilities, and are returned. */
static const float *run_forward(const struct model *model, const float *input, size_t rows, struct tape *tape) {
    for (size_t i = 0; i < model->depth; i++) {
        const struct layer *layer = &model->layers[i];
        float *output = tape->outputs[i];
        for (size_t row = 0; row < rows; row++)
            memcpy(output + row * layer->outputs, layer->bias, layer->outputs * sizeof *output);
        product(CblasNoTrans, CblasTrans, rows, layer->outputs, layer->inputs, input, layer->weight, 1, output);
        if (layer->activation == ACTIVATION_RELU)
            for (size_t j = 0; j < rows * layer->outputs; j++)
                output[j] = output[j] > 0 ? output[j] : 0;
        input = output;
    }
    float *answers = tape->outputs[model->depth - 1];
    for (size_t row = 0; row < rows; row++)
        log_softmax(answers + row * model->outputs, model->outputs);
    return answers;
}

size_t right_answers(const struct model *model, const float *input, const uint8_t *labels, size_t rows,
                     struct tape *tape) {
    const float *answers = run_forward(model, input, rows, tape);
    size_t right = 0;
    for (size_t row = 0; row < rows; row++, answers += model->outputs) {
        size_t best = 0;
        for (size_t i = 1; i < model->outputs; i++)
            best = answers[i] > answers[best] ? i : best;
        right += best == labels[row];
    }
    return right;
}

/* ---- Back */

/* The slope of the loss before softmax is simple: the probability, less 1 at the label. */
static double begin_back(const struct model *model, const float *answers, const uint8_t *labels, size_t rows,
                         float *slopes) {
    double loss = 0;
    for (size_t row = 0; row < rows; row++) {
        size_t begin = row * model->outputs;
        for (size_t i = begin; i < begin + model->outputs; i++)
            slopes[i] = expf(answers[i]);
        slopes[begin + labels[row]] -= 1;
        loss -= (double)answers[begin + labels[row]];
    }
    return loss;
}

/* A layer's own part of the gradient: its weight's, and behind it its bias's. */
static void layer_gradient(const struct layer *layer, const float *input, const float *slopes, size_t rows,
                           float *gradient) {
    product(CblasTrans, CblasNoTrans, layer->outputs, layer->inputs, rows, slopes, input, 0, gradient);
    float *bias = gradient + (size_t)layer->outputs * layer->inputs;
    memset(bias, 0, layer->outputs * sizeof *bias);
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < layer->outputs; i++)
            bias[i] += slopes[row * layer->outputs + i];
}

/* The slopes of the layer before: through the weights, and only where its ReLU let the number pass. */
static void slopes_before(const struct layer *layer, const float *slopes, size_t rows, const float *input,
                          float *before) {
    product(CblasNoTrans, CblasNoTrans, rows, layer->inputs, layer->outputs, slopes, layer->weight, 0, before);
    for (size_t i = 0; i < rows * layer->inputs; i++)
        before[i] = input[i] > 0 ? before[i] : 0;
}

double gradient_of(const struct model *model, const float *input, const uint8_t *labels, size_t rows, struct tape *tape,
                   float *gradient) {
    size_t last = model->depth - 1, end = 0;
    const float *answers = run_forward(model, input, rows, tape);
    double loss = begin_back(model, answers, labels, rows, tape->slopes[last]);
    for (size_t i = 0; i <= last; i++)
        end += (size_t)model->layers[i].outputs * (model->layers[i].inputs + 1);
    for (size_t i = last + 1; i-- > 0;) {
        const struct layer *layer = &model->layers[i];
        const float *before = i > 0 ? tape->outputs[i - 1] : input;
        end -= (size_t)layer->outputs * (layer->inputs + 1);
        layer_gradient(layer, before, tape->slopes[i], rows, gradient + end);
        if (i > 0)
            slopes_before(layer, tape->slopes[i], rows, before, tape->slopes[i - 1]);
    }
    return loss;
}
