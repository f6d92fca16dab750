/* serving_toy.h: a small server on http.h, in a thread of the test, that answers in every way in which one can. */
#ifndef ATELIER_TESTS_SERVING_TOY_H
#define ATELIER_TESTS_SERVING_TOY_H

#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include "http.h"
#include "serving_wire.h"
#include "watch.h"

/*
 * /now      says what it was asked, when all of it is here: METHOD PATH SIZE SUM, of the body
 * /later    says the same, a turn later
 * /wait     says the same when the test calls toy_release
 * /refuse   says 503 at the headers
 * /stop     says 400 at the first piece of the body
 * /header   says the value of the header "Wanted"
 * /large    says 8 MB
 */
enum { TOY_LARGE = 8 << 20, TOY_BODY = 1 << 20 };

struct toy {
    struct http *http;
    uint16_t port;
    at_thread *thread;
    int wake;
    atomic_bool stopping, releasing, draining;
    atomic_uint begun, ended, connections; /* requests whose head came, and that ended */
    struct exchange *waiting[2048];
    size_t waiting_count;
};

/* One body so far. */
struct sum {
    size_t size;
    unsigned sum;
};

static inline void toy_answer(struct exchange *exchange) {
    const struct sum *sum = exchange_kept(exchange);
    char text[256];
    int size = snprintf(text, sizeof text, "%s %s %zu %u", exchange_method(exchange), exchange_path(exchange),
                        sum->size, sum->sum);
    struct http_header header = {"Content-Type", "text/plain"};
    exchange_reply(exchange, 200, &header, 1, text, (size_t)size, false);
}

static inline bool toy_is(const struct exchange *exchange, const char *path) {
    return strcmp(exchange_path(exchange), path) == 0;
}

static inline void toy_head(void *context, struct exchange *exchange) {
    struct toy *toy = context;
    atomic_fetch_add(&toy->begun, 1);
    require(exchange_kept(exchange) == NULL);
    exchange_keep(exchange, calloc(1, sizeof(struct sum)));
    if (toy_is(exchange, "/refuse"))
        exchange_reply(exchange, 503, &(struct http_header){"Retry-After", "1"}, 1, (char[]){"full"}, 4, false);
}

static inline void toy_body(void *context, struct exchange *exchange, const char *data, size_t size) {
    (void)context;
    struct sum *sum = exchange_kept(exchange);
    require(!exchange_replied(exchange));
    for (size_t i = 0; i < size; i++)
        sum->sum = sum->sum * 31 + (unsigned char)data[i];
    sum->size += size;
    if (toy_is(exchange, "/stop"))
        exchange_reply(exchange, 400, NULL, 0, strdup("stop"), 4, true);
}

static inline void toy_complete(void *context, struct exchange *exchange) {
    struct toy *toy = context;
    require(!exchange_replied(exchange));
    if (toy_is(exchange, "/later") || toy_is(exchange, "/wait")) {
        toy->waiting[toy->waiting_count++] = exchange;
    } else if (toy_is(exchange, "/header")) {
        const char *value = exchange_header(exchange, "Wanted");
        exchange_reply(exchange, value == NULL ? 404 : 200, NULL, 0, (char *)(value == NULL ? "" : value),
                       value == NULL ? 0 : strlen(value), false);
    } else if (toy_is(exchange, "/large")) {
        exchange_reply(exchange, 200, NULL, 0, calloc(1, TOY_LARGE), TOY_LARGE, true);
    } else {
        toy_answer(exchange);
    }
}

static inline void toy_end(void *context, struct exchange *exchange) {
    struct toy *toy = context;
    for (size_t i = 0; i < toy->waiting_count; i++) {
        if (toy->waiting[i] == exchange)
            toy->waiting[i--] = toy->waiting[--toy->waiting_count];
    }
    free(exchange_kept(exchange));
    atomic_fetch_add(&toy->ended, 1);
}

static inline void toy_answer_waiting(struct toy *toy) {
    bool all = atomic_exchange(&toy->releasing, false);
    for (size_t i = 0; i < toy->waiting_count;) {
        struct exchange *exchange = toy->waiting[i];
        if (!all && !toy_is(exchange, "/later")) {
            i++;
            continue;
        }
        toy->waiting[i] = toy->waiting[--toy->waiting_count];
        toy_answer(exchange);
    }
}

static inline int toy_run(void *argument) {
    struct toy *toy = argument;
    while (!atomic_load(&toy->stopping)) {
        struct pollfd polls[] = {{.fd = http_descriptor(toy->http), .events = POLLIN},
                                 {.fd = toy->wake, .events = POLLIN}};
        require(poll(polls, 2, http_wait(toy->http)) >= 0);
        eventfd_t count;
        if (polls[1].revents != 0)
            eventfd_read(toy->wake, &count);
        if (atomic_exchange(&toy->draining, false))
            http_drain(toy->http);
        http_turn(toy->http);
        toy_answer_waiting(toy);
        atomic_store(&toy->connections, http_connections(toy->http));
    }
    return 0;
}

/* What the options do not say is set to what disturbs no test. */
static inline struct toy *toy_start(struct http_options options) {
    struct toy *toy = calloc(1, sizeof *toy);
    struct failure failure;
    options.listening = -1;
    options.body = options.body > 0 ? options.body : TOY_BODY;
    options.connections = options.connections > 0 ? options.connections : 2000;
    options.connections_per_client = options.connections_per_client > 0 ? options.connections_per_client : 2000;
    options.calls = (struct http_calls){toy_head, toy_body, toy_complete, toy_end};
    options.context = toy;
    if (http_open(&toy->http, &options, &failure) != 0)
        ck_abort_msg("%s", failure.text);
    toy->port = http_port(toy->http);
    toy->wake = eventfd(0, EFD_CLOEXEC);
    toy->thread = at_thread_new(.target = toy_run, .arg = toy);
    start(toy->thread);
    return toy;
}

static inline void toy_wake(struct toy *toy) {
    require(eventfd_write(toy->wake, 1) == 0);
}

static inline void toy_release(struct toy *toy) {
    atomic_store(&toy->releasing, true);
    toy_wake(toy);
}

/* Also checks that each request that began has ended. */
static inline void toy_stop(struct toy *toy) {
    atomic_store(&toy->stopping, true);
    toy_wake(toy);
    join(toy->thread);
    at_thread_free(toy->thread);
    http_close(toy->http);
    ck_assert_uint_eq(atomic_load(&toy->begun), atomic_load(&toy->ended));
    close(toy->wake);
    free(toy);
}

/* The server is as it should be: it answers. */
static inline void toy_check(struct toy *toy) {
    ask_status(toy->port, "GET /now HTTP/1.1\r\nHost: test\r\n\r\n", 200);
}

/* What the server makes of a body: its answer says so. */
static inline unsigned sum_of(const char *bytes, size_t size) {
    unsigned sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = sum * 31 + (unsigned char)bytes[i];
    return sum;
}

/* The next answer repeats this request. */
static inline void hear_echo(struct caller *caller, const char *method, const char *path, const char *body,
                             size_t size) {
    char expected[256];
    struct heard heard = hear(caller);
    snprintf(expected, sizeof expected, "%s %s %zu %u", method, path, size, sum_of(body, size));
    ck_assert_int_eq(heard.status, 200);
    ck_assert_str_eq(heard.body, expected);
    ck_assert_str_eq(heard_header(&heard, "content-type"), "text/plain");
    heard_free(&heard);
}

#endif
