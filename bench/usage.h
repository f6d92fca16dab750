/* usage.h: what a piece of work took of the machine: processor time, context switches, page faults, memory. */
#ifndef BENCH_USAGE_H
#define BENCH_USAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Doubles, since they become samples. */
struct usage {
    double cpu_ns;                              /* by all threads, user and system */
    double voluntary_switches, forced_switches; /* it waited; somebody else's turn came */
    double minor_faults, major_faults;          /* page faults: without and with a read from disk */
    double
        peak_kib; /* resident at the most, in all its processes but commands; not the shared memory that was before */
};

/* Processes beside this one whose usage counts, too, though they have not ended: a pool's workers. */
struct members {
    const pid_t *pids;
    size_t count;
};

/*
 * What this process, its children that have ended, and these members took since usage_begin; getrusage(2) for the first
 * two, /proc for the third. `peaks`, NULL or of `count` numbers, are what children of the run noted of themselves, in
 * KiB. One measurement at a time.
 */
void usage_begin(struct members members, uint64_t *peaks, size_t count);
struct usage usage_end(struct members members, const uint64_t *peaks, size_t count);

/* A number of /proc/PID/status, in KiB where it has that unit; 0 when it is not there. pid 0 is this process. */
double status_number(pid_t pid, const char *name);

#endif
