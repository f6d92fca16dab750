/* test_cuda_refusals.c: the cuBLASLt that is none refuses what the real one does, and fails when it is asked to. */
#include "cuda_products.h"

/* ---- what is refused */

#define HALVES 16, 8, 24, 0, CUDA_R_16F, CUDA_R_16F, CUBLAS_COMPUTE_32F, true, false
static const struct setting PLAIN = {16, 8, 24, 0, CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, true, false, 1, 1, 0};

static void require_offer(struct product *product, cublasStatus_t expected) {
    cublasLtMatmulHeuristicResult_t results[8];
    int count = heuristic(product, results, expected);
    require(expected == CUBLAS_STATUS_SUCCESS ? count > 0 : count == 0);
    require(multiply(product, NULL, NULL) == expected);
}

static void set_layout(struct matrix *matrix, cudaDataType type, size_t rows, size_t columns, size_t stride) {
    good(cublasLtMatrixLayoutDestroy(matrix->layout));
    good(cublasLtMatrixLayoutCreate(&matrix->layout, type, rows, columns, (int64_t)stride));
}

START_TEST(shapes_and_types_that_do_not_fit_are_refused) {
    struct product product = product_of(PLAIN);
    int32_t half = CUDA_R_16F, one = 1, none = -1, order = CUBLASLT_ORDER_ROW;
    uint32_t gelu = CUBLASLT_EPILOGUE_GELU, mask = CUBLASLT_EPILOGUE_RELU_AUX, plain = CUBLASLT_EPILOGUE_DEFAULT;
    int64_t odd = 64, wide = 128;
    require_offer(&product, CUBLAS_STATUS_SUCCESS);
    set_layout(&product.b, CUDA_R_32F, 23, 8, 24);
    require_offer(&product, CUBLAS_STATUS_INVALID_VALUE);
    set_layout(&product.b, CUDA_R_32F, 24, 8, 23);
    require_offer(&product, CUBLAS_STATUS_INVALID_VALUE);
    set_layout(&product.b, CUDA_R_16F, 24, 8, 24);
    require_offer(&product, CUBLAS_STATUS_NOT_SUPPORTED);
    set_layout(&product.b, CUDA_R_32F, 24, 8, 24);
    set_layout(&product.d, CUDA_R_16F, 16, 8, 16);
    require_offer(&product, CUBLAS_STATUS_NOT_SUPPORTED);
    set_layout(&product.c, CUDA_R_16F, 16, 8, 16);
    require_offer(&product, CUBLAS_STATUS_NOT_SUPPORTED);
    set_layout(&product.c, CUDA_R_32F, 16, 8, 16);
    set_layout(&product.d, CUDA_R_32F, 16, 8, INT64_MAX);
    require_offer(&product, CUBLAS_STATUS_INVALID_VALUE);
    set_layout(&product.d, CUDA_R_32F, 16, 8, 16);
    attribute(&product, BIAS_DATA_TYPE, half);
    require_offer(&product, CUBLAS_STATUS_NOT_SUPPORTED);
    attribute(&product, BIAS_DATA_TYPE, none);
    attribute(&product, TRANSC, one);
    require_offer(&product, CUBLAS_STATUS_NOT_SUPPORTED);
    one = 0;
    attribute(&product, TRANSC, one);
    attribute(&product, EPILOGUE, gelu);
    require_offer(&product, CUBLAS_STATUS_NOT_SUPPORTED);
    attribute(&product, EPILOGUE, mask);
    attribute(&product, EPILOGUE_AUX_LD, odd);
    require_offer(&product, CUBLAS_STATUS_INVALID_VALUE);
    attribute(&product, EPILOGUE_AUX_LD, wide);
    require_offer(&product, CUBLAS_STATUS_SUCCESS);
    attribute(&product, EPILOGUE, plain);
    good(cublasLtMatrixLayoutSetAttribute(product.d.layout, CUBLASLT_MATRIX_LAYOUT_ORDER, &order, sizeof order));
    require_offer(&product, CUBLAS_STATUS_NOT_SUPPORTED);
    end(&product);
}
END_TEST

