/*
 * ladder.cu: the dense layer y = relu(x w^T + b) in six ways, each faster than the one before; read from top to bottom.
 *
 * Each number of y is a sum of `inputs` products: 2 * rows * inputs * outputs floating-point operations (FLOP) in all,
 * on (rows + outputs) * inputs numbers. So each number could be fetched once and be used for some thousand operations;
 * how often it is fetched instead is all that tells these versions apart. They are measured by two yardsticks, by
 * arithmetic alone: how many bytes a version fetches for a FLOP, and how many the card can. An H100's data sheet says
 * 67 TFLOP/s in fp32, 990 by its tensor cores in fp16, and 3.35 TB/s of memory: 0.05 bytes for a FLOP, or 0.003. The L2
 * cache gives perhaps twice as much, and an SM's own shared memory 128 bytes a clock: 0.5 for a FLOP in fp32, 0.03 for
 * one of its tensor cores.
 *
 *      version            bytes a FLOP    fetched from     what holds it up
 *      1 naive            4 (16 moved)    L1, L2           each load of a warp is 32 loads
 *      2 coalesced        4               L1, L2           the caches
 *      3 tiles            0.125           L2               shared memory: 4 bytes a FLOP
 *      4 registers        0.03            L2               the fp32 units, as it should be
 *      5 tensor cores     0.012           L2               shared memory and the wait at each step
 *      6 cuBLASLt         -               -                nothing that we know how to mend
 *
 * A warp is 32 threads that execute the same instruction. Its loads are as fast as the 32-byte sectors that they touch
 * are few. The threads of a block share an SM's memory, and wait for each other at __syncthreads.
 */
#include "ladder.h"

#include <cuda_fp16.h>
#ifdef __CUDACC__
#include <errno.h>
#include <mma.h>

#include "checked.h"
#endif

static const uint32_t LANES = 32; /* threads of a warp */

/* The end of all versions. */
static __device__ void store(const struct dense dense, uint32_t row, uint32_t output, float sum) {
    if (row < dense.rows && output < dense.outputs) {
        const float number = sum + dense.b[output];
        dense.y[(size_t)row * dense.y_pitch + output] = number < 0 ? 0 : number; /* NaN stays */
    }
}

/* ---- 1: naive */

/*
 * One thread for each number of y, as one would write it for a processor. What is wrong is which threads are side by
 * side: those of a warp have adjacent rows of y, and at each step they read x at places that are a whole row apart: 32
 * sectors of 32 bytes for 32 numbers of 4. (All read the same number of w, which costs one.) The rest of each sector
 * is wanted in the next seven steps, and may still be in the L1 cache then, but the load is 32 loads. So is the store.
 */
static const uint32_t NAIVE_OUTPUTS = 8;

extern "C" __global__ void dense_naive(const struct dense dense) {
    const uint32_t row = blockIdx.y * LANES + threadIdx.x;
    const uint32_t output = blockIdx.x * NAIVE_OUTPUTS + threadIdx.y;
    float sum = 0;
    if (row >= dense.rows || output >= dense.outputs)
        return;
    for (uint32_t i = 0; i < dense.inputs; i++)
        sum += dense.x[(size_t)row * dense.pitch + i] * dense.w[(size_t)output * dense.pitch + i];
    store(dense, row, output, sum);
}

/* ---- 2: coalesced */

/*
 * Neighbours read neighbours: both matrices lie along the inputs, and so a warp goes along them, 32 at a time, for one
 * number of y. Each load is 128 bytes in a row: 4 sectors, all of which is used. The 32 parts of the sum come together
 * at the end, by halves, without memory: each lane adds what the lane at that distance has.
 *   Still a product takes two numbers, 8 bytes, that no other product of this warp uses.
 */
static const uint32_t COALESCED_OUTPUTS = 8;

