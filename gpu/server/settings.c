/* settings.c: what serve's command line says; see settings.h. */
#include "settings.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "usage: serve [OPTION]...\n"
    "Serves models over HTTP (KServe v2) until Ctrl-C or SIGTERM; then it finishes what it has begun.\n"
    "\n"
    "  --devices LIST       a worker for each, with commas between: cpu, openblas, cuda:CARD, cuda for all cards,\n"
    "                       sim:ALPHA:BETA (us), sim:CARD, echo; left out: cpu for each core. Behind cuda or its card\n"
    "                       may follow :fp32 (default), :tf32, :fp16 or :bf16, :spin, :staged\n"
    "  --models LIST        the models: digits, wide, wide:512x2 (hidden layers), or files with a '/'; default digits\n"
    "  --folder FOLDER      where the models are; default build/models\n"
    "  --address ADDRESS    where to listen; default 127.0.0.1, which only this machine reaches\n"
    "  --port PORT          default 8000; 0: any that is free\n"
    "  --mode MODE          shared-queue (default), threads, processes or serial; the handout compares them\n"
    "\n"
    "  --batch ROWS         the most rows that run together, 1 to 256; default 64; 1: no batching\n"
    "  --delay US           how long a free worker may wait for more rows, in microseconds; default 0\n"
    "  --in-flight N        batches that a worker has at once, 1 or 2; default 1\n"
    "  --deterministic      a row's answer has the same bits in every batch\n"
    "  --timeout MS         after which a request that names none is given up, in milliseconds; default 0: never\n"
    "  --keep-late          compute also what cannot be ready in time\n"
    "\n"
    "  --slots N            requests that may be here at once; then 503; default 1024\n"
    "  --body BYTES         largest body; then 413; default what the largest model can need\n"
    "  --connections N      default 2048\n"
    "  --per-client N       connections of one address; default 512, half of the slots\n"
    "  --idle S             a silent connection is closed after so many seconds; default 60\n"
    "  --slow S             a request has to be here after so many seconds; default 30\n"
    "  --drain S            how long the end may take; default 10\n"
    "\n"
    "  --trace FILE         writes a line for each batch, for the timeline; with --mode processes FILE.0, FILE.1...\n"
    "  --inject LIST        faults on purpose: crash=V, exit=V, stop=V, last=V (of rows that begin with V), garbage,\n"
    "                       late=MS, cuda=ERROR@BATCH[xTIMES] (of CUDA's, before a worker's batch of that number)\n"
    "\n"
    "Exit status: 0: it was told to end, and has answered all; 1: it has not, or could not start; 2: bad usage.\n";

static const char *const MODES[] = {"serial", "threads", "processes", "shared-queue"};

void settings_say(const struct settings *settings, uint16_t port) {
    bool six = strchr(settings->address, ':') != NULL;
    printf("serve: http://%s%s%s:%u, %s, %zu worker%s:", six ? "[" : "", settings->address, six ? "]" : "", port,
           MODES[settings->mode], settings->device_count, settings->device_count == 1 ? "" : "s");
    for (size_t i = 0; i < settings->device_count; i++)
        printf(" %s", settings->devices[i]);
    puts("");
    fflush(stdout);
}

static void wrong(const char *option, const char *value, const char *what) __attribute__((noreturn));

static void wrong(const char *option, const char *value, const char *what) {
    fprintf(stderr, "serve: --%s %s: %s; see serve --help\n", option, value, what);
    exit(2);
}

static uint64_t whole(const char *option, const char *text, uint64_t least, uint64_t most) {
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || number < least || number > most) {
        char what[100];
        snprintf(what, sizeof what, "not a whole number from %llu to %llu", (unsigned long long)least,
                 (unsigned long long)most);
        wrong(option, text, what);
    }
    return number;
}

/* Cuts a copy of the text at its commas; main's arguments stay as they are, for the processes of SERVE_PROCESSES. */
static size_t list(const char *option, const char *text, char **copy, const char **items, size_t most) {
    size_t count = 0;
    free(*copy); /* the option has been given before: the last one counts */
    char *rest = *copy = strdup(text);
    if (rest == NULL)
        at_fatal("serve: no memory for --%s", option);
    const char *what = NULL;
    for (char *item; (item = strsep(&rest, ",")) != NULL;) {
        what = *item == '\0' ? "nothing before or behind a comma" : count == most ? "too many" : what;
        if (what == NULL)
            items[count++] = item;
    }
    if (what != NULL)
        wrong(option, text, what);
    return count;
}

static enum serve_mode mode_of(const char *text) {
    for (size_t i = 0; i < sizeof MODES / sizeof *MODES; i++)
        if (strcmp(MODES[i], text) == 0)
            return (enum serve_mode)i;
    wrong("mode", text, "not serial, threads, processes or shared-queue");
}

enum number {
    DEVICES = 1,
    MODELS,
    FOLDER,
    ADDRESS,
    PORT,
    MODE,
    BATCH,
    DELAY,
    IN_FLIGHT,
    DETERMINISTIC,
    TIMEOUT,
    KEEP_LATE,
    SLOTS,
    BODY,
    CONNECTIONS,
    PER_CLIENT,
    IDLE,
    SLOW,
    DRAIN,
    TRACE,
    INJECT,
    NUMBER,
    LISTENING,
    READY,
    HELP
};

