/* load_run.c: one run of requests: sends what is due, waits for what happens next, and gives up what takes too long. */
#include "load_run.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include "load_internal.h"

static const uint64_t STOP_PATIENCE = 1000000000; /* for the answers under way when the run is stopped */

void clients_append(struct client_list *list, struct client *client) {
    client->next = NULL;
    client->previous = list->last;
    *(list->last != NULL ? &list->last->next : &list->first) = client;
    list->last = client;
}

void clients_remove(struct client_list *list, struct client *client) {
    *(client->previous != NULL ? &client->previous->next : &list->first) = client->next;
    *(client->next != NULL ? &client->next->previous : &list->last) = client->previous;
}

/* ---- What is due */

/* No further request will become due. */
static bool exhausted(const struct run *run, uint64_t now) {
    if (run->options.scenario == LOAD_SERVER)
        return run->next == run->arrivals.count;
    if (run->query_left > 0)
        return false;
    return now >= run->end || (run->options.requests > 0 && run->next >= run->options.requests);
}

/*
 * When the next request is due, now or later; UINT64_MAX: not before an answer comes, or never. A request of a query,
 * and of those that are due all at once, is due since that began.
 */
static uint64_t next_due(const struct run *run, uint64_t now) {
    if (exhausted(run, now))
        return UINT64_MAX;
    switch (run->options.scenario) {
    case LOAD_SERVER:
        return run->begin + run->arrivals.at[run->next];
    case LOAD_MULTI:
        return run->query_left > 0 ? run->query : run->outstanding > 0 ? UINT64_MAX : now;
    case LOAD_OFFLINE:
        return run->begin;
    case LOAD_CLOSED:
    case LOAD_SINGLE:
        break;
    }
    return now;
}

/* Sends it. A connection that the server closed in the same moment, before it took a byte, is made anew, once. */
static int send_request(struct run *run, struct client *client) {
    struct inference_request *request = &run->requests[client->question];
    struct connection *connection = &client->connection;
    inference_request_number(request, run->salt << 32 | client->request);
    uint64_t sent = connection->bytes_sent;
    int result = connection->state == CONNECTION_CLOSED ? -ENOTCONN : 0;
    if (result == 0)
        result = connection_send(connection, request->bytes, request->length);
    if (result != 0 && connection->bytes_sent == sent && (result = client_open(run, client)) == 0)
        result = connection_send(connection, request->bytes, request->length);
    run->tally->bytes_sent += connection->bytes_sent - sent;
    return result;
}

static void begin_measuring(struct run *run, uint64_t now) {
    run->cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    run->cpu_since = now;
    run->spun = 0;
}

/* A request whose time had come, on a client that was free: how late is it, and whose fault is that? */
static void count_lag(struct run *run, const struct client *client) {
    bool waited = client->freed > client->intended;
    histogram_add(&run->tally->lag, client->sent - (waited ? client->freed : client->intended));
    run->tally->waited += waited && run->options.scenario == LOAD_SERVER;
}

static void issue(struct run *run, struct client *client, uint64_t intended) {
    clients_remove(&run->idle, client);
    client->request = run->next++;
    client->question = client->request % run->options.questions->count;
    client->intended = intended;
    client->sent = nanoseconds(CLOCK_MONOTONIC);
    client->measured = intended >= run->window;
    if (client->measured && run->cpu_since == 0)
        begin_measuring(run, client->sent);
    if (client->measured)
        count_lag(run, client);
    run->query_left -= run->query_left > 0;
    if (send_request(run, client) != 0) {
        run_end_request(run, client, OUTCOME_CONNECT, NULL);
        return;
    }
    client->busy = true;
    clients_append(&run->busy, client);
    run->outstanding++;
}

static void issue_due(struct run *run, uint64_t now) {
    for (;;) {
        struct client *client = run->idle.first;
        uint64_t due = next_due(run, now);
        if (client == NULL || due > now || client->resting > now)
            return;
        if (run->options.scenario == LOAD_MULTI && run->query_left == 0) {
            run->query = now;
            run->query_left = run->connections;
        }
        issue(run, client, due);
    }
}

/* Sent one behind the other, those that are given up first are at the front. */
static void expire(struct run *run, uint64_t now) {
    while (run->busy.first != NULL && (run->busy.first->sent + run->patience <= now || now >= run->final))
        run_end_request(run, run->busy.first, OUTCOME_TIMEOUT, NULL);
}

