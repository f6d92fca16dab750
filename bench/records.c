/* records.c: reads what a run has left in its JSON files. */
#include "records.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "console.h"

enum { MOST_FILES = 64, DATE_SIZE = sizeof "2026-11-22", RUN_SIZE = DATE_SIZE + 12 };

static void cannot(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void cannot(const char *format, ...) {
    char text[2 * PATH_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    note("compare: %s", text);
    exit(2);
}

/* ---- a row */

/* Which row of which file is being read, for what is said of it. */
struct place {
    const char *path;
    size_t row;
    const char *key;
};

static void bad_row(const struct place *place, const char *field, const char *wanted) {
    cannot("%s: row %zu%s%s: \"%s\" is not %s; measure again, or leave this file out", place->path, place->row + 1,
           place->key != NULL ? ", " : "", place->key != NULL ? place->key : "", field, wanted);
}

static double number(const struct place *place, const json_t *row, const char *field) {
    const json_t *value = json_object_get(row, field);
    double found = json_number_value(value);
    if (!json_is_number(value) || found < 0)
        bad_row(place, field, "a number of at least 0");
    return found;
}

static const char *text(const struct place *place, const json_t *row, const char *field) {
    const json_t *value = json_object_get(row, field);
    if (!json_is_string(value) || json_string_length(value) == 0)
        bad_row(place, field, "a text");
    return json_string_value(value);
}

static struct spread spread_in(const struct place *place, const json_t *row) {
    struct spread spread = {.count = (size_t)number(place, row, "samples_taken")};
    const struct {
        const char *name;
        double *value;
    } fields[] = {{"median", &spread.median}, {"low", &spread.low}, {"high", &spread.high},  {"q1", &spread.q1},
                  {"q3", &spread.q3},         {"p99", &spread.p99}, {"least", &spread.least}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        *fields[i].value = number(place, row, fields[i].name);
    if (spread.low > spread.median || spread.median > spread.high)
        bad_row(place, "median", "between \"low\" and \"high\"");
    return spread;
}

/* The spread of a list of samples, and the greatest of them; of no samples where there is no list. */
static struct spread list_in(const struct place *place, const json_t *row, const char *field, double *greatest) {
    const json_t *list = json_object_get(row, field);
    struct samples samples = {0};
    *greatest = 0;
    if (list != NULL && !json_is_array(list))
        bad_row(place, field, "a list");
    for (size_t i = 0; i < json_array_size(list); i++) {
        double value = json_number_value(json_array_get(list, i));
        if (!json_is_number(json_array_get(list, i)))
            bad_row(place, field, "a list of numbers");
        samples_add(&samples, value);
        *greatest = value > *greatest ? value : *greatest;
    }
    struct spread spread = spread_of(&samples);
    samples_free(&samples);
    return spread;
}

static struct row row_in(const struct source *source, struct place *place, const json_t *json) {
    if (!json_is_object(json))
        cannot("%s: row %zu is not an object; measure again, or leave this file out", place->path, place->row + 1);
    place->key = text(place, json, "key");
    struct row row = {.source = source, .key = place->key, .role = text(place, json, "role")};
    if (json_object_get(json, "missing") != NULL) {
        row.missing = text(place, json, "missing");
        return row;
    }
    if (json_object_get(json, "units") != NULL)
        row.units = number(place, json, "units");
    row.title = json_string_value(json_object_get(json, "title"));
    row.ns = spread_in(place, json);
    row.ratios = list_in(place, json, "ratios", &row.ratio_greatest);
    if (list_in(place, json, "samples", &row.ns_greatest).count == 0)
        row.ns_greatest = row.ns.high;
    return row;
}

/* ---- a file */

static void add_to_index(struct records *records, const char *name, const struct place *place) {
    if (json_object_get(records->index, name) == NULL)
        json_object_set_new(records->index, name, json_object());
    json_t *keys = json_object_get(records->index, name);
    if (json_object_get(keys, place->key) != NULL)
        cannot("%s: row %zu: there are two rows %s; measure again, or leave this file out", place->path, place->row + 1,
               place->key);
    json_object_set_new(keys, place->key, json_integer((json_int_t)records->count));
}

/* The ratios of ours to the floor are kept in the floor's row, KEY/floor beside KEY/ours: to ours they belong here. */
static void hand_ratios_over(struct records *records, size_t first) {
    for (size_t i = first; i < records->count; i++) {
        struct row *row = &records->rows[i];
        const char *role = strrchr(row->key, '/');
        if (strcmp(row->role, "ours") == 0 && role != NULL && strcmp(role, "/ours") == 0) {
            char key[PATH_MAX];
            snprintf(key, sizeof key, "%.*s/floor", (int)(role - row->key), row->key);
            const struct row *floor = records_find(records, row->source->name, key);
            row->ratios = floor != NULL ? floor->ratios : (struct spread){0};
            row->ratio_greatest = floor != NULL ? floor->ratio_greatest : 0;
        }
    }
    for (size_t i = first; i < records->count; i++)
        if (strcmp(records->rows[i].role, "ours") != 0)
            records->rows[i].ratios = (struct spread){0};
}

static void add_rows(struct records *records, struct source *source, const char *path, const json_t *rows) {
    size_t first = records->count;
    source->rows = json_array_size(rows);
    struct row *all = need(first + source->rows + 1, sizeof *all);
    if (first > 0)
        memcpy(all, records->rows, first * sizeof *all);
    free(records->rows);
    records->rows = all;
    for (size_t i = 0; i < source->rows; i++) {
        struct place place = {.path = path, .row = i};
        all[records->count] = row_in(source, &place, json_array_get(rows, i));
        add_to_index(records, source->name, &place);
        records->count++;
    }
    hand_ratios_over(records, first);
}

/* As the charts' captions have it (bench/plot). A machine of one core, or without a description, has no probe. */
static bool is_noisy(const json_t *machine) {
    double speedup = json_number_value(json_object_get(machine, "probe_speedup"));
    const json_t *bursts = json_object_get(machine, "probe_speedup_in_bursts");
    speedup = json_is_number(bursts) && json_number_value(bursts) < speedup ? json_number_value(bursts) : speedup;
    return speedup > 0 && speedup <= 0.9 * json_number_value(json_object_get(machine, "probe_workers"));
}

static const char *told(const json_t *document, const char *field) {
    return json_string_value(json_object_get(json_object_get(document, "machine"), field));
}

/* Reads a file; `name`, unless NULL, is what its own name says: a file PREFIX-MORE-NAME.json is another prefix's. */
static void add_file(struct records *records, const char *path, const char *name) {
    json_error_t error;
    json_t *document = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (document == NULL && error.line > 0)
        cannot("%s: line %d: %s; measure again, or leave this file out", path, error.line, error.text);
    if (document == NULL)
        cannot("%s: %s; say a file, a prefix or a folder that make bench has written", path, strerror(errno));
    json_array_append_new(records->documents, document);
    const char *format = json_string_value(json_object_get(document, "format"));
    const char *own = json_string_value(json_object_get(document, "name"));
    const json_t *rows = json_object_get(document, "rows");
    if (format == NULL || strcmp(format, "atelier bench 1") != 0 || own == NULL || !json_is_array(rows))
        cannot("%s: line 1: not what make bench writes: no \"format\": \"atelier bench 1\" with a name and rows", path);
    if (name != NULL && strcmp(name, own) != 0)
        return;
    if (records->source_count == MOST_FILES)
        cannot("%s: there are more than %d files; say a longer prefix", path, MOST_FILES);
    struct source *source = &records->sources[records->source_count++];
    *source = (struct source){.name = own,
                              .machine = told(document, "machine"),
                              .cpu = told(document, "cpu"),
                              .commit = told(document, "commit"),
                              .only = json_string_value(json_object_get(document, "only")),
                              .seconds = json_number_value(json_object_get(document, "seconds")),
                              .workers = json_number_value(json_object_get(document, "workers")),
                              .quick = json_is_true(json_object_get(document, "quick")),
                              .noisy = is_noisy(json_object_get(document, "machine")),
                              .interrupted = json_is_true(json_object_get(document, "interrupted"))};
    add_rows(records, source, path, rows);
}

/* ---- a run */

/* The key of a row's reference: "cpu/serial/1" for "cpu/threads/2", "100/2/none" for "100/2/threads". */
static bool reference_key(const struct row *row, char key[PATH_MAX]) {
    const char *first = strchr(row->key, '/'), *last = strrchr(row->key, '/');
    if (first == last) /* also where there is no reference since all of a workload is missing: "model/all" */
        return false;
    if (strcmp(row->source->name, "scaling") == 0 || strcmp(row->source->name, "devices") == 0)
        snprintf(key, PATH_MAX, "%.*s/serial/1", (int)(first - row->key), row->key);
    else if (strcmp(row->source->name, "sizes") == 0)
        snprintf(key, PATH_MAX, "%.*s/none", (int)(last - row->key), row->key);
    else
        return false;
    return true;
}

/* When all rows are there, and none of them moves any more. */
static void find_references(struct records *records) {
    char key[PATH_MAX];
    for (size_t i = 0; i < records->count; i++) {
        struct row *row = &records->rows[i];
        if (reference_key(row, key))
            row->reference = records_find(records, row->source->name, key);
    }
}

static bool is_date(const char *name) {
    return strlen(name) >= DATE_SIZE && strspn(name, "0123456789") == 4 && name[4] == '-' &&
           strspn(name + 5, "0123456789") == 2 && name[7] == '-' && strspn(name + 8, "0123456789") == 2 &&
           name[10] == '-';
}

/* DATE, or DATE-2 of the second run of a day and so on, and its number; false when the name does not begin so. */
static bool run_in(const char *name, char run[RUN_SIZE], unsigned long *number) {
    if (!is_date(name))
        return false;
    size_t digits = strspn(name + DATE_SIZE, "0123456789");
    bool numbered = digits > 0 && digits < 10 && name[DATE_SIZE + digits] == '-';
    *number = numbered ? strtoul(name + DATE_SIZE, NULL, 10) : 1;
    snprintf(run, RUN_SIZE, "%.*s", (int)(numbered ? DATE_SIZE + digits : DATE_SIZE - 1), name);
    return true;
}

/* "scaling" for PREFIX-scaling.json; false for all others, and for the machine's own file, which has no rows. */
static bool name_in(const char *file, const char *prefix, char name[NAME_MAX + 1]) {
    size_t length = strlen(file), start = strlen(prefix), end = sizeof ".json" - 1;
    if (length <= start + 1 + end || strncmp(file, prefix, start) != 0 || file[start] != '-' ||
        strcmp(file + length - end, ".json") != 0 || strspn(file + start + 1, "0123456789") > 0) /* another run's */
        return false;
    snprintf(name, NAME_MAX + 1, "%.*s", (int)(length - start - 1 - end), file + start + 1);
    return strcmp(name, "machine") != 0;
}

/* Reads the files of a prefix; an empty one stands for the newest date that there is. */
static void add_prefix(struct records *records, const char *folder, const char *prefix, const char *where) {
    struct dirent **entries;
    char newest[RUN_SIZE] = "", name[NAME_MAX + 1], path[PATH_MAX];
    unsigned long last = 0;
    int count = scandir(folder, &entries, NULL, alphasort);
    if (count < 0)
        cannot("%s: %s: %s; say a file, a prefix or a folder that make bench has written", where, folder,
               strerror(errno));
    for (int i = 0; i < count; i++) {
        char run[RUN_SIZE];
        unsigned long number;
        if (!run_in(entries[i]->d_name, run, &number) || !name_in(entries[i]->d_name, run, name))
            continue;
        int order = strncmp(run, newest, DATE_SIZE - 1);
        if (order > 0 || (order == 0 && number > last)) {
            snprintf(newest, sizeof newest, "%s", run);
            last = number;
        }
    }
    for (int i = 0; i < count; i++) {
        bool wanted = name_in(entries[i]->d_name, prefix[0] != '\0' ? prefix : newest, name);
        if (wanted && snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name) < PATH_MAX)
            add_file(records, path, name);
        free(entries[i]);
    }
    free(entries);
}

/* Reads the files of a run: of a folder, of a prefix, or one. */
static void add_run(struct records *records, const char *where) {
    struct stat status;
    bool is_folder = stat(where, &status) == 0 && S_ISDIR(status.st_mode);
    if (is_folder)
        add_prefix(records, where, "", where);
    if (records->source_count > 0)
        return;
    size_t length = strlen(where);
    if ((!is_folder && stat(where, &status) == 0) || (length > 5 && strcmp(where + length - 5, ".json") == 0)) {
        add_file(records, where, NULL);
        return;
    }
    const char *slash = strrchr(where, '/');
    char folder[PATH_MAX] = ".";
    if (slash != NULL)
        snprintf(folder, sizeof folder, "%.*s", slash == where ? 1 : (int)(slash - where), where);
    /* A folder may have the name of a prefix beside it. */
    add_prefix(records, folder, slash != NULL ? slash + 1 : where, where);
    if (records->source_count == 0)
        cannot("%s: there is no %s-NAME.json; say a file, a prefix or a folder that make bench has written", where,
               is_folder       ? "YEAR-MONTH-DAY"
               : slash != NULL ? slash + 1
                               : where);
}

void records_read(struct records *records, const char *where) {
    *records = (struct records){
        .sources = need(MOST_FILES, sizeof *records->sources), .documents = json_array(), .index = json_object()};
    if (records->documents == NULL || records->index == NULL)
        cannot("%s: out of memory", where);
    add_run(records, where);
    find_references(records);
}

const struct source *records_source(const struct records *records, const char *name) {
    for (size_t i = 0; i < records->source_count; i++)
        if (strcmp(records->sources[i].name, name) == 0)
            return &records->sources[i];
    return NULL;
}

const struct row *records_find(const struct records *records, const char *name, const char *key) {
    const json_t *position = json_object_get(json_object_get(records->index, name), key);
    return position != NULL ? &records->rows[json_integer_value(position)] : NULL;
}

void records_free(struct records *records) {
    json_decref(records->documents);
    json_decref(records->index);
    free(records->sources);
    free(records->rows);
    *records = (struct records){0};
}
