/* trials.cu: kernels that try the emulated card itself, some of them wrong on purpose (tests/test_cuda_emulated.c). */
#include <assert.h>
#include <mma.h>
#include <stdint.h>

/* Turns a block's numbers around through shared memory; without the barrier, some threads read too early. */
static __device__ void turn(float *numbers, bool together) {
    __shared__ float copy[1024];
    copy[threadIdx.x] = numbers[threadIdx.x];
    if (together)
        __syncthreads();
    numbers[threadIdx.x] = copy[blockDim.x - 1 - threadIdx.x];
}

extern "C" __global__ void trial_turn(float *numbers) {
    turn(numbers, true);
}

extern "C" __global__ void trial_turn_too_early(float *numbers) {
    turn(numbers, false);
}

extern "C" __global__ void trial_add(float *numbers, uint32_t count, float more) {
    for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x)
        numbers[i] += more;
}

extern "C" __global__ void trial_double(float *numbers, uint32_t count) {
    for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x)
        numbers[i] *= 2;
}

extern "C" __global__ void trial_store(float *numbers, long index) {
    numbers[index] = 1;
}

/* Through an address that is found in memory: nobody sees it at the launch. */
extern "C" __global__ void trial_follow(float **places) {
    *places[threadIdx.x] += 1;
}

extern "C" __global__ void trial_assert(int number) {
    assert(number == 0 && "a trial");
    (void)number;
}

extern "C" __global__ void trial_trap(void) {
    __trap();
}

/* Half of the block never comes to the barrier, and waits at another one. */
extern "C" __global__ void trial_lost(void) {
    if (threadIdx.x % 2 == 0)
        __syncthreads();
    else
        __syncwarp(0xffffffff);
}

/* The sum of the block's numbers in numbers[0], over dynamic shared memory, warps and lanes. */
extern "C" __global__ void __launch_bounds__(1024) trial_sum(float *numbers, uint32_t *counts) {
    extern __shared__ float sums[];
    float sum = numbers[threadIdx.x];
    for (int distance = 16; distance > 0; distance /= 2)
        sum += __shfl_xor_sync(0xffffffff, sum, distance);
    if (threadIdx.x % 32 == 0)
        sums[threadIdx.x / 32] = sum;
    int positive = __syncthreads_count(numbers[threadIdx.x] > 0);
    if (threadIdx.x < 32) {
        sum = threadIdx.x < blockDim.x / 32 ? sums[threadIdx.x] : 0;
        for (int distance = 16; distance > 0; distance /= 2)
            sum += __shfl_down_sync(0xffffffff, sum, distance);
        unsigned even = __ballot_sync(0xffffffff, threadIdx.x % 2 == 0);
        if (threadIdx.x == 0) {
            numbers[0] = sum;
            counts[0] = (uint32_t)positive;
            counts[1] = even;
        }
    }
    atomicAdd(&counts[2], 1);
}

/* to = left right, of 16 x 16 numbers each. */
extern "C" __global__ void trial_product(const __half *left, const __half *right, float *to) {
    using namespace nvcuda;
    wmma::fragment<wmma::matrix_a, 16, 16, 16, __half, wmma::row_major> a;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, __half, wmma::col_major> b;
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sums;
    wmma::fill_fragment(sums, 0.0f);
    wmma::load_matrix_sync(a, left, 16);
    wmma::load_matrix_sync(b, right, 16);
    wmma::mma_sync(sums, a, b, sums);
    wmma::store_matrix_sync(to, sums, 16, wmma::mem_row_major);
}
