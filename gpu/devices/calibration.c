/* calibration.c: the line through a device's times, the name of its file, and which models there are in one. */
#include "calibration.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the line */

/* Sums over the points, each weighted by 1 / time^2: a relative error counts the same at every size. */
struct sums {
    double w, x, xx, y, xy;
};

static struct sums sum_up(const double *rows, const double *times, size_t count) {
    struct sums sums = {0};
    for (size_t i = 0; i < count; i++) {
        if (!(times[i] > 0))
            continue;
        double weight = 1 / (times[i] * times[i]);
        sums.w += weight;
        sums.x += weight * rows[i];
        sums.xx += weight * rows[i] * rows[i];
        sums.y += weight * times[i];
        sums.xy += weight * rows[i] * times[i];
    }
    return sums;
}

double calibration_fit(const double *rows, const double *times, size_t count, double *alpha, double *beta) {
    struct sums sums = sum_up(rows, times, count);
    double determinant = sums.w * sums.xx - sums.x * sums.x, worst = 0;
    *beta = determinant > 1e-12 * sums.w * sums.xx ? (sums.w * sums.xy - sums.x * sums.y) / determinant : 0;
    *alpha = sums.w > 0 ? (sums.y - *beta * sums.x) / sums.w : 0;
    /* A part below 0 is none of a device's: then the other alone is fitted. */
    if (*beta < 0) {
        *beta = 0;
        *alpha = sums.y / sums.w;
    } else if (*alpha < 0) {
        *alpha = 0;
        *beta = sums.xy / sums.xx;
    }
    for (size_t i = 0; i < count; i++)
        if (times[i] > 0)
            worst = fmax(worst, fabs(*alpha + *beta * rows[i] - times[i]) / times[i]);
    return worst;
}

/* ---- names */

bool calibration_is_name(const char *text) {
    return islower((unsigned char)text[0]) && strlen(text) < CALIBRATION_NAME &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(text);
}

/* Words that tell nothing of how fast it is. */
static bool is_idle(const char *word) {
    static const char *const IDLE[] = {"r", "tm", "cpu", "processor", "core", "geforce", "generation"};
    for (size_t i = 0; i < sizeof IDLE / sizeof *IDLE; i++)
        if (strcmp(word, IDLE[i]) == 0)
            return true;
    return false;
}

/* Appends a word in lower case, after a dash, if there is room for all of it. */
static void add_word(char *name, size_t room, const char *word, size_t length) {
    char lower[CALIBRATION_NAME];
    size_t used = strlen(name);
    if (length == 0 || length >= sizeof lower || used + length + 2 > room)
        return;
    for (size_t i = 0; i < length; i++)
        lower[i] = (char)tolower((unsigned char)word[i]);
    lower[length] = '\0';
    if (!is_idle(lower))
        snprintf(name + used, room - used, "%s%s", used > 0 ? "-" : "", lower);
}

/* The words of a text up to a comma or an '@'. */
static void add_words(char *name, size_t room, const char *text) {
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    while (*text != '\0' && *text != ',' && *text != '@') {
        size_t length = strspn(text, LETTERS);
        if (strncmp(text + length, "-Core", 5) != 0) /* "64-Core" */
            add_word(name, room, text, length);
        text += length > 0 ? length : 1;
    }
}

/* What follows the card's number, as "bf16-spin"; fp32, where no precision is said. */
static void read_ending(char *ending, size_t size, const char *device) {
    static const char *const PRECISIONS[] = {"fp32", "tf32", "fp16", "bf16"};
    const char *options = strchr(device, ':');
    bool said = false;
    ending[0] = '\0';
    if (strncmp(device, "cuda", 4) != 0) {
        add_words(ending, size, device);
        /* "cpu" is idle within a name, and all there is at its end. */
        if (ending[0] == '\0')
            snprintf(ending, size, "cpu");
        return;
    }
    options = options != NULL ? strchr(options + 1, ':') : NULL;
    for (size_t i = 0; options != NULL && i < sizeof PRECISIONS / sizeof *PRECISIONS; i++)
        said = said || strstr(options, PRECISIONS[i]) != NULL;
    if (!said)
        snprintf(ending, size, "fp32");
    for (; options != NULL; options = strchr(options + 1, ':'))
        add_word(ending, size, options + 1, strcspn(options + 1, ":"));
}

void calibration_name(char name[CALIBRATION_NAME], const char *device, const char *description) {
    char ending[CALIBRATION_NAME - 8];
    read_ending(ending, sizeof ending, device);
    name[0] = '\0';
    add_words(name, CALIBRATION_NAME - strlen(ending) - 1, description);
    size_t used = strlen(name);
    snprintf(name + used, CALIBRATION_NAME - used, "%s%s", used > 0 ? "-" : "", ending);
}

/* ---- models */

void calibration_shape(struct calibrated_model *calibrated, const struct model *model) {
    snprintf(calibrated->name, sizeof calibrated->name, "%s", model->name);
    calibrated->hash = model->hash;
    calibrated->depth = model->depth;
    calibrated->shape[0] = model->inputs;
    for (size_t i = 0; i < model->depth; i++)
        calibrated->shape[i + 1] = model->layers[i].outputs;
}

const struct calibrated_model *calibration_of(const struct calibration *calibration, const struct model *model) {
    struct calibrated_model wanted = {.depth = 0};
    calibration_shape(&wanted, model);
    for (size_t i = 0; i < calibration->count; i++) {
        const struct calibrated_model *one = &calibration->models[i];
        if (one->depth == wanted.depth &&
            memcmp(one->shape, wanted.shape, (wanted.depth + 1) * sizeof *wanted.shape) == 0)
            return one;
    }
    return NULL;
}
