/* test_serving_cpu.c: what a core answers, by our kernels and by OpenBLAS, against the reference; and bit for bit the
 * same in every batch. */
#include "dense.h"
#include "made_models.h"

static const uint32_t SHAPES[][5] = {{1, 1}, {3, 5, 7}, {17, 17, 1}, {1, 40, 2}, {33, 64, 31, 10}, {100, 65, 129}};
enum { SHAPE_COUNT = sizeof SHAPES / sizeof *SHAPES, ROWS = 70 };

static void answers_as_the_reference(const char *kind, const uint32_t *widths, bool plain, uint32_t most) {
    struct model *model = model_of(widths, plain);
    float *input = numbers((size_t)most * model->inputs, 1), *expected = numbers((size_t)most * model->outputs, 1);
    float *output = numbers((size_t)most * model->outputs, 1);
    struct device device = opened(kind);
    ok(device_load(&device, 3, model, NULL));
    ok(model_forward(model, input, most, expected));
    for (uint32_t rows = 1; rows <= most; rows++) {
        infer(&device, 3, model, input, rows, output);
        require_near(output, expected, (size_t)rows * model->outputs);
    }
    device_close(&device);
    free(input);
    free(expected);
    free(output);
    discard(model);
}

static void all_answers_as_the_reference(const char *kind) {
    for (size_t i = 0; i < SHAPE_COUNT; i++) {
        answers_as_the_reference(kind, SHAPES[i], false, ROWS);
        answers_as_the_reference(kind, SHAPES[i], true, ROWS);
    }
    answers_as_the_reference(kind, (uint32_t[]){784, 512, 512, 10, 0}, false, 3);
    answers_as_the_reference(kind, (uint32_t[]){4, 3, 2, 0}, false, DEVICE_BATCH);
}

START_TEST(cpu_answers_as_the_reference) {
    all_answers_as_the_reference("cpu");
}
END_TEST

START_TEST(openblas_answers_as_the_reference) {
    all_answers_as_the_reference("openblas");
}
END_TEST

static void has_the_same_bits(const char *kind) {
    struct model *model = model_of((uint32_t[]){37, 45, 33, 11, 0}, false);
    float *input = numbers((size_t)ROWS * model->inputs, 1), *alone = numbers((size_t)ROWS * model->outputs, 1);
    float *output = numbers((size_t)ROWS * model->outputs, 1);
    struct device device;
    ok(device_open(&device, kind, &(struct device_options){.deterministic = true, .batch = ROWS}, NULL));
    ok(device_load(&device, 0, model, NULL));
    for (size_t row = 0; row < ROWS; row++)
        infer(&device, 0, model, input + row * model->inputs, 1, alone + row * model->outputs);
    for (uint32_t rows = 2; rows <= ROWS; rows++)
        for (uint32_t first = 0; first + rows <= ROWS; first += rows / 2) {
            infer(&device, 0, model, input + (size_t)first * model->inputs, rows, output);
            require(memcmp(output, alone + (size_t)first * model->outputs,
                           (size_t)rows * model->outputs * sizeof *output) == 0);
        }
    device_close(&device);
    free(input);
    free(alone);
    free(output);
    discard(model);
}

START_TEST(a_row_has_the_same_bits_in_every_batch) {
    has_the_same_bits("cpu");
    has_the_same_bits("openblas");
}
END_TEST

/* One layer's kernel, for vectors that a narrower processor has: right, and the same in every batch. */
static void check_kernel(const struct layer *layer, size_t widest) {
    enum { MOST = 14 };
    struct dense dense;
    float *input = numbers((size_t)MOST * layer->inputs, 1), *alone = numbers((size_t)MOST * layer->outputs, 1);
    float *together = numbers((size_t)MOST * layer->outputs, 1);
    const float *from[MOST];
    float *to[MOST];
    ok(dense_make(&dense, layer, widest));
    for (size_t row = 0; row < MOST; row++) {
        from[row] = input + row * layer->inputs;
        to[row] = alone + row * layer->outputs;
        dense_run(&dense, 1, &from[row], &to[row]);
        for (size_t i = 0; i < layer->outputs; i++) {
            double sum = (double)layer->bias[i];
            for (size_t j = 0; j < layer->inputs; j++)
                sum += (double)layer->weight[i * layer->inputs + j] * (double)from[row][j];
            require(fabs((double)to[row][i] - fmax(sum, 0)) < TOLERANCE);
        }
        to[row] = together + row * layer->outputs;
    }
    for (size_t rows = 1; rows <= MOST; rows++) {
        dense_run(&dense, rows, from, to);
        require(memcmp(alone, together, rows * layer->outputs * sizeof *alone) == 0);
    }
    dense_free(&dense);
    free(input);
    free(alone);
    free(together);
}

START_TEST(kernels_of_all_vectors_agree) {
    static const uint32_t WIDTHS[][3] = {{1, 1}, {5, 7}, {64, 8}, {31, 9}, {3, 16}, {20, 33}, {9, 64}, {50, 129}};
    for (size_t i = 0; i < sizeof WIDTHS / sizeof *WIDTHS; i++) {
        struct model *model = model_of(WIDTHS[i], true);
        model->layers[0].activation = ACTIVATION_RELU;
        for (size_t widest = 16; widest <= DENSE_WIDEST; widest *= 2)
            check_kernel(&model->layers[0], widest);
        discard(model);
    }
}
END_TEST

START_TEST(nan_and_infinity_pass_through) {
    struct model *model = model_of((uint32_t[]){6, 20, 4, 0}, true);
    float input[4][6] = {{0}}, output[4][4], expected[4][4];
    input[1][2] = NAN;
    input[2][3] = INFINITY;
    struct device device = opened("cpu");
    ok(device_load(&device, 0, model, NULL));
    for (int plain = 1; plain >= 0; plain--) {
        infer(&device, 0, model, input[0], 4, output[0]);
        ok(model_forward(model, input[0], 4, expected[0]));
        for (size_t i = 0; i < 4; i++) {
            require_near(output[0], expected[0], 4);
            require_near(output[3], expected[3], 4);
            ck_assert(isnan(output[1][i]));
            ck_assert_int_eq(fpclassify(output[2][i]), fpclassify(expected[2][i]));
            ck_assert(!isfinite(output[2][i]));
        }
        model->layers[1].activation = ACTIVATION_SOFTMAX;
    }
    device_close(&device);
    discard(model);
}
END_TEST

/* Of such sums exp would be infinite, if the largest were not taken off first. */
START_TEST(softmax_bears_large_numbers) {
    static const uint32_t WIDTHS[] = {2, 3, 0};
    struct model *model = model_of(WIDTHS, false);
    const float input[2][2] = {{1e4F, -3e4F}, {-1e30F, 1e30F}};
    float output[2][3], expected[2][3];
    struct device device = opened("cpu");
    ok(device_load(&device, 0, model, NULL));
    infer(&device, 0, model, input[0], 2, output[0]);
    ok(model_forward(model, input[0], 2, expected[0]));
    require_near(output[0], expected[0], 6);
    device_close(&device);
    discard(model);
}
END_TEST

SUITE("serving_cpu", cpu_answers_as_the_reference, openblas_answers_as_the_reference,
      a_row_has_the_same_bits_in_every_batch, kernels_of_all_vectors_agree, nan_and_infinity_pass_through,
      softmax_bears_large_numbers)
