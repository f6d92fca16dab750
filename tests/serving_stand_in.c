/* serving_stand_in.c: the stand-in server: poll, a buffer a connection, and what it does instead of answering. */
#include "serving_stand_in.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "children.h"

enum { GUESTS = 80, ROOM = 65536, INPUTS = 4, OUTPUTS = 3, MOST_ROWS = 64, ANSWER_ROOM = 8192 };

struct guest {
    int fd;
    size_t length;
    char bytes[ROOM + 1];
};

struct house {
    struct stand_in *server;
    size_t guests;
    struct guest guest[GUESTS];
    char last_id[17];
};

/* The sockets block; those of the tests take what is sent, or are closed. */
static void say(int fd, const void *bytes, size_t length) {
    for (size_t sent = 0; sent < length;) {
        ssize_t some = send(fd, (const char *)bytes + sent, length - sent, MSG_NOSIGNAL);
        if (some <= 0)
            return;
        sent += (size_t)some;
    }
}

static void say_text(int fd, const char *text) {
    say(fd, text, strlen(text));
}

static void drip(int fd, const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        say(fd, bytes + i, 1);
}

static void say_huge_header(int fd) {
    char line[1024];
    memset(line, 'x', sizeof line);
    memcpy(line, "Name: ", 6);
    line[sizeof line - 2] = '\r';
    line[sizeof line - 1] = '\n';
    say_text(fd, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 1024; i++)
        say(fd, line, sizeof line);
    say_text(fd, "\r\n");
}

/* One request, of which the pointers lead into the guest's bytes. */
struct asked {
    char id[17];
    unsigned rows;
    float input[MOST_ROWS][INPUTS];
    bool binary;
};

static unsigned long number_after(const char *text, const char *name, unsigned long otherwise) {
    const char *found = strcasestr(text, name);
    return found == NULL ? otherwise : strtoul(found + strlen(name), NULL, 10);
}

static void understand(struct asked *asked, const char *head, const char *body) {
    const char *id = strstr(body, "\"id\":\""), *data = strstr(body, "\"data\":[");
    size_t json = number_after(head, "\r\nInference-Header-Content-Length: ", 0);
    memset(asked, 0, sizeof *asked);
    snprintf(asked->id, sizeof asked->id, "%.16s", id == NULL ? "" : id + 6);
    asked->rows = (unsigned)number_after(body, "\"shape\":[", 1);
    if (asked->rows > MOST_ROWS)
        asked->rows = MOST_ROWS;
    asked->binary = json > 0;
    if (asked->binary)
        memcpy(asked->input, body + json, asked->rows * sizeof *asked->input);
    for (unsigned i = 0; data != NULL && i < asked->rows * INPUTS; i++) {
        char *end;
        asked->input[i / INPUTS][i % INPUTS] = strtof(i == 0 ? data + 8 : data, &end);
        data = end + 1;
    }
}

