/* cublaslt_match.c: which products the cuBLASLt that is none can do, by which algorithms, and how they are begun. */
#include "cublaslt.h"

#include <stdlib.h>
#include <string.h>

#include "emulated.h"

#define API __attribute__((visibility("default")))

/* ---- what can be done: the rules of cublasLt.h and of NVIDIA's tables of types, and no more than they promise */

static bool is_half(uint32_t type) {
    return type == CUDA_R_16F || type == CUDA_R_16BF;
}

/* Sums are float; A and B are of one type, and so are C and D, of theirs or float; TF32 is made of floats. */
static bool types_match(const struct operation *operation, const struct layout *a, const struct layout *b,
                        const struct layout *c, const struct layout *d) {
    bool tf32 = operation->compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    if (operation->compute != CUBLAS_COMPUTE_32F && operation->compute != CUBLAS_COMPUTE_32F_PEDANTIC && !tf32)
        return false;
    if (operation->scale != CUDA_R_32F || type_size(a->type) == 0 || a->type != b->type || c->type != d->type)
        return false;
    if (d->type != CUDA_R_32F && d->type != a->type)
        return false;
    bool bias = operation->bias_type == -1 || operation->bias_type == (int32_t)d->type;
    return bias && operation->aux_type == -1 && !(tf32 && a->type != CUDA_R_32F);
}

static bool epilogue_exists(uint32_t epilogue) {
    static const uint32_t KNOWN[] = {CUBLASLT_EPILOGUE_DEFAULT,       CUBLASLT_EPILOGUE_RELU,
                                     CUBLASLT_EPILOGUE_RELU_AUX,      CUBLASLT_EPILOGUE_BIAS,
                                     CUBLASLT_EPILOGUE_DRELU,         CUBLASLT_EPILOGUE_RELU_BIAS,
                                     CUBLASLT_EPILOGUE_RELU_AUX_BIAS, CUBLASLT_EPILOGUE_BGRADA,
                                     CUBLASLT_EPILOGUE_DRELU_BGRAD,   CUBLASLT_EPILOGUE_BGRADB};
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++)
        if (KNOWN[i] == epilogue)
            return true;
    return false;
}

/* The tensor cores read 16 bytes at a time, from rows or columns that begin at such places. */
static bool has_whole_columns(const struct layout *layout) {
    return (size_t)layout->stride * type_size(layout->type) % 16 == 0;
}

