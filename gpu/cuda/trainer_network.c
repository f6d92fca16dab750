/* trainer_network.c: a network that learns, on a card; see trainer_network.h. */
#include "trainer_network.h"

#include <errno.h>
#include <string.h>

#include "checked.h"

/* ---- Making it */

static int reserve(void *address, size_t size, cudaStream_t stream, struct failure *failure) {
    void **memory = address;
    int result = CUDA(failure, cudaMalloc(memory, size));
    return result == 0 ? CUDA(failure, cudaMemsetAsync(*memory, 0, size, stream)) : result;
}

static void lay_out(struct learning *learning) {
    for (size_t i = 0; i < learning->model->depth; i++) {
        const struct layer *layer = &learning->model->layers[i];
        size_t sizes[] = {(size_t)layer->outputs * layer->inputs, layer->outputs};
        learning->weights[i] = learning->count;
        learning->biases[i] =
            learning->count + (sizes[0] + LEARNING_ALIGNMENT - 1) / LEARNING_ALIGNMENT * LEARNING_ALIGNMENT;
        learning->count =
            learning->biases[i] + (sizes[1] + LEARNING_ALIGNMENT - 1) / LEARNING_ALIGNMENT * LEARNING_ALIGNMENT;
    }
}

static int reserve_all(struct learning *learning, cudaStream_t stream, struct failure *failure) {
    const struct model *model = learning->model;
    size_t rows = learning->rows, numbers = learning->count * sizeof(float);
    int result = reserve(&learning->numbers, numbers, stream, failure);
    if (result == 0)
        result = reserve(&learning->gradient, numbers, stream, failure);
    if (result == 0)
        result = reserve(&learning->velocities, numbers, stream, failure);
    if (result == 0)
        result = reserve(&learning->input, rows * model->inputs * sizeof(float), stream, failure);
    if (result == 0)
        result = reserve(&learning->labels, rows, stream, failure);
    if (result == 0)
        result = reserve(&learning->losses, rows * sizeof(float), stream, failure);
    if (result == 0)
        result = reserve(&learning->loss, sizeof *learning->loss, stream, failure);
    if (result == 0)
        result = CUDA(failure, cudaMalloc(&learning->workspace, PRODUCT_WORKSPACE));
    for (size_t i = 0; result == 0 && i < model->depth; i++) {
        size_t size = rows * model->layers[i].outputs * sizeof(float);
        result = reserve(&learning->outputs[i], size, stream, failure);
        if (result == 0)
            result = reserve(&learning->slopes[i], size, stream, failure);
    }
    return result;
}

/* output = activation(input weight^T + bias); gradient of weight = slopes^T input; slopes before = slopes weight. */
static int make_products(struct learning *learning, const struct card *card, size_t i, struct failure *failure) {
    const struct layer *layer = &learning->model->layers[i];
    struct layer_products *products = &learning->products[i];
    uint32_t rows = learning->rows, inputs = layer->inputs, outputs = layer->outputs;
    struct product_terms forward = {
        .rows = rows,
        .columns = outputs,
        .depth = inputs,
        .right_transposed = true,
        .left_stride = inputs,
        .right_stride = inputs,
        .result_stride = outputs,
        .epilogue = layer->activation == ACTIVATION_RELU ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS,
        .bias = learning->numbers + learning->biases[i],
    };
    struct product_terms gradient = {
        .rows = outputs,
        .columns = inputs,
        .depth = rows,
        .left_transposed = true,
        .left_stride = outputs,
        .right_stride = inputs,
        .result_stride = inputs,
        .epilogue = CUBLASLT_EPILOGUE_DEFAULT,
    };
    struct product_terms back = {
        .rows = rows,
        .columns = inputs,
        .depth = outputs,
        .left_stride = outputs,
        .right_stride = inputs,
        .result_stride = inputs,
        .epilogue = CUBLASLT_EPILOGUE_DEFAULT,
    };
    int result = product_make(&products->forward, card, &forward, failure);
    if (result == 0)
        result = product_make(&products->gradient, card, &gradient, failure);
    if (result == 0 && i > 0)
        result = product_make(&products->back, card, &back, failure);
    return result;
}

int learning_make(struct learning *learning, const struct card *card, const struct model *model, size_t rows,
                  struct failure *failure) {
    *learning = (struct learning){.model = model, .rows = (uint32_t)rows};
    lay_out(learning);
    int result = reserve_all(learning, card->stream, failure);
    for (size_t i = 0; result == 0 && i < model->depth; i++)
        result = make_products(learning, card, i, failure);
    return check_over(failure, result, card->stream); /* in any case: else what is freed may be in use */
}