/* Composes the answer; returns its length. */
static size_t compose(char *answer, const struct asked *asked, enum behaviour behaviour, const char *last_id) {
    char json[4096], data[3072] = "", tensor[3200];
    float output[MOST_ROWS][OUTPUTS];
    size_t length = 0, size = asked->rows * sizeof *output;
    for (unsigned i = 0; i < asked->rows * OUTPUTS; i++) {
        output[i / OUTPUTS][i % OUTPUTS] =
            asked->input[i / OUTPUTS][i % OUTPUTS] + (behaviour == WRONG_NUMBERS ? 1.0F : 0.0F);
        length += (size_t)snprintf(data + length, sizeof data - length, "%s%.9g", i > 0 ? "," : "",
                                   (double)output[i / OUTPUTS][i % OUTPUTS]);
    }
    if (asked->binary)
        snprintf(tensor, sizeof tensor, "\"parameters\":{\"binary_data_size\":%zu}", size);
    else
        snprintf(tensor, sizeof tensor, "\"data\":[%s]", data);
    const char *id = behaviour == WRONG_ID ? "0123456789abcdef" : behaviour == OTHER_ID ? last_id : asked->id;
    bool cpu = behaviour == ANSWER_AS_CPU;
    int json_length = snprintf(
        json, sizeof json,
        "{%s%s%s\"model_name\":\"echo\",\"model_version\":\"1\",\"parameters\":{\"device\":\"%s\",\"batch\":%d%s},"
        "\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[%u,%d],%s}]}",
        behaviour == NO_ID ? "" : "\"id\":\"", behaviour == NO_ID ? "" : id, behaviour == NO_ID ? "" : "\",",
        cpu ? "cpu" : "echo", cpu ? 1 : 2, cpu ? "" : ",\"simulated\":true", asked->rows + (behaviour == WRONG_SHAPE),
        OUTPUTS, tensor);
    if (behaviour == NO_JSON)
        memset(json, '[', (size_t)json_length);
    if (behaviour == NO_OUTPUTS)
        json_length = snprintf(json, sizeof json, "{\"id\":\"%s\"}", id);
    if (!asked->binary)
        size = 0;
    int head = snprintf(answer, ANSWER_ROOM,
                        "HTTP/1.1 200 OK\r\ncontent-length: %zu\r\nInference-Header-Content-Length: %d\r\n%s\r\n%s",
                        (size_t)json_length + size, json_length,
                        behaviour == ANSWER_LAST ? "Connection: close\r\n" : "", json);
    memcpy(answer + head, output, size);
    return (size_t)head + size;
}

/* Answers a request for inference, in its way; returns whether the connection stays. */
static bool behave(struct house *house, int fd, const struct asked *asked, enum behaviour behaviour) {
    char answer[ANSWER_ROOM];
    size_t length = compose(answer, asked, behaviour, house->last_id);
    strcpy(house->last_id, asked->id);
    switch (behaviour) {
    case NEVER:
        return true;
    case HANG_UP:
        return false;
    case HALF:
        say(fd, answer, length / 2);
        return false;
    case GARBAGE:
        say_text(fd, "\1\2\3 what?\r\n\r\n");
        return true;
    case CHUNKED:
        say_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
        return true;
    case HUGE_HEADER:
        say_huge_header(fd);
        return true;
    case HUGE_BODY:
        say_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\nx");
        return true;
    case BUSY:
        say_text(fd, "HTTP/1.1 503 Busy\r\nRetry-After: 2\r\nContent-Length: 16\r\n\r\n{\"error\":\"busy\"}");
        return true;
    case BROKEN:
        say_text(fd, "HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n");
        return true;
    case ANSWER_IN_DRIPS:
        drip(fd, answer, length);
        return true;
    case ANSWER_TWICE:
        memcpy(answer + length, answer, length);
        say(fd, answer, 2 * length);
        return true;
    case ANSWER_SLOWLY:
        at_sleep(0.1);
        break;
    default:
        break;
    }
    say(fd, answer, length);
    return behaviour != ANSWER_LAST;
}

static const char DESCRIPTION[] =
    "{\"name\":\"echo\",\"versions\":[\"1\"],\"platform\":\"stand_in\",\"inputs\":[{\"name\":\"x\",\"datatype\":"
    "\"FP32\","
    "\"shape\":[-1,4]}],\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[-1,3]}]}";

