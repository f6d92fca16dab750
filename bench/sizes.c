/*
 * sizes.c: "which is faster: nothing, threads or processes?", the tutorial's question, for work of every size.
 *
 * The work is the tutorial's: each worker adds up the numbers below n. Without concurrency the sums are done one after
 * another, with threads and with processes each worker is started, does its sum and is joined; starting and joining are
 * part of the time. Short work is repeated within a sample until the clock's own cost does not show. Every sum is
 * compared with n(n - 1)/2, and a wrong one ends the run with status 1.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "atelier.h"
#include "cells.h"
#include "console.h"
#include "crossover.h"
#include "measure.h"
#include "modes/modes.h"
#include "options.h"
#include "output.h"
#include "record.h"
#include "work.h"

enum {
    SIZES = 10,
    COUNTS = 64,
    SAMPLE_NS = 20000, /* a thousand times what reading the clock takes */
};

/* As the tutorial has them; the files call serial "none". */
enum { MODE_NONE, MODE_THREADS, MODE_PROCESSES, MODES };
static const struct mode *const modes[MODES] = {&serial_mode, &threads_mode, &processes_mode};
static const char *const mode_names[MODES] = {"none", "threads", "processes"};

/* The work: a sum for each worker, left in memory that children share. */
static uint64_t *results;
static uint64_t numbers; /* the sums are of those below this */

static void work(const struct workload *workload, size_t task, size_t worker) {
    (void)workload, (void)worker;
    results[task] = sum_below(numbers);
}

