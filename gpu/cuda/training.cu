/* training.cu: what learning takes beside the products: the loss and its slope, ReLU backwards, sums, the step. */
#include "training.h"

#include <math.h>

static const uint32_t WARP = 32, THREADS = 256;

/* ---- Kernels, which any compiler of C++ takes that knows threadIdx and its like */

/* One warp a row. Without the maximum taken off first, exp would overflow for numbers above 88. */
extern "C" __global__ void training_slopes(const float *answers, const uint8_t *labels, uint32_t outputs, uint32_t rows,
                                           float *slopes, float *losses) {
    const uint32_t row = blockIdx.x;
    const float *answer = answers + (size_t)row * outputs;
    float *slope = slopes + (size_t)row * outputs;
    if (row >= rows) {
        for (uint32_t i = threadIdx.x; i < outputs; i += blockDim.x)
            slope[i] = 0;
        if (threadIdx.x == 0)
            losses[row] = 0;
        return;
    }
    float most = answer[0], sum = 0;
    for (uint32_t i = threadIdx.x; i < outputs; i += blockDim.x)
        most = fmaxf(most, answer[i]);
    for (uint32_t distance = WARP / 2; distance > 0; distance /= 2)
        most = fmaxf(most, __shfl_xor_sync(0xffffffff, most, distance));
    for (uint32_t i = threadIdx.x; i < outputs; i += blockDim.x)
        sum += expf(answer[i] - most);
    for (uint32_t distance = WARP / 2; distance > 0; distance /= 2)
        sum += __shfl_xor_sync(0xffffffff, sum, distance);
    const float log_sum = most + logf(sum);
    for (uint32_t i = threadIdx.x; i < outputs; i += blockDim.x)
        slope[i] = expf(answer[i] - log_sum) - (i == labels[row] ? 1.0F : 0.0F);
    if (threadIdx.x == 0)
        losses[row] = log_sum - answer[labels[row]];
}

extern "C" __global__ void training_relu_back(const float *outputs, size_t count, float *slopes) {
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count && !(outputs[i] > 0))
        slopes[i] = 0;
}

/* One thread a column: the threads of a warp read what lies side by side. */
extern "C" __global__ void training_column_sums(const float *from, uint32_t rows, uint32_t columns, float *sums) {
    const uint32_t column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= columns)
        return;
    float sum = 0;
    for (uint32_t row = 0; row < rows; row++)
        sum += from[(size_t)row * columns + column];
    sums[column] = sum;
}

/* One block: each thread adds up some, and then half of the threads add the others' sums to theirs, again and again. */
extern "C" __global__ void training_add_losses(const float *losses, uint32_t rows, double *sum) {
    __shared__ double sums[256];
    double own = 0;
    for (uint32_t row = threadIdx.x; row < rows; row += blockDim.x)
        own += (double)losses[row];
    sums[threadIdx.x] = own;
    __syncthreads();
    for (uint32_t half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half)
            sums[threadIdx.x] += sums[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0)
        *sum += sums[0];
}

extern "C" __global__ void training_step(float *numbers, const float *gradient, size_t count, float scale,
                                         float momentum, float *velocities) {
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count)
        return;
    const float velocity = momentum * velocities[i] - scale * gradient[i];
    velocities[i] = velocity;
    numbers[i] += velocity;
}

/* ---- Their launches, which take nvcc */

#ifdef __CUDACC__
static uint32_t blocks_of(size_t count) {
    return (uint32_t)((count + THREADS - 1) / THREADS);
}

extern "C" cudaError_t launch_slopes(const float *answers, const uint8_t *labels, uint32_t outputs, uint32_t rows,
                                     uint32_t all_rows, float *slopes, float *losses, cudaStream_t stream) {
    training_slopes<<<all_rows, WARP, 0, stream>>>(answers, labels, outputs, rows, slopes, losses);
    return cudaGetLastError();
}

extern "C" cudaError_t launch_relu_back(const float *outputs, size_t count, float *slopes, cudaStream_t stream) {
    training_relu_back<<<blocks_of(count), THREADS, 0, stream>>>(outputs, count, slopes);
    return cudaGetLastError();
}

extern "C" cudaError_t launch_column_sums(const float *from, uint32_t rows, uint32_t columns, float *sums,
                                          cudaStream_t stream) {
    training_column_sums<<<blocks_of(columns), THREADS, 0, stream>>>(from, rows, columns, sums);
    return cudaGetLastError();
}

extern "C" cudaError_t launch_add_losses(const float *losses, uint32_t rows, double *sum, cudaStream_t stream) {
    training_add_losses<<<1, THREADS, 0, stream>>>(losses, rows, sum);
    return cudaGetLastError();
}

extern "C" cudaError_t launch_step(float *numbers, const float *gradient, size_t count, float scale, float momentum,
                                   float *velocities, cudaStream_t stream) {
    training_step<<<blocks_of(count), THREADS, 0, stream>>>(numbers, gradient, count, scale, momentum, velocities);
    return cudaGetLastError();
}
#endif
