/* failure.h: how what lies in gpu/ says what went wrong: a negative code for the program, a sentence for the reader. */
#ifndef GPU_FAILURE_H
#define GPU_FAILURE_H

#include <stdarg.h>
#include <stdio.h>

#include "atelier.h"

/* The sentence names the thing and the way out, as "digits.safetensors: 12 bytes, too short for a header; train it". */
struct failure {
    char text[400];
};

/* Stores the sentence, cut where it is too long, and returns `code`, a negative errno or AT_E*. NULL stores nothing. */
AT_PRINTF(3, 4) static inline int fail(struct failure *failure, int code, const char *format, ...) {
    if (failure != NULL) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(failure->text, sizeof failure->text, format, arguments);
        va_end(arguments);
    }
    return code;
}

#endif
