/* http_late.c: connections that take too long, clients that have gone, and answers that the library cannot send. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "http_internal.h"

/* Seconds: between two looks for clients that have gone, and between two at the sockets that linger; and for a request
 * that is on its way when the server ends. */
static const double LOOK = 0.1, LINGER_LOOK = 0.02, LINGER = 1, GRACE = 0.1;

/* ---- the queues */

void http_leave(struct exchange *exchange) {
    struct queue *queue = &exchange->http->queues[exchange->stage];
    *(exchange->previous != NULL ? &exchange->previous->next : &queue->first) = exchange->next;
    *(exchange->next != NULL ? &exchange->next->previous : &queue->last) = exchange->previous;
    exchange->next = exchange->previous = NULL;
}

static void enter(struct exchange *exchange, enum stage stage) {
    struct queue *queue = &exchange->http->queues[stage];
    exchange->stage = stage;
    exchange->since = exchange->http->now;
    exchange->next = NULL;
    exchange->previous = queue->last;
    *(queue->last != NULL ? &queue->last->next : &queue->first) = exchange;
    queue->last = exchange;
}

/* A connection that is in no queue yet has no neighbours, and is not the first of its queue. */
void http_move(struct exchange *exchange, enum stage stage) {
    if (exchange->previous != NULL || exchange->http->queues[exchange->stage].first == exchange)
        http_leave(exchange);
    enter(exchange, stage);
}

/* ---- answers past the library */

/* Both directions: the library learns of it by a hang-up and closes; what is in the socket's buffer is still sent. */
void http_hang_up(struct exchange *exchange) {
    exchange->cut = true;
    exchange->lingers = true;
    shutdown(exchange->socket, SHUT_RDWR);
}