extern "C" __global__ void dense_coalesced(const struct dense dense) {
    const uint32_t output = blockIdx.x * COALESCED_OUTPUTS + threadIdx.y, row = blockIdx.y;
    float sum = 0;
    if (output >= dense.outputs)
        return;
    for (uint32_t i = threadIdx.x; i < dense.inputs; i += LANES)
        sum += dense.x[(size_t)row * dense.pitch + i] * dense.w[(size_t)output * dense.pitch + i];
    for (uint32_t distance = LANES / 2; distance > 0; distance /= 2)
        sum += __shfl_xor_sync(0xffffffff, sum, distance);
    if (threadIdx.x == 0)
        store(dense, row, output, sum);
}

/* ---- 3: tiles in shared memory */

/*
 * A block makes a tile of y, TILE x TILE numbers, and goes along the inputs TILE at a time: it fetches a tile of x and
 * one of w together, coalesced, into memory that it shares, and there each number is used TILE times: 8 bytes fetched
 * for TILE products.
 *   A warp has one row of y: of x its threads all read the same number, of w 32 numbers of a column. Shared memory has
 * 32 banks, each 4 bytes wide; rows of 32 numbers would put all of a column into one bank, to be read one after the
 * other. Rows of 33 put them into 32.
 *   Now shared memory is the limit: 8 bytes for 2 FLOP, and though one of the two numbers goes to all threads at once,
 * it takes its turn. Two turns for the 32 products of a warp are an eighth of what the fp32 units can.
 */
static const uint32_t TILE = 32, TILE_THREADS = TILE * TILE;

/* Zeros beyond the edges add nothing to any sum. */
static __device__ float number_at(const float *matrix, uint32_t row, uint32_t rows, uint32_t column, uint32_t pitch) {
    return row < rows && column < pitch ? matrix[(size_t)row * pitch + column] : 0;
}

extern "C" __global__ void __launch_bounds__(TILE_THREADS) dense_tiles(const struct dense dense) {
    __shared__ float x_tile[TILE][TILE], w_tile[TILE][TILE + 1];
    const uint32_t row = blockIdx.y * TILE + threadIdx.y, output = blockIdx.x * TILE + threadIdx.x;
    const uint32_t w_row = blockIdx.x * TILE + threadIdx.y;
    float sum = 0;
    for (uint32_t i = 0; i < dense.pitch; i += TILE) {
        x_tile[threadIdx.y][threadIdx.x] = number_at(dense.x, row, dense.rows, i + threadIdx.x, dense.pitch);
        w_tile[threadIdx.y][threadIdx.x] = number_at(dense.w, w_row, dense.outputs, i + threadIdx.x, dense.pitch);
        __syncthreads(); /* the tiles are full */
        for (uint32_t j = 0; j < TILE; j++)
            sum += x_tile[threadIdx.y][j] * w_tile[threadIdx.x][j];
        __syncthreads(); /* nobody reads them any more */
    }
    store(dense, row, output, sum);
}

/* ---- 4: tiles in registers */

/*
 * The same step once more, one level up: what a thread has read from shared memory it uses eight times, since it makes
 * 8 x 8 numbers of y, in 64 registers: 16 numbers read for 64 products. The block's tile is 128 x 128, and so what
 * comes from L2 is used four times as often as in version 3. A tile goes along the inputs only 8 at a time, and there
 * are two of each.
 *   Two, so that one is filled while the other is in use: the next numbers are on their way from L2 into registers
 * while the products of this step are computed, which takes longer than the way. And one __syncthreads is enough for a
 * step: who passes it in step i has seen all others at the end of step i - 1, so that nobody reads the other buffer.
 *   The tiles lie transposed, so that 4 numbers of neighbouring rows can be read at once, 16 bytes; a thread has rows 4
 * by 4, 64 apart, so that the 16 bytes of neighbours lie side by side and are no conflict of banks; the 4 columns
 * beyond 128 are for the stores, which would meet in half of the banks.
 */
static const uint32_t SIDE = 128, DEPTH = 8, OWN = 8, SIDE_PADDED = SIDE + 4, REGISTER_THREADS = 256;

/* 16 bytes, read and written by one instruction. */
template <typename Number> struct alignas(16) piece { Number numbers[16 / sizeof(Number)]; };

