/* serving_scaling.c: how much more do more devices serve, when 99 of 100 answers have to be in time? */
#include <stdio.h>
#include <stdlib.h>

#include "cells.h"
#include "console.h"
#include "devices.h"
#include "load_search.h"
#include "output.h"
#include "serving.h"

enum { MOST_DEVICES = 8, CORE_STEPS = 4, TEXT = DEVICES_MOST * 32, STEPS = 16 };

/* So many devices of a kind, and what is found of them. */
struct step {
    const char *kind;        /* "sim", "cpu"; of those that DEVICES tells "devices" or "simulated" */
    const char *device;      /* what they are */
    size_t devices, sharing; /* of them, those on a card that has another one already */
    double bound;            /* seconds */
    double rate;             /* requests a second that one device may reach, roughly: where the search begins */
    double tolerance;        /* of answers; 0: the usual */
    char text[TEXT];
    struct server server;
    struct samples rates;
};

static void make_step(struct step *step, const char *kind, size_t devices) {
    bool simulated = kind[0] == 's';
    const char *device = simulated ? "sim:5000:300" : "cpu";
    size_t length = 0;
    *step = (struct step){.kind = kind,
                          .device = device,
                          .devices = devices,
                          .bound = simulated ? 0.02 : 0.005,
                          .rate = simulated ? 900 : 8000};
    for (size_t i = 0; i < devices; i++)
        length += (size_t)snprintf(step->text + length, TEXT - length, "%s%s", i > 0 ? "," : "", device);
    step->server = (struct server){.name = kind,
                                   .title = simulated ? "simulated devices" : "cores",
                                   .model = simulated ? "wide" : "digits",
                                   .source = simulated ? "wide:16x1" : "digits",
                                   .arguments = {"--port", "0", "--folder", models_folder(), "--models",
                                                 simulated ? "wide:16x1" : "digits", "--batch", simulated ? "8" : "64",
                                                 "--devices", step->text}};
}

/* The first ones of a list that was told, or of the cards that there are. */
static void make_told_step(struct step *step, const struct series *series, size_t devices) {
    size_t length = 0;
    *step = (struct step){.kind = series->name,
                          .device = series->title,
                          .devices = devices,
                          .sharing = devices_sharing(series, devices),
                          .bound = 0.005,
                          .rate = 8000};
    for (size_t i = 0; i < devices; i++) {
        double tolerance = device_tolerance(series->texts[i]);
        step->tolerance = tolerance > step->tolerance ? tolerance : step->tolerance;
        length += (size_t)snprintf(step->text + length, TEXT - length, "%s%s", i > 0 ? "," : "", series->texts[i]);
    }
    step->server = (struct server){.name = series->name,
                                   .title = series->title,
                                   .model = "digits",
                                   .source = "digits",
                                   .arguments = {"--port", "0", "--folder", models_folder(), "--models", "digits",
                                                 "--batch", "256", "--devices", step->text}};
}

/* All of them; returns how many. */
static size_t make_steps(struct step steps[STEPS], const struct options *options) {
    static struct series series[SERIES_MOST];
    const char *told = getenv("DEVICES");
    size_t count = 0, cores = 0, counts[COUNTS_MOST];
    devices_choose(series, told, 1);
    for (size_t devices = 1; devices <= (options->quick ? 4 : MOST_DEVICES); devices *= 2)
        make_step(&steps[count++], "sim", devices);
    for (size_t devices = 1; devices <= options->workers && cores < CORE_STEPS; devices *= 2, cores++)
        make_step(&steps[count++], "cpu", devices);
    /* Those that stand in for cards by themselves are faster than any client here; emulated ones have no speed. */
    if ((series[0].simulated && (told == NULL || *told == '\0')) || series[0].emulated)
        return count;
    size_t found = worker_steps(series[0].count, true, counts);
    for (size_t i = 0; i < found && count < STEPS; i++)
        make_told_step(&steps[count++], &series[0], counts[i]);
    return count;
}

static void search(struct serving *serving, struct step *step, double seconds) {
    struct load_options options = {.scenario = LOAD_SERVER,
                                   .rate = step->rate * (double)step->devices,
                                   .connections = 256,
                                   .bound = step->bound,
                                   .patience = 0.1,
                                   .tolerance = step->tolerance,
                                   .seconds = seconds};
    struct load_search found;
    struct failure failure;
    if (!serving_prepare(serving, &step->server, &options))
        return;
    if (load_find_rate(&found, &options, NULL, &failure) != 0) {
        note_failure("bench: %s: %s", step->server.title, failure.text);
        return;
    }
    if (found.rate > 0) {
        serving_check(&step->server, &found.result.tally);
        samples_add(&step->rates, found.rate);
    }
    load_search_free(&found);
}

static void write_steps(struct serving *serving, const struct step *steps, size_t count) {
    FILE *file =
        output_open(serving->options->output, "serving-scaling",
                    "kind,devices,samples,rate_per_s,rate_low,rate_high,speedup,efficiency,bound_ms,sharing,device");
    for (size_t i = 0; i < count; i++) {
        struct spread rate = spread_of(&steps[i].rates);
        double alone = 0;
        for (size_t j = 0; j < count; j++)
            if (steps[j].devices == 1 && steps[j].kind == steps[i].kind)
                alone = spread_of(&steps[j].rates).median;
        if (rate.count == 0)
            continue;
        double speedup = alone > 0 ? rate.median / alone : 0;
        output_row(file, "%s,%zu,%zu,%.6g,%.6g,%.6g,%.4g,%.4g,%g,%zu,%s", steps[i].kind, steps[i].devices, rate.count,
                   rate.median, rate.low, rate.high, speedup, speedup / (double)steps[i].devices, 1e3 * steps[i].bound,
                   steps[i].sharing, output_quoted(steps[i].device));
    }
    output_close(file);
}

void measure_scaling(struct serving *serving) {
    enum { TRIALS = 7 }; /* that a search takes, about */
    static struct step steps[STEPS];
    size_t count = make_steps(steps, serving->options), rounds = serving->options->quick ? 1 : 2, order[STEPS];
    double each = seconds_each(serving, count * TRIALS, rounds, 0.3);
    progress("serving: more devices", serving->seconds + serving->left);
    for (size_t i = 0; i < count && !interrupted(); i++)
        server_start(&steps[i].server);
    uint64_t start = now_ns();
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < count; i++)
            order[i] = i;
        shuffle(&serving->dice, order, count);
        for (size_t i = 0; i < count && !interrupted(); i++) {
            double left = serving->seconds - seconds_since(start);
            progress("serving: more devices", (left > 0 ? left : 0) + serving->left);
            search(serving, &steps[order[i]], each);
        }
    }
    for (size_t i = 0; i < count; i++)
        server_stop(&steps[i].server);
    write_steps(serving, steps, count);
    for (size_t i = 0; i < count; i++)
        samples_free(&steps[i].rates);
}
