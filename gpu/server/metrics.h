/* metrics.h: the server's counters for Prometheus. */
#ifndef GPU_METRICS_H
#define GPU_METRICS_H

#include "engine.h"

/*
 * Everything in the text format 0.0.4, to be freed; its length is stored. Names that begin with nv_ mean what Triton
 * means by them; ours begin with atelier_. NULL: memory is short.
 */
char *metrics_text(const struct engine *engine, unsigned connections, size_t *size);

#endif
