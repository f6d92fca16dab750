/* test_cuda_products.c: the cuBLASLt that is none: its products, their rounding, and what is done to them then. */
#include "cuda_products.h"

/* ---- what has to come out */

static double at(const struct matrix *matrix, bool turned, size_t row, size_t column) {
    size_t place = turned ? row * matrix->stride + column : column * matrix->stride + row;
    return read_number(matrix->here, matrix->type, place);
}

static bool bit(const struct matrix *mask, size_t m, size_t row, size_t column) {
    size_t place = column * up(m, 128) + row;
    return ((const uint8_t *)mask->here)[place / 8] >> place % 8 & 1;
}

static void require_number(double is, double expected, const struct setting *set) {
    double step = set->out == CUDA_R_32F ? 1e-5 : set->out == CUDA_R_16F ? ldexp(1, -10) : ldexp(1, -7);
    if (!(fabs(is - expected) <= step * (1 + fabs(expected))))
        ck_abort_msg("%.9g instead of %.9g: %zu x %zu x %zu, types %d %d, turned %d %d, epilogue %u", is, expected,
                     set->m, set->n, set->k, (int)set->in, (int)set->out, set->turn_a, set->turn_b, set->epilogue);
}

static double sum_of_k(const struct product *product, bool left, size_t index) {
    double sum = 0;
    for (size_t k = 0; k < product->set.k; k++)
        sum += left ? at(&product->a, product->set.turn_a, index, k) : at(&product->b, product->set.turn_b, k, index);
    return sum;
}

/* Fetches and checks D, the mask and the bias; `bias` and `mask` as they were before. */
static void require_product(const struct product *product, const float *bias, const struct matrix *mask) {
    const struct setting *set = &product->set;
    uint32_t epilogue = set->epilogue;
    fetch(&product->d);
    fetch(&product->bias);
    fetch(&product->mask);
    for (size_t row = 0; row < set->m; row++) {
        double gradient = 0;
        for (size_t column = 0; column < set->n; column++) {
            double sum = 0;
            for (size_t k = 0; k < set->k; k++)
                sum += at(&product->a, set->turn_a, row, k) * at(&product->b, set->turn_b, k, column);
            sum = (double)set->alpha * sum + (double)set->beta * at(&product->c, false, row, column);
            sum += epilogue & BIAS ? (double)bias[row] : 0;
            if (epilogue & DRELU && !bit(mask, set->m, row, column))
                sum = 0;
            if (epilogue & MASK && !(epilogue & DRELU))
                require(bit(&product->mask, set->m, row, column) == (sum > 0));
            sum = epilogue & CUBLASLT_EPILOGUE_RELU && sum < 0 ? 0 : sum;
            gradient += sum;
            require_number(at(&product->d, false, row, column), sum, set);
        }
        if (epilogue & GRADIENT)
            require_number(at(&product->bias, false, row, 0), gradient, set);
        if (epilogue == CUBLASLT_EPILOGUE_BGRADA)
            require_number(at(&product->bias, false, row, 0), sum_of_k(product, true, row), set);
    }
    for (size_t column = 0; column < set->n && epilogue == CUBLASLT_EPILOGUE_BGRADB; column++)
        require_number(at(&product->bias, false, column, 0), sum_of_k(product, false, column), set);
}

/* By every algorithm that is offered. */
static void try_all(struct setting set) {
    struct product product = product_of(set);
    struct matrix mask = product.mask;
    cublasLtMatmulHeuristicResult_t results[8];
    float bias[300] = {0};
    mask.here = calloc(1, mask.rows * 4);
    require(mask.here != NULL && product.bias.rows <= 300);
    memcpy(mask.here, product.mask.here, mask.rows * 4);
    for (size_t i = 0; i < product.bias.rows; i++)
        bias[i] = (float)read_number(product.bias.here, set.out, i);
    int count = heuristic(&product, results, CUBLAS_STATUS_SUCCESS);
    require(count == 4);
    for (int i = 0; i < count; i++) {
        good(results[i].state);
        require(results[i].workspaceSize <= product.workspace_size);
        good(multiply(&product, &results[i].algo, NULL));
        done(cudaDeviceSynchronize());
        require_product(&product, bias, &mask);
        if (set.epilogue >= CUBLASLT_EPILOGUE_BGRADA || set.epilogue & GRADIENT)
            continue; /* nothing reads what was the bias */
        require(memcmp(product.mask.here, mask.here, 4) == 0 || set.epilogue & MASK);
    }
    end(&product);
    free(mask.here);
}

