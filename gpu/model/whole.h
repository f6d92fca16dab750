/* whole.h: whole numbers in texts that people write: "512x2" has two. */
#ifndef GPU_WHOLE_H
#define GPU_WHOLE_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* Reads decimal digits at *text, which moves behind them. False for none, and for a number not from least to most. */
static inline bool whole_read(const char **text, unsigned long least, unsigned long most, unsigned long *number) {
    char *end;
    if (**text < '0' || **text > '9') /* strtoul would take blanks and signs */
        return false;
    errno = 0;
    *number = strtoul(*text, &end, 10);
    *text = end;
    return errno == 0 && *number >= least && *number <= most;
}

#endif
