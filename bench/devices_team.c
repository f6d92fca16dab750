/* devices_team.c: a process for each device, started once and bound to it; each does its share of the images. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cards.h"
#include "console.h"
#include "devices.h"
#include "digits.h"
#include "serving.h"

/*
 * The protocol is a peer's (peer.h), with other requests: "load PLACE SOURCE" is answered by "ready: DESCRIPTION", "run
 * PLACE IMAGES FIRST END" by "done"; and both, where it cannot be, by "off: SENTENCE". A worker is a program that was
 * executed, as a server's is: a process that has looked at CUDA must not be forked, and what card it sees is told by
 * its environment from the start.
 */
enum { ANSWER_SIZE = 512, REQUEST_SIZE = 160, RUNS_OF_ENERGY = 100000, TRIES = 100 };

/* ---- the worker */

struct worker {
    struct region region;
    struct device device;
    struct model *models[DEVICE_MODELS];
    const char *folder;
};

static int load(struct worker *worker, size_t place, const char *source, struct failure *failure) {
    struct model *model;
    if (place >= IMAGES_MODELS)
        return fail(failure, -EINVAL, "place %zu", place);
    int result = model_open(&model, source, worker->folder, failure);
    if (result != 0)
        return result;
    if (model->inputs != DIGIT_PIXELS || model->outputs != IMAGES_OUTPUTS)
        result = fail(failure, -EINVAL, "the model \"%s\" has another shape here", model->name);
    if (result == 0)
        result = device_load(&worker->device, place, model, failure);
    if (result == 0)
        worker->models[place] = model;
    else
        model_free(model);
    return result;
}

static int begin(struct worker *worker, size_t lane, size_t place, const struct part *parts, size_t count,
                 struct failure *failure) {
    int result = -EAGAIN; /* memory was short for a moment */
    for (int tries = 0; tries < TRIES && result == -EAGAIN; tries++)
        result = device_begin(&worker->device, lane, place, parts, count, failure);
    return result;
}

/* As many batches in its hands as it has lanes. */
static int run(struct worker *worker, size_t place, size_t images, size_t first, size_t end, struct failure *failure) {
    struct part parts[DEVICE_BATCH];
    size_t lanes = device_lanes(&worker->device), begun = 0;
    int result = 0;
    if (place >= IMAGES_MODELS || worker->models[place] == NULL || images < 1 || images > worker->region.images ||
        end > IMAGES_ROWS || first > end)
        return fail(failure, -EINVAL, "no run: model %zu, %zu images, rows %zu to %zu", place, images, first, end);
    for (; first < end && result == 0; begun++) {
        size_t rows = end - first < DEVICE_BATCH ? end - first : DEVICE_BATCH;
        size_t count = images_parts(&worker->region, worker->models[place], images, first, first + rows, parts);
        if (begun >= lanes)
            result = device_finish(&worker->device, begun % lanes, failure);
        if (result == 0)
            result = begin(worker, begun % lanes, place, parts, count, failure);
        first += rows;
    }
    for (size_t i = begun > lanes ? begun - lanes : 0; i < begun && result == 0; i++)
        result = device_finish(&worker->device, i % lanes, failure);
    return result;
}

static void answer(struct worker *worker, const char *line) {
    struct failure failure;
    size_t place, images, first, end;
    char source[64];
    int result = -EINVAL;
    if (sscanf(line, "load %zu %63s", &place, source) == 2) {
        result = load(worker, place, source, &failure);
        if (result == 0)
            printf("ready: %s\n", worker->device.description);
    } else if (sscanf(line, "run %zu %zu %zu %zu", &place, &images, &first, &end) == 4) {
        result = run(worker, place, images, first, end, &failure);
        if (result == 0)
            puts("done");
    } else {
        fail(&failure, result, "not a request: %.40s", line);
    }
    if (result != 0)
        printf("off: %s\n", failure.text);
    fflush(stdout);
}

int team_worker(int argc, char *argv[]) {
    static struct worker worker;
    struct failure failure;
    char line[REQUEST_SIZE];
    if (argc != 6)
        return 2;
    worker.folder = argv[3];
    bool open = region_map(&worker.region, argv[4], strtoul(argv[5], NULL, 10), &failure);
    const struct device_options options = {
        .batch = DEVICE_BATCH, .memory = worker.region.inputs, .memory_size = worker.region.size};
    open = open && device_open(&worker.device, argv[2], &options, &failure) == 0;
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (open) {
            answer(&worker, line);
        } else {
            printf("off: %s\n", failure.text);
            fflush(stdout);
        }
    }
    if (open)
        device_close(&worker.device);
    for (size_t i = 0; i < IMAGES_MODELS; i++)
        model_free(worker.models[i]);
    return 0;
}

/* ---- those who have them work */

