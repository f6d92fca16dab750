/* serving_events.c: a single run, moment by moment: who computes when, workers that are killed, and one that stalls. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console.h"
#include "output.h"
#include "serving.h"
#include "serving_trace.h"

enum { PATH = 128, WORKERS = 4 };

/* A folder for the servers' traces. */
static void make_folder(char folder[PATH]) {
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, PATH, "%.80s/atelier-serving-XXXXXX", temporary != NULL ? temporary : "/tmp");
    if (mkdtemp(folder) == NULL)
        folder[0] = '\0';
}

static void sleep_seconds(double seconds) {
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

/* ---- something that happens to the workers while requests are sent */

struct disturbance {
    const struct server *server;
    double begin, end; /* seconds from now on */
    double every;      /* kills one of them so often; 0: one stands still from begin to end */
    struct dice dice;
    size_t count;
    double at[256]; /* when, in seconds */
};

static void signal_one(struct disturbance *disturbance, int number) {
    pid_t workers[SERVER_WORKERS];
    size_t count = server_workers(disturbance->server, workers, SERVER_WORKERS);
    if (count > 0)
        kill(workers[dice_below(&disturbance->dice, count)], number);
}

static void *disturb(void *context) {
    struct disturbance *disturbance = context;
    sleep_seconds(disturbance->begin);
    if (disturbance->every <= 0) {
        signal_one(disturbance, SIGSTOP);
        sleep_seconds(disturbance->end - disturbance->begin);
        signal_one(disturbance, SIGCONT);
        return NULL;
    }
    for (double at = disturbance->begin; at < disturbance->end && disturbance->count < 256; at += disturbance->every) {
        disturbance->at[disturbance->count++] = at;
        signal_one(disturbance, SIGKILL);
        sleep_seconds(disturbance->every);
    }
    return NULL;
}

static bool load_disturbed(struct serving *serving, struct server *server, const struct load_options *load,
                           struct disturbance *disturbance, struct load_result *result) {
    pthread_t thread;
    disturbance->server = server;
    disturbance->dice = (struct dice){dice_below(&serving->dice, 1 << 30)};
    if (server->popen == NULL || pthread_create(&thread, NULL, disturb, disturbance) != 0)
        return false;
    bool done = serving_load(serving, server, load, result);
    pthread_join(thread, NULL);
    return done;
}

/* ---- workers that are killed */

/* From each death to the same worker's next readiness. */
static void add_recoveries(struct reached *reached, const struct trace *trace) {
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_event *death = &trace->events[i];
        for (size_t j = i; death->kind == TRACE_DEATH && j < trace->count; j++)
            if (trace->events[j].kind == TRACE_READY && trace->events[j].worker == death->worker) {
                samples_add(&reached->found, (trace->events[j].end_us - death->end_us) / 1e3);
                break;
            }
    }
}

static void write_crash(const struct serving *serving, const struct tally *tally,
                        const struct disturbance *disturbance) {
    FILE *file =
        output_open(serving->options->output, "serving-crash", "seconds,right_per_s,failed_per_s,p99_us,kills");
    const double slot = TALLY_SLOT * 1e-9;
    for (size_t i = 0; i + 1 < tally->slot_count; i++) { /* the last one is not whole */
        size_t kills = 0;
        double begin = (double)i * slot;
        for (size_t j = 0; j < disturbance->count; j++)
            kills += disturbance->at[j] >= begin && disturbance->at[j] < begin + slot;
        output_row(file, "%.1f,%.0f,%.0f,%.6g,%zu", begin, tally->slots[i].right / slot, tally->slots[i].failed / slot,
                   (double)tally->slots[i].p99 / 1e3, kills);
    }
    output_close(file);
}

