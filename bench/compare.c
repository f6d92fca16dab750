/*
 * compare.c: "which is faster: nothing, threads or processes?", the tutorial's question, measured.
 *
 * The work is the tutorial's: each worker adds up the numbers below n. Without concurrency the sums are done one
 * after another, with threads and with processes each worker is started, does its sum and is joined; starting and
 * joining are part of the time.
 *
 * Method. A pass measures one n: every number of workers in every mode once, in shuffled order, so that a slow moment
 * of the machine falls on all modes alike. Each n gets an equal part of the time and as many passes as fit; the
 * passes of all n are spread evenly over the run. Short work is repeated within a sample until the clock's own cost
 * does not show. Every sum is compared with n(n - 1)/2, and a wrong one ends the run with status 1.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "atelier.h"
#include "console.h"
#include "crossover.h"
#include "measure.h"
#include "modes.h"
#include "options.h"
#include "output.h"
#include "work.h"

enum {
    SIZES = 10,
    LEAST_PASSES = 3,
    MOST_PASSES = 201,
    SAMPLE_NS = 20000, /* a thousand times what reading the clock takes */
    KEPT_SAMPLES = 40, /* in the file of raw samples, for each row */
};

static const double all_sizes[SIZES] = {5, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

/* One row: a size of work, a number of workers, a mode. */
struct cell {
    size_t size, workers, mode;
    size_t batch; /* times the work is done in one sample */
    struct samples samples;
};

struct plan {
    size_t sizes;       /* the first so many of all_sizes */
    size_t counts;      /* the numbers of workers measured... */
    size_t workers[64]; /* ...1, 2, 3, 4, then doubling, and the most at the end */
    struct cell *cells; /* [size][workers][mode] */
    size_t cells_per_size;
    double pass_ns[SIZES]; /* what a pass is thought to take */
    size_t passes[SIZES], done[SIZES];
    uint64_t *results; /* one for each worker, shared with children */
};

static struct cell *cell_at(const struct plan *plan, size_t size, size_t count, size_t mode) {
    return &plan->cells[size * plan->cells_per_size + count * MODES + mode];
}

/* Does the cell's work once and looks at every result. */
static void run_once(const struct plan *plan, const struct cell *cell) {
    uint64_t n = (uint64_t)all_sizes[cell->size];
    for (size_t i = 0; i < cell->workers; i++)
        plan->results[i] = UINT64_MAX;
    modes[cell->mode].run(n, cell->workers, plan->results);
    for (size_t i = 0; i < cell->workers; i++) {
        /* Ctrl-C also ends children half-way; that is no wrong result. */
        if (plan->results[i] != expected_sum(n) && !interrupted()) {
            wrong_result("%s, worker %zu of %zu: sum below %" PRIu64 " = %" PRIu64 ", not %" PRIu64,
                         modes[cell->mode].name, i + 1, cell->workers, n, plan->results[i], expected_sum(n));
        }
    }
}

/* One sample in ns: the time for the work once, start and join included. */
static double take_sample(const struct plan *plan, const struct cell *cell) {
    uint64_t start = now_ns();
    for (size_t i = 0; i < cell->batch; i++)
        run_once(plan, cell);
    return (double)(now_ns() - start) / (double)cell->batch;
}

static void make_plan(struct plan *plan, const struct options *options) {
    plan->sizes = options->quick ? 8 : SIZES;
    for (size_t workers = 1; workers < options->workers && plan->counts < 60; workers += workers < 4 ? 1 : workers)
        plan->workers[plan->counts++] = workers;
    plan->workers[plan->counts++] = options->workers;
    plan->cells_per_size = plan->counts * MODES;
    plan->cells = need(plan->sizes * plan->cells_per_size, sizeof *plan->cells);
    plan->results = at_shared_new(options->workers * sizeof *plan->results);
    if (plan->results == NULL) {
        note("bench: shared memory for %zu results: out of memory", options->workers);
        exit(1);
    }
    for (size_t size = 0; size < plan->sizes; size++) {
        for (size_t count = 0; count < plan->counts; count++) {
            for (size_t mode = 0; mode < MODES; mode++) {
                *cell_at(plan, size, count, mode) =
                    (struct cell){.size = size, .workers = plan->workers[count], .mode = mode, .batch = 1};
            }
        }
    }
}

/*
 * Finds out how long a pass of each size takes, and from that the batches and the number of passes. The first tries
 * also warm up caches and the allocator; they are not kept. The sizes from 10^8 on are not tried: ten times the work
 * takes ten times the time.
 */
static void calibrate(struct plan *plan, double seconds) {
    double *pass_ns = plan->pass_ns;
    for (size_t size = 0; size < plan->sizes; size++) {
        if (all_sizes[size] > 1e7)
            pass_ns[size] = 10 * pass_ns[size - 1];
        for (size_t i = 0; i < plan->cells_per_size && all_sizes[size] <= 1e7 && !interrupted(); i++) {
            struct cell *cell = &plan->cells[size * plan->cells_per_size + i];
            double cold = take_sample(plan, cell);
            double warm = take_sample(plan, cell);
            double once = warm < cold ? warm : cold;
            if (once < SAMPLE_NS) {
                cell->batch = (size_t)(SAMPLE_NS / once) + 1;
                once = take_sample(plan, cell);
            }
            pass_ns[size] += once * (double)cell->batch;
        }
    }
    /* What a cheap size cannot use up, because it has all the passes that are of any use, is left to the dear ones. */
    double left = seconds * 1e9;
    for (size_t size = 0; size < plan->sizes; size++) {
        double passes = left / (double)(plan->sizes - size) / (pass_ns[size] + 1);
        plan->passes[size] = passes > MOST_PASSES ? MOST_PASSES : passes < LEAST_PASSES ? LEAST_PASSES : (size_t)passes;
        left -= pass_ns[size] * (double)plan->passes[size];
        if (left < 0)
            left = 0;
    }
}

/* One pass of one size: each of its cells once, in shuffled order. */
static void run_pass(struct plan *plan, struct dice *dice, size_t size) {
    size_t order[plan->cells_per_size];
    for (size_t i = 0; i < plan->cells_per_size; i++)
        order[i] = i;
    shuffle(dice, order, plan->cells_per_size);
    for (size_t i = 0; i < plan->cells_per_size && !interrupted(); i++) {
        struct cell *cell = &plan->cells[size * plan->cells_per_size + order[i]];
        double ns = take_sample(plan, cell);
        if (!interrupted())
            samples_add(&cell->samples, ns);
    }
    plan->done[size]++;
}

/* The size whose next pass comes first. With p passes it has one at a random moment of each p-th part of the run. */
static size_t next_size(const struct plan *plan, const double *moments) {
    size_t next = 0;
    for (size_t size = 1; size < plan->sizes; size++)
        if (moments[size] < moments[next])
            next = size;
    return next;
}

/*
 * Measures. The random moments spread every size over the run, and let no size always follow the same other one. Time
 * that is left, because calibrating fell into a slow moment, goes to the size with the fewest passes.
 */
static void measure(struct plan *plan, struct dice *dice, double seconds) {
    double moments[SIZES]; /* of the next pass of each size; the run lasts from 0 to 1 */
    char what[80];
    snprintf(what, sizeof what, "tutorial: none, threads, processes; n up to %s",
             human_count(all_sizes[plan->sizes - 1]));
    for (size_t size = 0; size < plan->sizes; size++)
        moments[size] = dice_part(dice) / (double)plan->passes[size];
    uint64_t start = now_ns();
    while (!interrupted()) {
        size_t size = next_size(plan, moments);
        if (moments[size] >= 1)
            break;
        double spent = seconds_since(start);
        progress(what, moments[size] > 0.02 ? spent / moments[size] - spent : seconds);
        run_pass(plan, dice, size);
        bool more = plan->done[size] < plan->passes[size];
        moments[size] = more ? ((double)plan->done[size] + dice_part(dice)) / (double)plan->passes[size] : 1;
    }
    while (!interrupted()) {
        size_t fewest = 0;
        for (size_t size = 1; size < plan->sizes; size++)
            if (plan->done[size] < plan->done[fewest])
                fewest = size;
        double left = seconds - seconds_since(start);
        if (plan->done[fewest] >= MOST_PASSES || plan->pass_ns[fewest] * 1e-9 > left)
            return;
        progress(what, left);
        run_pass(plan, dice, fewest);
    }
}

/* The rows; cells that Ctrl-C left without samples are left out. */
static void write_rows(const struct plan *plan, const char *prefix) {
    FILE *rows = output_open(prefix, "tutorial", "n,workers,mode,samples,batch,median_us,q1_us,q3_us,p99_us,least_us");
    FILE *raw = output_open(prefix, "tutorial-samples", "n,workers,mode,time_ns");
    for (size_t i = 0; i < plan->sizes * plan->cells_per_size; i++) {
        const struct cell *cell = &plan->cells[i];
        struct spread spread = spread_of(&cell->samples);
        char label[64];
        snprintf(label, sizeof label, "%.0f,%zu,%s", all_sizes[cell->size], cell->workers, modes[cell->mode].name);
        if (spread.count > 0) {
            output_row(rows, "%s,%zu,%zu,%.6g,%.6g,%.6g,%.6g,%.6g", label, spread.count, cell->batch,
                       spread.median / 1e3, spread.q1 / 1e3, spread.q3 / 1e3, spread.p99 / 1e3, spread.least / 1e3);
            output_samples(raw, label, &cell->samples, KEPT_SAMPLES);
        }
    }
    output_close(rows);
    output_close(raw);
}

/* The table and the answer, for one number of workers; the crossovers also go to their file. */
static void answer(const struct plan *plan, size_t count, FILE *file) {
    size_t workers = plan->workers[count], sizes = 0;
    struct spread spreads[MODES][SIZES];
    printf("\n%zu worker%s, one sum each; median times\n", workers, workers == 1 ? "" : "s");
    printf("%14s %12s %12s %12s\n", "n", modes[0].name, modes[1].name, modes[2].name);
    for (size_t size = 0; size < plan->sizes; size++) {
        bool complete = true;
        for (size_t mode = 0; mode < MODES; mode++) {
            spreads[mode][sizes] = spread_of(&cell_at(plan, size, count, mode)->samples);
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
            printf("%s win over none from n = %s on (%s)\n", modes[mode].name, human_count(crossover.size),
                   human_time(crossover.ns));
            output_row(file, "%zu,%s,%.6g,%.6g,%s,%s", workers, modes[mode].name, crossover.size, crossover.ns / 1e3,
                       human_count(crossover.size), human_time(crossover.ns));
        } else if (sizes > 0) {
            printf("%s: no clear win over none up to n = %s\n", modes[mode].name, human_count(all_sizes[sizes - 1]));
        }
    }
}

int main(int argc, char *argv[]) {
    struct options options =
        options_read(argc, argv, "Times the tutorial's sums without concurrency, with threads and with processes.");
    double seconds = options.seconds > 0 ? options.seconds : options.quick ? 5 : 75;
    struct dice dice = {options.seed};
    struct plan plan = {0};
    catch_interrupts();
    make_plan(&plan, &options);
    progress("tutorial: warming up", -1);
    calibrate(&plan, seconds);
    measure(&plan, &dice, seconds);
    progress_clear();
    write_rows(&plan, options.output);
    FILE *file = output_open(options.output, "tutorial-crossovers", "workers,mode,n,time_us,n_text,time_text");
    for (size_t count = 0; count < plan.counts; count++)
        answer(&plan, count, file);
    output_close(file);
    at_shared_free(plan.results);
    for (size_t i = 0; i < plan.sizes * plan.cells_per_size; i++)
        samples_free(&plan.cells[i].samples);
    free(plan.cells);
    return interrupt_status();
}
