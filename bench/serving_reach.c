/* serving_reach.c: what the serving lab should reach, and what came of it: a table and a file. */
#include <math.h>
#include <stdio.h>

#include "console.h"
#include "output.h"
#include "serving.h"

enum { VERDICT = 64 };

struct reached *reach_add(struct serving *serving, const char *key, const char *title, const char *unit, bool at_least,
                          double value, bool simulated) {
    static struct reached nowhere;
    if (serving->reach_count == MOST_REACHES)
        return &nowhere;
    struct reached *reached = &serving->reaches[serving->reach_count++];
    *reached = (struct reached){
        .key = key, .title = title, .unit = unit, .at_least = at_least, .value = value, .simulated = simulated};
    return reached;
}

void reach_ratios(struct reached *reached, const struct samples *numerators, const struct samples *denominators) {
    size_t count = numerators->count < denominators->count ? numerators->count : denominators->count;
    for (size_t i = 0; i < count; i++)
        if (denominators->values[i] > 0)
            samples_add(&reached->found, numerators->values[i] / denominators->values[i]);
}

/* As reach.c has it: reached, or by how much not, and whether some of the runs did. */
static void verdict_of(const struct reached *reached, const struct spread *found, char text[VERDICT]) {
    double part = found->median / (reached->value > 0 ? reached->value : 1);
    if (found->count == 0) {
        snprintf(text, VERDICT, "-");
    } else if (reached->at_least ? found->median >= reached->value : found->median <= reached->value) {
        snprintf(text, VERDICT, "reached");
    } else {
        bool within = reached->at_least ? found->q3 >= reached->value : found->q1 <= reached->value;
        snprintf(text, VERDICT, "missed by %.0f%%%s", 100 * fabs(1 - part), within ? " (within the spread)" : "");
    }
}

/* "30 000 requests/s", "4.1x": as many digits as it takes to judge. */
static const char *with_unit(double value, const char *unit, char text[64]) {
    if (value >= 1e4)
        snprintf(text, 64, "%d %03d%s", (int)(value / 1000), (int)value % 1000, unit);
    else
        snprintf(text, 64, "%.*f%s", value < 10 ? 2 : value < 100 ? 1 : 0, value, unit);
    return text;
}

static void print(const struct reached *reached, const struct spread *found, const char *verdict) {
    char value[64], low[64], high[64], goal[64], text[200] = "-";
    if (found->count > 0)
        snprintf(text, sizeof text, "%s [%s .. %s]", with_unit(found->median, reached->unit, value),
                 with_unit(found->low, "", low), with_unit(found->high, "", high));
    printf("%-62s %-38s %s %-12s %s\n", reached->title, text,
           reached->at_least ? ">=" : "<=", with_unit(reached->value, reached->unit, goal), verdict);
}

void reaches_finish(struct serving *serving) {
    FILE *file = output_open(serving->options->output, "serving",
                             "key,title,samples,found,low,high,unit,relation,reach,verdict,simulated");
    if (serving->reach_count > 0)
        printf("\n%-62s %-38s %-15s %s\n", "serving (lab 13)", "median [least .. greatest]", "reach", "verdict");
    json_t *list = json_array();
    for (size_t i = 0; i < serving->reach_count; i++) {
        struct reached *reached = &serving->reaches[i];
        struct spread found = spread_of(&reached->found);
        char verdict[VERDICT];
        const char *relation = reached->at_least ? "at least" : "at most";
        verdict_of(reached, &found, verdict);
        print(reached, &found, verdict);
        output_row(file, "%s,%s,%zu,%.6g,%.6g,%.6g,%s,%s,%.6g,%s,%s", reached->key, output_quoted(reached->title),
                   found.count, found.median, found.low, found.high, output_quoted(reached->unit), relation,
                   reached->value, verdict, reached->simulated ? "yes" : "no");
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:f, s:f, s:f, s:s, s:f, s:s}", "key", reached->key,
                                              "title", reached->title, "samples", (json_int_t)found.count, "found",
                                              found.median, "low", found.low, "high", found.high, "relation", relation,
                                              "reach", reached->value, "verdict", verdict));
        samples_free(&reached->found);
    }
    json_object_set_new(serving->record.document, "reaches", list); /* not rows, which are times */
    fflush(stdout);
    output_close(file);
}
