/* http_answer.c: answers, at once or later, and what their authors ask about the request. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http_internal.h"

bool http_same(const char *name, size_t size, const char *other, size_t other_size) {
    return size == other_size && strncasecmp(name, other, size) == 0;
}

void http_queue_answer(struct exchange *exchange) {
    if (exchange->cut)
        return;
    if (MHD_queue_response(exchange->connection, exchange->status, exchange->response) != MHD_YES)
        http_hang_up(exchange);
    MHD_destroy_response(exchange->response);
    exchange->response = NULL;
    http_move(exchange, STAGE_ANSWERING);
}

/* ---- answers given later
 *
 * Each resume makes the library walk through its suspended connections at its next turn, so all of one turn of ours are
 * resumed together.
 */

void http_resume_later(struct exchange *exchange) {
    if (exchange->resumes)
        return;
    exchange->resumes = true;
    exchange->next_answered = exchange->http->answered;
    exchange->http->answered = exchange;
}

void http_resume(struct http *http) {
    while (http->answered != NULL) {
        struct exchange *exchange = http->answered;
        http->answered = exchange->next_answered;
        exchange->resumes = false;
        MHD_resume_connection(exchange->connection);
    }
}

/* Makes the response, which frees the body in the end; none when memory is short. */
static void make_response(struct exchange *exchange, char *body, size_t size, bool owned) {
    if (!owned) {
        char *copy = malloc(size + 1);
        if (copy == NULL)
            return;
        body = size > 0 ? memcpy(copy, body, size) : copy;
    }
    exchange->answer = body;
    exchange->answer_size = size;
    exchange->response = MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_FREE);
    if (exchange->response == NULL)
        free(body);
}

void exchange_reply(struct exchange *exchange, unsigned status, const struct http_header *headers, size_t count,
                    char *body, size_t size, bool owned) {
    bool suspended = exchange->stage == STAGE_SUSPENDED;
    if (exchange->replied)
        at_fatal("exchange_reply: %s %s has its answer already", exchange->method, exchange->path);
    exchange->replied = true;
    exchange->status = status;
    make_response(exchange, body, size, owned);
    if (exchange->response == NULL) {
        http_hang_up(exchange);
    } else {
        for (size_t i = 0; i < count; i++)
            MHD_add_response_header(exchange->response, headers[i].name, headers[i].value);
        if (exchange->http->draining)
            MHD_add_response_header(exchange->response, MHD_HTTP_HEADER_CONNECTION, "close");
        if (exchange->arrived)
            http_queue_answer(exchange);
    }
    if (suspended)
        http_resume_later(exchange);
}

/* ---- what is asked about a request */

const char *exchange_method(const struct exchange *exchange) {
    return exchange->method;
}

const char *exchange_path(const struct exchange *exchange) {
    return exchange->path;
}

const char *exchange_header(const struct exchange *exchange, const char *name) {
    size_t size = strlen(name);
    for (size_t i = 0; i < exchange->header_count && i < HTTP_HEADERS; i++) {
        if (http_same(exchange->headers[i].name, exchange->headers[i].length, name, size))
            return exchange->headers[i].value;
    }
    if (exchange->header_count <= HTTP_HEADERS)
        return NULL;
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

int64_t exchange_content_length(const struct exchange *exchange) {
    return exchange->content_length;
}

void exchange_keep(struct exchange *exchange, void *kept) {
    exchange->kept = kept;
}

void *exchange_kept(const struct exchange *exchange) {
    return exchange->kept;
}

bool exchange_replied(const struct exchange *exchange) {
    return exchange->replied;
}
