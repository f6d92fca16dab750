/* test_cuda_device.c: what a card answers, in each precision, against the reference; places; what is refused. */
#include "cuda_card.h"
#include "products.h"

static const struct {
    const char *device;
    double tolerance;
} PRECISIONS[] = {
    {"cuda:0", CUDA_TOLERANCE_FP32},
    {"cuda:0:tf32", CUDA_TOLERANCE_TF32},
    {"cuda:0:fp16", CUDA_TOLERANCE_FP16},
    {"cuda:0:bf16", CUDA_TOLERANCE_BF16},
};
enum { PRECISION_COUNT = sizeof PRECISIONS / sizeof *PRECISIONS };

/* Sums that no softmax has brought below 1 are as much larger. */
static const double PLAIN = 10;

/* ---- answers */

static void answers(const char *text, double tolerance, const uint32_t *widths, bool plain, uint32_t batch) {
    struct model *model = model_of(widths, plain);
    struct device device = card_opened(text, (struct device_options){.batch = batch});
    load_at(&device, 3, model);
    for (uint32_t rows = 1; rows <= batch; rows += rows < 3 ? 1 : rows)
        runs_rows(&device, 3, model, rows < batch ? rows : batch, plain ? PLAIN * tolerance : tolerance);
    card_closed(&device);
    discard(model);
}

/* Widths of 1, around the 16 to which they are padded, and beyond what one block of a kernel has threads for. */
static void shapes(void) {
    static const uint32_t SHAPES[][5] = {{1, 1},      {3, 5, 7},        {15, 16, 17},    {17, 1, 33},
                                         {1, 100, 2}, {33, 64, 31, 10}, {2000, 40, 300}, {9, 1030, 130}};
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++)
        for (size_t j = 0; j < PRECISION_COUNT; j++)
            answers(PRECISIONS[j].device, PRECISIONS[j].tolerance, SHAPES[i], (i + j) % 2 == 0, 5);
}
ON_EACH_CARD(shapes)

static void digits(void) {
    for (size_t i = 0; i < PRECISION_COUNT; i++)
        answers(PRECISIONS[i].device, PRECISIONS[i].tolerance, (uint32_t[]){784, 512, 512, 10, 0}, false, 3);
}
ON_EACH_CARD(digits)

static void as_many_layers_as_there_can_be(void) {
    static const uint32_t WIDTHS[MODEL_LAYERS + 2] = {8, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 9};
    for (size_t i = 0; i < PRECISION_COUNT; i++)
        answers(PRECISIONS[i].device, 4 * PRECISIONS[i].tolerance, WIDTHS, false, 4);
}
ON_EACH_CARD(as_many_layers_as_there_can_be)

/* Without softmax, which takes the emulated card most of its time. */
static void batches_of_all_sizes(void) {
    struct model *model = model_of((uint32_t[]){4, 3, 2, 0}, true);
    struct device device = card_opened("cuda:0:spin", (struct device_options){0});
    load_at(&device, 0, model);
    for (uint32_t rows = 1; rows <= DEVICE_BATCH; rows++)
        runs_rows(&device, 0, model, rows, PLAIN * CUDA_TOLERANCE_FP32);
    card_closed(&device);
    discard(model);
}
ON_EACH_CARD(batches_of_all_sizes)

/* Rows that only fill a batch up, and those of the batch before, are nobody's: nothing is written for them. */
static void a_batch_leaves_others_alone(void) {
    struct model *model = model_of((uint32_t[]){20, 33, 7, 0}, false);
    struct area area = area_make(1 << 16);
    struct device_options options = {.batch = 32, .memory = area.memory, .memory_size = area.size};
    struct device device = card_opened("cuda:0", options);
    struct job large, small;
    load_at(&device, 0, model);
    job_make(&large, model, 32, &area, OUTPUTS);
    job_make(&small, model, 17, &area, INPUTS | OUTPUTS);
    job_run(&device, 0, &large, CUDA_TOLERANCE_FP32);
    job_clear(&large);
    job_run(&device, 0, &small, CUDA_TOLERANCE_FP32);
    for (uint32_t row = 0; row < large.rows; row++)
        for (size_t i = 0; i < model->outputs * sizeof(float); i++)
            require(((const unsigned char *)job_output(&large, row))[i] == 0xee);
    card_closed(&device);
    job_free(&large);
    job_free(&small);
    munmap(area.memory, area.size);
    discard(model);
}
ON_EACH_CARD(a_batch_leaves_others_alone)

