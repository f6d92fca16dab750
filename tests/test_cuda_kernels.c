/* test_cuda_kernels.c: the device's own kernels: rows fetched, answered, converted, against plain loops; and faults. */
#include "kernels.h"

#include "cuda_products.h"
#include "cuda_twice.h"

SANITIZER_OPTIONS("handle_segv=0:allow_user_segv_handler=1", "")

enum { SEEDS = 3 };

static const cudaDataType TYPES[] = {
    [NUMBER_FP32] = CUDA_R_32F, [NUMBER_FP16] = CUDA_R_16F, [NUMBER_BF16] = CUDA_R_16BF};
static const int BITS[] = {[NUMBER_FP32] = 23, [NUMBER_FP16] = 10, [NUMBER_BF16] = 7}; /* behind the leading one */

/* The nearest with so many bits, of two the even one; infinity from where fp16 has no number. NaN stays. */
static double rounded(float value, enum number_type type) {
    double number = (double)value;
    int exponent;
    if (!isfinite(number) || number == 0)
        return number;
    frexp(number, &exponent);
    exponent = type == NUMBER_FP16 && exponent < -13 ? -13 : exponent; /* below that it has no more bits */
    number = ldexp(nearbyint(ldexp(number, BITS[type] + 1 - exponent)), exponent - BITS[type] - 1);
    double most = type == NUMBER_FP16 ? 65504 : type == NUMBER_BF16 ? 0x1.fep127 : 0x1.fffffep127;
    return fabs(number) > most ? copysign(INFINITY, number) : number;
}

static bool same(double left, double right) {
    return left == right || (isnan(left) && isnan(right));
}

/* Memory of the host that the card reaches. */
static void *host(size_t size) {
    void *memory;
    done(cudaHostAlloc(&memory, size, cudaHostAllocMapped));
    memset(memory, 0xff, size);
    return memory;
}

static void *on_card(size_t size, const void *content) {
    void *memory;
    done(cudaMalloc(&memory, size));
    if (content != NULL)
        done(cudaMemcpy(memory, content, size, cudaMemcpyHostToDevice));
    else
        done(cudaMemset(memory, 0xff, size));
    return memory;
}

static void *fetched(const void *memory, size_t size) {
    void *copy = malloc(size);
    require(copy != NULL);
    done(cudaMemcpy(copy, memory, size, cudaMemcpyDeviceToHost));
    return copy;
}

/* ---- gather */

static const float ODD[] = {NAN, INFINITY, -INFINITY, 65519, 65520, -65520, 3.39e38F, 3.4e38F, 1e-7F, 0, -0.0F};

/* Of either sign, some small, some large; one in each third row is odd. */
static void fill_row(float *row, uint32_t inputs, uint32_t index) {
    for (uint32_t i = 0; i < inputs; i++)
        row[i] = ldexpf(number() + 0.01F, (int)(i % 20) - 10);
    if (index % 3 == 1)
        row[index * 7 % inputs] = ODD[index / 3 % (sizeof ODD / sizeof *ODD)];
}

static void require_row(const void *numbers, uint32_t odd, const float *row, uint32_t inputs, uint32_t stride,
                        enum number_type type) {
    bool wrong = false;
    for (uint32_t i = 0; i < stride; i++) {
        double expected = row != NULL && i < inputs ? rounded(row[i], type) : 0;
        double is = read_number(numbers, TYPES[type], i);
        wrong = wrong || !isfinite(expected);
        if (!same(is, expected))
            ck_abort_msg("number %u of %u, type %d: %.9g instead of %.9g", i, inputs, (int)type, is, expected);
    }
    ck_assert_uint_eq(odd, wrong);
}

/* Rows lie anywhere, some not at a multiple of 16 bytes; each fifth is none. */
static void gather_rows(uint32_t rows, uint32_t inputs, uint32_t stride, enum number_type type) {
    const size_t width = size_of(TYPES[type]), size = (size_t)rows * stride * width;
    struct row_table *table = host(sizeof *table);
    float *inputs_of = host((size_t)rows * (inputs + 5) * sizeof *inputs_of);
    void *to = on_card(size, NULL);
    uint32_t *odd = on_card(rows * sizeof *odd, NULL);
    for (uint32_t row = 0; row < rows; row++) {
        float *from = inputs_of + (size_t)row * (inputs + 5);
        from = (float *)(((uintptr_t)from + 15) / 16 * 16) + (row % 2 == 0 ? 0 : row % 3);
        fill_row(from, inputs, row);
        table->inputs[row] = row % 5 == 4 ? NULL : from;
    }
    done(launch_gather(table, rows, inputs, stride, type, to, odd, NULL));
    char *numbers = fetched(to, size);
    uint32_t *odds = fetched(odd, rows * sizeof *odds);
    for (uint32_t row = 0; row < rows; row++)
        require_row(numbers + (size_t)row * stride * width, odds[row], table->inputs[row], inputs, stride, type);
    free(numbers);
    free(odds);
    done(cudaFree(to));
    done(cudaFree(odd));
    done(cudaFreeHost(inputs_of));
    done(cudaFreeHost(table));
}

