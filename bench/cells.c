/* cells.c: many things to measure in one run. */
#include "cells.h"

#include <stdlib.h>

#include "console.h"

/*
 * Passes in which every cell has its turn; how often its equal part of the time it may have after that; which part of
 * all the time makes a sample a dear one.
 */
enum { COMMON_PASSES = 3, PARTS_MOST = 3, DEAR_PART = 40 };

static size_t turns_of(const struct cell *cell) {
    return cell->turns > 0 ? cell->turns : 1;
}

static bool is_dear(const struct cell *cell, double seconds) {
    return cell->warm_ns * 1e-9 > seconds / DEAR_PART;
}

static void keep_sample(struct cell *cell, double ns) {
    samples_add(&cell->ns, ns);
    struct spread spread = spread_of(&cell->ns);
    cell->settled = settled(&spread) || spread.count >= CELL_SAMPLES_MOST;
}

static void take(struct cell *cell, measure_cell *measure, void *context, bool keep) {
    uint64_t start = now_ns();
    double ns = measure(cell, context, keep);
    cell->spent += seconds_since(start);
    if (interrupted())
        return; /* what was cut short is no sample */
    if (!(ns > 0)) {
        cell->left_out = true;
        return;
    }
    if (keep)
        keep_sample(cell, ns);
    else
        cell->warm_ns = ns;
}

void cells_measure(struct cell *cells, size_t count, measure_cell *measure, void *context, struct dice *dice,
                   double seconds, const char *title) {
    size_t turns = 0;
    for (size_t i = 0; i < count; i++)
        turns += turns_of(&cells[i]);
    size_t *order = need(turns, sizeof *order);
    uint64_t start = now_ns();
    progress(title, seconds);
    for (size_t i = 0; i < count && !interrupted(); i++) {
        take(&cells[i], measure, context, false);
        if (is_dear(&cells[i], seconds) && !cells[i].left_out && !interrupted())
            keep_sample(&cells[i], cells[i].warm_ns);
    }
    for (size_t i = 0, place = 0; i < count; i++)
        for (size_t turn = turns_of(&cells[i]); turn > 0; turn--)
            order[place++] = i;
    bool more = true, taken = true;
    for (size_t pass = 0; more && !interrupted(); pass++) {
        bool all = !taken; /* when all that are left have had too much, none has */
        more = taken = false;
        shuffle(dice, order, turns);
        for (size_t i = 0; i < turns && !interrupted(); i++) {
            struct cell *cell = &cells[order[i]];
            double spent = seconds_since(start);
            if (cell->settled || cell->left_out)
                continue;
            if (spent >= seconds && pass > 0) {
                more = false;
                break;
            }
            more = true;
            bool common = pass < COMMON_PASSES && !is_dear(cell, seconds);
            if (all || common || cell->spent <= PARTS_MOST * spent / (double)count) {
                progress(title, spent < seconds ? seconds - spent : 0);
                take(cell, measure, context, true);
                taken = true;
            }
        }
    }
    free(order);
}

size_t worker_steps(size_t most, bool doubling, size_t counts[COUNTS_MOST]) {
    size_t found = 0;
    for (size_t workers = 1; workers < most && found < COUNTS_MOST - 1;
         workers += workers < 4 && !doubling ? 1 : workers)
        counts[found++] = workers;
    counts[found++] = most;
    return found;
}
