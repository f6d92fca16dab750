/* service.c: what the server answers on which path: a request from its headers to its answer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "service_internal.h"

/* ---- requests, used again */

static struct request *new_request(struct service *service) {
    struct request *request = service->free_requests;
    if (request != NULL) {
        service->free_requests = request->next;
        return request;
    }
    enum { ALIGNMENT = 64 };
    size_t own = (sizeof *request + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    size_t all = own + (infer_reader_size() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    request = aligned_alloc(ALIGNMENT, all);
    if (request != NULL) {
        memset(request, 0, all);
        request->service = service;
        request->reader = (struct infer_reader *)((char *)request + own);
    }
    return request;
}

static void free_request(struct request *request) {
    request->next = request->service->free_requests;
    request->service->free_requests = request;
}

/* ---- answers */

static const struct http_header JSON = {"Content-Type", "application/json"};

void answer_json(struct request *request, unsigned status, char *text) {
    static char short_of_memory[] = "{\"error\":\"memory is short\"}";
    if (text == NULL)
        exchange_reply(request->exchange, 500, &JSON, 1, short_of_memory, sizeof short_of_memory - 1, false);
    else
        exchange_reply(request->exchange, status, &JSON, 1, text, strlen(text), true);
}

void answer_problem(struct request *request, const struct problem *problem) {
    struct http_header headers[3] = {JSON};
    size_t count = 1;
    char seconds[16];
    char *text = infer_error(problem->text);
    if (text == NULL) {
        answer_json(request, 500, NULL);
        return;
    }
    if (problem->retry_after > 0) {
        snprintf(seconds, sizeof seconds, "%u", problem->retry_after);
        headers[count++] = (struct http_header){"Retry-After", seconds};
    }
    if (problem->status == 405)
        headers[count++] = (struct http_header){"Allow", request->route.post ? "POST" : "GET, HEAD"};
    else if (problem->status == 501)
        headers[count++] = (struct http_header){"Accept-Encoding", "gzip, deflate"};
    exchange_reply(request->exchange, (unsigned)problem->status, headers, count, text, strlen(text), true);
}

void answer_empty(struct request *request) {
    exchange_reply(request->exchange, 200, NULL, 0, NULL, 0, false);
}

/* ---- what http calls */

static bool is_command(const struct request *request) {
    enum route_kind kind = request->route.kind;
    return kind == ROUTE_INDEX || kind == ROUTE_LOAD || kind == ROUTE_UNLOAD;
}

static void head(void *context, struct exchange *exchange) {
    static char short_of_memory[] = "{\"error\":\"memory is short\"}";
    struct problem problem = {0};
    struct request *request = new_request(context);
    if (request == NULL) {
        exchange_reply(exchange, 503, &JSON, 1, short_of_memory, sizeof short_of_memory - 1, false);
        return;
    }
    request->exchange = exchange;
    exchange_keep(exchange, request);
    if (route_find(&request->route, exchange_method(exchange), exchange_path(exchange), &problem) != 0)
        answer_problem(request, &problem);
    else if (request->route.kind == ROUTE_INFER)
        infer_head(request);
}

static void body(void *context, struct exchange *exchange, const char *data, size_t size) {
    (void)context;
    struct request *request = exchange_kept(exchange);
    if (request->route.kind == ROUTE_INFER)
        infer_body(request, data, size);
    else if (is_command(request))
        repository_body(request, data, size);
}

static void complete(void *context, struct exchange *exchange) {
    (void)context;
    struct request *request = exchange_kept(exchange);
    if (request->route.kind == ROUTE_INFER)
        infer_complete(request);
    else if (is_command(request))
        repository_complete(request);
    else
        view_complete(request);
}

static void end(void *context, struct exchange *exchange) {
    (void)context;
    struct request *request = exchange_kept(exchange);
    if (request == NULL)
        return;
    infer_end_request(request);
    repository_end(request);
    free_request(request);
}

/* ---- the service */

int service_open(struct service **result, const struct service_options *options, struct failure *failure) {
    struct service *service = calloc(1, sizeof *service);
    if (service == NULL)
        return fail(failure, -ENOMEM, "service: memory is short");
    service->options = *options;
    service->engine = options->engine;
    struct http_options http = options->http;
    http.calls = (struct http_calls){.head = head, .body = body, .complete = complete, .end = end};
    http.context = service;
    int code = http_open(&service->http, &http, failure);
    if (code != 0) {
        free(service);
        return code;
    }
    *result = service;
    return 0;
}

void service_close(struct service *service) {
    if (service == NULL)
        return;
    http_close(service->http);
    for (struct request *request = service->free_requests, *next; request != NULL; request = next) {
        next = request->next;
        free(request);
    }
    free(service);
}

struct http *service_http(struct service *service) {
    return service->http;
}

void service_drain(struct service *service) {
    service->draining = true;
    http_drain(service->http);
}