START_TEST(tensor_cores_want_columns_of_16_bytes) {
    struct product product = product_of((struct setting){HALVES, 1, 1, 0});
    require_offer(&product, CUBLAS_STATUS_SUCCESS);
    good(cublasLtMatmulPreferenceSetAttribute(product.preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
                                              &(uint32_t){8}, 4));
    cublasLtMatmulHeuristicResult_t results[8];
    require(heuristic(&product, results, CUBLAS_STATUS_NOT_SUPPORTED) == 0);
    set_layout(&product.a, CUDA_R_16F, 24, 16, 28);
    require_offer(&product, CUBLAS_STATUS_NOT_SUPPORTED);
    end(&product);
}
END_TEST

START_TEST(places_that_are_not_there_or_not_aligned_are_refused) {
    struct setting set = PLAIN;
    set.epilogue = CUBLASLT_EPILOGUE_RELU_AUX_BIAS;
    struct product product = product_of(set);
    cublasLtMatmulHeuristicResult_t results[8];
    void *nothing = NULL, *odd = (char *)product.bias.there + 4, *bias = product.bias.there, *a = product.a.there;
    heuristic(&product, results, CUBLAS_STATUS_SUCCESS);
    attribute(&product, BIAS_POINTER, nothing);
    require(multiply(&product, &results[0].algo, NULL) == CUBLAS_STATUS_INVALID_VALUE);
    attribute(&product, BIAS_POINTER, odd); /* less aligned than it was when the algorithm was found */
    require(multiply(&product, &results[0].algo, NULL) == CUBLAS_STATUS_INVALID_VALUE);
    attribute(&product, BIAS_POINTER, bias);
    attribute(&product, EPILOGUE_AUX_POINTER, nothing);
    require(multiply(&product, &results[0].algo, NULL) == CUBLAS_STATUS_INVALID_VALUE);
    attribute(&product, EPILOGUE_AUX_POINTER, product.mask.there);
    product.a.there = (char *)a + 8;
    require(multiply(&product, &results[0].algo, NULL) == CUBLAS_STATUS_INVALID_VALUE);
    product.a.there = product.d.there;
    require(multiply(&product, &results[0].algo, NULL) == CUBLAS_STATUS_INVALID_VALUE);
    product.a.there = a;
    good(multiply(&product, &results[0].algo, NULL));
    done(cudaDeviceSynchronize());
    end(&product);
}
END_TEST

START_TEST(nothing_that_is_offered_needs_more_workspace_than_is_allowed) {
    struct product product = product_of(PLAIN);
    cublasLtMatmulHeuristicResult_t results[8];
    uint64_t little = product.workspace_size - 1;
    require(heuristic(&product, results, CUBLAS_STATUS_SUCCESS) == 4);
    good(
        cublasLtMatmulPreferenceSetAttribute(product.preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &little, 8));
    int count = heuristic(&product, results, CUBLAS_STATUS_SUCCESS);
    require(count == 3);
    for (int i = 0; i < count; i++)
        require(results[i].workspaceSize == 0);
    end(&product);
}
END_TEST

START_TEST(an_algorithm_is_good_only_for_what_it_was_found_for) {
    struct product product = product_of(PLAIN), other = product_of(LONG);
    cublasLtMatmulHeuristicResult_t results[8], result;
    cublasLtMatmulAlgo_t none = {{0}};
    heuristic(&product, results, CUBLAS_STATUS_SUCCESS);
    require(multiply(&other, &results[0].algo, NULL) == CUBLAS_STATUS_INVALID_VALUE);
    require(multiply(&product, &none, NULL) == CUBLAS_STATUS_INVALID_VALUE);
    require(cublasLtMatmulAlgoCheck(other.handle, other.operation, other.a.layout, other.b.layout, other.c.layout,
                                    other.d.layout, &results[0].algo, &result) == CUBLAS_STATUS_INVALID_VALUE);
    good(cublasLtMatmulAlgoCheck(product.handle, product.operation, product.a.layout, product.b.layout,
                                 product.c.layout, product.d.layout, &results[0].algo, &result));
    require(result.workspaceSize == results[0].workspaceSize);
    end(&product);
    end(&other);
}
END_TEST

