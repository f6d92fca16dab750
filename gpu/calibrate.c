/* calibrate.c: measures what a real device's batches take, so that it can be simulated elsewhere (calibration.h). */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "calibration.h"
#include "cards.h"
#include "generator.h"

/* Rounds: at least so many, also where the time is up; and no more than are of any use. */
enum { ROUNDS_LEAST = 5, ROUNDS_MOST = 400, WARM_UPS = 3 };
enum { PLACE = 0, TEXT_MOST = 200, TRIES = 100 };

struct options {
    const char *device, *models, *folder, *output, *commit;
    double seconds; /* for each model */
};

static const char *program;
static volatile sig_atomic_t interrupted;

static void interrupt(int number) {
    interrupted = number;
}

/* ---- The command line */

static void usage(FILE *stream) {
    fprintf(
        stream,
        "usage: %s [OPTION...]\n"
        "Times a device's batches of 1, 2, 4... 256 rows, fits alpha + beta * rows, and writes a file by which the\n"
        "device sim:NAME takes the same times, on any machine.\n\n"
        "  --device TEXT   which: cpu, openblas, cuda:0, cuda:0:bf16... (default: cpu)\n"
        "  --models LIST   for which models, with commas between (default: digits,wide)\n"
        "  --folder FOLDER where the models are (default: build/models)\n"
        "  --output FOLDER where the file goes (default: results/cards)\n"
        "  --seconds N     for each model (default: 10)\n"
        "  --commit TEXT   what the sources are, for the record\n"
        "  --help          this text\n",
        program);
}

static struct options read_options(int argc, char *argv[]) {
    enum { DEVICE = 256, MODELS, FOLDER, OUTPUT, SECONDS, COMMIT, HELP };
    static const struct option known[] = {
        {"device", required_argument, NULL, DEVICE},
        {"models", required_argument, NULL, MODELS},
        {"folder", required_argument, NULL, FOLDER},
        {"output", required_argument, NULL, OUTPUT},
        {"seconds", required_argument, NULL, SECONDS},
        {"commit", required_argument, NULL, COMMIT},
        {"help", no_argument, NULL, HELP},
        {0},
    };
    struct options options = {
        .device = "cpu", .models = "digits,wide", .folder = "build/models", .commit = "unknown", .seconds = 10};
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        char *end;
        switch (option) {
        case DEVICE:
            options.device = optarg;
            break;
        case MODELS:
            options.models = optarg;
            break;
        case FOLDER:
            options.folder = optarg;
            break;
        case OUTPUT:
            options.output = optarg;
            break;
        case COMMIT:
            options.commit = optarg;
            break;
        case SECONDS:
            options.seconds = strtod(optarg, &end);
            if (end == optarg || *end != '\0' || !(options.seconds >= 0 && options.seconds <= 3600)) {
                fprintf(stderr, "%s: --seconds %s: must be a number from 0 to 3600\n", program, optarg);
                exit(2);
            }
            break;
        case HELP:
            usage(stdout);
            exit(0);
        default:
            usage(stderr);
            exit(2);
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: %s: unknown argument; see --help\n", program, argv[optind]);
        exit(2);
    }
    return options;
}

/* ---- Measuring */

/* Rows of noise, and where their answers go. */
struct rows {
    float *input, *output;
};

struct times {
    double us[CALIBRATION_SIZES][ROUNDS_MOST];
    uint32_t count;
};

static int infer(struct device *device, const struct rows *rows, uint32_t count, double *us, struct failure *failure) {
    struct part part = {.input = rows->input, .output = rows->output, .rows = count};
    int result = -EAGAIN; /* memory was short for a moment */
    for (int tries = 0; tries < TRIES && result == -EAGAIN; tries++) {
        double begin = at_now();
        result = device_infer(device, PLACE, &part, 1, failure);
        *us = 1e6 * (at_now() - begin);
    }
    return result;
}

/* All sizes in each round, each round beginning with another one: what slows the machine down slows all of them. */
static int take_times(struct device *device, const struct rows *rows, double seconds, struct times *times,
                      struct failure *failure) {
    double end = at_now() + seconds, us;
    int result = 0;
    for (size_t i = 0; i < WARM_UPS * CALIBRATION_SIZES && result == 0; i++)
        result = infer(device, rows, 1U << i % CALIBRATION_SIZES, &us, failure);
    for (times->count = 0; times->count < ROUNDS_MOST && result == 0; times->count++) {
        if (interrupted != 0)
            return fail(failure, -EINTR, "stopped; nothing was written");
        if (times->count >= ROUNDS_LEAST && at_now() >= end)
            break;
        for (size_t i = 0; i < CALIBRATION_SIZES && result == 0; i++) {
            size_t size = (i + times->count) % CALIBRATION_SIZES;
            result =
                infer(device, rows, 1U << size, &us, failure); /* after a large batch a small one finds cold caches */
            if (result == 0)
                result = infer(device, rows, 1U << size, &times->us[size][times->count], failure);
        }
    }
    return result;
}

static int by_value(const void *a, const void *b) {
    const double *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static void conclude(struct calibrated_model *model, struct times *times) {
    double rows[CALIBRATION_SIZES], medians[CALIBRATION_SIZES];
    for (uint32_t i = 0; i < CALIBRATION_SIZES; i++) {
        double *us = times->us[i];
        uint32_t count = times->count;
        qsort(us, count, sizeof *us, by_value);
        model->sizes[i] = (struct calibrated_size){.rows = 1U << i,
                                                   .samples = count,
                                                   .median = (us[count / 2] + us[(count - 1) / 2]) / 2,
                                                   .q1 = us[count / 4],
                                                   .q3 = us[count - 1 - count / 4]};
        rows[i] = (double)(1U << i);
        medians[i] = model->sizes[i].median;
    }
    model->size_count = CALIBRATION_SIZES;
    model->worst_error = calibration_fit(rows, medians, CALIBRATION_SIZES, &model->alpha, &model->beta);
}

static void print_model(const struct calibrated_model *model) {
    printf("%s:\n  rows    median us        q1        q3   the line\n", model->name);
    for (size_t i = 0; i < model->size_count; i++) {
        const struct calibrated_size *one = &model->sizes[i];
        printf("  %4u %12.2f %9.2f %9.2f %10.2f\n", one->rows, one->median, one->q1, one->q3,
               model->alpha + model->beta * one->rows);
    }
    printf("  alpha %.2f us, beta %.3f us a row; the line misses a median by %.0f%% at most; %u rounds\n", model->alpha,
           model->beta, 100 * model->worst_error, model->sizes[0].samples);
    fflush(stdout);
}

static int measure(struct device *device, const struct model *model, double seconds, struct calibrated_model *into,
                   struct failure *failure) {
    size_t inputs = (size_t)DEVICE_BATCH * model->inputs, outputs = (size_t)DEVICE_BATCH * model->outputs;
    struct rows rows = {.input = malloc(inputs * sizeof(float)), .output = malloc(outputs * sizeof(float))};
    struct times *times = malloc(sizeof *times);
    int result = 0;
    if (rows.input == NULL || rows.output == NULL || times == NULL)
        result = fail(failure, -ENOMEM, "model \"%s\": memory is short for its rows", model->name);
    for (size_t i = 0; i < inputs && result == 0; i++)
        rows.input[i] = (float)(generator_bits(1, i) >> 40) * 0x1p-24F;
    if (result == 0)
        result = device_load(device, PLACE, model, failure);
    if (result == 0)
        result = take_times(device, &rows, seconds, times, failure);
    if (result == 0) {
        calibration_shape(into, model);
        conclude(into, times);
    }
    device_unload(device, PLACE);
    free(rows.input);
    free(rows.output);
    free(times);
    return result;
}

/* ---- Which device */

/* "AMD EPYC", where a device is the processor. */
static void processor(char *text, size_t size) {
    char line[TEXT_MOST];
    FILE *file = fopen("/proc/cpuinfo", "r");
    snprintf(text, size, "unknown processor");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            snprintf(text, size, "%.*s", (int)strcspn(colon + 1 + strspn(colon + 1, " "), "\n"),
                     colon + 1 + strspn(colon + 1, " "));
            break;
        }
    }
    if (file != NULL)
        fclose(file);
}

