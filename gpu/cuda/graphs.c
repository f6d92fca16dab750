/* graphs.c: records graphs; see graphs.h. */
#include "graphs.h"

#include <string.h>

#include "checked.h"

int recipe_make(struct recipe *recipe, const struct lanes *lanes, struct failure *failure) {
    const struct model *model = recipe->network->model;
    int result = 0;
    for (size_t i = 0; i < model->depth && result == 0; i++) {
        const struct network_layer *layer = &recipe->network->layers[i];
        bool relu = model->layers[i].activation == ACTIVATION_RELU, last = i + 1 == model->depth;
        struct product_terms terms = {
            .rows = recipe->rows,
            .columns = layer->outputs,
            .depth = layer->inputs,
            .right_transposed = true,
            .left_stride = layer->inputs,
            .right_stride = layer->inputs,
            .result_stride = layer->outputs,
            .result_type = last ? NUMBER_FP32 : recipe->network->type,
            .epilogue = relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS,
            .bias = layer->bias,
            .in_sequence = lanes->deterministic,
        };
        result = product_make(&recipe->products[i], lanes->card, &terms, failure);
    }
    return result;
}

void recipe_free(struct recipe *recipe) {
    for (size_t i = 0; i < MODEL_LAYERS; i++)
        product_free(&recipe->products[i]);
}

int recipe_multiply(const struct recipe *recipe, const struct lane *lane, size_t index, struct failure *failure) {
    const struct network *network = recipe->network;
    void *const *between = network->lanes[index].between;
    int result = 0;
    for (size_t i = 0; i < network->model->depth && result == 0; i++)
        result = product_run(&recipe->products[i], between[i % 2], network->layers[i].weight, between[(i + 1) % 2],
                             lane->workspace, lane->stream, failure);
    return result;
}

/* Puts a whole batch into the lane's stream: rows in, layer after layer, answers out. */
static int run(const struct recipe *recipe, const struct lane *lane, size_t index, struct failure *failure) {
    const struct network *network = recipe->network;
    const struct model *model = network->model;
    void *const *between = network->lanes[index].between;
    size_t depth = model->depth;
    int result = CUDA(failure, launch_gather(lane->card_table, recipe->rows, model->inputs, network->layers[0].inputs,
                                             network->type, between[0], lane->odd, lane->stream));
    if (result == 0)
        result = recipe_multiply(recipe, lane, index, failure);
    if (result == 0)
        result = CUDA(failure, launch_answer(lane->card_table, lane->odd, recipe->rows, model->outputs,
                                             network->layers[depth - 1].outputs, between[depth % 2],
                                             model->layers[depth - 1].activation == ACTIVATION_SOFTMAX, lane->stream));
    return result;
}

/* Other threads may go on calling CUDA meanwhile: only this thread's calls are recorded, or forbidden. */
static int record(const struct recipe *recipe, const struct lane *lane, size_t index, cudaGraph_t *graph,
                  struct failure *failure) {
    struct failure other;
    *graph = NULL;
    int result = CUDA(failure, cudaStreamBeginCapture(lane->stream, cudaStreamCaptureModeThreadLocal));
    if (result != 0)
        return result;
    result = run(recipe, lane, index, failure);
    int ended = CUDA(result == 0 ? failure : &other, cudaStreamEndCapture(lane->stream, graph)); /* in any case */
    return result == 0 ? ended : result;
}

static int make_graph(const struct recipe *recipe, const struct lane *lane, size_t index, cudaGraphExec_t *made,
                      struct failure *failure) {
    cudaGraph_t graph;
    int result = record(recipe, lane, index, &graph, failure);
    if (result == 0)
        result = CUDA(failure, cudaGraphInstantiate(made, graph, 0));
    if (graph != NULL)
        cudaGraphDestroy(graph);
    if (result == 0)
        result = CUDA(failure, cudaGraphUpload(*made, lane->stream));
    if (result == 0)
        result = CUDA(failure, cudaGraphLaunch(*made, lane->stream));
    return result;
}

/* First run as it is: code that is not on the card yet is loaded then, which a recording might not allow. */
static int make_size(struct network *network, struct lanes *lanes, size_t size, struct failure *failure) {
    struct recipe recipe = {.network = network, .rows = (uint32_t)1 << size};
    int result = recipe_make(&recipe, lanes, failure);
    if (result == 0)
        result = run(&recipe, &lanes->lane[0], 0, failure);
    for (size_t i = 0; i < DEVICE_LANES && result == 0; i++)
        result = make_graph(&recipe, &lanes->lane[i], i, &network->lanes[i].graphs[size], failure);
    recipe_free(&recipe);
    return result;
}

int graphs_make(struct network *network, struct lanes *lanes, struct failure *failure) {
    int result = 0;
    for (size_t i = 0; i < DEVICE_LANES; i++)
        memset(lanes->lane[i].table, 0, sizeof *lanes->lane[i].table); /* batches without a row */
    for (size_t size = lanes->smallest; size <= lanes->largest && result == 0; size++)
        result = make_size(network, lanes, size, failure);
    for (size_t i = 0; i < DEVICE_LANES; i++)
        result = check_over(failure, result, lanes->lane[i].stream);
    return result;
}
