/* comparison.c: measures one operation by us, by the floor and by its peers, in turn. */
#include "comparison.h"

#include <string.h>
#include <unistd.h>

#include "console.h"

/* What a row has even when the time is up. */
enum { LEAST_ROUNDS = 3, MOST_ROUNDS = 1000 };

const char *const role_names[ROLES] = {"ours", "floor",  "python", "executor", "openmp", "boost",
                                       "pipe", "mqueue", "libuv",  "glib",     "fork"};
const char *const role_titles[ROLES] = {"ours", "floor",    "Python", "executor", "OpenMP", "Boost",
                                        "pipe", "POSIX mq", "libuv",  "GLib",     "fork"};

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

/* Known well enough: our time, and all the ratios that the table shows. */
static bool is_settled(const struct comparison *comparison) {
    struct spread ours = spread_of(&comparison->ns[OURS]);
    if (!settled(&ours))
        return false;
    for (size_t role = FLOOR; role < ROLES; role++) {
        struct spread ratio = spread_of(&comparison->ratios[role]);
        if (ratio.count > 0 && !settled(&ratio))
            return false;
    }
    return true;
}

/* Starts the subject's program, a script or one that was built, as a peer; false when it cannot be. */
static bool start_peer(struct peer *peer, const struct subject *subject, size_t role, const struct setting *setting) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", subject->script != NULL ? setting->peers : setting->programs,
             subject->script != NULL ? subject->script : subject->program);
    if (subject->script != NULL && !setting->python)
        return false; /* which was said when the program began */
    if (subject->program != NULL && access(path, X_OK) != 0) {
        static bool said[ROLES];
        if (!said[role])
            note("bench: no %s: the column of %s stays empty; ./setup bench installs what builds it", path,
                 subject->name);
        said[role] = true;
        return false;
    }
    char *argv[3 + MOST_ARGUMENTS + 1] = {(char[]){"python3"}, (char[]){"-B"}, path};
    for (size_t i = 0; i < MOST_ARGUMENTS; i++)
        argv[3 + i] = (char *)(uintptr_t)subject->arguments[i];
    return peer_spawn(peer, subject->name, subject->script != NULL ? argv : argv + 2);
}

void comparison_run(struct comparison *comparison, const struct setting *setting, double seconds_left_after) {
    if (interrupted() || (comparison->before != NULL && !comparison->before()))
        return;
    struct peer started[ROLES] = {0};
    struct peer *peers[ROLES] = {0};
    bool there[ROLES];
    progress(comparison->title, setting->seconds + seconds_left_after);
    for (size_t role = 0; role < ROLES; role++) {
        struct subject *subject = &comparison->subjects[role];
        peers[role] = subject->peer;
        if (subject->script == NULL && subject->program == NULL)
            continue;
        if (start_peer(&started[role], subject, role, setting))
            peers[role] = &started[role];
        else
            comparison->absent[role] = subject->script != NULL ? "no Python 3.7 or newer" : "it was not built";
    }
    for (size_t role = 0; role < ROLES; role++) { /* the first batch warms up and shows who is there */
        bool can = comparison->subjects[role].take != NULL || peers[role] != NULL;
        there[role] = can && take_batch(comparison, role, peers[role], false) > 0;
    }
    bool few = setting->quick || comparison->least_rounds < LEAST_ROUNDS;
    size_t least_rounds = few ? LEAST_ROUNDS : comparison->least_rounds, next_look = SETTLED_SAMPLES;
    uint64_t start = now_ns();
    for (size_t round = 0; round < MOST_ROUNDS && !interrupted(); round++) {
        double spent = seconds_since(start);
        bool known = round >= next_look && is_settled(comparison);
        if (round >= next_look)
            next_look = round + round / 4; /* a look sorts all samples, which takes longer the more there are */
        if ((spent >= setting->seconds || known) && round >= least_rounds)
            break;
        progress(comparison->title, (spent < setting->seconds ? setting->seconds - spent : 0) + seconds_left_after);
        double medians[ROLES] = {0};
        size_t order[ROLES];
        for (size_t role = 0; role < ROLES; role++)
            order[role] = role;
        shuffle(setting->dice, order, ROLES);
        for (size_t i = 0; i < ROLES; i++) {
            size_t role = order[i];
            if (there[role])
                medians[role] = take_batch(comparison, role, peers[role], true);
            there[role] = medians[role] > 0; /* a peer that has failed once is not asked again */
        }
        keep_ratio(&comparison->ratios[FLOOR], medians[OURS], medians[FLOOR]);
        for (size_t role = FIRST_PEER; role < ROLES; role++)
            keep_ratio(&comparison->ratios[role], medians[role], medians[OURS]);
    }
    for (size_t role = 0; role < ROLES; role++) {
        memcpy(comparison->lost[role], started[role].lost, sizeof comparison->lost[role]);
        peer_stop(&started[role]);
    }
    if (comparison->after != NULL)
        comparison->after();
    comparison->measured = comparison->ns[OURS].count > 0;
    if (!comparison->measured && !interrupted())
        note_failure("bench: %s: ours could not be measured", comparison->title);
}

void comparison_free(struct comparison *comparison) {
    for (size_t role = 0; role < ROLES; role++) {
        samples_free(&comparison->ns[role]);
        samples_free(&comparison->shares[role]);
        samples_free(&comparison->ratios[role]);
    }
}
