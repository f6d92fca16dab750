/* events.c: events: what was put into a stream before one was recorded has run once the event has. */
#include "card.h"

void work_nothing(void *argument) {
    (void)argument;
}

static cudaError_t make(cudaEvent_t *event, unsigned flags) {
    if (event == NULL || (flags & ~3u) != 0)
        return cudaErrorInvalidValue;
    *event = handle_make(HANDLE_EVENT, sizeof **event);
    (*event)->timed = (flags & cudaEventDisableTiming) == 0;
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *event) {
    return CALL(make(event, cudaEventDefault));
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags) {
    return CALL(make(event, flags));
}

static void forget(cudaEvent_t event) {
    work_release(event->record);
    event->record = NULL;
    event->capture = NULL;
    set_free(&event->tips);
}

static cudaError_t end(cudaEvent_t event) {
    if (event == NULL)
        return cudaErrorInvalidResourceHandle;
    handle_check(event, HANDLE_EVENT);
    forget(event);
    handle_destroy(event);
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    return GIVE_BACK(end(event));
}

void events_reset(int device) {
    for (cudaEvent_t event = NULL; (event = handle_next(HANDLE_EVENT, event)) != NULL;)
        if (event->handle.device == device)
            end(event);
}

static cudaError_t record(cudaEvent_t event, cudaStream_t stream) {
    if (event == NULL)
        return cudaErrorInvalidResourceHandle;
    handle_check(event, HANDLE_EVENT);
    stream = stream_of(stream);
    if (event->handle.device != stream->handle.device)
        return cudaErrorInvalidResourceHandle;
    forget(event);
    if (stream->capture != NULL)
        return capture_record(stream, event);
    cudaError_t error = stream_enqueue(stream, work_nothing, NULL, 0, false);
    if (error == cudaSuccess)
        event->record = work_hold(stream->last);
    return error;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    return CALL(record(event, stream));
}

static cudaError_t wait_in(cudaStream_t stream, cudaEvent_t event) {
    if (event == NULL)
        return cudaErrorInvalidResourceHandle;
    handle_check(event, HANDLE_EVENT);
    stream = stream_of(stream);
    if (stream->capture != NULL || (event->capture != NULL && !capture_is_over(event->capture)))
        return capture_wait(stream, event);
    if (event->record == NULL)
        return cudaSuccess; /* it was never recorded */
    struct work *work = work_make(stream->handle.device, work_nothing, NULL, 0);
    work_need(work, event->record);
    stream_put(stream, work);
    work_release(work);
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
    return CALL(flags != 0 ? cudaErrorInvalidValue : wait_in(stream, event));
}

/* ---- asked by the host */

static cudaError_t ready_to_ask(cudaEvent_t event) {
    if (event == NULL)
        return cudaErrorInvalidResourceHandle;
    handle_check(event, HANDLE_EVENT);
    if (event->capture != NULL)
        return cudaErrorCapturedEvent;
    return capture_forbids(false);
}

static cudaError_t look(cudaEvent_t event) {
    cudaError_t error = ready_to_ask(event);
    return error != cudaSuccess ? error : work_look(event->record);
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
    return CALL(look(event));
}

static cudaError_t wait_for(cudaEvent_t event) {
    cudaError_t error = ready_to_ask(event);
    return error != cudaSuccess ? error : work_wait(event->record);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    return CALL(wait_for(event));
}

static cudaError_t between(float *milliseconds, cudaEvent_t from, cudaEvent_t to) {
    cudaError_t error = milliseconds == NULL ? cudaErrorInvalidValue : ready_to_ask(from);
    error = error != cudaSuccess ? error : ready_to_ask(to);
    if (error != cudaSuccess)
        return error;
    if (!from->timed || !to->timed || from->record == NULL || to->record == NULL)
        return cudaErrorInvalidResourceHandle;
    if (!from->record->done || !to->record->done)
        return cudaErrorNotReady;
    *milliseconds = (float)((to->record->time - from->record->time) * 1e3);
    return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t from, cudaEvent_t to) {
    return CALL(between(milliseconds, from, to));
}
