/* connection.c: a socket that never blocks, and the bytes on their way in and out of it. */
#include "connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { FIRST_ROOM = 4096 };

void connection_init(struct connection *connection, size_t longest) {
    *connection = (struct connection){.fd = -1, .longest = longest};
}

void connection_free(struct connection *connection) {
    connection_close(connection);
    free(connection->received);
    free(connection->unsent);
    connection->received = connection->unsent = NULL;
    connection->room = connection->unsent_room = 0;
}

void connection_close(struct connection *connection) {
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
    connection->state = CONNECTION_CLOSED;
    connection->ended = false;
    connection->length = connection->from = connection->left = 0;
    connection->response = (struct response){0};
}

int connection_open(struct connection *connection, const struct sockaddr *address, socklen_t size, int epoll,
                    void *pointer) {
    connection_close(connection);
    connection->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        return -errno;
    int on = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int result = connect(connection->fd, address, size) == 0 || errno == EINPROGRESS ? 0 : -errno;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = pointer};
    if (result == 0 && epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        result = -errno;
    if (result == 0)
        connection->state = CONNECTION_CONNECTING;
    else
        connection_close(connection);
    return result;
}

/* Keeps what is left of a request. The room is taken once, and then serves all requests of that length. */
static int keep(struct connection *connection, const char *bytes, size_t length) {
    if (connection->unsent_room < length) {
        char *unsent = realloc(connection->unsent, length);
        if (unsent == NULL)
            return -ENOMEM;
        connection->unsent = unsent;
        connection->unsent_room = length;
    }
    memcpy(connection->unsent, bytes, length);
    connection->from = 0;
    connection->left = length;
    return 0;
}

/* How many bytes the socket took, 0 when it is full, or -errno. */
static ssize_t send_some(struct connection *connection, const char *bytes, size_t length) {
    ssize_t sent;
    do
        sent = send(connection->fd, bytes, length, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN ? 0 : -errno;
    connection->bytes_sent += (uint64_t)sent;
    return sent;
}

int connection_send(struct connection *connection, const char *request, size_t length) {
    if (connection->state == CONNECTION_CLOSED)
        return -ENOTCONN;
    ssize_t sent = connection->state == CONNECTION_OPEN ? send_some(connection, request, length) : 0;
    if (sent < 0)
        return (int)sent;
    return (size_t)sent == length ? 0 : keep(connection, request + sent, length - (size_t)sent);
}

static int flush(struct connection *connection) {
    while (connection->left > 0) {
        ssize_t sent = send_some(connection, connection->unsent + connection->from, connection->left);
        if (sent <= 0)
            return (int)sent;
        connection->from += (size_t)sent;
        connection->left -= (size_t)sent;
    }
    return 0;
}

/* Whether it is connected by now: 1, or 0 while nothing is known, or why it will not be. */
static int finish_connecting(struct connection *connection) {
    int error = 0;
    socklen_t size = sizeof error;
    struct sockaddr_storage peer;
    socklen_t peer_size = sizeof peer;
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return -errno;
    if (error != 0)
        return -error;
    if (getpeername(connection->fd, (struct sockaddr *)&peer, &peer_size) != 0)
        return errno == ENOTCONN ? 0 : -errno;
    connection->state = CONNECTION_OPEN;
    return 1;
}

/* Room for what is known to come, and for a little more where that is not known yet. */
static int make_room(struct connection *connection) {
    const struct response *response = &connection->response;
    size_t wanted = response->head > 0 ? response_end(response) + 1 : connection->length + 1;
    if (wanted < connection->room)
        return 0;
    size_t room = connection->room * 2 > FIRST_ROOM ? connection->room * 2 : FIRST_ROOM;
    if (room <= wanted)
        room = wanted + 1;
    char *received = realloc(connection->received, room);
    if (received == NULL)
        return -ENOMEM;
    connection->received = received;
    connection->room = room;
    return 0;
}

/* Reads until an answer is complete or nothing more is there. The same results as connection_ready. */
static int receive(struct connection *connection) {
    for (;;) {
        int result = make_room(connection);
        if (result != 0)
            return result;
        size_t room = connection->room - connection->length;
        ssize_t got = recv(connection->fd, connection->received + connection->length, room, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return 0;
        if (got <= 0) {
            connection->ended = true;
            return got < 0 ? -errno : -ECONNRESET;
        }
        connection->length += (size_t)got;
        connection->bytes_received += (uint64_t)got;
        result = response_read(&connection->response, connection->received, connection->length, connection->longest);
        if (result != 0)
            return result < 0 ? -EBADMSG : 1;
    }
}

int connection_ready(struct connection *connection) {
    if (connection->state == CONNECTION_CLOSED)
        return -ENOTCONN;
    if (connection->state == CONNECTION_CONNECTING) {
        int result = finish_connecting(connection);
        if (result <= 0)
            return result;
    }
    /* A server that refuses a request may answer and close before it has read all of it. So what came counts first. */
    int result = receive(connection);
    if (result != 0)
        return result;
    int sent = flush(connection);
    if (sent == 0)
        return 0;
    result = receive(connection);
    return result != 0 ? result : sent;
}

bool connection_next(struct connection *connection) {
    bool clean = !connection->response.close && !connection->ended && connection->left == 0 &&
                 connection->length == response_end(&connection->response);
    connection->length = 0;
    connection->response = (struct response){0};
    return clean;
}
