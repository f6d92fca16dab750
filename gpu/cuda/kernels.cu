/* kernels.cu: what the device does beside cuBLASLt's products: fetches rows, answers them, converts weights, breaks. */
#include "kernels.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#ifdef __CUDACC__
#include <assert.h>
#endif

/*
 * A kernel's name is plain, so that it can be found by it; what is the same for all types is a template, and each type
 * has a kernel that is one line. The parts at the end that launch them are the only ones that need nvcc: any compiler
 * of C++ that knows threadIdx and its like can take the rest.
 */

/* An answer of up to so many outputs is one warp's work, and ANSWER_ROWS of them a block's; else a block's alone. */
static const uint32_t WARP = 32, ANSWER_FEW = 128, ANSWER_ROWS = 4, ANSWER_THREADS = 256;
static const uint32_t GATHER_THREADS = 1024, CONVERT_THREADS = 256, CONVERT_BLOCKS = 8192;

/* ---- numbers */

template <typename Number> static __device__ Number narrowed(float number);

template <> __device__ float narrowed<float>(float number) {
    return number;
}

template <> __device__ __half narrowed<__half>(float number) {
    return __float2half_rn(number);
}

template <> __device__ __nv_bfloat16 narrowed<__nv_bfloat16>(float number) {
    return __float2bfloat16_rn(number);
}

static __device__ float widened(float number) {
    return number;
}

static __device__ float widened(__half number) {
    return __half2float(number);
}

static __device__ float widened(__nv_bfloat16 number) {
    return __bfloat162float(number);
}

/* False for NaN, too. */
static __device__ bool is_finite(float number) {
    return fabsf(number) <= 3.402823466e38F;
}

/* Four numbers that are read or written by one instruction, as their alignment allows. */
template <typename Number> struct alignas(4 * sizeof(Number)) four { Number numbers[4]; };

template <typename Number> static __device__ bool holds_fours(const Number *numbers) {
    return (uintptr_t)numbers % alignof(four<Number>) == 0;
}

/* ---- gather */

/*
 * One block a row. The row comes over the bus, where what counts is how many bytes are on their way at once: there are
 * as many threads as fetch all of the row in one go, 16 bytes each, if it is not above 16 KB. Rows of a request of an
 * odd number of bytes lie anywhere, and are fetched by 4 bytes a thread.
 *   What is too large for the type shows as infinity once it is of the type.
 */
template <typename Number>
static __device__ void gather(const struct row_table *table, uint32_t inputs, uint32_t stride, Number *to,
                              uint32_t *odd) {
    const float *from = table->inputs[blockIdx.x];
    Number *numbers = to + (size_t)blockIdx.x * stride;
    uint32_t count = from != NULL ? inputs : 0;
    uint32_t fours = holds_fours(from) && holds_fours(numbers) ? count / 4 : 0;
    int wrong = 0;
    for (uint32_t i = threadIdx.x; i < fours; i += blockDim.x) {
        const four<float> wide = ((const four<float> *)from)[i];
        four<Number> narrow;
        for (int j = 0; j < 4; j++) {
            narrow.numbers[j] = narrowed<Number>(wide.numbers[j]);
            wrong |= !is_finite(widened(narrow.numbers[j]));
        }
        ((four<Number> *)numbers)[i] = narrow;
    }
    for (uint32_t i = 4 * fours + threadIdx.x; i < count; i += blockDim.x) {
        const Number number = narrowed<Number>(from[i]);
        wrong |= !is_finite(widened(number));
        numbers[i] = number;
    }
    for (uint32_t i = count + threadIdx.x; i < stride; i += blockDim.x)
        numbers[i] = narrowed<Number>(0);
    wrong = __syncthreads_or(wrong);
    if (threadIdx.x == 0)
        odd[blockIdx.x] = wrong != 0;
}

extern "C" __global__ void gather_fp32(const struct row_table *table, uint32_t inputs, uint32_t stride, float *to,
                                       uint32_t *odd) {
    gather(table, inputs, stride, to, odd);
}

extern "C" __global__ void gather_fp16(const struct row_table *table, uint32_t inputs, uint32_t stride, __half *to,
                                       uint32_t *odd) {
    gather(table, inputs, stride, to, odd);
}

