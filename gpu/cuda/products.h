/* products.h: products of matrices on the card, by cuBLASLt; what it fuses with them, it does in the same kernel. */
#ifndef GPU_CUDA_PRODUCTS_H
#define GPU_CUDA_PRODUCTS_H

#include "card.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * result = finish(left * right), [rows][columns], with sums over `depth` terms, in float whatever the numbers are.
 * All matrices lie row by row, as C has them; a stride is the count of numbers from one row to the next.
 */
struct product_terms {
    uint32_t rows, columns, depth;
    bool left_transposed;  /* left lies as [depth][rows], else as [rows][depth] */
    bool right_transposed; /* right lies as [columns][depth], as a layer's weights; else as [depth][columns] */
    uint32_t left_stride, right_stride, result_stride;
    enum number_type result_type; /* of the result and of the bias; left and right are of the card's type */
    cublasLtEpilogue_t epilogue;  /* what is done with the sums: CUBLASLT_EPILOGUE_DEFAULT, _BIAS, _RELU_BIAS... */
    const void *bias;             /* on the card: [columns]; NULL: none */
    bool in_sequence;             /* no sum is split into parts that are added afterwards */
};

/* A product that is ready to be run. */
struct product {
    cublasLtHandle_t blas;
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t left, right, result;
    cublasLtMatmulAlgo_t algorithm;
};

/*
 * The memory on the card that a product may use while it runs, beside its terms: each stream has its own, since two
 * products that run at once must not share it. Without one cuBLASLt would make its own, at a time of its choosing.
 */
enum { PRODUCT_WORKSPACE = 32 << 20 };

/*
 * Chooses how to compute it: the first that cuBLASLt's heuristic proposes, which depends on the shape and the card
 * only. -EIO: it knows no way; other errors as CUDA's. What a failed product_make leaves, product_free gives back.
 */
int product_make(struct product *product, const struct card *card, const struct product_terms *terms,
                 struct failure *failure) AT_MUST_CHECK;
/*
 * Puts it into the stream. left, right and result are aligned to 256 bytes, as cudaMalloc's memory is, which the choice
 * takes for granted (CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES); `workspace` is PRODUCT_WORKSPACE bytes.
 */
int product_run(const struct product *product, const void *left, const void *right, void *result, void *workspace,
                cudaStream_t stream, struct failure *failure) AT_MUST_CHECK;
void product_free(struct product *product);

#ifdef __cplusplus
}
#endif

#endif