START_TEST(rows_are_gathered_from_where_they_lie) {
    static const uint32_t WIDTHS[] = {1, 3, 4, 15, 16, 17, 63, 65, 784};
    for (enum number_type type = NUMBER_FP32; type <= NUMBER_BF16; type++)
        for (size_t i = 0; i < sizeof WIDTHS / sizeof *WIDTHS; i++)
            for (uint64_t seed = 1; seed <= SEEDS; seed++) {
                twice_seed(seed);
                gather_rows(34, WIDTHS[i], WIDTHS[i], type);
                gather_rows(7, WIDTHS[i], (WIDTHS[i] + 7) / 8 * 8 + 8 * (uint32_t)(seed % 2), type);
            }
    gather_rows(DEVICE_BATCH, 16, 16, NUMBER_FP16);
    gather_rows(2, 4500, 4504, NUMBER_BF16); /* more than its threads fetch at once */
    done(launch_gather(NULL, 0, 1, 1, NUMBER_FP32, NULL, NULL, NULL));
    twice_left();
}
END_TEST

/* ---- answer */

/* What a row is made of, by its index. */
static float made_number(uint32_t row, uint32_t i) {
    switch (row % 8) {
    case 1:
        return 1e30F * number(); /* of which exp is infinity, or 0 */
    case 2:
        return -3e38F; /* all equal */
    case 3:
        return i % 3 == 0 ? -INFINITY : number();
    case 4:
        return 100 + 80 * number();
    case 5:
        return -10000 + 3 * number();
    default:
        return 10 * number();
    }
}

static void require_answer(const float *is, const float *from, uint32_t outputs, bool softmax, bool odd) {
    double greatest = -INFINITY, sum = 0;
    for (uint32_t i = 0; i < outputs; i++)
        greatest = fmax(greatest, (double)from[i]);
    for (uint32_t i = 0; i < outputs; i++)
        sum += exp((double)from[i] - greatest);
    for (uint32_t i = 0; i < outputs; i++) {
        double expected = odd ? NAN : softmax ? exp((double)from[i] - greatest) / sum : (double)from[i];
        double step = softmax ? 2e-6 * fabs(expected) + 1e-37 : 0; /* below that there are numbers of fewer bits */
        if (!same((double)is[i], expected) && !(fabs((double)is[i] - expected) <= step))
            ck_abort_msg("output %u of %u is %.9g instead of %.9g", i, outputs, (double)is[i], expected);
    }
}

/* Row 6 of 8 is odd, row 7 nobody's; row 9 has a NaN, and row 10 nothing but -inf. Behind each output is a guard. */
static void answer_rows(uint32_t rows, uint32_t outputs, uint32_t stride, bool softmax) {
    const size_t size = (size_t)rows * stride * sizeof(float);
    struct row_table *table = host(sizeof *table);
    float *from = malloc(size), *to = host((size_t)rows * (outputs + 1) * sizeof *to);
    uint32_t odd[DEVICE_BATCH];
    require(from != NULL);
    memset(from, 0xff, size);
    for (uint32_t row = 0; row < rows; row++) {
        for (uint32_t i = 0; i < outputs; i++)
            from[(size_t)row * stride + i] = row == 10 ? -INFINITY : made_number(row, i);
        if (row == 9)
            from[(size_t)row * stride + outputs / 2] = NAN;
        odd[row] = row % 8 == 6 ? 1 + row : 0;
        table->outputs[row] = row % 8 == 7 ? NULL : to + (size_t)row * (outputs + 1);
        to[(size_t)row * (outputs + 1) + outputs] = 42;
    }
    float *there = on_card(size, from);
    uint32_t *odd_there = on_card(rows * sizeof *odd, odd);
    done(launch_answer(table, odd_there, rows, outputs, stride, there, softmax, NULL));
    done(cudaDeviceSynchronize());
    for (uint32_t row = 0; row < rows; row++) {
        const float *is = to + (size_t)row * (outputs + 1);
        require(is[outputs] == 42);
        if (table->outputs[row] != NULL)
            require_answer(is, from + (size_t)row * stride, outputs, softmax, odd[row] != 0);
        else
            require(isnan(is[0]) && isnan(is[outputs - 1])); /* as it was */
    }
    done(cudaFree(there));
    done(cudaFree(odd_there));
    done(cudaFreeHost(to));
    done(cudaFreeHost(table));
    free(from);
}

START_TEST(answers_go_to_where_they_are_wanted) {
    static const uint32_t WIDTHS[] = {1, 10, 31, 32, 33, 65, 128, 129, 257, 1000};
    for (size_t i = 0; i < sizeof WIDTHS / sizeof *WIDTHS; i++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            twice_seed(seed);
            answer_rows(19, WIDTHS[i], WIDTHS[i] + (uint32_t)seed - 1, true);
            answer_rows((uint32_t)seed, WIDTHS[i], WIDTHS[i], false);
        }
    answer_rows(DEVICE_BATCH, 10, 16, true);
    answer_rows(11, 300, 304, false);
    done(launch_answer(NULL, NULL, 0, 10, 16, NULL, true, NULL));
    twice_left();
}
END_TEST

