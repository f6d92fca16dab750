/* copies.c: copies and fills, with what CUDA says about the memory of the host that the card does not reach. */
#include <stdlib.h>
#include <string.h>

#include "card.h"

struct copy {
    void *to;
    const void *from;
    size_t to_pitch, from_pitch, width, height;
    enum cudaMemcpyKind kind;
    bool staged; /* its bytes follow */
};

static size_t span(size_t pitch, const struct copy *copy) {
    return pitch * (copy->height - 1) + copy->width;
}

static void run_copy(void *argument) {
    const struct copy *copy = argument;
    const unsigned char *from = copy->staged ? (const unsigned char *)(copy + 1) : copy->from;
    memory_open(ALL_DEVICES);
    if (copy->width == copy->to_pitch && copy->width == copy->from_pitch) {
        memmove(copy->to, from, copy->width * copy->height);
        return;
    }
    for (size_t row = 0; row < copy->height; row++)
        memmove((unsigned char *)copy->to + row * copy->to_pitch, from + row * copy->from_pitch, copy->width);
}

/* Which sides are the card's, from the kind, or where that leaves it open, from the addresses. */
static cudaError_t check_sides(const struct copy *copy, bool *to_card, bool *from_card) {
    *to_card = copy->kind == cudaMemcpyHostToDevice || copy->kind == cudaMemcpyDeviceToDevice;
    *from_card = copy->kind == cudaMemcpyDeviceToHost || copy->kind == cudaMemcpyDeviceToDevice;
    if ((unsigned)copy->kind > cudaMemcpyDefault)
        return cudaErrorInvalidMemcpyDirection;
    if (copy->kind == cudaMemcpyDefault) {
        *to_card = memory_touches_device(copy->to);
        *from_card = memory_touches_device(copy->from);
    }
    if ((!*to_card && memory_touches_device(copy->to)) || (!*from_card && memory_touches_device(copy->from)))
        return cudaErrorInvalidMemcpyDirection;
    bool fits = (!*to_card || emulated_is_reachable(copy->to, span(copy->to_pitch, copy))) &&
                (!*from_card || emulated_is_reachable(copy->from, span(copy->from_pitch, copy)));
    return fits ? cudaSuccess : cudaErrorInvalidValue;
}

static cudaError_t put(cudaStream_t stream, const struct copy *copy, bool staged) {
    if (!staged)
        return stream_enqueue(stream, run_copy, copy, sizeof *copy, false);
    size_t size = span(copy->from_pitch, copy);
    unsigned char *whole = malloc(sizeof *copy + size);
    if (whole == NULL)
        card_abort("out of memory");
    memcpy(whole, copy, sizeof *copy);
    memcpy(whole + sizeof *copy, copy->from, size);
    ((struct copy *)(void *)whole)->staged = true;
    cudaError_t error = stream_enqueue(stream, run_copy, whole, sizeof *copy + size, false);
    free(whole);
    return error;
}

/*
 * Memory that is not pinned is staged by the driver, which may have read it by the time that the call returns, or not;
 * into such memory a copy is over when the call returns. With either, no copy is asynchronous: they are counted.
 */
static cudaError_t copy_rows(const struct copy *copy, cudaStream_t stream, bool synchronous) {
    bool to_card, from_card;
    if (copy->width == 0 || copy->height == 0)
        return cudaSuccess;
    if (copy->width > copy->to_pitch || copy->width > copy->from_pitch)
        return cudaErrorInvalidPitchValue;
    if (copy->to == NULL || copy->from == NULL)
        return cudaErrorInvalidValue;
    cudaError_t error = check_sides(copy, &to_card, &from_card);
    if (error != cudaSuccess)
        return error;
    bool captured = stream_of(stream)->capture != NULL;
    bool from_pageable = !from_card && !memory_is_pinned(copy->from, span(copy->from_pitch, copy));
    bool to_pageable = !to_card && !memory_is_pinned(copy->to, span(copy->to_pitch, copy));
    if (!synchronous && (from_pageable || to_pageable))
        emulated_call("pageable copies");
    error = put(stream, copy, !synchronous && !captured && from_pageable && card_random(2) == 0);
    bool waits = (synchronous && !(to_card && from_card)) || to_pageable;
    return error != cudaSuccess || captured || !waits ? error : work_wait(stream_of(stream)->last);
}

static struct copy flat(void *to, const void *from, size_t size, enum cudaMemcpyKind kind) {
    return (struct copy){
        .to = to, .from = from, .to_pitch = size, .from_pitch = size, .width = size, .height = 1, .kind = kind};
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t size, enum cudaMemcpyKind kind) {
    struct copy copy = flat(to, from, size, kind);
    return CALL(copy_rows(&copy, NULL, true));
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, enum cudaMemcpyKind kind, cudaStream_t stream) {
    struct copy copy = flat(to, from, size, kind);
    return CALL(copy_rows(&copy, stream, false));
}

cudaError_t cudaMemcpy2D(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width, size_t height,
                         enum cudaMemcpyKind kind) {
    struct copy copy = {to, from, to_pitch, from_pitch, width, height, kind, false};
    return CALL(copy_rows(&copy, NULL, true));
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width,
                              size_t height, enum cudaMemcpyKind kind, cudaStream_t stream) {
    struct copy copy = {to, from, to_pitch, from_pitch, width, height, kind, false};
    return CALL(copy_rows(&copy, stream, false));
}

/* ---- fills */

struct fill {
    unsigned char *to;
    size_t pitch, width, height;
    int value;
};

static void run_fill(void *argument) {
    const struct fill *fill = argument;
    memory_open(ALL_DEVICES);
    for (size_t row = 0; row < fill->height; row++)
        memset(fill->to + row * fill->pitch, fill->value, fill->width);
}

static cudaError_t fill_rows(struct fill fill, cudaStream_t stream) {
    if (fill.width == 0 || fill.height == 0)
        return cudaSuccess;
    if (fill.width > fill.pitch)
        return cudaErrorInvalidPitchValue;
    if (!emulated_is_reachable(fill.to, fill.pitch * (fill.height - 1) + fill.width))
        return cudaErrorInvalidValue;
    return stream_enqueue(stream, run_fill, &fill, sizeof fill, false);
}

cudaError_t cudaMemset(void *to, int value, size_t size) {
    struct fill fill = {to, size, size, 1, value};
    return CALL(fill_rows(fill, NULL));
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t size, cudaStream_t stream) {
    struct fill fill = {to, size, size, 1, value};
    return CALL(fill_rows(fill, stream));
}

cudaError_t cudaMemset2D(void *to, size_t pitch, int value, size_t width, size_t height) {
    struct fill fill = {to, pitch, width, height, value};
    return CALL(fill_rows(fill, NULL));
}

cudaError_t cudaMemset2DAsync(void *to, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream) {
    struct fill fill = {to, pitch, width, height, value};
    return CALL(fill_rows(fill, stream));
}