/* The pitch is a multiple of a piece: it is all inside or all outside. */
template <typename Number>
static __device__ piece<Number> piece_at(const Number *matrix, uint32_t row, uint32_t rows, uint32_t column,
                                         uint32_t pitch) {
    piece<Number> found = {};
    if (row < rows && column < pitch)
        found = *(const piece<Number> *)(matrix + (size_t)row * pitch + column);
    return found;
}

static __device__ void read_own(float own[OWN], const float *line, uint32_t first) {
    const piece<float> low = *(const piece<float> *)(line + first);
    const piece<float> high = *(const piece<float> *)(line + SIDE / 2 + first);
    for (uint32_t i = 0; i < 4; i++) {
        own[i] = low.numbers[i];
        own[4 + i] = high.numbers[i];
    }
}

/* Two blocks on an SM, so that one computes while the other waits: no more than 128 registers for a thread. */
extern "C" __global__ void __launch_bounds__(REGISTER_THREADS, 2) dense_registers(const struct dense dense) {
    __shared__ alignas(16) float x_tiles[2][DEPTH][SIDE_PADDED], w_tiles[2][DEPTH][SIDE_PADDED];
    const uint32_t first_row = blockIdx.y * SIDE, first_output = blockIdx.x * SIDE;
    const uint32_t line = threadIdx.x / 2, column = threadIdx.x % 2 * 4;
    const uint32_t own_row = threadIdx.x / 16 * 4, own_output = threadIdx.x % 16 * 4;
    float sums[OWN][OWN] = {};
    piece<float> x_next = piece_at(dense.x, first_row + line, dense.rows, column, dense.pitch);
    piece<float> w_next = piece_at(dense.w, first_output + line, dense.outputs, column, dense.pitch);
    for (uint32_t i = 0; i < dense.pitch; i += DEPTH) {
        float(*x_tile)[SIDE_PADDED] = x_tiles[i / DEPTH % 2], (*w_tile)[SIDE_PADDED] = w_tiles[i / DEPTH % 2];
        for (uint32_t j = 0; j < 4; j++) {
            x_tile[column + j][line] = x_next.numbers[j];
            w_tile[column + j][line] = w_next.numbers[j];
        }
        __syncthreads();
        x_next = piece_at(dense.x, first_row + line, dense.rows, i + DEPTH + column, dense.pitch);
        w_next = piece_at(dense.w, first_output + line, dense.outputs, i + DEPTH + column, dense.pitch);
#pragma unroll
        for (uint32_t j = 0; j < DEPTH; j++) {
            float x[OWN], w[OWN];
            read_own(x, x_tile[j], own_row);
            read_own(w, w_tile[j], own_output);
            for (uint32_t k = 0; k < OWN; k++)
                for (uint32_t l = 0; l < OWN; l++)
                    sums[k][l] += x[k] * w[l];
        }
    }
    for (uint32_t k = 0; k < OWN; k++)
        for (uint32_t l = 0; l < OWN; l++)
            store(dense, first_row + own_row + k / 4 * (SIDE / 2) + k % 4,
                  first_output + own_output + l / 4 * (SIDE / 2) + l % 4, sums[k][l]);
}

/* ---- 5: tensor cores */

/*
 * A tensor core multiplies whole tiles: a warp as one hands it 16 x 16 numbers of x and of w in fp16, and gets the
 * products added to 16 x 16 sums in float. Which thread holds which of them is the hardware's affair: they can only be
 * loaded, multiplied and stored as a whole (nvcuda::wmma).
 *   That is 16 times as many FLOP a clock as the fp32 units have, and so all else has to be 16 times as sparing: a warp
 * makes 64 x 64 sums, which are half of all the registers there are for it, and for 4 + 4 tiles read from shared memory
 * it has 16 products. The block's tile is 128 x 256, 8 warps, one block on an SM. Otherwise it is version 4 again: two
 * buffers, the next numbers on their way in registers meanwhile. Both matrices lie along the inputs, which is how the
 * tensor cores want them: x by rows and w^T by columns. Lines of 80 bytes spread 8 of them over all banks.
 */
