/*
 * devices.c: the same images by one core, by threads, processes and devices, over 1..N of them: what does a card bring,
 * and what do more cards? All images are there at once (offline); every answer is checked, and a wrong one ends it
 * with status 1.
 *
 * DEVICES= in the environment says which: "cuda:0,cuda:1", "cuda" for all cards, "cpu,cpu". Without it all cards are
 * measured; where there is none, simulated ones, and beside a single card simulated ones of it, which is said wherever
 * their numbers are.
 */
#include "devices.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cards.h"
#include "cells.h"
#include "console.h"
#include "host.h"
#include "modes/modes.h"
#include "subjects.h"

/* Workers on cores: on a small machine, too, more than there are cores. Simulated devices need none. */
enum { CORES_LEAST = 4, SIMULATED = 8, QUICK_SIMULATED = 4, MODES = 3, PLACES_MOST = 160, BATCHES_LEAST = 2 };
/* Of both models, packed. */
static const double WEIGHTS_BYTES = 90e6;
/* A run of devices takes at least so long: what it costs to have them begin is then small beside it. */
static const double RUN_SECONDS = 0.02, ENERGY_SECONDS = 1, QUICK_ENERGY_SECONDS = 0.3;

static struct place places[PLACES_MOST];
static struct cell cells[PLACES_MOST];

static bool chosen(const struct images *images, const struct options *options) {
    return images->workload.missing == NULL &&
           (options->only == NULL || strncmp(images->workload.name, options->only, strlen(options->only)) == 0);
}

static void add_place(struct plan *plan, struct place place, size_t turns) {
    if (plan->count == PLACES_MOST)
        return;
    places[plan->count] = place;
    places[plan->count].joules = NAN;
    cells[plan->count] = (struct cell){.what = &places[plan->count], .turns = turns};
    plan->count++;
}

/*
 * Each thread has a copy of the weights: no more of them than fit into half of the free memory, and not so many beyond
 * the cores that making them takes longer than all the rest.
 */
static size_t most_cores(const struct options *options) {
    bool told = options->workers_given || options->quick || options->workers > CORES_LEAST;
    size_t most = told ? options->workers : CORES_LEAST, fit = (size_t)(available_memory() / 2 / WEIGHTS_BYTES);
    size_t sensible = cores_at_hand() > CORES_LEAST / 2 ? 2 * cores_at_hand() : CORES_LEAST;
    most = most < sensible ? most : sensible;
    return fit < 1 ? 1 : most < fit ? most : fit;
}

static void plan_cores(struct plan *plan, struct images *images, const struct mode modes[MODES],
                       struct peer hosts[MODES], const struct options *options) {
    size_t most = most_cores(options), counts[COUNTS_MOST];
    most = most < images->workload.tasks ? most : images->workload.tasks;
    size_t found = worker_steps(most, options->quick, counts);
    for (size_t mode = 0; mode < MODES; mode++)
        for (size_t i = 0; i < (modes[mode].alone ? 1 : found); i++)
            add_place(plan,
                      (struct place){.images = images,
                                     .mode = modes[mode].name,
                                     .title = modes[mode].title,
                                     .host = &hosts[mode],
                                     .workers = counts[i],
                                     .rows = images->images},
                      modes[mode].alone ? 3 : 1);
}

/* Each of them has two full batches at least, and the run is not all beginning. A first one says how long it takes. */
static size_t rows_of(struct team *team, size_t count, struct images *images) {
    size_t images_most = IMAGES_ROWS / images->images;
    double ns = team_run(team, count, images, images->images), least = BATCHES_LEAST * DEVICE_BATCH * (double)count;
    double times = fmax(ceil(least / (double)images->images), ns > 0 ? ceil(RUN_SECONDS * 1e9 / ns) : 1);
    return images->images * (times < (double)images_most ? (size_t)times : images_most);
}

static void plan_team(struct plan *plan, struct images *images, struct team *team, const struct options *options) {
    bool doubling = options->quick || team->series->simulated;
    size_t counts[COUNTS_MOST], found = worker_steps(team->series->count, doubling, counts);
    for (size_t i = 0; i < found && !interrupted(); i++)
        add_place(plan,
                  (struct place){.images = images,
                                 .mode = team->series->name,
                                 .title = team->series->title,
                                 .team = team,
                                 .workers = counts[i],
                                 .rows = rows_of(team, counts[i], images)},
                  1);
}

/* A run of a cell; ns for one image. */
static double take(struct cell *cell, void *context, bool keep) {
    struct place *place = cell->what;
    struct run run = {.ns = 0};
    (void)context;
    (void)keep;
    if (place->team != NULL)
        run.ns = team_run(place->team, place->workers, place->images, place->rows);
    else if (host_ask(place->host, place->images->workload.name, place->workers, &run, 1) == 0 && !interrupted())
        note_failure("bench: %s: %s could not be measured", place->mode, place->images->workload.name);
    return run.ns / (double)place->rows;
}