static const struct option OPTIONS[] = {
    {"devices", required_argument, NULL, DEVICES},
    {"models", required_argument, NULL, MODELS},
    {"folder", required_argument, NULL, FOLDER},
    {"address", required_argument, NULL, ADDRESS},
    {"port", required_argument, NULL, PORT},
    {"mode", required_argument, NULL, MODE},
    {"batch", required_argument, NULL, BATCH},
    {"delay", required_argument, NULL, DELAY},
    {"in-flight", required_argument, NULL, IN_FLIGHT},
    {"deterministic", no_argument, NULL, DETERMINISTIC},
    {"timeout", required_argument, NULL, TIMEOUT},
    {"keep-late", no_argument, NULL, KEEP_LATE},
    {"slots", required_argument, NULL, SLOTS},
    {"body", required_argument, NULL, BODY},
    {"connections", required_argument, NULL, CONNECTIONS},
    {"per-client", required_argument, NULL, PER_CLIENT},
    {"idle", required_argument, NULL, IDLE},
    {"slow", required_argument, NULL, SLOW},
    {"drain", required_argument, NULL, DRAIN},
    {"trace", required_argument, NULL, TRACE},
    {"inject", required_argument, NULL, INJECT},
    {"number", required_argument, NULL, NUMBER}, /* these three are for SERVE_PROCESSES itself */
    {"listening", required_argument, NULL, LISTENING},
    {"ready", required_argument, NULL, READY},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

/* Where an option's number goes. */
static void read_number(struct settings *settings, int option, const char *name, const char *text) {
    switch (option) {
    case PORT:
        settings->port = (unsigned)whole(name, text, 0, 65535);
        break;
    case BATCH:
        settings->batching.most = (uint32_t)whole(name, text, 1, DEVICE_BATCH);
        break;
    case DELAY:
        settings->batching.delay = whole(name, text, 0, 10000000) * 1000;
        break;
    case IN_FLIGHT:
        settings->in_flight = (unsigned)whole(name, text, 1, 2);
        break;
    case TIMEOUT:
        settings->timeout = whole(name, text, 0, 3600000) * 1000000;
        break;
    case SLOTS:
        settings->slots = (size_t)whole(name, text, 1, UINT16_MAX);
        break;
    case BODY:
        settings->body = whole(name, text, 1, 1 << 30);
        break;
    case CONNECTIONS:
        settings->connections = (unsigned)whole(name, text, 1, 1 << 20);
        break;
    case PER_CLIENT:
        settings->connections_per_client = (unsigned)whole(name, text, 1, 1 << 20);
        break;
    case IDLE:
        settings->idle = (unsigned)whole(name, text, 1, 86400);
        break;
    case SLOW:
        settings->slow = (unsigned)whole(name, text, 1, 86400);
        break;
    case DRAIN:
        settings->drain = (unsigned)whole(name, text, 0, 86400);
        break;
    case NUMBER:
        settings->number = (unsigned)whole(name, text, 0, ENGINE_WORKERS);
        break;
    case LISTENING:
        settings->listening = (int)whole(name, text, 0, 1 << 20);
        break;
    default:
        settings->ready = (int)whole(name, text, 0, 1 << 20);
        break;
    }
}

static void read_option(struct settings *settings, int option, const char *name, char *text) {
    switch (option) {
    case DEVICES:
        settings->device_count = list(name, text, &settings->device_texts, settings->devices, ENGINE_WORKERS);
        break;
    case MODELS:
        settings->model_count = list(name, text, &settings->model_texts, settings->models, DEVICE_MODELS);
        break;
    case FOLDER:
        settings->folder = text;
        break;
    case ADDRESS:
        settings->address = text;
        break;
    case MODE:
        settings->mode = mode_of(text);
        break;
    case DETERMINISTIC:
        settings->deterministic = true;
        break;
    case KEEP_LATE:
        settings->batching.keep_late = true;
        break;
    case TRACE:
        settings->trace = text;
        break;
    case INJECT:
        settings->inject = text;
        break;
    case HELP:
        fputs(USAGE, stdout);
        exit(0);
    case '?':
        fprintf(stderr, "see serve --help\n");
        exit(2);
    default:
        read_number(settings, option, name, text);
        break;
    }
}

void settings_read(struct settings *settings, int argc, char *argv[]) {
    *settings = (struct settings){.mode = SERVE_SHARED_QUEUE,
                                  .models = {"digits"},
                                  .model_count = 1,
                                  .folder = "build/models",
                                  .address = "127.0.0.1",
                                  .port = 8000,
                                  .batching = {.most = 64},
                                  .slots = 1024,
                                  .in_flight = 1,
                                  .connections = 2048,
                                  .connections_per_client = 512,
                                  .idle = 60,
                                  .slow = 30,
                                  .drain = 10,
                                  .listening = -1,
                                  .ready = -1};
    int option, index = 0;
    while ((option = getopt_long(argc, argv, "", OPTIONS, &index)) != -1)
        read_option(settings, option, option == '?' ? "" : OPTIONS[index].name, optarg);
    if (optind < argc) {
        fprintf(stderr, "serve: %s: only options, please; see serve --help\n", argv[optind]);
        exit(2);
    }
    settings_devices(settings);
}
