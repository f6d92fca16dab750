/* training_program.h: what the suites about learning share: examples to learn from, and the program train. */
#ifndef ATELIER_TESTS_TRAINING_PROGRAM_H
#define ATELIER_TESTS_TRAINING_PROGRAM_H

#include <sys/stat.h>

#include "dataset.h"
#include "digits.h"

#include "bench_folder.h"

/* Digits to learn from, and a sixth as many others. */
static inline struct dataset drawn(size_t count) {
    struct dataset dataset;
    ok(dataset_draw(in_folder("drawn"), 1, count, NULL, NULL));
    ok(dataset_read(&dataset, in_folder("drawn"), NULL));
    return dataset;
}

static inline const char *train_path(void) {
    static char path[300];
    snprintf(path, sizeof path, "%.200s/gpu/train", build());
    return path;
}

/* Runs train in the test's folder; what it prints must hold these words, and is returned. */
static inline const char *assert_train(const char *arguments, int status, const char *words) {
    static char output[4000];
    int result = run_line(output, sizeof output, "%s --data %s/digits --output %s/m/digits.safetensors %s",
                          train_path(), folder, folder, arguments);
    ck_assert_msg(result == status, "%s: status %d: %s", arguments, result, output);
    ck_assert_msg(strstr(output, words) != NULL, "%s: \"%s\" lacks \"%s\"", arguments, output, words);
    return output;
}

/* MNIST's files with 4 x 4 pixels, easily told apart; `lie`: but those held out are labelled otherwise. */
static inline void write_easy_files(bool lie) {
    enum { COUNT = 200, SIDE = 4, PIXELS = SIDE * SIDE };
    static uint8_t pixels[COUNT * PIXELS], labels[COUNT];
    struct examples examples = {COUNT, SIDE, SIDE, pixels, labels};
    ck_assert_int_eq(mkdir(in_folder("digits"), 0700), 0);
    for (size_t i = 0; i < COUNT; i++) {
        labels[i] = (uint8_t)(i % DIGIT_LABELS);
        pixels[i * PIXELS + labels[i]] = (uint8_t)(150 + i % 100);
    }
    ok(idx_write(&examples, in_folder("digits/" IDX_TRAIN_IMAGES), in_folder("digits/" IDX_TRAIN_LABELS), NULL));
    for (size_t i = 0; i < COUNT && lie; i++)
        labels[i] = (uint8_t)((i + 1) % DIGIT_LABELS);
    ok(idx_write(&examples, in_folder("digits/" IDX_TEST_IMAGES), in_folder("digits/" IDX_TEST_LABELS), NULL));
}

/* Reads until these words have come. */
static inline void await_words(int fd, const char *words) {
    char text[4000] = "";
    for (size_t length = 0; strstr(text, words) == NULL;) {
        ssize_t count = read(fd, text + length, sizeof text - 1 - length);
        ck_assert_msg(count > 0, "no \"%s\" in \"%s\"", words, text);
        length += (size_t)count;
    }
}

#endif
