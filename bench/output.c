/* output.c: the data files. */
#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console.h"

static void cannot(const char *what) {
    note("bench: %s: %s; what was written before is kept", what, strerror(errno));
    exit(1);
}

/* The same for an open file, by the name that the system has for it. */
static void cannot_write(FILE *file) {
    char link[64], path[4096] = "the data";
    int failure = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fileno(file));
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length > 0)
        path[length] = '\0';
    errno = failure;
    cannot(path);
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
        cannot_write(file);
}

const char *output_quoted(const char *text) {
    static char buffers[4][1024];
    static size_t turn;
    turn = (turn + 1) % 4;
    char *end = buffers[turn];
    *end++ = '"';
    for (size_t i = 0; text[i] != '\0' && i < 500; i++) {
        if (text[i] == '"')
            *end++ = '"';
        *end++ = text[i];
    }
    *end++ = '"';
    *end = '\0';
    return buffers[turn];
}

void output_close(FILE *file) {
    if (file != NULL && fclose(file) != 0)
        cannot("cannot write the data");
}
