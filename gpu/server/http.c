/* http.c: the HTTP server: libmicrohttpd, driven by the caller's loop. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_internal.h"

enum {
    BACKLOG = 1024,
    MEMORY = 32 * 1024,  /* of a connection: all of a request's headers (431), or half as much of its body at a time */
    REFUSED_AT_ONCE = 64 /* connections beyond the limit, which hear so and are closed */
};

/* Seconds for which the rest of a body is awaited when its answer is known, before the connection is cut. */
static const double REFUSED_PATIENCE = 1;

/* ---- the listening socket */

static int parse_address(const char *text, uint16_t port, struct sockaddr_storage *address, socklen_t *size) {
    struct sockaddr_in *four = (struct sockaddr_in *)address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        *size = sizeof *four;
        return 0;
    }
    if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        *size = sizeof *six;
        return 0;
    }
    return -EINVAL;
}

static const char *way_out(int code) {
    switch (code) {
    case -EADDRINUSE:
        return "another program listens there; stop it, or choose another port";
    case -EACCES:
        return "ports below 1024 are root's; choose a higher one";
    case -EADDRNOTAVAIL:
        return "this machine has no such address; 127.0.0.1 is its own, 0.0.0.0 means all it has";
    default:
        return at_strerror(code);
    }
}

int http_listen(const char *address, uint16_t port, struct failure *failure) {
    struct sockaddr_storage name;
    socklen_t size;
    address = address == NULL ? "127.0.0.1" : address;
    if (parse_address(address, port, &name, &size) != 0)
        return fail(failure, -EINVAL, "address %s: not an IP address; write one as 127.0.0.1 or ::1", address);
    int listening = socket(name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listening >= 0 && setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) == 0 &&
        bind(listening, (struct sockaddr *)&name, size) == 0 && listen(listening, BACKLOG) == 0)
        return listening;
    int code = -errno;
    if (listening >= 0)
        close(listening);
    return fail(failure, code, "address %s, port %u: %s", address, (unsigned)port, way_out(code));
}

uint16_t http_port_of(int listening) {
    struct sockaddr_storage name = {0};
    socklen_t size = sizeof name;
    if (getsockname(listening, (struct sockaddr *)&name, &size) != 0)
        return 0;
    if (name.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&name)->sin6_port);
    return ntohs(((struct sockaddr_in *)&name)->sin_port);
}

/* ---- the daemon */

/* Paths are handed on as they came: whoever knows what they mean decodes them, after it has split them. */
static size_t leave_encoded(void *context, struct MHD_Connection *connection, char *text) {
    (void)context;
    (void)connection;
    return strlen(text);
}

static struct MHD_Daemon *start(struct http *http, int listening) {
    const struct http_options *options = &http->options;
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO, 0, NULL, NULL, http_access, http,
                            MHD_OPTION_LISTEN_SOCKET, listening, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                            MHD_OPTION_CONNECTION_LIMIT, options->connections + REFUSED_AT_ONCE,
                            MHD_OPTION_CONNECTION_TIMEOUT, options->idle, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)MEMORY, MHD_OPTION_NOTIFY_CONNECTION, http_connection, http,
                            MHD_OPTION_NOTIFY_COMPLETED, http_completed, http, MHD_OPTION_URI_LOG_CALLBACK,
                            http_request_line, http, MHD_OPTION_UNESCAPE_CALLBACK, leave_encoded, NULL, MHD_OPTION_END);
}

static int open_daemon(struct http *http, int listening, struct failure *failure) {
    if (http_clients_open(http) != 0)
        return fail(failure, -ENOMEM, "http: memory is short");
    http->port = http_port_of(listening);
    http->daemon = start(http, listening);
    if (http->daemon == NULL)
        return fail(failure, -EMFILE, "http: the server did not start; is the limit of open files reached?");
    http->descriptor = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return 0;
}

static void set_patience(struct http *http) {
    double idle = http->options.idle, slow = http->options.slow;
    http->queues[STAGE_IDLE].patience = slow > 0 && idle > 0 ? idle + slow : 0;
    http->queues[STAGE_ARRIVING].patience = slow;
    http->queues[STAGE_REFUSED].patience = REFUSED_PATIENCE;
    http->queues[STAGE_ANSWERING].patience = slow;
}

int http_open(struct http **result, const struct http_options *options, struct failure *failure) {
    int listening = options->listening;
    if (listening < 0)
        listening = http_listen(options->address, options->port, failure);
    if (listening < 0)
        return listening;
    struct http *http = calloc(1, sizeof *http);
    if (http == NULL) {
        close(listening);
        return fail(failure, -ENOMEM, "http: memory is short");
    }
    http->options = *options;
    http->now = at_now();
    set_patience(http);
    int code = open_daemon(http, listening, failure);
    if (code != 0) {
        close(listening);
        http_clients_close(http);
        free(http);
        return code;
    }
    *result = http;
    return 0;
}

/* The library does not stop while connections are suspended. */
void http_close(struct http *http) {
    if (http == NULL)
        return;
    http->closing = true;
    while (http->queues[STAGE_SUSPENDED].first != NULL) {
        struct exchange *exchange = http->queues[STAGE_SUSPENDED].first;
        exchange->replied = exchange->cut = true;
        http_end(exchange);
        http_resume_later(exchange);
        http_move(exchange, STAGE_ANSWERING);
    }
    http_resume(http);
    MHD_stop_daemon(http->daemon);
    http_linger_end(http);
    http_clients_close(http);
    free(http);
}

uint16_t http_port(const struct http *http) {
    return http->port;
}

/* ---- its turns */

int http_descriptor(const struct http *http) {
    return http->descriptor;
}

int http_wait(struct http *http) {
    MHD_UNSIGNED_LONG_LONG timeout = 0;
    if (http->answered != NULL)
        return 0;
    int patience = http_patience(http);
    if (MHD_get_timeout(http->daemon, &timeout) != MHD_YES || timeout > 1000000)
        return patience;
    return patience < 0 || (int)timeout < patience ? (int)timeout : patience;
}

void http_turn(struct http *http) {
    unsigned before;
    http->now = at_now();
    http_resume(http);
    /* At the limit of open files the library listens no more, and when one has been closed, only at its next run. */
    do {
        before = http->connections;
        MHD_run(http->daemon);
    } while (http->connections < before);
    http_look_after(http);
}

/* Connections that the kernel has made, and whose requests may be here, are taken before nobody listens any more. */
static void accept_waiting(struct http *http) {
    struct pollfd listening = {.fd = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_LISTEN_FD)->listen_fd,
                               .events = POLLIN};
    http->now = at_now();
    for (int i = 0; i < BACKLOG && poll(&listening, 1, 0) > 0; i++)
        MHD_run(http->daemon);
}

void http_drain(struct http *http) {
    if (http->draining)
        return;
    http->draining = true;
    accept_waiting(http);
    MHD_socket listening = MHD_quiesce_daemon(http->daemon);
    if (listening != MHD_INVALID_SOCKET)
        close(listening);
}

unsigned http_connections(const struct http *http) {
    return http->connections;
}
