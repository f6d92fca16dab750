/* problem.h: what a client is told when its request cannot be answered: an HTTP status and a sentence. */
#ifndef GPU_PROBLEM_H
#define GPU_PROBLEM_H

#include <stdarg.h>
#include <stdio.h>

#include "api.h"

struct problem {
    int status; /* 400, 404, 413, 503...; 0: none */
    char text[300];
    unsigned retry_after; /* seconds, of a 503 or 429; 0: not said */
};

/* Stores the sentence, cut where it is too long, and returns -1, so that `return refuse(problem, 400, ...)` does. */
AT_PRINTF(3, 4) static inline int refuse(struct problem *problem, int status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    problem->status = status;
    problem->retry_after = 0;
    return -1;
}

#endif
