/* network.c: brings a model to the card, and takes it away; see network.h. */
#include "network.h"

#include <errno.h>

#include "checked.h"

/* Layers wider than a model can be would not fit into the sizes below. */
enum { WIDEST = 1 << 24 };

static uint32_t padded(uint32_t width) {
    return (width + 15) / 16 * 16;
}

/* ---- numbers */

static enum number_type result_type(const struct network *network, size_t layer) {
    return layer + 1 == network->model->depth ? NUMBER_FP32 : network->type;
}

static int allocate_layers(struct network *network, struct failure *failure) {
    int result = 0;
    for (size_t i = 0; i < network->model->depth && result == 0; i++) {
        struct network_layer *layer = &network->layers[i];
        layer->inputs = padded(network->model->layers[i].inputs);
        layer->outputs = padded(network->model->layers[i].outputs);
        size_t bytes = number_size(network->type) * layer->inputs * layer->outputs;
        result = CUDA(failure, cudaMalloc(&layer->weight, bytes));
        if (result == 0)
            result = CUDA(failure, cudaMalloc(&layer->bias, layer->outputs * number_size(result_type(network, i))));
    }
    return result;
}

/* By way of `scratch`, on the card: the stream keeps their order, so that one scratch is enough for all. */
static int upload(const float *from, uint32_t rows, uint32_t columns, float *scratch, enum number_type type, void *to,
                  uint32_t to_rows, uint32_t stride, cudaStream_t stream, struct failure *failure) {
    size_t bytes = (size_t)rows * columns * sizeof *from;
    int result = CUDA(failure, cudaMemcpyAsync(scratch, from, bytes, cudaMemcpyHostToDevice, stream));
    if (result == 0)
        result = CUDA(failure, launch_convert(scratch, rows, columns, type, to, to_rows, stride, stream));
    return result;
}

static int upload_layer(const struct network *network, size_t i, float *scratch, cudaStream_t stream,
                        struct failure *failure) {
    const struct layer *from = &network->model->layers[i];
    const struct network_layer *to = &network->layers[i];
    int result = upload(from->weight, from->outputs, from->inputs, scratch, network->type, to->weight, to->outputs,
                        to->inputs, stream, failure);
    if (result == 0)
        result = upload(from->bias, 1, from->outputs, scratch, result_type(network, i), to->bias, 1, to->outputs,
                        stream, failure);
    return result;
}

static int upload_layers(const struct network *network, const struct card *card, struct failure *failure) {
    size_t most = 0; /* of a layer's weights; its bias is never longer */
    float *scratch;
    for (size_t i = 0; i < network->model->depth; i++) {
        size_t count = (size_t)network->model->layers[i].inputs * network->model->layers[i].outputs;
        most = count > most ? count : most;
    }
    int result = CUDA(failure, cudaMalloc((void **)&scratch, most * sizeof *scratch));
    if (result != 0)
        return result;
    for (size_t i = 0; i < network->model->depth && result == 0; i++)
        result = upload_layer(network, i, scratch, card->stream, failure);
    result = check_over(failure, result, card->stream); /* in any case: scratch is in use until then */
    cudaFree(scratch);
    return result;
}

/* ---- lanes */

/* The host's memory that the card reaches: pinned, at an address of the card's. */
static int allocate_host(float **memory, float **reached, size_t count, struct failure *failure) {
    int result = CUDA(
        failure, cudaHostAlloc((void **)memory, count * sizeof **memory, cudaHostAllocPortable | cudaHostAllocMapped));
    if (result == 0)
        result = CUDA(failure, cudaHostGetDevicePointer((void **)reached, *memory, 0));
    return result;
}

static int allocate_lane(struct network_lane *lane, const struct model *model, size_t rows, struct failure *failure) {
    size_t bytes = rows * padded(model->width) * sizeof(float); /* float: what the last layer leaves */
    int result = CUDA(failure, cudaMalloc(&lane->between[0], bytes));
    if (result == 0)
        result = CUDA(failure, cudaMalloc(&lane->between[1], bytes));
    if (result == 0)
        result = allocate_host(&lane->input, &lane->card_input, rows * model->inputs, failure);
    if (result == 0)
        result = allocate_host(&lane->output, &lane->card_output, rows * model->outputs, failure);
    return result;
}

static void free_lane(struct network_lane *lane) {
    for (size_t i = 0; i < GRAPH_SIZES; i++)
        if (lane->graphs[i] != NULL)
            cudaGraphExecDestroy(lane->graphs[i]);
    cudaFree(lane->between[0]);
    cudaFree(lane->between[1]);
    cudaFreeHost(lane->input);
    cudaFreeHost(lane->output);
}

/* ---- all of it */

static int check_widths(const struct model *model, struct failure *failure) {
    for (size_t i = 0; i < model->depth; i++)
        if (model->layers[i].inputs > WIDEST || model->layers[i].outputs > WIDEST)
            return fail(failure, -ENOMEM, "layer %zu is too wide for a card", i);
    return 0;
}

int network_make(struct network *network, const struct card *card, const struct model *model, uint32_t rows,
                 struct failure *failure) {
    *network = (struct network){.model = model, .type = card->type};
    int result = check_widths(model, failure);
    if (result == 0)
        result = allocate_layers(network, failure);
    for (size_t i = 0; i < DEVICE_LANES && result == 0; i++)
        result = allocate_lane(&network->lanes[i], model, rows, failure);
    if (result == 0)
        result = upload_layers(network, card, failure);
    if (result != 0)
        network_free(network);
    return result;
}

void network_free(struct network *network) {
    if (network->model == NULL)
        return;
    for (size_t i = 0; i < DEVICE_LANES; i++)
        free_lane(&network->lanes[i]);
    for (size_t i = 0; i < MODEL_LAYERS; i++) {
        cudaFree(network->layers[i].weight);
        cudaFree(network->layers[i].bias);
    }
    cudaGetLastError(); /* what cannot be given back any more is no error of a later launch */
    *network = (struct network){0};
}
