/* backend.c: a graphics card as a kind of device: a model at each place, a batch in each lane; see backend.h. */
#include "backend.h"

#include <errno.h>
#include <stdlib.h>

#include "checked.h"
#include "graphs.h"
#include "times.h"

struct cuda {
    struct card card;
    struct lanes lanes;
    struct network networks[DEVICE_MODELS];
};

/* The device's name before the sentence of what it failed at. */
static int blame(const struct device *device, int result, const struct failure *reason, struct failure *failure) {
    return result == 0 ? 0 : fail(failure, result, "device \"%s\": %.360s", device->name, reason->text);
}

/* The same for a batch. Memory that is short may not be for long: the batch fails, and the worker goes on. */
static int blame_batch(const struct device *device, int result, const struct failure *reason, struct failure *failure) {
    return blame(device, result == -ENOMEM ? -EAGAIN : result, reason, failure);
}

static void cuda_close(struct device *device) {
    struct cuda *cuda = device->state;
    lanes_settle(&cuda->lanes);
    for (size_t place = 0; place < DEVICE_MODELS; place++)
        network_free(&cuda->networks[place]);
    lanes_close(&cuda->lanes);
    card_close(&cuda->card);
    free(cuda);
}

static int cuda_open(struct device *device, const char *parameters, struct failure *failure) {
    struct failure reason;
    const struct device_options *options = &device->options;
    struct cuda *cuda = calloc(1, sizeof *cuda);
    if (cuda == NULL)
        return fail(failure, -ENOMEM, "device \"%s\": memory is short", device->name);
    int result = card_open(&cuda->card, parameters, options->memory, options->memory_size, &reason);
    if (result == 0)
        result = card_describe(&cuda->card, device->description, sizeof device->description, &reason);
    if (result == 0)
        result = lanes_open(&cuda->lanes, &cuda->card, options, &reason);
    if (result != 0) {
        card_close(&cuda->card);
        free(cuda);
        return blame(device, result, &reason, failure);
    }
    device->state = cuda;
    return 0;
}

static int cuda_load(struct device *device, size_t place, const struct model *model, struct failure *failure) {
    struct cuda *cuda = device->state;
    struct failure reason;
    struct network new;
    int result = network_make(&new, &cuda->card, model, lanes_rows(&cuda->lanes), &reason);
    if (result == 0) {
        lanes_settle(&cuda->lanes); /* the graphs' first run needs them */
        result = graphs_make(&new, &cuda->lanes, &reason);
        if (result != 0)
            network_free(&new);
    }
    if (result != 0)
        return fail(failure, result, "model \"%s\" on device \"%s\": %.290s", model->name, device->name, reason.text);
    network_free(&cuda->networks[place]);
    cuda->networks[place] = new;
    return 0;
}

static void cuda_unload(struct device *device, size_t place) {
    struct cuda *cuda = device->state;
    lanes_settle(&cuda->lanes);
    network_free(&cuda->networks[place]);
}

static int cuda_begin(struct device *device, size_t lane, size_t place, const struct part *parts, size_t count,
                      struct failure *failure) {
    struct cuda *cuda = device->state;
    const struct network *network = &cuda->networks[place];
    struct failure reason;
    if (network->model == NULL)
        return fail(failure, -EINVAL, "device \"%s\": no model is loaded at place %zu", device->name, place);
    int result = lanes_begin(&cuda->lanes, lane, network, parts, count, &reason);
    return blame_batch(device, result, &reason, failure);
}

static int cuda_poll(struct device *device, size_t lane, struct failure *failure) {
    struct cuda *cuda = device->state;
    (void)failure; /* a batch that has failed is over: finish says so */
    return lanes_poll(&cuda->lanes, lane);
}

static int cuda_finish(struct device *device, size_t lane, struct failure *failure) {
    struct cuda *cuda = device->state;
    struct failure reason;
    int result = lanes_finish(&cuda->lanes, lane, &reason);
    return blame_batch(device, result, &reason, failure);
}

static int cuda_infer(struct device *device, size_t place, const struct part *parts, size_t count,
                      struct failure *failure) {
    int result = cuda_begin(device, 0, place, parts, count, failure);
    return result == 0 ? cuda_finish(device, 0, failure) : result;
}

/* A true error of the card: from here on this process's card is lost, as it would be by itself. */
static int cuda_fault(struct device *device, int error, struct failure *failure) {
    struct cuda *cuda = device->state;
    struct failure reason;
    cudaError_t launched = launch_fault(error, cuda->card.stream);
    if (launched == cudaErrorInvalidValue)
        return fail(failure, -ENOTSUP, "device \"%s\": no kernel makes error %d; there are 700, 710 and 719",
                    device->name, error);
    int result = check_cuda(&reason, launched, "launch_fault(error, stream)", __FILE__, __LINE__);
    if (result == 0)
        result = CUDA(&reason, cudaStreamSynchronize(cuda->card.stream));
    return blame(device, result, &reason, failure);
}

static int cuda_time(struct device *device, size_t place, uint32_t rows, enum card_time what, uint32_t side, double *ns,
                     struct failure *failure) {
    struct cuda *cuda = device->state;
    struct failure reason;
    if (cuda->networks[place].model == NULL)
        return fail(failure, -EINVAL, "device \"%s\": no model is loaded at place %zu", device->name, place);
    lanes_settle(&cuda->lanes);
    int result = times_take(&cuda->lanes, &cuda->networks[place], rows, what, side, ns, &reason);
    return blame(device, result, &reason, failure);
}

/* `check` is that of gpu/devices/cuda.c, which has looked at the parameters before this library was loaded. */
extern __attribute__((visibility("default"))) const struct cuda_backend cuda_backend;
const struct cuda_backend cuda_backend = {
    .size = sizeof(struct cuda_backend),
    .device_size = sizeof(struct device),
    .device =
        {
            .name = "cuda",
            .open = cuda_open,
            .load = cuda_load,
            .unload = cuda_unload,
            .infer = cuda_infer,
            .close = cuda_close,
            .begin = cuda_begin,
            .poll = cuda_poll,
            .finish = cuda_finish,
            .fault = cuda_fault,
        },
    .trainer = &card_trainer,
    .time = cuda_time,
};
