/* options.c: reads the command line that all benchmark programs have in common. */
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "console.h"
#include "describe.h"
#include "measure.h"
#include "workload.h"

static void usage(FILE *stream, const char *program, const char *what) {
    fprintf(stream,
            "usage: %s [OPTION...]\n"
            "%s\n\n"
            "  --quick           fewer and smaller cases, in some seconds\n"
            "  --seconds N       the time that measuring may take\n"
            "  --after N         seconds that other programs take after this one, for the progress line\n"
            "  --seed N          the seed of the order of measurements (printed by each run)\n"
            "  --cores N         how many cores there are to use (default: as many as this process may)\n"
            "  --workers N       the most workers to measure (default: as many as cores; scaling: more on a small "
            "machine)\n"
            "  --output PREFIX   write PREFIX-NAME.csv and .json; without it only the terminal gets results\n"
            "  --machine FILE    a description of this machine, a JSON object, to be part of the JSON\n"
            "  --json            print the JSON, in one line, and the tables on stderr\n"
            "  --part P          scaling: of the mixed work, the part that can be shared out, above 0 and below 1\n"
            "  --only NAME       not sizes: only rows whose name in the files begins so: lock, queue_64, pool_map...\n"
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

/* The same, of things that are counted. */
static size_t whole(const char *program, const char *option, const char *text, double least) {
    double value = number(program, option, text, least);
    if (value != (double)(size_t)value) {
        fprintf(stderr, "%s: --%s %s: must be a whole number\n", program, option, text);
        exit(2);
    }
    return (size_t)value;
}

/* What is printed goes to stderr from here on; what stdout was is returned. */
static FILE *give_stdout_to_json(const char *program) {
    int copy = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    FILE *json = copy >= 0 ? fdopen(copy, "w") : NULL;
    if (json == NULL || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        fprintf(stderr, "%s: --json: stdout: %s\n", program, strerror(errno));
        exit(1);
    }
    return json;
}

struct options options_read(int argc, char *argv[], const char *what) {
    enum { QUICK, SECONDS, AFTER, SEED, CORES, WORKERS, OUTPUT, MACHINE, JSON, PART, ONLY, PEERS, DESCRIBE, HELP };
    static const struct option known[] = {
        {"quick", no_argument, NULL, QUICK},
        {"seconds", required_argument, NULL, SECONDS},
        {"after", required_argument, NULL, AFTER},
        {"seed", required_argument, NULL, SEED},
        {"cores", required_argument, NULL, CORES},
        {"workers", required_argument, NULL, WORKERS},
        {"output", required_argument, NULL, OUTPUT},
        {"machine", required_argument, NULL, MACHINE},
        {"json", no_argument, NULL, JSON},
        {"part", required_argument, NULL, PART},
        {"only", required_argument, NULL, ONLY},
        {"peers", required_argument, NULL, PEERS},
        {"describe", no_argument, NULL, DESCRIBE},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.seed = (uint64_t)time(NULL), .peers = "bench/peers", .workers = cores_at_hand()};
    const char *program = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0];
    bool json = false, only_describe = false;
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case QUICK:
            options.quick = true;
            break;
        case SECONDS:
            options.seconds = number(program, "seconds", optarg, 0.001);
            break;
        case AFTER:
            progress_after(number(program, "after", optarg, 0));
            break;
        case SEED:
            options.seed = whole(program, "seed", optarg, 0);
            break;
        case CORES:
            options.workers = options.workers_given ? options.workers : whole(program, "cores", optarg, 1);
            break;
        case WORKERS:
            options.workers = whole(program, "workers", optarg, 1);
            options.workers_given = true;
            break;
        case OUTPUT:
            options.output = optarg;
            break;
        case MACHINE:
            options.machine = optarg;
            break;
        case JSON:
            json = true;
            break;
        case PART:
            options.part = number(program, "part", optarg, 0);
            if (options.part <= 0 || options.part >= 1) {
                fprintf(stderr, "%s: --part %s: must be above 0 and below 1\n", program, optarg);
                exit(2);
            }
            break;
        case ONLY:
            options.only = optarg;
            break;
        case PEERS:
            options.peers = optarg;
            break;
        case DESCRIBE:
            only_describe = true;
            break;
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
    if (options.workers > MOST_WORKERS) {
        fprintf(stderr, "%s: --workers %zu: there can be at most %d\n", program, options.workers, MOST_WORKERS);
        exit(2);
    }
    if (only_describe) {
        describe(options.workers);
        exit(0);
    }
    if (json)
        options.json = give_stdout_to_json(program);
    printf("%s: seed %" PRIu64 "\n", program, options.seed);
    fflush(stdout);
    return options;
}