void measure_crash(struct serving *serving) {
    char folder[PATH], path[PATH + 16];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/trace", folder);
    struct server server = {.name = "shared_queue",
                            .title = "shared queue, workers killed",
                            .model = "wide",
                            .source = "wide:16x1",
                            .arguments = {"--port", "0", "--models", "wide:16x1", "--devices",
                                          "sim:2000:100,sim:2000:100,sim:2000:100,sim:2000:100", "--trace", path}};
    double seconds = serving->seconds > 1.5 ? serving->seconds : 1.5;
    struct load_options load = {.scenario = LOAD_SERVER, .rate = 2000, .connections = 64, .seconds = seconds};
    struct disturbance disturbance = {.begin = seconds / 3, .end = seconds * 2 / 3, .every = 0.2};
    struct load_result result;
    struct reached *back =
        reach_add(serving, "recovery", "from a worker's death to its readiness again", " ms", false, 300, true);
    struct reached *lost = reach_add(serving, "lost", "requests lost while workers are killed", "", false, 0, true);
    progress("serving: workers killed", serving->seconds + serving->left);
    if (folder[0] != '\0' && server_start(&server) && load_disturbed(serving, &server, &load, &disturbance, &result)) {
        samples_add(&lost->found, (double)tally_failed(&result.tally));
        write_crash(serving, &result.tally, &disturbance);
        load_result_free(&result);
    }
    server_stop(&server);
    struct trace trace = trace_read(path);
    add_recoveries(back, &trace);
    trace_free(&trace);
    unlink(path);
    rmdir(folder);
}

/* ---- an open and a closed loop meet the same stall */

static void write_distribution(FILE *file, const char *series, const struct load_result *result) {
    static const double PARTS[] = {0,     0.05, 0.1,    0.2,   0.3,    0.4,   0.5,    0.6,  0.7,   0.75,
                                   0.8,   0.85, 0.9,    0.92,  0.94,   0.95,  0.96,   0.97, 0.975, 0.98,
                                   0.985, 0.99, 0.9925, 0.995, 0.9975, 0.999, 0.9995, 1};
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++)
        output_row(file, "%s,%g,%.6g,%.6g", series, PARTS[i],
                   (double)histogram_quantile(&result->tally.latency, PARTS[i]) / 1e3, result->achieved);
}

void measure_loops(struct serving *serving) {
    struct server server = {.name = "shared_queue",
                            .title = "shared queue, one worker that stalls",
                            .model = "wide",
                            .source = "wide:16x1",
                            .arguments = {"--port", "0", "--models", "wide:16x1", "--devices", "sim:2000:50",
                                          "--per-client", "2048"}}; /* those of the open loop, while it stands still */
    double seconds = serving->seconds / 2 > 1 ? serving->seconds / 2 : 1;
    struct load_options load = {.scenario = LOAD_CLOSED, .connections = 4, .seconds = seconds};
    FILE *file = output_open(serving->options->output, "serving-loops", "series,part,latency_us,achieved_per_s");
    progress("serving: open and closed loop", serving->seconds + serving->left);
    server_start(&server);
    for (int open = 0; open < 2 && !interrupted(); open++) {
        struct disturbance disturbance = {.begin = seconds / 2, .end = seconds / 2 + 0.3};
        struct load_result result;
        if (!load_disturbed(serving, &server, &load, &disturbance, &result))
            break;
        write_distribution(file, open ? "open" : "closed", &result);
        /* The same number of requests a second, whatever becomes of them. */
        load.scenario = LOAD_SERVER;
        load.rate = result.achieved;
        load.connections = 1024;
        load_result_free(&result);
    }
    server_stop(&server);
    output_close(file);
}

/* ---- who computes when */

/* When each answer came, by the worker that gave it. */
struct arrivals_of {
    char device[32];
    struct samples at; /* us */
};

struct watched {
    struct arrivals_of workers[WORKERS];
    size_t count;
    uint64_t start;
};

static void watch(void *context, const struct load_answer *answer) {
    struct watched *watched = context;
    if (answer->outcome != OUTCOME_RIGHT)
        return;
    struct slice device = answer->answer->device;
    size_t i = 0;
    while (i < watched->count && !slice_is(device, watched->workers[i].device))
        i++;
    if (i == watched->count && i < WORKERS)
        snprintf(watched->workers[watched->count++].device, 32, "%.*s", (int)device.length, device.bytes);
    if (i < WORKERS)
        samples_add(&watched->workers[i].at, (double)(now_ns() - watched->start) / 1e3);
}

/*
 * Each process counts time from its own start. A worker's batches have one row each, so its answers are in the order of
 * its batches, and none comes before its batch has ended: the least difference is when it started, but for some us.
 */