/* ---- the same bits */

static void has_same_bits(const char *text) {
    enum { ROWS = 21 };
    struct model *model = model_of((uint32_t[]){37, 45, 33, 11, 0}, false);
    struct device device = card_opened(text, (struct device_options){.deterministic = true, .batch = ROWS});
    float *input = numbers((size_t)ROWS * model->inputs, 1), *alone = numbers((size_t)ROWS * model->outputs, 1);
    float *output = numbers((size_t)ROWS * model->outputs, 1);
    load_at(&device, 0, model);
    for (size_t row = 0; row < ROWS; row++)
        infer(&device, 0, model, input + row * model->inputs, 1, alone + row * model->outputs);
    for (uint32_t rows = 2; rows <= ROWS; rows += 3)
        for (uint32_t first = 0; first + rows <= ROWS; first += rows / 2 + 1) {
            infer(&device, 0, model, input + (size_t)first * model->inputs, rows, output);
            require(memcmp(output, alone + (size_t)first * model->outputs,
                           (size_t)rows * model->outputs * sizeof *output) == 0);
        }
    card_closed(&device);
    free(input);
    free(alone);
    free(output);
    discard(model);
}

static void same_bits_in_every_batch(void) {
    for (size_t i = 0; i < PRECISION_COUNT; i++) {
        char seed[] = {(char)('0' + i), '\0'}; /* so that an emulated card chooses other algorithms */
        setenv("EMULATED_SEED", seed, 1);
        has_same_bits(PRECISIONS[i].device);
    }
}
ON_EACH_CARD(same_bits_in_every_batch)

/*
 * Sums may be split into parts, which are as large as a half cannot be, though the sum is small: they must be kept as
 * floats. Which algorithm is chosen depends on the seed.
 */
START_TEST(parts_of_a_sum_are_no_halves) {
    struct model *model = model_of((uint32_t[]){32, 16, 4, 0}, false);
    for (size_t i = 0; i < (size_t)32 * 16; i++)
        ((float *)(uintptr_t)model->layers[0].weight)[i] = i % 32 < 16 ? 400 : -400;
    float input[4 * 32], output[4 * 4], expected[4 * 4];
    for (size_t i = 0; i < sizeof input / sizeof *input; i++)
        input[i] = 200;
    ok(model_forward(model, input, 4, expected));
    use_emulated_card();
    for (char seed[] = "0"; *seed <= '9'; ++*seed) {
        setenv("EMULATED_SEED", seed, 1);
        struct device device = card_opened("cuda:0:fp16", (struct device_options){.batch = 4});
        load_at(&device, 0, model);
        infer(&device, 0, model, input, 4, output);
        for (size_t i = 0; i < sizeof output / sizeof *output; i++)
            ck_assert_double_le(fabs((double)output[i] - (double)expected[i]), CUDA_TOLERANCE_FP16);
        card_closed(&device);
    }
    discard(model);
}
END_TEST

/* ---- numbers that are none */

