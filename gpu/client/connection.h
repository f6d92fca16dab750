/* connection.h: one HTTP/1.1 connection of a client, which never blocks: a request goes out, an answer comes in, and so
 * on until somebody closes it. */
#ifndef GPU_CLIENT_CONNECTION_H
#define GPU_CLIENT_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "response.h"

enum connection_state { CONNECTION_CLOSED, CONNECTION_CONNECTING, CONNECTION_OPEN };

struct connection {
    int fd; /* -1 when closed */
    enum connection_state state;
    bool ended;     /* the server sends nothing more */
    char *received; /* what has come of the answer, and maybe of more than that */
    size_t length, room;
    size_t longest; /* the longest body that is taken */
    char *unsent;   /* what the socket did not take yet: `left` bytes at unsent + from */
    size_t from, left, unsent_room;
    uint64_t bytes_sent, bytes_received; /* of all times */
    struct response response;
};

/* A closed one that takes answers up to that body. connection_free closes it, too. */
void connection_init(struct connection *connection, size_t longest);
void connection_free(struct connection *connection);

/*
 * Begins to connect; with `epoll` not negative, all events are reported there, edge-triggered, with that pointer.
 * Returns 0 or -errno: what is wrong at once.
 */
int connection_open(struct connection *connection, const struct sockaddr *address, socklen_t size, int epoll,
                    void *pointer);

/* Leaves nothing of what was under way. */
void connection_close(struct connection *connection);

/*
 * Sends a request: at once what the socket takes, the rest when it takes more, from a copy. May be called while it
 * still connects, and not again before the answer has come. Returns 0 or -errno (-ENOTCONN: it is closed).
 */
int connection_send(struct connection *connection, const char *request, size_t length);

/*
 * To be called when something happened to the socket. Returns 1: an answer is complete, in .response and .received;
 * 0: it goes on; or what ended it: -EBADMSG: what came is no answer (.response.fault); other -errno: not connected,
 * closed, or broken: -ECONNRESET also where the server closed it without an answer. It does not close the connection.
 */
int connection_ready(struct connection *connection);

/*
 * Drops the answer, after which the next request may be sent. Returns false when it cannot be: the server closes it, or
 * has sent what nobody asked for; then it is to be closed.
 */
bool connection_next(struct connection *connection);

#endif