START_TEST(attributes_have_sizes) {
    struct product product = product_of(PLAIN);
    uint64_t number = 3;
    size_t written = 0;
    require(cublasLtMatmulDescSetAttribute(product.operation, CUBLASLT_MATMUL_DESC_TRANSA, &number, 8) ==
            CUBLAS_STATUS_INVALID_VALUE);
    require(cublasLtMatmulDescSetAttribute(product.operation, CUBLASLT_MATMUL_DESC_TRANSA, NULL, 4) ==
            CUBLAS_STATUS_INVALID_VALUE);
    require(cublasLtMatmulDescSetAttribute(NULL, CUBLASLT_MATMUL_DESC_TRANSA, &number, 4) ==
            CUBLAS_STATUS_INVALID_VALUE);
    require(cublasLtMatmulDescSetAttribute((void *)product.a.layout, CUBLASLT_MATMUL_DESC_TRANSA, &number, 4) ==
            CUBLAS_STATUS_INVALID_VALUE);
    int32_t transpose = 7;
    good(cublasLtMatmulDescGetAttribute(product.operation, CUBLASLT_MATMUL_DESC_TRANSA, &transpose, 4, &written));
    require(transpose == CUBLAS_OP_T && written == 4);
    end(&product);
}
END_TEST

/* ---- failures */

START_TEST(memory_that_is_not_the_cards_breaks_it) {
    struct product product = product_of(PLAIN);
    void *a = product.a.there;
    static _Alignas(256) float here[16 * 24];
    product.a.there = here;
    good(multiply(&product, NULL, NULL));
    require(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
    require(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
    product.a.there = a;
    require(multiply(&product, NULL, NULL) == CUBLAS_STATUS_EXECUTION_FAILED);
    emulated_mend();
    end(&product);
}
END_TEST

START_TEST(calls_fail_as_they_are_asked_to) {
    struct product product = product_of(PLAIN);
    cublasLtHandle_t handle;
    emulated_fail("cublasLtMatmul:14@2,cublasLtCreate:2@1");
    good(multiply(&product, NULL, NULL));
    require(multiply(&product, NULL, NULL) == CUBLAS_STATUS_INTERNAL_ERROR);
    good(multiply(&product, NULL, NULL));
    require(cublasLtCreate(&handle) == CUBLAS_STATUS_ALLOC_FAILED);
    emulated_fail("");
    require(emulated_calls("cublasLtMatmul") == 3);
    require(multiply(&(struct product){.handle = NULL}, NULL, NULL) == CUBLAS_STATUS_NOT_INITIALIZED);
    end(&product);
}
END_TEST

/* What ends the program does so with a sentence. */
static void require_end(void (*misuse)(void), const char *sentence) {
    char text[300] = "";
    int ends[2];
    require(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        misuse();
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got; length < sizeof text - 1 && (got = read(ends[0], text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)got;
    close(ends[0]);
    require(end_of(child) == -SIGABRT);
    if (strstr(text, sentence) == NULL)
        ck_abort_msg("%s", text);
}

static void give_too_little(void) {
    struct product product = product_of(LONG);
    cublasLtMatmulHeuristicResult_t results[8];
    int count = heuristic(&product, results, CUBLAS_STATUS_SUCCESS);
    product.workspace_size--;
    for (int i = 0; i < count; i++)
        multiply(&product, &results[i].algo, NULL);
}

static void destroy_twice(void) {
    static cublasLtMatrixLayoutOpaque_t own;
    cublasLtMatrixLayoutDestroy(&own);
}

START_TEST(misuse_ends_the_program_with_a_sentence) {
    require_end(give_too_little, "was found to need a workspace of 128 bytes, and is given 127");
    require_end(destroy_twice, "cublasLtMatrixLayoutDestroy: ");
}
END_TEST

SUITE("cuda_refusals", shapes_and_types_that_do_not_fit_are_refused, tensor_cores_want_columns_of_16_bytes,
      places_that_are_not_there_or_not_aligned_are_refused,
      nothing_that_is_offered_needs_more_workspace_than_is_allowed, an_algorithm_is_good_only_for_what_it_was_found_for,
      attributes_have_sizes, memory_that_is_not_the_cards_breaks_it, calls_fail_as_they_are_asked_to,
      misuse_ends_the_program_with_a_sentence)