static double start_of(const struct trace *trace, const struct arrivals_of *worker) {
    double start = 1e18;
    size_t answers = 0;
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_event *event = &trace->events[i];
        if (event->kind != TRACE_BATCH || strcmp(event->device, worker->device) != 0 || answers == worker->at.count)
            continue;
        double difference = worker->at.values[answers++] - event->end_us;
        start = difference < start ? difference : start;
    }
    return start;
}

/* The batches within a moment of the run, and of the whole run each worker's part of the time and of the requests. */
static void write_worker(FILE *file, const struct server *server, const struct trace *trace,
                         const struct arrivals_of *worker, size_t place, double seconds) {
    double start = start_of(trace, worker), busy = 0, from = seconds * 1e6 / 2, to = from + 100e3;
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_event *event = &trace->events[i];
        double begin = event->start_us + start, end = event->end_us + start;
        if (event->kind != TRACE_BATCH || strcmp(event->device, worker->device) != 0)
            continue;
        busy += end - begin;
        if (end > from && begin < to)
            output_row(file, "%s,batch,%zu,%.3f,%.3f,%u,,", server->name, place, (begin - from) / 1e3,
                       (end - from) / 1e3, event->rows);
    }
    output_row(file, "%s,worker,%zu,,,,%zu,%.4g", server->name, place, worker->at.count, busy / (seconds * 1e6));
}

/* In the order of the devices' names, and of processes each by a trace of its own. */
static void write_workers(FILE *file, const struct server *server, const char *path, const struct watched *watched,
                          double seconds) {
    for (size_t i = 0; i < WORKERS; i++) {
        struct arrivals_of none = {.at = {0}};
        const struct arrivals_of *worker = &none;
        snprintf(none.device, sizeof none.device, "sim:%zu:0", 2000 + i);
        for (size_t j = 0; j < watched->count; j++)
            if (strcmp(watched->workers[j].device, none.device) == 0)
                worker = &watched->workers[j];
        char one[PATH + 40];
        snprintf(one, sizeof one, "%s.%zu", path, i);
        struct trace trace = trace_read(one);
        if (trace.count == 0)
            trace = trace_read(path);
        write_worker(file, server, &trace, worker, i + 1, seconds);
        trace_free(&trace);
        unlink(one);
    }
}

static void draw_mode(struct serving *serving, FILE *file, const char *name, const char *mode, double seconds) {
    static const char DEVICES[] = "sim:2000:0,sim:2001:0,sim:2002:0,sim:2003:0";
    static struct watched watched;
    char folder[PATH], path[PATH + 16];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/trace", folder);
    struct server server = {.name = name,
                            .title = mode,
                            .model = "wide",
                            .source = "wide:16x1",
                            .arguments = {"--port", "0", "--models", "wide:16x1", "--mode", mode, "--batch", "1",
                                          "--devices", DEVICES, "--trace", path}};
    struct load_options load = {.scenario = LOAD_SERVER,
                                .rate = 1400,
                                .connections = 16,
                                .seconds = seconds,
                                .answered = watch,
                                .context = &watched};
    struct load_result result;
    double took = 0;
    bool started = folder[0] != '\0' && server_start(&server);
    watched = (struct watched){.start = now_ns()};
    if (started && serving_load(serving, &server, &load, &result)) {
        took = result.seconds;
        load_result_free(&result);
    }
    server_stop(&server);
    if (took > 0)
        write_workers(file, &server, path, &watched, took);
    for (size_t i = 0; i < WORKERS; i++)
        samples_free(&watched.workers[i].at);
    unlink(path);
    rmdir(folder);
}

void measure_timeline(struct serving *serving) {
    double seconds = serving->seconds / 2 > 0.4 ? serving->seconds / 2 : 0.4;
    FILE *file = output_open(serving->options->output, "serving-timeline",
                             "series,kind,worker,start_ms,end_ms,rows,requests,busy_part");
    progress("serving: who computes when", serving->seconds + serving->left);
    draw_mode(serving, file, "processes", "processes", seconds);
    if (!interrupted())
        draw_mode(serving, file, "shared_queue", "shared-queue", seconds);
    output_close(file);
}
