/* serving_wire.c: a client that says to a server, byte by byte, what a test wants, and hears what comes back. */
#include "serving_wire.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <strings.h>
#include <sys/socket.h>

#include "watch.h"

/* ---- connections */

static bool connect_to(int connecting, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(connecting, (struct sockaddr *)&address, sizeof address) == 0;
}

bool somebody_listens(uint16_t port) {
    int connecting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(connecting >= 0);
    bool connected = connect_to(connecting, port);
    close(connecting);
    return connected;
}

struct caller call(uint16_t port) {
    struct timeval bound = {.tv_sec = (time_t)BOUND};
    struct caller caller = {.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    require(caller.socket >= 0);
    require(setsockopt(caller.socket, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound) == 0);
    require(setsockopt(caller.socket, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound) == 0);
    require(setsockopt(caller.socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) == 0);
    require(connect_to(caller.socket, port));
    return caller;
}

void hang_up(struct caller *caller) {
    close(caller->socket);
    free(caller->heard);
    *caller = (struct caller){.socket = -1};
}

/* ---- saying */

bool say_bytes(struct caller *caller, const void *bytes, size_t size) {
    const char *next = bytes;
    while (size > 0) {
        ssize_t sent = send(caller->socket, next, size, MSG_NOSIGNAL);
        if (sent < 0) {
            require(errno == EPIPE || errno == ECONNRESET);
            return false;
        }
        next += sent;
        size -= (size_t)sent;
    }
    return true;
}

bool say(struct caller *caller, const char *format, ...) {
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    require(size >= 0);
    bool said = say_bytes(caller, text, (size_t)size);
    free(text);
    return said;
}

/* In one piece, as clients send small requests. */
static bool say_request(struct caller *caller, const char *head, const void *body, size_t size) {
    size_t head_size = strlen(head);
    char *whole = malloc(head_size + size + 1);
    require(whole != NULL);
    memcpy(whole, head, head_size);
    if (size > 0)
        memcpy(whole + head_size, body, size);
    bool said = say_bytes(caller, whole, head_size + size);
    free(whole);
    return said;
}

bool post(struct caller *caller, const char *path, const char *headers, const void *body, size_t size) {
    char *head;
    require(asprintf(&head, "POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: %zu\r\n%s\r\n", path, size, headers) >
            0);
    bool said = say_request(caller, head, body, size);
    free(head);
    return said;
}

bool get(struct caller *caller, const char *path) {
    return say(caller, "GET %s HTTP/1.1\r\nHost: test\r\n\r\n", path);
}

/* ---- hearing */

/* Listens for more. Returns false when there is no more. */
static bool listen_on(struct caller *caller) {
    enum { AT_ONCE = 65536 };
    caller->heard = realloc(caller->heard, caller->size + AT_ONCE + 1);
    require(caller->heard != NULL);
    ssize_t size = recv(caller->socket, caller->heard + caller->size, AT_ONCE, 0);
    require(size >= 0 || errno == ECONNRESET);
    if (size <= 0)
        return false;
    caller->size += (size_t)size;
    caller->heard[caller->size] = '\0';
    return true;
}

static void forget(struct caller *caller, size_t size) {
    caller->size -= size;
    memmove(caller->heard, caller->heard + size, caller->size);
    caller->heard[caller->size] = '\0';
}

static char *copy_of(const char *bytes, size_t size) {
    char *copy = malloc(size + 1);
    require(copy != NULL);
    memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

static struct heard hear_any(struct caller *caller, bool has_body) {
    char *end = NULL;
    while (caller->size == 0 || (end = strstr(caller->heard, "\r\n\r\n")) == NULL) {
        if (!listen_on(caller))
            ck_abort_msg("the server closed the connection after \"%.*s\"", (int)caller->size,
                         caller->size > 0 ? caller->heard : "");
    }
    struct heard heard = {.head = copy_of(caller->heard, (size_t)(end - caller->heard) + 2)};
    forget(caller, (size_t)(end - caller->heard) + 4);
    require(sscanf(heard.head, "HTTP/1.1 %d ", &heard.status) == 1);
    const char *length = heard_header(&heard, "Content-Length");
    heard.size = has_body && length != NULL ? strtoul(length, NULL, 10) : 0;
    while (caller->size < heard.size)
        require(listen_on(caller));
    heard.body = copy_of(caller->heard, heard.size);
    forget(caller, heard.size);
    return heard;
}

struct heard hear(struct caller *caller) {
    return hear_any(caller, true);
}

struct heard hear_head(struct caller *caller) {
    return hear_any(caller, false);
}

void heard_free(struct heard *heard) {
    free(heard->head);
    free(heard->body);
    *heard = (struct heard){.status = 0};
}

void hear_status(struct caller *caller, int status) {
    struct heard heard = hear(caller);
    ck_assert_msg(heard.status == status, "%d was wanted, and this came: %s\n%s", status, heard.head, heard.body);
    heard_free(&heard);
}

const char *heard_header(const struct heard *heard, const char *name) {
    static char value[256];
    size_t size = strlen(name);
    for (const char *line = strstr(heard->head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, size) != 0 || line[size] != ':')
            continue;
        line += size + 1;
        line += strspn(line, " ");
        snprintf(value, sizeof value, "%.*s", (int)strcspn(line, "\r"), line);
        return value;
    }
    return NULL;
}

void hear_end(struct caller *caller) {
    while (listen_on(caller))
        ;
    ck_assert_msg(caller->size == 0, "no more was wanted, and this came: %s", caller->heard);
}

/* ---- both */

struct heard ask(uint16_t port, const char *method, const char *path, const char *headers, const void *body,
                 size_t size) {
    struct caller caller = call(port);
    char *head;
    require(asprintf(&head, "%s %s HTTP/1.1\r\nHost: test\r\nContent-Length: %zu\r\n%s\r\n", method, path, size,
                     headers) > 0);
    say_request(&caller, head, body, size);
    free(head);
    struct heard heard = strcmp(method, "HEAD") == 0 ? hear_head(&caller) : hear(&caller);
    hang_up(&caller);
    return heard;
}

void ask_status(uint16_t port, const char *request, int status) {
    struct caller caller = call(port);
    say(&caller, "%s", request);
    hear_status(&caller, status);
    hang_up(&caller);
}
