/* table.c: what the comparisons found: their rows in the files, their lines in the table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comparison.h"
#include "console.h"
#include "output.h"

enum { KEPT_SAMPLES = 200, QUANTILES = 200, REACHES_SIZE = MOST_REACHES * (2 * TEXT_SIZE + 8) };

/* The columns up to `title` are those of every year; what came later stands after it. */
const char comparison_header[] = "primitive,subject,implementation,samples,median_ns,q1_ns,q3_ns,p99_ns,least_ns,"
                                 "ratio,ratio_q1,ratio_q3,share_least_to_greatest,reach_ratio,reach_p99_ns,verdict,"
                                 "title,reaches,bytes,in_table,low_ns,high_ns,ratio_low,ratio_high,settled";
const char latency_header[] = "primitive,subject,implementation,part,time_ns";

/* Empty for a number that there is not. */
static const char *field(double value, char text[32]) {
    text[0] = '\0';
    if (value > 0)
        snprintf(text, 32, "%.6g", value);
    return text;
}

/* The value of the comparison's reach of this kind; 0 when it has none. */
static double reach_of(const struct comparison *comparison, enum reach_kind kind) {
    for (size_t i = 0; i < MOST_REACHES; i++)
        if (comparison->reaches[i].kind == kind)
            return comparison->reaches[i].value;
    return 0;
}

/* ">= 70x Python: reached; >= 1x Boost: missed by 3%" */
static void all_reaches(const struct comparison *comparison, char text[REACHES_SIZE]) {
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < MOST_REACHES && comparison->reaches[i].kind != NO_REACH; i++) {
        char reach[TEXT_SIZE], verdict[TEXT_SIZE];
        reach_text(&comparison->reaches[i], reach);
        reach_verdict(comparison, &comparison->reaches[i], verdict);
        length += (size_t)snprintf(text + length, REACHES_SIZE - length, "%s%s: %s", i > 0 ? "; " : "", reach, verdict);
    }
}

/* The cumulative distribution: the time below which each part of the samples lies; the last row is the greatest. */
static void write_latencies(const struct comparison *comparison, size_t role, FILE *file) {
    const struct samples *ns = &comparison->ns[role];
    double *sorted = need(ns->count, sizeof *sorted);
    memcpy(sorted, ns->values, ns->count * sizeof *sorted);
    median_of(sorted, ns->count);
    for (size_t i = 0; i <= QUANTILES; i++)
        output_row(file, "%s,%s,%s,%.4g,%.6g", comparison->name, role_names[role], comparison->subjects[role].name,
                   (double)i / QUANTILES, quantile(sorted, ns->count, (double)i / QUANTILES));
    free(sorted);
}

/* Why there are no numbers, NULL when nobody was to give any. */
static const char *missing_reason(const struct comparison *comparison, size_t role) {
    return comparison->lost[role][0] != '\0' ? comparison->lost[role] : comparison->absent[role];
}

static void record_comparison(const struct comparison *comparison, size_t role, struct record *record) {
    char key[TEXT_SIZE];
    snprintf(key, sizeof key, "%s/%s", comparison->name, role_names[role]);
    const char *kind = role == OURS ? "ours" : role == FLOOR ? "floor" : "peer";
    if (comparison->ns[role].count == 0) {
        record_missing(record, key, kind, missing_reason(comparison, role));
        return;
    }
    json_t *row = record_row(record, key, kind, &comparison->ns[role], KEPT_SAMPLES);
    json_object_set_new(row, "title", json_string(comparison->title));
    json_object_set_new(row, "implementation", json_string(comparison->subjects[role].name));
    record_samples(row, "ratios", &comparison->ratios[role], KEPT_SAMPLES);
}

void comparison_write(const struct comparison *comparison, FILE *rows, FILE *latencies, struct record *record) {
    char verdict[TEXT_SIZE], reaches[REACHES_SIZE];
    const char *in_table = comparison->only_in_files ? "no" : "yes";
    reach_verdict(comparison, &comparison->reaches[0], verdict);
    all_reaches(comparison, reaches);
    for (size_t role = 0; role < ROLES; role++) {
        const char *name = comparison->subjects[role].name;
        struct spread ns = spread_of(&comparison->ns[role]);
        struct spread ratio = spread_of(&comparison->ratios[role]);
        struct spread share = spread_of(&comparison->shares[role]);
        char text[9][32];
        if (ns.count == 0) {
            const char *reason = missing_reason(comparison, role);
            if (reason != NULL) {
                output_row(rows, "%s,%s,%s,0,,,,,,,,,,,,%s,%s,,,%s,,,,,", comparison->name, role_names[role], name,
                           output_quoted(reason), output_quoted(comparison->title), in_table);
                record_comparison(comparison, role, record);
            }
            continue;
        }
        output_row(rows, "%s,%s,%s,%zu,%.6g,%.6g,%.6g,%.6g,%.6g,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%.6g,%.6g,%s,%s,%s",
                   comparison->name, role_names[role], name, ns.count, ns.median, ns.q1, ns.q3, ns.p99, ns.least,
                   field(ratio.median, text[0]), field(ratio.q1, text[1]), field(ratio.q3, text[2]),
                   field(share.median, text[3]), field(role == OURS ? reach_of(comparison, MOST_TO_FLOOR) : 0, text[4]),
                   field(role == OURS ? reach_of(comparison, MOST_P99_NS) : 0, text[5]), role == OURS ? verdict : "",
                   output_quoted(comparison->title), output_quoted(role == OURS ? reaches : ""),
                   field(comparison->bytes, text[6]), in_table, ns.low, ns.high, field(ratio.low, text[7]),
                   field(ratio.high, text[8]), settled(&ns) ? "yes" : "no");
        record_comparison(comparison, role, record);
        if (comparison->latency)
            write_latencies(comparison, role, latencies);
    }
}

