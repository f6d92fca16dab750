/* cuda_products.h: what the suites about the cuBLASLt that is none share: matrices on the card, and products. */
#ifndef ATELIER_TESTS_CUDA_PRODUCTS_H
#define ATELIER_TESTS_CUDA_PRODUCTS_H

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <math.h>

#include "emulated.h"
#include "watch.h"

#define good(call) require((call) == CUBLAS_STATUS_SUCCESS)
#define done(call) require((call) == cudaSuccess)

/* ---- numbers, the slow way */

static inline size_t size_of(cudaDataType type) {
    return type == CUDA_R_32F ? 4 : 2;
}

static inline double half_of(uint16_t bits) {
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double magnitude = exponent == 31  ? (fraction != 0 ? NAN : INFINITY)
                       : exponent == 0 ? ldexp(fraction, -24)
                                       : ldexp(1024 + fraction, exponent - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
}

static inline double read_number(const void *numbers, cudaDataType type, size_t index) {
    uint16_t half;
    uint32_t bits;
    float number;
    if (type == CUDA_R_32F)
        return (double)((const float *)numbers)[index];
    memcpy(&half, (const char *)numbers + 2 * index, sizeof half);
    if (type == CUDA_R_16F)
        return half_of(half);
    bits = (uint32_t)half << 16;
    memcpy(&number, &bits, sizeof number);
    return (double)number;
}

/* Small whole numbers over 8, which all types hold. */
static inline void write_number(void *numbers, cudaDataType type, size_t index, float number) {
    uint32_t bits;
    uint16_t half;
    memcpy(&bits, &number, sizeof bits);
    half = (uint16_t)(bits >> 16);
    if (type == CUDA_R_16F) /* a normal number: the exponent has another bias, and 10 bits follow */
        half = number == 0 ? 0 : (uint16_t)((bits >> 16 & 0x8000) | ((bits >> 13 & 0x3ffff) - (112u << 10)));
    if (type == CUDA_R_32F)
        memcpy((char *)numbers + 4 * index, &number, sizeof number);
    else
        memcpy((char *)numbers + 2 * index, &half, sizeof half);
}

static uint64_t state;

static inline float number(void) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (float)((int)(state >> 33) % 9 - 4) / 8;
}

/* ---- a product and all that belongs to it, on the card and here */

struct matrix {
    size_t rows, columns, stride;
    cudaDataType type;
    void *here, *there;
    cublasLtMatrixLayout_t layout;
};

static inline struct matrix matrix_of(size_t rows, size_t columns, size_t stride, cudaDataType type) {
    struct matrix matrix = {.rows = rows, .columns = columns, .stride = stride, .type = type};
    size_t size = columns * stride * size_of(type);
    matrix.here = calloc(1, size);
    require(matrix.here != NULL);
    for (size_t i = 0; i < columns * stride; i++)
        write_number(matrix.here, type, i, number());
    done(cudaMalloc(&matrix.there, size));
    done(cudaMemcpy(matrix.there, matrix.here, size, cudaMemcpyHostToDevice));
    good(cublasLtMatrixLayoutCreate(&matrix.layout, type, rows, columns, (int64_t)stride));
    return matrix;
}

static inline void fetch(const struct matrix *matrix) {
    done(cudaMemcpy(matrix->here, matrix->there, matrix->columns * matrix->stride * size_of(matrix->type),
                    cudaMemcpyDeviceToHost));
}

static inline void drop(struct matrix *matrix) {
    free(matrix->here);
    done(cudaFree(matrix->there));
    good(cublasLtMatrixLayoutDestroy(matrix->layout));
}

struct setting {
    size_t m, n, k, pad; /* pad: how much longer than need be the columns are */
    cudaDataType in, out;
    cublasComputeType_t compute;
    bool turn_a, turn_b;
    uint32_t epilogue;
    float alpha, beta;
};

struct product {
    struct setting set;
    cublasLtHandle_t handle;
    cublasLtMatmulDesc_t operation;
    cublasLtMatmulPreference_t preference;
    struct matrix a, b, c, d, bias, mask;
    void *workspace;
    size_t workspace_size;
};

