/* checked.c: what the errors of CUDA and cuBLASLt mean for the program, and what a reader can do about them. */
#include "checked.h"

#include <errno.h>

struct meaning {
    int error, code;
    bool fatal;
    const char *hint;
};

#define DRIVER "nvidia-smi has to work first, with a driver for CUDA 13 (580 or newer)"
#define SANITIZE "run it under compute-sanitizer, which names the kernel and the line"
#define REPLACE "the card has failed; see the kernel's log (dmesg) for its Xid, and reset the card"

/* What is not named here is -EIO, not fatal, without a hint. The numbers are cudaError_t's (driver_types.h). */
static const struct meaning MEANINGS[] = {
    {cudaErrorMemoryAllocation, -ENOMEM, false, "take smaller batches, fewer models, or fewer workers on this card"},
    {cudaErrorInitializationError, -ENODEV, true, "a process that was forked cannot use CUDA; execute a new program"},
    {cudaErrorStubLibrary, -ENODEV, true, "the driver's stub library was found first; look at LD_LIBRARY_PATH"},
    {cudaErrorInsufficientDriver, -ENODEV, true, "no driver, or one too old: " DRIVER},
    {cudaErrorCallRequiresNewerDriver, -ENODEV, false, DRIVER},
    {cudaErrorDevicesUnavailable, -ENODEV, true, "another process has the card alone (nvidia-smi -q -d COMPUTE)"},
    {cudaErrorNoDevice, -ENODEV, true, "no card: see nvidia-smi -L, and what CUDA_VISIBLE_DEVICES leaves"},
    {cudaErrorInvalidDevice, -ENODEV, true, "no such card: see nvidia-smi -L, and what CUDA_VISIBLE_DEVICES leaves"},
    {cudaErrorNoKernelImageForDevice, -ENODEV, false, "built for other cards: build with CUDA_CODE='-arch=native'"},
    {cudaErrorECCUncorrectable, -EIO, true, REPLACE},
    {cudaErrorInvalidPtx, -ENODEV, false, "built for other cards: build with CUDA_CODE='-arch=native'"},
    {cudaErrorNvlinkUncorrectable, -EIO, true, REPLACE},
    {cudaErrorUnsupportedPtxVersion, -ENODEV, false, DRIVER},
    {cudaErrorContained, -EIO, true, REPLACE},
    {cudaErrorOperatingSystem, -EIO, false, "see the limits of pinned memory (ulimit -l)"},
    {cudaErrorIllegalAddress, -EIO, true, SANITIZE},
    {cudaErrorLaunchTimeout, -EIO, true, "a display's card stops long kernels; take smaller batches, or another card"},
    {cudaErrorContextIsDestroyed, -EIO, true, "a client of MPS has failed, or the card was reset"},
    {cudaErrorAssert, -EIO, true, "an assertion in a kernel failed; its text is on stderr"},
    {cudaErrorHardwareStackError, -EIO, true, SANITIZE},
    {cudaErrorIllegalInstruction, -EIO, true, SANITIZE},
    {cudaErrorMisalignedAddress, -EIO, true, SANITIZE},
    {cudaErrorInvalidAddressSpace, -EIO, true, SANITIZE},
    {cudaErrorInvalidPc, -EIO, true, SANITIZE},
    {cudaErrorLaunchFailure, -EIO, true, SANITIZE},
    {cudaErrorTensorMemoryLeak, -EIO, true, SANITIZE},
    {cudaErrorNotSupported, -EIO, false, "this card, or its driver, cannot do that"},
    {cudaErrorSystemNotReady, -ENODEV, true, "is nvidia-fabricmanager running?"},
    {cudaErrorSystemDriverMismatch, -ENODEV, true, "the driver was updated: restart the machine"},
    {cudaErrorMpsConnectionFailed, -ENODEV, true, "MPS does not answer: is nvidia-cuda-mps-control running?"},
    {cudaErrorMpsClientTerminated, -EIO, true, "another client of MPS has failed"},
    {cudaErrorExternalDevice, -EIO, true, "another card, or what is beside it, has failed"},
    {cudaErrorUnknown, -EIO, true, "see the kernel's log (dmesg); a restart of the machine may help"},
};

static const struct meaning *meaning_of(cudaError_t error) {
    static const struct meaning NONE = {.code = -EIO, .hint = ""};
    for (size_t i = 0; i < sizeof MEANINGS / sizeof *MEANINGS; i++)
        if (MEANINGS[i].error == (int)error)
            return &MEANINGS[i];
    return &NONE;
}

bool error_is_fatal(cudaError_t error) {
    return meaning_of(error)->fatal;
}

int check_failed(struct failure *failure, int code, const char *name, int number, const char *sentence,
                 const char *hint, const char *call, const char *file, int line) {
    return fail(failure, code, "%s:%d: %.80s: %s (%d), %.80s%s%s", file, line, call, name, number, sentence,
                *hint != '\0' ? "; " : "", hint);
}

int check_cuda(struct failure *failure, cudaError_t error, const char *call, const char *file, int line) {
    if (error == cudaSuccess)
        return 0;
    const struct meaning *meaning = meaning_of(error);
    cudaGetLastError(); /* forgets this one, if it can be forgotten */
    return check_failed(failure, meaning->code, cudaGetErrorName(error), (int)error, cudaGetErrorString(error),
                        meaning->hint, call, file, line);
}

/* cuBLASLt's own word for it hides CUDA's error, which says more. */
int check_cublas(struct failure *failure, cublasStatus_t status, const char *call, const char *file, int line) {
    if (status == CUBLAS_STATUS_SUCCESS)
        return 0;
    cudaError_t error = cudaGetLastError();
    if (error != cudaSuccess)
        return check_cuda(failure, error, call, file, line);
    int code = status == CUBLAS_STATUS_ALLOC_FAILED ? -ENOMEM : status == CUBLAS_STATUS_ARCH_MISMATCH ? -ENODEV : -EIO;
    return check_failed(failure, code, cublasLtGetStatusName(status), (int)status, cublasLtGetStatusString(status),
                        code == -ENOMEM ? meaning_of(cudaErrorMemoryAllocation)->hint : "", call, file, line);
}

int check_over(struct failure *failure, int result, cudaStream_t stream) {
    struct failure other;
    int waited = CUDA(&other, cudaStreamSynchronize(stream));
    if (waited != 0)
        cudaDeviceSynchronize(); /* it has said why, but perhaps not waited */
    if (waited == 0 || (result != 0 && result != -ENOMEM))
        return result;
    *failure = other;
    return waited;
}