/* "1.02", "12", "340": enough digits to see a percent where it matters. */
static void ratio_text(char text[16], double ratio) {
    if (ratio <= 0)
        snprintf(text, 16, "-");
    else
        snprintf(text, 16, "%.*fx", ratio < 9.995 ? 2 : ratio < 99.95 ? 1 : 0, ratio);
}

/* The peers that any row of the table has: a column each. */
struct columns {
    size_t peers[ROLES], count;
};

static struct columns columns_of(const struct comparison *comparisons, size_t count) {
    struct columns columns = {.count = 0};
    for (size_t role = FIRST_PEER; role < ROLES; role++) {
        bool used = false;
        for (size_t i = 0; i < count; i++)
            used |= comparisons[i].subjects[role].name != NULL;
        if (used)
            columns.peers[columns.count++] = role;
    }
    return columns;
}

/* A peer's time, where there is the width for it, and how often it takes ours. */
static void print_peer(const struct comparison *comparison, const struct columns *columns, size_t column) {
    size_t role = columns->peers[column];
    double median = spread_of(&comparison->ns[role]).median;
    char ratio[16];
    ratio_text(ratio, spread_of(&comparison->ratios[role]).median);
    if (columns->count == 1)
        printf(" %9s", comparison->lost[role][0] != '\0' ? "lost" : median > 0 ? human_time(median) : "-");
    printf(columns->count == 1 ? " %7s" : " %8s", ratio);
}

/* The last columns: the reach and its verdict; a further reach has a line of its own below the first one's. */
static void print_reaches(const struct comparison *comparison, int indent) {
    for (size_t i = 0; i < MOST_REACHES && (i == 0 || comparison->reaches[i].kind != NO_REACH); i++) {
        char reach[TEXT_SIZE], verdict[TEXT_SIZE];
        reach_text(&comparison->reaches[i], reach);
        reach_verdict(comparison, &comparison->reaches[i], verdict);
        printf("%*s  %-14s %s\n", i > 0 ? indent : 0, "", reach, verdict);
    }
}

static void print_line(const struct comparison *comparison, const struct columns *columns) {
    struct spread ours = spread_of(&comparison->ns[OURS]);
    struct spread floor = spread_of(&comparison->ns[FLOOR]);
    char text[64], ratio[16];
    snprintf(text, sizeof text, "%s [%s .. %s]", human_time(ours.median), human_time(ours.q1), human_time(ours.q3));
    ratio_text(ratio, spread_of(&comparison->ratios[FLOOR]).median);
    int width =
        printf("%-34s %-31s %9s %7s", comparison->title, text, floor.count > 0 ? human_time(floor.median) : "-", ratio);
    for (size_t column = 0; column < columns->count; column++)
        print_peer(comparison, columns, column);
    print_reaches(comparison, width + (columns->count == 1 ? 18 : 9 * (int)columns->count));
}

/* "    bytes a second: at_queue 1.23 GB/s, memcpy ..." */
static void print_bytes(const struct comparison *comparison) {
    const char *between = "    bytes a second:";
    for (size_t role = 0; role < ROLES; role++) {
        double median = spread_of(&comparison->ns[role]).median;
        if (median > 0)
            printf("%s %s %.3g GB/s", between, comparison->subjects[role].name, comparison->bytes / median);
        if (median > 0)
            between = ",";
    }
    putchar('\n');
}

/* What does not fit into the line. */
static void print_remarks(const struct comparison *comparison) {
    for (size_t role = 0; role < ROLES; role++) {
        struct spread share = spread_of(&comparison->shares[role]);
        if (share.count > 0)
            printf("%s%s %.2f", role == 0 ? "    shares of the least and the greatest worker: " : ", ",
                   comparison->subjects[role].name, share.median);
    }
    if (comparison->shares[OURS].count > 0)
        putchar('\n');
    if (comparison->bytes > 0)
        print_bytes(comparison);
    if (reach_of(comparison, MOST_P99_NS) > 0 || reach_of(comparison, MOST_MEDIAN_NS) > 0)
        printf("    p99: %s %s, %s %s\n", comparison->subjects[OURS].name,
               human_time(spread_of(&comparison->ns[OURS]).p99), comparison->subjects[FLOOR].name,
               human_time(spread_of(&comparison->ns[FLOOR]).p99));
    for (size_t role = 0; role < ROLES; role++)
        if (comparison->lost[role][0] != '\0')
            printf("    %s: %s\n", comparison->subjects[role].name, comparison->lost[role]);
}

void comparison_table(const struct comparison *comparisons, size_t count) {
    struct columns columns = columns_of(comparisons, count);
    printf("\n%-34s %-31s %9s %7s", "operation", "ours: median [q1 .. q3]", "floor", "ratio");
    for (size_t i = 0; i < columns.count; i++)
        printf(columns.count == 1 ? " %9s %7s" : " %8s", role_titles[columns.peers[i]], "/ours");
    printf("  %-14s\n", "reach");
    for (size_t i = 0; i < count; i++) {
        if (comparisons[i].measured && !comparisons[i].only_in_files) {
            print_line(&comparisons[i], &columns);
            print_remarks(&comparisons[i]);
        }
    }
    if (columns.count > 1)
        puts("The peers' columns say how many times our time they take.");
    fflush(stdout);
}
