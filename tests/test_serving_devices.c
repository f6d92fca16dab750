/* test_serving_devices.c: models at their places, what is refused, what the simulated devices answer, texts. */
#include "made_models.h"

/* ---- places */

static void require_answers_of(struct device *device, size_t place, const struct model *model) {
    float input[200], output[200], expected[200];
    for (size_t i = 0; i < 2 * (size_t)model->inputs; i++)
        input[i] = number();
    infer(device, place, model, input, 2, output);
    ok(model_forward(model, input, 2, expected));
    require_near(output, expected, 2 * (size_t)model->outputs);
}

START_TEST(models_are_loaded_side_by_side_and_in_place_of_others) {
    struct model *models[DEVICE_MODELS + 1];
    struct device device = opened("cpu");
    for (uint32_t i = 0; i <= DEVICE_MODELS; i++)
        models[i] = model_of((uint32_t[]){i + 1, 10, 2 * i + 3, 0}, false);
    for (size_t place = 0; place < DEVICE_MODELS; place++)
        ok(device_load(&device, place, models[place], NULL));
    for (size_t place = 0; place < DEVICE_MODELS; place++)
        require_answers_of(&device, place, models[place]);
    ok(device_load(&device, 2, models[DEVICE_MODELS], NULL));
    device_unload(&device, 5);
    device_unload(&device, 5);
    require_answers_of(&device, 2, models[DEVICE_MODELS]);
    require_answers_of(&device, 3, models[3]);

    struct failure failure;
    struct part part = {.input = (float[]){1, 2, 3, 4, 5, 6}, .output = (float[20]){0}, .rows = 1};
    ck_assert_int_eq(device_infer(&device, 5, &part, 1, &failure), -EINVAL);
    ck_assert_str_eq(failure.text, "device \"cpu\": no model is loaded at place 5");
    ck_assert_int_eq(device_infer(&device, DEVICE_MODELS, &part, 1, &failure), -EINVAL);
    ck_assert_int_eq(device_load(&device, DEVICE_MODELS, models[0], &failure), -EINVAL);
    device_unload(&device, DEVICE_MODELS);

    struct model huge = *models[0]; /* its weights, packed, would be more bytes than there are addresses */
    huge.layers[0].inputs = huge.layers[0].outputs = UINT32_MAX;
    ck_assert_int_eq(device_load(&device, 2, &huge, &failure), -ENOMEM);
    ck_assert_str_eq(failure.text, "model \"made\": memory is short for a copy of its weights");
    require_answers_of(&device, 2, models[DEVICE_MODELS]);
    device_close(&device);
    for (size_t i = 0; i <= DEVICE_MODELS; i++)
        discard(models[i]);
}
END_TEST

START_TEST(batches_of_no_or_too_many_rows_are_refused) {
    struct model *model = model_of((uint32_t[]){1, 1, 0}, true);
    struct device device;
    float input[8] = {0}, output[8] = {0};
    struct part parts[] = {{input, output, 3}, {input, output, UINT32_MAX}, {input, output, 2}};
    struct failure failure;
    ok(device_open(&device, "cpu", &(struct device_options){.batch = 4}, NULL));
    ok(device_load(&device, 0, model, NULL));
    ck_assert_int_eq(device_infer(&device, 0, parts, 2, &failure), -EINVAL);
    ck_assert_str_eq(failure.text, "device \"cpu\": a batch of more than 4 rows");
    ck_assert_int_eq(device_infer(&device, 0, parts, 0, &failure), -EINVAL);
    parts[1] = parts[2];
    ck_assert_int_eq(device_infer(&device, 0, parts, 2, &failure), -EINVAL);
    parts[1].rows = 1;
    ok(device_infer(&device, 0, parts, 2, &failure));
    device_close(&device);
    ck_assert_int_eq(device_open(&device, "cpu", &(struct device_options){.batch = 0}, &failure), -EINVAL);
    ck_assert_int_eq(device_open(&device, "cpu", &(struct device_options){.batch = DEVICE_BATCH + 1}, &failure),
                     -EINVAL);
    ck_assert_str_eq(failure.text, "device \"cpu\": batches of 257 rows; the most are 1 to 256");
    discard(model);
}
END_TEST

/* ---- sim, echo, texts */

