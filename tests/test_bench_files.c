/* test_bench_files.c: the CSV and JSON files of the benchmarks against their schema, which stands here first. */
#include <jansson.h>
#include <math.h>

#include "comparison.h"
#include "output.h"
#include "bench_csv.h"
#include "watch.h"
#include "workload.h"

#define COUNT_OF(list) (sizeof(list) / sizeof *(list))

/* ---- the schema */

enum kind { TEXT, NUMBER, COUNT, YES_NO, LIST, MACHINE };

/*
 * A column of a CSV file, and the field of the JSON row that says the same, NULL where none does; or a field of the
 * JSON alone. One that may be empty may also be missing there.
 */
struct column {
    const char *name, *field;
    enum kind kind;
    bool may_be_empty;
};

#define SPREAD                                                                                                         \
    {"median_ns", "median", NUMBER, false}, {"low_ns", "low", NUMBER, false}, {"high_ns", "high", NUMBER, false},      \
        {"q1_ns", "q1", NUMBER, false}, {"q3_ns", "q3", NUMBER, false}, {"p99_ns", "p99", NUMBER, false},              \
        {"least_ns", "least", NUMBER, false}, {                                                                        \
        "settled", "settled", YES_NO, false                                                                            \
    }
#define ONLY_IN_JSON                                                                                                   \
    {NULL, "key", TEXT, false}, {NULL, "role", TEXT, false}, {                                                         \
        NULL, "samples", LIST, false                                                                                   \
    }

static const struct column SCALING[] = {
    {"workload", "workload", TEXT, false},
    {"mode", "mode", TEXT, false},
    {"role", NULL, TEXT, false},
    {"workers", "workers", COUNT, false},
    {"units", "units", NUMBER, false},
    {"unit", "unit", TEXT, false},
    {"samples", "samples_taken", COUNT, false},
    {"speedup", "speedup", NUMBER, true},
    {"efficiency", NULL, NUMBER, true},
    {"serial_fraction", NULL, NUMBER, true},
    {"cpu_ns", "cpu_ns", NUMBER, true},
    {"voluntary_switches", "voluntary_switches", NUMBER, true},
    {"forced_switches", "forced_switches", NUMBER, true},
    {"minor_faults", "minor_faults", NUMBER, true},
    {"major_faults", "major_faults", NUMBER, true},
    {"peak_kib", "peak_kib", NUMBER, true},
    {"waits", NULL, YES_NO, false},
    {"title", NULL, TEXT, false},
    {"missing", NULL, TEXT, true},
    SPREAD,
    ONLY_IN_JSON,
};

static const struct column COMPARISON[] = {
    {"primitive", NULL, TEXT, false},
    {"subject", NULL, TEXT, false},
    {"implementation", "implementation", TEXT, false},
    {"samples", "samples_taken", COUNT, false},
    {"ratio", NULL, NUMBER, true},
    {"ratio_q1", NULL, NUMBER, true},
    {"ratio_q3", NULL, NUMBER, true},
    {"share_least_to_greatest", NULL, NUMBER, true},
    {"reach_ratio", NULL, NUMBER, true},
    {"reach_p99_ns", NULL, NUMBER, true},
    {"verdict", NULL, TEXT, true},
    {"title", "title", TEXT, false},
    {"reaches", NULL, TEXT, true},
    {"bytes", NULL, NUMBER, true},
    {"in_table", NULL, YES_NO, false},
    {"ratio_low", NULL, NUMBER, true},
    {"ratio_high", NULL, NUMBER, true},
    {NULL, "ratios", LIST, true},
    SPREAD,
    ONLY_IN_JSON,
};

static const struct column DOCUMENT[] = {
    {NULL, "format", TEXT, false},  {NULL, "name", TEXT, false},          {NULL, "seed", COUNT, false},
    {NULL, "quick", YES_NO, false}, {NULL, "seconds", NUMBER, false},     {NULL, "workers", COUNT, false},
    {NULL, "only", TEXT, true},     {NULL, "interrupted", YES_NO, false}, {NULL, "machine", MACHINE, false},
    {NULL, "rows", LIST, false},
};

/* A row that could not be measured. */
static const struct column MISSING[] = {
    {NULL, "key", TEXT, false}, {NULL, "role", TEXT, false}, {NULL, "missing", TEXT, false}};

