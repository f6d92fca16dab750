/* kernels.h: the kernels that the device needs beside cuBLASLt, each by the function that launches it. */
#ifndef GPU_CUDA_KERNELS_H
#define GPU_CUDA_KERNELS_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stdint.h>

#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In which numbers a layer is computed; sums are always float. */
enum number_type { NUMBER_FP32, NUMBER_FP16, NUMBER_BF16 };

static inline size_t number_size(enum number_type type) {
    return type == NUMBER_FP32 ? 4 : 2;
}

/*
 * Where a batch's rows lie, as addresses of the card's: in memory of the host that the card reaches itself. NULL: no
 * row, there is one only to fill the batch up to a size that there is a graph for. It lies in pinned memory itself and
 * is read when the kernel runs, so that the same graph serves every batch.
 */
struct row_table {
    const float *inputs[DEVICE_BATCH];
    float *outputs[DEVICE_BATCH];
};

/*
 * All of these launch on the stream and return at once, with cudaSuccess or the launch's error.
 *
 * gather: row i of `to`, [rows][stride] numbers of the type, becomes the `inputs` numbers at table->inputs[i], with
 * zeros behind them; all zeros where that is NULL. `odd`, [rows], says of each row whether a number in it is not finite
 * (NaN, infinity, or too large for the type): what comes out of such a row is NaN (see answer).
 */
cudaError_t launch_gather(const struct row_table *table, uint32_t rows, uint32_t inputs, uint32_t stride,
                          enum number_type type, void *to, uint32_t *odd, cudaStream_t stream);

/*
 * answer: the first `outputs` numbers of row i of `from`, [rows][stride], go to table->outputs[i], through softmax if
 * asked for; NaN where odd[i] is not 0. Nothing is written where the pointer is NULL.
 */
cudaError_t launch_answer(const struct row_table *table, const uint32_t *odd, uint32_t rows, uint32_t outputs,
                          uint32_t stride, const float *from, bool softmax, cudaStream_t stream);

/*
 * convert: `from`, [rows][columns] floats on the card, becomes `to`, [to_rows][stride] numbers of the type, with zeros
 * where `from` has none: a layer's weights, padded.
 */
cudaError_t launch_convert(const float *from, uint32_t rows, uint32_t columns, enum number_type type, void *to,
                           uint32_t to_rows, uint32_t stride, cudaStream_t stream);

/*
 * fault: breaks the card for this process on purpose, with a kernel that does what that error means: 700, an illegal
 * address; 710, a failed assertion; 719, a trap. cudaErrorInvalidValue: no kernel here makes that error.
 */
cudaError_t launch_fault(int error, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif
