/*
 * serving.c: the measurements of lab 13: how much each way to build the server serves, how fast, and what becomes of it
 * when it is overloaded, or its workers die. Every answer is compared with the reference; a wrong one ends it with 1.
 */
#include "serving.h"

#include <math.h>
#include <string.h>

#include "console.h"

/* Each one's part of the time, in hundredths. */
static const struct experiment {
    const char *name;
    void (*measure)(struct serving *serving);
    double part;
} EXPERIMENTS[] = {
    {"ladder", measure_ladder, 36},  {"front", measure_front, 5},       {"added", measure_added, 4},
    {"batches", measure_batches, 2}, {"race", measure_race, 8},         {"theory", measure_theory, 11},
    {"goodput", measure_goodput, 9}, {"scaling", measure_scaling, 12},  {"delay", measure_delay, 4},
    {"crash", measure_crash, 4},     {"timeline", measure_timeline, 2}, {"loops", measure_loops, 3},
};

enum { COUNT = sizeof EXPERIMENTS / sizeof *EXPERIMENTS };

static bool chosen(const struct options *options, const struct experiment *experiment) {
    return options->only == NULL || strncmp(experiment->name, options->only, strlen(options->only)) == 0;
}

int main(int argc, char *argv[]) {
    struct options options =
        options_read(argc, argv, "Measures the server of lab 13 (gpu/), each way that it is built.");
    double seconds = options.seconds > 0 ? options.seconds : options.quick ? 30 : 180, parts = 0;
    static struct serving serving;
    for (size_t i = 0; i < COUNT; i++)
        parts += chosen(&options, &EXPERIMENTS[i]) ? EXPERIMENTS[i].part : 0;
    if (parts <= 0) {
        note("bench: --only %s: no experiment's name begins so; there are:", options.only);
        for (size_t i = 0; i < COUNT; i++)
            note("  %s", EXPERIMENTS[i].name);
        return 2;
    }
    serving.options = &options;
    serving.dice = (struct dice){options.seed};
    catch_interrupts();
    record_open(&serving.record, &options, "serving", seconds);
    double left = seconds;
    for (size_t i = 0; i < COUNT && !interrupted(); i++) {
        if (!chosen(&options, &EXPERIMENTS[i]))
            continue;
        serving.seconds = seconds * EXPERIMENTS[i].part / parts;
        serving.left = left = fmax(0, left - serving.seconds);
        EXPERIMENTS[i].measure(&serving);
    }
    progress_clear();
    reaches_finish(&serving);
    record_close(&serving.record);
    return end_status();
}
