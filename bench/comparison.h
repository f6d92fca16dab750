/*
 * comparison.h: one row of the table: the same operation by us, by the floor under us and by Python, measured in
 * turn.
 */
#ifndef BENCH_COMPARISON_H
#define BENCH_COMPARISON_H

#include <stdbool.h>
#include <stdio.h>

#include "measure.h"
#include "peer.h"

/* Who does it. Ours is compared with the floor: the least that the system asks for the same; Python with ours. */
enum role { OURS, FLOOR, PYTHON, ROLES };

extern const char *const role_names[ROLES];

/* Takes `count` samples and returns how many came; a wrong result ends the program. */
typedef size_t take_samples(struct observation *samples, size_t count);

struct subject {
    const char *name;                       /* "at_lock" */
    take_samples *take;                     /* in this process; or... */
    struct peer *peer;                      /* ...by a peer that runs already; or... */
    const char *script;                     /* ...by a Python peer: bench/peers/SCRIPT... */
    const char *argument, *second_argument; /* ...with up to two arguments */
    size_t batch; /* samples that it takes when it is its turn, if not as many as the others */
};

struct comparison {
    const char *name;  /* "lock": in the files */
    const char *title; /* "lock pair, uncontended": in the table and the chart */
    struct subject subjects[ROLES];
    size_t batch;         /* samples a subject takes when it is its turn */
    size_t least_rounds;  /* however long they take */
    double reach_ratio;   /* the most, as a ratio to the floor; 0: none */
    double reach_p99_ns;  /* the most at p99; 0: none */
    bool (*before)(void); /* may be NULL; false: the comparison is left out (and has said why) */
    void (*after)(void);  /* may be NULL */

    /* What was found. */
    struct samples ns[ROLES], shares[ROLES];
    struct samples ratios[ROLES]; /* ours to the floor, in [FLOOR]; Python to ours, in [PYTHON]; one for each round */
    char lost[80];
    bool measured;
};

struct setting {
    const char *peers; /* the folder of the peers' scripts */
    bool python;       /* whether there is a Python to measure */
    double seconds;    /* for one comparison */
    struct dice *dice;
};

/*
 * Measures it: rounds in which each subject takes its batch, in an order shuffled anew each time, until the time is
 * up. A ratio is taken in each round, between medians of batches that lie milliseconds apart, and the row's ratio is
 * the median over the rounds: what slows the whole machine for a while slows both sides of a ratio and so leaves it
 * alone, which a ratio of two medians over the whole run does not promise.
 */
void comparison_run(struct comparison *comparison, const struct setting *setting, double seconds_left_after);

/* "reached", "missed by 4%", "-" without a reach or a measurement. */
void comparison_verdict(const struct comparison *comparison, char *text, size_t size);

extern const char comparison_header[];
void comparison_write(const struct comparison *comparison, FILE *rows, FILE *raw);

/* The table of all of them, on stdout. */
void comparison_table(const struct comparison *comparisons, size_t count);

void comparison_free(struct comparison *comparison);

#endif
