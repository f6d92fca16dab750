/* http.h: an HTTP server in one thread, bodies streamed in, answers given later: libmicrohttpd behind few names. */
#ifndef GPU_HTTP_H
#define GPU_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

struct http;
struct exchange; /* one request and its answer */

/*
 * What it refuses by itself, before anybody is asked, with {"error": ...}: two Content-Lengths, equal ones too, and one
 * beside a Transfer-Encoding (400); transfer codings other than chunked (501); a body over the limit (413); what comes
 * too slowly (408); connections beyond the limits (503). The library refuses, with a page of its own, heads that do not
 * fit into 32 KiB (431, 414) and what is no HTTP (400).
 *   A client that closes its sending side while it waits for its answer counts as gone after 0.1 s, as it does with
 * other servers: the two cannot be told apart. In case it still listens, it is told so (400).
 */

/* What the server calls, always from within http_turn. `context` is the options'. */
struct http_calls {
    /* The headers are here, and not yet the body. May reply, and then neither of the next two is called. */
    void (*head)(void *context, struct exchange *exchange);
    /* A piece of the body. May reply, and then no more comes. */
    void (*body)(void *context, struct exchange *exchange, const char *data, size_t size);
    /* All of it is here. Replies, or else does so later, from wherever http_turn is not running. */
    void (*complete)(void *context, struct exchange *exchange);
    /* The exchange ends: answered, or its client has gone. What hangs on it (exchange_keep) is given back here. */
    void (*end)(void *context, struct exchange *exchange);
};

struct http_options {
    const char *address; /* "127.0.0.1", "::1", "0.0.0.0"... NULL: 127.0.0.1 */
    uint16_t port;       /* 0: any that is free; http_port tells which */
    int listening;       /* a listening socket to use instead, of which http becomes the owner; -1: none */
    uint64_t body;       /* the most bytes of a body: 413 beyond it, by Content-Length or by count */
    unsigned connections, connections_per_client; /* at once; per client: per address */
    unsigned idle; /* seconds after which a connection is closed that says nothing, in a request or between two */
    unsigned slow; /* seconds that a request may take to arrive, however steadily it drips (408); 0: no such bound */
    struct http_calls calls;
    void *context;
};

/* -EADDRINUSE, -EACCES, -EADDRNOTAVAIL, -EINVAL (an address that is none)...: the sentence names address and port. */
int http_open(struct http **http, const struct http_options *options, struct failure *failure) AT_MUST_CHECK;
void http_close(struct http *http); /* every exchange ends first, unanswered */
uint16_t http_port(const struct http *http);

/* A listening socket as http_open makes one, for processes that share it (--mode processes). */
int http_listen(const char *address, uint16_t port, struct failure *failure) AT_MUST_CHECK;
uint16_t http_port_of(int listening);

/*
 * The loop is the caller's: poll http_descriptor for reading, at most http_wait milliseconds (-1: for ever), and call
 * http_turn, also when exchanges have been answered meanwhile.
 */
int http_descriptor(const struct http *http);
int http_wait(struct http *http);
void http_turn(struct http *http);

/* No new connections from now on; those that are there, or that wait to be taken, are closed
 * after the answer that is due, or when nothing has come for 0.1 s. */
void http_drain(struct http *http);
unsigned http_connections(const struct http *http);

/* The request. Texts live as long as the exchange; a header's name in any case; NULL: it has no such header.
 * Blanks at the end of its value are still there. */
const char *exchange_method(const struct exchange *exchange);
const char *exchange_path(const struct exchange *exchange); /* not decoded, without the query */
const char *exchange_header(const struct exchange *exchange, const char *name);
int64_t exchange_content_length(const struct exchange *exchange); /* -1: not said (chunked, or no body) */

/* A place for what the caller needs with it: NULL at first. */
void exchange_keep(struct exchange *exchange, void *kept);
void *exchange_kept(const struct exchange *exchange);

struct http_header {
    const char *name, *value;
};

/*
 * Answers, once. `body` is copied, or, with `owned`, freed by free() when it has been sent; Content-Length is added.
 *   A reply before the body is here: a short body (64 KiB, its length said, without Expect) is still read and thrown
 * away for up to a second, so that the client keeps its connection; any other is not read, and the connection closes.
 */
void exchange_reply(struct exchange *exchange, unsigned status, const struct http_header *headers, size_t count,
                    char *body, size_t size, bool owned);
bool exchange_replied(const struct exchange *exchange);

#endif
