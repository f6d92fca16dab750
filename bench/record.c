/* record.c: what a program measured, as one JSON document. */
#include "record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console.h"

enum { PATH_SIZE = 4096 };

static void cannot(const char *what, const char *why) {
    note("bench: %s: %s; the CSV files have what was measured", what, why);
    exit(1);
}

/* The description that bench/run has written. */
static json_t *machine(const char *path) {
    json_error_t error;
    json_t *description = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (description == NULL) {
        note("bench: --machine %s: line %d: %s", path, error.line, error.text);
        exit(2);
    }
    return description;
}

void record_open(struct record *record, const struct options *options, const char *name, double seconds) {
    *record = (struct record){.options = options, .name = name};
    if (options->output == NULL && options->json == NULL)
        return;
    record->rows = json_array();
    record->document = json_pack("{s:s, s:s, s:I, s:b, s:f, s:I, s:s*, s:b, s:o}", "format", "atelier bench 1", "name",
                                 name, "seed", (json_int_t)options->seed, "quick", options->quick, "seconds", seconds,
                                 "workers", (json_int_t)options->workers, "only", options->only, "interrupted", false,
                                 "machine", options->machine != NULL ? machine(options->machine) : json_null());
    if (record->rows == NULL || record->document == NULL ||
        json_object_set_new(record->document, "rows", record->rows) != 0)
        cannot(name, "no record: out of memory");
}

/* Six digits are more than a clock gives. */
static json_t *number(double value) {
    char text[32];
    snprintf(text, sizeof text, "%.6g", value);
    return json_real(strtod(text, NULL));
}

void record_samples(json_t *row, const char *name, const struct samples *samples, size_t most) {
    size_t kept = samples->count < most ? samples->count : most;
    if (row == NULL || kept == 0)
        return;
    json_t *list = json_array();
    for (size_t i = 0; i < kept; i++)
        json_array_append_new(list, number(samples->values[i * samples->count / kept]));
    json_object_set_new(row, name, list);
}

static json_t *new_row(struct record *record, const char *key, const char *role) {
    if (record->rows == NULL)
        return NULL;
    json_t *row = json_pack("{s:s, s:s}", "key", key, "role", role);
    if (row == NULL || json_array_append_new(record->rows, row) != 0)
        cannot(record->name, "a row: out of memory, or no UTF-8");
    return row;
}

json_t *record_row(struct record *record, const char *key, const char *role, const struct samples *ns, size_t most) {
    json_t *row = new_row(record, key, role);
    if (row == NULL)
        return NULL;
    struct spread spread = spread_of(ns);
    const struct {
        const char *name;
        double value;
    } fields[] = {{"median", spread.median}, {"low", spread.low}, {"high", spread.high},  {"q1", spread.q1},
                  {"q3", spread.q3},         {"p99", spread.p99}, {"least", spread.least}};
    json_object_set_new(row, "samples_taken", json_integer((json_int_t)spread.count));
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        json_object_set_new(row, fields[i].name, number(fields[i].value));
    json_object_set_new(row, "settled", json_boolean(settled(&spread)));
    record_samples(row, "samples", ns, most);
    return row;
}

void record_missing(struct record *record, const char *key, const char *role, const char *reason) {
    json_t *row = new_row(record, key, role);
    json_t *text = json_string(reason);
    if (text == NULL) /* cut within a letter, for instance */
        text = json_string("for a reason that is no UTF-8");
    json_object_set_new(row, "missing", text);
}

static void write_file(const struct record *record) {
    char path[PATH_SIZE], part[PATH_SIZE];
    if (snprintf(path, sizeof path, "%s-%s.json", record->options->output, record->name) >= PATH_SIZE ||
        snprintf(part, sizeof part, "%s.part", path) >= PATH_SIZE)
        cannot(record->options->output, strerror(ENAMETOOLONG));
    FILE *file = fopen(part, "w");
    if (file == NULL)
        cannot(part, strerror(errno));
    bool written = json_dumpf(record->document, file, JSON_COMPACT) == 0 && fputc('\n', file) != EOF;
    written = fclose(file) == 0 && written && rename(part, path) == 0;
    if (!written) {
        int failure = errno;
        unlink(part);
        cannot(path, strerror(failure));
    }
}

void record_close(struct record *record) {
    if (record->document == NULL)
        return;
    json_object_set_new(record->document, "interrupted", json_boolean(interrupted()));
    if (record->options->output != NULL)
        write_file(record);
    FILE *json = record->options->json;
    if (json != NULL &&
        (json_dumpf(record->document, json, JSON_COMPACT) != 0 || fputc('\n', json) == EOF || fflush(json) != 0))
        cannot("--json", strerror(errno));
    json_decref(record->document);
    *record = (struct record){0};
}
