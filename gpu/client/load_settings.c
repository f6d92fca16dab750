/* load_settings.c: the command line of the load generator. */
#include "load_settings.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

static const char USAGE[] =
    "usage: load [OPTION]...\n"
    "Sends requests for inference to a server that speaks KServe v2, and says how long the answers took.\n"
    "\n"
    "  --url URL           the server (http://127.0.0.1:8000)\n"
    "  --model NAME        the model (digits)\n"
    "  --scenario NAME     server: requests are due by a schedule, whatever the server does (this one by default);\n"
    "                      closed: each connection sends when it has its answer; single: the same with one;\n"
    "                      multi: a query of a request on each connection, the next when all are answered;\n"
    "                      offline: all requests at once, until all are done\n"
    "  --rate R            server: requests a second (1000)\n"
    "  --pattern NAME      server: poisson (the default), uniform or bursts; --burst N: requests of a burst (16)\n"
    "  --seconds S         how long requests are sent (10); --warm-up S: before that, not counted (0)\n"
    "  --requests N        how many requests: offline (10000); closed, single and multi: end after so many\n"
    "  --connections N     (64; multi: 8); --clients N is the same, as closed has it\n"
    "  --rows N            rows of each request (1)\n"
    "  --json-tensors      the numbers as JSON, not as bytes\n"
    "  --priority N        1 (before all others) to 15; --timeout-us N: when the answer is worth nothing any more\n"
    "  --bound MS          the latency within which an answer is good (5)\n"
    "  --patience S        after which an answer is not awaited any more (10)\n"
    "  --find-rate         looks for the largest rate of which 99 of 100 answers are good, by runs of --seconds each\n"
    "  --verify            compares each answer with the reference forward pass of the same model, read from\n"
    "                      --models FOLDER (build/models) as --source SOURCE (the model's name); --tolerance T (1e-4)\n"
    "  --spin US           waits so long before a request is due without sleeping, for a core to spare (0)\n"
    "  --seed N            of the rows and the schedule (1)\n"
    "  --json              prints one JSON document instead of a table\n"
    "  --series FILE       writes what was answered in each tenth of a second, as CSV\n"
    "  --help              prints this\n"
    "\n"
    "Latency counts from the moment at which a request was due. Ctrl-C ends the run and reports what was measured.\n"
    "Exit status: 0: all requests were answered rightly; 1: some were not, or the server is not there; 2: bad usage.\n";

static void bad_usage(const char *option, const char *value, const char *wanted) {
    fprintf(stderr, "load: --%s %s: not %s; load --help lists the options\n", option, value, wanted);
    exit(2);
}

static double number(const char *option, const char *text, double least, double most) {
    char *end, wanted[64];
    double value = strtod(text, &end);
    if (*text == 0 || *end != 0 || !(value >= least && value <= most)) {
        snprintf(wanted, sizeof wanted, "a number from %g to %g", least, most);
        bad_usage(option, text, wanted);
    }
    return value;
}

static uint64_t whole(const char *option, const char *text, uint64_t least, uint64_t most) {
    char *end, wanted[64];
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != 0 || errno != 0 || value < least || value > most) {
        snprintf(wanted, sizeof wanted, "a whole number from %llu to %llu", (unsigned long long)least,
                 (unsigned long long)most);
        bad_usage(option, text, wanted);
    }
    return value;
}