static void say_page(int fd, const char *status, const char *body) {
    char answer[1024];
    snprintf(answer, sizeof answer, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
    say_text(fd, answer);
}

/* Answers all whole requests that have come; returns whether the connection stays. */
static bool serve(struct house *house, struct guest *guest) {
    for (;;) {
        guest->bytes[guest->length] = 0;
        char *end = memmem(guest->bytes, guest->length, "\r\n\r\n", 4);
        if (end == NULL)
            return true;
        end[2] = 0;
        size_t head = (size_t)(end - guest->bytes) + 4;
        size_t all = head + number_after(guest->bytes, "\r\nContent-Length: ", 0);
        bool stays = true;
        end[2] = '\r';
        if (all > guest->length)
            return all <= ROOM;
        end[2] = 0;
        if (strncmp(guest->bytes, "POST /v2/models/echo/infer ", 27) == 0) {
            struct asked asked;
            unsigned request = atomic_fetch_add(&house->server->requests, 1);
            enum behaviour (*choose)(unsigned) = house->server->choose;
            understand(&asked, guest->bytes, guest->bytes + head);
            stays = behave(house, guest->fd, &asked, choose == NULL ? ANSWER : choose(request));
        } else if (strncmp(guest->bytes, "GET /v2/models/echo ", 20) == 0) {
            say_page(guest->fd, "200 OK", DESCRIPTION);
        } else {
            say_page(guest->fd, "404 Not Found", "{\"error\":\"Not Found\"}");
        }
        guest->length -= all;
        memmove(guest->bytes, guest->bytes + all, guest->length);
        if (!stays)
            return false;
    }
}

static bool hear(struct house *house, struct guest *guest) {
    ssize_t got = recv(guest->fd, guest->bytes + guest->length, ROOM - guest->length, 0);
    if (got <= 0)
        return false;
    guest->length += (size_t)got;
    return serve(house, guest);
}

static void welcome(struct house *house) {
    int fd = accept4(house->server->listener, NULL, NULL, SOCK_CLOEXEC), on = 1;
    if (fd < 0)
        return;
    if (house->guests == GUESTS) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    atomic_fetch_add(&house->server->connections, 1);
    house->guest[house->guests].fd = fd;
    house->guest[house->guests++].length = 0;
}

static int keep_house(void *server) {
    struct house *house = calloc(1, sizeof *house);
    struct pollfd wait[GUESTS + 2];
    if (house == NULL)
        return -ENOMEM;
    house->server = server;
    for (;;) {
        size_t guests = house->guests;
        wait[0] = (struct pollfd){.fd = house->server->wake, .events = POLLIN};
        wait[1] = (struct pollfd){.fd = house->server->listener, .events = POLLIN};
        for (size_t i = 0; i < guests; i++)
            wait[i + 2] = (struct pollfd){.fd = house->guest[i].fd, .events = POLLIN};
        if (poll(wait, guests + 2, -1) < 0)
            continue;
        if (wait[0].revents != 0)
            break;
        if (wait[1].revents != 0)
            welcome(house);
        /* From the end, so that the one that takes the place of one who left has had its turn. */
        for (size_t i = guests; i-- > 0;)
            if (wait[i + 2].revents != 0 && !hear(house, &house->guest[i])) {
                close(house->guest[i].fd);
                house->guests--;
                if (i < house->guests)
                    memcpy(&house->guest[i], &house->guest[house->guests], sizeof *house->guest);
            }
    }
    for (size_t i = 0; i < house->guests; i++)
        close(house->guest[i].fd);
    free(house);
    return 0;
}

void stand_in_start(struct stand_in *server) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    server->wake = eventfd(0, EFD_CLOEXEC);
    ck_assert_int_ge(server->listener, 0);
    ck_assert_int_ge(server->wake, 0);
    ck_assert_int_eq(bind(server->listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(server->listener, 128), 0);
    ck_assert_int_eq(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    server->thread = at_thread_new(.target = keep_house, .arg = server, .name = "stand-in");
    ok(at_thread_start(server->thread));
}

void stand_in_stop(struct stand_in *server) {
    ck_assert_int_eq(eventfd_write(server->wake, 1), 0);
    ok(at_thread_join(server->thread, 20));
    at_thread_free(server->thread);
    close(server->listener);
    close(server->wake);
}

const char *stand_in_url(const struct stand_in *server, char *url) {
    snprintf(url, 64, "http://127.0.0.1:%d", server->port);
    return url;
}