/* What only stands for a device has no times of its own. */
static int open_real(struct device *device, const char *text, struct failure *failure) {
    int result = device_check(text, failure);
    if (result != 0)
        return result;
    if (device_is_simulated(text))
        return fail(failure, -EINVAL, "device \"%s\" only takes the time that it is told: there is nothing to measure",
                    text);
    result = device_open(device, text, &(struct device_options){.batch = DEVICE_BATCH}, failure);
    if (result == 0 && card_is_emulated(device->description)) {
        device_close(device);
        return fail(failure, -EINVAL, "device \"%s\" is an emulated card, whose times say nothing of a real one", text);
    }
    return result;
}

static void describe(struct calibration *calibration, const struct device *device, const char *commit) {
    time_t now = time(NULL);
    struct tm day;
    snprintf(calibration->device, sizeof calibration->device, "%s", device->name);
    if (device->description[0] != '\0')
        snprintf(calibration->description, sizeof calibration->description, "%s", device->description);
    else
        processor(calibration->description, sizeof calibration->description);
    calibration_name(calibration->name, calibration->device, calibration->description);
    strftime(calibration->date, sizeof calibration->date, "%Y-%m-%d", localtime_r(&now, &day));
    snprintf(calibration->commit, sizeof calibration->commit, "%s", commit);
}

static int calibrate_models(struct calibration *calibration, struct device *device, const struct options *options,
                            struct failure *failure) {
    char source[TEXT_MOST];
    int result = 0;
    for (const char *at = options->models; *at != '\0' && result == 0; at += *at == ',') {
        size_t length = strcspn(at, ",");
        struct model *model;
        snprintf(source, sizeof source, "%.*s", (int)length, at);
        at += length;
        if (calibration->count == CALIBRATION_MODELS)
            return fail(failure, -E2BIG, "--models: a file has room for %d models", CALIBRATION_MODELS);
        result = model_open(&model, source, options->folder, failure);
        if (result != 0)
            break;
        struct calibrated_model *into = &calibration->models[calibration->count++];
        result = measure(device, model, options->seconds, into, failure);
        model_free(model);
        if (result == 0)
            print_model(into);
    }
    if (result == 0 && calibration->count == 0)
        return fail(failure, -EINVAL, "--models: none is named");
    return result;
}

int main(int argc, char *argv[]) {
    static struct calibration calibration;
    struct device device;
    struct failure failure;
    char folder[PATH_MAX - 64];
    program = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0];
    struct options options = read_options(argc, argv);
    sigaction(SIGINT, &(struct sigaction){.sa_handler = interrupt, .sa_flags = SA_RESTART | (int)SA_RESETHAND}, NULL);
    calibration_folder(folder, sizeof folder);
    int result = open_real(&device, options.device, &failure);
    if (result == 0) {
        describe(&calibration, &device, options.commit);
        printf("%s: %s\n", device.name, calibration.description);
        result = calibrate_models(&calibration, &device, &options, &failure);
        device_close(&device);
    }
    const char *output = options.output != NULL ? options.output : folder;
    if (result == 0)
        result = calibration_write(&calibration, output, &failure);
    if (result != 0) {
        fprintf(stderr, "%s: %s\n", program, failure.text);
        return 1;
    }
    printf("%s/%s.json: now the device sim:%s takes as long\n", output, calibration.name, calibration.name);
    return 0;
}
