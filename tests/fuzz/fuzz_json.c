/* fuzz_json.c: any bytes as JSON: the first says how the others are cut, which must make no difference. */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "json_write.h"
#include "numbers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
    uint64_t sum; /* of all tokens: FNV-1a */
    size_t taken;
    const char *reason;
};

static void add(struct reading *reading, const void *data, size_t size) {
    for (size_t i = 0; i < size; i++)
        reading->sum = (reading->sum ^ ((const unsigned char *)data)[i]) * UINT64_C(1099511628211);
}

/* What is written must be what is read. */
static void write_back(const char *text) {
    struct json_writer writer;
    struct json json;
    struct json_token token;
    write_begin(&writer, 1);
    write_string(&writer, text);
    if (writer.data == NULL)
        abort();
    const char *at = writer.data;
    json_begin(&json);
    if (json_next(&json, &at, at + writer.size, true, &token) != TOKEN_STRING || !json_is(&token, text, strlen(text)))
        abort();
    free(writer.data);
}

static void take(struct reading *reading, const struct json_token *token) {
    char text[JSON_TOKEN];
    uint64_t whole = 0;
    add(reading, &token->kind, sizeof token->kind);
    if (token->kind == TOKEN_NUMBER) {
        float value = number_read(token->text, token->size);
        add(reading, &value, sizeof value);
        add(reading, &whole, json_whole(token, &whole) ? sizeof whole : 0);
    } else if (token->kind == TOKEN_KEY || token->kind == TOKEN_STRING) {
        size_t size = json_text(token, text, sizeof text);
        if (size >= sizeof text || !json_is(token, text, size))
            abort();
        add(reading, text, size);
        write_back(text);
    }
}

static struct reading read_cut(const char *text, size_t size, size_t step) {
    struct reading reading = {.sum = UINT64_C(14695981039346656037)};
    struct json json;
    struct json_token token;
    json_begin(&json);
    for (size_t there = step < size ? step : size;; there = there + step < size ? there + step : size) {
        /* Of this size and no more, for a sanitizer to see each byte beyond. */
        size_t left = there - reading.taken;
        char *piece = malloc(left > 0 ? left : 1);
        if (piece == NULL)
            abort();
        memcpy(piece, text + reading.taken, left);
        const char *at = piece;
        enum token_kind kind;
        while ((kind = json_next(&json, &at, piece + left, there == size, &token)) > TOKEN_END)
            take(&reading, &token);
        reading.taken += (size_t)(at - piece);
        free(piece);
        if (kind == TOKEN_MORE && (there == size || there - reading.taken >= JSON_TOKEN + 16))
            abort();
        reading.reason = kind == TOKEN_BAD ? json.reason : NULL;
        if (kind != TOKEN_MORE)
            return reading;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    struct reading whole = read_cut(text, size - 1, size), cut = read_cut(text, size - 1, 1 + data[0]);
    if (whole.sum != cut.sum || whole.taken != cut.taken || whole.reason != cut.reason)
        abort();
    return 0;
}
