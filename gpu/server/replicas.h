/* replicas.h: a whole server for each device, all accepting from one socket: what uvicorn --workers does. */
#ifndef GPU_REPLICAS_H
#define GPU_REPLICAS_H

#include "settings.h"

/*
 * Starts a serial server for each device, replaces those that die, and ends them all on SIGINT or SIGTERM; returns the
 * exit status. `arguments` are main's, which each of them gets, too.
 *   The kernel gives a new connection to whichever accepts first, and there it stays, with all its requests: one
 * waits behind another while the next process has nothing to do. That is what the shared queue is there to mend.
 */
int replicas_run(const struct settings *settings, char *const *arguments, const char *program);

#endif
