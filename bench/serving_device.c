/* serving_device.c: what the device alone takes, in this process: by batch size, and under what serving adds to it. */
#include <stdlib.h>

#include "calibration.h"
#include "console.h"
#include "device.h"
#include "output.h"
#include "serving.h"

/* A device of this process with the model loaded, and rows to infer. */
struct local {
    struct model *model;
    struct device device;
    float *input, *output;
    struct part parts[DEVICE_BATCH];
    bool open;
};

static bool local_open(struct local *local, const char *device, uint64_t seed) {
    struct failure failure;
    *local = (struct local){.open = false};
    const struct device_options options = {.batch = DEVICE_BATCH};
    if (model_open(&local->model, "digits", models_folder(), &failure) != 0) {
        note_failure("bench: %s", failure.text);
        return false;
    }
    if (device_open(&local->device, device, &options, &failure) != 0) {
        note_failure("bench: %s", failure.text);
        model_free(local->model);
        return false;
    }
    if (device_load(&local->device, 0, local->model, &failure) != 0) {
        note_failure("bench: %s", failure.text);
        device_close(&local->device);
        model_free(local->model);
        return false;
    }
    size_t inputs = local->model->inputs, outputs = local->model->outputs;
    local->input = need(DEVICE_BATCH * inputs, sizeof *local->input);
    local->output = need(DEVICE_BATCH * outputs, sizeof *local->output);
    struct dice dice = {seed};
    for (size_t i = 0; i < DEVICE_BATCH * inputs; i++)
        local->input[i] = (float)dice_part(&dice);
    for (size_t i = 0; i < DEVICE_BATCH; i++)
        local->parts[i] = (struct part){local->input + i * inputs, local->output + i * outputs, 1};
    local->open = true;
    return true;
}

static void local_close(struct local *local) {
    if (!local->open)
        return;
    device_close(&local->device);
    model_free(local->model);
    free(local->input);
    free(local->output);
}

/* Nanoseconds of a batch; negative when the device says no. */
static double infer(struct local *local, size_t first, size_t rows) {
    struct failure failure;
    uint64_t start = now_ns();
    if (device_infer(&local->device, 0, local->parts + first, rows, &failure) == 0)
        return (double)(now_ns() - start);
    note_failure("bench: %s", failure.text);
    return -1;
}

/* The median of a batch's times while so many seconds go by. */
static double median_time(struct local *local, size_t rows, double seconds) {
    struct samples ns = {0};
    uint64_t start = now_ns();
    for (size_t i = 0; i < 3 || seconds_since(start) < seconds; i++) {
        double time = infer(local, i % (DEVICE_BATCH - rows + 1), rows);
        if (time < 0)
            break;
        samples_add(&ns, time);
    }
    double median = spread_of(&ns).median;
    samples_free(&ns);
    return median;
}

/* ---- by batch size */

static const double SIZES[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256};
enum { COUNT = sizeof SIZES / sizeof *SIZES };

/* Our kernels, and OpenBLAS's products in their place. */
static const char *const KINDS[] = {"cpu", "openblas"};
enum { KIND_COUNT = sizeof KINDS / sizeof *KINDS };

static void write_sizes(struct serving *serving, struct samples ns[KIND_COUNT][COUNT]) {
    double medians[COUNT], alpha, beta;
    for (size_t i = 0; i < COUNT; i++)
        medians[i] = spread_of(&ns[0][i]).median;
    calibration_fit(SIZES, medians, COUNT, &alpha, &beta);
    FILE *file = output_open(serving->options->output, "serving-batches",
                             "rows,samples,batch_us,batch_us_low,batch_us_high,alpha_us,beta_us,openblas_us,"
                             "openblas_us_low,openblas_us_high");
    for (size_t i = 0; i < COUNT; i++) {
        struct spread ours = spread_of(&ns[0][i]), peer = spread_of(&ns[1][i]);
        if (ours.count == 0 || peer.count == 0)
            continue;
        output_row(file, "%g,%zu,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g", SIZES[i], ours.count, ours.median / 1e3,
                   ours.low / 1e3, ours.high / 1e3, alpha / 1e3, beta / 1e3, peer.median / 1e3, peer.low / 1e3,
                   peer.high / 1e3);
        for (size_t kind = 0; kind < KIND_COUNT; kind++) {
            char key[64];
            snprintf(key, sizeof key, "batches/%s/%g", KINDS[kind], SIZES[i]);
            record_row(&serving->record, key, kind == 0 ? "ours" : "peer", &ns[kind][i], 50);
        }
    }
    output_close(file);
}