static void not_a_number(const char *text) {
    float input[5][6] = {{0}}, output[5][4];
    input[1][2] = NAN;
    input[2][5] = INFINITY;
    input[3][0] = -INFINITY;
    struct device device = card_opened(text, (struct device_options){.batch = 5});
    for (int plain = 0; plain <= 1; plain++) {
        struct model *model = model_of((uint32_t[]){6, 20, 4, 0}, plain);
        float expected[5][4];
        ok(model_forward(model, input[0], 5, expected[0]));
        load_at(&device, 0, model);
        infer(&device, 0, model, input[0], 5, output[0]);
        for (size_t i = 0; i < 4; i++) {
            ck_assert(isnan(output[1][i]) && isnan(output[2][i]) && isnan(output[3][i]));
            ck_assert_double_le(fabs((double)output[0][i] - (double)expected[0][i]), PLAIN * CUDA_TOLERANCE_BF16);
            ck_assert_double_le(fabs((double)output[4][i] - (double)expected[4][i]), PLAIN * CUDA_TOLERANCE_BF16);
        }
        device_unload(&device, 0);
        discard(model);
    }
    card_closed(&device);
}

/* Of its own row only: the neighbours' answers stay what they are. */
static void what_is_no_number_stays_none(void) {
    for (size_t i = 0; i < PRECISION_COUNT; i++)
        not_a_number(PRECISIONS[i].device);
}
ON_EACH_CARD(what_is_no_number_stays_none)

/* A part may be of no rows, and there may be any number of those. */
static void parts_of_no_rows(void) {
    enum { MANY = 5 * DEVICE_BATCH };
    struct model *model = model_of((uint32_t[]){6, 20, 4, 0}, false);
    struct device device = card_opened("cuda:0", (struct device_options){.batch = 5});
    struct part parts[MANY + DEVICE_BATCH] = {{0}};
    struct job job;
    struct failure failure;
    load_at(&device, 0, model);
    job_make(&job, model, 5, NULL, NOWHERE);
    job_clear(&job);
    for (size_t i = 0; i < job.count; i++)
        parts[MANY - 1 + i] = job.parts[i];
    ok(device_infer(&device, 0, parts, MANY + DEVICE_BATCH, &failure));
    job_check(&job, CUDA_TOLERANCE_FP32);
    card_closed(&device);
    job_free(&job);
    discard(model);
}
ON_EACH_CARD(parts_of_no_rows)

/* ---- memory that the card reaches */

static void run_in_area(const char *text, bool aligned, const char *description) {
    struct model *model = model_of((uint32_t[]){30, 20, 10, 0}, false);
    struct area area = area_make(1 << 20);
    size_t skipped = aligned ? 0 : 8200, end = 1 << 18; /* nothing behind that is pinned with it */
    struct device_options options = {.batch = 40, .memory = area.memory + skipped, .memory_size = end - skipped};
    struct device device = card_opened(text, options);
    ck_assert_msg(strstr(device.description, description) != NULL, "%s", device.description);
    load_at(&device, 1, model);
    area.used = skipped;
    for (int where = NOWHERE; where <= (INPUTS | OUTPUTS); where++) {
        struct job job;
        job_make(&job, model, 40, &area, where);
        job_run(&device, 1, &job, CUDA_TOLERANCE_FP32);
        job_run(&device, 1, &job, CUDA_TOLERANCE_FP32);
        job_free(&job);
    }
    /* Across its end, and outside: none of that is in the card's reach. */
    area.used = end - 4000;
    struct job job;
    job_make(&job, model, 40, &area, INPUTS | OUTPUTS);
    job_run(&device, 1, &job, CUDA_TOLERANCE_FP32);
    job_free(&job);
    card_closed(&device);
    munmap(area.memory, area.size);
    discard(model);
}

static void parts_lie_where_the_card_reaches_them_or_not(void) {
    run_in_area("cuda:0", true, "fp32, blocking; slots pinned");
    run_in_area("cuda:0", false, "; slots pinned");
    run_in_area("cuda:0:spin:staged", true, "fp32, spinning; staging: as asked for");
}
ON_EACH_CARD(parts_lie_where_the_card_reaches_them_or_not)

