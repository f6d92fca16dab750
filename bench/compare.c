/* compare.c: what got slower beyond the noise from one run of the benchmarks to another. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"
#include "measure.h"
#include "records.h"
#include "verdict.h"

enum { NAME_WIDTH = 40, LINE_WIDTH = 116 };

static void usage(FILE *stream) {
    fputs(
        "usage: compare [--all] OLD NEW\n"
        "       make bench-compare OLD=... NEW=...\n"
        "Says what got slower beyond the noise from one run of the benchmarks to another.\n\n"
        "  OLD, NEW   a file of the run (.../2026-11-22-scaling.json), the beginning of the names of all of its files\n"
        "             (.../2026-11-22), or a folder: then its newest date\n"
        "  --all      show every row, not only those that changed\n"
        "  --help     this text\n\n"
        "A row is slower when its median grew by more than 5% and the 95% confidence intervals of the two medians\n"
        "do not overlap; where a run has only 3 to 5 samples, when the median more than doubled and all new samples\n"
        "lie above all old ones. The same must be true of its ratio to what was measured beside it in the same run,\n"
        "else it is the machine: its floor; in scaling serial, for the same work; in sizes none, for the same n and\n"
        "workers. Serial and none themselves have only their time: it must have grown by more than 20%, and by as\n"
        "much beyond what the others in the file grew by, at the median of them. What takes less than 100 ns in\n"
        "sizes is not judged, since the harness's own cost shows, nor is anything measured against it.\n"
        "\n"
        "A row of ours is lost when OLD has measured it and NEW has not, though it is of the same program on the\n"
        "same machine, as quick or as full, given as much, and was not interrupted.\n"
        "\n"
        "Ends with 1 when a row of ours got slower or is lost; with 2 when no row of ours could be judged, or a run\n"
        "cannot be read; else with 0.\n",
        stream);
}

/* ---- what is to be known before the table */

static void print_run(const char *which, const char *where, const struct records *records) {
    const struct source *first = &records->sources[0];
    printf("%s: %s: %zu row%s of", which, where, records->count, records->count == 1 ? "" : "s");
    for (size_t i = 0; i < records->source_count; i++)
        printf("%s %s%s", i > 0 ? "," : "", records->sources[i].name,
               records->sources[i].interrupted ? " (interrupted)" : "");
    printf("; %s%s%s, %s\n", first->machine != NULL ? first->machine : "a machine that it does not name",
           first->commit != NULL ? ", commit " : "", first->commit != NULL ? first->commit : "",
           first->quick ? "quick" : "full");
}

/* Names the files, found in both, of which something is true. */
static void print_caution(const struct records *old, const struct records *new,
                          bool (*is_so)(const struct source *, const struct source *), const char *what) {
    const char *before = what;
    for (size_t i = 0; i < old->source_count; i++) {
        const struct source *other = records_source(new, old->sources[i].name);
        if (other == NULL || !is_so(&old->sources[i], other))
            continue;
        printf("%s%s", before, old->sources[i].name);
        before = ", ";
    }
    if (before != what)
        putchar('\n');
}

/* Names the files that only one of the runs has. */
static void print_only(const struct records *here, const struct records *there, const char *what) {
    const char *before = what;
    for (size_t i = 0; i < here->source_count; i++) {
        const struct source *source = &here->sources[i];
        if (records_source(there, source->name) != NULL)
            continue;
        printf("%s%s (%zu row%s)", before, source->name, source->rows, source->rows == 1 ? "" : "s");
        before = ", ";
    }
    if (before != what)
        putchar('\n');
}

static bool other_thoroughness(const struct source *old, const struct source *new) {
    return old->quick != new->quick;
}

static size_t files_in_both(const struct records *old, const struct records *new) {
    size_t both = 0;
    for (size_t i = 0; i < old->source_count; i++)
        both += records_source(new, old->sources[i].name) != NULL;
    return both;
}

/* ---- the table */

static const char *percent(double change, char text[32]) {
    if (isnan(change))
        return "";
    snprintf(text, 32, "%+.*f%%", fabs(change) < 0.0995 ? 1 : 0, 100 * change);
    return text;
}

