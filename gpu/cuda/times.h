/* times.h: what the card takes for a batch and its parts, by its own clock. */
#ifndef GPU_CUDA_TIMES_H
#define GPU_CUDA_TIMES_H

#include "backend.h"
#include "lanes.h"

/* cuda_backend's `time`, of a network in settled lanes. */
int times_take(struct lanes *lanes, const struct network *network, uint32_t rows, enum card_time what, uint32_t side,
               double *ns, struct failure *failure) AT_MUST_CHECK;

#endif
