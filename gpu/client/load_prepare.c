/* load_prepare.c: what a run needs before its clock starts: requests, a schedule, connections; and giving it back. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "generator.h"
#include "load_internal.h"

static const uint64_t CONNECT_PATIENCE = 5000000000;

int client_open(struct run *run, struct client *client) {
    const struct target *target = run->options.target;
    int result = connection_open(&client->connection, (const struct sockaddr *)&target->address, target->address_size,
                                 run->epoll, client);
    run->tally->connects += result == 0;
    return result;
}

/* Kernels before 5.11 count only milliseconds; then the last one is spent looking again and again. */
int run_wait(const struct run *run, struct epoll_event *events, uint64_t wait) {
    struct timespec timeout = {(time_t)(wait / 1000000000), (long)(wait % 1000000000)};
    int count = epoll_pwait2(run->epoll, events, RUN_EVENTS, &timeout, NULL);
    if (count < 0 && errno == ENOSYS)
        count = epoll_wait(run->epoll, events, RUN_EVENTS, (int)(wait / 1000000));
    return count;
}

/* Makes all connections before the clock runs. Not all must come about, but one. */
static int connect_all(struct run *run, struct failure *failure) {
    uint64_t until = nanoseconds(CLOCK_MONOTONIC) + CONNECT_PATIENCE;
    int result = 0;
    size_t open = 0, closed = 0;
    for (size_t i = 0; i < run->connections; i++) {
        int opened = client_open(run, &run->clients[i]);
        clients_append(&run->idle, &run->clients[i]);
        if (result == 0)
            result = opened;
    }
    if (result == -EMFILE || result == -ENFILE || result == -ENOMEM)
        return fail(failure, result, "%zu connections: %s; ask for fewer", run->connections, at_strerror(result));
    while (open + closed < run->connections && nanoseconds(CLOCK_MONOTONIC) < until && !run_stop_wanted(run)) {
        struct epoll_event events[RUN_EVENTS];
        int count = run_wait(run, events, RUN_LONGEST_WAIT);
        for (int i = 0; i < count; i++)
            run_handle(run, events[i].data.ptr, events[i].events);
        open = closed = 0;
        for (size_t i = 0; i < run->connections; i++) {
            open += run->clients[i].connection.state == CONNECTION_OPEN;
            closed += run->clients[i].connection.state == CONNECTION_CLOSED;
        }
    }
    if (open > 0)
        return 0;
    return fail(failure, result != 0 ? result : -ECONNREFUSED, "%s: %s; is the server running there?",
                run->options.target->host, at_strerror(result != 0 ? result : -ECONNREFUSED));
}

static int make_requests(struct run *run, struct failure *failure) {
    const struct questions *questions = run->options.questions;
    size_t numbers = (size_t)questions->rows * questions->inputs;
    run->requests = calloc(questions->count, sizeof *run->requests);
    run->numbers = malloc((size_t)questions->rows * questions->outputs * sizeof *run->numbers);
    if (run->requests == NULL || run->numbers == NULL)
        return fail(failure, -ENOMEM, "%zu requests: no memory; ask for fewer", questions->count);
    for (size_t i = 0; i < questions->count; i++) {
        int result = inference_request_make(&run->requests[i], run->options.target, questions->input + i * numbers,
                                            &run->options.request, failure);
        if (result != 0)
            return result;
    }
    return 0;
}

int run_check(const struct load_options *options, struct failure *failure) {
    const double times[] = {options->seconds, options->warm_up, options->bound, options->patience, options->spin};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (!(times[i] >= 0 && times[i] <= 1e6))
            return fail(failure, -EINVAL, "%g s: a time must be from 0 to 1000000 s", times[i]);
    if (options->questions->count == 0)
        return fail(failure, -EINVAL, "a load without questions; make some");
    if (options->scenario == LOAD_OFFLINE && options->requests == 0)
        return fail(failure, -EINVAL, "an offline load of no requests; say how many");
    if (options->seconds == 0 && options->requests == 0)
        return fail(failure, -EINVAL, "a load without an end; say for how many seconds, or how many requests");
    if (options->connections > 65536)
        return fail(failure, -EINVAL, "%zu connections: more than a port can have; ask for fewer",
                    options->connections);
    return 0;
}

int run_prepare(struct run *run, struct failure *failure) {
    const struct load_options *options = &run->options;
    run->connections = options->scenario == LOAD_SINGLE ? 1 : options->connections > 0 ? options->connections : 64;
    run->patience = (uint64_t)((options->patience > 0 ? options->patience : 10) * 1e9);
    run->bound = (uint64_t)(options->bound * 1e9);
    run->spin = (uint64_t)(options->spin * 1e9);
    run->salt = generator_bits(nanoseconds(CLOCK_MONOTONIC) ^ (uint64_t)getpid() << 40, options->seed) >> 32;
    run->options.request.rows = options->questions->rows;
    if (options->scenario == LOAD_OFFLINE)
        run->options.warm_up = 0;
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (run->epoll < 0)
        return fail(failure, -errno, "a load: %s", at_strerror(-errno));
    run->clients = calloc(run->connections, sizeof *run->clients);
    if (run->clients == NULL)
        return fail(failure, -ENOMEM, "%zu connections: no memory; ask for fewer", run->connections);
    for (size_t i = 0; i < run->connections; i++)
        connection_init(&run->clients[i].connection, inference_longest(options->target, &run->options.request));
    int result = make_requests(run, failure);
    if (result == 0 && options->scenario == LOAD_SERVER)
        result = arrivals_make(&run->arrivals, options->pattern, options->rate, options->warm_up + options->seconds,
                               options->burst, options->seed, failure);
    return result != 0 ? result : connect_all(run, failure);
}

void run_free(struct run *run) {
    for (size_t i = 0; run->clients != NULL && i < run->connections; i++)
        connection_free(&run->clients[i].connection);
    for (size_t i = 0; run->requests != NULL && i < run->options.questions->count; i++)
        inference_request_free(&run->requests[i]);
    if (run->epoll >= 0)
        close(run->epoll);
    arrivals_free(&run->arrivals);
    free(run->clients);
    free(run->requests);
    free(run->numbers);
    free(run->answered);
}
