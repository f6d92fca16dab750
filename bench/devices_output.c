/* devices_output.c: the table of the images, and its rows in the files. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cells.h"
#include "console.h"
#include "devices.h"
#include "output.h"
#include "record.h"

enum { KEY_SIZE = 96 };

static const char HEADER[] =
    "workload,mode,role,workers,images,samples,median_ns,low_ns,high_ns,q1_ns,q3_ns,p99_ns,least_ns,images_per_s,"
    "images_per_s_low,images_per_s_high,speedup,efficiency,joules_per_image,settled,simulated,sharing,device,title,"
    "missing";

/* ns for an image, of the same model in that mode with so many workers; 0 when that was not measured. */
static double median_at(const struct plan *plan, const struct place *like, const char *mode, size_t workers) {
    for (size_t i = 0; i < plan->count; i++) {
        const struct place *place = &plan->places[i];
        if (place->images == like->images && place->workers == workers && strcmp(place->mode, mode) == 0)
            return spread_of(&plan->cells[i].ns).median;
    }
    return 0;
}

/* Of a cell: how many times as fast as one core; and as what it is measured against, for each worker. */
struct ratios {
    double speedup, efficiency; /* 0: not known */
};

/*
 * Cores are measured against one core that does it all without others, devices against one device: that they are
 * faster than a core is no scaling.
 */
static struct ratios ratios_of(const struct plan *plan, size_t cell) {
    const struct place *place = &plan->places[cell];
    double median = spread_of(&plan->cells[cell].ns).median, serial = median_at(plan, place, "serial", 1);
    double alone = place->team != NULL ? median_at(plan, place, place->mode, 1) : serial;
    if (!(median > 0))
        return (struct ratios){0};
    return (struct ratios){serial / median, alone / median / (double)place->workers};
}

static const struct series *series_of(const struct place *place) {
    return place->team != NULL ? place->team->series : NULL;
}

/* ---- the files */

static void number_or_nothing(char text[32], double value) {
    text[0] = '\0';
    if (value > 0)
        snprintf(text, 32, "%.4g", value);
}

static void write_json(struct record *record, const struct plan *plan, size_t i, const char *device) {
    const struct place *place = &plan->places[i];
    const struct series *series = series_of(place);
    struct ratios ratios = ratios_of(plan, i);
    char key[KEY_SIZE];
    snprintf(key, sizeof key, "%s/%s/%zu", place->images->workload.name, place->mode, place->workers);
    json_t *row = record_row(record, key, "ours", &plan->cells[i].ns, CELL_SAMPLES_MOST);
    if (row == NULL)
        return;
    json_object_set_new(row, "workload", json_string(place->images->workload.name));
    json_object_set_new(row, "mode", json_string(place->mode));
    json_object_set_new(row, "workers", json_integer((json_int_t)place->workers));
    json_object_set_new(row, "images", json_integer((json_int_t)place->rows));
    json_object_set_new(row, "device", json_string(device));
    json_object_set_new(row, "simulated", json_boolean(series != NULL && series->simulated));
    if (ratios.speedup > 0)
        json_object_set_new(row, "speedup", json_real(ratios.speedup));
    if (place->joules > 0)
        json_object_set_new(row, "joules_per_image", json_real(place->joules));
}

static void write_cell(const struct plan *plan, size_t i, FILE *rows, struct record *record) {
    const struct place *place = &plan->places[i];
    const struct series *series = series_of(place);
    struct spread spread = spread_of(&plan->cells[i].ns);
    struct ratios ratios = ratios_of(plan, i);
    char speedup[32], efficiency[32], joules[32];
    if (spread.count == 0)
        return;
    number_or_nothing(speedup, ratios.speedup);
    number_or_nothing(efficiency, ratios.efficiency);
    number_or_nothing(joules, place->joules);
    const char *device = series == NULL ? "a core" : series->title;
    output_row(rows,
               "%s,%s,ours,%zu,%zu,%zu,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%s,%s,%s,%s,%s,%zu,%s,%s,",
               place->images->workload.name, place->mode, place->workers, place->rows, spread.count, spread.median,
               spread.low, spread.high, spread.q1, spread.q3, spread.p99, spread.least, 1e9 / spread.median,
               1e9 / spread.high, 1e9 / spread.low, speedup, efficiency, joules, settled(&spread) ? "yes" : "no",
               series != NULL && series->simulated ? "yes" : "no",
               series != NULL ? devices_sharing(series, place->workers) : 0, output_quoted(device),
               output_quoted(place->images->workload.title));
    write_json(record, plan, i, device);
}