static const double all_sizes[SIZES] = {5, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

/* One row: a size of work, a number of workers, a mode. */
struct place {
    size_t size, workers, mode;
    size_t batch; /* times the work is done in one sample; 0: not known yet */
};

struct plan {
    size_t sizes;           /* the first so many of all_sizes */
    size_t counts;          /* the numbers of workers measured... */
    size_t workers[COUNTS]; /* ...1, 2, 3, 4, then doubling, and the most at the end */
    struct place *places;   /* [size][workers][mode] */
    struct cell *cells;     /* the same */
    size_t count;
};

static struct cell *cell_at(const struct plan *plan, size_t size, size_t count, size_t mode) {
    return &plan->cells[(size * plan->counts + count) * MODES + mode];
}

/* Does the cell's work once and looks at every result. */
static void run_once(const struct place *place) {
    struct workload workload = {.name = "sums", .tasks = place->workers, .task = work};
    numbers = (uint64_t)all_sizes[place->size];
    for (size_t i = 0; i < place->workers; i++)
        results[i] = UINT64_MAX;
    modes[place->mode]->run(&(struct job){&workload, place->mode == MODE_NONE ? 1 : place->workers});
    for (size_t i = 0; i < place->workers; i++) {
        /* Ctrl-C also ends children half-way; that is no wrong result. */
        if (results[i] != expected_sum(numbers) && !interrupted()) {
            wrong_result("%s, worker %zu of %zu: sum below %" PRIu64 " = %" PRIu64 ", not %" PRIu64,
                         mode_names[place->mode], i + 1, place->workers, numbers, results[i], expected_sum(numbers));
        }
    }
}

/* The ns that the work takes once, start and join included, when it is done so many times. */
static double take_batch(const struct place *place, size_t batch) {
    uint64_t start = now_ns();
    for (size_t i = 0; i < batch; i++)
        run_once(place);
    return (double)(now_ns() - start) / (double)batch;
}

/* One sample; the first one of a cell, which is not kept, finds out the batch. */
static double take(struct cell *cell, void *context, bool keep) {
    struct place *place = cell->what;
    (void)context;
    if (!keep) {
        double once = take_batch(place, 2);
        place->batch = once < SAMPLE_NS ? (size_t)(SAMPLE_NS / once) + 1 : 1;
    }
    return take_batch(place, place->batch);
}

static void make_plan(struct plan *plan, const struct options *options, double seconds) {
    plan->sizes = options->quick ? SIZES - 2 : seconds < 60 ? SIZES - 1 : SIZES;
    for (size_t workers = 1; workers < options->workers && plan->counts < COUNTS - 1;
         workers += workers < 4 ? 1 : workers)
        plan->workers[plan->counts++] = workers;
    plan->workers[plan->counts++] = options->workers;
    plan->count = plan->sizes * plan->counts * MODES;
    plan->cells = need(plan->count, sizeof *plan->cells);
    plan->places = need(plan->count, sizeof *plan->places);
    results = at_shared_new(options->workers * sizeof *results);
    if (results == NULL) {
        note("bench: shared memory for %zu results: out of memory", options->workers);
        exit(1);
    }
    for (size_t i = 0; i < plan->count; i++) {
        plan->places[i] = (struct place){
            .size = i / MODES / plan->counts, .workers = plan->workers[i / MODES % plan->counts], .mode = i % MODES};
        plan->cells[i].what = &plan->places[i];
    }
}

/* The rows; cells that Ctrl-C left without samples are left out. */
static void write_rows(const struct plan *plan, const struct options *options, double seconds) {
    struct record record;
    FILE *rows =
        output_open(options->output, "sizes",
                    "n,workers,mode,samples,batch,median_us,low_us,high_us,q1_us,q3_us,p99_us,least_us,settled");
    record_open(&record, options, "sizes", seconds);
    for (size_t i = 0; i < plan->count; i++) {
        const struct place *place = &plan->places[i];
        struct spread spread = spread_of(&plan->cells[i].ns);
        char key[64];
        if (spread.count == 0)
            continue;
        output_row(rows, "%.0f,%zu,%s,%zu,%zu,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%s", all_sizes[place->size],
                   place->workers, mode_names[place->mode], spread.count, place->batch, spread.median / 1e3,
                   spread.low / 1e3, spread.high / 1e3, spread.q1 / 1e3, spread.q3 / 1e3, spread.p99 / 1e3,
                   spread.least / 1e3, settled(&spread) ? "yes" : "no");
        snprintf(key, sizeof key, "%.0f/%zu/%s", all_sizes[place->size], place->workers, mode_names[place->mode]);
        json_t *row = record_row(&record, key, "ours", &plan->cells[i].ns, CELL_SAMPLES_MOST);
        json_object_set_new(row, "n", json_real(all_sizes[place->size]));
        json_object_set_new(row, "workers", json_integer((json_int_t)place->workers));
        json_object_set_new(row, "mode", json_string(mode_names[place->mode]));
    }
    output_close(rows);
    record_close(&record);
}

/* The table and the answer, for one number of workers; the crossovers also go to their file. */
static void answer(const struct plan *plan, size_t count, FILE *file) {
    size_t workers = plan->workers[count], sizes = 0;
    struct spread spreads[MODES][SIZES];
    printf("\n%zu worker%s, one sum each; median times\n", workers, workers == 1 ? "" : "s");
    printf("%14s %12s %12s %12s\n", "n", mode_names[0], mode_names[1], mode_names[2]);
    for (size_t size = 0; size < plan->sizes; size++) {
        bool complete = true;
        for (size_t mode = 0; mode < MODES; mode++) {
            spreads[mode][sizes] = spread_of(&cell_at(plan, size, count, mode)->ns);
            complete = complete && spreads[mode][sizes].count > 0;
        }
        if (!complete) /* only after Ctrl-C, and then from the greatest sizes down */
            break;
        printf("%14.0f %12s %12s %12s\n", all_sizes[size], human_time(spreads[0][sizes].median),
               human_time(spreads[1][sizes].median), human_time(spreads[2][sizes].median));
        sizes++;
    }
    for (size_t mode = MODE_THREADS; mode < MODES; mode++) {
        struct crossover crossover = crossover_of(all_sizes, spreads[MODE_NONE], spreads[mode], sizes);
        if (crossover.found) {
            printf("%s win over none from n = %s on (%s)\n", mode_names[mode], human_count(crossover.size),
                   human_time(crossover.ns));
            output_row(file, "%zu,%s,%.6g,%.6g,%s,%s", workers, mode_names[mode], crossover.size, crossover.ns / 1e3,
                       human_count(crossover.size), human_time(crossover.ns));
        } else if (sizes > 0) {
            printf("%s: no clear win over none up to n = %s\n", mode_names[mode], human_count(all_sizes[sizes - 1]));
        }
    }
}

int main(int argc, char *argv[]) {
    struct options options =
        options_read(argc, argv, "Times the tutorial's sums without concurrency, with threads and with processes.");
    if (options.only != NULL) {
        note("bench: --only %s: the sizes of work have no names", options.only);
        return 2;
    }
    double seconds = options.seconds > 0 ? options.seconds : options.quick ? 4 : 75;
    struct dice dice = {options.seed};
    struct plan plan = {0};
    catch_interrupts();
    make_plan(&plan, &options, seconds);
    cells_measure(plan.cells, plan.count, take, &plan, &dice, seconds, "sizes: nothing, threads and processes, by n");
    progress_clear();
    write_rows(&plan, &options, seconds);
    FILE *file = output_open(options.output, "sizes-crossovers", "workers,mode,n,time_us,n_text,time_text");
    for (size_t count = 0; count < plan.counts; count++)
        answer(&plan, count, file);
    output_close(file);
    at_shared_free(results);
    for (size_t i = 0; i < plan.count; i++)
        samples_free(&plan.cells[i].ns);
    free(plan.cells);
    free(plan.places);
    return end_status();
}
