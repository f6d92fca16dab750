/* serving_service.h: what the suites about the protocol share: the server in a thread of the test, with a model. */
#ifndef ATELIER_TESTS_SERVING_SERVICE_H
#define ATELIER_TESTS_SERVING_SERVICE_H

#include <jansson.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include "serving_engine.h"
#include "serving_wire.h"

#include "service.h"

struct server {
    struct engine *engine;
    struct service *service;
    uint16_t port;
    at_thread *thread;
    int wake;
    atomic_bool stopping, draining;
};

/* "mlp" takes rows of 4 numbers as "x" and gives 3 as "y"; on the device echo these are the first 3 of the row. */
static inline void write_mlp(const char *name) {
    static const float WEIGHT[12] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0}, BIAS[3] = {0};
    const struct tensor tensors[] = {{"0.weight", "F32", 2, {3, 4}, WEIGHT, sizeof WEIGHT},
                                     {"0.bias", "F32", 1, {3}, BIAS, sizeof BIAS}};
    const struct metadatum metadata[] = {{"activation", "none"}, {"input", "x"}, {"output", "y"}};
    char file[100];
    struct failure failure;
    snprintf(file, sizeof file, "%s.safetensors", name);
    if (safetensors_write(in_folder(file), tensors, 2, metadata, 3, &failure) != 0)
        ck_abort_msg("%s", failure.text);
}

/* Milliseconds until one of the two has something to do. */
static inline int server_wait(struct server *server) {
    uint64_t moment = engine_next(server->engine), now = now_ns();
    int wait = http_wait(service_http(server->service));
    if (moment == UINT64_MAX)
        return wait;
    uint64_t milliseconds = moment <= now ? 0 : (moment - now) / 1000000 + 1;
    return wait >= 0 && (uint64_t)wait < milliseconds ? wait : (int)(milliseconds < 1000 ? milliseconds : 1000);
}

static inline int server_run(void *argument) {
    struct server *server = argument;
    struct http *http = service_http(server->service);
    bool again = true;
    while (!atomic_load(&server->stopping)) {
        struct pollfd polls[] = {{.fd = http_descriptor(http), .events = POLLIN},
                                 {.fd = engine_descriptor(server->engine), .events = POLLIN},
                                 {.fd = server->wake, .events = POLLIN}};
        require(poll(polls, 3, again ? 0 : server_wait(server)) >= 0 || errno == EINTR);
        if (atomic_exchange(&server->draining, false))
            service_drain(server->service);
        http_turn(http);
        again = engine_turn(server->engine);
    }
    return 0;
}

/* What the options leave out: as open_engine says, with one echo device and the model mlp. */
static inline struct server *server_start(struct engine_options engine, struct service_options service) {
    static const char *const DEVICES[] = {"echo"}, *const MODELS[] = {"mlp"};
    struct server *server = calloc(1, sizeof *server);
    struct failure failure;
    if (engine.devices == NULL) {
        engine.devices = DEVICES;
        engine.workers = 1;
    }
    if (engine.models == NULL) {
        engine.models = MODELS;
        engine.model_count = 1;
    }
    server->engine = make_ready(open_engine(engine));
    service.engine = server->engine;
    service.folder = folder;
    service.http.listening = -1;
    service.http.body = 1 << 20;
    service.http.connections = service.http.connections_per_client = 100;
    if (service_open(&server->service, &service, &failure) != 0)
        ck_abort_msg("%s", failure.text);
    server->port = http_port(service_http(server->service));
    server->wake = eventfd(0, EFD_CLOEXEC);
    server->thread = at_thread_new(.target = server_run, .arg = server);
    start(server->thread);
    return server;
}

/* Also checks that no request is left in the engine. */
static inline void server_stop(struct server *server) {
    atomic_store(&server->stopping, true);
    require(eventfd_write(server->wake, 1) == 0);
    join(server->thread);
    at_thread_free(server->thread);
    service_close(server->service);
    finish_engine(server->engine);
    close(server->wake);
    free(server);
}

/* ---- answers */

/* The JSON of an answer with this status, to be given back by json_decref; without it the test fails. */
static inline json_t *json_of(struct heard *heard, int status) {
    const char *header_length = heard_header(heard, "Inference-Header-Content-Length");
    size_t size = header_length == NULL ? heard->size : strtoul(header_length, NULL, 10);
    json_error_t error;
    ck_assert_msg(heard->status == status, "%d was wanted, and this came: %s\n%s", status, heard->head, heard->body);
    ck_assert_uint_le(size, heard->size);
    json_t *json = json_loadb(heard->body, size, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(json != NULL, "%s: %s", error.text, heard->body);
    return json;
}

static inline json_t *get_json(struct server *server, const char *path, int status) {
    struct heard heard = ask(server->port, "GET", path, "", NULL, 0);
    ck_assert_str_eq(heard_header(&heard, "Content-Type"), "application/json");
    json_t *json = json_of(&heard, status);
    heard_free(&heard);
    return json;
}

static inline json_t *post_json(struct server *server, const char *path, const char *body, int status) {
    struct heard heard = ask(server->port, "POST", path, "", body, strlen(body));
    json_t *json = json_of(&heard, status);
    heard_free(&heard);
    return json;
}

/* The answer is an error of this status, in whose sentence this word is. */
static inline void require_error(struct heard *heard, int status, const char *word, const char *what) {
    ck_assert_msg(heard->status == status, "%s: %d was wanted, and this came: %s\n%s", what, status, heard->head,
                  heard->body);
    ck_assert_str_eq(heard_header(heard, "Content-Type"), "application/json");
    json_t *json = json_of(heard, status);
    const char *text = json_string_value(json_object_get(json, "error"));
    ck_assert_msg(text != NULL && strstr(text, word) != NULL, "%s: \"%s\" lacks \"%s\"", what, heard->body, word);
    json_decref(json);
    heard_free(heard);
}

/* ---- requests */

static const char INFER[] = "/v2/models/mlp/infer";
static const float ROWS[2][4] = {{0.5F, 1, -2, 3}, {4, 1e-30F, 6, 7}};

static const char BINARY[] = "{\"inputs\":[{\"name\":\"x\",\"shape\":[2,4],\"datatype\":\"FP32\",\"parameters\":{"
                             "\"binary_data_size\":32}}]%s}";

/* A request of the two ROWS as bytes, with what follows its inputs; returns its length. */
static inline size_t binary_request(char request[512], char headers[100], const char *more) {
    int size = snprintf(request, 512 - sizeof ROWS, BINARY, more);
    memcpy(request + size, ROWS, sizeof ROWS);
    snprintf(headers, 100, "Inference-Header-Content-Length: %d\r\n", size);
    return (size_t)size + sizeof ROWS;
}

/* The server most suites start. */
static struct server *server;

static inline void begin_server(void) {
    make_folder();
    write_mlp("mlp");
    server = server_start((struct engine_options){.slots = 4, .batching = {.most = 64}},
                          (struct service_options){.timeout = 0});
}

static inline void end_server(void) {
    server_stop(server);
    remove_folder();
}

#endif
