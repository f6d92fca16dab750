/* http_internal.h: what the files of the HTTP server share: a connection, the queues it waits in, the addresses. */
#ifndef GPU_HTTP_INTERNAL_H
#define GPU_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <netinet/in.h>

#include "http.h"

enum {
    HTTP_HEADERS = 16,  /* that are kept for exchange_header; those behind them are looked up in the library's list */
    HTTP_LINGERING = 64 /* sockets at once that are emptied before they are closed */
};

/*
 * Where a connection stands. In each of them it may stay for a time that is the same for all, so a queue of those that
 * came there, in that order, has the next deadline at its head: nobody ever looks through all connections.
 */
enum stage {
    STAGE_IDLE,      /* no request line has arrived; a part of one may have */
    STAGE_ARRIVING,  /* of the headers and the body a part has */
    STAGE_REFUSED,   /* the same, and the answer is known already */
    STAGE_SUSPENDED, /* the request is here, its answer is not */
    STAGE_ANSWERING, /* the answer is being sent */
    STAGES
};

/* A connection, and the one request that it has at a time. */
struct exchange {
    struct http *http;
    struct MHD_Connection *connection;
    struct client *client; /* where it comes from */
    int socket;
    enum stage stage;
    struct exchange *next, *previous; /* in the queue of its stage */
    double since;                     /* it came there */
    struct exchange *next_answered;   /* in http->answered */
    bool lingers;                     /* some of what it sent may not have been read when it is closed */

    /* The request, from its request line on. */
    bool open;                 /* `head` was called, `end` not yet */
    bool arrived;              /* all of it */
    bool replied;              /* the caller has answered */
    bool cut;                  /* the connection is to end: nothing more is read or sent */
    bool resumes;              /* it is in http->answered */
    const char *method, *path; /* NULL until the headers are here */
    struct {
        const char *name, *value;
        size_t length; /* of the name */
    } headers[HTTP_HEADERS];
    size_t header_count; /* of all */
    int64_t content_length;
    bool chunked, expects;
    uint64_t received; /* bytes of the body */
    void *kept;

    /* The answer. */
    struct MHD_Response *response;
    unsigned status;
    const char *answer; /* its body, owned by the response */
    size_t answer_size;
};

struct queue {
    struct exchange *first, *last;
    double patience; /* seconds that one may stay; 0: for ever */
};

/* The connections of one address. */
struct client {
    struct client *next;
    struct in6_addr address;
    unsigned connections;
};

struct lingering {
    int socket;
    double until;
};

struct http {
    struct http_options options;
    struct MHD_Daemon *daemon;
    int descriptor;
    uint16_t port;
    bool draining, closing;
    double now;       /* when this turn began */
    double next_look; /* for clients that have gone */
    unsigned connections;
    struct queue queues[STAGES];
    struct exchange *answered; /* suspended ones that have an answer now */
    struct lingering lingering[HTTP_LINGERING];
    size_t lingering_count;
    struct client **clients; /* by the hash of their address */
    size_t client_mask;
};

/* ---- http_exchange.c: what the library calls */

enum MHD_Result http_access(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                            const char *version, const char *upload, size_t *upload_size, void **kept);
void *http_request_line(void *context, const char *uri, struct MHD_Connection *connection);
void http_completed(void *context, struct MHD_Connection *connection, void **kept,
                    enum MHD_RequestTerminationCode code);
void http_connection(void *context, struct MHD_Connection *connection, void **kept,
                     enum MHD_ConnectionNotificationCode code);
/* Gives the exchange back to the caller; its connection may live on. */
void http_end(struct exchange *exchange);

/* ---- http_answer.c: answers */

/* Hands the answer that the exchange has to the library. */
void http_queue_answer(struct exchange *exchange);
/* Lets the answers out that were given to suspended connections. */
void http_resume(struct http *http);
void http_resume_later(struct exchange *exchange);
/* Whether two names of headers are the same. */
bool http_same(const char *name, size_t size, const char *other, size_t other_size);

/* ---- http_late.c: what becomes of those that take too long, or have gone */

void http_move(struct exchange *exchange, enum stage stage);
void http_leave(struct exchange *exchange);
void http_look_after(struct http *http);
/* Milliseconds until http_look_after has something to do; -1: never. */
int http_patience(const struct http *http);
/* Ends the connection, which the library then finds closed. */
void http_hang_up(struct exchange *exchange);
/* Writes an answer past the library, which takes none while a body arrives, and ends the connection. */
void http_cut(struct exchange *exchange, unsigned status, const char *text);
/* The same with the answer that the exchange has. */
void http_cut_with_answer(struct exchange *exchange);
/* Keeps a socket open beyond its connection, until its peer has read what it was sent. */
void http_linger(struct http *http, int socket);
void http_linger_end(struct http *http);

/* ---- http_clients.c: how many connections come from where */

int http_clients_open(struct http *http);
void http_clients_close(struct http *http);
/* Counts a new connection. NULL: memory is short. */
struct client *http_client_enter(struct http *http, const struct sockaddr *address);
void http_client_leave(struct http *http, struct client *client);

#endif
