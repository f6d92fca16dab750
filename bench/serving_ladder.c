/* serving_ladder.c: the steps of the lab's ladder and the tutorial's own server: how much each serves, and how fast. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "console.h"
#include "serving.h"

enum { FEW = 64, MOST_CORES = 8 };

/* The bound within which an answer is good, in seconds. */
static const double BOUND = 0.005;

/* cpu,cpu,... for each core, and no more than make sense on one machine. */
static const char *cpu_devices(const struct serving *serving) {
    static char devices[8 * MOST_CORES];
    size_t cores = serving->options->workers < MOST_CORES ? serving->options->workers : MOST_CORES;
    devices[0] = '\0';
    for (size_t i = 0; i < cores; i++)
        strcat(devices, i > 0 ? ",cpu" : "cpu");
    return devices;
}

static struct server rung(const char *name, const char *title, const char *mode, const char *devices,
                          const char *batch) {
    return (struct server){.name = name,
                           .title = title,
                           .arguments = {"--port", "0", "--folder", models_folder(), "--models", "digits", "--mode",
                                         mode, "--devices", devices, "--batch", batch},
                           .model = "digits",
                           .source = "digits"};
}

/* A peer: bench/peers/fastapi_server.py with a process for each core. */
static struct server fastapi(const struct serving *serving, const char *name, const char *title, const char *model) {
    static char script[4096], workers[16], file[4096];
    snprintf(script, sizeof script, "%s/fastapi_server.py", serving->options->peers);
    snprintf(workers, sizeof workers, "%zu", serving->options->workers);
    snprintf(file, sizeof file, "%s/digits.safetensors", models_folder());
    return (struct server){.name = name,
                           .title = title,
                           .program = "python3",
                           .arguments = {script, workers, file},
                           .model = model,
                           .source = "digits",
                           .json = strcmp(model, "digits") == 0,
                           .ready_lines = serving->options->workers,
                           .peer = true};
}

enum { SERIAL, SERIAL_BATCHING, THREADS, PROCESSES, SHARED, SHARED_BATCHING, JSON, BYTES, RUNGS };

static void make_rungs(const struct serving *serving, struct server rungs[RUNGS]) {
    const char *devices = cpu_devices(serving);
    rungs[SERIAL] = rung("serial", "serial", "serial", "cpu", "1");
    rungs[SERIAL_BATCHING] = rung("serial_batching", "serial, batching", "serial", "cpu", "64");
    rungs[THREADS] = rung("threads", "threads", "threads", devices, "1");
    rungs[PROCESSES] = rung("processes", "processes", "processes", devices, "1");
    rungs[SHARED] = rung("shared_queue", "shared queue", "shared-queue", devices, "1");
    rungs[SHARED_BATCHING] = rung("shared_queue_batching", "shared queue, batching", "shared-queue", devices, "64");
    rungs[JSON] = fastapi(serving, "fastapi_json", "FastAPI, JSON", "digits");
    rungs[BYTES] = fastapi(serving, "fastapi_bytes", "FastAPI, bytes", "bytes");
}

/* ---- what each can do at the most, and what one client sees */

static void measure_peaks(struct serving *serving, struct server rungs[RUNGS], struct point most[RUNGS]) {
    enum { CLIENTS = 64 };
    struct point points[2 * RUNGS];
    size_t rounds = rounds_of(serving, 5);
    double each = seconds_each(serving, 2 * RUNGS, rounds, 0.15);
    for (size_t i = 0; i < RUNGS; i++) {
        struct load_options load = {
            .scenario = LOAD_CLOSED, .connections = CLIENTS, .seconds = 1.3 * each, .bound = BOUND};
        points[i] = (struct point){.server = &rungs[i], .x = CLIENTS, .load = load};
        load.scenario = LOAD_SINGLE;
        load.seconds = 0.7 * each;
        points[RUNGS + i] = (struct point){.server = &rungs[i], .x = 1, .load = load};
    }
    points_measure(serving, points, 2 * RUNGS, rounds, "serving: the ladder");
    points_write(serving, "ladder", points, 2 * RUNGS);
    memcpy(most, points, RUNGS * sizeof *most);
    points_free(points + RUNGS, RUNGS);
}

