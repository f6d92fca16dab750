/*
 * dense_kernel.h: the kernel of dense.c, for one instruction set: included once for each, with VECTOR (the bytes of a
 * vector), TARGET (the attribute that names the instruction set, or nothing) and KERNEL(name), which it undefines.
 */

typedef float KERNEL(vector) __attribute__((vector_size(VECTOR), aligned(4), may_alias));
typedef int32_t KERNEL(bits) __attribute__((vector_size(VECTOR), aligned(4), may_alias));

/*
 * The outputs of `panels` panels for `rows` rows. Each weight is read once for all rows, and 2 * panels * rows sums are
 * under way at once, which stay in registers: both are constants wherever this is called, and the loops over them
 * vanish.
 */
TARGET __attribute__((always_inline)) static inline void KERNEL(tile)(const struct dense *dense, size_t first,
                                                                      const size_t panels, const size_t rows,
                                                                      const float *const *input, float *const *output) {
    enum { LANES = VECTOR / sizeof(float), WIDTH = 2 * LANES };
    const size_t vectors = 2 * panels, stride = (size_t)WIDTH * dense->inputs;
    const float *weight = dense->packed + first * stride, *bias = dense->bias + first * WIDTH;
    KERNEL(vector) sums[MOST_SUMS], weights[4];
    UNROLL
    for (size_t i = 0; i < rows * vectors; i++)
        sums[i] = *(const KERNEL(vector) *)(bias + i % vectors * LANES);
    for (size_t i = 0; i < dense->inputs; i++, weight += WIDTH) {
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            weights[j] = *(const KERNEL(vector) *)(weight + j / 2 * stride + j % 2 * LANES);
        UNROLL
        for (size_t j = 0; j < rows * vectors; j++)
            sums[j] += weights[j % vectors] * input[j / vectors][i];
    }
    if (dense->relu) {
        UNROLL
        for (size_t i = 0; i < rows * vectors; i++) /* the comparison is false for NaN, which so stays what it is */
            sums[i] = (KERNEL(vector))((KERNEL(bits))sums[i] & ~(sums[i] < 0));
    }
    size_t done = first * WIDTH, left = dense->outputs - done, count = left < panels * WIDTH ? left : panels * WIDTH;
    UNROLL
    for (size_t row = 0; row < rows; row++)
        memcpy(output[row] + done, &sums[row * vectors], count * sizeof(float));
}

/* One row alone takes two panels at a time: so few sums would wait for each other more than for their weights. */
TARGET static void KERNEL(one_row)(const struct dense *dense, size_t panels, const float *const *input,
                                   float *const *output) {
    size_t panel = 0;
    for (; panel + 1 < panels; panel += 2)
        KERNEL(tile)(dense, panel, 2, 1, input, output);
    if (panel < panels)
        KERNEL(tile)(dense, panel, 1, 1, input, output);
}

TARGET static void KERNEL(run)(const struct dense *dense, size_t rows, const float *const *input,
                               float *const *output) {
    size_t width = 2 * VECTOR / sizeof(float), panels = (dense->outputs + width - 1) / width;
    size_t blocks = (rows + MOST_ROWS - 1) / MOST_ROWS;
    if (rows == 1) {
        KERNEL(one_row)(dense, panels, input, output);
        return;
    }
    for (size_t panel = 0; panel < panels; panel++)
        for (size_t block = 0; block < blocks; block++) {
            size_t begin = rows * block / blocks, end = rows * (block + 1) / blocks;
            switch (end - begin) {
            case 2:
                KERNEL(tile)(dense, panel, 1, 2, input + begin, output + begin);
                break;
            case 3:
                KERNEL(tile)(dense, panel, 1, 3, input + begin, output + begin);
                break;
            case 4:
                KERNEL(tile)(dense, panel, 1, 4, input + begin, output + begin);
                break;
            case 5:
                KERNEL(tile)(dense, panel, 1, 5, input + begin, output + begin);
                break;
            default:
                KERNEL(tile)(dense, panel, 1, 6, input + begin, output + begin);
            }
        }
}

#undef VECTOR
#undef TARGET
#undef KERNEL