static const uint32_t TENSOR = 16, TENSOR_ROWS = 128, TENSOR_OUTPUTS = 256, TENSOR_THREADS = 256;
static const uint32_t STEP = 32, LINE = STEP + 8, LINES = TENSOR_ROWS + TENSOR_OUTPUTS, WARP_SIDE = 64;
static const uint32_t ROUND = TENSOR_THREADS / 4, PIECES = LINES / ROUND; /* lines fetched at once, four threads each */
static const uint32_t TENSOR_MEMORY = 2 * LINES * LINE * sizeof(__half);

/* The thread's piece of round `i`, by words of two numbers: the block's lines are those of x and then those of w. */
static __device__ piece<uint32_t> fetch(const struct dense dense, uint32_t i, uint32_t column) {
    const uint32_t line = i * ROUND + threadIdx.x / 4, pitch = dense.pitch / 2;
    if (i < TENSOR_ROWS / ROUND)
        return piece_at((const uint32_t *)dense.half_x, blockIdx.y * TENSOR_ROWS + line, dense.rows, column / 2, pitch);
    return piece_at((const uint32_t *)dense.half_w, blockIdx.x * TENSOR_OUTPUTS + line - TENSOR_ROWS, dense.outputs,
                    column / 2, pitch);
}

using sums_tile = nvcuda::wmma::fragment<nvcuda::wmma::accumulator, TENSOR, TENSOR, TENSOR, float>;
using x_fragment =
    nvcuda::wmma::fragment<nvcuda::wmma::matrix_a, TENSOR, TENSOR, TENSOR, __half, nvcuda::wmma::row_major>;
using w_fragment =
    nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, TENSOR, TENSOR, TENSOR, __half, nvcuda::wmma::col_major>;

/* One step's products of a warp, whose lines of x and of w begin here. */
static __device__ void multiply(sums_tile sums[4][4], const __half *x_lines, const __half *w_lines) {
    for (uint32_t i = 0; i < STEP; i += TENSOR) {
        x_fragment x[4];
        for (uint32_t k = 0; k < 4; k++)
            nvcuda::wmma::load_matrix_sync(x[k], x_lines + k * TENSOR * LINE + i, LINE);
        for (uint32_t l = 0; l < 4; l++) {
            w_fragment w;
            nvcuda::wmma::load_matrix_sync(w, w_lines + l * TENSOR * LINE + i, LINE);
            for (uint32_t k = 0; k < 4; k++)
                nvcuda::wmma::mma_sync(sums[k][l], x[k], w, sums[k][l]);
        }
    }
}

/* Through a patch of shared memory, a warp's own: where a sum lies in a fragment nobody says. */
static __device__ void store_tile(const struct dense dense, uint32_t row, uint32_t output, const sums_tile &sums,
                                  float *patch) {
    nvcuda::wmma::store_matrix_sync(patch, sums, TENSOR, nvcuda::wmma::mem_row_major);
    __syncwarp();
    for (uint32_t i = threadIdx.x % LANES; i < TENSOR * TENSOR; i += LANES)
        store(dense, row + i / TENSOR, output + i % TENSOR, patch[i]);
    __syncwarp();
}

extern "C" __global__ void __launch_bounds__(TENSOR_THREADS) dense_tensor_cores(const struct dense dense) {
    extern __shared__ __align__(128) unsigned char tensor_memory[]; /* 60 KB: what is above 48 has to be asked for */
    __half *buffers = (__half *)tensor_memory;
    const uint32_t warp = threadIdx.x / LANES;
    const uint32_t warp_row = warp / 4 * WARP_SIDE, warp_output = warp % 4 * WARP_SIDE;
    const uint32_t row = blockIdx.y * TENSOR_ROWS + warp_row, output = blockIdx.x * TENSOR_OUTPUTS + warp_output;
    const bool wanted = row < dense.rows && output < dense.outputs; /* else all beyond the edges: it only fetches */
    sums_tile sums[4][4];
    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t l = 0; l < 4; l++)
            nvcuda::wmma::fill_fragment(sums[k][l], 0.0F);
    const uint32_t line = threadIdx.x / 4, column = threadIdx.x % 4 * 8;
    piece<uint32_t> next[PIECES];
    for (uint32_t p = 0; p < PIECES; p++)
        next[p] = fetch(dense, p, column);
    for (uint32_t i = 0; i < dense.pitch; i += STEP) {
        __half *lines = buffers + i / STEP % 2 * LINES * LINE;
        piece<uint32_t> *slots = (piece<uint32_t> *)lines + line * (LINE / 8) + threadIdx.x % 4;
        for (uint32_t p = 0; p < PIECES; p++)
            slots[p * ROUND * (LINE / 8)] = next[p];
        __syncthreads();
        for (uint32_t p = 0; p < PIECES; p++)
            next[p] = fetch(dense, p, i + STEP + column);
        if (wanted)
            multiply(sums, lines + warp_row * LINE, lines + (TENSOR_ROWS + warp_output) * LINE);
    }
    __syncthreads(); /* the buffers are free to be patches */
    float *patch = (float *)tensor_memory + warp * TENSOR * TENSOR;