enum { MASK = 128, BIAS = 4, DRELU = 8, GRADIENT = 16 };

static inline size_t up(size_t number, size_t step) {
    return (number + step - 1) / step * step;
}

#define attribute(product, name, value)                                                                                \
    good(cublasLtMatmulDescSetAttribute((product)->operation, CUBLASLT_MATMUL_DESC_##name, &(value), sizeof(value)))

static inline struct product product_of(struct setting set) {
    struct product product = {.set = set, .workspace_size = 2 * set.m * set.n * sizeof(float)};
    int32_t turn_a = set.turn_a ? CUBLAS_OP_T : CUBLAS_OP_N, turn_b = set.turn_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    size_t m = set.m, n = set.n, k = set.k, gap = set.pad;
    int64_t mask_stride = (int64_t)up(m, 128);
    size_t step = set.in == CUDA_R_32F ? 1 : 8;
    product.a = set.turn_a ? matrix_of(k, m, up(k, step) + gap, set.in) : matrix_of(m, k, up(m, step) + gap, set.in);
    product.b = set.turn_b ? matrix_of(n, k, up(n, step) + gap, set.in) : matrix_of(k, n, up(k, step) + gap, set.in);
    product.c = matrix_of(m, n, up(m, step) + gap, set.out);
    product.d = matrix_of(m, n, up(m, step) + gap, set.out);
    if (set.beta == 0) /* nothing is to be read then: it is all NaN */
        done(cudaMemset(product.c.there, 0xff, n * product.c.stride * size_of(set.out)));
    product.bias = matrix_of(m > n ? m : n, 1, m > n ? m : n, set.out);
    product.mask = matrix_of((size_t)mask_stride * n / 32, 1, (size_t)mask_stride * n / 32, CUDA_R_32F);
    good(cublasLtCreate(&product.handle));
    good(cublasLtMatmulDescCreate(&product.operation, set.compute, CUDA_R_32F));
    good(cublasLtMatmulPreferenceCreate(&product.preference));
    good(cublasLtMatmulPreferenceSetAttribute(product.preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                              &(uint64_t){product.workspace_size}, sizeof(uint64_t)));
    attribute(&product, TRANSA, turn_a);
    attribute(&product, TRANSB, turn_b);
    attribute(&product, EPILOGUE, set.epilogue);
    attribute(&product, BIAS_POINTER, product.bias.there);
    attribute(&product, EPILOGUE_AUX_POINTER, product.mask.there);
    attribute(&product, EPILOGUE_AUX_LD, mask_stride);
    done(cudaMalloc(&product.workspace, product.workspace_size));
    return product;
}

static inline void end(struct product *product) {
    drop(&product->a);
    drop(&product->b);
    drop(&product->c);
    drop(&product->d);
    drop(&product->bias);
    drop(&product->mask);
    good(cublasLtMatmulDescDestroy(product->operation));
    good(cublasLtMatmulPreferenceDestroy(product->preference));
    good(cublasLtDestroy(product->handle));
    done(cudaFree(product->workspace));
}

static inline int heuristic(const struct product *product, cublasLtMatmulHeuristicResult_t results[8],
                            cublasStatus_t expected) {
    int count = -1;
    cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(product->handle, product->operation, product->a.layout, product->b.layout,
                                       product->c.layout, product->d.layout, product->preference, 8, results, &count);
    if (status != expected)
        ck_abort_msg("%s instead of %s", cublasLtGetStatusName(status), cublasLtGetStatusName(expected));
    return count;
}

static inline cublasStatus_t multiply(const struct product *product, const cublasLtMatmulAlgo_t *algorithm,
                                      cudaStream_t stream) {
    return cublasLtMatmul(product->handle, product->operation, &product->set.alpha, product->a.there, product->a.layout,
                          product->b.there, product->b.layout, &product->set.beta, product->c.there, product->c.layout,
                          product->d.there, product->d.layout, algorithm, product->workspace, product->workspace_size,
                          stream);
}

/* A product of sums that are long enough to be rounded. */
static const struct setting LONG = {4, 4, 999, 0, CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, true, false, 1, 1, 0};

#endif
