/* ladder_trial.c: a layer of random numbers, its exact result, and how far from it a version is; see ladder_trial.h. */
#include "ladder_trial.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "generator.h"
#include "kernels.h"

/* ---- the exact result */

/* To 10 bits behind the leading one, as fp16 has, to the nearest, of two to the even one. */
static double rounded(float number) {
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    bits = (bits + 0xfff + (bits >> 13 & 1)) & ~0x1fffU;
    memcpy(&number, &bits, sizeof bits);
    return (double)number;
}

static void compute_exactly(struct ladder_sample *sample, const float *x, const float *w, float b, uint32_t inputs) {
    double sum = (double)b, scale = fabs((double)b), half_sum = sum, half_scale = scale;
    for (uint32_t i = 0; i < inputs; i++) {
        double product = (double)x[i] * (double)w[i], half_product = rounded(x[i]) * rounded(w[i]);
        sum += product;
        scale += fabs(product);
        half_sum += half_product;
        half_scale += fabs(half_product);
    }
    sample->exact[0] = fmax(sum, 0);
    sample->scale[0] = scale;
    sample->exact[1] = fmax(half_sum, 0);
    sample->scale[1] = half_scale;
}

/* So many that it takes some hundredths of a second; the corners first, where the edges of tiles are. */
static int choose_samples(struct ladder_trial *trial, const float *x, const float *w, const float *b,
                          struct failure *failure) {
    const struct dense *dense = &trial->dense;
    size_t all = (size_t)dense->rows * dense->outputs, most = (1 << 24) / dense->inputs + 64;
    size_t corners[] = {0, dense->outputs - 1, all - dense->outputs, all - 1};
    struct generator generator = {.key = 4};
    trial->samples_count = all < most ? all : most;
    trial->samples = calloc(trial->samples_count, sizeof *trial->samples);
    if (trial->samples == NULL)
        return fail(failure, -ENOMEM, "memory is short; take smaller sizes");
    for (size_t i = 0; i < trial->samples_count; i++) {
        size_t place = i < 4 ? corners[i] : generator_bits(generator.key, generator.index++) % all;
        place = all < most ? i : place;
        size_t row = place / dense->outputs, output = place % dense->outputs;
        trial->samples[i] = (struct ladder_sample){.row = (uint32_t)row, .output = (uint32_t)output};
        compute_exactly(&trial->samples[i], x + row * dense->inputs, w + output * dense->inputs, b[output],
                        dense->inputs);
    }
    return 0;
}

/* ---- the layer */

/* Of either sign, from 1/16 to 1: no number is too small for fp16. NULL: memory is short. */
static float *random_numbers(uint64_t key, size_t count) {
    struct generator generator = {.key = key};
    float *numbers = malloc(count * sizeof *numbers);
    for (size_t i = 0; i < count && numbers != NULL; i++) {
        float number = generator_between(&generator, -15.0F / 16, 15.0F / 16);
        numbers[i] = number + copysignf(1.0F / 16, number);
    }
    return numbers;
}

/* Lays a matrix out on the card as the versions want it: with the pitch, in fp32 and in fp16. */
static int put_matrix(const struct dense *dense, const float *numbers, uint32_t rows, const float **full,
                      const void **half, struct failure *failure) {
    size_t size = (size_t)rows * dense->inputs * sizeof *numbers, padded = (size_t)rows * dense->pitch;
    float *plain = NULL;
    int result = CUDA(failure, cudaMalloc((void **)&plain, size));
    if (result == 0)
        result = CUDA(failure, cudaMalloc((void **)full, padded * sizeof(float)));
    if (result == 0)
        result = CUDA(failure, cudaMalloc((void **)half, padded * sizeof(float) / 2));
    if (result == 0)
        result = CUDA(failure, cudaMemcpy(plain, numbers, size, cudaMemcpyHostToDevice));
    if (result == 0)
        result = CUDA(failure, launch_convert(plain, rows, dense->inputs, NUMBER_FP32, (void *)(uintptr_t)*full, rows,
                                              dense->pitch, NULL));
    if (result == 0)
        result = CUDA(failure, launch_convert(plain, rows, dense->inputs, NUMBER_FP16, (void *)(uintptr_t)*half, rows,
                                              dense->pitch, NULL));
    if (result == 0)
        result = CUDA(failure, cudaDeviceSynchronize());
    cudaFree(plain);
    return result;
}

static size_t y_size(const struct ladder_trial *trial) {
    return (size_t)trial->dense.rows * trial->dense.y_pitch * sizeof(float);
}

static int put_layer(struct ladder_trial *trial, const float *x, const float *w, const float *b,
                     struct failure *failure) {
    struct dense *dense = &trial->dense;
    size_t size = y_size(trial), bias = dense->outputs * sizeof(float);
    int result = put_matrix(dense, x, dense->rows, &dense->x, &dense->half_x, failure);
    if (result == 0)
        result = put_matrix(dense, w, dense->outputs, &dense->w, &dense->half_w, failure);
    if (result == 0)
        result = CUDA(failure, cudaMalloc((void **)&dense->b, bias));
    if (result == 0)
        result = CUDA(failure, cudaMemcpy((void *)(uintptr_t)dense->b, b, bias, cudaMemcpyHostToDevice));
    if (result == 0)
        result = CUDA(failure, cudaMalloc((void **)&dense->y, size));
    return result;
}