#pragma unroll /* so that all indices are known when it is compiled: only then can the sums stay in registers */
    for (uint32_t i = 0; i < 16; i++)
        if (wanted)
            store_tile(dense, row + i / 4 * TENSOR, output + i % 4 * TENSOR, sums[i / 4][i % 4], patch);
}

#ifdef __CUDACC__

/* ---- 6: cuBLASLt */

/*
 * NVIDIA's own library, which knows each card: it starts its copies into shared memory without a detour through
 * registers, several steps ahead, and on Hopper multiplies straight from there. We say what is to be multiplied, and
 * what is to be done with the sums, and it chooses how. Its matrices lie column by column: what lies row by row is,
 * read so, the transpose, and what we ask for is y^T = w x^T, with the bias along y's columns.
 *   fp32 means fp32 here: with CUBLAS_COMPUTE_32F_FAST_TF32 it would use the tensor cores for version 1's numbers, too,
 * cut to 10 bits behind the point.
 */
static const size_t WORKSPACE = 32 << 20;

static int set(struct ladder_plan *plan, cublasLtMatmulDescAttributes_t attribute, const void *value, size_t size,
               struct failure *failure) {
    return CUBLAS(failure, cublasLtMatmulDescSetAttribute(plan->operation, attribute, value, size));
}