static void send_now(const struct exchange *exchange, char *head, size_t head_size, const char *body, size_t size) {
    struct iovec parts[2] = {{.iov_base = head, .iov_len = head_size}, {.iov_base = (char *)body, .iov_len = size}};
    bool bodiless = exchange->method != NULL && strcmp(exchange->method, "HEAD") == 0;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = bodiless ? 1 : 2};
    /* Nothing waits in the buffer before it: the library has answered what came before. Where it does not fit whole,
     * the client sees an answer that is cut off. */
    if (sendmsg(exchange->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return;
}

void http_cut(struct exchange *exchange, unsigned status, const char *text) {
    char head[256], body[256];
    int size = snprintf(body, sizeof body, "{\"error\":\"%s\"}", text);
    int head_size = snprintf(head, sizeof head,
                             "HTTP/1.1 %u %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                             "Connection: close\r\n\r\n",
                             status, MHD_get_reason_phrase_for(status), size);
    send_now(exchange, head, (size_t)head_size, body, (size_t)size);
    http_hang_up(exchange);
}

struct text {
    char bytes[2048];
    size_t size;
};

AT_PRINTF(2, 3) static void add(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof text->bytes - text->size;
    int size = vsnprintf(text->bytes + text->size, room, format, arguments);
    va_end(arguments);
    if (size > 0 && (size_t)size < room)
        text->size += (size_t)size;
}

static enum MHD_Result add_header(void *context, enum MHD_ValueKind kind, const char *name, const char *value) {
    (void)kind;
    if (strcasecmp(name, "Connection") != 0)
        add(context, "%s: %s\r\n", name, value);
    return MHD_YES;
}

void http_cut_with_answer(struct exchange *exchange) {
    if (exchange->cut)
        return;
    struct text head = {.size = 0};
    add(&head, "HTTP/1.1 %u %s\r\n", exchange->status, MHD_get_reason_phrase_for(exchange->status));
    MHD_get_response_headers(exchange->response, add_header, &head);
    add(&head, "Content-Length: %zu\r\nConnection: close\r\n\r\n", exchange->answer_size);
    send_now(exchange, head.bytes, head.size, exchange->answer, exchange->answer_size);
    http_hang_up(exchange);
}

/* ---- those that take too long */

static void give_up(struct exchange *exchange) {
    switch (exchange->stage) {
    case STAGE_IDLE:
    case STAGE_ARRIVING:
        http_cut(exchange, 408, "the request did not arrive in time; send it faster");
        break;
    case STAGE_REFUSED:
        http_cut_with_answer(exchange);
        break;
    default: /* the client does not read its answer */
        http_hang_up(exchange);
    }
}

static void give_up_late(struct http *http) {
    for (int stage = 0; stage < STAGES; stage++) {
        struct queue *queue = &http->queues[stage];
        while (queue->patience > 0 && queue->first != NULL && http->now - queue->first->since >= queue->patience) {
            struct exchange *exchange = queue->first;
            if (!exchange->cut)
                give_up(exchange);
            http_move(exchange, exchange->stage); /* behind the others, until the library has closed it */
        }
    }
}

/* ---- clients that have gone
 *
 * The library does not look at the sockets of suspended connections; and where a client's last bytes and its end come
 * at once, it reads the bytes and never hears of the end. So every 0.1 s we ask for those that have been here so long;
 * most are answered before. On a connection between two requests only the library's own timeout notices.
 *   A client that only shuts down its sending side looks the same as one that has gone: it is told so, in case it
 * listens, and its request is given up.
 */

static void gone(struct exchange *exchange) {
    exchange->replied = true;
    http_cut(exchange, 400, "the connection was shut down while its request was served; keep it open");
    http_end(exchange);
    http_resume_later(exchange);
}

/* All that came has been read, and it is less than a request. */
static bool is_at_its_end(const struct exchange *exchange) {
    char byte;
    return recv(exchange->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void look_at(struct exchange *const *exchanges, struct pollfd *polls, nfds_t count) {
    if (poll(polls, count, 0) <= 0)
        return;
    for (nfds_t i = 0; i < count; i++) {
        if ((polls[i].revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0)
            continue;
        if (exchanges[i]->stage == STAGE_SUSPENDED)
            gone(exchanges[i]);
        else if (is_at_its_end(exchanges[i]))
            http_hang_up(exchanges[i]);
    }
}

static void look_through(struct http *http, enum stage stage) {
    enum { AT_ONCE = 64 };
    struct exchange *exchanges[AT_ONCE];
    struct pollfd polls[AT_ONCE];
    nfds_t count = 0;
    for (struct exchange *exchange = http->queues[stage].first, *next; exchange != NULL; exchange = next) {
        next = exchange->next; /* what is found gone stays where it is, until the library closes it */
        if (http->now - exchange->since < LOOK)
            break;
        if (exchange->cut)
            continue;
        exchanges[count] = exchange;
        polls[count++] = (struct pollfd){.fd = exchange->socket, .events = POLLRDHUP};
        if (count == AT_ONCE) {
            look_at(exchanges, polls, count);
            count = 0;
        }
    }
    look_at(exchanges, polls, count);
}

static void look_for_gone(struct http *http) {
    if (http->now < http->next_look)
        return;
    http->next_look = http->now + LOOK;
    look_through(http, STAGE_ARRIVING);
    look_through(http, STAGE_SUSPENDED);
}

/* When the next look is due for those at a stage. */
static double next_look_at(const struct http *http, enum stage stage) {
    const struct exchange *first = http->queues[stage].first;
    return first == NULL ? (double)INFINITY : fmax(http->next_look, first->since + LOOK);
}

/* ---- sockets that linger
 *
 * To close a socket in which unread bytes lie resets the connection, and the reset may reach the client before it has
 * read the answer that says why. So a copy of the descriptor is kept open for a moment, and what arrives thrown away.
 */

void http_linger(struct http *http, int socket) {
    if (http->lingering_count == HTTP_LINGERING || http->closing)
        return;
    int copy = fcntl(socket, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return;
    shutdown(copy, SHUT_WR);
    http->lingering[http->lingering_count++] = (struct lingering){.socket = copy, .until = http->now + LINGER};
}

/* With MSG_TRUNC TCP throws bytes away without copying them. A bound, so that nobody keeps us here. */
static void empty(int socket) {
    for (int i = 0; i < 16 && recv(socket, NULL, 1 << 20, MSG_TRUNC | MSG_DONTWAIT) > 0; i++)
        ;
}

/* recv does not tell: where we have shut down reading, it says that everything has ended. */
static bool has_ended(int socket) {
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    empty(socket);
    return getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
           (info.tcpi_state != TCP_ESTABLISHED && info.tcpi_state != TCP_FIN_WAIT1 && info.tcpi_state != TCP_FIN_WAIT2);
}

/* A peer that is still there may be stuck in what it sends: only a reset tells it that nobody reads any more. */
static void close_lingering(int socket, bool reset) {
    if (reset)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(socket);
}

static void look_at_lingering(struct http *http) {
    for (size_t i = http->lingering_count; i-- > 0;) {
        struct lingering *lingering = &http->lingering[i];
        bool ended = has_ended(lingering->socket);
        if (!ended && http->now < lingering->until)
            continue;
        close_lingering(lingering->socket, !ended);
        *lingering = http->lingering[--http->lingering_count];
    }
}

void http_linger_end(struct http *http) {
    while (http->lingering_count > 0)
        close(http->lingering[--http->lingering_count].socket);
}

/* ---- the end
 *
 * With no more to read, an idle connection ends as if its client had closed it; but a request that is in the socket
 * already is still read, and answered. One that came, or was answered, a moment ago may have its request on the way.
 */

static void end_idle(struct http *http) {
    const struct queue *idle = &http->queues[STAGE_IDLE];
    while (http->draining && idle->first != NULL && http->now - idle->first->since >= GRACE) {
        shutdown(idle->first->socket, SHUT_RD);
        http_move(idle->first, STAGE_IDLE); /* behind the others, until the library has closed it */
    }
}

/* ---- all of it */

void http_look_after(struct http *http) {
    give_up_late(http);
    end_idle(http);
    look_for_gone(http);
    look_at_lingering(http);
}

int http_patience(const struct http *http) {
    double next = (double)INFINITY, now = at_now();
    for (int stage = 0; stage < STAGES; stage++) {
        const struct queue *queue = &http->queues[stage];
        if (queue->patience > 0 && queue->first != NULL)
            next = fmin(next, queue->first->since + queue->patience);
    }
    next = fmin(next, fmin(next_look_at(http, STAGE_ARRIVING), next_look_at(http, STAGE_SUSPENDED)));
    if (http->draining && http->queues[STAGE_IDLE].first != NULL)
        next = fmin(next, http->queues[STAGE_IDLE].first->since + GRACE);
    if (http->lingering_count > 0)
        next = fmin(next, now + LINGER_LOOK);
    if (isinf(next))
        return -1;
    return (int)ceil(fmin(fmax(next - now, 0), 1e6) * 1000);
}