/* ---- Waiting */

static uint64_t next_moment(const struct run *run, uint64_t now) {
    uint64_t moment = now + RUN_LONGEST_WAIT, due = run->idle.first != NULL ? next_due(run, now) : UINT64_MAX;
    if (due != UINT64_MAX && run->idle.first->resting > due)
        due = run->idle.first->resting;
    if (due < moment)
        moment = due;
    if (run->busy.first != NULL && run->busy.first->sent + run->patience < moment)
        moment = run->busy.first->sent + run->patience;
    return run->final < moment ? run->final : moment;
}

/* Lets happen what happens until then, or until something has. */
static void wait_until(struct run *run, uint64_t moment) {
    struct epoll_event events[RUN_EVENTS];
    uint64_t now = nanoseconds(CLOCK_MONOTONIC), wait = moment > now ? moment - now : 0;
    bool spin = wait > 0 && wait <= run->spin;
    int count = run_wait(run, events, spin ? 0 : wait > run->spin ? wait - run->spin : 0);
    if (spin && count == 0)
        run->spun += nanoseconds(CLOCK_MONOTONIC) - now;
    for (int i = 0; i < count; i++) {
        run_handle(run, events[i].data.ptr, events[i].events);
        issue_due(run, nanoseconds(CLOCK_MONOTONIC));
    }
}

/* What was due by now stays due, the rest of the schedule is forgotten. */
static void stop(struct run *run, uint64_t now) {
    size_t due = (size_t)run->next;
    while (due < run->arrivals.count && run->begin + run->arrivals.at[due] <= now)
        due++;
    run->arrivals.count = due;
    run->stopped = true;
    run->query_left = 0;
    run->end = now;
    if (run->final > now + STOP_PATIENCE)
        run->final = now + STOP_PATIENCE;
}

/* Those that were due and for which there was no connection until the end. */
static void count_unsent(struct run *run) {
    const struct load_options *options = &run->options;
    for (; options->scenario == LOAD_SERVER && run->next < run->arrivals.count; run->next++)
        if (run->begin + run->arrivals.at[run->next] >= run->window)
            run->tally->outcomes[OUTCOME_UNSENT]++;
    if (options->scenario == LOAD_OFFLINE && !run->stopped)
        run->tally->outcomes[OUTCOME_UNSENT] += options->requests - run->next;
}

static void loop(struct run *run) {
    for (;;) {
        uint64_t now = nanoseconds(CLOCK_MONOTONIC);
        if (!run->stopped && run_stop_wanted(run))
            stop(run, now);
        issue_due(run, now);
        expire(run, now);
        if ((run->outstanding == 0 && exhausted(run, now)) || now >= run->final)
            break;
        wait_until(run, next_moment(run, now));
    }
    count_unsent(run);
}

/* ---- Beginning and end */

static void set_clock(struct run *run) {
    run->begin = nanoseconds(CLOCK_MONOTONIC);
    run->window = run->begin + (uint64_t)(run->options.warm_up * 1e9);
    run->end = run->options.seconds > 0 ? run->window + (uint64_t)(run->options.seconds * 1e9) : UINT64_MAX / 2;
    run->final = run->end + run->patience;
    run->last = run->window;
}

int load_run(struct load_result *result, const struct load_options *options, struct failure *failure) {
    struct run run = {.options = *options, .epoll = -1, .tally = &result->tally};
    int code = run_check(options, failure);
    *result = (struct load_result){0};
    if (code == 0)
        code = run_prepare(&run, failure);
    if (code == 0) {
        /* The kernel may put a wait's end off by 50 us to save power; not this thread's. */
        int slack = prctl(PR_GET_TIMERSLACK);
        prctl(PR_SET_TIMERSLACK, 1UL);
        set_clock(&run);
        loop(&run);
        tally_finish(&result->tally);
        run_conclude(&run, result);
        if (slack > 0)
            prctl(PR_SET_TIMERSLACK, (unsigned long)slack);
    }
    run_free(&run);
    if (code != 0)
        load_result_free(result);
    return code;
}

void load_result_free(struct load_result *result) {
    tally_free(&result->tally);
}
