/* trainer.c: a card as a trainer: gradients on the card, added up in shared memory or, by NCCL, on the cards. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "checked.h"
#include "trainer_nccl.h"
#include "trainer_network.h"

/* Two of them: while the card fetches from one, the next rows are written to the other. */
enum { STAGES = 2 };

/* Memory of the host that the card fetches from by itself, and whether it has. */
struct stage {
    float *input;
    uint8_t *labels;
    cudaEvent_t fetched;
};

struct learner {
    struct card card;
    struct learning learning;
    struct stage stages[STAGES];
    size_t turn;
    double *loss; /* of the host, where the card writes its own */
    struct nccl nccl;
    float momentum;
    bool failed; /* a call has: the others may not be there when this one leaves */
};

/* ---- Opening */

static int make_stages(struct learner *own, struct failure *failure) {
    size_t rows = own->learning.rows, size = rows * own->learning.model->inputs * sizeof(float);
    int result = CUDA(failure, cudaHostAlloc((void **)&own->loss, sizeof *own->loss, cudaHostAllocDefault));
    for (size_t i = 0; result == 0 && i < STAGES; i++) {
        struct stage *stage = &own->stages[i];
        result = CUDA(failure, cudaHostAlloc((void **)&stage->input, size, cudaHostAllocDefault));
        if (result == 0)
            result = CUDA(failure, cudaHostAlloc((void **)&stage->labels, rows, cudaHostAllocDefault));
        if (result == 0)
            result = CUDA(failure,
                          cudaEventCreateWithFlags(&stage->fetched, cudaEventDisableTiming | cudaEventBlockingSync));
    }
    return result;
}

static void release(void *memory) {
    if (memory != NULL)
        cudaFreeHost(memory);
}

static void card_trainer_close(struct trainer *trainer) {
    struct learner *own = trainer->state;
    struct failure unheard;
    /* After a failure the others may never come to a sum that waits for them; leaving ends it. */
    if (own->failed)
        nccl_leave(&own->nccl, false);
    if (own->card.stream != NULL)
        (void)!check_over(&unheard, 0, own->card.stream); /* what is freed here may be at work there */
    nccl_leave(&own->nccl, true);
    for (size_t i = 0; i < STAGES; i++) {
        release(own->stages[i].input);
        release(own->stages[i].labels);
        if (own->stages[i].fetched != NULL)
            cudaEventDestroy(own->stages[i].fetched);
    }
    release(own->loss);
    learning_free(&own->learning);
    card_close(&own->card);
    free(own);
}

static int card_trainer_open(struct trainer *trainer, const char *parameters, struct failure *failure) {
    struct learner *own = calloc(1, sizeof *own);
    if (own == NULL)
        return fail(failure, -ENOMEM, "not enough memory to train");
    trainer->state = own;
    int result = card_open(&own->card, parameters, NULL, 0, failure);
    if (result == 0)
        result = card_describe(&own->card, trainer->description, sizeof trainer->description, failure);
    if (result == 0)
        result = learning_make(&own->learning, &own->card, trainer->model, trainer->rows, failure);
    if (result == 0)
        result = make_stages(own, failure);
    if (result != 0) {
        own->failed = true;
        card_trainer_close(trainer);
    }
    return result;
}

/* ---- A gradient */

/* The rows on their way to the card, and zeros behind them: 0 times what lay there might be no number. */
static int send(struct learner *own, const float *input, const uint8_t *labels, size_t rows, struct failure *failure) {
    const struct learning *learning = &own->learning;
    struct stage *stage = &own->stages[own->turn];
    cudaStream_t stream = own->card.stream;
    size_t inputs = learning->model->inputs, count = rows * inputs;
    own->turn = (own->turn + 1) % STAGES;
    int result = CUDA(failure, cudaEventSynchronize(stage->fetched));
    if (result == 0 && rows > 0) {
        memcpy(stage->input, input, count * sizeof *input);
        memcpy(stage->labels, labels, rows);
        result = CUDA(failure, cudaMemcpyAsync(learning->input, stage->input, count * sizeof *input,
                                               cudaMemcpyHostToDevice, stream));
        if (result == 0)
            result =
                CUDA(failure, cudaMemcpyAsync(learning->labels, stage->labels, rows, cudaMemcpyHostToDevice, stream));
    }
    if (result == 0)
        result = CUDA(failure, cudaEventRecord(stage->fetched, stream));
    if (result == 0 && rows < learning->rows)
        result = CUDA(failure, cudaMemsetAsync(learning->input + count, 0,
                                               (learning->rows - rows) * inputs * sizeof *input, stream));
    return result;
}

