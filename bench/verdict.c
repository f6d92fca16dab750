/* verdict.c: the rows of two runs side by side: which got slower beyond the noise? */
#include "verdict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const verdict_names[VERDICTS] = {
    [SLOWER] = "slower", [FASTER] = "faster",         [SAME] = "same",       [THE_MACHINE] = "the machine",
    [LOST] = "lost",     [NOT_JUDGED] = "not judged", [ONLY_IN_NEW] = "new", [ONLY_IN_OLD] = "gone",
};

/* What is compared: a row's times, or its ratios. */
struct numbers {
    struct spread spread;
    double greatest;
};

static double change_of(const struct spread *old, const struct spread *new) {
    return old->median > 0 && new->median > 0 ? new->median / old->median - 1 : (double)NAN;
}

/* Where the median has gone by itself, by more than `least` of it, whatever the noise: 1 up, -1 down, 0 neither. */
static int direction(const struct spread *old, const struct spread *new, double least) {
    return new->median > (1 + least) * old->median ? 1 : old->median > (1 + least) * new->median ? -1 : 0;
}

static bool overlap(const struct spread *old, const struct spread *new) {
    return new->low <= old->high && old->low <= new->high;
}

/* Whether no sample of one run lies among those of the other. */
static bool separated(const struct numbers *old, const struct numbers *new) {
    return new->spread.least > old->greatest || old->spread.least > new->greatest;
}

