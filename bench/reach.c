/* reach.c: what ours should reach, in words, and what came of it. */
#include <stdio.h>

#include "comparison.h"
#include "console.h"

void reach_text(const struct reach *reach, char text[TEXT_SIZE]) {
    switch (reach->kind) {
    case NO_REACH:
        snprintf(text, TEXT_SIZE, "-");
        break;
    case MOST_TO_FLOOR:
        snprintf(text, TEXT_SIZE, "<= %.4gx", reach->value);
        break;
    case LEAST_TO_PEER:
        snprintf(text, TEXT_SIZE, ">= %.4gx %s", reach->value, role_titles[reach->peer]);
        break;
    case LEAST_PART:
        snprintf(text, TEXT_SIZE, ">= %.4g of floor", reach->value);
        break;
    case MOST_MEDIAN_NS:
        snprintf(text, TEXT_SIZE, "p50 <= %s", human_time(reach->value));
        break;
    case MOST_P99_NS:
        snprintf(text, TEXT_SIZE, "p99 <= %s", human_time(reach->value));
        break;
    case LEAST_PER_SECOND:
        snprintf(text, TEXT_SIZE, ">= %s/s", human_count(reach->value));
        break;
    }
}

/* What was found, and the best quarter of it; less is better, or, with `at_least`, more is. Found 0: not measured. */
struct finding {
    double found, best_quarter;
    bool at_least;
    const char *remark;
};

static struct finding find(const struct comparison *comparison, const struct reach *reach) {
    struct spread ours = spread_of(&comparison->ns[OURS]);
    struct spread floor = spread_of(&comparison->ratios[FLOOR]);
    struct spread peer = spread_of(&comparison->ratios[reach->peer]);
    switch (reach->kind) {
    case NO_REACH:
        break;
    case MOST_TO_FLOOR:
        return (struct finding){.found = floor.median, .best_quarter = floor.q1};
    case LEAST_TO_PEER:
        return (struct finding){.found = peer.median, .best_quarter = peer.q3, .at_least = true};
    case LEAST_PART:
        if (floor.count > 0)
            return (struct finding){.found = 1 / floor.median, .best_quarter = 1 / floor.q1, .at_least = true};
        break;
    case MOST_MEDIAN_NS:
        return (struct finding){.found = ours.median, .best_quarter = ours.q1};
    case MOST_P99_NS:
        return (struct finding){.found = ours.p99,
                                .best_quarter = ours.p99,
                                .remark =
                                    spread_of(&comparison->ns[FLOOR]).p99 > reach->value ? " (the floor too)" : NULL};
    case LEAST_PER_SECOND:
        if (ours.count > 0)
            return (struct finding){.found = 1e9 / ours.median, .best_quarter = 1e9 / ours.q1, .at_least = true};
        break;
    }
    return (struct finding){0};
}

void reach_verdict(const struct comparison *comparison, const struct reach *reach, char text[TEXT_SIZE]) {
    struct finding finding = find(comparison, reach);
    double part = finding.found / reach->value; /* above 1 where less was asked for: that much too much */
    if (reach->kind == NO_REACH || finding.found <= 0) {
        snprintf(text, TEXT_SIZE, "-");
        return;
    }
    if (finding.at_least ? part >= 1 : part <= 1) {
        snprintf(text, TEXT_SIZE, "reached");
        return;
    }
    const char *remark = finding.remark != NULL ? finding.remark : "";
    /* A quarter of the rounds or more reached it. */
    if (finding.at_least ? finding.best_quarter >= reach->value : finding.best_quarter <= reach->value)
        remark = " (within the spread)";
    double percent = 100 * (finding.at_least ? 1 - part : part - 1);
    if (percent > 400)
        snprintf(text, TEXT_SIZE, "missed: %.1f times as much%s", part, remark);
    else
        snprintf(text, TEXT_SIZE, "missed by %.*f%%%s", percent < 0.95 ? 1 : 0, percent, remark);
}
