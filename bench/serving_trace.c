/* serving_trace.c: reads what `serve --trace` has written. */
#include "serving_trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

static enum trace_kind kind_of(const char *name) {
    static const char *const NAMES[] = {[TRACE_BATCH] = "batch", [TRACE_READY] = "ready", [TRACE_DEATH] = "death"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcmp(name, NAMES[i]) == 0)
            return (enum trace_kind)i;
    return TRACE_OTHER;
}

struct trace trace_read(const char *path) {
    struct trace trace = {0};
    char line[512], kind[32];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return trace;
    for (size_t room = 0; fgets(line, sizeof line, file) != NULL;) {
        struct trace_event event;
        if (sscanf(line, "%zu,%31[^,],%31[^,],%lf,%lf,%u", &event.worker, event.device, kind, &event.start_us,
                   &event.end_us, &event.rows) != 6)
            continue;
        event.kind = kind_of(kind);
        if (trace.count == room) {
            room = room > 0 ? 2 * room : 1024;
            struct trace_event *more = need(room, sizeof *more);
            if (trace.count > 0)
                memcpy(more, trace.events, trace.count * sizeof *more);
            free(trace.events);
            trace.events = more;
        }
        trace.events[trace.count++] = event;
    }
    fclose(file);
    return trace;
}

void trace_free(struct trace *trace) {
    free(trace->events);
    *trace = (struct trace){0};
}
