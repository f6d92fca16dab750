/* report.h: what a run measured, for people, as JSON and as CSV. */
#ifndef GPU_CLIENT_REPORT_H
#define GPU_CLIENT_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "load_run.h"
#include "load_search.h"

/* A table of a few lines, and what the limit was. */
void report_print(FILE *file, const struct load_options *options, const struct load_result *result);

/* One line for a trial, and one or two for what a search found. */
void report_trial(FILE *file, const struct load_trial *trial);
void report_search(FILE *file, const struct load_options *options, const struct load_search *search);

/*
 * Everything that a client knows about its run, the raw histograms included; durations are in seconds unless the name
 * ends with _ns. The caller owns it (json_decref); NULL when memory is short.
 */
json_t *report_json(const struct load_options *options, const struct load_result *result);
json_t *report_search_json(const struct load_options *options, const struct load_search *search);

/* {"count", "mean_ns", "p50_ns"..., "buckets": [[lowest_ns, count]...]}, and back: -EINVAL for what is none. */
json_t *report_histogram(const struct histogram *histogram);
int report_read_histogram(struct histogram *histogram, const json_t *json);

/* Columns seconds, right, failed, p99_us; a row for each tenth of a second. */
void report_series(FILE *file, const struct load_result *result);

extern const char *const scenario_names[];  /* "server"..., as enum load_scenario */
extern const char *const limit_sentences[]; /* "the limit was the server"..., as enum load_limit */

#endif
