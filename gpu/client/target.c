/* target.c: finding the server, and asking what its model is. */
#include "target.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "cursor.h"

enum { LONGEST_ANSWER = 1 << 20, PATH_SIZE = 4 * TARGET_NAME };

/* Splits "HOST:PORT", "[HOST]:PORT" and "HOST"; host has TARGET_HOST bytes, port has 8. */
static bool split(const char *begin, const char *end, char *host, char *port) {
    bool bracket = *begin == '[';
    const char *stop = bracket ? memchr(begin, ']', (size_t)(end - begin)) : memchr(begin, ':', (size_t)(end - begin));
    if (bracket && stop == NULL)
        return false;
    if (stop == NULL)
        stop = end;
    const char *rest = bracket ? stop + 1 : stop;
    begin += bracket;
    if (stop == begin || stop - begin >= TARGET_HOST || (rest < end && *rest != ':') || end - rest > 6)
        return false;
    memcpy(host, begin, (size_t)(stop - begin));
    host[stop - begin] = 0;
    strcpy(port, "80");
    if (rest < end) {
        memcpy(port, rest + 1, (size_t)(end - rest - 1));
        port[end - rest - 1] = 0;
    }
    return *port != 0 && strspn(port, "0123456789") == strlen(port) && atoi(port) > 0 && atoi(port) < 65536 &&
           strpbrk(host, " \t\r\n@") == NULL;
}

int target_parse(struct target *target, const char *url, struct failure *failure) {
    char host[TARGET_HOST], port[8];
    static const char SCHEME[] = "http://";
    *target = (struct target){0};
    const char *begin = url + strlen(SCHEME), *end = url + strlen(url);
    if (strncmp(url, SCHEME, strlen(SCHEME)) != 0)
        return fail(failure, -EINVAL, "%.200s: not an address such as http://127.0.0.1:8000", url);
    if (end > begin && end[-1] == '/')
        end--;
    if (end == begin || !split(begin, end, host, port))
        return fail(failure, -EINVAL, "%.200s: not an address such as http://127.0.0.1:8000", url);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found;
    int error = getaddrinfo(host, port, &hints, &found);
    if (error != 0)
        return fail(failure, -ENOENT, "%s: %s; give an address that this machine knows", host, gai_strerror(error));
    memcpy(&target->address, found->ai_addr, found->ai_addrlen);
    target->address_size = found->ai_addrlen;
    freeaddrinfo(found);
    snprintf(target->host, sizeof target->host, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
    return 0;
}

/* Runs the connection until its answer is complete. */
static int await(struct connection *connection, double until) {
    for (;;) {
        int result = connection_ready(connection);
        if (result != 0)
            return result;
        double left = until - at_now();
        if (left <= 0)
            return -ETIMEDOUT;
        bool sending = connection->state == CONNECTION_CONNECTING || connection->left > 0;
        struct pollfd wait = {.fd = connection->fd, .events = (short)(POLLIN | (sending ? POLLOUT : 0))};
        poll(&wait, 1, left > 1e6 ? 1000000000 : (int)ceil(left * 1000));
    }
}

static int explain(const struct target *target, const char *path, int code, const char *fault,
                   struct failure *failure) {
    if (code == -EBADMSG)
        return fail(failure, code, "%s%s: the server's answer: %s; is it an inference server?", target->host, path,
                    fault);
    return fail(failure, code, "%s%s: %s; is the server running there?", target->host, path, at_strerror(code));
}

int target_get(const struct target *target, const char *path, double seconds, char **body, struct failure *failure) {
    char request[1024];
    struct connection connection;
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path,
                          target->host);
    if (length >= (int)sizeof request)
        return fail(failure, -EINVAL, "%.200s...: a path of more than %zu bytes", path, sizeof request);
    connection_init(&connection, LONGEST_ANSWER);
    int result =
        connection_open(&connection, (const struct sockaddr *)&target->address, target->address_size, -1, NULL);
    if (result == 0)
        result = connection_send(&connection, request, (size_t)length);
    if (result == 0)
        result = await(&connection, at_now() + seconds);
    if (result < 0) {
        explain(target, path, result, connection.response.fault, failure);
    } else {
        const struct response *response = &connection.response;
        result = response->status;
        if (body != NULL && (*body = strndup(connection.received + response->head, response->length)) == NULL)
            result = fail(failure, -ENOMEM, "%s%s: no memory for the answer", target->host, path);
    }
    connection_free(&connection);
    return result;
}