START_TEST(products_are_right_in_all_types_and_turns) {
    static const size_t SHAPES[][3] = {{1, 1, 1}, {8, 1, 3}, {3, 5, 17}, {16, 8, 64}, {33, 7, 130}, {10, 64, 200}};
    static const struct {
        cudaDataType in, out;
        cublasComputeType_t compute;
    } TYPES[] = {{CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F},  {CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32},
                 {CUDA_R_16F, CUDA_R_32F, CUBLAS_COMPUTE_32F},  {CUDA_R_16F, CUDA_R_16F, CUBLAS_COMPUTE_32F},
                 {CUDA_R_16BF, CUDA_R_32F, CUBLAS_COMPUTE_32F}, {CUDA_R_16BF, CUDA_R_16BF, CUBLAS_COMPUTE_32F}};
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++)
        for (size_t j = 0; j < sizeof TYPES / sizeof *TYPES; j++)
            try_all((struct setting){SHAPES[i][0], SHAPES[i][1], SHAPES[i][2], 8 * (i % 2), TYPES[j].in, TYPES[j].out,
                                     TYPES[j].compute, (i + j) % 2 == 0, (i + j) % 4 < 2, CUBLASLT_EPILOGUE_DEFAULT,
                                     i % 3 == 0 ? 1 : 0.5f, j % 2 == 0 ? 0 : 1.5f});
    require(emulated_held("memory") == 0 && emulated_held("handles") == 0);
}
END_TEST

START_TEST(epilogues_do_what_they_are_named_for) {
    static const uint32_t EPILOGUES[] = {
        CUBLASLT_EPILOGUE_BIAS,        CUBLASLT_EPILOGUE_RELU,          CUBLASLT_EPILOGUE_RELU_BIAS,
        CUBLASLT_EPILOGUE_RELU_AUX,    CUBLASLT_EPILOGUE_RELU_AUX_BIAS, CUBLASLT_EPILOGUE_DRELU,
        CUBLASLT_EPILOGUE_DRELU_BGRAD, CUBLASLT_EPILOGUE_BGRADA,        CUBLASLT_EPILOGUE_BGRADB};
    static const cudaDataType TYPES[] = {CUDA_R_32F, CUDA_R_16F, CUDA_R_16BF};
    for (size_t i = 0; i < sizeof EPILOGUES / sizeof *EPILOGUES; i++)
        for (size_t j = 0; j < 3; j++) {
            struct setting set = {13,   5,     40,           0, TYPES[j], TYPES[j], CUBLAS_COMPUTE_32F,
                                  true, false, EPILOGUES[i], 1, 0};
            try_all(set);
            set.out = CUDA_R_32F;
            set.m = 140; /* more than one group of 128 bits in the mask */
            try_all(set);
        }
}
END_TEST

/* ---- rounding */

/* D = A 1: each number goes through the types alone. */
static void convert(cudaDataType in, cudaDataType out, cublasComputeType_t compute, const void *from, void *to,
                    size_t count) {
    struct product product = product_of((struct setting){count, 1, 1, 0, in, out, compute, .alpha = 1, .epilogue = 1});
    write_number(product.b.here, in, 0, 1);
    done(cudaMemcpy(product.b.there, product.b.here, size_of(in), cudaMemcpyHostToDevice));
    done(cudaMemcpy(product.a.there, from, count * size_of(in), cudaMemcpyHostToDevice));
    good(multiply(&product, NULL, NULL));
    done(cudaMemcpy(to, product.d.there, count * size_of(out), cudaMemcpyDeviceToHost));
    end(&product);
}

