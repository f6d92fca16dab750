/* front.c: a server from its start to its end; see front.h. */
#include "front.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "region.h"
#include "service.h"

struct front {
    const struct settings *settings;
    struct engine *engine;
    struct service *service;
    int signals;
    bool said_ready;
    uint64_t drain_until; /* 0: not yet told to end */
};

int front_signals(void) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    int descriptor = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
    return descriptor < 0 ? -errno : descriptor;
}

/* ---- opening */

static int open_engine(struct front *front, const char *program, struct failure *failure) {
    const struct settings *settings = front->settings;
    struct engine_options options = {
        .mode = settings->mode == SERVE_THREADS        ? ENGINE_THREADS
                : settings->mode == SERVE_SHARED_QUEUE ? ENGINE_PROCESSES
                                                       : ENGINE_INLINE,
        .devices = settings->devices,
        .workers = settings->device_count,
        .number = settings->number,
        .folder = settings->folder,
        .models = settings->models,
        .model_count = settings->model_count,
        .program = program,
        .slots = settings->slots,
        .deterministic = settings->deterministic,
        .in_flight = settings->in_flight,
        .batching = settings->batching,
        .trace = settings->trace,
        .inject = settings->inject,
    };
    int result = engine_open(&front->engine, &options, failure);
    /* One that computes where it reads is ready before it listens: others of SERVE_PROCESSES could serve meanwhile. */
    while (result == 0 && options.mode == ENGINE_INLINE && engine_turn(front->engine))
        continue;
    return result;
}

/* What the largest request can be, as JSON, also to a model that is loaded later: 32 characters a number are more than
 * anybody writes. */
static uint64_t largest_body(const struct front *front) {
    return (uint64_t)engine_numbers(front->engine) * 32 + INFER_JSON;
}

static int open_service(struct front *front, struct failure *failure) {
    const struct settings *settings = front->settings;
    struct service_options options = {
        .engine = front->engine,
        .timeout = settings->timeout,
        .folder = settings->folder,
        .http = {.address = settings->address,
                 .port = (uint16_t)settings->port,
                 .listening = settings->listening,
                 .body = settings->body != 0 ? settings->body : largest_body(front),
                 .connections = settings->connections,
                 .connections_per_client = settings->connections_per_client,
                 .idle = settings->idle,
                 .slow = settings->slow},
    };
    return service_open(&front->service, &options, failure);
}

/* ---- the loop */

static void say_ready(struct front *front) {
    front->said_ready = true;
    if (front->settings->ready >= 0) {
        uint64_t one = 1;
        if (write(front->settings->ready, &one, sizeof one) != sizeof one)
            perror("serve: --ready");
        return;
    }
    puts("serve: ready");
    fflush(stdout);
}

/* Whether somebody has told it to end now, at once. */
static bool heed_signals(struct front *front) {
    struct signalfd_siginfo signal;
    while (read(front->signals, &signal, sizeof signal) == sizeof signal) {
        if (front->settings->listening >= 0 && signal.ssi_signo == SIGINT)
            continue; /* Ctrl-C reaches the parent, too, which then sends SIGTERM */
        if (front->drain_until != 0)
            return true;
        fprintf(stderr, "serve: %s: finishing %zu request%s\n", strsignal((int)signal.ssi_signo),
                engine_tasks(front->engine), engine_tasks(front->engine) == 1 ? "" : "s");
        service_drain(front->service);
        front->drain_until = now_ns() + (uint64_t)front->settings->drain * 1000000000 + 1;
    }
    return false;
}

/* Sleeps until there is something to do. The moment is the engine's, in nanoseconds; `wait` is HTTP's, milliseconds. */
static void sleep_until(struct front *front, uint64_t moment, int wait) {
    struct pollfd sources[] = {{.fd = http_descriptor(service_http(front->service)), .events = POLLIN},
                               {.fd = engine_descriptor(front->engine), .events = POLLIN},
                               {.fd = front->signals, .events = POLLIN}};
    if (front->drain_until != 0 && front->drain_until < moment)
        moment = front->drain_until;
    uint64_t now = now_ns(), nanoseconds = moment <= now ? 0 : moment - now;
    if (wait >= 0 && nanoseconds > (uint64_t)wait * 1000000)
        nanoseconds = (uint64_t)wait * 1000000;
    struct timespec timeout = {.tv_sec = (time_t)(nanoseconds / 1000000000),
                               .tv_nsec = (long)(nanoseconds % 1000000000)};
    bool never = moment == UINT64_MAX && wait < 0;
    for (uint64_t soon = nanoseconds == 0 ? 0 : engine_soon(front->engine); now < soon; now = now_ns())
        if (poll(sources, 3, 0) > 0)
            return;
    ppoll(sources, 3, never ? NULL : &timeout, NULL);
}

static bool has_drained(const struct front *front) {
    return front->drain_until != 0 && engine_idle(front->engine) && http_connections(service_http(front->service)) == 0;
}

static int loop(struct front *front) {
    struct http *http = service_http(front->service);
    bool again = true; /* the first turn says whether it is ready */
    while (!has_drained(front)) {
        uint64_t moment = again ? 0 : engine_next(front->engine);
        sleep_until(front, moment, http_wait(http));
        if (heed_signals(front))
            return 1;
        /* Whoever has finished a batch gets the next before the answers go out, and before more is read. */
        again = engine_turn(front->engine);
        http_turn(http);
        again = engine_turn(front->engine) || again;
        if (!front->said_ready && engine_ready(front->engine))
            say_ready(front);
        if (front->drain_until != 0 && now_ns() >= front->drain_until) {
            fprintf(stderr, "serve: %zu requests and %u connections are left after %u s, given up (--drain)\n",
                    engine_tasks(front->engine), http_connections(http), front->settings->drain);
            return engine_idle(front->engine) ? 0 : 1;
        }
    }
    return 0;
}

int front_run(const struct settings *settings, const char *program) {
    struct front front = {.settings = settings};
    struct failure failure;
    front.signals = front_signals();
    int result = front.signals < 0 ? fail(&failure, front.signals, "signalfd: %s", at_strerror(front.signals)) : 0;
    if (result == 0 && (result = open_engine(&front, program, &failure)) == 0)
        result = open_service(&front, &failure);
    int status = 1;
    if (result == 0) {
        if (settings->listening < 0) /* else the parent has said it */
            settings_say(settings, http_port(service_http(front.service)));
        status = loop(&front);
    } else {
        fprintf(stderr, "serve: %s\n", failure.text);
    }
    service_close(front.service);
    engine_close(front.engine);
    if (front.signals >= 0)
        close(front.signals);
    return status;
}
