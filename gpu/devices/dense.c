/* dense.c: the weights packed in panels, and the kernel that fits this processor's vectors. */
#include "dense.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * A panel is two vectors of outputs: [inputs][2 * lanes], the weights in the order in which the kernel reads them; the
 * last panel is filled up with zeros, and so is the bias. The vectors lie across the outputs: one lane makes one sum.
 */

/* Rows of a tile: with two vectors each, 12 sums fill the 16 registers of AVX2, with what else is needed. */
enum { MOST_ROWS = 6, MOST_SUMS = 2 * MOST_ROWS };

/* The loops over a tile's sums must vanish, or the sums would lie in memory: that is three times slower. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 12")
#endif

#define VECTOR 16
#define TARGET
#define KERNEL(name) name##_any
#include "dense_kernel.h"

#ifdef __x86_64__
#define VECTOR 32
#define TARGET __attribute__((target("avx2,fma")))
#define KERNEL(name) name##_avx2
#include "dense_kernel.h"

#define VECTOR 64
#define TARGET __attribute__((target("avx512f,avx2,fma")))
#define KERNEL(name) name##_avx512
#include "dense_kernel.h"
#endif

/* Stores how many bytes the kernel's vectors have. */
static dense_kernel *choose_kernel(size_t widest, size_t *vector) {
#ifdef __x86_64__
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && widest >= 64 && __builtin_cpu_supports("avx512f")) {
        *vector = 64;
        return run_avx512;
    }
    if (avx2 && widest >= 32) {
        *vector = 32;
        return run_avx2;
    }
#endif
    (void)widest;
    *vector = 16;
    return run_any;
}

int dense_make(struct dense *dense, const struct layer *layer, size_t widest) {
    enum { CACHE_LINE = 64 };
    size_t vector, inputs = layer->inputs, outputs = layer->outputs;
    dense_kernel *kernel = choose_kernel(widest, &vector);
    size_t width = 2 * vector / sizeof(float), padded = (outputs + width - 1) / width * width;
    size_t size;
    void *memory;
    if (__builtin_mul_overflow(inputs + 1, padded * sizeof(float), &size) ||
        posix_memalign(&memory, CACHE_LINE, size) != 0)
        return -ENOMEM;
    *dense = (struct dense){.inputs = layer->inputs, .outputs = layer->outputs, .kernel = kernel};
    dense->relu = layer->activation == ACTIVATION_RELU;
    dense->packed = memset(memory, 0, size);
    dense->bias = dense->packed + inputs * padded;
    memcpy(dense->bias, layer->bias, outputs * sizeof(float));
    for (size_t output = 0; output < outputs; output++) {
        float *place = dense->packed + output / width * width * inputs + output % width;
        for (size_t input = 0; input < inputs; input++)
            place[input * width] = layer->weight[output * inputs + input];
    }
    return 0;
}

void dense_free(struct dense *dense) {
    free(dense->packed);
    *dense = (struct dense){0};
}

void dense_run(const struct dense *dense, size_t rows, const float *const *input, float *const *output) {
    dense->kernel(dense, rows, input, output);
}

/* Without the maximum taken off first, exp would overflow for numbers above 88. */
void dense_softmax(float *numbers, size_t count) {
    float most = numbers[0], sum = 0;
    for (size_t i = 1; i < count; i++)
        most = numbers[i] > most ? numbers[i] : most;
    for (size_t i = 0; i < count; i++)
        sum += numbers[i] = expf(numbers[i] - most);
    for (size_t i = 0; i < count; i++)
        numbers[i] /= sum;
}
