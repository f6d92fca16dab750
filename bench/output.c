/* output.c: the data files. */
#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"

static void cannot(const char *what) {
    note("bench: %s: %s; what was measured up to here is kept", what, strerror(errno));
    exit(1);
}

FILE *output_open(const char *prefix, const char *name, const char *header) {
    if (prefix == NULL)
        return NULL;
    char path[4096];
    if (snprintf(path, sizeof path, "%s-%s.csv", prefix, name) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        cannot(prefix);
    }
    FILE *file = fopen(path, "w");
    if (file == NULL)
        cannot(path);
    output_row(file, "%s", header);
    return file;
}

void output_row(FILE *file, const char *format, ...) {
    if (file == NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(file, format, arguments);
    fputc('\n', file);
    va_end(arguments);
    if (fflush(file) != 0)
        cannot("cannot write the data");
}

void output_samples(FILE *file, const char *label, const struct samples *samples, size_t most) {
    if (file == NULL)
        return;
    size_t kept = samples->count < most ? samples->count : most;
    for (size_t i = 0; i < kept; i++)
        fprintf(file, "%s,%.6g\n", label, samples->values[i * samples->count / kept]);
    if (fflush(file) != 0)
        cannot("cannot write the data");
}

void output_close(FILE *file) {
    if (file != NULL && fclose(file) != 0)
        cannot("cannot write the data");
}