/* The times of all sizes and of both kinds, in a shuffled order in each round. */
static void measure_sizes(struct serving *serving, struct local *locals, struct samples ns[KIND_COUNT][COUNT]) {
    enum { CELLS = KIND_COUNT * COUNT };
    size_t order[CELLS], rounds = rounds_of(serving, 7);
    double each = seconds_each(serving, CELLS, rounds, 0.003);
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < CELLS; i++)
            order[i] = i;
        shuffle(&serving->dice, order, CELLS);
        for (size_t i = 0; i < CELLS && !interrupted(); i++) {
            size_t kind = order[i] / COUNT, size = order[i] % COUNT;
            samples_add(&ns[kind][size], median_time(&locals[kind], (size_t)SIZES[size], each));
        }
    }
}

void measure_batches(struct serving *serving) {
    struct local locals[KIND_COUNT] = {{.open = false}};
    struct samples ns[KIND_COUNT][COUNT] = {0};
    bool open = true;
    progress("serving: batch sizes", serving->seconds + serving->left);
    for (size_t kind = 0; kind < KIND_COUNT && open; kind++)
        open = local_open(&locals[kind], KINDS[kind], serving->options->seed);
    if (open) {
        measure_sizes(serving, locals, ns);
        write_sizes(serving, ns);
        static const size_t SHOWN[] = {0, 7, 11}; /* of SIZES */
        static const char *const TITLES[] = {"a batch of 1 row by our kernels, as a part of OpenBLAS's time",
                                             "a batch of 16 rows by our kernels, as a part of OpenBLAS's time",
                                             "a batch of 64 rows by our kernels, as a part of OpenBLAS's time"};
        static const char *const KEYS[] = {"kernels_1", "kernels_16", "kernels_64"};
        for (size_t i = 0; i < 3; i++)
            reach_ratios(reach_add(serving, KEYS[i], TITLES[i], "x", false, 1, false), &ns[0][SHOWN[i]],
                         &ns[1][SHOWN[i]]);
    }
    for (size_t kind = 0; kind < KIND_COUNT; kind++) {
        local_close(&locals[kind]);
        for (size_t i = 0; i < COUNT; i++)
            samples_free(&ns[kind][i]);
    }
}

/* ---- what serving adds */

struct added {
    struct local local;
    struct reached *reached;
};

/* Each run through HTTP is followed by as many rows as fit into a moment, computed here. */
static void add_difference(struct point *point, const struct load_result *result) {
    struct added *added = point->context;
    double bare = median_time(&added->local, 1, 0.05);
    samples_add(&added->reached->found, ((double)histogram_quantile(&result->tally.latency, 0.5) - bare) / 1e3);
}

void measure_added(struct serving *serving) {
    static struct added added;
    struct server server = {.name = "shared_queue",
                            .title = "shared queue, one cpu",
                            .arguments = {"--port", "0", "--folder", models_folder(), "--devices", "cpu"},
                            .model = "digits",
                            .source = "digits"};
    added.reached = reach_add(serving, "added", "one client: p50 above that of the forward pass in this process", " us",
                              false, 120, false);
    size_t rounds = rounds_of(serving, 7);
    struct point point = {.server = &server,
                          .x = 1,
                          .after = add_difference,
                          .context = &added,
                          .load = {.scenario = LOAD_SINGLE, .seconds = seconds_each(serving, 1, rounds, 0.2) - 0.05}};
    if (!local_open(&added.local, "cpu", serving->options->seed))
        return;
    points_measure(serving, &point, 1, rounds, "serving: what it adds");
    points_write(serving, "added", &point, 1);
    points_stop(&point, 1);
    points_free(&point, 1);
    local_close(&added.local);
}
