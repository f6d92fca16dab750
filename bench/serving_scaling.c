/* serving_scaling.c: how much more do more devices serve, when 99 of 100 answers have to be in time? */
#include <stdio.h>

#include "console.h"
#include "load_search.h"
#include "output.h"
#include "serving.h"

enum { MOST_DEVICES = 8, TEXT = 256, STEPS = 8 };

/* So many devices of a kind, and what is found of them. */
struct step {
    const char *kind;
    size_t devices;
    double bound; /* seconds */
    double rate;  /* requests a second that one device may reach, roughly: where the search begins */
    char text[TEXT], batch[8];
    struct server server;
    struct samples rates;
};

static void make_step(struct step *step, const char *kind, size_t devices) {
    bool simulated = kind[0] == 's';
    const char *device = simulated ? "sim:5000:300" : "cpu";
    size_t length = 0;
    *step = (struct step){
        .kind = kind, .devices = devices, .bound = simulated ? 0.02 : 0.005, .rate = simulated ? 900 : 8000};
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

static void search(struct serving *serving, struct step *step, double seconds) {
    struct load_options options = {.scenario = LOAD_SERVER,
                                   .rate = step->rate * (double)step->devices,
                                   .connections = 256,
                                   .bound = step->bound,
                                   .patience = 0.1,
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
    FILE *file = output_open(serving->options->output, "serving-scaling",
                             "kind,devices,samples,rate_per_s,rate_low,rate_high,speedup,efficiency,bound_ms");
    for (size_t i = 0; i < count; i++) {
        struct spread rate = spread_of(&steps[i].rates);
        double alone = 0;
        for (size_t j = 0; j < count; j++)
            if (steps[j].devices == 1 && steps[j].kind == steps[i].kind)
                alone = spread_of(&steps[j].rates).median;
        if (rate.count == 0)
            continue;
        double speedup = alone > 0 ? rate.median / alone : 0;
        output_row(file, "%s,%zu,%zu,%.6g,%.6g,%.6g,%.4g,%.4g,%g", steps[i].kind, steps[i].devices, rate.count,
                   rate.median, rate.low, rate.high, speedup, speedup / (double)steps[i].devices, 1e3 * steps[i].bound);
    }
    output_close(file);
}

void measure_scaling(struct serving *serving) {
    enum { TRIALS = 7 }; /* that a search takes, about */
    struct step steps[STEPS];
    size_t count = 0, rounds = serving->options->quick ? 1 : 2, order[STEPS];
    for (size_t devices = 1; devices <= (serving->options->quick ? 4 : MOST_DEVICES); devices *= 2)
        make_step(&steps[count++], "sim", devices);
    for (size_t devices = 1; devices <= serving->options->workers && count < STEPS; devices *= 2)
        make_step(&steps[count++], "cpu", devices);
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
