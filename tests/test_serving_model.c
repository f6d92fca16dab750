/* test_serving_model.c: which files are models, and what a model answers. */
#include <math.h>

#include "model_internal.h"

#include "serving_model.h"

/* ---- Models for the tests, as files in the test's folder */

enum { MOST = 40 };

static struct tensor tensors[MOST];
static size_t tensor_count;
static struct metadatum metadata[3];
static size_t metadata_count;

/* A tensor of these dimensions (0: it has only one) for the next file. */
static void add(const char *name, uint64_t rows, uint64_t columns, const float *numbers) {
    uint64_t count = rows * (columns > 0 ? columns : 1);
    tensors[tensor_count++] = (struct tensor){.name = name,
                                              .dtype = "F32",
                                              .rank = columns > 0 ? 2 : 1,
                                              .shape = {rows, columns},
                                              .data = numbers,
                                              .size = count * sizeof(float)};
}

static void add_metadata(const char *key, const char *value) {
    metadata[metadata_count++] = (struct metadatum){key, value};
}

/* Writes NAME.safetensors and begins anew. */
static void write_model(const char *name) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s.safetensors", folder, name);
    ok(safetensors_write(path, tensors, tensor_count, metadata, metadata_count, NULL));
    tensor_count = metadata_count = 0;
}

/* What was added makes no model, for this reason. */
static void assert_no_model(const char *words) {
    write_model("m");
    assert_not_opened("m", -EINVAL, words);
}

/* Two inputs, three hidden, two outputs. The second hidden number is below 0 for the input 1, 2. */
static const float W0[] = {1, 1, -2, 0.5F, 0, 3}, B0[] = {0.5F, 0, -1}, W1[] = {1, 7, 0, 0, 7, 1}, B1[] = {-4.5F, -4};
static const float INPUT[] = {1, 2};
/* Hidden: 3.5, 0 (-1), 5. Outputs: 3.5 - 4.5 = -1 and 5 - 4 = 1. */
static const float OUTPUT[] = {-1, 1};

static void add_tiny(void) {
    add("0.weight", 3, 2, W0);
    add("0.bias", 3, 0, B0);
    add("1.weight", 2, 3, W1);
    add("1.bias", 2, 0, B1);
}

/* ---- What a model answers */

START_TEST(a_network_computed_by_hand) {
    add_tiny();
    add_metadata("activation", "none");
    add_metadata("input", "x");
    add_metadata("output", "logits");
    write_model("tiny");
    struct model *model = opened("tiny");
    ck_assert_str_eq(model->name, "tiny");
    ck_assert_str_eq(model->input_name, "x");
    ck_assert_str_eq(model->output_name, "logits");
    ck_assert_uint_eq(model->depth, 2);
    ck_assert_uint_eq(model->inputs, 2);
    ck_assert_uint_eq(model->outputs, 2);
    ck_assert_uint_eq(model->width, 3);
    float output[2];
    ok(model_forward(model, INPUT, 1, output));
    ck_assert_mem_eq(output, OUTPUT, sizeof OUTPUT);
    model_free(model);
}
END_TEST

START_TEST(softmax_is_the_default) {
    add_tiny();
    write_model("tiny");
    struct model *model = opened("tiny");
    ck_assert_str_eq(model->input_name, "input");
    ck_assert_str_eq(model->output_name, "output");
    const float rows[] = {1, 2, 1, 2, 0, 0};
    float output[6];
    ok(model_forward(model, rows, 3, output));
    double first = 1 / (1 + exp(2)); /* of -1 and 1 */
    ck_assert_double_eq_tol((double)output[0], first, 1e-6);
    ck_assert_double_eq_tol((double)output[1], 1 - first, 1e-6);
    ck_assert_mem_eq(output, output + 2, 2 * sizeof *output);
    ck_assert_double_eq_tol((double)output[4], 1 / (1 + exp(0)), 1e-6); /* hidden 0.5, 0, 0: outputs -4 and -4 */
    ok(model_forward(model, rows, 0, output));
    model_free(model);
}
END_TEST

