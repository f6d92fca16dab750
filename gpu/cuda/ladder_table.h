/* ladder_table.h: what the program kernels has found out about the versions, and how it says so. */
#ifndef GPU_CUDA_LADDER_TABLE_H
#define GPU_CUDA_LADDER_TABLE_H

#include "ladder.h"

struct ladder_settings {
    uint32_t rows, inputs, outputs, card, repeat;
    bool chosen[LADDER_VERSIONS];
    const char *csv;
};

struct ladder_card {
    char name[256];
    int major, minor, multiprocessors, kilohertz;
    bool emulated; /* its times would mean nothing */
};

/* A version's line. Times in seconds, NAN where it was not timed. */
struct ladder_line {
    bool right;
    double error, *times, median, low, high; /* the quartiles */
};

struct ladder_table {
    struct ladder_settings settings;
    struct ladder_card card;
    struct ladder_line lines[LADDER_VERSIONS];
};

/* Prints it, and returns whether all versions that were chosen are right. */
bool ladder_table_print(const struct ladder_table *table);
/* Writes it into the file of the settings, as CSV. 0, or a negative code with its sentence. */
int ladder_table_write(const struct ladder_table *table, struct failure *failure) AT_MUST_CHECK;

#endif
