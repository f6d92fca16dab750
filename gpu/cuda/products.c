/* products.c: how cuBLASLt is asked for a product; see products.h. */
#include "products.h"

#include <errno.h>

#include "checked.h"

/*
 * cuBLASLt's matrices lie column by column. What lies row by row as [rows][columns] is, read column by column, the
 * transpose: so we ask for result^T = right^T * left^T. Its first factor is our right, its second our left; the bias,
 * which it adds to each row of a result, is added to our columns.
 */

static cudaDataType_t data_type(enum number_type type) {
    return type == NUMBER_FP16 ? CUDA_R_16F : type == NUMBER_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

/* The matrix that lies as [rows][columns]. */
static int lay_out(cublasLtMatrixLayout_t *layout, enum number_type type, uint32_t rows, uint32_t columns,
                   uint32_t stride, struct failure *failure) {
    return CUBLAS(failure, cublasLtMatrixLayoutCreate(layout, data_type(type), columns, rows, stride));
}

static int set(struct product *product, cublasLtMatmulDescAttributes_t attribute, const void *value, size_t size,
               struct failure *failure) {
    return CUBLAS(failure, cublasLtMatmulDescSetAttribute(product->operation, attribute, value, size));
}

static int describe(struct product *product, const struct card *card, const struct product_terms *terms,
                    struct failure *failure) {
    cublasOperation_t first = terms->right_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasOperation_t second = terms->left_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    int32_t bias = (int32_t)data_type(terms->result_type);
    int result = CUBLAS(failure, cublasLtMatmulDescCreate(&product->operation, card->compute, CUDA_R_32F));
    if (result == 0)
        result = set(product, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first, failure);
    if (result == 0)
        result = set(product, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second, failure);
    if (result == 0)
        result = set(product, CUBLASLT_MATMUL_DESC_EPILOGUE, &terms->epilogue, sizeof terms->epilogue, failure);
    if (result == 0 && terms->bias != NULL)
        result = set(product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &terms->bias, sizeof terms->bias, failure);
    if (result == 0 && terms->bias != NULL)
        result = set(product, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &bias, sizeof bias, failure);
    return result;
}

static int lay_out_all(struct product *product, const struct card *card, const struct product_terms *terms,
                       struct failure *failure) {
    bool left = terms->left_transposed, right = terms->right_transposed;
    int result = lay_out(&product->left, card->type, left ? terms->depth : terms->rows,
                         left ? terms->rows : terms->depth, terms->left_stride, failure);
    if (result == 0)
        result = lay_out(&product->right, card->type, right ? terms->columns : terms->depth,
                         right ? terms->depth : terms->columns, terms->right_stride, failure);
    if (result == 0)
        result =
            lay_out(&product->result, terms->result_type, terms->rows, terms->columns, terms->result_stride, failure);
    return result;
}

/*
 * How the parts of a sum that was split may be added. Some ways leave them in the result's own type until then, which
 * rounds, and overflows, in the middle of a sum: not if that type is less than float.
 */
static uint32_t reductions(const struct product_terms *terms) {
    if (terms->in_sequence)
        return CUBLASLT_REDUCTION_SCHEME_NONE;
    return terms->result_type == NUMBER_FP32 ? CUBLASLT_REDUCTION_SCHEME_MASK : CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
}

static int choose(struct product *product, const struct product_terms *terms, struct failure *failure) {
    cublasLtMatmulPreference_t preference;
    cublasLtMatmulHeuristicResult_t found;
    uint64_t workspace = PRODUCT_WORKSPACE;
    uint32_t schemes = reductions(terms);
    int count = 0;
    int result = CUBLAS(failure, cublasLtMatmulPreferenceCreate(&preference));
    if (result != 0)
        return result;
    result = CUBLAS(failure, cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                                  &workspace, sizeof workspace));
    if (result == 0)
        result = CUBLAS(failure, cublasLtMatmulPreferenceSetAttribute(
                                     preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes));
    if (result == 0)
        result = CUBLAS(failure, cublasLtMatmulAlgoGetHeuristic(product->blas, product->operation, product->right,
                                                                product->left, product->result, product->result,
                                                                preference, 1, &found, &count));
    if (result == 0 && (count == 0 || found.state != CUBLAS_STATUS_SUCCESS))
        result = fail(failure, -EIO, "cuBLASLt has no way to multiply [%u][%u] by [%u][%u] on this card", terms->rows,
                      terms->depth, terms->depth, terms->columns);
    if (result == 0)
        product->algorithm = found.algo;
    cublasLtMatmulPreferenceDestroy(preference);
    return result;
}

int product_make(struct product *product, const struct card *card, const struct product_terms *terms,
                 struct failure *failure) {
    *product = (struct product){.blas = card->blas};
    int result = describe(product, card, terms, failure);
    if (result == 0)
        result = lay_out_all(product, card, terms, failure);
    return result == 0 ? choose(product, terms, failure) : result;
}

int product_run(const struct product *product, const void *left, const void *right, void *result, void *workspace,
                cudaStream_t stream, struct failure *failure) {
    static const float ONE = 1, ZERO = 0;
    return CUBLAS(failure, cublasLtMatmul(product->blas, product->operation, &ONE, right, product->right, left,
                                          product->left, &ZERO, result, product->result, result, product->result,
                                          &product->algorithm, workspace, PRODUCT_WORKSPACE, stream));
}

void product_free(struct product *product) {
    if (product->operation != NULL)
        cublasLtMatmulDescDestroy(product->operation);
    if (product->left != NULL)
        cublasLtMatrixLayoutDestroy(product->left);
    if (product->right != NULL)
        cublasLtMatrixLayoutDestroy(product->right);
    if (product->result != NULL)
        cublasLtMatrixLayoutDestroy(product->result);
    *product = (struct product){0};
}