/* The place of the name in the table. */
static unsigned named(const char *option, const char *text, const char *const *names, unsigned count,
                      const char *wanted) {
    for (unsigned i = 0; i < count; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    bad_usage(option, text, wanted);
    return 0;
}

static const char *const PATTERNS[] = {
    [ARRIVALS_POISSON] = "poisson", [ARRIVALS_UNIFORM] = "uniform", [ARRIVALS_BURSTS] = "bursts"};

static const struct option OPTIONS[] = {
    {"url", required_argument, NULL, 'u'},
    {"model", required_argument, NULL, 'm'},
    {"scenario", required_argument, NULL, 's'},
    {"rate", required_argument, NULL, 'r'},
    {"pattern", required_argument, NULL, 'p'},
    {"burst", required_argument, NULL, 'b'},
    {"seconds", required_argument, NULL, 't'},
    {"warm-up", required_argument, NULL, 'w'},
    {"requests", required_argument, NULL, 'n'},
    {"connections", required_argument, NULL, 'c'},
    {"clients", required_argument, NULL, 'c'},
    {"rows", required_argument, NULL, 'R'},
    {"json-tensors", no_argument, NULL, 'J'},
    {"priority", required_argument, NULL, 'P'},
    {"timeout-us", required_argument, NULL, 'T'},
    {"bound", required_argument, NULL, 'B'},
    {"patience", required_argument, NULL, 'a'},
    {"find-rate", no_argument, NULL, 'f'},
    {"verify", no_argument, NULL, 'v'},
    {"models", required_argument, NULL, 'M'},
    {"source", required_argument, NULL, 'S'},
    {"tolerance", required_argument, NULL, 'e'},
    {"spin", required_argument, NULL, 'i'},
    {"seed", required_argument, NULL, 'd'},
    {"json", no_argument, NULL, 'j'},
    {"series", required_argument, NULL, 'C'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* What the requests are like; false: the option is another. */
static bool take_request_option(struct load_settings *settings, int option, const char *name, const char *value) {
    struct load_options *load = &settings->load;
    switch (option) {
    case 'R':
        settings->rows = (uint32_t)whole(name, value, 1, INFERENCE_ROWS);
        return true;
    case 'J':
        load->request.json = true;
        return true;
    case 'P':
        load->request.priority = (uint8_t)whole(name, value, 1, 15);
        return true;
    case 'T':
        load->request.timeout = whole(name, value, 1, UINT32_MAX);
        return true;
    case 'v':
        load->verify = true;
        return true;
    case 'e':
        load->tolerance = number(name, value, 1e-12, 1e12);
        return true;
    default:
        return false;
    }
}

/* When they are sent. */
static bool take_load_option(struct load_settings *settings, int option, const char *name, const char *value) {
    struct load_options *load = &settings->load;
    switch (option) {
    case 's':
        load->scenario =
            named(name, value, scenario_names, LOAD_OFFLINE + 1, "one of server, closed, single, multi and offline");
        return true;
    case 'r':
        load->rate = number(name, value, 1e-3, 1e7);
        return true;
    case 'p':
        load->pattern = named(name, value, PATTERNS, ARRIVALS_BURSTS + 1, "one of poisson, uniform and bursts");
        return true;
    case 'b':
        load->burst = whole(name, value, 1, ARRIVALS_MOST);
        return true;
    case 't':
        load->seconds = number(name, value, 1e-3, 1e6);
        return true;
    case 'w':
        load->warm_up = number(name, value, 0, 1e6);
        return true;
    case 'n':
        load->requests = whole(name, value, 1, UINT32_MAX);
        return true;
    case 'c':
        load->connections = whole(name, value, 1, 65536);
        return true;
    case 'B':
        load->bound = number(name, value, 1e-3, 1e6) / 1e3;
        return true;
    case 'a':
        load->patience = number(name, value, 1e-3, 1e6);
        return true;
    case 'i':
        load->spin = number(name, value, 0, 1e6) / 1e6;
        return true;
    case 'd':
        load->seed = whole(name, value, 0, UINT64_MAX);
        return true;
    default:
        return false;
    }
}

static void take_option(struct load_settings *settings, int option, const char *name, const char *value) {
    const char **text = option == 'u'   ? &settings->url
                        : option == 'm' ? &settings->model
                        : option == 'M' ? &settings->models
                        : option == 'S' ? &settings->source
                        : option == 'C' ? &settings->series
                                        : NULL;
    if (text != NULL) {
        *text = value;
    } else if (option == 'f') {
        settings->find_rate = true;
    } else if (option == 'j') {
        settings->json = true;
    } else if (option == 'h') {
        fputs(USAGE, stdout);
        exit(0);
    } else if (!take_request_option(settings, option, name, value) &&
               !take_load_option(settings, option, name, value)) {
        fprintf(stderr, "load --help lists the options\n"); /* getopt_long has said what is wrong */
        exit(2);
    }
}

static void complete(struct load_settings *settings) {
    struct load_options *load = &settings->load;
    bool for_requests = load->requests > 0 || load->scenario == LOAD_OFFLINE;
    if (load->seconds == 0 && (!for_requests || load->scenario == LOAD_SERVER))
        load->seconds = 10;
    if (load->requests == 0 && load->scenario == LOAD_OFFLINE)
        load->requests = 10000;
    if (load->connections == 0)
        load->connections = load->scenario == LOAD_MULTI ? 8 : 64;
    if (load->rate == 0)
        load->rate = 1000;
    if (settings->source == NULL)
        settings->source = settings->model;
    if (settings->find_rate && load->scenario != LOAD_SERVER)
        bad_usage("find-rate with --scenario", scenario_names[load->scenario], "possible: it looks for server's rate");
}

struct load_settings load_settings_read(int argc, char *argv[]) {
    struct load_settings settings = {
        .load = {.burst = 16, .bound = 0.005, .seed = 1},
        .url = "http://127.0.0.1:8000",
        .model = "digits",
        .models = "build/models",
        .rows = 1,
    };
    int option, index = 0;
    while ((option = getopt_long(argc, argv, "", OPTIONS, &index)) != -1)
        take_option(&settings, option, OPTIONS[index].name, optarg);
    if (optind < argc) {
        fprintf(stderr, "load: %s: an argument that is no option; load --help lists the options\n", argv[optind]);
        exit(2);
    }
    complete(&settings);
    return settings;
}
