/* verdict.c: the rows of two runs side by side: which got slower beyond the noise? */
#include "verdict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const verdict_names[VERDICTS] = {
    [SLOWER] = "slower",         [FASTER] = "faster",   [SAME] = "same",        [FLOOR_TOO] = "the floor, too",
    [NOT_JUDGED] = "not judged", [ONLY_IN_NEW] = "new", [ONLY_IN_OLD] = "gone",
};

static double change_of(const struct spread *old, const struct spread *new) {
    return old->median > 0 && new->median > 0 ? new->median / old->median - 1 : (double)NAN;
}

/* Where the median has gone by itself, whatever the noise: 1 up, -1 down, 0 neither. */
static int direction(const struct spread *old, const struct spread *new) {
    return new->median > (1 + CHANGE_LEAST) * old->median ? 1 : old->median > (1 + CHANGE_LEAST) * new->median ? -1 : 0;
}

static bool overlap(const struct spread *old, const struct spread *new) {
    return new->low <= old->high && old->low <= new->high;
}

/* Fewer than 6 samples have no interval. */
static bool too_few(const struct spread *old, const struct spread *new) {
    return isinf(imprecision(old)) || isinf(imprecision(new));
}

static bool too_wide(const struct spread *old, const struct spread *new) {
    return imprecision(old) > WIDTH_MOST || imprecision(new) > WIDTH_MOST;
}

static struct judgement not_judged(struct judgement judgement, const char *why) {
    judgement.verdict = NOT_JUDGED;
    judgement.why = why;
    return judgement;
}

/* What the numbers of one kind say by themselves, times or ratios. */
static struct judgement compare(struct judgement judgement, const struct spread *old, const struct spread *new) {
    int moved = direction(old, new);
    if (too_few(old, new))
        return not_judged(judgement, "fewer than 6 samples in a run");
    if (!(old->median > 0 && new->median > 0))
        return not_judged(judgement, "a median of 0");
    judgement.verdict = moved > 0 ? SLOWER : moved < 0 ? FASTER : SAME;
    if (overlap(old, new)) {
        /* Intervals that hide the change that is asked for do not say that there was none. */
        if (too_wide(old, new))
            return not_judged(judgement, "too noisy: an interval is wider than 10% of its median");
        judgement.verdict = SAME;
    }
    return judgement;
}

/* What the times say was slower, or faster: was it the machine? */
static struct judgement compare_to_floor(struct judgement judgement, const struct row *old, const struct row *new) {
    struct judgement ratios = compare(judgement, &old->ratios, &new->ratios);
    int moved = direction(&old->ratios, &new->ratios);
    if (ratios.verdict == judgement.verdict)
        return judgement;
    if (too_few(&old->ratios, &new->ratios))
        return not_judged(judgement, "fewer than 6 ratios to the floor in a run, so that it may be the machine");
    if (ratios.verdict == NOT_JUDGED || moved == (judgement.verdict == SLOWER ? 1 : -1))
        return not_judged(judgement, "the ratio to the floor is too noisy, so that it may be the machine");
    judgement.verdict = FLOOR_TOO;
    return judgement;
}

/* --quick makes some rows smaller, and says so in their titles. */
static bool same_work(const struct row *old, const struct row *new) {
    bool same = !(old->units < new->units || old->units > new->units) || old->units <= 0 || new->units <= 0;
    return same && (old->title == NULL || new->title == NULL || strcmp(old->title, new->title) == 0);
}

struct judgement judge(const struct row *old, const struct row *new, bool same_machine) {
    struct judgement judgement = {.change = (double)NAN, .ratio_change = (double)NAN};
    if (old == NULL || new == NULL) {
        judgement.verdict = old == NULL ? ONLY_IN_NEW : ONLY_IN_OLD;
        return judgement;
    }
    if (old->missing != NULL || new->missing != NULL)
        return not_judged(judgement, new->missing == NULL   ? "not measured in the old run"
                                     : old->missing == NULL ? "not measured in the new run"
                                                            : "measured in neither run");
    bool ratios = old->ratios.count > 0 && new->ratios.count > 0;
    if (ratios)
        judgement.ratio_change = change_of(&old->ratios, &new->ratios);
    if (!same_work(old, new))
        return not_judged(judgement, "another amount of work");
    judgement.change = change_of(&old->ns, &new->ns);
    if (!same_machine)
        return ratios ? compare(judgement, &old->ratios, &new->ratios)
                      : not_judged(judgement, "other machines, and no ratio to the floor");
    judgement = compare(judgement, &old->ns, &new->ns);
    if (ratios && (judgement.verdict == SLOWER || judgement.verdict == FASTER))
        judgement = compare_to_floor(judgement, old, new);
    return judgement;
}

double difference(const struct row *old, const struct row *new) {
    if (old == NULL || new == NULL || !(old->ns.median > 0 && new->ns.median > 0))
        return (double)NAN;
    return fmax(old->ns.median / new->ns.median, new->ns.median / old->ns.median) - 1;
}

static bool same_text(const char *old, const char *new) {
    return old == NULL || new == NULL || strcmp(old, new) == 0;
}

bool other_machine(const struct source *old, const struct source *new) {
    return !same_text(old->machine, new->machine) || !same_text(old->cpu, new->cpu);
}

static void add_pair(struct pairs *pairs, const struct row *old, const struct row *new) {
    struct pair *pair = &pairs->list[pairs->count++];
    *pair = (struct pair){.old = old, .new = new, .either = new != NULL ? new : old};
    pair->ours = strcmp(pair->either->role, "ours") == 0;
    if (old != NULL && new != NULL)
        pair->other_machine = other_machine(old->source, new->source);
    pair->judgement = judge(old, new, !pair->other_machine);
}

static int compare_changes(const void *left, const void *right) {
    const struct pair *a = left, *b = right;
    double of_a = a->other_machine ? a->judgement.ratio_change : a->judgement.change;
    double of_b = b->other_machine ? b->judgement.ratio_change : b->judgement.change;
    if (isnan(of_a) || isnan(of_b))
        return isnan(of_a) - isnan(of_b);
    return (of_a < of_b) - (of_a > of_b);
}

struct pairs pairs_of(const struct records *old, const struct records *new) {
    struct pairs pairs = {.list = need(old->count + new->count + 1, sizeof *pairs.list)};
    for (size_t i = 0; i < old->count; i++)
        add_pair(&pairs, &old->rows[i], records_find(new, old->rows[i].source->name, old->rows[i].key));
    for (size_t i = 0; i < new->count; i++)
        if (records_find(old, new->rows[i].source->name, new->rows[i].key) == NULL)
            add_pair(&pairs, NULL, &new->rows[i]);
    qsort(pairs.list, pairs.count, sizeof *pairs.list, compare_changes);
    return pairs;
}
