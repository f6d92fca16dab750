/* verdict.h: the rows of two runs side by side: which got slower beyond the noise? */
#ifndef BENCH_VERDICT_H
#define BENCH_VERDICT_H

#include <stdbool.h>

#include "records.h"

/* What changes by less than this part of itself has not changed: two runs on a quiet machine agree as well as that. */
#define CHANGE_LEAST 0.05
/* An interval wider than this would hide such a change in either direction. */
#define WIDTH_MOST (2 * CHANGE_LEAST)

enum verdict {
    SLOWER,
    FASTER,
    SAME,
    FLOOR_TOO,   /* slower or faster, and the floor is so, too: it is the machine */
    NOT_JUDGED,  /* `why` says why */
    ONLY_IN_NEW, /* a new row */
    ONLY_IN_OLD, /* a row that is gone */
    VERDICTS
};

extern const char *const verdict_names[VERDICTS];

struct judgement {
    enum verdict verdict;
    const char *why;     /* for NOT_JUDGED */
    double change;       /* of the median, as a part of the old one: 0.1 for a tenth more; NAN: not known */
    double ratio_change; /* of the median ratio to the floor, likewise */
};

/*
 * A row is slower when its median has grown by more than CHANGE_LEAST and the 95% confidence intervals of the two
 * medians do not overlap; and, where its ratios to the floor are known, when the same is true of them, for a slower
 * machine slows both alike. Faster is the same the other way round. On other machines there are only the ratios to be
 * judged. NULL for a row that one of the runs does not have.
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
    struct judgement judgement;
};

struct pairs {
    struct pair *list;
    size_t count;
};

/* A run that does not say on which machine it was is taken for one on the same. */
bool other_machine(const struct source *old, const struct source *new);

/*
 * Judges every row: those of the same file and key are taken for the same. What got slowest stands first, and what has
 * no change last. The list is the caller's to free.
 */
struct pairs pairs_of(const struct records *old, const struct records *new);

#endif