/* Executes a worker that sees its card and no other; this process's environment is as it was afterwards. */
static bool spawn(struct peer *worker, const char *device) {
    char texts[CARD_VARIABLES][96], path[64], images[24], program[4096];
    at_variable variables[CARD_VARIABLES];
    char *before[CARD_VARIABLES];
    size_t count = cards_bind(device, variables, texts);
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), region.file);
    snprintf(images, sizeof images, "%zu", region.images);
    char *argv[] = {
        program, (char[]){"--worker"}, (char *)(uintptr_t)device, (char *)(uintptr_t)models_folder(), path, images,
        NULL};
    for (size_t i = 0; i < count; i++) {
        const char *value = getenv(variables[i].name);
        before[i] = value != NULL ? strdup(value) : NULL;
        setenv(variables[i].name, variables[i].value, true);
    }
    bool started = peer_spawn(worker, device, argv);
    for (size_t i = 0; i < count; i++) {
        if (before[i] != NULL)
            setenv(variables[i].name, before[i], true);
        else
            unsetenv(variables[i].name);
        free(before[i]);
    }
    return started;
}

/* Waits for the answers of the first `count`, each of which has been asked; the last that was not `expected`. */
static bool await(struct team *team, size_t count, const char *expected, char reason[DEVICE_REASON]) {
    bool right = true;
    for (size_t i = 0; i < count; i++) {
        struct peer *worker = &team->workers[i];
        char line[ANSWER_SIZE] = "";
        bool came = peer_receive(worker, line, sizeof line);
        if (came && strncmp(line, expected, strlen(expected)) == 0) {
            if (i == 0 && line[strlen(expected)] != '\0')
                snprintf(team->description, sizeof team->description, "%.199s", line + strlen(expected));
            continue;
        }
        right = false;
        if (came && strncmp(line, "off: ", 5) == 0)
            snprintf(reason, DEVICE_REASON, "%.400s", line + 5);
        else
            snprintf(reason, DEVICE_REASON, "device \"%s\": its process has ended: %.60s", worker->name, worker->lost);
    }
    return right;
}

bool team_start(struct team *team, const struct series *series, char reason[DEVICE_REASON]) {
    char request[REQUEST_SIZE];
    *team = (struct team){.series = series};
    bool right = true;
    snprintf(reason, DEVICE_REASON, "it could not be started");
    for (size_t i = 0; i < series->count && right; i++)
        right = spawn(&team->workers[i], series->texts[i]);
    for (size_t model = 0; model < IMAGES_MODELS && right; model++) {
        if (images_of[model].model == NULL)
            continue;
        snprintf(request, sizeof request, "load %zu %s", model, images_of[model].source);
        for (size_t i = 0; i < series->count && right; i++)
            right = peer_send(&team->workers[i], request);
        right = right && await(team, series->count, "ready: ", reason);
    }
    if (!right)
        team_stop(team);
    return right;
}

void team_stop(struct team *team) {
    for (size_t i = 0; team->series != NULL && i < team->series->count; i++)
        peer_stop(&team->workers[i]);
}

/* Of two answers each may be off: the right one to less, the wrong one to more. */
static double tolerance_of(const struct series *series, size_t count) {
    double tolerance = 1e-3;
    for (size_t i = 0; i < count; i++)
        tolerance = fmax(tolerance, 2 * device_tolerance(series->texts[i]));
    return tolerance;
}

double team_run(struct team *team, size_t count, struct images *images, size_t rows) {
    char requests[DEVICES_MOST][REQUEST_SIZE], wrong[WRONG_SIZE], reason[DEVICE_REASON] = "";
    for (size_t i = 0; i < count; i++)
        snprintf(requests[i], REQUEST_SIZE, "run %d %zu %zu %zu", images->workload.variant, images->images,
                 i * rows / count, (i + 1) * rows / count);
    images->rows = rows;
    images->echoes = team->series->simulated;
    images->tolerance = tolerance_of(team->series, count);
    images->workload.reset(&images->workload);
    bool right = true;
    uint64_t start = now_ns();
    for (size_t i = 0; i < count; i++)
        right = peer_send(&team->workers[i], requests[i]) && right;
    right = right && await(team, count, "done", reason);
    double ns = (double)(now_ns() - start);
    if (!right) {
        if (!interrupted() && reason[0] != '\0')
            note_failure("bench: %s", reason);
        return 0;
    }
    if (!images->workload.check(&images->workload, wrong))
        wrong_result("%s: %s, %zu devices: %s", team->series->title, images->workload.name, count, wrong);
    return ns;
}

/* Joules of all different cards of the first `count`, since their drivers were loaded. */
static double meters(const struct series *series, size_t count) {
    double joules = 0;
    for (size_t i = 0; i < count; i++) {
        struct card_state state;
        bool before = false;
        for (size_t j = 0; j < i; j++)
            before |= strcmp(series->uuids[i], series->uuids[j]) == 0;
        if (before)
            continue;
        if (series->uuids[i][0] == '\0' || !cards_state(series->uuids[i], &state))
            return NAN;
        joules += state.energy;
    }
    return joules;
}

double team_energy(struct team *team, size_t count, struct images *images, size_t rows, double seconds) {
    double before = meters(team->series, count), done = 0;
    uint64_t start = now_ns();
    if (isnan(before) || card_is_emulated(team->description))
        return NAN;
    for (size_t i = 0; i < RUNS_OF_ENERGY && seconds_since(start) < seconds && !interrupted(); i++) {
        if (!(team_run(team, count, images, rows) > 0))
            return NAN;
        done += (double)rows;
    }
    double after = meters(team->series, count);
    return done > 0 && after > before ? (after - before) / done : NAN;
}
