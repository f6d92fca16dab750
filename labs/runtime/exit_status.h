/* exit_status.h (internal): how a process ended, asked of its pidfd: never of its pid, which may be a stranger's. */
#ifndef ATELIER_EXIT_STATUS_H
#define ATELIER_EXIT_STATUS_H

#include <stdbool.h>

enum fate { ALIVE, ENDED, LOST }; /* LOST: it has ended, and somebody else took its status */

/* Whether the process has ended; also for pidfd -1, which stands for one that had ended before there was a pidfd. */
bool pidfd_is_readable(int pidfd);

/* Reaps a child of this process if it has ended, and stores its wait status (waitpid(2)). */
enum fate reap_own(int pidfd, int *status);

/*
 * The wait status of a process that somebody else reaped, or does so within `patience` seconds: on a busy machine he
 * may stand still in between. False where the kernel does not know: before Linux 6.15.
 */
bool remembered_status(int pidfd, double patience, int *status);

#endif