static void release(void *memory) {
    if (memory != NULL)
        cudaFree(memory);
}

void learning_free(struct learning *learning) {
    void *const memory[] = {learning->numbers, learning->gradient, learning->velocities, learning->input,
                            learning->labels,  learning->losses,   learning->loss,       learning->workspace};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        release(memory[i]);
    for (size_t i = 0; i < MODEL_LAYERS; i++) {
        release(learning->outputs[i]);
        release(learning->slopes[i]);
        product_free(&learning->products[i].forward);
        product_free(&learning->products[i].gradient);
        product_free(&learning->products[i].back);
    }
    *learning = (struct learning){0};
}

/* ---- To the card and back */

int learning_take(struct learning *learning, cudaStream_t stream, struct failure *failure) {
    int result = 0;
    for (size_t i = 0; result == 0 && i < learning->model->depth; i++) {
        const struct layer *layer = &learning->model->layers[i];
        size_t row = layer->outputs * sizeof(float);
        result = CUDA(failure, cudaMemcpyAsync(learning->numbers + learning->weights[i], layer->weight,
                                               row * layer->inputs, cudaMemcpyHostToDevice, stream));
        if (result == 0)
            result = CUDA(failure, cudaMemcpyAsync(learning->numbers + learning->biases[i], layer->bias, row,
                                                   cudaMemcpyHostToDevice, stream));
    }
    return result;
}

int learning_give(const struct learning *learning, const float *from, float *numbers, cudaStream_t stream,
                  struct failure *failure) {
    int result = 0;
    for (size_t i = 0; result == 0 && i < learning->model->depth; i++) {
        const struct layer *layer = &learning->model->layers[i];
        size_t weights = (size_t)layer->outputs * layer->inputs;
        result = CUDA(failure, cudaMemcpyAsync(numbers, from + learning->weights[i], weights * sizeof(float),
                                               cudaMemcpyDeviceToHost, stream));
        if (result == 0)
            result = CUDA(failure, cudaMemcpyAsync(numbers + weights, from + learning->biases[i],
                                                   layer->outputs * sizeof(float), cudaMemcpyDeviceToHost, stream));
        numbers += weights + layer->outputs;
    }
    return result;
}

/* ---- The way through and back */

static int run_forward(const struct learning *learning, cudaStream_t stream, struct failure *failure) {
    int result = 0;
    const float *input = learning->input;
    for (size_t i = 0; result == 0 && i < learning->model->depth; i++) {
        result = product_run(&learning->products[i].forward, input, learning->numbers + learning->weights[i],
                             learning->outputs[i], learning->workspace, stream, failure);
        input = learning->outputs[i];
    }
    return result;
}

static int run_back(const struct learning *learning, size_t i, cudaStream_t stream, struct failure *failure) {
    const struct layer *layer = &learning->model->layers[i];
    const struct layer_products *products = &learning->products[i];
    const float *slopes = learning->slopes[i], *input = i > 0 ? learning->outputs[i - 1] : learning->input;
    int result = product_run(&products->gradient, slopes, input, learning->gradient + learning->weights[i],
                             learning->workspace, stream, failure);
    if (result == 0)
        result = CUDA(failure, launch_column_sums(slopes, learning->rows, layer->outputs,
                                                  learning->gradient + learning->biases[i], stream));
    if (result != 0 || i == 0)
        return result;
    result = product_run(&products->back, slopes, learning->numbers + learning->weights[i], learning->slopes[i - 1],
                         learning->workspace, stream, failure);
    if (result == 0)
        result = CUDA(failure,
                      launch_relu_back(input, (size_t)learning->rows * layer->inputs, learning->slopes[i - 1], stream));
    return result;
}

int learning_run(const struct learning *learning, uint32_t rows, cudaStream_t stream, struct failure *failure) {
    size_t last = learning->model->depth - 1;
    int result = run_forward(learning, stream, failure);
    if (result == 0)
        result = CUDA(failure, launch_slopes(learning->outputs[last], learning->labels, learning->model->outputs, rows,
                                             learning->rows, learning->slopes[last], learning->losses, stream));
    if (result == 0)
        result = CUDA(failure, launch_add_losses(learning->losses, learning->rows, learning->loss, stream));
    for (size_t i = last + 1; result == 0 && i-- > 0;)
        result = run_back(learning, i, stream, failure);
    return result;
}
