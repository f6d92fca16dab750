/* scaling_output.c: what the workloads took in each mode: the rows in the files, the tables. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "console.h"
#include "output.h"
#include "record.h"
#include "scaling.h"

enum { KEY_SIZE = 96 };
#define LOOSE_PART 0.1 /* a median whose interval is wider than this part of it is marked in the table */

static const char header[] =
    "workload,mode,role,workers,units,unit,samples,median_ns,low_ns,high_ns,q1_ns,q3_ns,p99_ns,least_ns,"
    "speedup,efficiency,serial_fraction,cpu_ns,voluntary_switches,forced_switches,minor_faults,major_faults,peak_kib,"
    "settled,waits,title,missing";

static const char *const usage_names[USAGES] = {"cpu_ns",       "voluntary_switches", "forced_switches",
                                                "minor_faults", "major_faults",       "peak_kib"};

void place_keep(struct place *place, const struct usage *usage) {
    const double values[USAGES] = {usage->cpu_ns,       usage->voluntary_switches, usage->forced_switches,
                                   usage->minor_faults, usage->major_faults,       usage->peak_kib};
    for (size_t i = 0; i < USAGES; i++)
        samples_add(&place->usages[i], values[i]);
}

void place_free(struct place *place) {
    for (size_t i = 0; i < USAGES; i++)
        samples_free(&place->usages[i]);
}

/* The times of the workload in the mode with so many workers; none when it was not measured. */
static struct spread spread_at(const struct plan *plan, const struct workload *workload, const char *mode,
                               size_t workers) {
    for (size_t i = 0; i < plan->count; i++) {
        const struct place *place = &plan->places[i];
        if (place->workload == workload && place->workers == workers && strcmp(place->runner->name, mode) == 0)
            return spread_of(&plan->cells[i].ns);
    }
    return (struct spread){0};
}

static double median_at(const struct plan *plan, const struct workload *workload, const char *mode, size_t workers) {
    return spread_at(plan, workload, mode, workers).median;
}

/* How many times as fast as serial; 0 when that is not known. */
static double speedup_of(const struct plan *plan, size_t cell) {
    double serial = median_at(plan, plan->places[cell].workload, "serial", 1);
    double median = spread_of(&plan->cells[cell].ns).median;
    return median > 0 ? serial / median : 0;
}

/*
 * The part of the work that behaves as if only one worker could do it, as the measured speedup tells it (Karp and
 * Flatt, 1990): (1/speedup - 1/workers) / (1 - 1/workers). Below 0 for more than a speedup of `workers`.
 */
static double serial_fraction(double speedup, size_t workers) {
    double part = 1 / (double)workers;
    return speedup > 0 && workers > 1 ? (1 / speedup - part) / (1 - part) : NAN;
}

static void write_cell(const struct plan *plan, size_t i, FILE *rows, struct record *record) {
    const struct place *place = &plan->places[i];
    const struct workload *workload = place->workload;
    struct spread spread = spread_of(&plan->cells[i].ns);
    double usages[USAGES], speedup = speedup_of(plan, i);
    double fraction = serial_fraction(speedup, place->workers);
    char key[KEY_SIZE], speedup_text[64] = ",", fraction_text[32] = "";
    if (spread.count == 0)
        return;
    for (size_t usage = 0; usage < USAGES; usage++)
        usages[usage] = spread_of(&place->usages[usage]).median;
    if (speedup > 0)
        snprintf(speedup_text, sizeof speedup_text, "%.4g,%.4g", speedup, speedup / (double)place->workers);
    if (!isnan(fraction))
        snprintf(fraction_text, sizeof fraction_text, "%.4g", fraction);
    output_row(rows,
               "%s,%s,%s,%zu,%.6g,%s,%zu,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%s,%s,%.6g,%.6g,%.6g,%.6g,%.6g,"
               "%.6g,%s,%s,%s,",
               workload->name, place->runner->name, place->runner->role, place->workers, workload->units,
               workload->unit, spread.count, spread.median, spread.low, spread.high, spread.q1, spread.q3, spread.p99,
               spread.least, speedup_text, fraction_text, usages[0], usages[1], usages[2], usages[3], usages[4],
               usages[5], settled(&spread) ? "yes" : "no", workload->waits ? "yes" : "no",
               output_quoted(workload->title));
    snprintf(key, sizeof key, "%s/%s/%zu", workload->name, place->runner->name, place->workers);
    json_t *row = record_row(record, key, place->runner->role, &plan->cells[i].ns, CELL_SAMPLES_MOST);
    if (row == NULL)
        return;
    json_object_set_new(row, "workload", json_string(workload->name));
    json_object_set_new(row, "mode", json_string(place->runner->name));
    json_object_set_new(row, "workers", json_integer((json_int_t)place->workers));
    json_object_set_new(row, "units", json_real(workload->units));
    json_object_set_new(row, "unit", json_string(workload->unit));
    if (speedup > 0)
        json_object_set_new(row, "speedup", json_real(speedup));
    for (size_t usage = 0; usage < USAGES; usage++)
        json_object_set_new(row, usage_names[usage], json_real(usages[usage]));
}

