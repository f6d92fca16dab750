/* serving_trace.h: what `serve --trace` has written: the batches and the lives of its workers. */
#ifndef BENCH_SERVING_TRACE_H
#define BENCH_SERVING_TRACE_H

#include <stddef.h>

enum trace_kind { TRACE_BATCH, TRACE_READY, TRACE_DEATH, TRACE_OTHER };

struct trace_event {
    size_t worker;
    char device[32];
    enum trace_kind kind;
    double start_us, end_us; /* since the server's start */
    unsigned rows;
};

struct trace {
    struct trace_event *events; /* in the order in which they ended */
    size_t count;
};

/* Reads it; lines that are none are left out, and a file that is not there is empty. trace_free gives it back. */
struct trace trace_read(const char *path);
void trace_free(struct trace *trace);

#endif
