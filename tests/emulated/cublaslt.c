/* cublaslt.c: handles and descriptors of a cuBLASLt that is none: see emulated.h, and cublasLt.h for what they mean. */
#include "cublaslt.h"

#include <stdlib.h>
#include <string.h>

#include "emulated.h"

#define API __attribute__((visibility("default")))

/* ---- statuses */

static const struct {
    cublasStatus_t status;
    const char *name, *sentence;
} STATUSES[] = {
    {CUBLAS_STATUS_SUCCESS, "CUBLAS_STATUS_SUCCESS", "success"},
    {CUBLAS_STATUS_NOT_INITIALIZED, "CUBLAS_STATUS_NOT_INITIALIZED", "the library was not initialized"},
    {CUBLAS_STATUS_ALLOC_FAILED, "CUBLAS_STATUS_ALLOC_FAILED", "the resource allocation failed"},
    {CUBLAS_STATUS_INVALID_VALUE, "CUBLAS_STATUS_INVALID_VALUE", "an invalid value was used as an argument"},
    {CUBLAS_STATUS_ARCH_MISMATCH, "CUBLAS_STATUS_ARCH_MISMATCH", "an absent device architectural feature is required"},
    {CUBLAS_STATUS_MAPPING_ERROR, "CUBLAS_STATUS_MAPPING_ERROR", "an access to GPU memory space failed"},
    {CUBLAS_STATUS_EXECUTION_FAILED, "CUBLAS_STATUS_EXECUTION_FAILED", "the GPU program failed to execute"},
    {CUBLAS_STATUS_INTERNAL_ERROR, "CUBLAS_STATUS_INTERNAL_ERROR", "an internal operation failed"},
    {CUBLAS_STATUS_NOT_SUPPORTED, "CUBLAS_STATUS_NOT_SUPPORTED", "the functionality requested is not supported"},
    {CUBLAS_STATUS_LICENSE_ERROR, "CUBLAS_STATUS_LICENSE_ERROR", "the functionality requested requires some license"},
};

enum { STATUS_COUNT = sizeof STATUSES / sizeof *STATUSES };

API const char *cublasLtGetStatusName(cublasStatus_t status) {
    for (size_t i = 0; i < STATUS_COUNT; i++)
        if (STATUSES[i].status == status)
            return STATUSES[i].name;
    return "unknown cublas status";
}

API const char *cublasLtGetStatusString(cublasStatus_t status) {
    for (size_t i = 0; i < STATUS_COUNT; i++)
        if (STATUSES[i].status == status)
            return STATUSES[i].sentence;
    return "unknown cublas status";
}

API size_t cublasLtGetVersion(void) {
    return CUBLAS_VERSION;
}

API size_t cublasLtGetCudartVersion(void) {
    return CUDART_VERSION;
}

/* A fault that is asked for by one of these statuses is that one; any other number is CUDA's, met within cuBLASLt. */
cublasStatus_t called(const char *function) {
    int error = emulated_call(function);
    if (error == 0)
        return CUBLAS_STATUS_SUCCESS;
    if (error == cudaErrorMemoryAllocation)
        return CUBLAS_STATUS_ALLOC_FAILED;
    for (size_t i = 0; i < STATUS_COUNT; i++)
        if ((int)STATUSES[i].status == error)
            return STATUSES[i].status;
    return CUBLAS_STATUS_EXECUTION_FAILED;
}

#define CALLED(function)                                                                                               \
    do {                                                                                                               \
        cublasStatus_t fault = called(function);                                                                       \
        if (fault != CUBLAS_STATUS_SUCCESS)                                                                            \
            return fault;                                                                                              \
    } while (0)

/* ---- what is made and given back: each begins with its mark */

static cublasStatus_t make(void *place, const void *content, size_t size) {
    void **made = place;
    if (made == NULL)
        return CUBLAS_STATUS_INVALID_VALUE;
    *made = calloc(1, sizeof(cublasLtMatmulDescOpaque_t)); /* the largest of them */
    if (*made == NULL)
        return CUBLAS_STATUS_ALLOC_FAILED;
    memcpy(*made, content, size);
    emulated_hold(1);
    return CUBLAS_STATUS_SUCCESS;
}

/*
 * What is destroyed twice, or was never made, would be the heap's end: say so instead. With a fault it is given back
 * all the same: what could a program do with it?
 */
