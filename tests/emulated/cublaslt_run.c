/* cublaslt_run.c: the products of the cuBLASLt that is none: numbers, sums in several orders, what is done to them. */
#include "cublaslt.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulated.h"

/* ---- numbers: half and bfloat16 are rounded to the nearest, ties to even, as the cards do */

size_t type_size(uint32_t type) {
    return type == CUDA_R_32F ? 4 : type == CUDA_R_16F || type == CUDA_R_16BF ? 2 : 0;
}

static float float_of(uint32_t bits) {
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static uint32_t bits_of(float number) {
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

/* The exponent is put right by a product, which also makes normal numbers of the small ones. */
static float from_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = (uint32_t)(half & 0x7fff) << 13;
    if (rest >= 0x0f800000) /* infinity, NaN */
        return float_of(sign | 0x7f800000 | (rest & 0x007fffff));
    return float_of(sign | bits_of(float_of(rest) * 0x1p112f));
}

static uint16_t to_half(float number) {
    uint32_t bits = bits_of(number), magnitude = bits & 0x7fffffff;
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    if (magnitude > 0x7f800000)
        return sign | 0x7e00;
    if (magnitude >= 0x477ff000) /* 65520: from here on the nearest is infinity */
        return sign | 0x7c00;
    if (magnitude < 0x38800000) /* below 2^-14 all steps are 2^-24: the sum with 0.5 rounds to them */
        return (uint16_t)(sign | (bits_of(float_of(magnitude) + 0.5f) - 0x3f000000));
    return (uint16_t)(sign | ((magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13));
}

static uint16_t to_bfloat16(float number) {
    uint32_t bits = bits_of(number);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float to_tf32(float number, bool truncates) {
    uint32_t bits = bits_of(number);
    if ((bits & 0x7f800000) == 0x7f800000)
        return number;
    return float_of((truncates ? bits : bits + 0xfff + (bits >> 13 & 1)) & ~0x1fffu);
}

static float load(const void *numbers, uint32_t type, size_t index) {
    const char *at = (const char *)numbers + index * type_size(type);
    uint16_t half;
    float number;
    if (type == CUDA_R_32F) {
        memcpy(&number, at, sizeof number);
        return number;
    }
    memcpy(&half, at, sizeof half);
    return type == CUDA_R_16F ? from_half(half) : float_of((uint32_t)half << 16);
}

static void store(void *numbers, uint32_t type, size_t index, float number) {
    char *at = (char *)numbers + index * type_size(type);
    uint16_t half = type == CUDA_R_16F ? to_half(number) : to_bfloat16(number);
    if (type == CUDA_R_32F)
        memcpy(at, &number, sizeof number);
    else
        memcpy(at, &half, sizeof half);
}

void give_up(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("emulated cuBLASLt: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    abort();
}

/* ---- operands: vectors of floats, one behind the other, whatever they are in memory */

struct vectors {
    const float *first;
    size_t stride, count, depth;
    float *own; /* to be freed */
};

static void *allocate(size_t count) {
    void *memory = malloc(count * sizeof(float));
    if (memory == NULL)
        give_up("no memory for %zu numbers", count);
    return memory;
}

/* The columns of the matrix; its rows if they are asked for. */
static struct vectors vectors_of(const struct product *product, const struct layout *layout, const void *numbers,
                                 bool rows) {
    struct vectors vectors = {.stride = (size_t)layout->stride, .count = layout->columns, .depth = layout->rows};
    bool tf32 = product->operation.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    if (rows)
        vectors = (struct vectors){.count = layout->rows, .depth = layout->columns};
    vectors.first = numbers;
    if (!rows && !tf32 && layout->type == CUDA_R_32F)
        return vectors;
    vectors.first = vectors.own = allocate(vectors.count * vectors.depth);
    vectors.stride = vectors.depth;
    for (size_t column = 0; column < layout->columns; column++)
        for (size_t row = 0; row < layout->rows; row++) {
            float number = load(numbers, layout->type, column * (size_t)layout->stride + row);
            vectors.own[rows ? row * vectors.depth + column : column * vectors.depth + row] =
                tf32 ? to_tf32(number, product->habits.truncates) : number;
        }
    return vectors;
}

/* ---- sums */

/* Sixteen sums side by side, in four registers: what is longer would be kept in memory. */
enum { LANES = 16 };
typedef float quad __attribute__((vector_size(4 * sizeof(float)), aligned(sizeof(float)), may_alias));

/* The order in which the lanes are added is the algorithm's. */
static float add_lanes(float lanes[LANES], uint32_t algorithm) {
    float sum = 0;
    if (algorithm > 1)
        for (int half = LANES / 2; half > 0; half /= 2)
            for (int i = 0; i < half; i++)
                lanes[i] += lanes[i + half];
    for (int i = 0; i < LANES && algorithm == 0; i++)
        sum += lanes[i];
    for (int i = LANES - 1; i >= 0 && algorithm == 1; i--)
        sum += lanes[i];
    return algorithm > 1 ? lanes[0] : sum;
}

static float dot(const float *left, const float *right, size_t count, uint32_t algorithm) {
    quad sums[4] = {{0}, {0}, {0}, {0}};
    float lanes[LANES];
    size_t whole = count - count % LANES;
    for (size_t i = 0; i < whole; i += LANES) {
        const quad *here = (const quad *)(left + i), *there = (const quad *)(right + i);
        sums[0] += here[0] * there[0];
        sums[1] += here[1] * there[1];
        sums[2] += here[2] * there[2];
        sums[3] += here[3] * there[3];
    }
    memcpy(lanes, sums, sizeof lanes);
    for (size_t i = whole; i < count; i++)
        lanes[i - whole] += left[i] * right[i];
    return add_lanes(lanes, algorithm);
}

/* In blocks, as a card goes along the sum tile by tile. */
static float sum_of_products(const float *left, const float *right, size_t count, uint32_t algorithm) {
    size_t block = algorithm == 1 ? 64 : algorithm == 2 ? 160 : count;
    float sum = 0;
    for (size_t begin = 0; begin < count; begin += block)
        sum += dot(left + begin, right + begin, count - begin < block ? count - begin : block, algorithm);
    return sum;
}

/* ---- what becomes of a sum (see cublasLtEpilogue_t) */

static float finish(const struct product *product, size_t row, size_t column, float sum) {
    const struct operation *operation = &product->operation;
    float number = product->alpha * sum;
    size_t bit = column * (size_t)operation->aux_leading + row;
    uint8_t *mask = operation->aux, chosen = (uint8_t)(1 << bit % 8);
    if (product->beta != 0)
        number += product->beta * load(product->from_c, product->c.type, column * (size_t)product->c.stride + row);
    if (operation->epilogue & CUBLASLT_EPILOGUE_BIAS)
        number += load(operation->bias, product->d.type, row);
    if (operation->epilogue & CUBLASLT_EPILOGUE_RELU) {
        if (operation->epilogue & 128) /* with a mask */
            mask[bit / 8] = (uint8_t)(number > 0 ? mask[bit / 8] | chosen : mask[bit / 8] & ~chosen);
        if (number <= 0 || (number != number && product->habits.relu_drops))
            number = 0;
    }
    if ((operation->epilogue & CUBLASLT_EPILOGUE_DRELU) == CUBLASLT_EPILOGUE_DRELU && !(mask[bit / 8] & chosen))
        number = 0;
    store(product->to, product->d.type, column * (size_t)product->d.stride + row, number);
    return number;
}

/* Of the operand whose gradient it is: the sums of its vectors. */
static void store_sums(const struct product *product, const struct vectors *vectors) {
    for (size_t i = 0; i < vectors->count; i++) {
        float sum = 0;
        for (size_t k = 0; k < vectors->depth; k++)
            sum += vectors->first[i * vectors->stride + k];
        store(product->operation.bias, product->d.type, i, sum);
    }
}

/* ---- the card's memory: what the caller named is looked at when it is used, as a card does */

/* Whatever is not the card's own is an illegal address; the error stays. True: all is well. */
static bool all_is_there(const struct product *product) {
    const struct operation *operation = &product->operation;
    size_t rows = product->d.rows, columns = product->d.columns;
    size_t biases = operation->epilogue == CUBLASLT_EPILOGUE_BGRADB ? columns : rows;
    bool bias = (operation->epilogue & (CUBLASLT_EPILOGUE_BIAS | 16 | 256 | 512)) != 0;
    const struct {
        const char *name;
        const void *address;
        size_t size;
    } PLACES[] = {
        {"A", product->from_a, layout_size(&product->a)},
        {"B", product->from_b, layout_size(&product->b)},
        {"C", product->from_c, product->beta != 0 ? layout_size(&product->c) : 0},
        {"D", product->to, layout_size(&product->d)},
        {"the bias", operation->bias, bias ? biases * type_size(product->d.type) : 0},
        {"the mask", operation->aux,
         operation->epilogue & 128 ? ((columns - 1) * (size_t)operation->aux_leading + rows + 7) / 8 : 0},
        {"the workspace", product->workspace, product->algorithm == SPLIT ? PARTS * rows * columns * sizeof(float) : 0},
    };
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++)
        if (PLACES[i].size > 0 && !emulated_is_device(PLACES[i].address, PLACES[i].size)) {
            fprintf(stderr, "emulated cuBLASLt: %s, %zu bytes at %p, is not the card's memory\n", PLACES[i].name,
                    PLACES[i].size, PLACES[i].address);
            emulated_break(cudaErrorIllegalAddress);
            return false;
        }
    return true;
}

/* ---- the steps */

static struct vectors left_of(const struct product *product) {
    return vectors_of(product, &product->a, product->from_a, product->operation.transpose_a == CUBLAS_OP_N);
}

static struct vectors right_of(const struct product *product) {
    return vectors_of(product, &product->b, product->from_b, product->operation.transpose_b != CUBLAS_OP_N);
}

/* The sum over a part of the depth, from the first number of a part to its last. */
static float part_of(const struct vectors *left, const struct vectors *right, size_t row, size_t column, size_t begin,
                     size_t end, uint32_t algorithm) {
    return sum_of_products(left->first + row * left->stride + begin, right->first + column * right->stride + begin,
                           end - begin, algorithm);
}

/* Stores a whole product; where there are `parts`, from them. */
static void conclude(const struct product *product, const struct vectors *left, const struct vectors *right,
                     const float *parts) {
    size_t rows = product->d.rows, columns = product->d.columns;
    bool gradient = product->operation.epilogue == CUBLASLT_EPILOGUE_DRELU_BGRAD;
    float *sums = allocate(rows);
    memset(sums, 0, rows * sizeof *sums);
    for (size_t column = 0; column < columns; column++)
        for (size_t row = 0; row < rows; row++) {
            size_t place = column * rows + row;
            float sum = parts != NULL ? parts[place] + parts[rows * columns + place]
                                      : part_of(left, right, row, column, 0, left->depth, product->algorithm);
            sums[row] += finish(product, row, column, sum);
        }
    for (size_t row = 0; gradient && row < rows; row++)
        store(product->operation.bias, product->d.type, row, sums[row]);
    if (product->operation.epilogue == CUBLASLT_EPILOGUE_BGRADA)
        store_sums(product, left);
    if (product->operation.epilogue == CUBLASLT_EPILOGUE_BGRADB)
        store_sums(product, right);
    free(sums);
}

static void with_operands(const struct product *product,
                          void (*step)(const struct product *, const struct vectors *, const struct vectors *)) {
    if (!all_is_there(product))
        return;
    struct vectors left = left_of(product), right = right_of(product);
    step(product, &left, &right);
    free(left.own);
    free(right.own);
}

static void conclude_at_once(const struct product *product, const struct vectors *left, const struct vectors *right) {
    conclude(product, left, right, NULL);
}

static void conclude_parts(const struct product *product, const struct vectors *left, const struct vectors *right) {
    conclude(product, left, right, product->workspace);
}

static void make_parts(const struct product *product, const struct vectors *left, const struct vectors *right) {
    uint32_t kept; /* of D's type */
    for (size_t part = 0, place = 0; part < PARTS; part++)
        for (size_t column = 0; column < product->d.columns; column++) {
            size_t half = left->depth / (2 + column % 2);
            size_t begin = part == 0 ? 0 : half, end = part == 0 ? half : left->depth;
            for (size_t row = 0; row < product->d.rows; row++) {
                float sum = part_of(left, right, row, column, begin, end, product->algorithm);
                store(&kept, product->d.type, 0, sum);
                product->workspace[place++] = product->rounds ? load(&kept, product->d.type, 0) : sum;
            }
        }
}

void run_product(void *argument) {
    with_operands(argument, conclude_at_once);
}

void run_parts(void *argument) {
    with_operands(argument, make_parts);
}

void run_sum(void *argument) {
    with_operands(argument, conclude_parts);
}
