/* workloads.h: what the files in this folder define. */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

#include "workload.h"

enum { LOCK_MUTEX, LOCK_ATOMIC, LOCK_PRIVATE, LOCK_NEIGHBOURS, LOCKS };
enum { MIXED = 2 };

extern struct workload empty_workload, cpu_workload, memory_workload, io_workload, commands_workload;
extern struct workload lock_workloads[LOCKS], mixed_workloads[MIXED];

/*
 * Chooses the part of the mixed work that can be shared out, above 0 and below 1; the second mixed workload is then
 * left out. Before prepare.
 */
void mixed_choose(double part);

/*
 * Chooses how many bytes the memory workload reads and writes, so that all do as much as the first one. Before prepare.
 */
void memory_choose(double bytes);

#endif
