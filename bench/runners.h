/* runners.h: who does a workload: our modes, each in a host of its own, and what others offer for the same. */
#ifndef BENCH_RUNNERS_H
#define BENCH_RUNNERS_H

#include <stdbool.h>
#include <stddef.h>

#include "host.h"
#include "mode.h"
#include "options.h"
#include "peer.h"

enum { RUNNERS_MOST = 24, REASON_SIZE = 120 };

struct runner {
    const char *name, *title;
    const char *role;          /* "ours" or "peer" */
    const struct mode *mode;   /* ours, and what is started from here; or... */
    const char *program;       /* ...a peer that was built: BUILD/bench/peers/PROGRAM; or... */
    const char *library;       /* ...a Python one: bench/peers/scaling.py LIBRARY */
    const char *workloads;     /* the names of those that it does, with a space around each; ours do all */
    struct peer host;          /* when it runs */
    char missing[REASON_SIZE]; /* why it does not; "" when it does */
};

struct runners {
    struct runner list[RUNNERS_MOST];
    size_t count;
};

/* Starts the host of every mode and peer that is here; the workloads are prepared. What is not here says why. */
void runners_start(struct runners *runners, const struct options *options, struct workload_list workloads);

/* Whether it does this workload. */
bool runner_does(const struct runner *runner, const struct workload *workload);

void runners_stop(struct runners *runners);

#endif
