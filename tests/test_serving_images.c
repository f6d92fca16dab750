/*
 * test_serving_images.c: the table of the images in parts: what batches consist of, which answers are right, and which
 * devices are measured.
 */
#include "calibration.h"
#include "devices.h"
#include "digits.h"
#include "serving.h"

/* Loaded models are the workers' own, where the leak detector does not look for them. */
SANITIZER_OPTIONS("detect_leaks=0", "")

#define COUNT_OF(list) (sizeof(list) / sizeof *(list))

static struct images *const digits = &images_of[0];
static char wrong[WRONG_SIZE];

/* A model whose answers are the first ten pixels, times `scale`; all of the quick run's images. */
static void open_digits(float scale) {
    write_shaped("digits", DIGIT_PIXELS, IMAGES_OUTPUTS, scale);
    require(setenv("MODELS", folder, true) == 0);
    require(images_open(true, 4));
    if (!digits->workload.prepare(&digits->workload))
        ck_abort_msg("%s", digits->workload.missing);
}

static void close_digits(void) {
    digits->workload.finish(&digits->workload);
    images_close();
}

static bool is_right(void) {
    return digits->workload.check(&digits->workload, wrong);
}

/* ---- batches */

START_TEST(a_batch_goes_on_where_the_images_begin_anew) {
    open_digits(1);
    struct part parts[DEVICE_BATCH];
    size_t last = digits->images - 10;
    ck_assert_uint_eq(images_parts(&region, digits->model, digits->images, last, last + 10, parts), 1);
    ck_assert(parts[0].rows == 10 && parts[0].input == region.inputs + last * DIGIT_PIXELS);
    ck_assert_uint_eq(images_parts(&region, digits->model, digits->images, last, last + 64, parts), 2);
    ck_assert(parts[0].rows == 10 && parts[1].rows == 54 && parts[1].input == region.inputs);
    ck_assert(parts[1].output == region.outputs + digits->images * IMAGES_OUTPUTS);
    ck_assert_uint_eq(images_parts(&region, digits->model, 3, 2, 9, parts), 3);
    ck_assert(parts[0].rows == 1 && parts[1].rows == 3 && parts[2].rows == 3);
    ck_assert_uint_eq(images_parts(&region, digits->model, 3, 9, 9, parts), 0);
    close_digits();
}
END_TEST

START_TEST(a_region_is_seen_by_its_path) {
    char path[64];
    struct region mapped;
    struct failure failure;
    open_digits(1);
    snprintf(path, sizeof path, "/proc/self/fd/%d", region.file);
    ck_assert(region_map(&mapped, path, region.images, &failure));
    ck_assert(memcmp(mapped.inputs, region.inputs, DIGIT_PIXELS * sizeof(float)) == 0);
    mapped.outputs[7] = 3;
    ck_assert(region.outputs[7] > 2);
    ck_assert(!region_map(&mapped, path, 1000000, &failure));
    ck_assert(!region_map(&mapped, "/dev/null", 3, &failure));
    ck_assert(!region_map(&mapped, "/nowhere/at/all", 3, &failure));
    ck_assert_str_eq(failure.text, "/nowhere/at/all: no region of 3 images: No such file or directory");
    close_digits();
}
END_TEST

/* ---- answers */

static void do_all(void) {
    one_core_open(1);
    digits->workload.reset(&digits->workload);
    for (size_t task = 0; task < digits->workload.tasks; task++)
        digits->workload.task(&digits->workload, task, 5);
}

START_TEST(cores_answer_every_image) {
    open_digits(1);
    do_all();
    ck_assert_msg(is_right(), "%s", wrong);
    digits->workload.reset(&digits->workload);
    for (size_t task = 1; task < digits->workload.tasks; task++)
        digits->workload.task(&digits->workload, task, 0);
    ck_assert(!is_right());
    ck_assert_str_eq(wrong, "image 0: no answer");
    close_digits();
}
END_TEST

/* The reference's answer to image 9 is made to be clear; what is less likely by more than the tolerance is wrong. */
START_TEST(wrong_answers_are_found) {
    open_digits(1);
    do_all();
    float *expected = digits->expected + 9 * (size_t)IMAGES_OUTPUTS,
          *answer = region.outputs + 9 * (size_t)IMAGES_OUTPUTS;
    for (size_t i = 0; i < IMAGES_OUTPUTS; i++)
        expected[i] = i == 4 ? 0.5F : i == 6 ? 0.4995F : i == 7 ? 0.498F : 0;
    memcpy(answer, expected, IMAGES_OUTPUTS * sizeof *answer);
    ck_assert_msg(is_right(), "%s", wrong);
    answer[6] = 1; /* nearly as likely */
    ck_assert_msg(is_right(), "%s", wrong);
    answer[7] = 2;
    ck_assert(!is_right());
    ck_assert_str_eq(wrong, "image 9: a 4 is read as 7");
    answer[7] = NAN;
    ck_assert(!is_right());
    close_digits();
}
END_TEST

START_TEST(simulated_devices_answer_with_their_input) {
    open_digits(1);
    do_all();
    digits->echoes = true; /* this model's answers are the first pixels, and so are simulated devices' */
    ck_assert_msg(is_right(), "%s", wrong);
    region.outputs[3 * IMAGES_OUTPUTS + 2] += 1;
    ck_assert(!is_right());
    ck_assert_str_eq(wrong, "image 3: the answer is not its input");
    digits->echoes = false;
    close_digits();
}
END_TEST

START_TEST(a_model_of_another_shape_is_left_out) {
    write_shaped("digits", DIGIT_PIXELS, 9, 1);
    require(setenv("MODELS", folder, true) == 0);
    require(images_open(true, 1));
    ck_assert(!digits->workload.prepare(&digits->workload));
    ck_assert_str_eq(digits->workload.missing, "the model \"digits\" has 784 inputs and 9 outputs, and not 784 and 10");
    close_digits();
}
END_TEST

/* ---- which devices */

static struct series series[SERIES_MOST];

static void write_card(const char *name, const char *device) {
    struct calibration card = {.count = 1};
    struct failure failure;
    snprintf(card.name, sizeof card.name, "%s", name);
    snprintf(card.device, sizeof card.device, "%s", device);
    card.models[0] = (struct calibrated_model){.name = "tiny", .shape = {4, 3}, .depth = 1, .alpha = 1, .beta = 1};
    if (calibration_write(&card, folder, &failure) != 0)
        ck_abort_msg("%s", failure.text);
}

static void no_cards(void) {
    make_models();
    require(setenv("AT_CARDS", folder, true) == 0);
    require(setenv("CUDA_VISIBLE_DEVICES", "", true) == 0);
}

START_TEST(without_a_card_one_is_simulated) {
    ck_assert_uint_eq(devices_choose(series, NULL, 8), 1);
    ck_assert_uint_eq(series[0].count, 8);
    ck_assert_str_eq(series[0].texts[7], "sim:2000:30");
    ck_assert_str_eq(series[0].name, "simulated");
    ck_assert_str_eq(series[0].title, "simulated: sim:2000:30");
    ck_assert(series[0].simulated);
    write_card("a-core", "cpu"); /* is no card */
    write_card("b-card", "cuda:0");
    ck_assert_uint_eq(devices_choose(series, "", 4), 1);
    ck_assert_uint_eq(series[0].count, 4);
    ck_assert_str_eq(series[0].texts[0], "sim:b-card");
}
END_TEST

START_TEST(lists_are_taken_as_they_are_told) {
    ck_assert_uint_eq(devices_choose(series, "cpu,openblas", 8), 1);
    ck_assert_str_eq(series[0].title, "cpu openblas");
    ck_assert_str_eq(series[0].name, "devices");
    ck_assert(!series[0].simulated && series[0].count == 2);
    ck_assert_uint_eq(devices_choose(series, "sim:1:2,sim:1:2,sim:1:2", 8), 1);
    ck_assert_str_eq(series[0].title, "simulated: sim:1:2");
    ck_assert_uint_eq(devices_choose(series, "cuda:0,cuda:1,cuda:2,cuda:3", 8), 1);
    ck_assert_uint_eq(devices_sharing(&series[0], 4), 0);
    ck_assert_str_eq(series[0].title, "cuda:0 cuda:1 ... cuda:3");
    ck_assert_uint_eq(devices_choose(series, "cuda:0,cuda:0:bf16,cuda:1,cuda:0", 8), 1);
    ck_assert_uint_eq(devices_sharing(&series[0], 1), 0);
    ck_assert_uint_eq(devices_sharing(&series[0], 4), 2);
    ck_assert_uint_eq(devices_choose(series, "cuda:0", 8), 2);
    ck_assert_msg(strstr(series[1].missing, "make calibrate DEVICES=cuda:0") != NULL, "%s", series[1].missing);
}
END_TEST

SUITE_WITH("serving_images", no_cards, remove_folder, a_batch_goes_on_where_the_images_begin_anew,
           a_region_is_seen_by_its_path, cores_answer_every_image, wrong_answers_are_found,
           simulated_devices_answer_with_their_input, a_model_of_another_shape_is_left_out,
           without_a_card_one_is_simulated, lists_are_taken_as_they_are_told)
