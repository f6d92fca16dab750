/* response.c: the status line, the headers that matter, and when the body is complete. */
#include "response.h"

#include <string.h>
#include <strings.h>

#include "cursor.h"

static int bad(struct response *response, const char *fault) {
    response->fault = fault;
    return -1;
}

/* A number of only digits, as the protocol has it: no sign, no space, no fraction. */
static bool digits(struct slice text, size_t most, size_t *number) {
    size_t value = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
        size_t digit = (size_t)(text.bytes[i] - '0');
        if (value > (most - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *number = value;
    return text.length > 0;
}

static bool is_space(char character) {
    return character == ' ' || character == '\t';
}

static struct slice trimmed(const char *begin, const char *end) {
    while (begin < end && is_space(*begin))
        begin++;
    while (end > begin && is_space(end[-1]))
        end--;
    return (struct slice){begin, (size_t)(end - begin)};
}

static bool same_word(struct slice slice, const char *word) {
    return slice.length == strlen(word) && strncasecmp(slice.bytes, word, slice.length) == 0;
}

/* Whether a list with commas, as of Connection, has the word. */
static bool lists(struct slice list, const char *word) {
    const char *at = list.bytes, *end = at + list.length;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        if (comma == NULL)
            comma = end;
        if (same_word(trimmed(at, comma), word))
            return true;
        at = comma + (comma < end);
    }
    return false;
}

/* "HTTP/1.1 200 OK"; the words after the number may be missing. */
static int read_status(struct response *response, const char *line, size_t length) {
    size_t status;
    if (length < 12 || memcmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || line[8] != ' ' ||
        !digits((struct slice){line + 9, 3}, 599, &status) || status < 100 || (length > 12 && line[12] != ' '))
        return bad(response, "no HTTP/1.1 status line");
    response->status = (int)status;
    response->close = line[7] == '0';
    return 0;
}

static int read_length(struct response *response, struct slice value) {
    size_t length;
    if (!digits(value, SIZE_MAX / 2, &length))
        return bad(response, "a Content-Length that is no number");
    if (response->has_length && response->length != length)
        return bad(response, "two Content-Lengths");
    response->has_length = true;
    response->length = length;
    return 0;
}

static int read_header(struct response *response, const char *line, const char *end) {
    const char *colon = memchr(line, ':', (size_t)(end - line));
    if (colon == NULL || colon == line || is_space(line[0]) || is_space(colon[-1]))
        return bad(response, "a header line without a name");
    struct slice name = {line, (size_t)(colon - line)}, value = trimmed(colon + 1, end);
    size_t number;
    if (same_word(name, "Content-Length"))
        return read_length(response, value);
    if (same_word(name, "Transfer-Encoding"))
        return bad(response, "a Transfer-Encoding, which this client does not read");
    if (same_word(name, "Inference-Header-Content-Length")) {
        response->has_json = true;
        if (!digits(value, SIZE_MAX / 2, &response->json))
            return bad(response, "an Inference-Header-Content-Length that is no number");
    } else if (same_word(name, "Connection")) {
        response->close = lists(value, "close") || (response->close && !lists(value, "keep-alive"));
    } else if (same_word(name, "Retry-After") && digits(value, UINT32_MAX, &number)) {
        response->has_retry = true;
        response->retry_after = (uint32_t)number;
    }
    return 0;
}

static int read_head(struct response *response, const char *bytes) {
    const char *line = bytes + response->begin, *end = bytes + response->head;
    for (bool first = true;; first = false) {
        const char *stop = memchr(line, '\n', (size_t)(end - line)), *next = stop + 1;
        if (stop > line && stop[-1] == '\r')
            stop--;
        if (stop == line)
            return first ? bad(response, "no HTTP/1.1 status line") : 0;
        int result = first ? read_status(response, line, (size_t)(stop - line)) : read_header(response, line, stop);
        if (result != 0)
            return result;
        line = next;
    }
}

/* Finds the empty line, from where the last look ended: a byte a time costs no more than all at once. */
static bool find_head(struct response *response, const char *bytes, size_t length) {
    for (size_t i = response->seen; i < length; i++) {
        const char *newline = memchr(bytes + i, '\n', length - i);
        if (newline == NULL)
            break;
        i = (size_t)(newline - bytes);
        if ((i >= response->begin + 1 && bytes[i - 1] == '\n') ||
            (i >= response->begin + 2 && bytes[i - 1] == '\r' && bytes[i - 2] == '\n')) {
            response->head = i + 1;
            return true;
        }
    }
    response->seen = length;
    return false;
}

/* What can be seen to be no response before its head is complete. */
static int look_at_beginning(struct response *response, const char *bytes, size_t length) {
    static const char BEGINNING[] = "HTTP/1.";
    size_t some = length - response->begin < 7 ? length - response->begin : 7;
    if (memcmp(bytes + response->begin, BEGINNING, some) != 0)
        return bad(response, "no HTTP/1.1 status line");
    if (length - response->begin > RESPONSE_HEAD)
        return bad(response, "headers of more than 16 KB");
    return 0;
}

static int check_head(struct response *response, size_t most) {
    if (response->head - response->begin > RESPONSE_HEAD)
        return bad(response, "headers of more than 16 KB");
    if (response->status == 204 || response->status == 304)
        response->length = 0;
    else if (!response->has_length)
        return bad(response, "no Content-Length");
    if (response->length > most)
        return bad(response, "a body larger than any answer");
    if (!response->has_json)
        response->json = response->length;
    else if (response->json > response->length)
        return bad(response, "an Inference-Header-Content-Length beyond the body");
    return 0;
}

/* Back to the beginning, behind the response of 1xx that has been read. */
static int skip_informational(struct response *response) {
    if (response->informational == RESPONSE_INFORMATIONAL || response->status == 101)
        return bad(response, "a status of 1xx instead of an answer");
    *response = (struct response){
        .begin = response->head, .seen = response->head, .informational = response->informational + 1};
    return 0;
}

int response_read(struct response *response, const char *bytes, size_t length, size_t most) {
    while (response->head == 0) {
        if (!find_head(response, bytes, length))
            return look_at_beginning(response, bytes, length);
        if (read_head(response, bytes) != 0)
            return -1;
        if (response->status < 200) {
            if (skip_informational(response) != 0)
                return -1;
        } else if (check_head(response, most) != 0) {
            return -1;
        }
    }
    return length - response->head >= response->length;
}

size_t response_end(const struct response *response) {
    return response->head + response->length;
}
