/* verdict.h: the rows of two runs side by side: which got slower beyond the noise? */
#ifndef BENCH_VERDICT_H
#define BENCH_VERDICT_H

#include <stdbool.h>

#include "records.h"

/* What changes by less than this part of itself has not changed: two runs on a quiet machine agree as well as that. */
#define CHANGE_LEAST 0.05
/* An interval wider than this would hide such a change in either direction. */
#define WIDTH_MOST (2 * CHANGE_LEAST)
/* The same for what has nothing beside it that tells the machine from the code, though all of its like have. */
#define ALONE_LEAST 0.20
/* And for 3 to 5 samples, which have no interval: more than twice. */
#define FEW_LEAST 1.0
#define SAMPLES_LEAST 3
/* Shorter work, in sizes, is not judged: what shows is the harness's own cost. */
#define SHORTEST_NS 100

enum verdict {
    SLOWER,
    FASTER,
    SAME,
    THE_MACHINE, /* slower or faster, and so is what it is measured beside */
    LOST,        /* a row of ours that the new run should have, and has not; `why` says why */
    NOT_JUDGED,  /* `why` says why */
    ONLY_IN_NEW, /* a new row */
    ONLY_IN_OLD, /* a row that is gone, as it may be */
    VERDICTS
};

extern const char *const verdict_names[VERDICTS];

struct judgement {
    enum verdict verdict;
    const char *why;     /* for LOST and NOT_JUDGED */
    double change;       /* of the median, as a part of the old one: 0.1 for a tenth more; NAN: not known */
    double ratio_change; /* of the median ratio to the floor or the reference, likewise */
};

/*
 * A row is slower when its median has grown by more than CHANGE_LEAST and the 95% confidence intervals of the two
 * medians do not overlap. Where a run has only 3 to 5 samples, the median must have grown by more than FEW_LEAST, and
 * all new samples must lie above all old ones. The same must be true of the row's ratio to what was measured beside it
 * in the same run, since a slower machine slows both alike: its floor, or in scaling and sizes its reference. The ratio
 * to a reference lies between the quotients of the intervals' ends, for its rounds are not those of the row.
 *
 * Where there is no floor, and the noise probe of a run says that the machine was noisy, nothing is decided.
 *
 * A reference itself, and a row whose reference is too short (SHORTEST_NS), have only their time: it must have grown by
 * more than ALONE_LEAST, and, which pairs_of looks at, by as much beyond what the other references grew by.
 *
 * Faster is the same the other way round. On other machines there are only the ratios to the floor to be judged. NULL
 * for a row that one of the runs does not have.
 */
struct judgement judge(const struct row *old, const struct row *new, bool same_machine);

/*
 * How many times the lesser median the greater one is, less 1: how far two runs differ, whichever of them is slower.
 * NAN when one of them has none.
 */
double difference(const struct row *old, const struct row *new);

/* A row of either run, or of both. */
struct pair {
    const struct row *old, *new; /* NULL in the run that does not have it */
    const struct row *either;    /* one of them, for what both have */
    bool ours, other_machine;
    bool in_both; /* its file */
    struct judgement judgement;
};

struct pairs {
    struct pair *list;
    size_t count;
};

/* A run that does not say on which machine it was is taken for one on the same. */
bool other_machine(const struct source *old, const struct source *new);

/*
 * Judges every row: those of the same file and key are taken for the same. What judge calls slower by its time alone,
 * though it is of scaling or sizes, is the machine's doing unless it grew by more than ALONE_LEAST beyond the other
 * references of its file, at the median of them. A row of ours that only the old run has measured is lost when the new
 * one has the same file and should have it: on the same machine, as quick or as full, not interrupted, and, where it
 * does not say why the row is missing, given as much time and as many workers. What got slowest stands first, and what
 * has no change last. The list is the caller's to free.
 */
struct pairs pairs_of(const struct records *old, const struct records *new);

#endif
