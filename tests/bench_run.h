/* bench_run.h: what the suites that run benchmarks share: a look into what they write and print. */
#ifndef ATELIER_TESTS_BENCH_RUN_H
#define ATELIER_TESTS_BENCH_RUN_H

#include <jansson.h>

#include "bench_folder.h"

static inline void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    require(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* All that is in a file; it lasts until the next call. */
static inline const char *text_of(const char *path) {
    static char text[65536];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        ck_abort_msg("%s: %s", path, strerror(errno));
    size_t length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

/* How often a word is in the text. */
static inline size_t count_of(const char *text, const char *word) {
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += strlen(word))
        count++;
    return count;
}

static inline void expect_match(const char *text, const char *pattern) {
    ck_assert_msg(matches(text, pattern), "no '%s' in:\n%.4000s", pattern, text);
}

static inline void expect_status(int status, int expected, const char *text) {
    ck_assert_msg(status == expected, "status %d, not %d:\n%.4000s", status, expected, text);
}

/* The JSON object in a file, or in a text; fails the test where there is no valid one. */
static inline json_t *object_or_fail(json_t *object, const char *where, const json_error_t *error) {
    if (!json_is_object(object))
        ck_abort_msg("%s: no JSON object: line %d: %s", where, error->line, error->text);
    return object;
}

static inline json_t *json_in(const char *path) {
    json_error_t error = {0};
    return object_or_fail(json_load_file(path, JSON_REJECT_DUPLICATES, &error), path, &error);
}

static inline json_t *json_of(const char *text) {
    json_error_t error = {0};
    return object_or_fail(json_loads(text, JSON_REJECT_DUPLICATES, &error), text, &error);
}

#endif