static cublasStatus_t check_layout(const struct layout *layout) {
    if (!is_marked(layout, LAYOUT_MARK))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (layout->order != CUBLASLT_ORDER_COL || layout->batch != 1 || layout->plane != 0 || layout->batch_mode != 0)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if (layout->rows == 0 || layout->columns == 0 || layout->rows > INT32_MAX || layout->columns > INT32_MAX)
        return CUBLAS_STATUS_INVALID_VALUE;
    bool sane = layout->stride >= (int64_t)layout->rows && (uint64_t)layout->stride <= (1ull << 48) / layout->columns;
    return sane ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

static cublasStatus_t check_shapes(const struct operation *operation, const struct layout *a, const struct layout *b,
                                   const struct layout *c, const struct layout *d) {
    bool turn_a = operation->transpose_a != CUBLAS_OP_N, turn_b = operation->transpose_b != CUBLAS_OP_N;
    const struct layout *const ALL[] = {a, b, c, d};
    for (size_t i = 0; i < 4; i++) {
        cublasStatus_t status = check_layout(ALL[i]);
        if (status != CUBLAS_STATUS_SUCCESS)
            return status;
    }
    uint64_t rows = turn_a ? a->columns : a->rows, columns = turn_b ? b->rows : b->columns;
    uint64_t depth = turn_a ? a->rows : a->columns;
    if (depth != (turn_b ? b->columns : b->rows) || d->rows != rows || d->columns != columns || c->rows != rows ||
        c->columns != columns)
        return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t check(const struct operation *operation, const struct layout *a, const struct layout *b,
                            const struct layout *c, const struct layout *d) {
    if (!is_marked(operation, OPERATION_MARK))
        return CUBLAS_STATUS_INVALID_VALUE;
    cublasStatus_t status = check_shapes(operation, a, b, c, d);
    if (status != CUBLAS_STATUS_SUCCESS)
        return status;
    if (operation->transpose_c != CUBLAS_OP_N || operation->fill != CUBLAS_FILL_MODE_FULL ||
        operation->pointer_mode != CUBLASLT_POINTER_MODE_HOST || !epilogue_exists(operation->epilogue) ||
        !types_match(operation, a, b, c, d))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if (is_half(a->type) &&
        !(has_whole_columns(a) && has_whole_columns(b) && has_whole_columns(c) && has_whole_columns(d)))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    bool mask = (operation->epilogue & 128) != 0;
    if (mask && (operation->aux_leading < (int64_t)d->rows || operation->aux_leading % 128 != 0))
        return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
}

/* ---- algorithms */

/* FNV-1a, over numbers. */
static uint64_t mix(uint64_t hash, uint64_t number) {
    for (int byte = 0; byte < 8; byte++)
        hash = (hash ^ (number >> 8 * byte & 0xff)) * 1099511628211U;
    return hash;
}

/* What an algorithm is found for; it is good for nothing else. */
static uint64_t purpose_of(const struct operation *operation, const struct layout *const layouts[4]) {
    uint64_t hash = 14695981039346656037U;
    hash = mix(mix(mix(hash, (uint64_t)operation->compute), operation->epilogue), (uint64_t)operation->aux_leading);
    hash = mix(mix(hash, operation->transpose_a != CUBLAS_OP_N), operation->transpose_b != CUBLAS_OP_N);
    for (size_t i = 0; i < 4; i++) {
        hash = mix(mix(hash, layouts[i]->type), layouts[i]->rows);
        hash = mix(mix(hash, layouts[i]->columns), (uint64_t)layouts[i]->stride);
    }
    return hash;
}

static uint64_t seed(void) {
    const char *text = getenv("EMULATED_SEED");
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

/* To how many bytes an address is aligned; 16 is as good as more. */
static uint32_t alignment_of(const void *address) {
    uint32_t alignment = 1;
    while (alignment < 16 && (uintptr_t)address % (2 * (size_t)alignment) == 0)
        alignment *= 2;
    return alignment;
}

static size_t parts_size(const struct layout *d) {
    return PARTS * (size_t)d->rows * d->columns * sizeof(float);
}

/* Which comes first depends on the shape and the seed, as on a card it does on the shape and the library's version. */
static int find_algorithms(const struct operation *operation, const struct layout *const layouts[4],
                           const struct preference *preference, int most, struct choice choices[ALGORITHMS]) {
    uint64_t purpose = purpose_of(operation, layouts);
    bool split = preference->workspace >= parts_size(layouts[3]) && preference->reductions != 0;
    uint32_t count = split ? ALGORITHMS : ALGORITHMS - 1;
    uint32_t first = (uint32_t)(mix(purpose, seed()) >> 32) % count;
    struct choice choice = {.mark = CHOICE_MARK,
                            .rounds = (preference->reductions & ~(uint32_t)CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE) != 0,
                            .purpose = purpose,
                            .bias_alignment = alignment_of(operation->bias),
                            .aux_alignment = alignment_of(operation->aux)};
    for (int i = 0; i < 4; i++) {
        choice.alignment[i] = preference->alignment[i] < 16 ? preference->alignment[i] : 16;
        if (choice.alignment[i] < (is_half(layouts[0]->type) ? 16 : sizeof(float)))
            return 0;
    }
    for (uint32_t i = 0; i < count && (int)i < most; i++) {
        choices[i] = choice;
        choices[i].algorithm = (first + i) % count;
        choices[i].workspace = choices[i].algorithm == SPLIT ? parts_size(layouts[3]) : 0;
    }
    return (int)count < most ? (int)count : most;
}

API cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                                  cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                                  cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                                  cublasLtMatmulPreference_t preference, int most,
                                                  cublasLtMatmulHeuristicResult_t *results, int *count) {
    struct choice choices[ALGORITHMS];
    const struct layout *const layouts[] = {(void *)a, (void *)b, (void *)c, (void *)d};
    cublasStatus_t status = called("cublasLtMatmulAlgoGetHeuristic");
    if (status != CUBLAS_STATUS_SUCCESS)
        return status;
    if (!is_marked(handle, HANDLE_MARK))
        return CUBLAS_STATUS_NOT_INITIALIZED;
    if (most <= 0 || results == NULL || count == NULL || !is_marked(preference, PREFERENCE_MARK))
        return CUBLAS_STATUS_INVALID_VALUE;
    *count = 0;
    status = check((void *)operation, layouts[0], layouts[1], layouts[2], layouts[3]);
    if (status != CUBLAS_STATUS_SUCCESS)
        return status;
    const struct preference *wishes = (void *)preference;
    if (wishes->search != CUBLASLT_SEARCH_BEST_FIT)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    *count = find_algorithms((void *)operation, layouts, wishes, most, choices);
    for (int i = 0; i < *count; i++) {
        results[i] = (cublasLtMatmulHeuristicResult_t){.workspaceSize = choices[i].workspace, .wavesCount = 1};
        memcpy(&results[i].algo, &choices[i], sizeof choices[i]);
    }
    return *count > 0 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

/* Whether the algorithm is one, and found for just this. */
static bool suits(const cublasLtMatmulAlgo_t *algorithm, const struct operation *operation,
                  const struct layout *const layouts[4]) {
    const struct choice *choice = (const void *)algorithm;
    return is_marked(choice, CHOICE_MARK) && choice->algorithm < ALGORITHMS &&
           choice->purpose == purpose_of(operation, layouts);
}

API cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                           cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                                           cublasLtMatrixLayout_t d, const cublasLtMatmulAlgo_t *algorithm,
                                           cublasLtMatmulHeuristicResult_t *result) {
    const struct layout *const layouts[] = {(void *)a, (void *)b, (void *)c, (void *)d};
    cublasStatus_t status = called("cublasLtMatmulAlgoCheck");
    if (status != CUBLAS_STATUS_SUCCESS)
        return status;
    if (!is_marked(handle, HANDLE_MARK))
        return CUBLAS_STATUS_NOT_INITIALIZED;
    if (result == NULL)
        return CUBLAS_STATUS_INVALID_VALUE;
    status = check((void *)operation, layouts[0], layouts[1], layouts[2], layouts[3]);
    if (status == CUBLAS_STATUS_SUCCESS && !suits(algorithm, (void *)operation, layouts))
        status = CUBLAS_STATUS_INVALID_VALUE;
    result->state = status;
    result->wavesCount = 1;
    result->workspaceSize =
        status == CUBLAS_STATUS_SUCCESS ? ((const struct choice *)(const void *)algorithm)->workspace : 0;
    return status;
}

/* ---- a product is begun */

static bool overlap(const void *one, size_t one_size, const void *other, size_t other_size) {
    uintptr_t begin = (uintptr_t)one, other_begin = (uintptr_t)other;
    return begin < other_begin + other_size && other_begin < begin + one_size;
}

/* All that the caller names must be there, aligned as the algorithm wants it, and D apart from what it is made of. */
static cublasStatus_t check_places(const struct product *product, const struct choice *choice) {
    const struct operation *operation = &product->operation;
    const void *const PLACES[] = {product->from_a, product->from_b, product->from_c, product->to};
    for (size_t i = 0; i < 4; i++)
        if (PLACES[i] == NULL || (uintptr_t)PLACES[i] % choice->alignment[i] != 0)
            return CUBLAS_STATUS_INVALID_VALUE;
    bool bias = (operation->epilogue & (CUBLASLT_EPILOGUE_BIAS | 16 | 256 | 512)) != 0;
    bool mask = (operation->epilogue & 128) != 0;
    if (bias && (operation->bias == NULL || alignment_of(operation->bias) < choice->bias_alignment))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (mask && (operation->aux == NULL || alignment_of(operation->aux) < 16))
        return CUBLAS_STATUS_INVALID_VALUE;
    size_t size = layout_size(&product->d);
    if (overlap(product->to, size, product->from_a, layout_size(&product->a)) ||
        overlap(product->to, size, product->from_b, layout_size(&product->b)))
        return CUBLAS_STATUS_INVALID_VALUE;
    bool in_place = product->to == product->from_c && product->c.stride == product->d.stride;
    if (product->beta != 0 && !in_place && overlap(product->to, size, product->from_c, layout_size(&product->c)))
        return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t begin(const struct product *product, cudaStream_t stream) {
    bool split = product->algorithm == SPLIT;
    cudaError_t error = emulated_enqueue(stream, split ? run_parts : run_product, product, sizeof *product);
    if (error == cudaSuccess && split)
        error = emulated_enqueue(stream, run_sum, product, sizeof *product);
    return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

/* Without an algorithm the library looks for one itself that needs no more than the workspace. */
static cublasStatus_t choose(struct choice *choice, const cublasLtMatmulAlgo_t *algorithm,
                             const struct operation *operation, const struct layout *const layouts[4],
                             size_t workspace) {
    const struct preference any = {
        .reductions = CUBLASLT_REDUCTION_SCHEME_MASK, .alignment = {16, 16, 16, 16}, .workspace = workspace};
    struct choice choices[ALGORITHMS];
    if (algorithm != NULL && !suits(algorithm, operation, layouts))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (algorithm != NULL)
        memcpy(choice, algorithm, sizeof *choice);
    else if (find_algorithms(operation, layouts, &any, 1, choices) == 1)
        *choice = choices[0];
    else
        return CUBLAS_STATUS_NOT_SUPPORTED;
    return CUBLAS_STATUS_SUCCESS;
}

API cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, const void *alpha,
                                  const void *from_a, cublasLtMatrixLayout_t a, const void *from_b,
                                  cublasLtMatrixLayout_t b, const void *beta, const void *from_c,
                                  cublasLtMatrixLayout_t c, void *to, cublasLtMatrixLayout_t d,
                                  const cublasLtMatmulAlgo_t *algorithm, void *workspace, size_t workspace_size,
                                  cudaStream_t stream) {
    const struct layout *const layouts[] = {(void *)a, (void *)b, (void *)c, (void *)d};
    struct choice choice;
    cublasStatus_t status = called("cublasLtMatmul");
    if (status != CUBLAS_STATUS_SUCCESS)
        return status;
    if (!is_marked(handle, HANDLE_MARK))
        return CUBLAS_STATUS_NOT_INITIALIZED;
    status = alpha == NULL || beta == NULL ? CUBLAS_STATUS_INVALID_VALUE
                                           : check((void *)operation, layouts[0], layouts[1], layouts[2], layouts[3]);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = choose(&choice, algorithm, (void *)operation, layouts, workspace != NULL ? workspace_size : 0);
    if (status != CUBLAS_STATUS_SUCCESS)
        return status;
    if (choice.workspace > 0 && (workspace == NULL || workspace_size < choice.workspace))
        give_up("cublasLtMatmul: the algorithm was found to need a workspace of %zu bytes, and is given %zu",
                (size_t)choice.workspace, workspace != NULL ? workspace_size : 0);
    uint64_t habits = mix(mix(0, seed()), 1);
    struct product product = {.from_a = from_a,
                              .from_b = from_b,
                              .from_c = from_c,
                              .to = to,
                              .algorithm = choice.algorithm,
                              .rounds = choice.rounds,
                              .habits = {.truncates = habits >> 40 & 1, .relu_drops = habits >> 41 & 1},
                              .workspace = workspace};
    memcpy(&product.operation, operation, sizeof product.operation);
    memcpy(&product.a, a, sizeof product.a);
    memcpy(&product.b, b, sizeof product.b);
    memcpy(&product.c, c, sizeof product.c);
    memcpy(&product.d, d, sizeof product.d);
    memcpy(&product.alpha, alpha, sizeof product.alpha);
    memcpy(&product.beta, beta, sizeof product.beta);
    status = check_places(&product, &choice);
    return status == CUBLAS_STATUS_SUCCESS ? begin(&product, stream) : status;
}
