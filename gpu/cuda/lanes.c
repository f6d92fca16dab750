/* lanes.c: hands batches to the card, and waits for them; see lanes.h. */
#include "lanes.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "checked.h"
#include "products.h"

/* ---- open and close */

static int open_lane(struct lane *lane, const struct card *card, uint32_t rows, bool rings, struct failure *failure) {
    unsigned flags = cudaEventDisableTiming | (card->spin ? 0 : cudaEventBlockingSync);
    int result = CUDA(failure, cudaStreamCreateWithFlags(&lane->stream, cudaStreamNonBlocking));
    if (result == 0)
        result = CUDA(failure, cudaEventCreateWithFlags(&lane->done, flags));
    if (result == 0 && rings)
        result = CUDA(failure, cudaStreamCreateWithFlags(&lane->bells, cudaStreamNonBlocking));
    if (result == 0)
        result = CUDA(failure, cudaMalloc(&lane->workspace, PRODUCT_WORKSPACE));
    if (result == 0)
        result = CUDA(failure, cudaMalloc((void **)&lane->odd, rows * sizeof *lane->odd));
    if (result == 0)
        result = CUDA(failure, cudaHostAlloc((void **)&lane->table, sizeof *lane->table,
                                             cudaHostAllocPortable | cudaHostAllocMapped));
    if (result == 0)
        result = CUDA(failure, cudaHostGetDevicePointer((void **)&lane->card_table, lane->table, 0));
    return result;
}

/* The smallest power of two that is not less than `rows`. */
static size_t exponent_for(uint32_t rows) {
    size_t exponent = 0;
    while ((uint32_t)1 << exponent < rows)
        exponent++;
    return exponent;
}

size_t lanes_size(const struct lanes *lanes, size_t rows) {
    size_t size = exponent_for((uint32_t)rows);
    return size < lanes->smallest ? lanes->smallest : size;
}

int lanes_open(struct lanes *lanes, const struct card *card, const struct device_options *options,
               struct failure *failure) {
    *lanes =
        (struct lanes){.card = card, .deterministic = options->deterministic, .largest = exponent_for(options->batch)};
    lanes->smallest = lanes->deterministic ? lanes->largest : 0;
    lanes->bell = card->spin ? 0 : options->bell; /* who spins has no need of a bell */
    int result = 0;
    for (size_t i = 0; i < DEVICE_LANES && result == 0; i++)
        result = open_lane(&lanes->lane[i], card, lanes_rows(lanes), lanes->bell > 0, failure);
    if (result != 0)
        lanes_close(lanes);
    return result;
}

static void close_stream(cudaStream_t stream) {
    if (stream == NULL)
        return;
    cudaStreamSynchronize(stream);
    cudaStreamDestroy(stream);
}

/* No bell is rung afterwards: its eventfd may be closed. */
static void close_lane(struct lane *lane) {
    close_stream(lane->stream);
    close_stream(lane->bells);
    if (lane->done != NULL)
        cudaEventDestroy(lane->done);
    cudaFree(lane->workspace);
    cudaFree(lane->odd);
    cudaFreeHost(lane->table);
}

void lanes_close(struct lanes *lanes) {
    for (size_t i = 0; i < DEVICE_LANES; i++)
        close_lane(&lanes->lane[i]);
    cudaGetLastError();
    *lanes = (struct lanes){0};
}

/* ---- the rows of a batch */

/* Where the card finds these rows: where they lie, or in staging memory, at the place of the batch's row `first`. */
static const float *place_input(const struct card *card, const struct network *network, size_t lane,
                                const struct part *part, size_t first) {
    size_t inputs = network->model->inputs, count = part->rows * inputs;
    const float *reached = card_reach(card, part->input, count * sizeof *reached);
    if (reached != NULL)
        return reached;
    memcpy(network->lanes[lane].input + first * inputs, part->input, count * sizeof *reached);
    return network->lanes[lane].card_input + first * inputs;
}

static float *place_output(struct lanes *lanes, size_t index, const struct part *part, size_t first) {
    struct lane *lane = &lanes->lane[index];
    const struct network_lane *own = &lane->network->lanes[index];
    size_t outputs = lane->network->model->outputs, count = part->rows * outputs;
    float *reached = card_reach(lanes->card, part->output, count * sizeof *reached);
    if (reached != NULL)
        return reached;
    lane->copies[lane->copy_count++] =
        (struct part){.input = own->output + first * outputs, .output = part->output, .rows = part->rows};
    return own->card_output + first * outputs;
}

