/*
 * scaling.c: each workload in each mode, over 1, 2, 3... workers: what do more workers bring, and where does it end?
 *
 * Every mode does the same tasks, and the result of every run is checked; a wrong one ends the program with status 1.
 * Start and join of the workers are part of a run's time, but for a pool, whose workers are started once.
 */
#include "scaling.h"

int main(int argc, char *argv[]) {
    struct options options = options_read(
        argc, argv, "Times each workload in each mode (serial, threads, processes, pool), over 1..N workers.");
    return scaling_run(&options, all_workloads);
}