/* The files that are looked at, the command that writes them, and the columns that their rows' keys are made of. */
static const struct {
    const char *name, *command;
    const struct column *columns;
    size_t count;
    const char *key[3];
} FILES[] = {
    {"scaling", "scaling --only cpu --workers 2", SCALING, COUNT_OF(SCALING), {"workload", "mode", "workers"}},
    {"primitives", "primitives --only lock", COMPARISON, COUNT_OF(COMPARISON), {"primitive", "subject", NULL}},
};

/* ---- fields */

static double number(const char *text) {
    char *end;
    double value = strtod(text, &end);
    ck_assert_msg(text[0] != '\0' && *end == '\0' && isfinite(value), "'%s' is no number", text);
    return value;
}

static void check_field(const struct column *column, const char *text) {
    if (text[0] == '\0')
        ck_assert_msg(column->may_be_empty, "%s is empty", column->name);
    else if (column->kind == YES_NO)
        ck_assert_msg(strcmp(text, "yes") == 0 || strcmp(text, "no") == 0, "%s: %s", column->name, text);
    else if (column->kind == COUNT)
        ck_assert_msg(strspn(text, "0123456789") == strlen(text), "%s: %s", column->name, text);
    else if (column->kind == NUMBER)
        number(text);
}

static bool one_of(const char *text, const char *const *known, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, known[i]) == 0)
            return true;
    return false;
}

static const char *const ROLES_IN_JSON[] = {"ours", "floor", "peer"};

/* Numbers of one row that must lie in order. */
static void check_order(const struct line *header, const struct line *line) {
    static const char *const ORDER[][2] = {{"low_ns", "median_ns"}, {"median_ns", "high_ns"}, {"q1_ns", "median_ns"},
                                           {"median_ns", "q3_ns"},  {"q3_ns", "p99_ns"},      {"least_ns", "q1_ns"},
                                           {"least_ns", "low_ns"}};
    require(number(field(header, line, "least_ns")) > 0);
    for (size_t i = 0; i < COUNT_OF(ORDER); i++) {
        const char *less = field(header, line, ORDER[i][0]), *more = field(header, line, ORDER[i][1]);
        ck_assert_msg(number(less) <= number(more), "%s %s above %s %s", ORDER[i][0], less, ORDER[i][1], more);
    }
}

/* ---- JSON */

static json_t *load(const char *name) {
    char path[300];
    json_error_t error;
    snprintf(path, sizeof path, "%s/run-%s.json", folder, name);
    json_t *document = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(document != NULL, "%s: %s", path, error.text);
    return document;
}

static bool is_of(enum kind kind, const json_t *value) {
    switch (kind) {
    case TEXT:
        return json_is_string(value);
    case NUMBER:
        return json_is_number(value) && isfinite(json_number_value(value));
    case COUNT:
        return json_is_integer(value) && json_integer_value(value) >= 0;
    case YES_NO:
        return json_is_boolean(value);
    case LIST:
        return json_is_array(value);
    case MACHINE:
        return json_is_object(value) || json_is_null(value);
    }
    return false;
}

/* It has every field of the schema, each of its kind, and no others. */
static void check_fields(json_t *object, const struct column *columns, size_t count) {
    size_t known = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *value = columns[i].field != NULL ? json_object_get(object, columns[i].field) : NULL;
        if (value != NULL)
            ck_assert_msg(is_of(columns[i].kind, value), "%s is of another kind", columns[i].field);
        else
            ck_assert_msg(columns[i].field == NULL || columns[i].may_be_empty, "there is no %s", columns[i].field);
        known += value != NULL;
    }
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        bool found = false;
        for (size_t i = 0; i < count; i++)
            found |= columns[i].field != NULL && strcmp(columns[i].field, name) == 0;
        ck_assert_msg(found, "%s is not in the schema", name);
    }
    ck_assert_uint_eq(json_object_size(object), known);
}

/* Samples are positive; there are no more than were taken. */
static void check_samples(const json_t *row, const char *list) {
    const json_t *samples = json_object_get(row, list);
    size_t count = json_array_size(samples);
    require(samples == NULL || count > 0);
    require((json_int_t)count <= json_integer_value(json_object_get(row, "samples_taken")));
    for (size_t i = 0; i < count; i++)
        require(json_is_number(json_array_get(samples, i)) && json_number_value(json_array_get(samples, i)) > 0);
}

