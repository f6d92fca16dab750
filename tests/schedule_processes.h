/* schedule_processes.h: the threads and processes that a pool starts, as threads of a schedule; see scheduler.h. */
#ifndef ATELIER_TESTS_SCHEDULE_PROCESSES_H
#define ATELIER_TESTS_SCHEDULE_PROCESSES_H

#include "scheduler.h"

/*
 * Before a run: the processes of the last one are forgotten, and their pools' memory. From here on a run fails in which
 * somebody touches a pool's block that is free.
 */
void schedule_begin_processes(void);

#endif
