/* table.c: what a comparison found: its rows in the files, its line in the table, and whether its reach was reached. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comparison.h"
#include "console.h"
#include "output.h"

enum { KEPT_SAMPLES = 120 };

const char comparison_header[] =
    "primitive,subject,implementation,samples,median_ns,q1_ns,q3_ns,p99_ns,least_ns,"
    "ratio,ratio_q1,ratio_q3,share_least_to_greatest,reach_ratio,reach_p99_ns,verdict,title";

void comparison_verdict(const struct comparison *comparison, char *text, size_t size) {
    struct spread ratio = spread_of(&comparison->ratios[FLOOR]);
    double found, reach;
    const char *remark = "";
    if (comparison->reach_ratio > 0 && ratio.count > 0) {
        found = ratio.median;
        reach = comparison->reach_ratio;
        if (ratio.q1 <= reach) /* a quarter of the rounds or more reached it */
            remark = " (within the spread)";
    } else if (comparison->reach_p99_ns > 0 && comparison->measured) {
        struct spread ours = spread_of(&comparison->ns[OURS]);
        found = ours.p99;
        reach = comparison->reach_p99_ns;
        if (spread_of(&comparison->ns[FLOOR]).p99 > reach)
            remark = " (the floor too)";
    } else {
        snprintf(text, size, "-");
        return;
    }
    double excess = 100 * (found / reach - 1);
    if (found <= reach)
        snprintf(text, size, "reached");
    else if (excess > 400)
        snprintf(text, size, "missed: %.1f times as much%s", found / reach, remark);
    else
        snprintf(text, size, "missed by %.*f%%%s", excess < 0.95 ? 1 : 0, excess, remark);
}

/* Empty for a number that there is not. */
static const char *field(double value, char text[32]) {
    text[0] = '\0';
    if (value > 0)
        snprintf(text, 32, "%.6g", value);
    return text;
}

void comparison_write(const struct comparison *comparison, FILE *rows, FILE *raw) {
    char verdict[64];
    comparison_verdict(comparison, verdict, sizeof verdict);
    for (size_t role = 0; role < ROLES; role++) {
        struct spread ns = spread_of(&comparison->ns[role]);
        struct spread ratio = spread_of(&comparison->ratios[role]);
        struct spread share = spread_of(&comparison->shares[role]);
        char text[6][32], label[96];
        if (ns.count == 0) {
            if (role == PYTHON && comparison->lost[0] != '\0')
                output_row(rows, "%s,%s,%s,0,,,,,,,,,,,,%s,\"%s\"", comparison->name, role_names[role],
                           comparison->subjects[role].name, comparison->lost, comparison->title);
            continue;
        }
        output_row(rows, "%s,%s,%s,%zu,%.6g,%.6g,%.6g,%.6g,%.6g,%s,%s,%s,%s,%s,%s,%s,\"%s\"", comparison->name,
                   role_names[role], comparison->subjects[role].name, ns.count, ns.median, ns.q1, ns.q3, ns.p99,
                   ns.least, field(ratio.median, text[0]), field(ratio.q1, text[1]), field(ratio.q3, text[2]),
                   field(share.median, text[3]), field(role == OURS ? comparison->reach_ratio : 0, text[4]),
                   field(role == OURS ? comparison->reach_p99_ns : 0, text[5]), role == OURS ? verdict : "",
                   comparison->title);
        snprintf(label, sizeof label, "%s,%s", comparison->name, role_names[role]);
        output_samples(raw, label, &comparison->ns[role], KEPT_SAMPLES);
    }
}

/* "1.02", "12", "340": enough digits to see a percent where it matters. */
static void ratio_text(char *text, size_t size, double ratio) {
    if (ratio <= 0)
        snprintf(text, size, "-");
    else
        snprintf(text, size, "%.*fx", ratio < 9.995 ? 2 : ratio < 99.95 ? 1 : 0, ratio);
}

static void print_line(const struct comparison *comparison) {
    struct spread ns[ROLES];
    char ours[64], ratio[16], python[48], python_ratio[16], reach[32] = "-", verdict[64];
    for (size_t role = 0; role < ROLES; role++)
        ns[role] = spread_of(&comparison->ns[role]);
    snprintf(ours, sizeof ours, "%s [%s .. %s]", human_time(ns[OURS].median), human_time(ns[OURS].q1),
             human_time(ns[OURS].q3));
    ratio_text(ratio, sizeof ratio, spread_of(&comparison->ratios[FLOOR]).median);
    ratio_text(python_ratio, sizeof python_ratio, spread_of(&comparison->ratios[PYTHON]).median);
    if (comparison->lost[0] != '\0')
        snprintf(python, sizeof python, "lost");
    else
        snprintf(python, sizeof python, "%s", ns[PYTHON].count > 0 ? human_time(ns[PYTHON].median) : "-");
    if (comparison->reach_ratio > 0)
        snprintf(reach, sizeof reach, "<= %.4gx", comparison->reach_ratio);
    else if (comparison->reach_p99_ns > 0)
        snprintf(reach, sizeof reach, "p99 <= %s", human_time(comparison->reach_p99_ns));
    comparison_verdict(comparison, verdict, sizeof verdict);
    printf("%-34s %-31s %9s %7s %9s %7s  %-14s %s\n", comparison->title, ours,
           ns[FLOOR].count > 0 ? human_time(ns[FLOOR].median) : "-", ratio, python, python_ratio, reach, verdict);
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
    if (comparison->reach_p99_ns > 0)
        printf("    p99: %s %s, %s %s\n", comparison->subjects[OURS].name,
               human_time(spread_of(&comparison->ns[OURS]).p99), comparison->subjects[FLOOR].name,
               human_time(spread_of(&comparison->ns[FLOOR]).p99));
    if (comparison->lost[0] != '\0')
        printf("    %s: %s\n", comparison->subjects[PYTHON].name, comparison->lost);
}

void comparison_table(const struct comparison *comparisons, size_t count) {
    printf("\n%-34s %-31s %9s %7s %9s %7s  %-14s %s\n", "operation", "ours: median [q1 .. q3]", "floor", "ratio",
           "Python", "/ours", "reach", "");
    for (size_t i = 0; i < count; i++) {
        if (comparisons[i].measured) {
            print_line(&comparisons[i]);
            print_remarks(&comparisons[i]);
        }
    }
    fflush(stdout);
}
