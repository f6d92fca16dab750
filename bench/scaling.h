/* scaling.h: each workload in each mode over 1..N workers: what is measured, and what becomes of it. */
#ifndef BENCH_SCALING_H
#define BENCH_SCALING_H

#include "cells.h"
#include "options.h"
#include "runners.h"
#include "usage.h"
#include "workload.h"

enum { USAGES = 6 };

/* What a cell measures, and what its runs took of the machine. */
struct place {
    const struct workload *workload;
    struct runner *runner;
    size_t workers;
    struct usage first; /* of the run that warmed it up */
    struct samples usages[USAGES];
};

/* cells[i] is measured at places[i]. */
struct plan {
    struct cell *cells;
    struct place *places;
    size_t count;
};

/* Measures, writes the files and prints the tables. Returns main's status: 0, or 128 + the signal that ended it. */
int scaling_run(const struct options *options, struct workload_list workloads);

/* scaling_output.c */
void place_keep(struct place *place, const struct usage *usage);
void place_free(struct place *place);
void scaling_write(const struct plan *plan, struct workload_list workloads, const struct runners *runners,
                   const struct options *options, double seconds);
void scaling_table(const struct plan *plan, struct workload_list workloads, const struct runners *runners);

#endif
