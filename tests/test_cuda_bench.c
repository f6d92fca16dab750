/*
 * test_cuda_bench.c: the programs that time cards, on one that is emulated: they run, its answers are looked at, and no
 * figure of it is written.
 */
#include "emulated.h"
#include "serving.h"

static char output[16384];

/* Runs a program that finds the emulated libraries where NVIDIA's would be. */
static int emulate(const char *variables, const char *program) {
    char file[300];
    snprintf(file, sizeof file, "%s/%.*s", build(), (int)strcspn(program, " "), program);
    if (access(file, X_OK) != 0)
        skip("%s was not built", file);
    return run_line(output, sizeof output, "LD_LIBRARY_PATH=%s/tests/emulated AT_CARDS=%s MODELS=%s %s %s/%s 2>&1",
                    build(), folder, folder, variables, build(), program);
}

START_TEST(an_emulated_card_is_not_calibrated) {
    char program[300];
    snprintf(program, sizeof program, "gpu/calibrate --device cuda:0 --models wide:16x1 --seconds 0 --output %s",
             in_folder("cards"));
    ck_assert_msg(emulate("", program) == 1, "%.1000s", output);
    ck_assert_msg(strstr(output, "device \"cuda:0\" is an emulated card, whose times say nothing of a real one") !=
                      NULL,
                  "%.1000s", output);
    ck_assert(access(in_folder("cards"), F_OK) != 0);
}
END_TEST

/* Two processes, each bound to its card, read all images rightly; a wrong answer would end it with 1. */
START_TEST(emulated_cards_read_the_images_and_have_no_figures) {
    char program[300];
    write_shaped("digits", 784, 10, 1);
    snprintf(program, sizeof program, "bench/devices --quick --seconds 0.01 --workers 1 --only digits --output %s",
             in_folder("now"));
    ck_assert_msg(emulate("EMULATED_CARDS=2", program) == 0, "%.1000s", output);
    ck_assert_msg(strstr(output, "this is an emulated card: its answers are right, and its times say nothing") != NULL,
                  "%.1000s", output);
    snprintf(program, sizeof program, "grep -c '^digits,devices' %s", in_folder("now-devices.csv"));
    ck_assert_int_eq(run_line(output, sizeof output, "%s", program), 1);
    ck_assert_str_eq(output, "0\n");
}
END_TEST

/* Each of its subjects once: the device in each of its options, its lanes, a server. */
START_TEST(an_emulated_card_is_tried_and_not_compared) {
    write_shaped("digits", 784, 10, 1);
    char program[300];
    snprintf(program, sizeof program, "bench/cuda --quick --output %s", in_folder("now"));
    ck_assert_msg(emulate("", program) == 0, "%.1000s", output);
    ck_assert_msg(strstr(output, "off: figures of cuda:0: this is an emulated card") != NULL, "%.1000s", output);
    ck_assert(access(in_folder("now-cuda.csv"), F_OK) != 0);
    ck_assert_msg(emulate("CUDA_VISIBLE_DEVICES=", "bench/cuda --ready") == 1, "%.1000s", output);
    ck_assert_msg(strstr(output, "off: the card against PyTorch: ") != NULL, "%.1000s", output);
}
END_TEST

SUITE_WITH("cuda_bench", make_folder, remove_folder, an_emulated_card_is_not_calibrated,
           an_emulated_card_is_tried_and_not_compared, emulated_cards_read_the_images_and_have_no_figures)