static void write_missing(FILE *rows, struct record *record, const char *workload, const char *mode, const char *role,
                          const char *title, const char *reason) {
    char key[KEY_SIZE];
    output_row(rows, "%s,%s,%s,,,,0,,,,,,,,,,,,,,,,,,,%s,%s", workload, mode, role, output_quoted(title),
               output_quoted(reason));
    snprintf(key, sizeof key, "%s/%s", workload, mode);
    record_missing(record, key, role, reason);
}

void scaling_write(const struct plan *plan, struct workload_list workloads, const struct runners *runners,
                   const struct options *options, double seconds) {
    struct record record;
    FILE *rows = output_open(options->output, "scaling", header);
    record_open(&record, options, "scaling", seconds);
    for (size_t i = 0; i < plan->count; i++)
        write_cell(plan, i, rows, &record);
    for (size_t i = 0; i < workloads.count; i++)
        if (workloads.workloads[i]->missing != NULL)
            write_missing(rows, &record, workloads.workloads[i]->name, "all", "ours", workloads.workloads[i]->title,
                          workloads.workloads[i]->missing);
    for (size_t i = 0; i < runners->count; i++)
        if (runners->list[i].missing[0] != '\0')
            write_missing(rows, &record, "all", runners->list[i].name, runners->list[i].role, runners->list[i].title,
                          runners->list[i].missing);
    output_close(rows);
    record_close(&record);
}

/* A row of the table: a mode's times over its numbers of workers, and how many times as fast as serial that is. */
static void print_runner(const struct plan *plan, const struct workload *workload, const struct runner *runner,
                         const size_t *counts, size_t columns) {
    bool any = false;
    for (size_t column = 0; column < columns; column++)
        any |= median_at(plan, workload, runner->name, counts[column]) > 0;
    if (!any)
        return;
    double serial = median_at(plan, workload, "serial", 1);
    printf("  %-28s", runner->title);
    for (size_t column = 0; column < columns; column++) {
        struct spread spread = spread_at(plan, workload, runner->name, counts[column]);
        double speedup = spread.count > 0 ? serial / spread.median : 0;
        char text[32] = "";
        if (spread.count > 0)
            snprintf(text, sizeof text, "%s%s", imprecision(&spread) > LOOSE_PART ? "~" : "",
                     human_time(spread.median));
        if (speedup > 0)
            printf(" %9s %6.*fx", text, speedup < 0.1 ? 3 : 2, speedup);
        else
            printf(" %9s %7s", text, "");
    }
    putchar('\n');
}

static size_t columns_of(const struct plan *plan, const struct workload *workload, size_t counts[COUNTS_MOST]) {
    size_t columns = 0;
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->places[i].workload != workload || plan->cells[i].ns.count == 0)
            continue;
        size_t workers = plan->places[i].workers, at = 0;
        while (at < columns && counts[at] < workers)
            at++;
        if ((at < columns && counts[at] == workers) || columns == COUNTS_MOST)
            continue;
        memmove(&counts[at + 1], &counts[at], (columns++ - at) * sizeof *counts);
        counts[at] = workers;
    }
    return columns;
}

/* What the empty calls are there to show: that what is measured is the work, and not the harness. */
static void print_empty(const struct plan *plan, const struct workload *workload) {
    static const char *const modes[] = {"threads", "pool"};
    for (size_t mode = 0; mode < 2; mode++) {
        double worst = 0;
        for (size_t i = 0; i < plan->count; i++) {
            const struct place *place = &plan->places[i];
            double median = spread_of(&plan->cells[i].ns).median;
            if (place->workload == workload && strcmp(place->runner->name, modes[mode]) == 0 && median > worst &&
                place->workers <= cores_at_hand()) /* beyond that, workers wait for cores */
                worst = median;
        }
        if (worst > 0)
            printf("  a call in %s costs at most %s: below 1 us: %s\n", modes[mode],
                   human_time(worst / workload->units), worst / workload->units < 1000 ? "reached" : "missed");
    }
}

void scaling_table(const struct plan *plan, struct workload_list workloads, const struct runners *runners) {
    for (size_t i = 0; i < workloads.count; i++) {
        const struct workload *workload = workloads.workloads[i];
        size_t counts[COUNTS_MOST], columns = columns_of(plan, workload, counts);
        if (columns == 0)
            continue;
        printf("\n%s (%s %s)\n  %-28s", workload->title, human_count(workload->units), workload->unit, "workers");
        for (size_t column = 0; column < columns; column++)
            printf(" %9zu %7s", counts[column], column == 0 ? "speedup" : "");
        putchar('\n');
        for (size_t who = 0; who < runners->count; who++)
            print_runner(plan, workload, &runners->list[who], counts, columns);
        if (strcmp(workload->name, "empty") == 0)
            print_empty(plan, workload);
    }
    puts("\n~: fewer than 6 samples, or a 95% interval of the median that is wider than 10% of it");
    for (size_t i = 0; i < workloads.count; i++)
        if (workloads.workloads[i]->missing != NULL)
            printf("%s: not measured: %s\n", workloads.workloads[i]->name, workloads.workloads[i]->missing);
    for (size_t i = 0; i < runners->count; i++)
        if (runners->list[i].missing[0] != '\0')
            printf("%s: not measured: %s\n", runners->list[i].title, runners->list[i].missing);
    fflush(stdout);
}