/* Starts the devices' processes. What does not start says why, and is a failure where it was asked for. */
static void start_team(struct team *team, struct series *series, bool told) {
    static const char EMULATED[] = "this is an emulated card: its answers are right, and its times say nothing";
    if (series->missing[0] != '\0')
        return;
    if (!team_start(team, series, series->missing)) {
        if (told)
            note_failure("bench: %s: %s", series->title, series->missing);
        return;
    }
    series->missing[0] = '\0';
    if (!card_is_emulated(team->description))
        return;
    for (size_t i = 0; i < IMAGES_MODELS && !interrupted(); i++)
        if (images_of[i].model != NULL)
            team_run(team, series->count, &images_of[i], images_of[i].images);
    snprintf(series->missing, sizeof series->missing, "%s", EMULATED);
    team_stop(team);
}

static void measure_energy(const struct plan *plan, double seconds) {
    for (size_t i = 0; i < plan->count && !interrupted(); i++) {
        struct place *place = &plan->places[i];
        if (place->team != NULL && cells[i].ns.count > 0)
            place->joules = team_energy(place->team, place->workers, place->images, place->rows, seconds);
    }
}

static void measure(struct plan *plan, struct series series[SERIES_MOST], const struct options *options,
                    double seconds) {
    static struct team teams[SERIES_MOST];
    struct workload *list[IMAGES_MODELS];
    struct mode modes[MODES] = {serial_mode, threads_mode, processes_mode};
    struct peer hosts[MODES] = {{0}};
    struct dice dice = {options->seed};
    const char *told = getenv("DEVICES");
    modes[0].open = modes[2].open = one_core_open;
    modes[1].open = cores_open;
    for (size_t i = 0; i < IMAGES_MODELS; i++)
        list[i] = &images_of[i].workload;
    for (size_t i = 0; i < MODES; i++)
        if (!host_fork(&hosts[i], &modes[i], (struct workload_list){list, IMAGES_MODELS}))
            note_failure("bench: %s could not be started", modes[i].name);
    for (size_t i = 0; i < plan->series_count; i++)
        start_team(&teams[i], &series[i], i == 0 && told != NULL && *told != '\0');
    for (size_t model = 0; model < IMAGES_MODELS; model++) {
        if (!chosen(&images_of[model], options))
            continue;
        plan_cores(plan, &images_of[model], modes, hosts, options);
        for (size_t i = 0; i < plan->series_count; i++)
            if (series[i].missing[0] == '\0')
                plan_team(plan, &images_of[model], &teams[i], options);
    }
    cells_measure(cells, plan->count, take, NULL, &dice, seconds, "devices: the same images in each mode");
    measure_energy(plan, options->quick ? QUICK_ENERGY_SECONDS : ENERGY_SECONDS);
    for (size_t i = 0; i < MODES; i++)
        peer_stop(&hosts[i]);
    for (size_t i = 0; i < plan->series_count; i++)
        if (series[i].missing[0] == '\0')
            team_stop(&teams[i]);
}

int main(int argc, char *argv[]) {
    if (argc > 1 && strcmp(argv[1], "--worker") == 0)
        return team_worker(argc, argv);
    static struct series series[SERIES_MOST];
    if (argc == 2 && strcmp(argv[1], "--ready") == 0) /* whether DEVICES is right; else 2, and it is said */
        return devices_choose(series, getenv("DEVICES"), SIMULATED) > 0 ? 0 : 2;
    struct options options =
        options_read(argc, argv, "Times the same images by one core, threads, processes and 1..N devices (DEVICES=).");
    double seconds = options.seconds > 0 ? options.seconds : options.quick ? 2 : 12;
    struct plan plan = {.cells = cells, .places = places, .series = series};
    plan.series_count = devices_choose(series, getenv("DEVICES"), options.quick ? QUICK_SIMULATED : SIMULATED);
    if (options.only != NULL && !chosen(&images_of[0], &options) && !chosen(&images_of[1], &options)) {
        note("bench: --only %s: no model's name begins so; there are: digits, wide", options.only);
        return 2;
    }
    catch_interrupts();
    if (!images_open(options.quick, most_cores(&options)))
        return end_status();
    for (size_t i = 0; i < IMAGES_MODELS; i++)
        if (chosen(&images_of[i], &options))
            images_of[i].workload.prepare(&images_of[i].workload);
    measure(&plan, series, &options, seconds);
    progress_clear();
    devices_table(&plan);
    devices_write(&plan, &options, seconds);
    for (size_t i = 0; i < plan.count; i++)
        samples_free(&cells[i].ns);
    for (size_t i = 0; i < IMAGES_MODELS; i++)
        images_of[i].workload.finish(&images_of[i].workload);
    images_close();
    return end_status();
}
