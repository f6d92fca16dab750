/* options.h: the command line that all benchmark programs have in common. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options {
    bool quick;         /* --quick: fewer and smaller cases */
    double seconds;     /* --seconds N: the time that measuring may take; 0: the program's default */
    uint64_t seed;      /* --seed N: of the shuffled orders; without it, the time of day */
    size_t workers;     /* --workers N: the most workers to measure; without it, all usable cores */
    const char *output; /* --output PREFIX: data goes to PREFIX-NAME.csv; NULL: only to the terminal */
    const char *only;   /* --only NAME: the rows whose name begins so; NULL: all (compare has none) */
    const char *peers;  /* --peers FOLDER: where the peers' programs are */
};

/*
 * Reads them, prints the seed. --help and --describe (describe.h) end the program, and so does anything unknown, with
 * 2.
 */
struct options options_read(int argc, char *argv[], const char *what);

#endif