/* A row's bits are the same whatever it is answered with. */
START_TEST(an_answer_has_the_same_bits_in_every_batch) {
    enum { OUTPUTS = 300, ROWS = 7 };
    struct row_table *table = host(sizeof *table);
    float *to = host(2 * OUTPUTS * ROWS * sizeof *to), from[ROWS][OUTPUTS];
    uint32_t none[ROWS] = {0};
    for (uint32_t outputs = 10; outputs <= OUTPUTS; outputs += OUTPUTS - 10) {
        for (uint32_t i = 0; i < OUTPUTS; i++)
            from[0][i] = 10 * number();
        for (uint32_t row = 0; row < ROWS; row++) {
            memcpy(from[row], from[0], sizeof from[0]);
            table->outputs[row] = to + OUTPUTS * row;
        }
        float *there = on_card(sizeof from, from);
        uint32_t *odd = on_card(sizeof none, none);
        done(launch_answer(table, odd, ROWS, outputs, OUTPUTS, there, true, NULL));
        done(cudaDeviceSynchronize());
        table->outputs[0] = to + OUTPUTS * ROWS;
        twice_seed(5);
        done(launch_answer(table, odd, 1, outputs, OUTPUTS, there, true, NULL));
        done(cudaDeviceSynchronize());
        for (uint32_t row = 0; row < ROWS; row++)
            require(memcmp(to + OUTPUTS * row, table->outputs[0], outputs * sizeof *to) == 0);
        done(cudaFree(there));
        done(cudaFree(odd));
    }
    done(cudaFreeHost(to));
    done(cudaFreeHost(table));
}
END_TEST

/* ---- convert */

static void convert_matrix(uint32_t rows, uint32_t columns, uint32_t to_rows, uint32_t stride, enum number_type type) {
    const size_t count = (size_t)rows * columns, size = (size_t)to_rows * stride * size_of(TYPES[type]);
    float *from = malloc(count * sizeof *from);
    require(from != NULL);
    for (uint32_t row = 0; row < rows; row++)
        fill_row(from + (size_t)row * columns, columns, row);
    float *there = on_card(count * sizeof *from, from);
    void *to = on_card(size, NULL);
    done(launch_convert(there, rows, columns, type, to, to_rows, stride, NULL));
    void *numbers = fetched(to, size);
    for (uint32_t row = 0; row < to_rows; row++)
        for (uint32_t i = 0; i < stride; i++) {
            bool inside = row < rows && i < columns;
            double is = read_number(numbers, TYPES[type], (size_t)row * stride + i);
            double expected = inside ? rounded(from[(size_t)row * columns + i], type) : 0;
            if (!same(is, expected))
                ck_abort_msg("row %u, number %u, type %d: %.9g instead of %.9g", row, i, (int)type, is, expected);
        }
    free(numbers);
    free(from);
    done(cudaFree(there));
    done(cudaFree(to));
}

START_TEST(weights_are_converted_and_padded_with_zeros) {
    for (enum number_type type = NUMBER_FP32; type <= NUMBER_BF16; type++) {
        convert_matrix(1, 1, 1, 1, type);
        convert_matrix(1, 1, 8, 16, type);
        convert_matrix(10, 17, 16, 24, type);
        convert_matrix(63, 65, 64, 72, type);
        convert_matrix(3, 700, 3, 704, type); /* more columns than threads */
    }
    convert_matrix(8200, 1, 8208, 8, NUMBER_FP16); /* more rows than blocks */
    done(launch_convert(NULL, 0, 0, NUMBER_FP32, NULL, 0, 8, NULL));
    twice_left();
}
END_TEST

/* ---- fault */

static void break_the_card(int error) {
    int expected = error;
    if (fork() == 0) { /* with an error that stays until the process ends */
        void *memory;
        bool broken = launch_fault(error, NULL) == cudaSuccess && (int)cudaDeviceSynchronize() == expected;
        _exit(broken && (int)cudaMalloc(&memory, 1) == expected ? 42 : 1);
    }
    require(end_of(-1) == 42);
}

START_TEST(the_card_breaks_as_it_is_told_to) {
    break_the_card(cudaErrorIllegalAddress);
    break_the_card(cudaErrorAssert);
    break_the_card(cudaErrorLaunchFailure);
    static const int OTHERS[] = {0, 1, 2, 46, 699, 716, -700};
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
        ck_assert_int_eq(launch_fault(OTHERS[i], NULL), cudaErrorInvalidValue);
    done(cudaDeviceSynchronize());
}
END_TEST

TWICE("cuda_kernels", rows_are_gathered_from_where_they_lie, answers_go_to_where_they_are_wanted,
      an_answer_has_the_same_bits_in_every_batch, weights_are_converted_and_padded_with_zeros,
      the_card_breaks_as_it_is_told_to)