/* Puts into the stream: the loss so far to the host, and it begins anew. */
static int take_loss(struct learner *own, struct failure *failure) {
    cudaStream_t stream = own->card.stream;
    int result = CUDA(
        failure, cudaMemcpyAsync(own->loss, own->learning.loss, sizeof *own->loss, cudaMemcpyDeviceToHost, stream));
    if (result == 0)
        result = CUDA(failure, cudaMemsetAsync(own->learning.loss, 0, sizeof *own->loss, stream));
    return result;
}

/* Notes a failure: afterwards nothing waits for the others. */
static int noted(struct learner *own, int result) {
    own->failed = own->failed || result != 0;
    return result;
}

static int card_trainer_gradient(struct trainer *trainer, const float *input, const uint8_t *labels, size_t rows,
                                 float *gradient, double *loss, struct failure *failure) {
    struct learner *own = trainer->state;
    struct learning *learning = &own->learning;
    cudaStream_t stream = own->card.stream;
    int result = learning_take(learning, stream, failure);
    if (result == 0)
        result = send(own, input, labels, rows, failure);
    if (result == 0)
        result = learning_run(learning, (uint32_t)rows, stream, failure);
    if (result == 0)
        result = learning_give(learning, learning->gradient, gradient, stream, failure);
    if (result == 0)
        result = take_loss(own, failure);
    result = check_over(failure, result, stream); /* in any case: the card writes to the caller's memory */
    *loss = *own->loss;
    return noted(own, result);
}

/* ---- Steps that all cards take together */

static int card_trainer_join(struct trainer *trainer, const unsigned char id[TRAINER_ID], size_t index, size_t members,
                             float momentum, struct failure *failure) {
    struct learner *own = trainer->state;
    own->momentum = momentum;
    int result = nccl_join(&own->nccl, id, index, members, failure);
    if (result == 0)
        result = learning_take(&own->learning, own->card.stream, failure);
    return noted(own, check_over(failure, result, own->card.stream));
}

static int card_trainer_step(struct trainer *trainer, const float *input, const uint8_t *labels, size_t rows,
                             size_t all_rows, float rate, struct failure *failure) {
    struct learner *own = trainer->state;
    struct learning *learning = &own->learning;
    cudaStream_t stream = own->card.stream;
    int result = send(own, input, labels, rows, failure);
    if (result == 0)
        result = learning_run(learning, (uint32_t)rows, stream, failure);
    if (result == 0)
        result = nccl_add(&own->nccl, learning->gradient, learning->count, stream, failure);
    if (result == 0)
        result = CUDA(failure, launch_step(learning->numbers, learning->gradient, learning->count,
                                           rate / (float)all_rows, own->momentum, learning->velocities, stream));
    return noted(own, result);
}

static int card_trainer_fetch(struct trainer *trainer, float *numbers, double *loss, struct failure *failure) {
    struct learner *own = trainer->state;
    int result = 0;
    if (numbers != NULL)
        result = learning_give(&own->learning, own->learning.numbers, numbers, own->card.stream, failure);
    if (result == 0)
        result = take_loss(own, failure);
    result = check_over(failure, result, own->card.stream);
    *loss = *own->loss;
    if (result == 0)
        result = nccl_check(&own->nccl, failure);
    return noted(own, result);
}

const struct trainer_kind card_trainer = {
    .open = card_trainer_open,
    .gradient = card_trainer_gradient,
    .close = card_trainer_close,
    .make_id = nccl_make_id,
    .join = card_trainer_join,
    .step = card_trainer_step,
    .fetch = card_trainer_fetch,
};
