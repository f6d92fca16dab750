/* modes.h: what the files in this folder define, and the locks of threads and of processes. */
#ifndef BENCH_MODES_H
#define BENCH_MODES_H

#include "mode.h"

extern const struct mode serial_mode, threads_mode, processes_mode, pool_mode, xargs_mode, parallel_mode;

extern const struct lock_kind thread_locks, process_locks;

#endif