/* Returns the size of the graph that takes them. */
static size_t place_rows(struct lanes *lanes, size_t index, const struct part *parts, size_t count) {
    struct lane *lane = &lanes->lane[index];
    const struct model *model = lane->network->model;
    size_t rows = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].rows == 0)
            continue;
        const float *input = place_input(lanes->card, lane->network, index, &parts[i], rows);
        float *output = place_output(lanes, index, &parts[i], rows);
        for (size_t row = 0; row < parts[i].rows; row++, rows++) {
            lane->table->inputs[rows] = input + row * model->inputs;
            lane->table->outputs[rows] = output + row * model->outputs;
        }
    }
    size_t size = lanes_size(lanes, rows);
    for (; rows < (size_t)1 << size; rows++) {
        lane->table->inputs[rows] = NULL;
        lane->table->outputs[rows] = NULL;
    }
    return size;
}

static void copy_out(struct lane *lane) {
    size_t outputs = lane->network->model->outputs;
    for (size_t i = 0; i < lane->copy_count; i++) {
        const struct part *copy = &lane->copies[i];
        memcpy(copy->output, copy->input, copy->rows * outputs * sizeof *copy->output);
    }
}

/* ---- begin, poll, finish */

/* Runs in a thread of CUDA's, when the batch's event has been recorded: who then polls finds it done. */
static void ring(void *bell) {
    uint64_t one = 1;
    ssize_t written = write((int)(intptr_t)bell, &one, sizeof one);
    (void)written; /* a full counter has woken its reader as well */
}

/*
 * In a stream of its own: what comes behind a host function waits for it (cudaLaunchHostFunc), for that thread to wake
 * and to return. The lane's next batch must not, since a worker that is busy has no need of the bell.
 */
static int order_bell(const struct lane *lane, int bell, struct failure *failure) {
    int result = CUDA(failure, cudaStreamWaitEvent(lane->bells, lane->done, 0));
    return result == 0 ? CUDA(failure, cudaLaunchHostFunc(lane->bells, ring, (void *)(intptr_t)bell)) : result;
}

int lanes_begin(struct lanes *lanes, size_t index, const struct network *network, const struct part *parts,
                size_t count, struct failure *failure) {
    struct lane *lane = &lanes->lane[index];
    if (lane->network != NULL)
        return fail(failure, -EINVAL, "lane %zu has a batch that was not finished", index);
    lane->network = network;
    lane->copy_count = 0;
    lane->over = false;
    size_t size = place_rows(lanes, index, parts, count);
    int result = CUDA(failure, cudaGraphLaunch(network->lanes[index].graphs[size], lane->stream));
    if (result == 0)
        result = CUDA(failure, cudaEventRecord(lane->done, lane->stream));
    if (result == 0 && lanes->bell > 0)
        result = order_bell(lane, lanes->bell, failure);
    if (result != 0) { /* what is in the stream all the same uses the table */
        result = check_over(failure, result, lane->stream);
        lane->network = NULL;
    }
    return result;
}

/* What has failed is done, too: finish says so. */
int lanes_poll(struct lanes *lanes, size_t index) {
    const struct lane *lane = &lanes->lane[index];
    if (lane->network == NULL || lane->over)
        return 1;
    cudaError_t error = cudaEventQuery(lane->done);
    if (error != cudaSuccess)
        cudaGetLastError(); /* "not ready" is none, and would come up at the next launch */
    return error != cudaErrorNotReady;
}

static int wait_for(struct lane *lane, bool spin, struct failure *failure) {
    cudaError_t error;
    if (!spin)
        return CUDA(failure, cudaEventSynchronize(lane->done));
    do
        error = cudaEventQuery(lane->done);
    while (error == cudaErrorNotReady);
    if (error == cudaSuccess)
        cudaGetLastError(); /* of the queries before */
    return check_cuda(failure, error, "cudaEventQuery(lane->done)", __FILE__, __LINE__);
}

static void settle(struct lane *lane, bool spin) {
    if (lane->network == NULL || lane->over)
        return;
    lane->result = wait_for(lane, spin, &lane->failure);
    if (lane->result != 0)
        lane->result = check_over(&lane->failure, lane->result, lane->stream);
    else
        copy_out(lane);
    lane->over = true;
}

void lanes_settle(struct lanes *lanes) {
    for (size_t i = 0; i < DEVICE_LANES; i++)
        settle(&lanes->lane[i], lanes->card->spin);
}

int lanes_finish(struct lanes *lanes, size_t index, struct failure *failure) {
    struct lane *lane = &lanes->lane[index];
    if (lane->network == NULL)
        return 0;
    settle(lane, lanes->card->spin);
    lane->network = NULL;
    return lane->result != 0 ? fail(failure, lane->result, "%s", lane->failure.text) : 0;
}
