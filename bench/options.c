/* options.c: reads the command line that all benchmark programs have in common. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "describe.h"
#include "measure.h"

static void usage(FILE *stream, const char *program, const char *what) {
    fprintf(
        stream,
        "usage: %s [OPTION...]\n"
        "%s\n\n"
        "  --quick           fewer and smaller cases, in some seconds\n"
        "  --seconds N       the time that measuring may take\n"
        "  --seed N          the seed of the order of measurements (printed by each run)\n"
        "  --workers N       the most workers to measure (default: all usable cores)\n"
        "  --output PREFIX   write PREFIX-NAME.csv; without it only the terminal gets results\n"
        "  --only NAME       not compare: only rows whose name in the files begins so: lock, queue_64, pool_map...\n"
        "  --peers FOLDER    where the peers' programs are (default: bench/peers)\n"
        "  --describe        only print what this build and this machine are, for the record\n"
        "  --help            this text\n",
        program, what);
}

/* A number of at least `least`, or the end of the program. */
static double number(const char *program, const char *option, const char *text, double least) {
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(value >= least) || value > 1e15) {
        fprintf(stderr, "%s: --%s %s: must be a number of at least %g\n", program, option, text, least);
        exit(2);
    }
    return value;
}

struct options options_read(int argc, char *argv[], const char *what) {
    enum { QUICK, SECONDS, SEED, WORKERS, OUTPUT, ONLY, PEERS, DESCRIBE, HELP };
    static const struct option known[] = {
        {"quick", no_argument, NULL, QUICK},         {"seconds", required_argument, NULL, SECONDS},
        {"seed", required_argument, NULL, SEED},     {"workers", required_argument, NULL, WORKERS},
        {"output", required_argument, NULL, OUTPUT}, {"only", required_argument, NULL, ONLY},
        {"peers", required_argument, NULL, PEERS},   {"describe", no_argument, NULL, DESCRIBE},
        {"help", no_argument, NULL, HELP},           {NULL, 0, NULL, 0},
    };
    struct options options = {.seed = (uint64_t)time(NULL), .peers = "bench/peers", .workers = usable_cores()};
    const char *program = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0];
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case QUICK:
            options.quick = true;
            break;
        case SECONDS:
            options.seconds = number(program, "seconds", optarg, 1);
            break;
        case SEED:
            options.seed = (uint64_t)number(program, "seed", optarg, 0);
            break;
        case WORKERS:
            options.workers = (size_t)number(program, "workers", optarg, 1);
            break;
        case OUTPUT:
            options.output = optarg;
            break;
        case ONLY:
            options.only = optarg;
            break;
        case PEERS:
            options.peers = optarg;
            break;
        case DESCRIBE:
            describe();
            exit(0);
        case HELP:
            usage(stdout, program, what);
            exit(0);
        default:
            usage(stderr, program, what);
            exit(2);
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: %s: unknown argument\n", program, argv[optind]);
        usage(stderr, program, what);
        exit(2);
    }
    printf("%s: seed %" PRIu64 "\n", program, options.seed);
    fflush(stdout);
    return options;
}
