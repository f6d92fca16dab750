/* checked.h: every call of NVIDIA's libraries is checked: what failed, where, why, and what to do about it. */
#ifndef GPU_CUDA_CHECKED_H
#define GPU_CUDA_CHECKED_H

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <stdbool.h>

#include "failure.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * CUDA(failure, cudaMalloc(&memory, size)) is 0, or a negative code with a sentence such as
 *
 *     gpu/cuda/network.c:30: cudaMalloc(&memory, size): cudaErrorMemoryAllocation (2), out of memory; take smaller
 *     batches, or fewer models
 *
 * The codes: -ENOMEM where memory is short, which does not last; -ENODEV where there is no card or no driver that
 * serves; else -EIO. An error that does not last is forgotten by CUDA here, so that it does not come up again as that
 * of a later launch; one that lasts comes back from every later call.
 */
#define CUDA(failure, call) check_cuda(failure, call, #call, __FILE__, __LINE__)
#define CUBLAS(failure, call) check_cublas(failure, call, #call, __FILE__, __LINE__)

int check_cuda(struct failure *failure, cudaError_t error, const char *call, const char *file, int line) AT_MUST_CHECK;
int check_cublas(struct failure *failure, cublasStatus_t status, const char *call, const char *file,
                 int line) AT_MUST_CHECK;

/* The same sentence for another library's call; `hint` may be "". Returns `code`. */
int check_failed(struct failure *failure, int code, const char *name, int number, const char *sentence,
                 const char *hint, const char *call, const char *file, int line);

/*
 * Waits for what is in the stream, also after calls that failed with `result`: memory that is in use must not be given
 * back. Returns `result`, or what the waiting has found where that is worse: an error that lasts.
 */
int check_over(struct failure *failure, int result, cudaStream_t stream) AT_MUST_CHECK;

/* Whether a process that has met this error can do nothing more with its card: it must end, and another begin. */
bool error_is_fatal(cudaError_t error);

#ifdef __cplusplus
}
#endif

#endif