static cublasStatus_t destroy(void *made, uint32_t mark, const char *function) {
    cublasStatus_t fault = called(function);
    if (made == NULL)
        return fault;
    if (!is_marked(made, mark))
        give_up("%s: %p is none, or was destroyed before", function, made);
    memset(made, 0, sizeof mark);
    free(made);
    emulated_hold(-1);
    return fault;
}

static cublasStatus_t init(void *place, size_t room, const void *content, size_t size) {
    if (place == NULL)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (room < size)
        return CUBLAS_STATUS_ALLOC_FAILED;
    memset(place, 0, room);
    memcpy(place, content, size);
    return CUBLAS_STATUS_SUCCESS;
}

/* A handle belongs to a card: without one, none is made. */
API cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
    const uint32_t mark = HANDLE_MARK;
    int cards = 0;
    CALLED("cublasLtCreate");
    if (cudaGetDeviceCount(&cards) != cudaSuccess || cards == 0)
        return CUBLAS_STATUS_NOT_INITIALIZED;
    return make(handle, &mark, sizeof mark);
}

API cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
    return handle == NULL ? CUBLAS_STATUS_NOT_INITIALIZED : destroy(handle, HANDLE_MARK, "cublasLtDestroy");
}

static struct layout new_layout(cudaDataType type, uint64_t rows, uint64_t columns, int64_t stride) {
    return (struct layout){LAYOUT_MARK, type, rows, columns, stride, CUBLASLT_ORDER_COL, .batch = 1};
}

API cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType type, uint64_t rows,
                                              uint64_t columns, int64_t stride) {
    struct layout content = new_layout(type, rows, columns, stride);
    CALLED("cublasLtMatrixLayoutCreate");
    return make(layout, &content, sizeof content);
}

API cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t layout, size_t room, cudaDataType type,
                                                     uint64_t rows, uint64_t columns, int64_t stride) {
    struct layout content = new_layout(type, rows, columns, stride);
    CALLED("cublasLtMatrixLayoutInit");
    return init(layout, room, &content, sizeof content);
}

API cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    return destroy(layout, LAYOUT_MARK, "cublasLtMatrixLayoutDestroy");
}

static struct operation new_operation(cublasComputeType_t compute, cudaDataType_t scale) {
    return (struct operation){.mark = OPERATION_MARK,
                              .compute = (int32_t)compute,
                              .scale = (int32_t)scale,
                              .fill = CUBLAS_FILL_MODE_FULL,
                              .epilogue = CUBLASLT_EPILOGUE_DEFAULT,
                              .bias_type = -1,
                              .aux_type = -1};
}

API cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *operation, cublasComputeType_t compute,
                                            cudaDataType_t scale) {
    struct operation content = new_operation(compute, scale);
    CALLED("cublasLtMatmulDescCreate");
    return make(operation, &content, sizeof content);
}

API cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t operation, size_t room,
                                                   cublasComputeType_t compute, cudaDataType_t scale) {
    struct operation content = new_operation(compute, scale);
    CALLED("cublasLtMatmulDescInit");
    return init(operation, room, &content, sizeof content);
}

API cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation) {
    return destroy(operation, OPERATION_MARK, "cublasLtMatmulDescDestroy");
}

static struct preference new_preference(void) {
    return (struct preference){.mark = PREFERENCE_MARK,
                               .reductions = CUBLASLT_REDUCTION_SCHEME_MASK,
                               .alignment = {256, 256, 256, 256},
                               .kinds = UINT64_MAX};
}

API cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference) {
    struct preference content = new_preference();
    CALLED("cublasLtMatmulPreferenceCreate");
    return make(preference, &content, sizeof content);
}

API cublasStatus_t cublasLtMatmulPreferenceInit_internal(cublasLtMatmulPreference_t preference, size_t room) {
    struct preference content = new_preference();
    CALLED("cublasLtMatmulPreferenceInit");
    return init(preference, room, &content, sizeof content);
}

API cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    return destroy(preference, PREFERENCE_MARK, "cublasLtMatmulPreferenceDestroy");
}

/* ---- attributes: where each lies in its descriptor */

struct attribute {
    uint32_t number, offset, size;
};

#define FIELD(number, type, field)                                                                                     \
    { number, offsetof(struct type, field), sizeof((struct type *)NULL)->field }