extern "C" __global__ void gather_bf16(const struct row_table *table, uint32_t inputs, uint32_t stride,
                                       __nv_bfloat16 *to, uint32_t *odd) {
    gather(table, inputs, stride, to, odd);
}

/* ---- answer */

template <bool GREATEST> static __device__ float combined(float left, float right) {
    return GREATEST ? fmaxf(left, right) : left + right;
}

/*
 * The greatest, or the sum, of what all threads of a row bring, for all of them; the block shares of_warp, a number for
 * each warp. The order is always the same, and so are the bits, whatever the batch.
 */
template <uint32_t THREADS, bool GREATEST> static __device__ float of_row(float value, float *of_warp) {
    for (uint32_t distance = WARP / 2; distance > 0; distance /= 2)
        value = combined<GREATEST>(value, __shfl_xor_sync(0xffffffff, value, distance));
    if constexpr (THREADS > WARP) {
        __syncthreads(); /* all have read what was left there by the last one of these */
        if (threadIdx.x % WARP == 0)
            of_warp[threadIdx.x / WARP] = value;
        __syncthreads();
        value = of_warp[0];
        for (uint32_t warp = 1; warp < THREADS / WARP; warp++)
            value = combined<GREATEST>(value, of_warp[warp]);
    }
    return value;
}

/*
 * The greatest is subtracted first, else exp overflows above 88. fmaxf passes NaN over, and the sum does not: a row
 * that has one answers NaN throughout, as the reference does. Each thread writes only what it alone has computed.
 */
template <uint32_t THREADS>
static __device__ void answer_row(const struct row_table *table, const uint32_t *odd, uint32_t row, uint32_t outputs,
                                  uint32_t stride, const float *from, bool softmax) {
    __shared__ float of_warp[THREADS / WARP];
    const float *numbers = from + (size_t)row * stride;
    float *to = table->outputs[row];
    if (to == NULL)
        return;
    const uint32_t first = threadIdx.x % THREADS;
    if (odd[row] != 0) {
        for (uint32_t i = first; i < outputs; i += THREADS)
            to[i] = nanf("");
    } else if (!softmax) {
        for (uint32_t i = first; i < outputs; i += THREADS)
            to[i] = numbers[i];
    } else {
        float greatest = -INFINITY, sum = 0;
        for (uint32_t i = first; i < outputs; i += THREADS)
            greatest = fmaxf(greatest, numbers[i]);
        greatest = of_row<THREADS, true>(greatest, of_warp);
        for (uint32_t i = first; i < outputs; i += THREADS)
            sum += expf(numbers[i] - greatest);
        sum = of_row<THREADS, false>(sum, of_warp);
        for (uint32_t i = first; i < outputs; i += THREADS)
            to[i] = expf(numbers[i] - greatest) / sum;
    }
}

extern "C" __global__ void answer_by_warps(const struct row_table *table, const uint32_t *odd, uint32_t rows,
                                           uint32_t outputs, uint32_t stride, const float *from, bool softmax) {
    const uint32_t row = blockIdx.x * ANSWER_ROWS + threadIdx.x / WARP;
    if (row < rows) /* the same for all of a warp, which therefore stays together */
        answer_row<WARP>(table, odd, row, outputs, stride, from, softmax);
}

extern "C" __global__ void answer_by_blocks(const struct row_table *table, const uint32_t *odd, uint32_t outputs,
                                            uint32_t stride, const float *from, bool softmax) {
    answer_row<ANSWER_THREADS>(table, odd, blockIdx.x, outputs, stride, from, softmax);
}

/* ---- convert */

/* Once for each model that is loaded: no time is lost here that anybody would see. */
template <typename Number>
static __device__ void convert(const float *from, uint32_t rows, uint32_t columns, Number *to, uint32_t to_rows,
                               uint32_t stride) {
    for (uint32_t row = blockIdx.x; row < to_rows; row += gridDim.x)
        for (uint32_t i = threadIdx.x; i < stride; i += blockDim.x)
            to[(size_t)row * stride + i] =
                narrowed<Number>(row < rows && i < columns ? from[(size_t)row * columns + i] : 0);
}

extern "C" __global__ void convert_fp32(const float *from, uint32_t rows, uint32_t columns, float *to, uint32_t to_rows,
                                        uint32_t stride) {
    convert(from, rows, columns, to, to_rows, stride);
}

