/* output.h: the data files: CSV, one header line, units in the names of the columns. */
#ifndef BENCH_OUTPUT_H
#define BENCH_OUTPUT_H

#include <stdio.h>

/*
 * Opens PREFIX-NAME.csv and writes the header line. NULL when prefix is NULL: then nothing is kept, and the calls
 * below do nothing. A file that cannot be written ends the program with a line that says why.
 */
FILE *output_open(const char *prefix, const char *name, const char *header);

/* Writes a row and sees to it that it is in the file: what is measured stays, however the run ends. */
void output_row(FILE *file, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * The text as a field of a row: in quotes, its own quotes doubled; in one of a few turning buffers, which have room for
 * the first 500 bytes.
 */
const char *output_quoted(const char *text);

void output_close(FILE *file);

#endif