static int open_layer(struct ladder_trial *trial, const float *x, const float *w, const float *b,
                      struct failure *failure) {
    if (x == NULL || w == NULL || b == NULL || trial->y == NULL)
        return fail(failure, -ENOMEM, "memory is short; take smaller sizes");
    int result = choose_samples(trial, x, w, b, failure);
    if (result == 0)
        result = put_layer(trial, x, w, b, failure);
    if (result == 0)
        result = CUDA(failure, cudaStreamCreateWithFlags(&trial->stream, cudaStreamNonBlocking));
    if (result == 0)
        result = CUDA(failure, cudaEventCreate(&trial->begin));
    if (result == 0)
        result = CUDA(failure, cudaEventCreate(&trial->end));
    if (result == 0)
        result = ladder_library_open(&trial->library, &trial->dense, failure);
    return result;
}

int ladder_trial_open(struct ladder_trial *trial, uint32_t rows, uint32_t inputs, uint32_t outputs,
                      struct failure *failure) {
    *trial = (struct ladder_trial){.dense = {.rows = rows, .inputs = inputs, .outputs = outputs}};
    trial->dense.pitch = (inputs + 7) / 8 * 8;
    trial->dense.y_pitch = (outputs + 7) / 8 * 8;
    trial->y = malloc(y_size(trial));
    float *x = random_numbers(1, (size_t)rows * inputs), *w = random_numbers(2, (size_t)outputs * inputs);
    float *b = random_numbers(3, outputs);
    int result = open_layer(trial, x, w, b, failure);
    free(b);
    free(w);
    free(x);
    if (result != 0)
        ladder_trial_close(trial);
    return result;
}

void ladder_trial_close(struct ladder_trial *trial) {
    struct dense *dense = &trial->dense;
    const void *memory[] = {dense->x, dense->half_x, dense->w, dense->half_w, dense->b, dense->y};
    ladder_library_close(&trial->library);
    if (trial->end != NULL)
        cudaEventDestroy(trial->end);
    if (trial->begin != NULL)
        cudaEventDestroy(trial->begin);
    if (trial->stream != NULL)
        cudaStreamDestroy(trial->stream);
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        cudaFree((void *)(uintptr_t)memory[i]);
    free(trial->samples);
    free(trial->y);
    *trial = (struct ladder_trial){0};
}

/* ---- a version */

/* What no number was written to is NaN: that shows in all of y, not only in the sample. */
static double largest_error(const struct ladder_trial *trial, bool half) {
    const struct dense *dense = &trial->dense;
    double largest = 0;
    for (size_t row = 0; row < dense->rows; row++)
        for (size_t i = 0; i < dense->outputs; i++)
            if (!isfinite(trial->y[row * dense->y_pitch + i]))
                return INFINITY;
    for (size_t i = 0; i < trial->samples_count; i++) {
        const struct ladder_sample *sample = &trial->samples[i];
        double number = (double)trial->y[(size_t)sample->row * dense->y_pitch + sample->output];
        largest = fmax(largest, fabs(number - sample->exact[half]) / sample->scale[half]);
    }
    return largest;
}

int ladder_trial_check(struct ladder_trial *trial, const struct ladder_version *version, double *error,
                       struct failure *failure) {
    const size_t size = y_size(trial);
    int result = CUDA(failure, cudaMemsetAsync(trial->dense.y, 0xff, size, trial->stream));
    if (result == 0)
        result = ladder_launch(version, &trial->dense, &trial->library, trial->stream, failure);
    if (result == 0)
        result = CUDA(failure, cudaMemcpyAsync(trial->y, trial->dense.y, size, cudaMemcpyDeviceToHost, trial->stream));
    if (result == 0)
        result = CUDA(failure, cudaStreamSynchronize(trial->stream));
    if (result == 0)
        *error = largest_error(trial, version->half);
    return result;
}

/*
 * Once before the clock starts: while the card is busy with that, the rest gets into the stream, and no launch is
 * timed.
 */
int ladder_trial_time(struct ladder_trial *trial, const struct ladder_version *version, double *seconds,
                      struct failure *failure) {
    float milliseconds = 0;
    int result = ladder_launch(version, &trial->dense, &trial->library, trial->stream, failure);
    if (result == 0)
        result = CUDA(failure, cudaEventRecord(trial->begin, trial->stream));
    if (result == 0)
        result = ladder_launch(version, &trial->dense, &trial->library, trial->stream, failure);
    if (result == 0)
        result = CUDA(failure, cudaEventRecord(trial->end, trial->stream));
    if (result == 0)
        result = CUDA(failure, cudaEventSynchronize(trial->end));
    if (result == 0)
        result = CUDA(failure, cudaEventElapsedTime(&milliseconds, trial->begin, trial->end));
    *seconds = (double)milliseconds / 1000;
    return result;
}

/* ---- the card */

/*
 * fp32: units that multiply and add once in a clock, two FLOP each: CUDA C++ Programming Guide, "Throughput of Native
 * Arithmetic Instructions". fp16: NVIDIA's white papers on each architecture, dense, as its data-centre cards have it;
 * cards for players of 7.5, 8.6 and 8.9 do half of it when sums are float.
 */
double ladder_peak(int major, int minor, int multiprocessors, int kilohertz, bool half) {
    static const struct {
        int major, minor, units, tensor; /* fp32 units of a multiprocessor; FLOP a clock of its tensor cores */
    } CARDS[] = {{7, 0, 64, 1024},  {7, 5, 64, 1024},  {8, 0, 64, 2048},  {8, 6, 128, 1024},
                 {8, 9, 128, 1024}, {9, 0, 128, 4096}, {10, 0, 128, 8192}};
    for (size_t i = 0; i < sizeof CARDS / sizeof *CARDS; i++)
        if (CARDS[i].major == major && CARDS[i].minor == minor)
            return (half ? CARDS[i].tensor : 2 * CARDS[i].units) * 1e3 * multiprocessors * kilohertz;
    return 0;
}
