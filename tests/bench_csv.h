/* bench_csv.h: reads the CSV files that a test has written as PREFIX "run" into its folder. */
#ifndef ATELIER_TESTS_BENCH_CSV_H
#define ATELIER_TESTS_BENCH_CSV_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bench_folder.h"

enum { FIELDS = 40, FIELD_SIZE = 300 };

struct line {
    char fields[FIELDS][FIELD_SIZE];
    size_t count;
};

/* RFC 4180, without line ends in fields: a quote within quotes is doubled, and there is none outside of them. */
static inline void parse(const char *text, struct line *line) {
    *line = (struct line){.count = 0};
    for (bool more = true; more; text++) {
        bool quoted = *text == '"';
        size_t length = 0;
        text += quoted;
        while (*text != '\0' && (quoted ? *text != '"' || text[1] == '"' : *text != ',')) {
            ck_assert_msg(quoted || *text != '"', "a quote in field %zu, which has none around it", line->count + 1);
            text += *text == '"';
            require(length < FIELD_SIZE - 1);
            line->fields[line->count][length++] = *text++;
        }
        ck_assert_msg(!quoted || *text == '"', "field %zu has no closing quote", line->count + 1);
        text += quoted;
        more = *text == ',';
        ck_assert_msg(more || *text == '\0', "%s: past the end of field %zu", text, line->count + 1);
        require(++line->count < FIELDS || !more);
    }
}

static inline FILE *open_csv(const char *name, struct line *header) {
    char path[300], text[4096];
    snprintf(path, sizeof path, "%s/run-%s.csv", folder, name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL && fgets(text, sizeof text, file) != NULL, "%s cannot be read", path);
    text[strcspn(text, "\n")] = '\0';
    parse(text, header);
    return file;
}

/* The next line; false at the end. */
static inline bool next_line(FILE *file, const struct line *header, struct line *line) {
    char text[4096];
    if (fgets(text, sizeof text, file) == NULL)
        return false;
    size_t end = strcspn(text, "\n");
    require(text[end] == '\n'); /* no line is cut off */
    text[end] = '\0';
    parse(text, line);
    ck_assert_msg(line->count == header->count, "%zu fields under %zu columns: %s", line->count, header->count, text);
    return true;
}

static inline const char *field(const struct line *header, const struct line *line, const char *name) {
    for (size_t i = 0; i < header->count; i++)
        if (strcmp(header->fields[i], name) == 0)
            return line->fields[i];
    ck_abort_msg("there is no column %s", name);
}

#endif
