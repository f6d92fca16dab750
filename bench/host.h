/*
 * host.h: a process of its own for each mode, which does runs on request, so that no mode lives among another's
 * threads, memory or children.
 *
 * The protocol is a peer's (peer.h), with another request: "WORKLOAD WORKERS COUNT\n", for example "cpu 2 5". The
 * answer has seven numbers for each of the COUNT runs: the ns it took, and the numbers of struct usage. A program that
 * others wrote may answer 0 for those. By hand: echo cpu 2 5 | build/bench/peers/openmp_mode
 */
#ifndef BENCH_HOST_H
#define BENCH_HOST_H

#include <stddef.h>
#include <stdio.h>

#include "mode.h"
#include "peer.h"
#include "usage.h"

enum { RUNS_MOST = 16 }; /* in one request */

struct run {
    double ns;
    struct usage usage;
};

/*
 * Forks this process, whose workloads are prepared, into a host. False, with a line that says why, when it cannot be.
 */
bool host_fork(struct peer *host, const struct mode *mode, struct workload_list workloads);

/*
 * Has it do `count` runs. Returns how many came: fewer when it cannot go on, after a line that says why (or with
 * host->lost filled in). A wrong result ends the program.
 */
size_t host_ask(struct peer *host, const char *workload, size_t workers, struct run *runs, size_t count);

/*
 * The host's life: answers until there are no more requests. Where it has not been forked by one who did, it prepares
 * each workload when it is first asked for.
 */
void host_serve(const struct mode *mode, struct workload_list workloads, bool prepared, FILE *requests, FILE *answers);

/*
 * main of a program that is a host for one mode, a peer's; argv[1], if any, is the part for mixed_choose, 0 for its
 * own; argv[2], if any, is the number of bytes for memory_choose.
 */
int host_main(const struct mode *mode, int argc, char *argv[]);

#endif
