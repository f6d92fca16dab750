/* serve.h: what the C peers of subprocess.c share: answers to requests (bench/peer.h), ballast, what children wrote. */
#ifndef BENCH_PEERS_SERVE_H
#define BENCH_PEERS_SERVE_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../bytes.h"
#include "../measure.h"

/* PEER KIND PROGRAM [NUMBER]: what to measure; the program to start; a number of bytes, or of MiB to be large by. */
struct kind {
    const char *name;
    double (*take)(void); /* a sample, in ns */
};

static char *program;
static size_t wanted;

__attribute__((noreturn, format(printf, 1, 2))) static inline void wrong(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("wrong: ", stdout);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    exit(0);
}

static inline void must_be_zero(int status) {
    if (status != 0)
        wrong("%s ended with %d", program, status);
}

/* Memory that is touched, or the end of the program. */
static inline unsigned char *touched(size_t size) {
    unsigned char *memory = malloc(size);
    if (memory == NULL)
        wrong("%zu bytes: out of memory", size);
    bytes_fill(memory, size);
    return memory;
}

static inline void must_be_right(const void *data, size_t size) {
    static unsigned char period[BYTES_PERIOD];
    if (period[1] == period[0])
        bytes_fill(period, sizeof period);
    if (size != wanted || !bytes_are_right(data, size, period))
        wrong("%zu bytes came of %zu, or not these", size, wanted);
}

/* As in bench/exits.c: how many ms the next child lives; how long ago, at `end`, it wrote its last word. */
static inline char *next_life(void) {
    static char text[16];
    static unsigned turn;
    snprintf(text, sizeof text, "%u", 2 + turn++ * 7 % 19);
    return text;
}

static inline double since_stamp(int pipe_end, uint64_t end) {
    uint64_t stamp = 0;
    if (read(pipe_end, &stamp, sizeof stamp) != sizeof stamp || end < stamp)
        wrong("a child ended without its last word");
    return (double)(end - stamp);
}

static inline int serve(int argc, char *argv[], const struct kind *kinds, size_t count) {
    const struct kind *kind = kinds;
    while (kind < kinds + count && (argc < 3 || strcmp(argv[1], kind->name) != 0))
        kind++;
    if (kind == kinds + count) {
        fprintf(stderr, "usage: %s KIND PROGRAM [NUMBER]; the kinds:", argv[0]);
        for (kind = kinds; kind < kinds + count; kind++)
            fprintf(stderr, " %s", kind->name);
        fputc('\n', stderr);
        return 2;
    }
    program = argv[2];
    wanted = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    if (strcmp(kind->name, "run") == 0 && wanted > 0)
        touched(wanted << 20);
    char line[32];
    while (fgets(line, sizeof line, stdin) != NULL) {
        for (long left = strtol(line, NULL, 10); left > 0; left--)
            printf("%.6g ", kind->take());
        putchar('\n');
        fflush(stdout);
    }
    return 0;
}

#endif