START_TEST(every_half_and_bfloat16_comes_back_as_it_was) {
    static uint16_t from[65536], to[65536];
    static float wide[65536];
    static const cudaDataType TYPES[] = {CUDA_R_16F, CUDA_R_16BF};
    for (size_t i = 0; i < 65536; i++)
        from[i] = (uint16_t)i;
    for (size_t j = 0; j < 2; j++) {
        convert(TYPES[j], TYPES[j], CUBLAS_COMPUTE_32F, from, to, 65536);
        convert(TYPES[j], CUDA_R_32F, CUBLAS_COMPUTE_32F, from, wide, 65536);
        for (size_t i = 0; i < 65536; i++) {
            double number = read_number(&from[i], TYPES[j], 0);
            require(isnan(number) ? isnan(wide[i]) && isnan(read_number(&to[i], TYPES[j], 0))
                                  : (double)wide[i] == number && (to[i] == from[i] || number == 0));
        }
    }
}
END_TEST

/* A sum becomes the nearest half, in the middle the even one: made as a product of two halves, which a float holds. */
START_TEST(results_are_rounded_to_nearest_even) {
    static const struct {
        uint16_t left, right, product;
        cudaDataType type;
    } CASES[] = {
        {0x3c01, 0x3c01, 0x3c02, CUDA_R_16F},  /* (1 + 2^-10)^2 */
        {0x3c01, 0x3e00, 0x3e02, CUDA_R_16F},  /* 1.5 + 1.5 2^-10: the middle, up to the even */
        {0x3c03, 0x3e00, 0x3e04, CUDA_R_16F},  /* 1.5 + 4.5 2^-10: the middle, down to the even */
        {0x7bff, 0x3c00, 0x7bff, CUDA_R_16F},  /* 65504, the largest */
        {0x7bff, 0x3c01, 0x7c00, CUDA_R_16F},  /* more than 65520 */
        {0x7800, 0x4000, 0x7c00, CUDA_R_16F},  /* 65536 */
        {0x0001, 0x3800, 0x0000, CUDA_R_16F},  /* 2^-25: the middle between 0 and 2^-24 */
        {0x0001, 0x3801, 0x0001, CUDA_R_16F},  /* a little more */
        {0x0003, 0x3800, 0x0002, CUDA_R_16F},  /* 1.5 2^-24: the middle */
        {0x03ff, 0x3c01, 0x0400, CUDA_R_16F},  /* from the subnormal to the normal */
        {0x8001, 0x3c00, 0x8001, CUDA_R_16F},  /* the sign stays */
        {0x7c00, 0xbc00, 0xfc00, CUDA_R_16F},  /* infinity */
        {0x3f81, 0x3fc0, 0x3fc2, CUDA_R_16BF}, /* 1.5 + 1.5 2^-7: the middle, up to the even */
        {0x3f83, 0x3fc0, 0x3fc4, CUDA_R_16BF}, /* 1.5 + 4.5 2^-7: the middle, down to the even */
        {0x7f7f, 0x3f81, 0x7f80, CUDA_R_16BF}, /* more than the largest */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        cudaDataType type = CASES[i].type;
        struct product product =
            product_of((struct setting){1, 1, 1, 0, type, type, CUBLAS_COMPUTE_32F, .alpha = 1, .epilogue = 1});
        uint16_t is;
        done(cudaMemcpy(product.a.there, &CASES[i].left, 2, cudaMemcpyHostToDevice));
        done(cudaMemcpy(product.b.there, &CASES[i].right, 2, cudaMemcpyHostToDevice));
        good(multiply(&product, NULL, NULL));
        done(cudaMemcpy(&is, product.d.there, 2, cudaMemcpyDeviceToHost));
        if (is != CASES[i].product)
            ck_abort_msg("%04x times %04x is %04x", CASES[i].left, CASES[i].right, is);
        end(&product);
    }
}
END_TEST

/* 1 + 2^-10 + 2^-11 lies in the middle of two: rounded it is the upper one, cut off the lower. Both are seen. */
START_TEST(tf32_has_ten_bits) {
    float from[] = {1 + 0x1p-10f + 0x1p-11f, 1 + 0x1p-10f, 1 + 0x1p-11f, 0x1p-140f, INFINITY}, to[5];
    bool rounded = false, cut = false;
    for (int seed = 0; seed < 16; seed++) {
        char text[16];
        snprintf(text, sizeof text, "%d", seed);
        setenv("EMULATED_SEED", text, 1);
        convert(CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32, from, to, 5);
        require(to[1] == from[1] && to[2] == 1 && isinf(to[4]));
        rounded |= to[0] == 1 + 0x1p-9f;
        cut |= to[0] == 1 + 0x1p-10f;
        convert(CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, from, to, 5);
        require(memcmp(from, to, sizeof from) == 0);
    }
    require(rounded && cut);
}
END_TEST