/* Fewer than 6 samples have no interval. */
static bool few(const struct spread *old, const struct spread *new) {
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

/* Fewer samples than an interval needs say only what is plain to see. */
static struct judgement compare_few(struct judgement judgement, const struct numbers *old, const struct numbers *new) {
    int moved = direction(&old->spread, &new->spread, FEW_LEAST);
    if (old->spread.count < SAMPLES_LEAST || new->spread.count < SAMPLES_LEAST || moved == 0 || !separated(old, new))
        return not_judged(judgement, "fewer than 6 samples in a run");
    judgement.verdict = moved > 0 ? SLOWER : FASTER;
    return judgement;
}

/* What the numbers of one kind say by themselves, times or ratios. */
static struct judgement compare(struct judgement judgement, const struct numbers *old, const struct numbers *new) {
    int moved = direction(&old->spread, &new->spread, CHANGE_LEAST);
    if (!(old->spread.median > 0 && new->spread.median > 0))
        return not_judged(judgement, "a median of 0");
    if (few(&old->spread, &new->spread))
        return compare_few(judgement, old, new);
    judgement.verdict = moved > 0 ? SLOWER : moved < 0 ? FASTER : SAME;
    if (overlap(&old->spread, &new->spread)) {
        /* Intervals that hide the change that is asked for do not say that there was none. */
        if (too_wide(&old->spread, &new->spread))
            return not_judged(judgement, "too noisy: an interval is wider than 10% of its median");
        judgement.verdict = SAME;
    }
    return judgement;
}

/* What the times say was slower, or faster: was it the machine? */
static struct judgement compare_ratios(struct judgement judgement, const struct numbers *old,
                                       const struct numbers *new) {
    struct judgement ratios = compare(judgement, old, new);
    int moved = direction(&old->spread, &new->spread, CHANGE_LEAST);
    if (ratios.verdict == judgement.verdict)
        return judgement;
    if (ratios.verdict == NOT_JUDGED && few(&old->spread, &new->spread))
        return not_judged(judgement, "fewer than 6 ratios in a run, so that it may be the machine");
    if (ratios.verdict == NOT_JUDGED || moved == (judgement.verdict == SLOWER ? 1 : -1))
        return not_judged(judgement, "the ratio is too noisy, so that it may be the machine");
    judgement.verdict = THE_MACHINE;
    return judgement;
}

static struct numbers times_of(const struct row *row) {
    return (struct numbers){row->ns, row->ns_greatest};
}

static bool too_short(const struct row *row) {
    return row->source != NULL && strcmp(row->source->name, "sizes") == 0 && row->ns.median < SHORTEST_NS;
}

/* No samples where there are no ratios. */
static struct numbers ratios_of(const struct row *row) {
    const struct row *reference = row->reference;
    if (reference == NULL)
        return (struct numbers){row->ratios, row->ratio_greatest};
    if (reference == row || reference->missing != NULL || too_short(reference) || !(reference->ns.least > 0))
        return (struct numbers){0};
    const struct spread *ns = &row->ns, *beside = &reference->ns;
    return (struct numbers){.spread = {.count = ns->count < beside->count ? ns->count : beside->count,
                                       .least = ns->least / reference->ns_greatest,
                                       .median = ns->median / beside->median,
                                       .low = ns->low / beside->high,
                                       .high = ns->high / beside->low},
                            .greatest = row->ns_greatest / beside->least};
}

static bool is_noisy(const struct row *row) {
    return row->source != NULL && row->source->noisy;
}

/* 0 says nothing. */
static bool same_number(double old, double new) {
    return !(old < new || old > new) || old <= 0 || new <= 0;
}

/* --quick makes some rows smaller, and says so in their titles. */
static bool same_work(const struct row *old, const struct row *new) {
    return same_number(old->units, new->units) &&
           (old->title == NULL || new->title == NULL || strcmp(old->title, new->title) == 0);
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
    struct numbers old_ratios = ratios_of(old), new_ratios = ratios_of(new);
    struct numbers old_times = times_of(old), new_times = times_of(new);
    bool ratios = old_ratios.spread.count > 0 && new_ratios.spread.count > 0;
    if (ratios)
        judgement.ratio_change = change_of(&old_ratios.spread, &new_ratios.spread);
    if (!same_work(old, new))
        return not_judged(judgement, "another amount of work");
    judgement.change = change_of(&old->ns, &new->ns);
    if (!same_machine) /* how serial compares with the rest is the machine's own: its cores */
        return ratios && new->reference == NULL ? compare(judgement, &old_ratios, &new_ratios)
                                                : not_judged(judgement, "other machines, and no ratio to a floor");
    if (too_short(old) && too_short(new))
        return not_judged(judgement, "below 100 ns, where the harness's own cost shows");
    judgement = compare(judgement, &old_times, &new_times);
    if (judgement.verdict != SLOWER && judgement.verdict != FASTER)
        return judgement;
    /* Only a floor is measured in the same rounds; serial and none, too, have one worker, and tell nothing of the rest. */
    if ((is_noisy(old) || is_noisy(new)) && (!ratios || new->reference != NULL))
        return not_judged(judgement, "a noisy machine, by its probe, and no floor to tell it by");
    if (ratios)
        return compare_ratios(judgement, &old_ratios, &new_ratios);
    if (new->reference != NULL && direction(&old->ns, &new->ns, ALONE_LEAST) == 0)
        return not_judged(judgement, "less than 20%, and only the time to judge by, so that it may be the machine");
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

/* Whether the new run of a program was asked for all that the old one has. */
static bool asked_as_much(const struct source *old, const struct source *new) {
    bool names = new->only == NULL || (old->only != NULL && strcmp(old->only, new->only) == 0);
    return names && same_number(old->workers, new->workers) && (old->seconds <= new->seconds || new->seconds <= 0);
}

/* Whether the new run should have measured the row, and has not. One with a reason was asked for, for certain. */
static bool is_lost(const struct pair *pair, const struct source *old, const struct source *new) {
    bool measured = pair->old != NULL && pair->old->missing == NULL;
    if (!pair->ours || !pair->in_both || !measured)
        return false;
    if (new->interrupted || old->quick != new->quick || other_machine(old, new))
        return false;
    return pair->new != NULL ? pair->new->missing != NULL : asked_as_much(old, new);
}

static void add_pair(struct pairs *pairs, const struct source *old_source, const struct source *new_source,
                     const struct row *old, const struct row *new) {
    struct pair *pair = &pairs->list[pairs->count++];
    *pair = (struct pair){.old = old, .new = new, .either = new != NULL ? new : old};
    pair->in_both = old_source != NULL && new_source != NULL;
    pair->ours = strcmp(pair->either->role, "ours") == 0;
    if (old != NULL && new != NULL)
        pair->other_machine = other_machine(old_source, new_source);
    pair->judgement = judge(old, new, !pair->other_machine);
    if (is_lost(pair, old_source, new_source)) {
        pair->judgement.verdict = LOST;
        pair->judgement.why = new != NULL ? new->missing : "not in the new run";
    }
}

/* A reference that both runs have measured, and not only the harness's own cost. */
static bool is_reference(const struct pair *pair) {
    const struct row *old = pair->old, *new = pair->new;
    if (old == NULL || new == NULL || new->reference != new)
        return false;
    return old->ns.median > 0 && new->ns.median > 0 && !too_short(old) && !too_short(new);
}

/* How many times as long the references of its file take as in the old run, at the median of them; without itself. */
static double times_of_references(const struct pairs *pairs, const struct pair *pair) {
    double *times = need(pairs->count, sizeof *times);
    size_t count = 0;
    for (size_t i = 0; i < pairs->count; i++) {
        const struct pair *other = &pairs->list[i];
        if (other != pair && is_reference(other) && other->new->source == pair->new->source)
            times[count++] = other->new->ns.median / other->old->ns.median;
    }
    double median = count > 0 ? median_of(times, count) : 1;
    free(times);
    return median;
}

/* What has no ratio, though it is of scaling or sizes, is compared with how the references have changed. */
static void look_at_references(const struct pairs *pairs, struct pair *pair) {
    enum verdict verdict = pair->judgement.verdict;
    if ((verdict != SLOWER && verdict != FASTER) || pair->new->reference == NULL ||
        !isnan(pair->judgement.ratio_change))
        return;
    double beyond = (1 + pair->judgement.change) / times_of_references(pairs, pair);
    if (verdict == SLOWER ? beyond <= 1 + ALONE_LEAST : beyond >= 1 / (1 + ALONE_LEAST))
        pair->judgement.verdict = THE_MACHINE;
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
    for (size_t i = 0; i < old->count; i++) {
        const struct row *row = &old->rows[i];
        const char *name = row->source->name;
        add_pair(&pairs, row->source, records_source(new, name), row, records_find(new, name, row->key));
    }
    for (size_t i = 0; i < new->count; i++) {
        const struct row *row = &new->rows[i];
        const char *name = row->source->name;
        if (records_find(old, name, row->key) == NULL)
            add_pair(&pairs, records_source(old, name), row->source, NULL, row);
    }
    for (size_t i = 0; i < pairs.count; i++)
        look_at_references(&pairs, &pairs.list[i]);
    qsort(pairs.list, pairs.count, sizeof *pairs.list, compare_changes);
    return pairs;
}
