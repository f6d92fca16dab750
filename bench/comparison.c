/* comparison.c: measures one operation by us, by the floor and by Python, in turn. */
#include "comparison.h"

#include <string.h>

#include "console.h"

enum { MOST_ROUNDS = 1000, BATCH_MOST = 64 };

const char *const role_names[ROLES] = {"ours", "floor", "python"};

/* One batch of one subject; the median of the batch, 0 when there was none. */
static double take_batch(struct comparison *comparison, size_t role, struct peer *peer, bool keep) {
    struct subject *subject = &comparison->subjects[role];
    struct observation taken[BATCH_MOST];
    double ns[BATCH_MOST];
    size_t batch = subject->batch > 0 ? subject->batch : comparison->batch;
    size_t count = peer != NULL ? peer_ask(peer, taken, batch) : subject->take(taken, batch);
    if (interrupted() || count == 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        ns[i] = taken[i].ns;
        if (keep) {
            samples_add(&comparison->ns[role], taken[i].ns);
            if (taken[i].share > 0)
                samples_add(&comparison->shares[role], taken[i].share);
        }
    }
    return median_of(ns, count);
}

static void keep_ratio(struct samples *ratios, double above, double below) {
    if (above > 0 && below > 0)
        samples_add(ratios, above / below);
}

/* The peers that stand ready for this comparison: its own Python, and those that run already. */
static void start_peers(struct comparison *comparison, const struct setting *setting, struct peer *python,
                        struct peer *peers[ROLES]) {
    for (size_t role = 0; role < ROLES; role++) {
        struct subject *subject = &comparison->subjects[role];
        peers[role] = subject->peer;
        if (subject->script != NULL && setting->python) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", setting->peers, subject->script);
            char *argv[] = {(char[]){"python3"},
                            (char[]){"-B"},
                            path,
                            (char *)(uintptr_t)subject->argument,
                            (char *)(uintptr_t)subject->second_argument,
                            NULL};
            if (peer_spawn(python, subject->name, argv))
                peers[role] = python;
        }
    }
}

void comparison_run(struct comparison *comparison, const struct setting *setting, double seconds_left_after) {
    if (interrupted() || (comparison->before != NULL && !comparison->before()))
        return;
    struct peer python = {0};
    struct peer *peers[ROLES];
    progress(comparison->title, setting->seconds + seconds_left_after);
    start_peers(comparison, setting, &python, peers);
    bool there[ROLES];
    for (size_t role = 0; role < ROLES; role++) { /* the first batch warms up and shows who is there */
        bool can = comparison->subjects[role].take != NULL || peers[role] != NULL;
        there[role] = can && take_batch(comparison, role, peers[role], false) > 0;
    }
    uint64_t start = now_ns();
    for (size_t round = 0; round < MOST_ROUNDS && !interrupted(); round++) {
        double spent = seconds_since(start);
        if (spent >= setting->seconds && round >= comparison->least_rounds)
            break;
        progress(comparison->title, (spent < setting->seconds ? setting->seconds - spent : 0) + seconds_left_after);
        double medians[ROLES] = {0};
        size_t order[ROLES] = {OURS, FLOOR, PYTHON};
        shuffle(setting->dice, order, ROLES);
        for (size_t i = 0; i < ROLES; i++) {
            size_t role = order[i];
            if (there[role])
                medians[role] = take_batch(comparison, role, peers[role], true);
            there[role] = medians[role] > 0; /* a peer that has failed once is not asked again */
        }
        keep_ratio(&comparison->ratios[FLOOR], medians[OURS], medians[FLOOR]);
        keep_ratio(&comparison->ratios[PYTHON], medians[PYTHON], medians[OURS]);
    }
    memcpy(comparison->lost, python.lost, sizeof comparison->lost);
    peer_stop(&python);
    if (comparison->after != NULL)
        comparison->after();
    comparison->measured = comparison->ns[OURS].count > 0;
}

void comparison_free(struct comparison *comparison) {
    for (size_t role = 0; role < ROLES; role++) {
        samples_free(&comparison->ns[role]);
        samples_free(&comparison->shares[role]);
        samples_free(&comparison->ratios[role]);
    }
}