START_TEST(memory_that_cannot_be_pinned_is_staged) {
    use_emulated_card();
    emulated.fault("cudaHostRegister:1@1");
    run_in_area("cuda:0", true, "; staging: cudaHostRegister: cudaErrorInvalidValue (1)");
    emulated.fault("cudaHostGetDevicePointer:2@1");
    run_in_area("cuda:0", true, "; staging: cudaHostGetDevicePointer: cudaErrorMemoryAllocation (2)");
    emulated.fault("");
    run_in_area("cuda:0", true, "; slots pinned");
}
END_TEST

/* ---- places */

static void models_at_their_places(void) {
    struct model *models[DEVICE_MODELS + 1];
    struct device device = card_opened("cuda:0:bf16", (struct device_options){.batch = 2});
    for (uint32_t i = 0; i <= DEVICE_MODELS; i++)
        models[i] = model_of((uint32_t[]){i + 1, 10, 2 * i + 3, 0}, false);
    for (size_t place = 0; place < DEVICE_MODELS; place++)
        load_at(&device, place, models[place]);
    for (size_t place = 0; place < DEVICE_MODELS; place++)
        runs_rows(&device, place, models[place], 2, CUDA_TOLERANCE_BF16);
    uint64_t before = card_holds();
    load_at(&device, 2, models[DEVICE_MODELS]);
    load_at(&device, 2, models[2]);
    ck_assert_uint_eq(card_holds(), before);
    device_unload(&device, 5);
    device_unload(&device, 5);
    load_at(&device, 2, models[DEVICE_MODELS]);
    runs_rows(&device, 2, models[DEVICE_MODELS], 2, CUDA_TOLERANCE_BF16);
    runs_rows(&device, 3, models[3], 1, CUDA_TOLERANCE_BF16);

    struct failure failure;
    struct part part = {.input = (float[]){1, 2, 3, 4, 5, 6}, .output = (float[20]){0}, .rows = 1};
    ck_assert_int_eq(device_infer(&device, 5, &part, 1, &failure), -EINVAL);
    ck_assert_str_eq(failure.text, "device \"cuda:0:bf16\": no model is loaded at place 5");
    ck_assert_int_eq(device_begin(&device, 1, 5, &part, 1, &failure), -EINVAL);
    card_closed(&device);
    for (size_t i = 0; i <= DEVICE_MODELS; i++)
        discard(models[i]);
}
ON_EACH_CARD(models_at_their_places)

/* Nothing of the new one stays, and the old one answers. */
static void too_large(struct device *device, const struct model *old, const struct model *model, const char *words) {
    struct failure failure;
    uint64_t before = card_holds();
    ck_assert_int_eq(device_load(device, 2, model, &failure), -ENOMEM);
    ck_assert_msg(strstr(failure.text, words) != NULL, "%s", failure.text);
    ck_assert_int_eq(device_load(device, 2, model, NULL), -ENOMEM);
    ck_assert_uint_eq(card_holds(), before);
    runs_rows(device, 2, old, 3, CUDA_TOLERANCE_FP32);
}

START_TEST(a_model_that_is_too_large_leaves_the_old_one) {
    /* Of the large one there is room for two, and for what it is made by way of; of thrice as much not. */
    char memory[16];
    snprintf(memory, sizeof memory, "%d", DEVICE_LANES * PRODUCT_WORKSPACE + 14200000);
    setenv("EMULATED_MEMORY", memory, 1);
    use_emulated_card();
    struct model *old = model_of((uint32_t[]){3, 4, 5, 0}, false), huge = *old;
    struct model *large = model_of((uint32_t[]){1000, 1000, 0}, false);
    struct model *many = model_of((uint32_t[]){1000, 1000, 1000, 1000, 0}, false);
    struct device device = card_opened("cuda:0", (struct device_options){.batch = 4});
    load_at(&device, 2, old);
    too_large(&device, old, many, "model \"made\" on device \"cuda:0\": gpu/cuda/");
    too_large(&device, old, many, "cudaErrorMemoryAllocation (2)");
    for (huge.layers[0].inputs = 1 << 24; huge.layers[0].inputs != 0; huge.layers[0].inputs *= 2) {
        huge.layers[0].outputs = huge.width = huge.layers[0].inputs;
        too_large(&device, old, &huge, "model \"made\"");
    }
    huge.layers[0].inputs = huge.layers[0].outputs = huge.width = UINT32_MAX;
    too_large(&device, old, &huge, "layer 0 is too wide for a card");
    for (int i = 0; i < 5; i++) {
        load_at(&device, 2, large);
        runs_rows(&device, 2, large, 1, CUDA_TOLERANCE_FP32);
    }
    card_closed(&device);
    discard(old);
    discard(large);
    discard(many);
}
END_TEST

