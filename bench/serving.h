/* serving.h: what the measurements of the serving lab share: points that are measured in turn, files, and reaches. */
#ifndef BENCH_SERVING_H
#define BENCH_SERVING_H

#include "load_run.h"
#include "measure.h"
#include "options.h"
#include "record.h"
#include "serving_server.h"

/* What a run of requests gives; the names of the columns are metric_names. */
enum metric {
    OFFERED,  /* requests a second that the schedule had; 0 in a closed loop */
    ACHIEVED, /* right answers a second */
    GOOD,     /* those within the bound */
    P50,      /* latencies, in us */
    P99,
    P999,
    MEAN,
    PER_CPU,   /* right answers for each CPU second of all the server's processes */
    PER_FRONT, /* the same of its first process: the front of shared_queue */
    GENERATOR, /* the part of a core that the load generator took */
    LIMITED,   /* 1 when it, and not the server, was the limit */
    BATCH,     /* rows of a batch, as an answer sees it */
    FAILED,    /* the part of the requests that was not answered with 200 */
    JAIN,      /* Jain's index of the requests of each worker; 0 when .devices is not said */
    METRICS
};
extern const char *const metric_names[METRICS];

/* One place on a chart, measured again and again. */
struct point {
    struct server *server;
    const char *series;       /* its line in the chart; NULL: the server's name */
    double x;                 /* its place on that line */
    struct load_options load; /* .target, .questions, .verify and .seed are filled in */
    size_t devices;           /* how many differently named ones there are */
    /* Called after each run of it, which goes on; may be NULL. */
    void (*after)(struct point *point, const struct load_result *result);
    void *context;
    struct samples of[METRICS];
    uint64_t batches[TALLY_BATCHES]; /* summed over its runs */
};

enum { MOST_REACHES = 24 };

/* A reach and what was found. */
struct reached {
    const char *key, *title, *unit;
    struct samples found;
    double value;
    bool at_least; /* else at most */
    bool simulated;
};

struct serving {
    const struct options *options;
    double seconds; /* for the experiment that runs */
    double left;    /* for those after it */
    struct dice dice;
    struct record record;
    struct reached reaches[MOST_REACHES];
    size_t reach_count;
};

/* Where the models are: MODELS= in the environment, or build/models. */
const char *models_folder(void);

/* How often each point is measured, and how long: so that all of them fit into the experiment's time. */
size_t rounds_of(const struct serving *serving, size_t most);
double seconds_each(const struct serving *serving, size_t points, size_t rounds, double least);

/*
 * Starts the points' servers, measures each point once in each round, in an order shuffled anew, and leaves the servers
 * running. A wrong answer ends the program with 1. What does not run is left out.
 */
void points_measure(struct serving *serving, struct point *points, size_t count, size_t rounds, const char *what);

/* PREFIX-serving-NAME.csv, a row for each point, and the rows of the record. */
void points_write(struct serving *serving, const char *name, const struct point *points, size_t count);

/* Ends their servers. */
void points_stop(struct point *points, size_t count);
void points_free(struct point *points, size_t count);

/* The median of what was found there; 0 when nothing was. */
double point_median(const struct point *point, enum metric metric);

/* One run of requests, checked; false, with a line that says why, when it could not be made. Freed by the caller. */
bool serving_load(struct serving *serving, struct server *server, const struct load_options *load,
                  struct load_result *result);

/* Its parts: fills in .target, .questions, .verify and .seed; ends the program with 1 when an answer was wrong. */
bool serving_prepare(struct serving *serving, const struct server *server, struct load_options *load);
void serving_check(const struct server *server, const struct tally *tally);

/* Jain's index of these numbers: 1 when all are equal, 1/count when one has everything. */
double jain(const double *numbers, size_t count);

/* ---- serving_reach.c */

/* A row of the reaches; its samples are added by reach_found. The texts must last. */
struct reached *reach_add(struct serving *serving, const char *key, const char *title, const char *unit, bool at_least,
                          double value, bool simulated);
/* For each pair of samples, numerator / denominator. */
void reach_ratios(struct reached *reached, const struct samples *numerators, const struct samples *denominators);
/* PREFIX-serving.csv, and the table on stdout. */
void reaches_finish(struct serving *serving);

/* ---- the experiments, each with serving->seconds */

void measure_ladder(struct serving *serving);   /* serving_ladder.c: the rungs, and each under rising load */
void measure_front(struct serving *serving);    /* serving_ladder.c: what the front alone costs */
void measure_added(struct serving *serving);    /* serving_device.c: what serving adds to computing */
void measure_batches(struct serving *serving);  /* serving_device.c: time by batch size */
void measure_race(struct serving *serving);     /* serving_policy.c: who gets a connection's requests */
void measure_theory(struct serving *serving);   /* serving_policy.c: against Inoue's line */
void measure_goodput(struct serving *serving);  /* serving_policy.c: beyond the peak */
void measure_delay(struct serving *serving);    /* serving_policy.c: waiting for more rows */
void measure_scaling(struct serving *serving);  /* serving_scaling.c: devices */
void measure_timeline(struct serving *serving); /* serving_events.c: who computes when */
void measure_crash(struct serving *serving);    /* serving_events.c: workers killed */
void measure_loops(struct serving *serving);    /* serving_events.c: open and closed loop meet a stall */

#endif
