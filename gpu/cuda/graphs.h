/* graphs.h: what a batch does on the card, recorded once for each size and lane, and then launched as a whole. */
#ifndef GPU_CUDA_GRAPHS_H
#define GPU_CUDA_GRAPHS_H

#include "lanes.h"

/*
 * Makes network's graphs for all sizes and lanes, and runs each once: what CUDA and cuBLASLt put off to the first time
 * is done now, not at a request. The lanes must be settled; on an error nothing runs any more, and what was made goes
 * with network_free.
 */
int graphs_make(struct network *network, struct lanes *lanes, struct failure *failure) AT_MUST_CHECK;

#endif