static const json_t *row_with(const json_t *rows, const char *key) {
    const json_t *found = NULL;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (strcmp(json_string_value(json_object_get(row, "key")), key) != 0)
            continue;
        ck_assert_msg(found == NULL, "two rows %s", key);
        found = row;
    }
    ck_assert_msg(found != NULL, "no row %s", key);
    return found;
}

/* What a column says of a row, its field says, too. */
static void check_same(const struct column *column, const char *text, const json_t *row) {
    const json_t *value = column->field != NULL ? json_object_get(row, column->field) : NULL;
    if (value == NULL || text[0] == '\0')
        return;
    bool same = column->kind == TEXT     ? strcmp(json_string_value(value), text) == 0
                : column->kind == YES_NO ? json_is_true(value) == (strcmp(text, "yes") == 0)
                                         : fabs(json_number_value(value) - number(text)) <= 1e-3 * fabs(number(text));
    ck_assert_msg(same, "%s: %s in one file, not in the other", column->name, text);
}

/* ---- the files of real runs, which are made once */

static void make_files(void) {
    char output[20000];
    make_folder();
    for (size_t i = 0; i < COUNT_OF(FILES); i++)
        ck_assert_msg(run_line(output, sizeof output, "%s/bench/%s --quick --seconds 1 --seed 5 --output %s/run",
                               build(), FILES[i].command, folder) == 0,
                      "%s", output);
}

START_TEST(csv_has_the_columns_of_the_schema) {
    struct line header;
    size_t known = 0;
    fclose(open_csv(FILES[_i].name, &header));
    for (size_t i = 0; i < FILES[_i].count; i++) {
        if (FILES[_i].columns[i].name != NULL)
            field(&header, &header, FILES[_i].columns[i].name);
        known += FILES[_i].columns[i].name != NULL;
    }
    ck_assert_uint_eq(known, header.count);
}
END_TEST

START_TEST(csv_rows_are_whole_and_in_order) {
    struct line header, line;
    size_t measured = 0;
    FILE *file = open_csv(FILES[_i].name, &header);
    while (next_line(file, &header, &line)) {
        bool scaling = FILES[_i].columns == SCALING;
        const char *role = field(&header, &line, scaling ? "role" : "subject");
        ck_assert_msg(one_of(role, scaling ? ROLES_IN_JSON : role_names, scaling ? 3 : ROLES), "role %s", role);
        if (number(field(&header, &line, "samples")) < 1)
            continue; /* not measured: there is nothing in order */
        for (size_t i = 0; i < FILES[_i].count; i++)
            if (FILES[_i].columns[i].name != NULL)
                check_field(&FILES[_i].columns[i], field(&header, &line, FILES[_i].columns[i].name));
        check_order(&header, &line);
        measured++;
    }
    fclose(file);
    ck_assert_uint_ge(measured, 2);
}
END_TEST

START_TEST(json_has_the_fields_of_the_schema) {
    json_t *document = load(FILES[_i].name), *rows = json_object_get(document, "rows");
    check_fields(document, DOCUMENT, COUNT_OF(DOCUMENT));
    ck_assert_str_eq(json_string_value(json_object_get(document, "format")), "atelier bench 1");
    ck_assert_str_eq(json_string_value(json_object_get(document, "name")), FILES[_i].name);
    require(json_integer_value(json_object_get(document, "seed")) == 5);
    require(json_is_true(json_object_get(document, "quick")) &&
            json_is_false(json_object_get(document, "interrupted")));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        bool missing = json_object_get(row, "missing") != NULL;
        check_fields(row, missing ? MISSING : FILES[_i].columns, missing ? COUNT_OF(MISSING) : FILES[_i].count);
        require(one_of(json_string_value(json_object_get(row, "role")), ROLES_IN_JSON, COUNT_OF(ROLES_IN_JSON)));
        check_samples(row, "samples");
        check_samples(row, "ratios");
    }
    json_decref(document);
}
END_TEST