/* ---- orders */

/* Numbers with many digits, unlike the others here, so that sums are rounded. */
static void refill(struct matrix *matrix) {
    for (size_t i = 0; i < matrix->stride * matrix->columns; i++)
        ((float *)matrix->here)[i] = sinf((float)i + number());
    done(cudaMemcpy(matrix->there, matrix->here, matrix->stride * matrix->columns * 4, cudaMemcpyHostToDevice));
}

START_TEST(algorithms_differ_in_the_last_bits_and_agree_with_themselves) {
    struct product product = product_of(LONG);
    cublasLtMatmulHeuristicResult_t results[8];
    float answers[8][16], again[16];
    refill(&product.a);
    refill(&product.b);
    int count = heuristic(&product, results, CUBLAS_STATUS_SUCCESS), firsts = 0;
    for (int i = 0; i < count; i++) {
        for (int turn = 0; turn < 2; turn++) {
            good(multiply(&product, &results[i].algo, NULL));
            done(cudaMemcpy(turn == 0 ? answers[i] : again, product.d.there, sizeof again, cudaMemcpyDeviceToHost));
        }
        require(memcmp(answers[i], again, sizeof again) == 0);
        for (int j = 0; j < i; j++)
            require(memcmp(answers[i], answers[j], sizeof again) != 0);
    }
    for (size_t n = 1; n <= 32; n *= 2) { /* which of them comes first is a matter of the shape */
        cublasLtMatmulHeuristicResult_t others[8];
        struct setting set = LONG;
        set.n = n;
        struct product other = product_of(set);
        heuristic(&other, others, CUBLAS_STATUS_SUCCESS);
        firsts += (others[0].workspaceSize > 0) != (results[0].workspaceSize > 0) ||
                  ((uint32_t *)&others[0].algo)[1] != ((uint32_t *)&results[0].algo)[1];
        end(&other);
    }
    require(firsts > 0);
    end(&product);
}
END_TEST

/* Two products that share a workspace without waiting for each other: some order of the streams shows it. */
static int count_wrong(bool shared) {
    int wrong = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct product products[2] = {product_of(LONG), product_of(LONG)};
        cublasLtMatmulHeuristicResult_t results[8];
        cudaStream_t streams[2];
        int split = 0, count = heuristic(&products[0], results, CUBLAS_STATUS_SUCCESS);
        while (split < count && results[split].workspaceSize == 0)
            split++;
        require(split < count);
        void *own = products[1].workspace;
        products[1].workspace = shared ? products[0].workspace : own;
        emulated_seed(seed);
        for (int i = 0; i < 2; i++) {
            done(cudaStreamCreateWithFlags(&streams[i], cudaStreamNonBlocking));
            good(multiply(&products[i], &results[split].algo, streams[i]));
        }
        for (int i = 0; i < 2; i++) {
            done(cudaStreamSynchronize(streams[i]));
            done(cudaStreamDestroy(streams[i]));
        }
        for (int i = 0; i < 2; i++) {
            double sum = 0;
            fetch(&products[i].d);
            for (size_t k = 0; k < LONG.k; k++)
                sum += at(&products[i].a, true, 0, k) * at(&products[i].b, false, k, 0);
            wrong += fabs(at(&products[i].d, false, 0, 0) - sum) > 1e-3;
        }
        products[1].workspace = own;
        end(&products[0]);
        end(&products[1]);
    }
    return wrong;
}

START_TEST(a_workspace_that_two_streams_share_is_noticed) {
    ck_assert_int_eq(count_wrong(false), 0);
    ck_assert_int_gt(count_wrong(true), 0);
}
END_TEST

SUITE("cuda_products", products_are_right_in_all_types_and_turns, epilogues_do_what_they_are_named_for,
      every_half_and_bfloat16_comes_back_as_it_was, results_are_rounded_to_nearest_even, tf32_has_ten_bits,
      algorithms_differ_in_the_last_bits_and_agree_with_themselves, a_workspace_that_two_streams_share_is_noticed)