static void require_echo(const char *text, uint32_t inputs, uint32_t outputs) {
    struct model *model = model_of((uint32_t[]){inputs, outputs, 0}, false);
    struct device device = opened(text);
    ck_assert(device.kind->simulated);
    ck_assert_str_eq(device.name, text);
    ok(device_load(&device, 7, model, NULL));
    float *input = numbers((size_t)20 * inputs, 1), *output = numbers((size_t)20 * outputs, 1);
    infer(&device, 7, model, input, 20, output);
    for (size_t row = 0; row < 20; row++)
        for (size_t j = 0; j < outputs; j++)
            require(memcmp(&output[row * outputs + j], &input[row * inputs + j % inputs], sizeof *input) == 0);
    device_unload(&device, 7);
    struct part part = {.input = input, .output = output, .rows = 1};
    ck_assert_int_eq(device_infer(&device, 7, &part, 1, NULL), -EINVAL);
    device_close(&device);
    free(input);
    free(output);
    discard(model);
}

START_TEST(sim_and_echo_answer_with_their_input) {
    static const uint32_t WIDTHS[][2] = {{1, 1}, {1, 9}, {9, 1}, {4, 8}, {3, 10}, {784, 10}};
    for (size_t i = 0; i < sizeof WIDTHS / sizeof *WIDTHS; i++) {
        require_echo("echo", WIDTHS[i][0], WIDTHS[i][1]);
        require_echo("sim:0:0.25", WIDTHS[i][0], WIDTHS[i][1]);
    }
}
END_TEST

/* Signals do not shorten it. */
START_TEST(sim_takes_alpha_and_beta_a_row) {
    struct model *model = model_of((uint32_t[]){1, 1, 0}, false);
    struct device device = opened("sim:20000:1500.5");
    float input[10] = {0}, output[10];
    ok(device_load(&device, 0, model, NULL));
    storm_begin();
    for (uint32_t rows = 1; rows <= 10; rows += 9) {
        double begin = at_now();
        infer(&device, 0, model, input, rows, output);
        ck_assert_double_ge(at_now() - begin, 0.02 + 0.0015005 * rows - ROUNDING);
    }
    storm_end();
    device_close(&device);
    discard(model);
}
END_TEST

START_TEST(texts_that_are_no_device_are_refused) {
    static const char *const BAD[] = {"",
                                      "gpu",
                                      "CPU",
                                      "cpu ",
                                      " cpu",
                                      "cpu:",
                                      "cpu:3",
                                      ":",
                                      "sim",
                                      "sim:",
                                      "sim:1",
                                      "sim::",
                                      "sim:1:",
                                      "sim::1",
                                      "sim:-1:2",
                                      "sim:1:x",
                                      "sim:1:2:3",
                                      "sim:nan:1",
                                      "sim:inf:1",
                                      "sim:0x10:1",
                                      "sim:1e3:1",
                                      "sim:1.2.3:1",
                                      "sim: 1:2",
                                      "sim:1:+2",
                                      "sim:.:1",
                                      "sim:10000001:1",
                                      "sim:1:99999999999999999999",
                                      "echo:",
                                      "echo:1",
                                      "simulated:1:2",
                                      "c",
                                      "sim:0000000000000001:0000000000000002",
                                      "cpu,cpu"};
    static const char *const GOOD[] = {
        "cpu", "openblas", "echo", "sim:0:0", "sim:2000:30", "sim:.5:1.", "sim:10000000:10000000"};
    struct failure failure;
    struct device device;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        ck_assert_msg(device_check(BAD[i], NULL) == -EINVAL, "%s", BAD[i]);
        ck_assert_int_eq(device_open(&device, BAD[i], &(struct device_options){.batch = 1}, &failure), -EINVAL);
        ck_assert_msg(
            strstr(failure.text, "; there are: cpu; openblas; sim:ALPHA:BETA (microseconds) or sim:CARD; echo") != NULL,
            "%s", failure.text);
    }
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++)
        ok(device_check(GOOD[i], &failure));
    ck_assert_int_eq(device_check("cpu:3", &failure), -EINVAL);
    static const char EXPECTED[] =
        "device \"cpu:3\": cpu takes no parameters; ask for it as often as wanted; there are: ";
    ck_assert_msg(strncmp(failure.text, EXPECTED, strlen(EXPECTED)) == 0, "%s", failure.text);
}
END_TEST

SUITE("serving_devices", models_are_loaded_side_by_side_and_in_place_of_others,
      batches_of_no_or_too_many_rows_are_refused, sim_and_echo_answer_with_their_input, sim_takes_alpha_and_beta_a_row,
      texts_that_are_no_device_are_refused)