static void write_missing(FILE *rows, struct record *record, const char *workload, const char *mode, const char *title,
                          const char *reason) {
    char key[KEY_SIZE];
    output_row(rows, "%s,%s,ours,,,0,,,,,,,,,,,,,,,,,,%s,%s", workload, mode, output_quoted(title),
               output_quoted(reason));
    snprintf(key, sizeof key, "%s/%s", workload, mode);
    record_missing(record, key, "ours", reason);
}

void devices_write(const struct plan *plan, const struct options *options, double seconds) {
    struct record record;
    FILE *rows = output_open(options->output, "devices", HEADER);
    record_open(&record, options, "devices", seconds);
    for (size_t i = 0; i < plan->count; i++)
        write_cell(plan, i, rows, &record);
    for (size_t i = 0; i < IMAGES_MODELS; i++)
        if (images_of[i].workload.missing != NULL)
            write_missing(rows, &record, images_of[i].workload.name, "all", images_of[i].workload.title,
                          images_of[i].workload.missing);
    for (size_t i = 0; i < plan->series_count; i++)
        if (plan->series[i].missing[0] != '\0')
            write_missing(rows, &record, "all", plan->series[i].name, plan->series[i].title, plan->series[i].missing);
    output_close(rows);
    record_close(&record);
}

/* ---- the table */

/* Three digits of it. */
static double rounded(double value) {
    double unit = pow(10, floor(log10(value)) - 2);
    return round(value / unit) * unit;
}

static void print_cell(const struct plan *plan, size_t i, bool first) {
    const struct place *place = &plan->places[i];
    struct spread spread = spread_of(&plan->cells[i].ns);
    struct ratios ratios = ratios_of(plan, i);
    if (spread.count == 0)
        return;
    printf("  %-44.44s %7zu %11.0f", first ? place->title : "", place->workers, rounded(1e9 / spread.median));
    printf(" %11.0f .. %-11.0f", rounded(1e9 / spread.high), rounded(1e9 / spread.low));
    if (ratios.speedup > 0)
        printf(" %8.3gx", ratios.speedup);
    else
        printf(" %9s", "");
    if (ratios.efficiency > 0)
        printf(" %9.0f%%", 100 * ratios.efficiency);
    if (place->joules > 0)
        printf(" %9.3g mJ", 1e3 * place->joules);
    putchar('\n');
}

static void print_model(const struct plan *plan, const struct images *images) {
    const char *title = NULL;
    for (size_t i = 0; i < plan->count; i++) {
        const struct place *place = &plan->places[i];
        if (place->images != images || plan->cells[i].ns.count == 0)
            continue;
        if (title == NULL)
            printf("\n%s (%zu different images)\n  %-44s %7s %11s %-26s %9s %10s %12s\n", images->workload.title,
                   images->images, "", "workers", "images/s", "         95% interval", "speedup", "efficiency",
                   "for an image");
        print_cell(plan, i, title == NULL || strcmp(title, place->title) != 0);
        title = place->title;
    }
}

void devices_table(const struct plan *plan) {
    for (size_t i = 0; i < IMAGES_MODELS; i++)
        print_model(plan, &images_of[i]);
    puts("\nspeedup: against serial, one core. efficiency: of cores that for each worker, of devices for each device "
         "against one of them.");
    for (size_t i = 0; i < plan->series_count; i++) {
        const struct series *series = &plan->series[i];
        size_t sharing = devices_sharing(series, series->count);
        if (series->missing[0] != '\0')
            printf("%s: not measured: %s\n", series->title, series->missing);
        else if (series->simulated)
            printf("%s: these devices only take their time, and answer with their input\n", series->title);
        if (sharing > 0)
            printf("%s: %zu of the workers share a card with another one\n", series->title, sharing);
    }
    for (size_t i = 0; i < IMAGES_MODELS; i++)
        if (images_of[i].workload.missing != NULL)
            printf("%s: not measured: %s\n", images_of[i].workload.name, images_of[i].workload.missing);
    fflush(stdout);
}
