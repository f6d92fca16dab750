/* replicas.c: a whole server for each device, all accepting from one socket; see replicas.h. */
#include "replicas.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cards.h"
#include "child.h"
#include "front.h"
#include "http.h"
#include "region.h"

struct replicas {
    const struct settings *settings;
    char *const *arguments;
    const char *program;
    struct child children[ENGINE_WORKERS];
    int ready[ENGINE_WORKERS];     /* eventfds, on which each says that it is */
    bool is_ready[ENGINE_WORKERS]; /* since its start */
    int signals, listening;
    uint64_t end;    /* when those that are left are killed; 0: nobody has told us to end */
    bool said;       /* that all are ready, which is said once */
    bool unfinished; /* one could not finish what it had begun */
};

static int start(struct replicas *replicas, size_t index, uint64_t now) {
    size_t count = 0;
    while (replicas->arguments[count] != NULL)
        count++;
    const char **command = calloc(count + 13, sizeof *command);
    if (command == NULL)
        return -ENOMEM;
    char listening[16], ready[16], number[24], trace[512];
    snprintf(listening, sizeof listening, "%d", replicas->listening);
    snprintf(ready, sizeof ready, "%d", replicas->ready[index]);
    snprintf(number, sizeof number, "%zu", index);
    snprintf(trace, sizeof trace, "%s.%zu", replicas->settings->trace == NULL ? "" : replicas->settings->trace, index);
    /* What comes last counts. Each writes a trace of its own: FILE.0, FILE.1... */
    const char *const more[] = {"--mode",      "serial",  "--devices", replicas->settings->devices[index],
                                "--listening", listening, "--ready",   ready,
                                "--number",    number,    "--trace",   trace};
    size_t more_count = replicas->settings->trace == NULL ? 10 : 12;
    command[0] = "serve";
    memcpy(command + 1, replicas->arguments + 1, (count - 1) * sizeof *command);
    memcpy(command + count, more, more_count * sizeof *more);
    at_variable variables[2 + CARD_VARIABLES] = {{"OPENBLAS_NUM_THREADS", "1"}, {"OMP_NUM_THREADS", "1"}};
    char texts[CARD_VARIABLES][96];
    size_t bound = cards_bind(replicas->settings->devices[index], variables + 2, texts);
    const int descriptors[] = {replicas->listening, replicas->ready[index]};
    struct child_program program = {.executable = replicas->program,
                                    .command = AT_COMMAND(command),
                                    .variables = variables,
                                    .variable_count = 2 + bound,
                                    .descriptors = descriptors,
                                    .descriptor_count = 2};
    struct failure failure;
    replicas->is_ready[index] = false;
    int result = child_start(&replicas->children[index], &program, now, &failure);
    free(command);
    if (result != 0)
        fprintf(stderr, "serve: process %zu (%s): %s\n", index, replicas->settings->devices[index], failure.text);
    return result;
}

/* Starts those that are due, and buries those that have ended. Returns how many run. */
static size_t turn(struct replicas *replicas, uint64_t now) {
    size_t running = 0;
    for (size_t i = 0; i < replicas->settings->device_count; i++) {
        struct child *child = &replicas->children[i];
        /* One that has been ready was sound: its death is not the first of a row. */
        if (child_has_ended(child, replicas->is_ready[i], now)) {
            if (replicas->end != 0)
                replicas->unfinished = replicas->unfinished || child->signal != 0 || child->status != 0;
            else
                fprintf(stderr, "serve: process %zu (%s): %s%s\n", i, replicas->settings->devices[i], child->why,
                        child->out ? "; it died too often, and is not started again" : "");
        }
        if (child->popen == NULL && replicas->end == 0 && !child->out && now >= child->again)
            (void)!start(replicas, i, now);
        running += child->popen != NULL;
    }
    return running;
}

static bool waits_for_start(const struct replicas *replicas) {
    for (size_t i = 0; i < replicas->settings->device_count; i++)
        if (replicas->children[i].popen == NULL && !replicas->children[i].out)
            return true;
    return false;
}

static bool all_out(const struct replicas *replicas) {
    for (size_t i = 0; i < replicas->settings->device_count; i++)
        if (!replicas->children[i].out)
            return false;
    return true;
}

static void heed_ready(struct replicas *replicas) {
    bool all = true;
    for (size_t i = 0; i < replicas->settings->device_count; i++) {
        uint64_t times;
        if (read(replicas->ready[i], &times, sizeof times) == sizeof times)
            replicas->is_ready[i] = true;
        all = all && replicas->is_ready[i];
    }
    if (all && !replicas->said) {
        replicas->said = true;
        puts("serve: ready");
        fflush(stdout);
    }
}

static void heed_signals(struct replicas *replicas, uint64_t now) {
    char ignored[512];
    if (read(replicas->signals, ignored, sizeof ignored) <= 0)
        return;
    bool again = replicas->end != 0;
    if (!again)
        close(replicas->listening); /* or it would still take connections that no child answers */
    replicas->end = now + (uint64_t)(replicas->settings->drain + 1) * 1000000000;
    for (size_t i = 0; i < replicas->settings->device_count; i++)
        child_signal(&replicas->children[i], again ? SIGKILL : SIGTERM);
}

static int loop(struct replicas *replicas) {
    size_t count = replicas->settings->device_count;
    struct pollfd sources[2 * ENGINE_WORKERS + 1];
    while (true) {
        uint64_t now = now_ns();
        heed_ready(replicas);
        size_t running = turn(replicas, now);
        if (replicas->end != 0 && (running == 0 || now >= replicas->end))
            return running == 0 && !replicas->unfinished ? 0 : 1;
        if (all_out(replicas)) {
            fprintf(stderr, "serve: no process is left that works\n");
            return 1;
        }
        sources[0] = (struct pollfd){.fd = replicas->signals, .events = POLLIN};
        for (size_t i = 0; i < count; i++) {
            sources[2 * i + 1] = (struct pollfd){.fd = child_sentinel(&replicas->children[i]), .events = POLLIN};
            sources[2 * i + 2] = (struct pollfd){.fd = replicas->ready[i], .events = POLLIN};
        }
        /* While one waits to be started again, or the end is near, the time has to be looked at. */
        poll(sources, 2 * (nfds_t)count + 1, waits_for_start(replicas) || replicas->end != 0 ? 50 : -1);
        heed_signals(replicas, now_ns());
    }
}

int replicas_run(const struct settings *settings, char *const *arguments, const char *program) {
    struct replicas replicas = {.settings = settings, .arguments = arguments, .program = program};
    struct failure failure = {.text = ""};
    replicas.signals = front_signals();
    bool open = replicas.signals >= 0;
    for (size_t i = 0; i < settings->device_count && open; i++)
        open = (replicas.ready[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) >= 0;
    if (!open) {
        perror("serve: eventfd");
        return 1;
    }
    replicas.listening = http_listen(settings->address, (uint16_t)settings->port, &failure);
    if (replicas.listening < 0) {
        fprintf(stderr, "serve: %s\n", failure.text);
        return 1;
    }
    settings_say(settings, http_port_of(replicas.listening));
    int status = loop(&replicas);
    for (size_t i = 0; i < settings->device_count; i++) {
        child_free(&replicas.children[i]);
        close(replicas.ready[i]);
    }
    if (replicas.end == 0)
        close(replicas.listening);
    close(replicas.signals);
    return status;
}
