/* runners.c: who does the work of a workload. */
#include "runners.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "atelier.h"
#include "comparison.h"
#include "console.h"

/* What others offer, beside the modes of modes/. C peers work by the very same functions (host.h). */
#define C_WORKLOADS " empty cpu memory io lock_mutex "
static const struct runner peers[] = {
    {.name = "c11", .title = "C11 threads", .program = "c11_mode", .workloads = C_WORKLOADS},
    {.name = "openmp", .title = "OpenMP", .program = "openmp_mode", .workloads = C_WORKLOADS},
    {.name = "libuv", .title = "libuv's pool", .program = "libuv_mode", .workloads = C_WORKLOADS},
    {.name = "python_threading",
     .title = "Python threading",
     .library = "threading",
     .workloads = " empty cpu io lock_mutex "},
    {.name = "python_multiprocessing",
     .title = "Python multiprocessing",
     .library = "multiprocessing",
     .workloads = " empty cpu io "},
    {.name = "python_futures",
     .title = "Python concurrent.futures",
     .library = "futures",
     .workloads = " empty cpu io "},
};

bool runner_does(const struct runner *runner, const struct workload *workload) {
    char name[64];
    snprintf(name, sizeof name, " %s ", workload->name);
    if (runner->mode != NULL)
        return !runner->mode->commands || workload->command != NULL;
    return strstr(runner->workloads, name) != NULL;
}

/* Whether a program that the mode needs is here; it says its name and version. */
static bool answers_to(const char *program, const char *expected) {
    at_completed done = {0};
    bool right =
        at_run(AT_ARGS(program, "--version"), .stdout = AT_PIPE, .stderr = AT_DEVNULL, .completed = &done) == 0 &&
        done.returncode == 0 && strncmp(done.stdout, expected, strlen(expected)) == 0;
    at_completed_free(&done);
    return right;
}

static void missing(struct runner *runner, const char *reason) {
    snprintf(runner->missing, sizeof runner->missing, "%s", reason);
}

static void start_mode(struct runner *runner, struct workload_list workloads) {
    const struct mode *mode = runner->mode;
    if (mode->missing != NULL)
        missing(runner, mode->missing);
    else if (mode->commands && !answers_to(mode->name, mode->version))
        snprintf(runner->missing, sizeof runner->missing, "there is no %s here; ./setup bench installs it",
                 mode->title);
    else if (!host_fork(&runner->host, mode, workloads)) {
        missing(runner, "it could not be started");
        note_failure("bench: %s is ours, and should have started", mode->name);
    }
}

static void start_peer(struct runner *runner, const struct options *options, struct workload_list workloads,
                       bool python) {
    char path[FOLDER_SIZE + 64], folder[FOLDER_SIZE], part[32], bytes[32];
    const struct workload *memory = workload_named(workloads, "memory");
    snprintf(part, sizeof part, "%.17g", options->part);
    snprintf(bytes, sizeof bytes, "%.17g", memory != NULL ? memory->units : 0);
    if (runner->program != NULL)
        snprintf(path, sizeof path, "%s/%s", folder_beside("peers", folder), runner->program);
    else
        snprintf(path, sizeof path, "%s/scaling.py", options->peers);
    char *built[] = {path, part, bytes, NULL};
    char *script[] = {(char[]){"python3"}, (char[]){"-B"}, path, (char *)(uintptr_t)runner->library, NULL};
    if (runner->program == NULL && !python)
        missing(runner, "there is no Python 3.7 or newer here");
    else if (runner->program != NULL && access(path, X_OK) != 0)
        missing(runner, "it was not built; ./setup bench installs what builds it");
    else if (!peer_spawn(&runner->host, runner->name, runner->program != NULL ? built : script))
        missing(runner, "it could not be started");
}

void runners_start(struct runners *runners, const struct options *options, struct workload_list workloads) {
    bool python = !options->quick && python_is_there();
    char threads[24];
    /* The size of libuv's pool, which is asked for only once. */
    snprintf(threads, sizeof threads, "%zu", options->workers < 16 ? 16 : options->workers);
    setenv("UV_THREADPOOL_SIZE", threads, false);
    runners->count = 0;
    for (size_t i = 0; i < mode_count; i++) {
        struct runner *runner = &runners->list[runners->count++];
        const struct mode *mode = all_modes[i];
        *runner = (struct runner){
            .name = mode->name, .title = mode->title, .role = mode->commands ? "peer" : "ours", .mode = mode};
        start_mode(runner, workloads);
    }
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        struct runner *runner = &runners->list[runners->count++];
        *runner = peers[i];
        runner->role = "peer";
        if (options->quick && runner->library != NULL)
            missing(runner, "a quick run leaves Python out here");
        else
            start_peer(runner, options, workloads, python);
    }
}

void runners_stop(struct runners *runners) {
    for (size_t i = 0; i < runners->count; i++)
        peer_stop(&runners->list[i].host);
}