/* ---- texts */

START_TEST(texts_that_are_no_card_are_refused) {
    static const char *const BAD[] = {"cuda",         "cuda:",         "cuda:x",     "cuda:-1",      "cuda: 0",
                                      "cuda:0:",      "cuda:0:fp64",   "cuda:0:fp3", "cuda:0:fp322", "cuda:1000",
                                      "cuda:0::fp32", "cuda:0,cuda:1", "cuda:0:SPIN"};
    struct failure failure;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        ck_assert_msg(device_check(BAD[i], &failure) == -EINVAL, "%s", BAD[i]);
    ok(device_check("cuda:0:staged:tf32:spin", &failure));
    ok(device_check("cuda:999", &failure));
}
END_TEST

static void not_opened(const char *text, const char *words) {
    struct device device;
    struct failure failure;
    ck_assert_int_eq(device_open(&device, text, &(struct device_options){.batch = 1}, &failure), -ENODEV);
    ck_assert_msg(strstr(failure.text, words) != NULL, "%s", failure.text);
    ck_assert_int_eq(device_open(&device, text, &(struct device_options){.batch = 1}, NULL), -ENODEV);
    ck_assert_uint_eq(card_holds(), 0);
}

START_TEST(cards_that_are_not_there_are_refused) {
    setenv("EMULATED_CARDS", "2", 1);
    use_emulated_card();
    not_opened("cuda:2", "device \"cuda:2\": there is no card 2: this process sees 2, numbered from 0");
    not_opened("cuda:999:fp16", "there is no card 999");
    struct device devices[2] = {card_opened("cuda:0", (struct device_options){0}),
                                card_opened("cuda:1:tf32", (struct device_options){0})};
    ck_assert_str_ne(devices[0].description, devices[1].description);
    ck_assert_msg(strstr(devices[1].description, ", compute 9.0, tf32, blocking") != NULL, "%s",
                  devices[1].description);
    device_close(&devices[0]);
    card_closed(&devices[1]);
}
END_TEST

START_TEST(no_card_at_all) {
    setenv("EMULATED_CARDS", "0", 1);
    use_emulated_card();
    not_opened("cuda:0", "cudaErrorInsufficientDriver (35)");
    not_opened("cuda:0", "nvidia-smi has to work first");
}
END_TEST

/* NVIDIA's own libraries, on a machine that has them and no card. */
START_TEST(no_card_for_the_real_libraries) {
    struct card_facts cards[CARDS_MOST];
    if (cards_list(cards, NULL) > 0)
        skip("there is a card");
    not_opened("cuda:0", "gpu/cuda/card.c:");
}
END_TEST

SUITE("cuda_device", BOTH(shapes), BOTH(digits), BOTH(as_many_layers_as_there_can_be), BOTH(batches_of_all_sizes),
      BOTH(a_batch_leaves_others_alone), BOTH(same_bits_in_every_batch), parts_of_a_sum_are_no_halves,
      BOTH(what_is_no_number_stays_none), BOTH(parts_of_no_rows), BOTH(parts_lie_where_the_card_reaches_them_or_not),
      memory_that_cannot_be_pinned_is_staged, BOTH(models_at_their_places),
      a_model_that_is_too_large_leaves_the_old_one, texts_that_are_no_card_are_refused,
      cards_that_are_not_there_are_refused, no_card_at_all, no_card_for_the_real_libraries)
