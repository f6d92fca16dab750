/* ladder.h: one dense layer, computed in six ways, each faster than the one before: read ladder.cu, then run it. */
#ifndef GPU_CUDA_LADDER_H
#define GPU_CUDA_LADDER_H

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stdint.h>

#include "failure.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Rows, inputs and outputs are 1 to LADDER_MOST each, so that no grid of blocks is too large for any card. */
enum { LADDER_MOST = 32768, LADDER_VERSIONS = 7 };

/*
 * The layer y = relu(x w^T + b). All pointers are the card's, aligned to 16 bytes. A row of x or w is `pitch` numbers
 * long, a multiple of 8: its `inputs`, and zeros behind them. So what is read by 16 bytes never crosses a row's end. A
 * row of y is `y_pitch` numbers long, a multiple of 8, too, since cuBLASLt wants it so.
 */
struct dense {
    uint32_t rows, inputs, outputs, pitch, y_pitch;
    const float *x, *w;          /* [rows][pitch], [outputs][pitch] */
    const void *half_x, *half_w; /* the same in fp16 */
    const float *b;              /* [outputs] */
    float *y;                    /* [rows][y_pitch] */
};

struct ladder_version {
    int number;       /* 1 to 6; 6 is there twice, in the numbers of 1 to 4, and in those of 5 */
    const char *name; /* "naive" */
    const char *adds; /* what it does that the one before does not */
    bool half;        /* takes half_x and half_w, and runs on tensor cores; else x and w. Sums are float in both */
    /*
     * How far a number of y may lie from the exact one of the same inputs, as a part of |b| + the sum of |x w|: what
     * rounding does to a sum is bounded by such a part (Higham, Accuracy and Stability of Numerical Algorithms, 4.2),
     * and is far less in most orders of adding. In TF32, or with one input left out, it is far more.
     */
    double tolerance;
    /*
     * The kernel, NULL for cuBLASLt's; the part of y that a block makes; its threads; the shared memory, in bytes, that
     * it asks for beside what it has.
     */
    void (*kernel)(const struct dense dense);
    uint32_t tile_rows, tile_outputs, threads_x, threads_y, memory;
};

extern const struct ladder_version ladder_versions[LADDER_VERSIONS];

struct ladder_plan {
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t w, x, y;
    cublasLtMatmulPreference_t wish;
    cublasLtMatmulHeuristicResult_t found;
};

/* What version 6 needs: the one product, planned in fp32 and in fp16. */
struct ladder_library {
    cublasLtHandle_t blas;
    void *workspace;
    struct ladder_plan plans[2];
};

/* Makes it ready for this layer. The errors are those of checked.h; then there is nothing to be closed. */
int ladder_library_open(struct ladder_library *library, const struct dense *dense,
                        struct failure *failure) AT_MUST_CHECK;
/* Takes one that is all zero, too. */
void ladder_library_close(struct ladder_library *library);

/* Puts a version into the stream; the library is version 6's. 0, or a negative code of checked.h with its sentence. */
int ladder_launch(const struct ladder_version *version, const struct dense *dense, const struct ladder_library *library,
                  cudaStream_t stream, struct failure *failure) AT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
