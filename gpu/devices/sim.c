/* sim.c: devices that only take their time: sim takes alpha + beta * rows, echo none; both answer with their input. */
#include "calibration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

/*
 * With them, experiments have more devices than the machine has cores, and the server can be measured without a model.
 * An answer's number j is the input's number j, from the start again where the output is longer: a client sees whether
 * it got its own.
 *   The sleep is to a fixed moment, so that the time of the copying counts within it. The kernel wakes a sleeper late:
 * on a virtual machine of 2 cores by 30 us in the middle and 55 us at the 90th percentile; by 85 and 110 us without the
 * timer slack of 1 ns that is asked for. Nobody spins to be exact: many of these share a core.
 *   The times are told, sim:2000:30, or those of a real device that was calibrated, sim:nvidia-h200-bf16: then each
 * model has its own (calibration.h).
 */
struct sim {
    struct calibration *card;                         /* NULL: the times are told */
    double alpha[DEVICE_MODELS], beta[DEVICE_MODELS]; /* nanoseconds */
    const struct model *models[DEVICE_MODELS];
};

enum { LONGEST = 10000000 }; /* microseconds: 10 s for alpha, and for each row */

/* Reads microseconds and stores nanoseconds. strtod takes more than we do: signs, spaces, infinity, hexadecimal. */
static int read_time(const char *text, size_t length, double *nanoseconds) {
    char number[32], *end;
    if (length == 0 || length >= sizeof number || strspn(text, "0123456789.") < length)
        return -EINVAL;
    memcpy(number, text, length);
    number[length] = '\0';
    double microseconds = strtod(number, &end);
    if (end != number + length || microseconds > LONGEST)
        return -EINVAL;
    *nanoseconds = microseconds * 1e3;
    return 0;
}

static int read_times(const char *parameters, double *alpha, double *beta, struct failure *failure) {
    const char *colon = strchr(parameters, ':');
    if (colon == NULL)
        return fail(failure, -EINVAL, "two times are needed, as in sim:2000:30");
    if (read_time(parameters, (size_t)(colon - parameters), alpha) < 0)
        return fail(failure, -EINVAL, "ALPHA is no number from 0 to %d", LONGEST);
    if (read_time(colon + 1, strlen(colon + 1), beta) < 0)
        return fail(failure, -EINVAL, "BETA is no number from 0 to %d", LONGEST);
    return 0;
}

/* Reads the card's file, too: that it is not there is better told before a worker is started than after. */
static int sim_check(const char *parameters, struct failure *failure) {
    struct calibration card;
    double alpha, beta;
    if (calibration_is_name(parameters))
        return calibration_read(&card, parameters, failure) == 0 ? 0 : -EINVAL;
    return read_times(parameters, &alpha, &beta, failure);
}

static int echo_check(const char *parameters, struct failure *failure) {
    return *parameters == '\0' ? 0 : fail(failure, -EINVAL, "echo takes no parameters");
}

static int echo_open(struct device *device, const char *parameters, struct failure *failure) {
    (void)parameters;
    device->state = calloc(1, sizeof(struct sim));
    return device->state != NULL ? 0 : fail(failure, -ENOMEM, "device \"%s\": memory is short", device->name);
}

static void sim_close(struct device *device) {
    struct sim *sim = device->state;
    free(sim->card);
    free(sim);
}

static int open_card(struct device *device, struct sim *sim, const char *name, struct failure *failure) {
    struct failure reason;
    sim->card = malloc(sizeof *sim->card);
    if (sim->card == NULL)
        return fail(failure, -ENOMEM, "device \"%s\": memory is short", device->name);
    int result = calibration_read(sim->card, name, &reason);
    if (result < 0)
        return fail(failure, result, "device \"%s\": %s", device->name, reason.text);
    snprintf(device->description, sizeof device->description, "Simulated: %.180s", sim->card->description);
    return 0;
}

static int sim_open(struct device *device, const char *parameters, struct failure *failure) {
    int result = echo_open(device, parameters, failure);
    if (result < 0)
        return result;
    struct sim *sim = device->state;
    if (calibration_is_name(parameters)) {
        result = open_card(device, sim, parameters, failure);
        if (result < 0)
            sim_close(device);
        return result;
    }
    result = read_times(parameters, &sim->alpha[0], &sim->beta[0], failure);
    for (size_t place = 1; place < DEVICE_MODELS; place++) {
        sim->alpha[place] = sim->alpha[0];
        sim->beta[place] = sim->beta[0];
    }
    return result;
}

/* The models whose times a card's file has: "digits,wide". */
static void list_models(const struct calibration *card, char *list, size_t size) {
    size_t length = 0;
    for (size_t i = 0; i < card->count && length < size; i++)
        length += (size_t)snprintf(list + length, size - length, "%s%s", i > 0 ? "," : "", card->models[i].name);
}

static int sim_load(struct device *device, size_t place, const struct model *model, struct failure *failure) {
    struct sim *sim = device->state;
    if (sim->card != NULL) {
        const struct calibrated_model *calibrated = calibration_of(sim->card, model);
        char list[160] = "";
        list_models(sim->card, list, sizeof list);
        if (calibrated == NULL)
            return fail(failure, -EINVAL,
                        "device \"%s\": no model of the shape of \"%s\" was calibrated, only: %s; on that machine, "
                        "make calibrate DEVICES=%s MODEL=%s,%s measures all",
                        device->name, model->name, list, sim->card->device, list, model->name);
        sim->alpha[place] = calibrated->alpha * 1e3;
        sim->beta[place] = calibrated->beta * 1e3;
    }
    sim->models[place] = model;
    return 0;
}

static void sim_unload(struct device *device, size_t place) {
    struct sim *sim = device->state;
    sim->models[place] = NULL;
}

static void sleep_until(struct timespec begin, double nanoseconds) {
    long long moment = begin.tv_nsec + (long long)nanoseconds;
    struct timespec end = {.tv_sec = begin.tv_sec + (time_t)(moment / 1000000000), .tv_nsec = moment % 1000000000};
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* each time: it is the thread's, and any may call */
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
        continue;
}

static void answer(const struct model *model, const float *input, float *output) {
    for (uint32_t done = 0; done < model->outputs; done += model->inputs) {
        uint32_t left = model->outputs - done, count = left < model->inputs ? left : model->inputs;
        memcpy(output + done, input, count * sizeof *output);
    }
}

static int sim_infer(struct device *device, size_t place, const struct part *parts, size_t count,
                     struct failure *failure) {
    const struct sim *sim = device->state;
    const struct model *model = sim->models[place];
    if (model == NULL)
        return fail(failure, -EINVAL, "device \"%s\": no model is loaded at place %zu", device->name, place);
    struct timespec begin;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    size_t rows = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t row = 0; row < parts[i].rows; row++, rows++)
            answer(model, parts[i].input + row * model->inputs, parts[i].output + row * model->outputs);
    double time = sim->alpha[place] + sim->beta[place] * (double)rows;
    if (time > 0)
        sleep_until(begin, time);
    return 0;
}

const struct device_kind sim_device = {
    .name = "sim",
    .syntax = "sim:ALPHA:BETA (microseconds) or sim:CARD",
    .simulated = true,
    .check = sim_check,
    .open = sim_open,
    .load = sim_load,
    .unload = sim_unload,
    .infer = sim_infer,
    .close = sim_close,
};

const struct device_kind echo_device = {
    .name = "echo",
    .syntax = "echo",
    .simulated = true,
    .check = echo_check,
    .open = echo_open,
    .load = sim_load,
    .unload = sim_unload,
    .infer = sim_infer,
    .close = sim_close,
};
