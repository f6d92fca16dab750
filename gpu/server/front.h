/* front.h: a server from its start to its end: the loop around HTTP, the engine and the signals. */
#ifndef GPU_FRONT_H
#define GPU_FRONT_H

#include "settings.h"

/*
 * Serves until SIGINT or SIGTERM, and then finishes what it has begun; a second one ends it at once. Returns the exit
 * status: 0; 1 when it could not start, or could not finish in time.
 *   `program` is what worker processes execute: this program.
 */
int front_run(const struct settings *settings, const char *program);

/*
 * The signals that end a server, as a descriptor that is readable when one has come; they are blocked from now on, and
 * unblocked in what is started. -errno.
 */
int front_signals(void);

#endif
