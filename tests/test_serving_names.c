/* test_serving_names.c: models by their names: which text means which model, the list, and those made from a seed. */
#include <fcntl.h>

#include "serving_model.h"

START_TEST(sources_name_models) {
    static const char *const NAMES[][2] = {
        {"digits", "digits"},
        {"wide", "wide"},
        {"wide:512x2", "wide"},
        {"wide:512x2:7", "wide"},
        {"wider", "wider"},
        {"models/digits.safetensors", "digits"},
        {"/a/b/c", "c"},
        {"./digits.safetensors", "digits"},
        {"digits.safetensors", "digits.safetensors"}, /* a name, whose file is digits.safetensors.safetensors */
        {"0123456789012345678901234567890123456789012345678901234567890123456789",
         "012345678901234567890123456789012345678901234567890123456789012"},
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        char name[MODEL_NAME];
        model_name_of(NAMES[i][0], name);
        ck_assert_str_eq(name, NAMES[i][1]);
    }
}
END_TEST

START_TEST(sources_that_are_none_are_refused) {
    char deep[5000];
    memset(deep, '/', sizeof deep - 2);
    strcpy(deep + sizeof deep - 2, "a");
    assert_not_opened("nobody", -ENOENT, "model \"nobody\": there is no ");
    assert_not_opened("nobody", -ENOENT, "/nobody.safetensors; train it (make model)");
    assert_not_opened("", -EINVAL, "a model's name is 1 to 63");
    assert_not_opened("no/", -EINVAL, "a model's name is 1 to 63");
    assert_not_opened("a b", -EINVAL, "a model's name is 1 to 63");
    assert_not_opened("a\nb", -EINVAL, "a model's name is 1 to 63");
    assert_not_opened("0123456789012345678901234567890123456789012345678901234567890123", -EINVAL, "1 to 63");
    assert_not_opened(deep, -EINVAL, "too long for a path");
    assert_not_opened("/etc", -EINVAL, "/etc: a folder");
}
END_TEST

START_TEST(the_list_is_sorted_and_has_wide) {
    static const char *const FILES[] = {"zebra.safetensors", "a.safetensors",        ".safetensors", "wide.safetensors",
                                        "a b.safetensors",   "a.safetensors.0.part", "readme"};
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++)
        ck_assert_int_eq(close(open(in_folder(FILES[i]), O_CREAT | O_WRONLY, 0600)), 0);
    char **list = model_list(folder);
    ck_assert_str_eq(list[0], "a");
    ck_assert_str_eq(list[1], "wide");
    ck_assert_str_eq(list[2], "zebra");
    ck_assert_ptr_null(list[3]);
    free(list);
    list = model_list(in_folder("missing"));
    ck_assert_str_eq(list[0], "wide");
    ck_assert_ptr_null(list[1]);
    free(list);
}
END_TEST

/* ---- Wide */

static uint64_t hash_of(const char *source) {
    struct model *model = opened(source);
    uint64_t hash = model->hash;
    model_free(model);
    return hash;
}

START_TEST(wide_follows_from_its_size_and_seed) {
    uint64_t hash = hash_of("wide:33x3:5");
    ck_assert_uint_eq(hash_of("wide:33x3:5"), hash);
    ck_assert_uint_ne(hash_of("wide:33x3:6"), hash);
    ck_assert_uint_ne(hash_of("wide:33x2:5"), hash);
    ck_assert_uint_ne(hash_of("wide:34x3:5"), hash);
    ck_assert_uint_eq(hash_of("wide:33x3"), hash_of("wide:33x3:1"));
    struct model *model = opened("wide:33x3:5");
    ck_assert_uint_eq(model->depth, 4);
    ck_assert_uint_eq(model->inputs, 784);
    ck_assert_uint_eq(model->outputs, 10);
    ck_assert_uint_eq(model->width, 784);
    ck_assert_int_eq(model->layers[2].activation, ACTIVATION_RELU);
    ck_assert_int_eq(model->layers[3].activation, ACTIVATION_SOFTMAX);
    model_free(model);
}
END_TEST

START_TEST(wide_has_answers_of_a_size_that_can_be_compared) {
    struct model *model = opened("wide:100x4");
    float input[784], output[10], sum = 0, most = 0;
    for (size_t i = 0; i < 784; i++)
        input[i] = (float)(i % 5) / 4;
    ok(model_forward(model, input, 1, output));
    for (size_t i = 0; i < 10; i++) {
        sum += output[i];
        most = output[i] > most ? output[i] : most;
    }
    ck_assert_double_eq_tol((double)sum, 1, 1e-5);
    ck_assert_float_lt(most, 0.99F);
    model_free(model);
}
END_TEST

START_TEST(wide_of_no_size_is_refused) {
    static const char *const SOURCES[] = {"wide:",
                                          "wide::",
                                          "wide:0x2",
                                          "wide:2x0",
                                          "wide:2x16",
                                          "wide:65537x1",
                                          "wide:2",
                                          "wide:2x",
                                          "wide:x2",
                                          "wide:2x2:",
                                          "wide:2x2:x",
                                          "wide:2x2:1:1",
                                          "wide:-2x2",
                                          "wide: 2x2",
                                          "wide:2x2::1",
                                          "wide:2 x2",
                                          "wide:2x2:1 ",
                                          "wide:2x+2",
                                          "wide:0x2x2",
                                          "wide:99999999999999999999999999x2",
                                          "wide:2x2:99999999999999999999999"};
    for (size_t i = 0; i < sizeof SOURCES / sizeof SOURCES[0]; i++)
        assert_not_opened(SOURCES[i], -EINVAL, "say wide:WIDTHxDEPTH:SEED");
    assert_not_opened("wide:65536x2", -EINVAL, "more than 4 GiB of weights");
}
END_TEST

SUITE_WITH("names", make_folder, remove_folder, sources_name_models, sources_that_are_none_are_refused,
           the_list_is_sorted_and_has_wide, wide_follows_from_its_size_and_seed,
           wide_has_answers_of_a_size_that_can_be_compared, wide_of_no_size_is_refused)