START_TEST(large_numbers_do_not_overflow_and_nan_stays) {
    static const float weight[] = {1, 0, 0, 1}, bias[] = {0, 0};
    add("0.weight", 2, 2, weight);
    add("0.bias", 2, 0, bias);
    add("1.weight", 2, 2, weight);
    add("1.bias", 2, 0, bias);
    write_model("m");
    struct model *model = opened("m");
    const float rows[] = {3e38F, 1e38F, NAN, 1, INFINITY, 1};
    float output[6];
    ok(model_forward(model, rows, 3, output));
    ck_assert_float_eq(output[0], 1);
    ck_assert_float_eq(output[1], 0);
    ck_assert(isnan(output[2]) && isnan(output[3]));
    ck_assert(isnan(output[4]) && isnan(output[5]));
    model_free(model);
}
END_TEST

/* ---- Which files are models */

START_TEST(layers_follow_each_other_by_their_numbers) {
    static const char *const NAMES[] = {"layers.10.", "layers.9.", "layers.005.", "layers.2."};
    static const float one[] = {1}, factors[] = {3, 5, 7, 2}; /* as the names are */
    char names[8][30];
    for (size_t i = 0; i < 4; i++) {
        snprintf(names[2 * i], sizeof names[0], "%sweight", NAMES[i]);
        snprintf(names[2 * i + 1], sizeof names[0], "%sbias", NAMES[i]);
        add(names[2 * i], 1, 1, factors + i);
        add(names[2 * i + 1], 1, 0, one);
    }
    add_metadata("activation", "none");
    write_model("m");
    struct model *model = opened("m");
    static const float ORDER[] = {2, 7, 5, 3};
    ck_assert_uint_eq(model->depth, 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_float_eq(model->layers[i].weight[0], ORDER[i]);
    model_free(model);
}
END_TEST

START_TEST(layers_that_do_not_fit_are_refused) {
    add("1.weight", 3, 2, W0);
    add("1.bias", 3, 0, B0);
    add("0.weight", 2, 3, W1);
    add("0.bias", 2, 0, B1);
    write_model("fits"); /* in the other order */
    model_free(opened("fits"));
    add("0.weight", 3, 2, W0);
    add("0.bias", 3, 0, B0);
    add("1.weight", 3, 2, W1);
    add("1.bias", 3, 0, B0);
    assert_no_model("model \"m\": layer 2 takes 2 numbers, but layer 1 gives 3");
    add("0.weight", 3, 2, W0);
    add("0.bias", 2, 0, B0);
    assert_no_model("tensor \"0.bias\" has 2 numbers, its weight 3 rows");
}
END_TEST

START_TEST(tensors_that_are_no_layer_are_refused) {
    assert_no_model("no tensor in its file");
    add("0.weight", 3, 2, W0);
    assert_no_model("tensor \"0.weight\" has no .bias beside it");
    add("0.bias", 3, 0, B0);
    assert_no_model("tensor \"0.bias\" has no .weight beside it");
    add("0.weight", 3, 0, B0);
    add("0.bias", 3, 0, B0);
    assert_no_model("tensor \"0.weight\" needs 2 dimensions from 1 to 16777216");
    add("0.weight", 3, 2, W0);
    add("0.bias", 3, 1, B0);
    assert_no_model("tensor \"0.bias\" needs 1 dimensions");
    add("0.weight", 0, 2, W0);
    add("0.bias", 3, 0, B0);
    assert_no_model("tensor \"0.weight\" needs 2 dimensions from 1");
    add_tiny();
    add("embedding", 2, 3, W0);
    assert_no_model("tensor \"embedding\" is neither NAME.weight nor NAME.bias");
    add(".weight", 3, 2, W0);
    assert_no_model("tensor \".weight\" is neither");
    add_tiny();
    tensors[2].dtype = "I32";
    assert_no_model("tensor \"1.weight\" is of type I32; store it as F32");
}
END_TEST

START_TEST(seventeen_layers_are_too_many) {
    static const float one[] = {1};
    char names[2 * MODEL_LAYERS + 2][16];
    for (int layers = MODEL_LAYERS; layers <= MODEL_LAYERS + 1; layers++) {
        for (int i = 0; i < layers; i++) {
            snprintf(names[2 * i], sizeof names[0], "%d.weight", i);
            snprintf(names[2 * i + 1], sizeof names[0], "%d.bias", i);
            add(names[2 * i], 1, 1, one);
            add(names[2 * i + 1], 1, 0, one);
        }
        write_model(layers == MODEL_LAYERS ? "most" : "more");
    }
    model_free(opened("most"));
    assert_not_opened("more", -EINVAL, "34 tensors; it may have 16 layers of two");
}
END_TEST

START_TEST(metadata_that_means_nothing_is_refused) {
    add_tiny();
    add_metadata("activation", "tanh");
    assert_no_model("\"activation\" must be softmax or none");
    add_tiny();
    add_metadata("input", "");
    assert_no_model("\"input\" must be a name of 1 to 63");
    add_tiny();
    add_metadata("output", "two words");
    assert_no_model("\"output\" must be a name of 1 to 63");
    add_tiny();
    add_metadata("input", "0123456789012345678901234567890123456789012345678901234567890123");
    assert_no_model("\"input\" must be a name of 1 to 63");
}
END_TEST

/* The file NAME.safetensors in memory that begins one byte behind an aligned address. */
static unsigned char *read_askew(const char *name, unsigned char *memory, size_t room, size_t *size) {
    FILE *file = fopen(in_folder(name), "r");
    require(file != NULL);
    *size = fread(memory + 1, 1, room - 1, file);
    fclose(file);
    return memory + 1;
}

START_TEST(numbers_may_lie_anywhere) {
    add_tiny();
    write_model("m");
    struct model *aligned = opened("m");
    ck_assert_ptr_null(((struct made_model *)aligned)->numbers); /* they are where they lie in the file */
    _Alignas(64) unsigned char memory[2000];
    size_t size;
    struct made_model askew = {.model.name = "m"};
    unsigned char *bytes = read_askew("m.safetensors", memory, sizeof memory, &size);
    ok(safetensors_parse(&askew.file, bytes, size, "m", NULL));
    ok(model_from_tensors(&askew, NULL));
    ck_assert_uint_eq((uintptr_t)askew.model.layers[1].weight % sizeof(float), 0);
    ck_assert_uint_eq(askew.model.hash, aligned->hash);
    float output[2], expected[2];
    ok(model_forward(aligned, INPUT, 1, expected));
    ok(model_forward(&askew.model, INPUT, 1, output));
    ck_assert_mem_eq(output, expected, sizeof output);
    model_free(aligned);
    safetensors_close(askew.file);
    free(askew.numbers);
}
END_TEST

START_TEST(a_path_is_a_source) {
    add_tiny();
    write_model("tiny");
    struct model *by_name = opened("tiny"), *by_path = opened(in_folder("tiny.safetensors"));
    ck_assert_str_eq(by_path->name, "tiny");
    ck_assert_uint_eq(by_path->hash, by_name->hash);
    model_free(by_name);
    model_free(by_path);
    model_free(NULL);
}
END_TEST

SUITE_WITH("model", make_folder, remove_folder, a_network_computed_by_hand, softmax_is_the_default,
           large_numbers_do_not_overflow_and_nan_stays, layers_follow_each_other_by_their_numbers,
           layers_that_do_not_fit_are_refused, tensors_that_are_no_layer_are_refused, seventeen_layers_are_too_many,
           metadata_that_means_nothing_is_refused, numbers_may_lie_anywhere, a_path_is_a_source)
