/* http_exchange.c: connections and requests as the library tells them, piece by piece. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http_internal.h"

/* Up to so many bytes of body are read and thrown away so that a client that is refused can keep its connection. */
static const int64_t WORTH_READING = 64 * 1024;

/* ---- a connection's beginning and end */

static struct exchange *exchange_of(struct MHD_Connection *connection) {
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static struct exchange *connection_begins(struct http *http, struct MHD_Connection *connection) {
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL)
        return NULL; /* http_access then closes it */
    exchange->http = http;
    exchange->connection = connection;
    exchange->socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    exchange->client =
        http_client_enter(http, MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
    http->connections++;
    http_move(exchange, STAGE_IDLE);
    if (http->connections > http->options.connections)
        http_cut(exchange, 503, "too many connections; close some, or raise the server's limit");
    else if (exchange->client == NULL || exchange->client->connections > http->options.connections_per_client)
        http_cut(exchange, 503, "too many connections from this address; close some, or use those that are open");
    return exchange;
}

static void connection_ends(struct exchange *exchange) {
    http_end(exchange);
    http_leave(exchange);
    if (exchange->lingers)
        http_linger(exchange->http, exchange->socket);
    http_client_leave(exchange->http, exchange->client);
    exchange->http->connections--;
    free(exchange);
}

void http_connection(void *context, struct MHD_Connection *connection, void **kept,
                     enum MHD_ConnectionNotificationCode code) {
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *kept = connection_begins(context, connection);
    else if (*kept != NULL)
        connection_ends(*kept);
}

/* ---- a request's beginning */

void *http_request_line(void *context, const char *uri, struct MHD_Connection *connection) {
    (void)context;
    (void)uri;
    struct exchange *exchange = exchange_of(connection);
    if (exchange == NULL)
        return NULL;
    exchange->method = exchange->path = NULL;
    exchange->arrived = exchange->replied = false;
    exchange->chunked = exchange->expects = false;
    exchange->header_count = 0;
    exchange->content_length = -1;
    exchange->received = 0;
    exchange->kept = NULL;
    http_move(exchange, STAGE_ARRIVING);
    return exchange;
}

/* What the one pass over the headers gathers beside the exchange's own. */
struct framing {
    struct exchange *exchange;
    unsigned lengths, codings;
    const char *coding;
};

#define IS(text) http_same(name, name_size, "" text, sizeof(text) - 1)

/* The library has checked that it is a number. One beyond what we can count is beyond any limit. */
static int64_t length_of(const char *value) {
    errno = 0;
    long long length = strtoll(value, NULL, 10);
    return length < 0 || errno != 0 ? INT64_MAX : length;
}

static enum MHD_Result header(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
                              const char *value, size_t value_size) {
    (void)kind;
    (void)value_size;
    struct framing *framing = context;
    struct exchange *exchange = framing->exchange;
    if (value == NULL)
        value = "";
    if (exchange->header_count < HTTP_HEADERS) {
        exchange->headers[exchange->header_count].name = name;
        exchange->headers[exchange->header_count].value = value;
        exchange->headers[exchange->header_count].length = name_size;
    }
    exchange->header_count++;
    if (IS("content-length")) {
        framing->lengths++;
        exchange->content_length = length_of(value);
    } else if (IS("transfer-encoding")) {
        framing->codings++;
        framing->coding = value;
        exchange->chunked = true;
    } else if (IS("expect")) {
        exchange->expects = true;
    }
    return MHD_YES;
}

static void refuse_framing(struct exchange *exchange, unsigned status, const char *text) {
    char body[256];
    struct http_header headers[] = {{"Content-Type", "application/json"}, {"Connection", "close"}};
    int size = snprintf(body, sizeof body, "{\"error\":\"%s\"}", text);
    exchange_reply(exchange, status, headers, 2, body, (size_t)size, false);
}

/* Where a body ends must not be in doubt: a proxy before us could see the end elsewhere (request smuggling). */
static void check_framing(struct exchange *exchange, const struct framing *framing, const char *version) {
    if (framing->lengths > 1)
        refuse_framing(exchange, 400, "more than one Content-Length; send one");
    else if (framing->lengths > 0 && framing->codings > 0)
        refuse_framing(exchange, 400, "both Content-Length and Transfer-Encoding; send one of them");
    else if (framing->codings > 0 && strcmp(version, MHD_HTTP_VERSION_1_1) != 0)
        refuse_framing(exchange, 400, "Transfer-Encoding is of HTTP/1.1; send Content-Length");
    else if (framing->codings > 1 || (framing->codings == 1 && strcasecmp(framing->coding, "chunked") != 0))
        refuse_framing(exchange, 501, "only the transfer encoding chunked is known here; send that, or Content-Length");
    else if (exchange->content_length > 0 && (uint64_t)exchange->content_length > exchange->http->options.body)
        refuse_framing(exchange, 413, "the body is larger than this server's limit; send less at once");
}

/*
 * An answer that does not wait for the body ends the connection. So a short body that is on its way is awaited for a
 * moment, as one that is not, or is long, is not.
 */
static void answer_before_body(struct exchange *exchange) {
    bool bodiless = !exchange->chunked && exchange->content_length <= 0;
    bool soon = !exchange->chunked && !exchange->expects && exchange->content_length <= WORTH_READING;
    if (bodiless || soon) {
        http_move(exchange, STAGE_REFUSED);
        return;
    }
    exchange->lingers = true;
    http_queue_answer(exchange);
}

static void begin(struct exchange *exchange, const char *url, const char *method, const char *version) {
    struct http *http = exchange->http;
    struct framing framing = {.exchange = exchange};
    exchange->method = method;
    exchange->path = url;
    MHD_get_connection_values_n(exchange->connection, MHD_HEADER_KIND, header, &framing);
    check_framing(exchange, &framing, version);
    if (exchange->replied) { /* what follows may not be a body at all */
        exchange->lingers = true;
        http_queue_answer(exchange);
        return;
    }
    exchange->open = true;
    http->options.calls.head(http->options.context, exchange);
    if (exchange->replied)
        answer_before_body(exchange);
}

/* ---- its body, and its end */

/* Returns false when the connection has been cut. */
static bool piece(struct exchange *exchange, const char *data, size_t size) {
    struct http *http = exchange->http;
    exchange->received += size;
    if (exchange->replied) { /* thrown away; but not for ever */
        if (exchange->received <= 2 * http->options.body)
            return true;
        http_cut_with_answer(exchange);
        return false;
    }
    if (exchange->received > http->options.body)
        refuse_framing(exchange, 413, "the body is larger than this server's limit; send less at once");
    else
        http->options.calls.body(http->options.context, exchange, data, size);
    if (exchange->replied)
        http_move(exchange, STAGE_REFUSED);
    return true;
}

static void arrived(struct exchange *exchange) {
    struct http *http = exchange->http;
    exchange->arrived = true;
    if (exchange->replied) {
        http_queue_answer(exchange);
        return;
    }
    http->options.calls.complete(http->options.context, exchange);
    if (exchange->replied)
        return;
    MHD_suspend_connection(exchange->connection);
    http_move(exchange, STAGE_SUSPENDED);
}

enum MHD_Result http_access(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                            const char *version, const char *upload, size_t *upload_size, void **kept) {
    (void)context;
    (void)connection;
    struct exchange *exchange = *kept;
    if (exchange == NULL || exchange->cut)
        return MHD_NO;
    if (exchange->method == NULL) {
        begin(exchange, url, method, version);
    } else if (*upload_size > 0) {
        if (!piece(exchange, upload, *upload_size))
            return MHD_NO;
        *upload_size = 0;
    } else if (!exchange->arrived) {
        arrived(exchange);
    }
    return exchange->cut ? MHD_NO : MHD_YES;
}

void http_end(struct exchange *exchange) {
    if (exchange->open) {
        exchange->open = false;
        exchange->http->options.calls.end(exchange->http->options.context, exchange);
    }
    if (exchange->response != NULL) {
        MHD_destroy_response(exchange->response);
        exchange->response = NULL;
    }
}

void http_completed(void *context, struct MHD_Connection *connection, void **kept,
                    enum MHD_RequestTerminationCode code) {
    (void)context;
    (void)connection;
    (void)code;
    struct exchange *exchange = *kept;
    *kept = NULL;
    if (exchange == NULL)
        return;
    if (!exchange->arrived) /* the library has refused it, or its client has gone */
        exchange->lingers = true;
    http_end(exchange);
    http_move(exchange, STAGE_IDLE);
}
