/* options.h: the command line that all benchmark programs have in common. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct options {
    bool quick;     /* --quick: fewer and smaller cases */
    double seconds; /* --seconds N: the time that measuring may take; 0: the program's default */
    uint64_t seed;  /* --seed N: of the shuffled orders; without it, the time of day */
    size_t workers; /* --workers N: the most workers to measure; without it, all usable cores */
    bool workers_given;
    const char *output;  /* --output PREFIX: data goes to PREFIX-NAME.csv and .json; NULL: only to the terminal */
    const char *machine; /* --machine FILE: the machine's description, which becomes part of the JSON; NULL: none */
    FILE *json;          /* --json: where the JSON goes instead of the tables, which go to stderr then; NULL: nowhere */
    const char *only;    /* --only NAME: the rows whose name begins so; NULL: all (sizes has none) */
    const char *peers;   /* --peers FOLDER: where the peers' programs are */
    double part;         /* --part P: of scaling's mixed work, the part that can be shared out; 0: its own choice */
};

/*
 * Reads them, prints the seed. --help and --describe (describe.h) end the program, and so does anything unknown, with
 * 2.
 */
struct options options_read(int argc, char *argv[], const char *what);

#endif
