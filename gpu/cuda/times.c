/* times.c: events before and after some runs in a row, so that the launches' own time is hidden; see times.h. */
#include "times.h"

#include <errno.h>

#include "checked.h"
#include "graphs.h"

enum { RUNS = 10, LANE = 0 };

/* What is run, in lane 0. */
struct trial {
    const struct lanes *lanes;
    const struct network *network;
    size_t size; /* of the graph */
    struct recipe recipe;
    struct product large;
    void *matrices[3]; /* of the large product: left, right, result */
};

typedef int run_trial(const struct trial *trial, struct failure *failure);

static int run_batch(const struct trial *trial, struct failure *failure) {
    const struct lane *lane = &trial->lanes->lane[LANE];
    return CUDA(failure, cudaGraphLaunch(trial->network->lanes[LANE].graphs[trial->size], lane->stream));
}

static int run_products(const struct trial *trial, struct failure *failure) {
    return recipe_multiply(&trial->recipe, &trial->lanes->lane[LANE], LANE, failure);
}

static int run_large(const struct trial *trial, struct failure *failure) {
    const struct lane *lane = &trial->lanes->lane[LANE];
    return product_run(&trial->large, trial->matrices[0], trial->matrices[1], trial->matrices[2], lane->workspace,
                       lane->stream, failure);
}

/* Nanoseconds of one run, after one that is not timed. */
static int time_runs(const struct trial *trial, run_trial *run, cudaEvent_t begin, cudaEvent_t end, double *ns,
                     struct failure *failure) {
    cudaStream_t stream = trial->lanes->lane[LANE].stream;
    float milliseconds = 0;
    int result = run(trial, failure);
    if (result == 0)
        result = CUDA(failure, cudaEventRecord(begin, stream));
    for (int i = 0; i < RUNS && result == 0; i++)
        result = run(trial, failure);
    if (result == 0)
        result = CUDA(failure, cudaEventRecord(end, stream));
    result = check_over(failure, result, stream);
    if (result == 0)
        result = CUDA(failure, cudaEventElapsedTime(&milliseconds, begin, end));
    *ns = (double)milliseconds * 1e6 / RUNS;
    return result;
}

static int time_trial(const struct trial *trial, run_trial *run, double *ns, struct failure *failure) {
    cudaEvent_t events[2] = {NULL, NULL};
    int result = CUDA(failure, cudaEventCreate(&events[0]));
    if (result == 0)
        result = CUDA(failure, cudaEventCreate(&events[1]));
    if (result == 0)
        result = time_runs(trial, run, events[0], events[1], ns, failure);
    for (size_t i = 0; i < 2; i++)
        if (events[i] != NULL)
            cudaEventDestroy(events[i]);
    return result;
}

/* A batch fetches its rows from the staging memory, over the bus as others do, and answers there. */
static void fill_table(const struct trial *trial, uint32_t rows) {
    struct row_table *table = trial->lanes->lane[LANE].table;
    const struct network_lane *lane = &trial->network->lanes[LANE];
    const struct model *model = trial->network->model;
    for (uint32_t row = 0; row < (uint32_t)1 << trial->size; row++) {
        table->inputs[row] = row < rows ? lane->card_input + (size_t)row * model->inputs : NULL;
        table->outputs[row] = row < rows ? lane->card_output + (size_t)row * model->outputs : NULL;
    }
}

/* Of the model's weights, again and again: a card takes less power, and less time, for zeros. */
static int fill_matrix(const struct trial *trial, char *matrix, size_t bytes, struct failure *failure) {
    const struct network_layer *layer = &trial->network->layers[0];
    size_t most = (size_t)layer->inputs * layer->outputs * number_size(trial->network->type);
    int result = 0;
    for (size_t done = 0, size; done < bytes && result == 0; done += size) {
        size = bytes - done < most ? bytes - done : most;
        result = CUDA(failure, cudaMemcpyAsync(matrix + done, layer->weight, size, cudaMemcpyDeviceToDevice,
                                               trial->lanes->lane[LANE].stream));
    }
    return result;
}

static int make_large(struct trial *trial, uint32_t side, struct failure *failure) {
    const struct card *card = trial->lanes->card;
    struct product_terms terms = {
        .rows = side,
        .columns = side,
        .depth = side,
        .right_transposed = true,
        .left_stride = side,
        .right_stride = side,
        .result_stride = side,
        .result_type = card->type,
        .epilogue = CUBLASLT_EPILOGUE_DEFAULT,
    };
    size_t bytes = (size_t)side * side * number_size(card->type);
    int result = product_make(&trial->large, card, &terms, failure);
    for (size_t i = 0; i < 3 && result == 0; i++) {
        result = CUDA(failure, cudaMalloc(&trial->matrices[i], bytes));
        if (result == 0)
            result = fill_matrix(trial, trial->matrices[i], bytes, failure);
    }
    return result;
}

/* Of the model's own sizes, without what pads them. */
static double operations_of(const struct model *model, uint32_t rows) {
    double numbers = 0;
    for (size_t i = 0; i < model->depth; i++)
        numbers += (double)model->layers[i].inputs * model->layers[i].outputs;
    return 2 * numbers * rows;
}

static int time_at_best(struct trial *trial, uint32_t rows, uint32_t side, double *ns, struct failure *failure) {
    double large;
    int result = make_large(trial, side, failure);
    if (result == 0)
        result = time_trial(trial, run_large, &large, failure);
    if (result == 0)
        *ns = large * operations_of(trial->network->model, rows) / (2.0 * side * side * side);
    for (size_t i = 0; i < 3; i++)
        cudaFree(trial->matrices[i]);
    product_free(&trial->large);
    return result;
}

int times_take(struct lanes *lanes, const struct network *network, uint32_t rows, enum card_time what, uint32_t side,
               double *ns, struct failure *failure) {
    struct trial trial = {.lanes = lanes, .network = network, .size = lanes_size(lanes, rows)};
    if (what == CARD_AT_BEST)
        return time_at_best(&trial, rows, side, ns, failure);
    fill_table(&trial, rows);
    if (what == CARD_BATCH)
        return time_trial(&trial, run_batch, ns, failure);
    trial.recipe = (struct recipe){.network = network, .rows = (uint32_t)1 << trial.size};
    int result = recipe_make(&trial.recipe, lanes, failure);
    if (result == 0)
        result = time_trial(&trial, run_products, ns, failure);
    recipe_free(&trial.recipe);
    return result;
}