static const struct attribute LAYOUT[] = {
    FIELD(CUBLASLT_MATRIX_LAYOUT_TYPE, layout, type),
    FIELD(CUBLASLT_MATRIX_LAYOUT_ORDER, layout, order),
    FIELD(CUBLASLT_MATRIX_LAYOUT_ROWS, layout, rows),
    FIELD(CUBLASLT_MATRIX_LAYOUT_COLS, layout, columns),
    FIELD(CUBLASLT_MATRIX_LAYOUT_LD, layout, stride),
    FIELD(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, layout, batch),
    FIELD(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, layout, batch_stride),
    FIELD(CUBLASLT_MATRIX_LAYOUT_PLANE_OFFSET, layout, plane),
    FIELD(CUBLASLT_MATRIX_LAYOUT_BATCH_MODE, layout, batch_mode),
    {0},
};

static const struct attribute OPERATION[] = {
    FIELD(CUBLASLT_MATMUL_DESC_COMPUTE_TYPE, operation, compute),
    FIELD(CUBLASLT_MATMUL_DESC_SCALE_TYPE, operation, scale),
    FIELD(CUBLASLT_MATMUL_DESC_POINTER_MODE, operation, pointer_mode),
    FIELD(CUBLASLT_MATMUL_DESC_TRANSA, operation, transpose_a),
    FIELD(CUBLASLT_MATMUL_DESC_TRANSB, operation, transpose_b),
    FIELD(CUBLASLT_MATMUL_DESC_TRANSC, operation, transpose_c),
    FIELD(CUBLASLT_MATMUL_DESC_FILL_MODE, operation, fill),
    FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE, operation, epilogue),
    FIELD(CUBLASLT_MATMUL_DESC_BIAS_POINTER, operation, bias),
    FIELD(CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE, operation, bias_stride),
    FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, operation, aux),
    FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, operation, aux_leading),
    FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE, operation, aux_stride),
    FIELD(CUBLASLT_MATMUL_DESC_SM_COUNT_TARGET, operation, processors),
    FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE, operation, aux_type),
    FIELD(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, operation, bias_type),
    {0},
};

static const struct attribute PREFERENCE[] = {
    FIELD(CUBLASLT_MATMUL_PREF_SEARCH_MODE, preference, search),
    FIELD(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, preference, workspace),
    FIELD(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, preference, reductions),
    FIELD(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, preference, alignment[0]),
    FIELD(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, preference, alignment[1]),
    FIELD(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, preference, alignment[2]),
    FIELD(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, preference, alignment[3]),
    FIELD(CUBLASLT_MATMUL_PREF_MAX_WAVES_COUNT, preference, waves),
    FIELD(CUBLASLT_MATMUL_PREF_IMPL_MASK, preference, kinds),
    {0},
};

static void *find(void *descriptor, uint32_t mark, const struct attribute *attributes, uint32_t number, size_t size) {
    if (!is_marked(descriptor, mark))
        return NULL;
    for (; attributes->size > 0; attributes++)
        if (attributes->number == number)
            return size == attributes->size ? (char *)descriptor + attributes->offset : NULL;
    return NULL;
}

static cublasStatus_t set(void *place, const void *from, size_t size) {
    if (place == NULL || from == NULL)
        return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(place, from, size);
    return CUBLAS_STATUS_SUCCESS;
}

API cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                    cublasLtMatrixLayoutAttribute_t attribute, const void *from,
                                                    size_t size) {
    CALLED("cublasLtMatrixLayoutSetAttribute");
    return set(find(layout, LAYOUT_MARK, LAYOUT, attribute, size), from, size);
}

API cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation,
                                                  cublasLtMatmulDescAttributes_t attribute, const void *from,
                                                  size_t size) {
    CALLED("cublasLtMatmulDescSetAttribute");
    return set(find(operation, OPERATION_MARK, OPERATION, attribute, size), from, size);
}

API cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                        cublasLtMatmulPreferenceAttributes_t attribute,
                                                        const void *from, size_t size) {
    CALLED("cublasLtMatmulPreferenceSetAttribute");
    return set(find(preference, PREFERENCE_MARK, PREFERENCE, attribute, size), from, size);
}

API cublasStatus_t cublasLtMatmulDescGetAttribute(cublasLtMatmulDesc_t operation,
                                                  cublasLtMatmulDescAttributes_t attribute, void *to, size_t size,
                                                  size_t *written) {
    CALLED("cublasLtMatmulDescGetAttribute");
    const void *place = find(operation, OPERATION_MARK, OPERATION, attribute, size);
    if (place == NULL || to == NULL)
        return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(to, place, size);
    if (written != NULL)
        *written = size;
    return CUBLAS_STATUS_SUCCESS;
}
