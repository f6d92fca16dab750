/* inflate.h: compressed bodies, made plain while they stream in. */
#ifndef GPU_INFLATE_H
#define GPU_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "problem.h"

/* What takes the plain bytes, a few KiB at a time: returns 0, or -1 with the problem, which ends it. */
typedef int inflated(void *context, const char *data, size_t size, struct problem *problem);

struct inflater {
    z_stream stream;
    bool ended;     /* the stream's own end has come */
    uint64_t limit; /* bytes that it may still become */
};

/*
 * All return 0, or -1 with the problem: 400 for what is no such stream, is cut, or has something behind it; 413 beyond
 * the limit; 503 when memory is short. `gzip`: of that format; otherwise zlib's, which HTTP calls deflate.
 */
int inflater_open(struct inflater *inflater, bool gzip, uint64_t limit, struct problem *problem);
int inflater_feed(struct inflater *inflater, const char *data, size_t size, inflated *take, void *context,
                  struct problem *problem);
int inflater_end(const struct inflater *inflater, struct problem *problem);
void inflater_close(struct inflater *inflater); /* also of one that is zeroed */

#endif