/* `result ?: call` calls only if all went well so far. */
static int prepare(struct ladder_library *library, const struct dense *dense, bool half, struct failure *failure) {
    struct ladder_plan *plan = &library->plans[half];
    const cudaDataType_t type = half ? CUDA_R_16F : CUDA_R_32F;
    const cublasOperation_t flip = CUBLAS_OP_T;
    const cublasLtEpilogue_t relu = CUBLASLT_EPILOGUE_RELU_BIAS;
    const uint32_t k = dense->pitch, m = dense->outputs, n = dense->rows;
    int count = 0, result = CUBLAS(failure, cublasLtMatmulDescCreate(&plan->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    result = result ?: set(plan, CUBLASLT_MATMUL_DESC_TRANSA, &flip, sizeof flip, failure);
    result = result ?: set(plan, CUBLASLT_MATMUL_DESC_EPILOGUE, &relu, sizeof relu, failure);
    result = result ?: set(plan, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &dense->b, sizeof dense->b, failure);
    result = result ?: CUBLAS(failure, cublasLtMatrixLayoutCreate(&plan->w, type, k, m, k));
    result = result ?: CUBLAS(failure, cublasLtMatrixLayoutCreate(&plan->x, type, k, n, k));
    result = result ?: CUBLAS(failure, cublasLtMatrixLayoutCreate(&plan->y, CUDA_R_32F, m, n, dense->y_pitch));
    result = result ?: CUBLAS(failure, cublasLtMatmulPreferenceCreate(&plan->wish));
    if (result == 0)
        result =
            CUBLAS(failure, cublasLtMatmulPreferenceSetAttribute(plan->wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                                 &WORKSPACE, sizeof WORKSPACE));
    if (result == 0)
        result = CUBLAS(failure, cublasLtMatmulAlgoGetHeuristic(library->blas, plan->operation, plan->w, plan->x,
                                                                plan->y, plan->y, plan->wish, 1, &plan->found, &count));
    if (result == 0 && count == 0)
        result = fail(failure, -EIO, "cuBLASLt knows no way to compute this layer on this card; take other sizes");
    return result;
}

int ladder_library_open(struct ladder_library *library, const struct dense *dense, struct failure *failure) {
    *library = (struct ladder_library){};
    int result = CUBLAS(failure, cublasLtCreate(&library->blas));
    result = result ?: CUDA(failure, cudaMalloc(&library->workspace, WORKSPACE));
    result = result ?: prepare(library, dense, false, failure);
    result = result ?: prepare(library, dense, true, failure);
    if (result != 0)
        ladder_library_close(library);
    return result;
}

template <typename Handle> static void destroy(cublasStatus_t (*how)(Handle), Handle handle) {
    if (handle != NULL)
        how(handle);
}

void ladder_library_close(struct ladder_library *library) {
    for (const struct ladder_plan &plan : library->plans) {
        destroy(cublasLtMatmulPreferenceDestroy, plan.wish);
        destroy(cublasLtMatrixLayoutDestroy, plan.y);
        destroy(cublasLtMatrixLayoutDestroy, plan.x);
        destroy(cublasLtMatrixLayoutDestroy, plan.w);
        destroy(cublasLtMatmulDescDestroy, plan.operation);
    }
    destroy(cublasLtDestroy, library->blas);
    cudaFree(library->workspace);
    *library = (struct ladder_library){};
}

static int multiply_by_library(const struct ladder_library *library, const struct dense *dense, bool half,
                               cudaStream_t stream, struct failure *failure) {
    const struct ladder_plan *plan = &library->plans[half];
    const float one = 1, zero = 0;
    return CUBLAS(failure, cublasLtMatmul(library->blas, plan->operation, &one, half ? dense->half_w : dense->w,
                                          plan->w, half ? dense->half_x : dense->x, plan->x, &zero, dense->y, plan->y,
                                          dense->y, plan->y, &plan->found.algo, library->workspace, WORKSPACE, stream));
}

/* ---- all of them */

const struct ladder_version ladder_versions[LADDER_VERSIONS] = {
    {1, "naive", "a thread for each number", false, 1e-6, dense_naive, LANES, NAIVE_OUTPUTS, LANES, NAIVE_OUTPUTS, 0},
    {2, "coalesced", "neighbours read neighbours", false, 1e-6, dense_coalesced, 1, COALESCED_OUTPUTS, LANES,
     COALESCED_OUTPUTS, 0},
    {3, "tiles", "a block shares what it fetched", false, 1e-6, dense_tiles, TILE, TILE, TILE, TILE, 0},
    {4, "registers", "a thread, too; fetches ahead", false, 1e-6, dense_registers, SIDE, SIDE, REGISTER_THREADS, 1, 0},
    {6, "cuBLASLt", "NVIDIA's own, without TF32", false, 1e-6, NULL, 0, 0, 0, 0, 0},
    {5, "tensor cores", "fp16, 16 x 16 x 16 at once", true, 1e-5, dense_tensor_cores, TENSOR_ROWS, TENSOR_OUTPUTS,
     TENSOR_THREADS, 1, TENSOR_MEMORY},
    {6, "cuBLASLt", "NVIDIA's own", true, 1e-5, NULL, 0, 0, 0, 0, 0},
};

int ladder_launch(const struct ladder_version *version, const struct dense *dense, const struct ladder_library *library,
                  cudaStream_t stream, struct failure *failure) {
    if (version->kernel == NULL)
        return multiply_by_library(library, dense, version->half, stream, failure);
    const dim3 blocks((dense->outputs + version->tile_outputs - 1) / version->tile_outputs,
                      (dense->rows + version->tile_rows - 1) / version->tile_rows);
    const dim3 threads(version->threads_x, version->threads_y);
    int result = 0;
    if (version->memory > 0)
        result = CUDA(failure, cudaFuncSetAttribute((const void *)version->kernel,
                                                    cudaFuncAttributeMaxDynamicSharedMemorySize, (int)version->memory));
    if (result != 0)
        return result;
    version->kernel<<<blocks, threads, version->memory, stream>>>(*dense);
    return CUDA(failure, cudaGetLastError());
}

#endif
