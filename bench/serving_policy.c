/* serving_policy.c: who computes what, and when: shared or pinned, in batches or one by one, late or given up. */
#include <math.h>
#include <stdlib.h>

#include "console.h"
#include "output.h"
#include "serving.h"

/* All of these have simulated devices: what is compared is the server, and not how fast this machine multiplies. */
#define SIMULATED(label, text, ...)                                                                                    \
    {                                                                                                                  \
        .name = (label), .title = (text), .model = "wide", .source = "wide:16x1", .arguments = {                       \
            "--port",                                                                                                  \
            "0",                                                                                                       \
            "--models",                                                                                                \
            "wide:16x1",                                                                                               \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

/* ---- the race for connections */

enum { WORKERS = 4 };

/* The parts of the requests that the busiest worker got, the next one..., of each run. */
struct shares {
    struct samples of[WORKERS];
};

static void add_shares(struct point *point, const struct load_result *result) {
    struct shares *shares = point->context;
    const struct tally *tally = &result->tally;
    double parts[WORKERS] = {0};
    for (size_t i = 0; i < tally->device_count && i < WORKERS; i++)
        parts[i] = (double)tally->devices[i].answers / (double)tally->outcomes[OUTCOME_RIGHT];
    median_of(parts, WORKERS); /* sorts */
    for (size_t i = 0; i < WORKERS; i++)
        samples_add(&shares->of[i], parts[WORKERS - 1 - i]);
}

static void write_shares(const struct serving *serving, const struct point *points, const struct shares *shares) {
    FILE *file = output_open(serving->options->output, "serving-shares", "series,place,samples,part,low,high");
    for (size_t i = 0; i < 2; i++)
        for (size_t place = 0; place < WORKERS; place++) {
            struct spread part = spread_of(&shares[i].of[place]);
            output_row(file, "%s,%zu,%zu,%.6g,%.6g,%.6g", points[i].server->name, place + 1, part.count, part.median,
                       part.low, part.high);
        }
    output_close(file);
}

void measure_race(struct serving *serving) {
    /* Names that differ, so that answers say who gave them. */
    static const char DEVICES[] = "sim:2000:0,sim:2001:0,sim:2002:0,sim:2003:0";
    static const double LOAD = 0.7, SERVICE = 0.002;
    struct server servers[] = {
        SIMULATED("processes", "processes", "--mode", "processes", "--batch", "1", "--devices", DEVICES),
        SIMULATED("shared_queue", "shared queue", "--mode", "shared-queue", "--batch", "1", "--devices", DEVICES)};
    struct shares shares[2] = {0};
    struct point points[2];
    /* Each run has luck of its own: many short ones. */
    size_t rounds = serving->options->quick ? 5 : 9;
    for (size_t i = 0; i < 2; i++)
        points[i] = (struct point){.server = &servers[i],
                                   .x = LOAD,
                                   .devices = WORKERS,
                                   .after = add_shares,
                                   .context = &shares[i],
                                   .load = {.scenario = LOAD_SERVER,
                                            .rate = LOAD * WORKERS / SERVICE,
                                            .connections = 16,
                                            .patience = 1,
                                            .seconds = seconds_each(serving, 2, rounds, 0.3)}};
    points_measure(serving, points, 2, rounds, "serving: the race for connections");
    points_write(serving, "race", points, 2);
    points_stop(points, 2);
    write_shares(serving, points, shares);
    reach_ratios(reach_add(serving, "race", "p99 with a shared queue, as a part of that with processes", "x", false,
                           1 / 3.0, true),
                 &points[1].of[P99], &points[0].of[P99]);
    points_free(points, 2);
    for (size_t i = 0; i < 2 * WORKERS; i++)
        samples_free(&shares[i / WORKERS].of[i % WORKERS]);
}

/* ---- theory */

/*
 * Inoue (2019): the mean latency of one server that takes all that waits and needs fixed + row * rows for it, with
 * Poisson arrivals at `rate`. Time is in whatever unit these have.
 */
static double inoue(double rate, double fixed, double row) {
    double load = rate * row;
    double low = (row + fixed) / (2 * (1 - load)) * (1 + 2 * rate * fixed + (1 - rate * fixed) / (1 + load));
    double high = 1.5 * fixed / (1 - load) + row / 2 * (load + 2) / (1 - load * load);
    return fmin(low, high);
}

/* What the server had learnt of its device at the end of each run, and the line at the rate that the run really had. */
struct theory {
    struct samples alpha, beta, line, ratio;
};

static void add_theory(struct point *point, const struct load_result *result) {
    struct theory *theory = point->context;
    double alpha = 1e6 * server_metric(point->server, "atelier_worker_batch_alpha_seconds");
    double beta = 1e6 * server_metric(point->server, "atelier_worker_batch_beta_seconds");
    /* The schedule has so many in its time, more or less than the rate: near the end of the line that is a lot. */
    double rate = (double)tally_requests(&result->tally) / point->load.seconds / 1e6;
    if (alpha <= 0 || beta <= 0 || rate * beta >= 1)
        return;
    double line = inoue(rate, alpha, beta);
    samples_add(&theory->alpha, alpha);
    samples_add(&theory->beta, beta);
    samples_add(&theory->line, line);
    samples_add(&theory->ratio, histogram_mean(&result->tally.latency) / 1e3 / line);
}

enum { LOADS = 9 };

static void write_theory(const struct serving *serving, const struct point *points, const struct theory *theories,
                         size_t count) {
    FILE *file = output_open(serving->options->output, "serving-theory",
                             "load,offered_per_s,samples,mean_us,mean_us_low,mean_us_high,line_us,ratio,ratio_low,"
                             "ratio_high,alpha_us,beta_us,mean_batch");
    for (size_t i = 0; i < count; i++) {
        struct spread mean = spread_of(&points[i].of[MEAN]), ratio = spread_of(&theories[i].ratio);
        if (ratio.count > 0)
            output_row(file, "%g,%g,%zu,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g", points[i].x,
                       points[i].load.rate, mean.count, mean.median, mean.low, mean.high,
                       spread_of(&theories[i].line).median, ratio.median, ratio.low, ratio.high,
                       spread_of(&theories[i].alpha).median, spread_of(&theories[i].beta).median,
                       point_median(&points[i], BATCH));
    }
    output_close(file);
}

/* How often an answer was one of so many rows, for each load. */
static void write_batch_sizes(const struct serving *serving, const struct point *points, size_t count) {
    FILE *file = output_open(serving->options->output, "serving-histogram", "load,rows,answers,batches_part,in_server");
    for (size_t i = 0; i < count; i++) {
        /* Little's law: how many are here on average, waiting or computed. */
        double batches = 0, here = point_median(&points[i], ACHIEVED) * point_median(&points[i], MEAN) / 1e6;
        for (size_t size = 1; size < TALLY_BATCHES; size++)
            batches += (double)points[i].batches[size] / (double)size;
        for (size_t size = 1; size < TALLY_BATCHES; size++)
            if (points[i].batches[size] > 0)
                output_row(file, "%g,%zu,%llu,%.6g,%.6g", points[i].x, size,
                           (unsigned long long)points[i].batches[size],
                           (double)points[i].batches[size] / (double)size / batches, here);
    }
    output_close(file);
}

void measure_theory(struct serving *serving) {
    static const double PARTS[LOADS] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
    static const double ROW = 0.0005;
    struct server server =
        SIMULATED("shared_queue", "shared queue", "--devices", "sim:3000:500", "--batch", "256", "--slots", "4096");
    struct point points[LOADS];
    struct theory theories[LOADS] = {0};
    size_t step = serving->options->quick ? 2 : 1, count = 0, rounds = rounds_of(serving, 3);
    for (size_t i = 0; i < LOADS; i += step, count++)
        points[count] = (struct point){
            .server = &server,
            .x = PARTS[i],
            .after = add_theory,
            .context = &theories[count],
            .load = {.scenario = LOAD_SERVER, .rate = PARTS[i] / ROW, .connections = 512, .warm_up = 0.15}};
    /* The higher the load, the longer the memory of chance: the time is shared out so. */
    double shares = 0;
    for (size_t i = 0; i < count; i++)
        shares += 1 / (1 - points[i].x);
    for (size_t i = 0; i < count; i++)
        points[i].load.seconds = fmax(0.2, serving->seconds / (double)rounds / shares / (1 - points[i].x) - 0.1);
    points_measure(serving, points, count, rounds, "serving: against theory");
    points_stop(points, 1);
    points_write(serving, "batching", points, count);
    write_theory(serving, points, theories, count);
    write_batch_sizes(serving, points, count);
    struct reached *reached =
        reach_add(serving, "theory", "mean latency off Inoue's line, at the worst load", "%", false, 15, true);
    double worst = -1;
    for (size_t i = 0; i < count; i++)
        if (theories[i].ratio.count > 0)
            worst = fmax(worst, 100 * fabs(spread_of(&theories[i].ratio).median - 1));
    if (worst >= 0)
        samples_add(&reached->found, worst);
    points_free(points, count);
    for (size_t i = 0; i < count; i++) {
        samples_free(&theories[i].alpha);
        samples_free(&theories[i].beta);
        samples_free(&theories[i].line);
        samples_free(&theories[i].ratio);
    }
}

/* ---- beyond the peak */

static void reach_goodput(struct serving *serving, const struct point *points, size_t count) {
    struct reached *reached =
        reach_add(serving, "goodput", "goodput at 150% of the peak load, as a part of the peak", "x", true, 0.9, true);
    const struct point *last = &points[count - 1];
    double peak = 0;
    for (size_t i = 0; i < count; i++)
        peak = fmax(peak, point_median(&points[i], GOOD));
    for (size_t i = 0; i < last->of[GOOD].count && peak > 0; i++)
        samples_add(&reached->found, last->of[GOOD].values[i] / peak);
}

void measure_goodput(struct serving *serving) {
    static const double PARTS[] = {0.25, 0.5, 0.75, 0.9, 1.0, 1.25, 1.5};
    static const double QUICK[] = {0.5, 0.8, 1.0, 1.5};
    static const double PEAK = 2 * 4 / 0.0026; /* two devices, batches of 4 in 2.6 ms */
    static const char DEVICES[] = "sim:1000:400,sim:1000:400";
    /* Of the client's 5 ms one is left for the way: whoever is served at the last moment is late there. */
    struct server servers[] = {
        SIMULATED("early_drop", "given up when late", "--devices", DEVICES, "--batch", "4", "--timeout", "4"),
        SIMULATED("keep_late", "all computed", "--devices", DEVICES, "--batch", "4", "--keep-late")};
    const double *parts = serving->options->quick ? QUICK : PARTS;
    size_t steps = serving->options->quick ? sizeof QUICK / sizeof *QUICK : sizeof PARTS / sizeof *PARTS;
    struct point points[2 * sizeof PARTS / sizeof *PARTS];
    size_t rounds = rounds_of(serving, 4);
    double each = seconds_each(serving, 2 * steps, rounds, 0.25);
    for (size_t i = 0; i < 2 * steps; i++)
        points[i] = (struct point){.server = &servers[i / steps],
                                   .x = parts[i % steps],
                                   .load = {.scenario = LOAD_SERVER,
                                            .rate = parts[i % steps] * PEAK,
                                            .connections = 256,
                                            .bound = 0.005,
                                            .patience = 0.2,
                                            .seconds = each}};
    points_measure(serving, points, 2 * steps, rounds, "serving: beyond the peak");
    points_stop(points, 2 * steps);
    points_write(serving, "goodput", points, 2 * steps);
    reach_goodput(serving, points, steps);
    points_free(points, 2 * steps);
}

/* ---- waiting for more rows */

void measure_delay(struct serving *serving) {
    static const char *const DELAYS[] = {"0", "250", "500", "1000", "2000", "5000"};
    enum { STEPS = sizeof DELAYS / sizeof *DELAYS };
    struct server servers[STEPS];
    struct point points[STEPS];
    size_t rounds = rounds_of(serving, 5);
    for (size_t i = 0; i < STEPS; i++) {
        servers[i] =
            (struct server)SIMULATED("shared_queue", "shared queue", "--devices", "sim:1000:100", "--delay", DELAYS[i]);
        points[i] = (struct point){.server = &servers[i],
                                   .x = strtod(DELAYS[i], NULL),
                                   .load = {.scenario = LOAD_SERVER,
                                            .rate = 1500,
                                            .connections = 128,
                                            .seconds = seconds_each(serving, STEPS, rounds, 0.2)}};
    }
    points_measure(serving, points, STEPS, rounds, "serving: waiting for more rows");
    points_stop(points, STEPS);
    points_write(serving, "delay", points, STEPS);
    points_free(points, STEPS);
}