void target_model_path(const struct target *target, char *path, size_t size) {
    size_t length = 0;
    for (const char *at = target->model; *at != 0 && length + 4 < size; at++) {
        if (isalnum((unsigned char)*at) || strchr("-._~", *at) != NULL)
            path[length++] = *at;
        else
            length += (size_t)snprintf(path + length, size - length, "%%%02X", (unsigned)(unsigned char)*at);
    }
    path[length] = 0;
}

/* A name that can stand in JSON and in a header as it is. */
static bool store_name(char name[TARGET_NAME], struct slice text) {
    if (text.length == 0 || text.length >= TARGET_NAME)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] < ' ' || text.bytes[i] > '~' || text.bytes[i] == '"' || text.bytes[i] == '\\')
            return false;
    memcpy(name, text.bytes, text.length);
    name[text.length] = 0;
    return true;
}

/* [-1, N] */
static bool read_shape(struct cursor *cursor, uint32_t *numbers) {
    double rows;
    unsigned long count;
    if (!cursor_take(cursor, '[') || !cursor_number(cursor, &rows) || !cursor_take(cursor, ',') ||
        !cursor_whole(cursor, UINT32_MAX, &count) || !cursor_take(cursor, ']'))
        return false;
    *numbers = (uint32_t)count;
    return rows < 0 && count > 0;
}

/* [{"name": ..., "datatype": "FP32", "shape": [-1, N]}], just one. */
static bool read_tensor(struct cursor *cursor, char name[TARGET_NAME], uint32_t *numbers) {
    bool first = true, ok;
    struct slice key, text;
    *numbers = 0;
    *name = 0;
    if (!cursor_take(cursor, '[') || !cursor_take(cursor, '{'))
        return false;
    while (cursor_member(cursor, &first, &key, &ok)) {
        bool fits = slice_is(key, "name")       ? cursor_string(cursor, &text) && store_name(name, text)
                    : slice_is(key, "datatype") ? cursor_string(cursor, &text) && slice_is(text, "FP32")
                    : slice_is(key, "shape")    ? read_shape(cursor, numbers)
                                                : cursor_skip(cursor);
        if (!fits)
            return false;
    }
    return ok && cursor_take(cursor, ']') && *numbers > 0 && *name != 0;
}

static int read_description(struct target *target, const char *text, struct failure *failure) {
    struct cursor cursor = {text, text + strlen(text)};
    bool first = true, ok = true;
    struct slice key;
    if (!cursor_take(&cursor, '{'))
        return fail(failure, -EBADMSG, "%s: what the server says of the model %s is no JSON object", target->host,
                    target->model);
    while (cursor_member(&cursor, &first, &key, &ok)) {
        bool fits = slice_is(key, "inputs")    ? read_tensor(&cursor, target->input, &target->inputs)
                    : slice_is(key, "outputs") ? read_tensor(&cursor, target->output, &target->outputs)
                                               : cursor_skip(&cursor);
        if (!fits)
            return fail(
                failure, -ENOTSUP,
                "%s: the model %s: its \"%.*s\" are not one FP32 tensor of the shape [-1, N]; choose another model",
                target->host, target->model, (int)(key.length < 40 ? key.length : 40), key.bytes);
    }
    if (!ok || target->inputs == 0 || target->outputs == 0)
        return fail(failure, -EBADMSG, "%s: what the server says of the model %s is not understood", target->host,
                    target->model);
    return 0;
}

int target_describe(struct target *target, const char *model, double seconds, struct failure *failure) {
    char name[PATH_SIZE], path[PATH_SIZE + 32], *body = NULL;
    if (!store_name(target->model, (struct slice){model, strlen(model)}))
        return fail(failure, -EINVAL, "%.80s: not the name of a model: 1 to %d printable characters, no quotes", model,
                    TARGET_NAME - 1);
    target_model_path(target, name, sizeof name);
    snprintf(path, sizeof path, "/v2/models/%s", name);
    int status = target_get(target, path, seconds, &body, failure);
    if (status < 0)
        return status;
    int result = status == 200   ? read_description(target, body, failure)
                 : status == 404 ? fail(failure, -ENOENT, "%s: no model %s there: %.200s", target->host, model, body)
                                 : fail(failure, -EBADMSG, "%s%s: status %d: %.200s", target->host, path, status, body);
    free(body);
    return result;
}
