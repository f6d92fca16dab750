/* record.h: what a program measured, as one JSON document: the machine, the method, each row with its samples. */
#ifndef BENCH_RECORD_H
#define BENCH_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "measure.h"
#include "options.h"

/*
 * The document (tests/test_bench_files.c has its schema):
 *     {"format": "atelier bench 1", "name": "scaling", "seed": 1, "quick": false, "seconds": 40, "workers": 2,
 *      "interrupted": false, "machine": {...} or null, "rows": [...]}
 * and a row, all of whose times are in ns:
 *     {"key": "cpu/threads/2", "role": "ours", "samples_taken": 30, "median": 1.0, "low": 0.9, "high": 1.1, "q1": 0.95,
 *      "q3": 1.05, "p99": 1.2, "least": 0.9, "settled": true, "samples": [...]}
 * with what else the program knows of it. A row that could not be measured has "missing", the reason, and no numbers.
 */
struct record {
    const struct options *options;
    const char *name;
    json_t *document, *rows;
};

/* A record that is wanted (--output, --json); otherwise the calls below do nothing. */
void record_open(struct record *record, const struct options *options, const char *name, double seconds);

/*
 * Adds a row and returns it, so that more can be put into it; it is the record's. At most `most` samples are kept,
 * taken evenly from all. NULL when no record is wanted, which json_object_set_new does not mind.
 */
json_t *record_row(struct record *record, const char *key, const char *role, const struct samples *ns, size_t most);

/* A row that could not be measured. */
void record_missing(struct record *record, const char *key, const char *role, const char *reason);

/* The same samples by another name: "ratios"; nothing when there are none. */
void record_samples(json_t *row, const char *name, const struct samples *samples, size_t most);

/*
 * Writes PREFIX-NAME.json, under another name until it is whole, or prints it. A file that cannot be written ends the
 * program with a line that says why. Empties the record.
 */
void record_close(struct record *record);

#endif
