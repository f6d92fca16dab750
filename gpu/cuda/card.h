/* card.h: a graphics card as this process uses it: how it computes and waits, and which of our memory it reaches. */
#ifndef GPU_CUDA_CARD_H
#define GPU_CUDA_CARD_H

#include <cublasLt.h>
#include <stddef.h>

#include "kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

struct card {
    int number;            /* of CUDA's, in this process */
    enum number_type type; /* of weights and of what one layer leaves for the next */
    cublasComputeType_t compute;
    const char *precision; /* "fp32", "tf32", "fp16", "bf16" */
    bool spin;             /* waits without giving its core away */
    cublasLtHandle_t blas;
    cudaStream_t stream; /* for what is done while nobody waits for an answer; does not wait for other streams */
    /*
     * The host's memory that the card reaches: what the host has at `memory` is at `reached` for the card. NULL: there
     * is none, and why.
     */
    const char *memory, *reached;
    size_t memory_size; /* bytes */
    char unpinned[160]; /* the reason, "" where nothing was asked for, or all went well */
};

/*
 * Opens a card for the calling thread, which then makes all calls. `parameters` is what follows "cuda:" (device.h,
 * gpu/devices/cuda.c): "0", "1:bf16:spin", "0:staged". `memory` of `size` bytes, NULL for none, is pinned, so that the
 * card reads and writes it itself; where that fails the card works without. -ENODEV: there is no such card, no driver.
 */
int card_open(struct card *card, const char *parameters, void *memory, size_t size,
              struct failure *failure) AT_MUST_CHECK;
/* Takes one that was never opened (all zero), too. What was made on the card must have been given back before. */
void card_close(struct card *card);

/* "NVIDIA H200, GPU-1c5d..., 0000:0a:00.0, 139 GiB, compute 9.0, fp32, blocking; slots pinned" */
int card_describe(const struct card *card, char *text, size_t size, struct failure *failure) AT_MUST_CHECK;

/* The card's address of host memory that it reaches; NULL: it does not reach all of it. */
static inline void *card_reach(const struct card *card, const void *memory, size_t size) {
    uintptr_t offset = (uintptr_t)memory - (uintptr_t)card->memory;
    if (card->memory == NULL || offset > card->memory_size || size > card->memory_size - offset)
        return NULL;
    return (void *)(uintptr_t)(card->reached + offset);
}

#ifdef __cplusplus
}
#endif

#endif
