/* comparison.h: one row of the table: the same operation by us, by the floor under us and by others, in turn. */
#ifndef BENCH_COMPARISON_H
#define BENCH_COMPARISON_H

#include <stdbool.h>
#include <stdio.h>

#include "measure.h"
#include "options.h"
#include "peer.h"
#include "record.h"

/*
 * Who does it. Ours is compared with the floor, the least that the system asks for the same, and each peer with ours.
 * A role is also a word in the files and a colour in the charts.
 */
enum role { OURS, FLOOR, PYTHON, EXECUTOR, OPENMP, BOOST, PIPE, MQUEUE, LIBUV, GLIB, FORK, ROLES };

enum { FIRST_PEER = PYTHON };

extern const char *const role_names[ROLES];  /* in the files: "mqueue" */
extern const char *const role_titles[ROLES]; /* in the table: "POSIX mq" */

/* Takes `count` samples and returns how many came; a wrong result ends the program. */
typedef size_t take_samples(struct observation *samples, size_t count);

enum { MOST_ARGUMENTS = 6 };

struct subject {
    const char *name;                      /* "at_lock"; NULL: nobody has this role here */
    take_samples *take;                    /* in this process, or in others that it starts; or... */
    struct peer *peer;                     /* ...by a peer that runs already; or... */
    const char *script;                    /* ...by a Python peer: bench/peers/SCRIPT...; or... */
    const char *program;                   /* ...by a peer that was built: BUILD/bench/peers/PROGRAM... */
    const char *arguments[MOST_ARGUMENTS]; /* ...with these */
    size_t batch;                          /* samples that it takes when it is its turn, if not as many as the others */
};

/* What ours should reach. */
enum reach_kind {
    NO_REACH,
    MOST_TO_FLOOR,   /* the ratio to the floor is at most so much */
    LEAST_TO_PEER,   /* the peer takes at least so many times our time */
    LEAST_PART,      /* the floor takes at least this part of our time: efficiency, when the floor is the work alone */
    MOST_MEDIAN_NS,  /* at most so many ns, at the median... */
    MOST_P99_NS,     /* ...or at p99 */
    LEAST_PER_SECOND /* at least so many operations a second, at the median */
};

struct reach {
    enum reach_kind kind;
    double value;
    enum role peer; /* for LEAST_TO_PEER */
};

#define REACH(what, number)                                                                                            \
    { .kind = (what), .value = (number) }
#define REACH_TO(who, number)                                                                                          \
    { .kind = LEAST_TO_PEER, .value = (number), .peer = (who) }

enum { MOST_REACHES = 3, TEXT_SIZE = 64, FOLDER_SIZE = 4096 };

struct comparison {
    const char *name;  /* "lock": in the files */
    const char *title; /* "lock pair, uncontended": in the table and the chart */
    struct subject subjects[ROLES];
    size_t batch;        /* samples a subject takes when it is its turn */
    size_t least_rounds; /* however long they take, except with --quick; never below a few */
    double bytes;        /* that an operation moves: then the table says how many a second; 0: it does not */
    struct reach reaches[MOST_REACHES];
    bool latency;         /* a sample is one operation: the file of latencies has its distribution */
    bool only_in_files;   /* not in the table, not in the chart, not with --quick */
    bool not_with_quick;  /* it takes too long for that */
    bool (*before)(void); /* may be NULL; false: the comparison is left out (and has said why) */
    void (*after)(void);  /* may be NULL */

    /* What was found. */
    struct samples ns[ROLES], shares[ROLES];
    struct samples ratios[ROLES]; /* ours to the floor, in [FLOOR]; a peer to ours, in its own; one for each round */
    char lost[ROLES][80];
    const char *absent[ROLES]; /* why a peer was not there; NULL when it was */
    bool measured;
};

struct setting {
    const char *peers;    /* the folder of the peers' scripts */
    const char *programs; /* the folder of the peers that were built */
    bool python;          /* whether there is a Python to measure */
    bool quick;           /* a few rounds are enough */
    double seconds;       /* for one comparison, at the most: one that is known well enough ends before */
    struct dice *dice;
};

/*
 * Measures it: rounds in which each subject takes its batch, in an order shuffled anew each time, until the time is
 * up. A ratio is taken in each round, between medians of batches that lie milliseconds apart, and the row's ratio is
 * the median over the rounds: what slows the whole machine for a while slows both sides of a ratio and so leaves it
 * alone, which a ratio of two medians over the whole run does not promise.
 */
void comparison_run(struct comparison *comparison, const struct setting *setting, double seconds_left_after);

void comparison_free(struct comparison *comparison);

/*
 * comparisons.c: measures all of them, writes PREFIX-NAME.csv and PREFIX-NAME.json, and PREFIX-NAME-latencies.csv where
 * there are any, and prints the table.
 */
void comparisons_run(struct comparison *comparisons, size_t count, const struct options *options, const char *name,
                     double seconds);

/* reach.c. The reach in words, "<= 1.15x", ">= 70x Python"; what came of it: "reached", "missed by 4%", "-". */
void reach_text(const struct reach *reach, char text[TEXT_SIZE]);
void reach_verdict(const struct comparison *comparison, const struct reach *reach, char text[TEXT_SIZE]);

/* Whether there is a Python 3 that the peers can run in; says so when there is none. */
bool python_is_there(void);

/* The folder of this name beside this program, in BUILD/bench: "peers", "children". */
const char *folder_beside(const char *name, char path[FOLDER_SIZE]);

/* table.c. The rows of a comparison in the files; the table of all of them, on stdout. */
extern const char comparison_header[], latency_header[];
void comparison_write(const struct comparison *comparison, FILE *rows, FILE *latencies, struct record *record);
void comparison_table(const struct comparison *comparisons, size_t count);

#endif