static const char *value(const struct row *row, bool ratio, char text[32]) {
    if (row == NULL || row->missing != NULL)
        return "-";
    if (!ratio)
        return human_time(row->ns.median);
    if (row->ratios.count == 0)
        return "-";
    snprintf(text, 32, "%.3gx", row->ratios.median);
    return text;
}

static void print_pair(const struct pair *pair) {
    char name[128], old[32], new[32], change[32], ratio[32];
    snprintf(name, sizeof name, "%s: %s", pair->either->source->name, pair->either->key);
    printf("%-*s %-5s %9s %9s %8s %8s  %s\n", NAME_WIDTH, name, pair->either->role,
           value(pair->old, pair->other_machine, old), value(pair->new, pair->other_machine, new),
           percent(pair->other_machine ? (double)NAN : pair->judgement.change, change),
           percent(pair->judgement.ratio_change, ratio), verdict_names[pair->judgement.verdict]);
}

static bool in_table(const struct pair *pair, bool all) {
    enum verdict verdict = pair->judgement.verdict;
    return all || verdict == SLOWER || verdict == FASTER || verdict == THE_MACHINE;
}

static void print_table(const struct pairs *pairs, bool all) {
    size_t shown = 0;
    for (size_t i = 0; i < pairs->count; i++) {
        if (!in_table(&pairs->list[i], all))
            continue;
        if (shown++ == 0)
            printf("\n%-*s %-5s %9s %9s %8s %8s  %s\n", NAME_WIDTH, "row", "role", "old", "new", "change", "ratio",
                   "verdict");
        print_pair(&pairs->list[i]);
    }
}

/* ---- what is not in it */

