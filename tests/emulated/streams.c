/* streams.c: streams, the legacy stream among them, and what goes before what. */
#include <string.h>

#include "card.h"

static struct CUstream_st legacy[CARDS_MOST];

static bool is_legacy(const struct CUstream_st *stream) {
    return stream >= legacy && stream < legacy + CARDS_MOST;
}

cudaStream_t stream_of(cudaStream_t stream) {
    if (stream == cudaStreamPerThread)
        card_abort("there is no cudaStreamPerThread on this card");
    if (stream == NULL || stream == cudaStreamLegacy) {
        struct CUstream_st *own = &legacy[card_now()];
        own->handle = (struct handle){.kind = HANDLE_STREAM, .alive = true, .device = card_now()};
        own->blocking = true;
        return own;
    }
    if (is_legacy(stream))
        return stream;
    handle_check(stream, HANDLE_STREAM);
    return stream;
}

void stream_put(cudaStream_t stream, struct work *work) {
    int device = stream->handle.device;
    work_need(work, stream->last);
    if (is_legacy(stream)) {
        for (cudaStream_t other = NULL; (other = handle_next(HANDLE_STREAM, other)) != NULL;)
            if (other->blocking && other->handle.device == device)
                work_need(work, other->last);
    } else if (stream->blocking) {
        work_need(work, legacy[device].last);
    }
    work_put(work);
    work_release(stream->last);
    stream->last = work_hold(work);
}

cudaError_t stream_enqueue(cudaStream_t stream, void (*run)(void *argument), const void *argument, size_t size,
                           bool calls_host) {
    stream = stream_of(stream);
    if (stream->capture != NULL)
        return capture_add(
            stream, &(struct node){
                        .run = run, .argument = (void *)(uintptr_t)argument, .size = size, .calls_host = calls_host});
    cudaError_t error = is_legacy(stream) ? capture_forbids(true) : cudaSuccess;
    if (error != cudaSuccess)
        return error;
    struct work *work = work_make(stream->handle.device, run, argument, size);
    work->calls_host = calls_host;
    stream_put(stream, work);
    work_release(work);
    return cudaSuccess;
}

cudaError_t emulated_enqueue(cudaStream_t stream, void (*run)(void *argument), const void *argument, size_t size) {
    card_lock();
    cudaError_t error = card_broken();
    if (error == cudaSuccess)
        error = stream_enqueue(stream, run, argument, size, false);
    card_unlock();
    return error;
}

static void forget(cudaStream_t stream) {
    work_release(stream->last);
    stream->last = NULL;
    capture_forget(stream);
    set_free(&stream->tips);
}

void streams_reset(int device) {
    forget(&legacy[device]);
    for (cudaStream_t stream = NULL; (stream = handle_next(HANDLE_STREAM, stream)) != NULL;) {
        if (stream->handle.device == device) {
            forget(stream);
            handle_destroy(stream);
        }
    }
}

/* ---- the calls */

static cudaError_t make(cudaStream_t *stream, unsigned flags) {
    if (stream == NULL || (flags & ~(unsigned)cudaStreamNonBlocking) != 0)
        return cudaErrorInvalidValue;
    *stream = handle_make(HANDLE_STREAM, sizeof **stream);
    (*stream)->blocking = (flags & cudaStreamNonBlocking) == 0;
    return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *stream) {
    return CALL(make(stream, cudaStreamDefault));
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) {
    return CALL(make(stream, flags));
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned flags, int priority) {
    (void)priority; /* it promises no order */
    return CALL(make(stream, flags));
}

static cudaError_t priorities(int *least, int *greatest) {
    if (least != NULL)
        *least = 0;
    if (greatest != NULL)
        *greatest = -5;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
    return CALL(priorities(least, greatest));
}

/* What is in it still runs. */
static cudaError_t end(cudaStream_t stream) {
    if (stream == NULL || stream == cudaStreamLegacy)
        return cudaErrorInvalidResourceHandle;
    forget(stream_of(stream));
    handle_destroy(stream);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    return GIVE_BACK(end(stream));
}

static cudaError_t wait_for(cudaStream_t stream) {
    stream = stream_of(stream);
    if (stream->capture != NULL)
        return capture_spoil(stream, cudaErrorStreamCaptureUnsupported);
    cudaError_t error = is_legacy(stream) ? capture_forbids(true) : cudaSuccess;
    if (error != cudaSuccess)
        return error;
    if (is_legacy(stream)) /* what is in the blocking streams goes before what is to come, and so before this */
        stream_enqueue(stream, work_nothing, NULL, 0, false);
    return work_wait(stream->last);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    return CALL(wait_for(stream));
}

/* Of those who ask again and again some of the work is done at each second time, so that they need not give up. */
cudaError_t work_look(const struct work *work) {
    if (work != NULL && !work->done && card_random(2) == 0)
        work_step();
    if (card_broken() != cudaSuccess)
        return card_broken();
    return work == NULL || work->done ? cudaSuccess : cudaErrorNotReady;
}

static cudaError_t look(cudaStream_t stream) {
    stream = stream_of(stream);
    if (stream->capture != NULL)
        return capture_spoil(stream, cudaErrorStreamCaptureUnsupported);
    cudaError_t error = is_legacy(stream) ? capture_forbids(true) : cudaSuccess;
    return error != cudaSuccess ? error : work_look(stream->last);
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
    return CALL(look(stream));
}

static cudaError_t wait_device(void) {
    cudaError_t error = capture_forbids(false);
    return error != cudaSuccess ? error : work_wait_device(card_now());
}

cudaError_t cudaDeviceSynchronize(void) {
    return CALL(wait_device());
}

/* ---- functions of the host's */

struct host_call {
    cudaHostFn_t function;
    void *data;
};

static void call_host(void *argument) {
    struct host_call *call = argument;
    call->function(call->data);
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void *data) {
    struct host_call call = {function, data};
    return CALL(function == NULL ? cudaErrorInvalidValue : stream_enqueue(stream, call_host, &call, sizeof call, true));
}
