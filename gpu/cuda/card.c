/* card.c: opens a card; pins the memory that it shall reach; see card.h. */
#include "card.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "pins.h"

static const struct precision {
    const char *name;
    enum number_type type;
    cublasComputeType_t compute;
} PRECISIONS[] = {
    {"fp32", NUMBER_FP32, CUBLAS_COMPUTE_32F},
    {"tf32", NUMBER_FP32, CUBLAS_COMPUTE_32F_FAST_TF32},
    {"fp16", NUMBER_FP16, CUBLAS_COMPUTE_32F},
    {"bf16", NUMBER_BF16, CUBLAS_COMPUTE_32F},
};

static const char STAGED[] = "as asked for";

static void set_precision(struct card *card, const struct precision *precision) {
    card->type = precision->type;
    card->compute = precision->compute;
    card->precision = precision->name;
}

/* "0:bf16:spin:staged", which has been checked; what is said last counts. */
static void read_parameters(struct card *card, const char *parameters) {
    char *rest;
    card->number = (int)strtol(parameters, &rest, 10);
    set_precision(card, &PRECISIONS[0]);
    while (*rest == ':') {
        const char *option = rest + 1;
        size_t length = strcspn(option, ":");
        if (strncmp(option, "spin", length) == 0)
            card->spin = true;
        else if (strncmp(option, "staged", length) == 0)
            snprintf(card->unpinned, sizeof card->unpinned, "%s", STAGED);
        for (size_t i = 0; i < sizeof PRECISIONS / sizeof *PRECISIONS; i++)
            if (strncmp(option, PRECISIONS[i].name, length) == 0)
                set_precision(card, &PRECISIONS[i]);
        rest += 1 + length;
    }
}

/* Also says how this thread is to wait for the card: the flags are the card's, for all threads of the process. */
static int start(struct card *card, struct failure *failure) {
    unsigned flags = cudaDeviceMapHost | (card->spin ? cudaDeviceScheduleSpin : cudaDeviceScheduleBlockingSync);
    int count = 0, number = card->number; /* without a driver CUDA leaves the count as it was */
    int result = CUDA(failure, cudaGetDeviceCount(&count));
    if (result == 0 && number >= count)
        result = fail(failure, -ENODEV, "there is no card %d: this process sees %d, numbered from 0 (nvidia-smi -L)",
                      number, count);
    if (result == 0)
        result = CUDA(failure, cudaInitDevice(number, flags, cudaInitDeviceFlagsAreValid));
    if (result == 0)
        result = CUDA(failure, cudaSetDevice(number));
    if (result == 0)
        result = CUDA(failure, cudaStreamCreateWithFlags(&card->stream, cudaStreamNonBlocking));
    if (result == 0)
        result = CUBLAS(failure, cublasLtCreate(&card->blas));
    return result;
}

/* A card that cannot have it works without; only an error that lasts is one here. */
static int pin(struct card *card, void *memory, size_t size, struct failure *failure) {
    void *reached;
    if (memory == NULL || size == 0 || card->unpinned[0] != '\0')
        return 0;
    const char *call = "cudaHostRegister";
    cudaError_t error = pin_memory(memory, size);
    if (error == cudaSuccess) {
        card->memory = memory;
        card->memory_size = size;
        call = "cudaHostGetDevicePointer";
        error = cudaHostGetDevicePointer(&reached, memory, 0);
    }
    if (error == cudaSuccess) {
        card->reached = reached;
        return 0;
    }
    if (card->memory != NULL)
        unpin_memory(memory);
    card->memory = NULL;
    if (error_is_fatal(error))
        return check_cuda(failure, error, call, __FILE__, __LINE__);
    cudaGetLastError(); /* would come up again at the next launch */
    snprintf(card->unpinned, sizeof card->unpinned, "%s: %s (%d)", call, cudaGetErrorName(error), (int)error);
    return 0;
}

int card_open(struct card *card, const char *parameters, void *memory, size_t size, struct failure *failure) {
    *card = (struct card){0};
    read_parameters(card, parameters);
    int result = start(card, failure);
    if (result == 0)
        result = pin(card, memory, size, failure);
    if (result != 0)
        card_close(card);
    return result;
}

/* After an error that lasts each of these answers with it again, and the end of the process gives all back. */
void card_close(struct card *card) {
    if (card->memory != NULL)
        unpin_memory((void *)(uintptr_t)card->memory);
    if (card->blas != NULL)
        cublasLtDestroy(card->blas);
    if (card->stream != NULL)
        cudaStreamDestroy(card->stream);
    cudaGetLastError();
    *card = (struct card){0};
}

/* "GPU-1c5d7a3e-...": as nvidia-smi writes it. */
static void write_uuid(const cudaUUID_t *uuid, char text[48]) {
    static const char FORM[] = "GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    char digits[33];
    for (size_t i = 0; i < 16; i++)
        snprintf(digits + 2 * i, 3, "%02x", (unsigned)(unsigned char)uuid->bytes[i]);
    size_t used = 0;
    for (size_t i = 0; i < sizeof FORM; i++)
        text[i] = FORM[i] == 'x' ? digits[used++] : FORM[i];
}

int card_describe(const struct card *card, char *text, size_t size, struct failure *failure) {
    struct cudaDeviceProp facts;
    char uuid[48];
    int result = CUDA(failure, cudaGetDeviceProperties(&facts, card->number));
    if (result != 0)
        return result;
    write_uuid(&facts.uuid, uuid);
    const char *slots = card->unpinned[0] != '\0' ? "; staging: " : card->memory != NULL ? "; slots pinned" : "";
    snprintf(text, size, "%.48s, %s, %04x:%02x:%02x.0, %.3g GiB, compute %d.%d, %s, %s%s%s", facts.name, uuid,
             (unsigned)facts.pciDomainID, (unsigned)facts.pciBusID, (unsigned)facts.pciDeviceID,
             (double)facts.totalGlobalMem / (1 << 30), facts.major, facts.minor, card->precision,
             card->spin ? "spinning" : "blocking", slots, card->unpinned);
    return 0;
}
