/* deadlines.h: whose deadline is the earliest: a pairing heap of waiting requests, which needs no memory of its own. */
#ifndef GPU_DEADLINES_H
#define GPU_DEADLINES_H

#include "batching.h"

/*
 * A heap is the one with the earliest deadline, or NULL when it is empty. Adding takes a constant time, removing anyone
 * a logarithmic one on average, so that thousands may wait.
 */
void deadlines_add(struct waiting **earliest, struct waiting *waiting);
void deadlines_remove(struct waiting **earliest, struct waiting *waiting);

#endif