static void reach_peers(struct serving *serving, struct point most[RUNGS]) {
    const struct samples *ours = &most[SHARED_BATCHING].of[PER_CPU];
    reach_ratios(
        reach_add(serving, "per_cpu_json", "requests per CPU second, against FastAPI with JSON", "x", true, 20, false),
        ours, &most[JSON].of[PER_CPU]);
    reach_ratios(
        reach_add(serving, "per_cpu_bytes", "requests per CPU second, against FastAPI with bytes", "x", true, 5, false),
        ours, &most[BYTES].of[PER_CPU]);
}

/* ---- under rising load */

static void measure_loads(struct serving *serving, struct server rungs[RUNGS], const struct point most[RUNGS]) {
    static const double PARTS[] = {0.1, 0.4, 0.7, 0.9, 1.1};
    static const double QUICK[] = {0.2, 0.5, 0.8, 1.0};
    const double *parts = serving->options->quick ? QUICK : PARTS;
    size_t steps = serving->options->quick ? sizeof QUICK / sizeof *QUICK : sizeof PARTS / sizeof *PARTS;
    struct point points[RUNGS * (sizeof PARTS / sizeof *PARTS)];
    size_t count = 0, rounds = rounds_of(serving, 3);
    for (size_t i = 0; i < RUNGS; i++) {
        double peak = point_median(&most[i], ACHIEVED);
        for (size_t step = 0; peak > 0 && step < steps; step++)
            points[count++] = (struct point){.server = &rungs[i],
                                             .x = parts[step],
                                             .load = {.scenario = LOAD_SERVER,
                                                      .rate = parts[step] * peak,
                                                      .connections = FEW,
                                                      .bound = BOUND,
                                                      .patience = 0.5}};
    }
    if (count == 0)
        return;
    double each = seconds_each(serving, count, rounds, 0.15);
    for (size_t i = 0; i < count; i++)
        points[i].load.seconds = each;
    points_measure(serving, points, count, rounds, "serving: latency under rising load");
    points_write(serving, "load", points, count);
    points_free(points, count);
}

void measure_ladder(struct serving *serving) {
    struct server rungs[RUNGS];
    struct point most[RUNGS];
    double seconds = serving->seconds, left = serving->left;
    make_rungs(serving, rungs);
    serving->seconds = 0.35 * seconds;
    serving->left = left + seconds - serving->seconds;
    measure_peaks(serving, rungs, most);
    reach_peers(serving, most);
    serving->seconds = 0.65 * seconds;
    serving->left = left;
    measure_loads(serving, rungs, most);
    points_stop(most, RUNGS);
    points_free(most, RUNGS);
}

/* ---- the front alone */

void measure_front(struct serving *serving) {
    struct server echo = {.name = "echo",
                          .title = "shared queue, echo device",
                          .arguments = {"--port", "0", "--models", "wide:16x1", "--devices", "echo"},
                          .model = "wide",
                          .source = "wide:16x1"};
    struct server peer = fastapi(serving, "fastapi_echo", "FastAPI, echo", "echo");
    struct load_options load = {.scenario = LOAD_CLOSED, .connections = FEW};
    struct point points[] = {{.server = &echo, .x = FEW, .load = load}, {.server = &peer, .x = FEW, .load = load}};
    size_t rounds = rounds_of(serving, 7);
    for (size_t i = 0; i < 2; i++)
        points[i].load.seconds = seconds_each(serving, 2, rounds, 0.15);
    points_measure(serving, points, 2, rounds, "serving: the front alone");
    points_write(serving, "front", points, 2);
    points_stop(points, 2);
    struct reached *reached = reach_add(serving, "front", "binary requests per CPU second of the front, echo device",
                                        "/s", true, 30000, true);
    for (size_t i = 0; i < points[0].of[PER_FRONT].count; i++)
        samples_add(&reached->found, points[0].of[PER_FRONT].values[i]);
    points_free(points, 2);
}
