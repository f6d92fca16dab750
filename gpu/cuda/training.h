/* training.h: the kernels that a trainer needs beside cuBLASLt, each by the function that launches it. */
#ifndef GPU_CUDA_TRAINING_H
#define GPU_CUDA_TRAINING_H

#include <cuda_runtime_api.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * All of these launch on the stream and return at once, with cudaSuccess or the launch's error. Each sum is made in one
 * order, the same in every run: no atomic additions.
 *
 * slopes: for each of the first `rows` of `all_rows` rows, how its loss changes with the last layer's outputs before
 * softmax, [all_rows][outputs], and the loss itself, [all_rows]; both are 0 for the other rows, which only fill up. The
 * loss is minus the logarithm of the probability of the row's label.
 */
cudaError_t launch_slopes(const float *answers, const uint8_t *labels, uint32_t outputs, uint32_t rows,
                          uint32_t all_rows, float *slopes, float *losses, cudaStream_t stream);

/* relu_back: slopes, of `count` numbers that went through ReLU to become `outputs`: 0 where it let none pass. */
cudaError_t launch_relu_back(const float *outputs, size_t count, float *slopes, cudaStream_t stream);

/* column_sums: of `from`, [rows][columns], row after row: a bias's gradient. */
cudaError_t launch_column_sums(const float *from, uint32_t rows, uint32_t columns, float *sums, cudaStream_t stream);

/* add_losses: adds the rows' losses to *sum. */
cudaError_t launch_add_losses(const float *losses, uint32_t rows, double *sum, cudaStream_t stream);

/* step: as take_step (gpu/model/training.h). */
cudaError_t launch_step(float *numbers, const float *gradient, size_t count, float scale, float momentum,
                        float *velocities, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif
