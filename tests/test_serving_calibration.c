/*
 * test_serving_calibration.c: the line through a device's times, the files of calibrated cards, the simulated device
 * that takes its times from one, and the program that measures them.
 */
#include "calibration.h"
#include "serving.h"

#define COUNT_OF(list) (sizeof(list) / sizeof *(list))

static char output[16384];

static void make_cards(void) {
    make_models();
    require(setenv("AT_CARDS", folder, true) == 0);
}

/* ---- the line */

START_TEST(a_line_is_found_again) {
    static const double ROWS[] = {1, 2, 4, 8, 16, 32, 64, 128, 256};
    double times[COUNT_OF(ROWS)], alpha, beta;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++)
        times[i] = 21.5 + 0.375 * ROWS[i];
    times[3] = 0; /* was not measured */
    double worst = calibration_fit(ROWS, times, COUNT_OF(ROWS), &alpha, &beta);
    ck_assert_double_eq_tol(alpha, 21.5, 1e-9);
    ck_assert_double_eq_tol(beta, 0.375, 1e-9);
    ck_assert_double_lt(worst, 1e-9);
    times[0] *= 1.5;
    worst = calibration_fit(ROWS, times, COUNT_OF(ROWS), &alpha, &beta);
    ck_assert(worst > 0.1 && worst < 0.5);
}
END_TEST

START_TEST(neither_part_of_the_line_is_below_0) {
    double alpha, beta;
    calibration_fit((const double[]){1, 2, 4}, (const double[]){1, 3, 9}, 3, &alpha, &beta);
    ck_assert(alpha >= 0 && alpha <= 0 && beta > 1 && beta < 2.25);
    calibration_fit((const double[]){1, 2, 4}, (const double[]){9, 8, 7}, 3, &alpha, &beta);
    ck_assert(beta >= 0 && beta <= 0 && alpha > 7 && alpha < 9);
    calibration_fit((const double[]){8}, (const double[]){80}, 1, &alpha, &beta);
    ck_assert_double_eq_tol(alpha, 80, 1e-9);
    ck_assert(calibration_fit(NULL, NULL, 0, &alpha, &beta) <= 0 && alpha <= 0 && beta <= 0);
}
END_TEST

/* ---- names and files */

START_TEST(files_are_named_after_the_device) {
    static const char *const NAMES[][3] = {
        {"cuda:0:bf16", "NVIDIA H200, GPU-1c5d, 0000:0a:00.0", "nvidia-h200-bf16"},
        {"cuda:1", "NVIDIA GeForce RTX 4090", "nvidia-rtx-4090-fp32"},
        {"cuda:0:tf32:spin", "NVIDIA A100-SXM4-80GB", "nvidia-a100-sxm4-tf32-spin"},
        {"cuda:0:spin", "NVIDIA H200", "nvidia-h200-fp32-spin"},
        {"cpu", "AMD EPYC-Rome Processor", "amd-epyc-rome-cpu"},
        {"openblas", "Intel(R) Xeon(R) CPU @ 2.20GHz", "intel-xeon-openblas"},
        {"cpu", "AMD EPYC 7763 64-Core Processor", "amd-epyc-7763-cpu"},
        {"cpu", "", "cpu"},
        {"cpu", "Some Extraordinarily LongWindedManufacturerOfProcessors X", "some-extraordinarily-x-cpu"},
    };
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        char name[CALIBRATION_NAME];
        calibration_name(name, NAMES[i][0], NAMES[i][1]);
        ck_assert_str_eq(name, NAMES[i][2]);
        ck_assert(calibration_is_name(name));
    }
    static const char *const NONE[] = {"", "2000", "../h200", "h200.json", "H200", "a-name-of-more-than-27-letters"};
    for (size_t i = 0; i < COUNT_OF(NONE); i++)
        ck_assert(!calibration_is_name(NONE[i]));
}
END_TEST

static struct calibration made_card(void) {
    struct calibration card = {.name = "made-card", .device = "cuda:0", .description = "Made", .date = "2026-01-02"};
    card.count = 1;
    card.models[0] = (struct calibrated_model){.name = "tiny",
                                               .hash = 0xfedcba9876543210,
                                               .shape = {TINY_INPUTS, TINY_OUTPUTS},
                                               .depth = 1,
                                               .alpha = 20000,
                                               .beta = 1500.5,
                                               .sizes = {{1, 9, 21500, 21499, 21501}},
                                               .size_count = 1};
    return card;
}

START_TEST(what_is_written_is_read) {
    struct calibration card = made_card(), read;
    struct failure failure;
    char text[300], names[200];
    snprintf(text, sizeof text, "%s/a/b", folder);
    require(setenv("AT_CARDS", text, true) == 0);
    ck_assert_uint_eq(calibration_list(names, sizeof names), 0);
    ok(calibration_write(&card, text, &failure));
    ok(calibration_write(&card, text, &failure)); /* in place of the older one */
    ok(calibration_read(&read, "made-card", &failure));
    ck_assert_str_eq(read.name, card.name);
    ck_assert_str_eq(read.device, card.device);
    ck_assert_str_eq(read.description, card.description);
    ck_assert_uint_eq(read.count, 1);
    ck_assert(read.models[0].hash == card.models[0].hash && read.models[0].depth == 1);
    ck_assert_double_eq_tol(read.models[0].alpha, 20000, 1e-9);
    ck_assert_double_eq_tol(read.models[0].beta, 1500.5, 1e-9);
    ck_assert_uint_eq(calibration_list(names, sizeof names), 1);
    ck_assert_str_eq(names, "made-card");
    ck_assert_int_eq(calibration_write(&card, "/dev/null/x", &failure), -ENOTDIR);
    ck_assert_str_eq(failure.text, "/dev/null/x: Not a directory; choose another --output");
}
END_TEST

static void write_card(const char *text) {
    FILE *file = fopen(in_folder("bad.json"), "we");
    require(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

#define HEAD "{\"format\": \"atelier card 1\", \"models\": ["

START_TEST(files_that_are_none_are_refused) {
    static const char *const BAD[][2] = {
        {"", "bad.json, line 1: "},
        {"{\"format\": ", "bad.json, line 1: "},
        {"{\"format\": 1, \"format\": 2}", "bad.json, line 1: duplicate object key"},
        {"[]", "bad.json does not say \"format\": \"atelier card 1\"; calibrate again"},
        {"{\"format\": \"atelier card 2\"}", "bad.json does not say"},
        {HEAD "]}", "bad.json has no list of 1 to 8 models; calibrate again"},
        {HEAD "1,2,3,4,5,6,7,8,9]}", "bad.json has no list of 1 to 8 models; calibrate again"},
        {HEAD "7]}", "bad.json: model 0 lacks its name, shape, alpha_us or beta_us"},
        {HEAD "{\"name\": \"a\", \"shape\": [1], \"alpha_us\": 1, \"beta_us\": 1}]}", "bad.json: model 0 lacks"},
        {HEAD "{\"name\": \"a\", \"shape\": [1, -1], \"alpha_us\": 1, \"beta_us\": 1}]}", "bad.json: model 0 lacks"},
        {HEAD "{\"name\": \"a\", \"shape\": [1, 1], \"alpha_us\": -1, \"beta_us\": 1}]}", "bad.json: model 0 lacks"},
        {HEAD "{\"name\": \"a\", \"shape\": [1, 1], \"alpha_us\": 1, \"beta_us\": 1e9}]}", "bad.json: model 0 lacks"},
        {HEAD "{\"name\": \"a\", \"shape\": [1, 1], \"alpha_us\": 1}]}", "bad.json: model 0 lacks"},
        {HEAD "{\"shape\": [1, 1], \"alpha_us\": 1, \"beta_us\": 1}]}", "bad.json: model 0 lacks"},
        {HEAD "{\"name\": \"a\", \"shape\": \"x\", \"alpha_us\": 1, \"beta_us\": 1}]}", "bad.json: model 0 lacks"},
    };
    struct calibration read;
    struct failure failure;
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        write_card(BAD[i][0]);
        ck_assert_msg(calibration_read(&read, "bad", &failure) == -EINVAL, "%s", BAD[i][0]);
        ck_assert_msg(strncmp(failure.text, BAD[i][1], strlen(BAD[i][1])) == 0, "%s", failure.text);
        ck_assert_int_eq(device_check("sim:bad", &failure), -EINVAL);
        ck_assert_msg(strstr(failure.text, BAD[i][1]) != NULL, "%s", failure.text);
    }
    write_card(HEAD "{\"name\": \"a\", \"shape\": [1, 1], \"alpha_us\": 1, \"beta_us\": 0}]}");
    ok(device_check("sim:bad", &failure));
    ck_assert_int_eq(calibration_read(&read, "../bad", &failure), -EINVAL);
    ck_assert_str_eq(failure.text, "\"../bad\" is no card's name, as nvidia-h200-bf16 is");
}
END_TEST

/* ---- the simulated device */

START_TEST(cards_that_are_not_there_are_told) {
    struct calibration card = made_card();
    struct failure failure;
    ck_assert_int_eq(device_check("sim:gone", &failure), -EINVAL);
    ck_assert_msg(strstr(failure.text, "no card is calibrated (results/cards); make calibrate measures one") != NULL,
                  "%s", failure.text);
    ok(calibration_write(&card, folder, &failure));
    ck_assert_int_eq(device_check("sim:gone", &failure), -EINVAL);
    ck_assert_msg(strstr(failure.text, "no card gone; calibrated are: made-card;") != NULL, "%s", failure.text);
}
END_TEST

static void sim_with(struct device *device, struct model **model, const char *name) {
    struct failure failure;
    if (device_open(device, "sim:made-card", &(struct device_options){.batch = 8}, &failure) != 0)
        ck_abort_msg("%s", failure.text);
    if (model_open(model, name, folder, &failure) != 0)
        ck_abort_msg("%s", failure.text);
}

START_TEST(a_calibrated_model_takes_its_own_times) {
    struct calibration card = made_card();
    struct failure failure;
    struct device device;
    struct model *model;
    float input[8 * TINY_INPUTS] = {1, 2, 3, 4, 5, 6, 7, 8}, answer[8 * TINY_OUTPUTS];
    ok(calibration_write(&card, folder, &failure));
    sim_with(&device, &model, "tiny");
    ck_assert_str_eq(device.description, "Simulated: Made");
    ck_assert(device_is_simulated("sim:made-card") && device.kind->simulated);
    ok(device_load(&device, 3, model, &failure));
    for (uint32_t rows = 1; rows <= 8; rows += 7) {
        double begin = at_now();
        ok(device_infer(&device, 3, &(struct part){input, answer, rows}, 1, &failure));
        ck_assert_double_ge(at_now() - begin, 0.02 + 0.0015005 * rows - ROUNDING);
        for (uint32_t i = 0; i < TINY_OUTPUTS; i++)
            ck_assert(memcmp(&answer[i], &input[i], sizeof *input) == 0);
    }
    device_close(&device);
    model_free(model);
}
END_TEST

START_TEST(a_model_that_was_not_calibrated_is_refused) {
    struct calibration card = made_card();
    struct failure failure;
    struct device device;
    struct model *model;
    ok(calibration_write(&card, folder, &failure));
    write_shaped("other", TINY_INPUTS, TINY_OUTPUTS + 1, 1);
    sim_with(&device, &model, "other");
    ck_assert_int_eq(device_load(&device, 0, model, &failure), -EINVAL);
    ck_assert_str_eq(failure.text,
                     "device \"sim:made-card\": no model of the shape of \"other\" was calibrated, only: tiny; on that "
                     "machine, make calibrate DEVICES=cuda:0 MODEL=tiny,other measures all");
    struct part part = {(float[TINY_INPUTS]){0}, (float[TINY_OUTPUTS + 1]){0}, 1};
    ck_assert_int_eq(device_infer(&device, 0, &part, 1, &failure), -EINVAL);
    device_close(&device);
    model_free(model);
}
END_TEST

/* ---- the program */

static int calibrate(const char *arguments) {
    char program[300];
    snprintf(program, sizeof program, "%s/gpu/calibrate", build());
    if (access(program, X_OK) != 0)
        skip("%s was not built", program);
    return run_line(output, sizeof output, "%s/gpu/calibrate --folder %s --output %s --seconds 0 --commit abc %s 2>&1",
                    build(), folder, in_folder("cards"), arguments);
}

START_TEST(a_core_is_calibrated_and_simulated) {
    struct failure failure;
    ck_assert_msg(calibrate("--models tiny") == 0, "%s", output);
    require(setenv("AT_CARDS", in_folder("cards"), true) == 0);
    char names[100], text[32];
    struct calibration card;
    ck_assert_uint_eq(calibration_list(names, sizeof names), 1);
    ok(calibration_read(&card, names, &failure));
    ck_assert_str_eq(card.device, "cpu");
    ck_assert_str_eq(card.commit, "abc");
    ck_assert_uint_eq(card.count, 1);
    ck_assert_str_eq(card.models[0].name, "tiny");
    ck_assert(card.models[0].alpha + card.models[0].beta > 0);
    ck_assert_msg(strstr(output, ".json: now the device sim:") != NULL, "%s", output);
    snprintf(text, sizeof text, "sim:%s", card.name);
    ok(device_check(text, &failure));
}
END_TEST

START_TEST(what_cannot_be_calibrated_is_told) {
    static const char *const REFUSED[][2] = {
        {"--device sim:1:2", "device \"sim:1:2\" only takes the time that it is told: there is nothing to measure\n"},
        {"--device echo", "device \"echo\" only takes the time that it is told"},
        {"--device gpu", "device \"gpu\": no such device; there are: cpu;"},
        {"--models gone", "gone"},
        {"--models ''", "--models: none is named"},
        {"--models tiny,tiny,tiny,tiny,tiny,tiny,tiny,tiny,tiny", "--models: a file has room for 8 models"},
        {"--seconds x", "--seconds x: must be a number from 0 to 3600"},
        {"more", "more: unknown argument; see --help"},
    };
    for (size_t i = 0; i < COUNT_OF(REFUSED); i++) {
        int status = calibrate(REFUSED[i][0]);
        ck_assert_msg(status == 1 || status == 2, "%s: %d: %.1000s", REFUSED[i][0], status, output);
        ck_assert_msg(strstr(output, REFUSED[i][1]) != NULL, "%s: %.1000s", REFUSED[i][0], output);
        ck_assert(access(in_folder("cards"), F_OK) != 0);
    }
}
END_TEST

SUITE_WITH("serving_calibration", make_cards, remove_folder, a_line_is_found_again, neither_part_of_the_line_is_below_0,
           files_are_named_after_the_device, what_is_written_is_read, files_that_are_none_are_refused,
           cards_that_are_not_there_are_told, a_calibrated_model_takes_its_own_times,
           a_model_that_was_not_calibrated_is_refused, a_core_is_calibrated_and_simulated,
           what_cannot_be_calibrated_is_told)