START_TEST(csv_and_json_have_the_same_rows) {
    struct line header, line;
    size_t lines = 0;
    json_t *document = load(FILES[_i].name), *rows = json_object_get(document, "rows");
    FILE *file = open_csv(FILES[_i].name, &header);
    for (; next_line(file, &header, &line); lines++) {
        char key[3 * FIELD_SIZE] = "";
        for (size_t i = 0; i < 3 && FILES[_i].key[i] != NULL; i++) {
            const char *part = field(&header, &line, FILES[_i].key[i]);
            if (part[0] != '\0') /* a row without numbers has no workers */
                snprintf(key + strlen(key), sizeof key - strlen(key), "%s%s", i > 0 ? "/" : "", part);
        }
        const json_t *row = row_with(rows, key);
        bool missing = number(field(&header, &line, "samples")) < 1;
        require(missing == (json_object_get(row, "missing") != NULL));
        for (size_t i = 0; i < FILES[_i].count && !missing; i++)
            if (FILES[_i].columns[i].name != NULL)
                check_same(&FILES[_i].columns[i], field(&header, &line, FILES[_i].columns[i].name), row);
    }
    ck_assert_uint_eq(lines, json_array_size(rows));
    fclose(file);
    json_decref(document);
}
END_TEST

/* What a peer says of itself, and a title, may hold any character. */
START_TEST(commas_and_quotes_stay_in_their_field) {
    static const char LOST[] = "it said \"never\", and went";
    struct options options = {.output = in_folder("run")};
    struct comparison comparison = {
        .name = "made", .title = "8 B, backlog", .subjects = {[OURS] = {.name = "ours"}, [PYTHON] = {.name = "peer"}}};
    struct record record;
    struct line header, line;
    for (int i = 0; i < 10; i++)
        samples_add(&comparison.ns[OURS], 100 + i);
    snprintf(comparison.lost[PYTHON], sizeof comparison.lost[PYTHON], "%s", LOST);
    FILE *rows = output_open(options.output, "made", comparison_header);
    record_open(&record, &options, "made", 1);
    comparison_write(&comparison, rows, NULL, &record);
    output_close(rows);
    record_close(&record);
    samples_free(&comparison.ns[OURS]);
    FILE *file = open_csv("made", &header);
    require(next_line(file, &header, &line));
    ck_assert_str_eq(field(&header, &line, "title"), "8 B, backlog");
    require(next_line(file, &header, &line));
    ck_assert_str_eq(field(&header, &line, "verdict"), LOST);
    require(!next_line(file, &header, &line));
    fclose(file);
    json_t *document = load("made");
    const json_t *row = row_with(json_object_get(document, "rows"), "made/python");
    ck_assert_str_eq(json_string_value(json_object_get(row, "missing")), LOST);
    json_decref(document);
}
END_TEST

/* The peers in C call the workloads' own functions; the one in Python has numbers of its own. */
START_TEST(python_does_as_much_as_ours) {
    char output[256] = "", expected[256];
    size_t length = 0;
    if (run_line(output, sizeof output, "python3 --version") != 0)
        skip("there is no python3");
    int status =
        run_line(output, sizeof output,
                 "cd bench/peers && python3 -B -c 'import scaling as s; "
                 "print(*(\"%%s %%d\" %% (w.name, w.tasks) for w in s.WORKLOADS), s.ADDITIONS, s.RAISES * 64)'");
    ck_assert_msg(status == 0, "%s", output);
    const char *const names[] = {"empty", "cpu", "io", "lock_mutex"};
    struct workload *workloads[COUNT_OF(names)];
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        workloads[i] = workload_named(all_workloads, names[i]);
        require(workloads[i]->prepare(workloads[i]));
        length +=
            (size_t)snprintf(expected + length, sizeof expected - length, "%s %zu ", names[i], workloads[i]->tasks);
    }
    snprintf(expected + length, sizeof expected - length, "%.0f %.0f\n", workloads[1]->units, workloads[3]->units);
    ck_assert_str_eq(output, expected);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        workloads[i]->finish(workloads[i]);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("bench_files");
    TCase *cases = tcase_create("bench_files");
    tcase_set_timeout(cases, LIMIT);
    tcase_add_unchecked_fixture(cases, make_files, remove_folder);
    tcase_add_loop_test(cases, csv_has_the_columns_of_the_schema, 0, (int)COUNT_OF(FILES));
    tcase_add_loop_test(cases, csv_rows_are_whole_and_in_order, 0, (int)COUNT_OF(FILES));
    tcase_add_loop_test(cases, json_has_the_fields_of_the_schema, 0, (int)COUNT_OF(FILES));
    tcase_add_loop_test(cases, csv_and_json_have_the_same_rows, 0, (int)COUNT_OF(FILES));
    tcase_add_test(cases, commas_and_quotes_stay_in_their_field);
    tcase_add_test(cases, python_does_as_much_as_ours);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
