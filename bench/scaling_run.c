/* scaling_run.c: plans what is measured of each workload in each mode over 1, 2, 3... workers, and measures it. */
#include <stdlib.h>
#include <string.h>

#include "cells.h"
#include "console.h"
#include "measure.h"
#include "options.h"
#include "scaling.h"
#include "workloads/workloads.h"

/* On a machine of few cores, too, a chart shall show what becomes of more workers than cores; and of many that wait. */
enum { LEAST_MOST = 4, WAITING_MOST = 16 };

static bool chosen(const struct workload *workload, const struct options *options) {
    return options->only == NULL || strncmp(workload->name, options->only, strlen(options->only)) == 0;
}

/* More workers than tasks would have nothing to do. */
static size_t at_most_tasks(const struct workload *workload, size_t workers) {
    return workload->tasks > 0 && workload->tasks < workers ? workload->tasks : workers;
}

/* The numbers of workers that are measured. */
static size_t worker_counts(const struct workload *workload, const struct options *options,
                            size_t counts[COUNTS_MOST]) {
    size_t most = options->workers;
    size_t least = workload->waits ? WAITING_MOST : options->quick ? 1 : LEAST_MOST;
    if (!options->workers_given && most < least)
        most = least;
    return worker_steps(at_most_tasks(workload, most), options->quick || workload->waits, counts);
}

/* A peer is there to be compared with: with one worker, and with as many as there are cores; quick: only these. */
static bool wanted(const struct runner *runner, const struct workload *workload, size_t workers,
                   const struct options *options) {
    if (runner->mode != NULL && runner->mode->alone)
        return workers == 1;
    return strcmp(runner->role, "ours") == 0 || workers == at_most_tasks(workload, options->workers) ||
           (workers == 1 && !options->quick);
}

static void add_cell(struct plan *plan, struct workload *workload, struct runner *runner, size_t workers) {
    struct place *place = &plan->places[plan->count];
    bool serial = runner->mode != NULL && runner->mode->alone; /* what all speedups are against */
    *place = (struct place){.workload = workload, .runner = runner, .workers = workers};
    plan->cells[plan->count++] = (struct cell){.what = place, .turns = serial ? 3 : 1};
}

static void make_plan(struct plan *plan, struct workload_list workloads, struct runners *runners,
                      const struct options *options) {
    size_t most = workloads.count * runners->count * COUNTS_MOST;
    plan->cells = need(most, sizeof *plan->cells);
    plan->places = need(most, sizeof *plan->places);
    for (size_t i = 0; i < workloads.count; i++) {
        size_t counts[COUNTS_MOST], found = worker_counts(workloads.workloads[i], options, counts);
        if (workloads.workloads[i]->missing != NULL || !chosen(workloads.workloads[i], options))
            continue;
        for (size_t who = 0; who < runners->count; who++) {
            struct runner *runner = &runners->list[who];
            for (size_t count = 0; count < found && runner->missing[0] == '\0'; count++)
                if (runner_does(runner, workloads.workloads[i]) &&
                    wanted(runner, workloads.workloads[i], counts[count], options))
                    add_cell(plan, workloads.workloads[i], runner, counts[count]);
        }
    }
}

/* One run of a cell by its host. */
static double take(struct cell *cell, void *context, bool keep) {
    struct place *place = cell->what;
    (void)context;
    struct peer *host = &place->runner->host;
    struct run run;
    if (host_ask(host, place->workload->name, place->workers, &run, 1) == 0) {
        if (host->lost[0] != '\0')
            note("bench: %s: %s: %s", place->runner->name, place->workload->name, host->lost);
        else if (!interrupted() && host->pid != 0) {
            peer_stop(host); /* it has said why; its other cells are left out without another word */
            snprintf(place->runner->missing, sizeof place->runner->missing, "it ended half-way");
            if (strcmp(place->runner->role, "ours") == 0)
                note_failure("bench: %s is ours, and should not have ended", place->runner->name);
        }
        host->lost[0] = '\0';
        return 0;
    }
    if (keep && !interrupted())
        place_keep(place, &run.usage);
    if (!keep)
        place->first = run.usage;
    return run.ns;
}

static void prepare(struct workload_list workloads, const struct options *options) {
    if (options->part > 0)
        mixed_choose(options->part);
    for (size_t i = 0; i < workloads.count; i++) {
        struct workload *workload = workloads.workloads[i];
        if (chosen(workload, options) && workload->missing == NULL && workload->prepare != NULL)
            workload->prepare(workload);
    }
}

/* Options that ask for what there is not end the program. */
static void look_at(const struct options *options, struct workload_list workloads) {
    bool any = false;
    for (size_t i = 0; i < workloads.count; i++)
        any |= chosen(workloads.workloads[i], options);
    if (any)
        return;
    note("bench: --only %s: no workload's name begins so; there are:", options->only);
    for (size_t i = 0; i < workloads.count; i++)
        note("  %s", workloads.workloads[i]->name);
    exit(2);
}

int scaling_run(const struct options *options, struct workload_list workloads) {
    double seconds = options->seconds > 0 ? options->seconds : options->quick ? 7 : 40;
    struct dice dice = {options->seed};
    struct runners runners;
    struct plan plan = {0};
    look_at(options, workloads);
    catch_interrupts();
    prepare(workloads, options);
    runners_start(&runners, options, workloads);
    make_plan(&plan, workloads, &runners, options);
    cells_measure(plan.cells, plan.count, take, &plan, &dice, seconds, "scaling: each workload in each mode");
    for (size_t i = 0; i < plan.count; i++) /* those whose first run is a sample, since it took so long (cells.h) */
        if (plan.cells[i].ns.count > plan.places[i].usages[0].count)
            place_keep(&plan.places[i], &plan.places[i].first);
    runners_stop(&runners);
    progress_clear();
    scaling_table(&plan, workloads, &runners);
    scaling_write(&plan, workloads, &runners, options, seconds);
    for (size_t i = 0; i < plan.count; i++) {
        samples_free(&plan.cells[i].ns);
        place_free(&plan.places[i]);
    }
    free(plan.cells);
    free(plan.places);
    for (size_t i = 0; i < workloads.count; i++)
        if (workloads.workloads[i]->finish != NULL && chosen(workloads.workloads[i], options))
            workloads.workloads[i]->finish(workloads.workloads[i]);
    return end_status();
}
