/* options.h: options for which 0 is something else than leaving them out, and those that are on when left out. */
#ifndef ATELIER_OPTIONS_H
#define ATELIER_OPTIONS_H

#include <stdbool.h>

#include "api.h"

AT_BEGIN_DECLS

/* .chunksize = at_tasks(1), .process_group = at_group(0), .umask = at_umask(022) */
typedef struct at_optional_count {
    bool given;
    long value;
} at_optional_count;

/* .timeout = at_seconds(2) */
typedef struct at_optional_seconds {
    bool given;
    double value;
} at_optional_seconds;

/* .close_fds = AT_OFF: a struct, so that `= false`, which would mean nothing, does not compile */
typedef struct at_switch {
    bool off, on;
} at_switch;

#define AT_OFF at_switch_to(false)
#define AT_ON at_switch_to(true)

static inline at_optional_seconds at_seconds(double value) {
    at_optional_seconds seconds = {true, value};
    return seconds;
}

static inline at_switch at_switch_to(bool on) {
    at_switch setting = {!on, on};
    return setting;
}

AT_END_DECLS

#endif