extern "C" __global__ void convert_fp16(const float *from, uint32_t rows, uint32_t columns, __half *to,
                                        uint32_t to_rows, uint32_t stride) {
    convert(from, rows, columns, to, to_rows, stride);
}

extern "C" __global__ void convert_bf16(const float *from, uint32_t rows, uint32_t columns, __nv_bfloat16 *to,
                                        uint32_t to_rows, uint32_t stride) {
    convert(from, rows, columns, to, to_rows, stride);
}

/* ---- fault */

/* The address is an argument: a compiler that saw it would know that nothing is there, and leave the store out. */
extern "C" __global__ void fault_address(volatile uint32_t *nowhere) {
    *nowhere = 1;
}

extern "C" __global__ void fault_assertion(uint32_t number) {
    assert(number != 710 && "made to fail");
    (void)number;
}

extern "C" __global__ void fault_trap(void) {
    __trap();
}

#ifdef __CUDACC__

/* ---- the launches */

cudaError_t launch_gather(const struct row_table *table, uint32_t rows, uint32_t inputs, uint32_t stride,
                          enum number_type type, void *to, uint32_t *odd, cudaStream_t stream) {
    const uint32_t width = stride > inputs ? stride : inputs;
    const uint32_t whole = (width + 4 * WARP - 1) / (4 * WARP) * WARP;
    const uint32_t threads = whole < GATHER_THREADS ? whole : GATHER_THREADS;
    if (rows == 0)
        return cudaSuccess;
    if (type == NUMBER_FP32)
        gather_fp32<<<rows, threads, 0, stream>>>(table, inputs, stride, (float *)to, odd);
    else if (type == NUMBER_FP16)
        gather_fp16<<<rows, threads, 0, stream>>>(table, inputs, stride, (__half *)to, odd);
    else
        gather_bf16<<<rows, threads, 0, stream>>>(table, inputs, stride, (__nv_bfloat16 *)to, odd);
    return cudaGetLastError();
}

cudaError_t launch_answer(const struct row_table *table, const uint32_t *odd, uint32_t rows, uint32_t outputs,
                          uint32_t stride, const float *from, bool softmax, cudaStream_t stream) {
    if (rows == 0)
        return cudaSuccess;
    if (outputs <= ANSWER_FEW)
        answer_by_warps<<<(rows + ANSWER_ROWS - 1) / ANSWER_ROWS, ANSWER_ROWS * WARP, 0, stream>>>(
            table, odd, rows, outputs, stride, from, softmax);
    else
        answer_by_blocks<<<rows, ANSWER_THREADS, 0, stream>>>(table, odd, outputs, stride, from, softmax);
    return cudaGetLastError();
}

cudaError_t launch_convert(const float *from, uint32_t rows, uint32_t columns, enum number_type type, void *to,
                           uint32_t to_rows, uint32_t stride, cudaStream_t stream) {
    const uint32_t blocks = to_rows < CONVERT_BLOCKS ? to_rows : CONVERT_BLOCKS;
    if (blocks == 0)
        return cudaSuccess;
    if (type == NUMBER_FP32)
        convert_fp32<<<blocks, CONVERT_THREADS, 0, stream>>>(from, rows, columns, (float *)to, to_rows, stride);
    else if (type == NUMBER_FP16)
        convert_fp16<<<blocks, CONVERT_THREADS, 0, stream>>>(from, rows, columns, (__half *)to, to_rows, stride);
    else
        convert_bf16<<<blocks, CONVERT_THREADS, 0, stream>>>(from, rows, columns, (__nv_bfloat16 *)to, to_rows, stride);
    return cudaGetLastError();
}

cudaError_t launch_fault(int error, cudaStream_t stream) {
    if (error == cudaErrorIllegalAddress)
        fault_address<<<1, 1, 0, stream>>>((volatile uint32_t *)16);
    else if (error == cudaErrorAssert)
        fault_assertion<<<1, 1, 0, stream>>>((uint32_t)error);
    else if (error == cudaErrorLaunchFailure)
        fault_trap<<<1, 1, 0, stream>>>();
    else
        return cudaErrorInvalidValue;
    return cudaGetLastError();
}

#endif
