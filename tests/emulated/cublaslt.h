/* cublaslt.h: what the files of the cuBLASLt that is none share: what its descriptors hold, and a product to be run. */
#ifndef TESTS_EMULATED_CUBLASLT_H
#define TESTS_EMULATED_CUBLASLT_H

#include <cublasLt.h>
#include <stdbool.h>
#include <stdint.h>

/* What each descriptor begins with: one that was never made, or is destroyed, is told from one that is good. */
enum { HANDLE_MARK = 0x6c744801, LAYOUT_MARK, OPERATION_MARK, PREFERENCE_MARK, CHOICE_MARK };

/* A descriptor may lie in the caller's own memory (cublasLtMatmulDescInit), so it owns nothing. */
struct layout {
    uint32_t mark, type;
    uint64_t rows, columns;
    int64_t stride; /* elements from one column to the next: the leading dimension */
    int32_t order, batch;
    int64_t batch_stride, plane;
    uint32_t batch_mode;
};

struct operation {
    uint32_t mark;
    int32_t compute, scale, pointer_mode, transpose_a, transpose_b, transpose_c, fill;
    uint32_t epilogue;
    int32_t bias_type, aux_type, processors;
    void *bias, *aux;
    int64_t bias_stride, aux_stride, aux_leading; /* the last in elements: bits */
};

struct preference {
    uint32_t mark, search, reductions, alignment[4]; /* of A, B, C, D */
    float waves;
    uint64_t workspace, kinds;
};

/* What an algorithm is: its number, what it was found for, and what it wants. */
struct choice {
    uint32_t mark, algorithm;
    bool rounds; /* parts of a sum are kept in D's type until they are added */
    uint32_t alignment[4], bias_alignment, aux_alignment;
    uint64_t purpose, workspace;
};

_Static_assert(sizeof(struct layout) <= sizeof(cublasLtMatrixLayoutOpaque_t), "a layout fits");
_Static_assert(sizeof(struct operation) <= sizeof(cublasLtMatmulDescOpaque_t), "an operation fits");
_Static_assert(sizeof(struct preference) <= sizeof(cublasLtMatmulPreferenceOpaque_t), "a preference fits");
_Static_assert(sizeof(struct choice) <= sizeof(cublasLtMatmulAlgo_t), "an algorithm fits");

/*
 * The algorithms differ in the order of their sums, and so in the last bits. The last one splits the sums: it stores
 * the two parts in the workspace, and adds them in a step of its own. Where it splits them depends on the column of D,
 * as on a card it may on the tile.
 */
enum { ALGORITHMS = 4, SPLIT = 3, PARTS = 2 };

/* What a card may do one way or the other, and the seed decides. */
struct habits {
    bool truncates;  /* conversions to TF32 cut the bits off; else they round to nearest, ties to even */
    bool relu_drops; /* max(NaN, 0) is 0; else NaN */
};

/* D = alpha A B + beta C, with all that is needed to run it. */
struct product {
    struct operation operation;
    struct layout a, b, c, d;
    const void *from_a, *from_b, *from_c;
    void *to;
    float alpha, beta;
    uint32_t algorithm;
    bool rounds;
    struct habits habits;
    float *workspace; /* [PARTS][columns of D][rows of D] */
};

cublasStatus_t called(const char *function); /* counts a call, and is the status that it is to fail with */
/* For what would be the end of a program on a card, and not at once: a sentence, and the end here. */
void give_up(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static inline bool is_marked(const void *made, uint32_t mark) {
    return made != NULL && *(const uint32_t *)made == mark;
}

/* What emulated_enqueue calls when it is their turn; the argument is a struct product. */
void run_product(void *argument);
void run_parts(void *argument);
void run_sum(void *argument);

size_t type_size(uint32_t type); /* bytes; 0 for a type that is none of float, half, bfloat16 */

/* Bytes from the first number of a matrix to behind its last one. */
static inline size_t layout_size(const struct layout *layout) {
    return ((size_t)(layout->columns - 1) * (size_t)layout->stride + layout->rows) * type_size(layout->type);
}

#endif