static bool same_reason(const char *one, const char *other) {
    return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

/* Whether a row is one of those to be named: of this verdict, for this reason, of a file that has been compared. */
static bool is_named(const struct pair *pair, enum verdict verdict, const char *why) {
    return pair->judgement.verdict == verdict && same_reason(pair->judgement.why, why) && pair->in_both;
}

/* "    queues: ", and the keys of those that are in this file, so many in a line as go into it. */
static void print_keys(const struct pairs *pairs, enum verdict verdict, const char *why, const char *file) {
    const char *between = "";
    int column = printf("\n    %s:", file);
    for (size_t i = 0; i < pairs->count; i++) {
        const struct row *row = pairs->list[i].either;
        if (!is_named(&pairs->list[i], verdict, why) || strcmp(row->source->name, file) != 0)
            continue;
        if (column + (int)strlen(row->key) > LINE_WIDTH)
            column = printf("%s\n       ", between) - (int)strlen(between);
        else
            column += printf("%s", between);
        column += printf(" %s", row->key);
        between = ",";
    }
}

/* "gone, 3 rows:", and their names, file by file. */
static void print_named(const struct pairs *pairs, enum verdict verdict, const char *why) {
    size_t count = 0;
    for (size_t i = 0; i < pairs->count; i++)
        count += is_named(&pairs->list[i], verdict, why);
    printf("\n%s, %zu row%s%s%s:", verdict_names[verdict], count, count > 1 ? "s" : "", why != NULL ? ": " : "",
           why != NULL ? why : "");
    for (size_t i = 0; i < pairs->count; i++) {
        const char *file = pairs->list[i].either->source->name;
        bool told = !is_named(&pairs->list[i], verdict, why);
        for (size_t before = 0; before < i && !told; before++)
            told = is_named(&pairs->list[before], verdict, why) &&
                   strcmp(pairs->list[before].either->source->name, file) == 0;
        if (!told)
            print_keys(pairs, verdict, why, file);
    }
    putchar('\n');
}

/* Each reason once, with all of its rows. */
static void print_reasons(const struct pairs *pairs, enum verdict verdict) {
    for (size_t i = 0; i < pairs->count; i++) {
        const char *why = pairs->list[i].judgement.why;
        bool told = !is_named(&pairs->list[i], verdict, why);
        for (size_t before = 0; before < i && !told; before++)
            told = is_named(&pairs->list[before], verdict, why);
        if (!told)
            print_named(pairs, verdict, why);
    }
}

/* ---- what it comes to */

static void print_agreement(const struct pairs *pairs) {
    const struct pair *worst = NULL;
    size_t rows = 0, close = 0;
    double greatest = 0;
    for (size_t i = 0; i < pairs->count; i++) {
        const struct pair *pair = &pairs->list[i];
        double apart = pair->ours && !pair->other_machine ? difference(pair->old, pair->new) : (double)NAN;
        if (isnan(apart))
            continue;
        rows++;
        close += apart < CHANGE_LEAST;
        if (worst == NULL || apart > greatest) {
            worst = pair;
            greatest = apart;
        }
    }
    if (worst != NULL)
        printf("\nHow well the runs agree: of %zu rows of ours, %zu have medians less than 5%% apart; the furthest are "
               "%.1f%% apart: %s: %s\n",
               rows, close, 100 * greatest, worst->new->source->name, worst->new->key);
}

/* The last lines, and main's status. */
static int conclude(const struct pairs *pairs) {
    size_t counts[VERDICTS] = {0}, ours[VERDICTS] = {0};
    for (size_t i = 0; i < pairs->count; i++) {
        enum verdict verdict = pairs->list[i].judgement.verdict;
        counts[verdict]++;
        ours[verdict] += pairs->list[i].ours;
    }
    size_t judged = counts[SLOWER] + counts[FASTER] + counts[SAME] + counts[THE_MACHINE];
    size_t judged_of_ours = ours[SLOWER] + ours[FASTER] + ours[SAME] + ours[THE_MACHINE];
    printf("Judged %zu: %zu slower (%zu of ours), %zu faster, %zu the same, %zu the machine; lost %zu, not judged %zu, "
           "new %zu, gone %zu\n",
           judged, counts[SLOWER], ours[SLOWER], counts[FASTER], counts[SAME], counts[THE_MACHINE], counts[LOST],
           counts[NOT_JUDGED], counts[ONLY_IN_NEW], counts[ONLY_IN_OLD]);
    bool failed = ours[SLOWER] > 0 || counts[LOST] > 0;
    if (ours[SLOWER] > 0)
        puts("Something of ours got slower.");
    if (counts[LOST] > 0)
        puts("Something of ours is lost.");
    if (!failed)
        puts(judged_of_ours == 0 ? "Nothing of ours could be judged; measure with more time, or the same programs."
                                 : "Nothing of ours got slower beyond the noise.");
    return failed ? 1 : judged_of_ours == 0 ? 2 : 0;
}

/* Says it all. Returns main's status. */
static int compare_runs(const struct records *old, const struct records *new, char *const paths[2], bool all) {
    if (files_in_both(old, new) == 0) {
        fprintf(stderr, "compare: %s and %s have measured nothing that is in both; say runs of the same programs\n",
                paths[0], paths[1]);
        return 2;
    }
    print_caution(old, new, other_machine, "Other machines, so that only ratios to a floor can be compared: ");
    print_caution(old, new, other_thoroughness, "A quick run against a full one, so that less can be said: ");
    print_run("old", paths[0], old);
    print_run("new", paths[1], new);
    print_only(old, new, "Only in the old run: ");
    print_only(new, old, "Only in the new run: ");
    struct pairs pairs = pairs_of(old, new);
    print_table(&pairs, all);
    print_reasons(&pairs, LOST);
    print_reasons(&pairs, NOT_JUDGED);
    print_reasons(&pairs, ONLY_IN_NEW);
    print_reasons(&pairs, ONLY_IN_OLD);
    print_agreement(&pairs);
    int status = conclude(&pairs);
    free(pairs.list);
    return status;
}

int main(int argc, char *argv[]) {
    static const struct option known[] = {
        {"all", no_argument, NULL, 'a'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    bool all = false;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option != 'a') {
            usage(option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
        all = true;
    }
    if (argc - optind != 2 || argv[optind][0] == '\0' || argv[optind + 1][0] == '\0') {
        fputs("compare: two runs are wanted, the old one and the new one\n", stderr);
        usage(stderr);
        return 2;
    }
    struct records old, new;
    records_read(&old, argv[optind]);
    records_read(&new, argv[optind + 1]);
    int status = compare_runs(&old, &new, &argv[optind], all);
    records_free(&old);
    records_free(&new);
    return status;
}
