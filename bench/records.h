/* records.h: what a run has left in its JSON files (record.h), read back. */
#ifndef BENCH_RECORDS_H
#define BENCH_RECORDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "measure.h"

/* A file of a run. The texts are the document's; NULL where it does not say. */
struct source {
    const char *name;                   /* "scaling": what was measured */
    const char *machine, *cpu, *commit; /* from the machine's description */
    const char *only;                   /* the names that it was told to measure; NULL: all */
    double seconds, workers;            /* what it was given of them; 0: it does not say */
    bool quick, interrupted;
    bool noisy; /* by the noise probe: the cores were not all its own */
    size_t rows;
};

/* A row of one. */
struct row {
    const struct source *source;
    const char *key, *role;
    const char *missing;  /* why it was not measured; NULL when it was */
    const char *title;    /* NULL: the file has none */
    double units;         /* how much work it is; 0: the file does not say, since it is always the same */
    struct spread ns;     /* as the file has it, over all samples that were taken */
    struct spread ratios; /* ours: to the floor in the same rounds; no samples where there is none, and for others */
    double ns_greatest, ratio_greatest; /* of the samples that the file has kept */
    /*
     * What it is compared with in the same run: in scaling and devices serial, with the same work; in sizes none, with
     * the same n and workers; such a row has itself. NULL in other files, and where it is not there.
     */
    const struct row *reference;
};

struct records {
    struct source *sources;
    struct row *rows;
    size_t source_count, count;
    json_t *documents;
    json_t *index; /* of each file, of each key: its place in `rows` */
};

/*
 * Reads a run: a JSON file; a prefix, as in PREFIX-scaling.json, PREFIX-queues.json...; or a folder, of which it is the
 * newest date. What cannot be read ends the program with 2 and a line that names the file and the way out.
 */
void records_read(struct records *records, const char *where);

/* The file of this name; the row with this key in it. NULL when there is none. */
const struct source *records_source(const struct records *records, const char *name);
const struct row *records_find(const struct records *records, const char *name, const char *key);

void records_free(struct records *records);

#endif
