/* json.c: a strict reader of JSON: one token at a time, and between two tokens nothing but where it is. */
#include "json.h"

#include <string.h>

/* What may come next. */
enum expects { VALUE, FIRST_VALUE, KEY, FIRST_KEY, COLON, COMMA, NOTHING };

void json_begin(struct json *json) {
    *json = (struct json){.expects = VALUE};
}

static enum token_kind bad(struct json *json, const char *reason) {
    json->reason = reason;
    return TOKEN_BAD;
}

/* The text ends within a token. */
static enum token_kind cut(struct json *json, bool last) {
    return last ? bad(json, "it ends too early") : TOKEN_MORE;
}

static const char TOO_LONG[] = "a text or a number is too long here";

/* ---- strings, numbers and words */

/* A key or a string, at *text behind its first quote. */
static enum token_kind read_string(struct json *json, const char **text, const char *end, bool last,
                                   struct json_token *token) {
    const char *at = *text;
    token->text = at;
    token->escaped = false;
    for (;;) {
        const char *limit = end - *text > JSON_TOKEN - 1 ? *text + JSON_TOKEN - 1 : end;
        while (at < limit && (signed char)*at >= ' ' && *at != '"' && *at != '\\') /* beyond ASCII is below 0 */
            at++;
        if (at - *text >= JSON_TOKEN - 1)
            return bad(json, TOO_LONG);
        if (at == end)
            return cut(json, last);
        if (*at == '"')
            break;
        bool control = (unsigned char)*at < ' ';
        int size = *at == '\\' ? json_escape_size(at, end) : control ? 0 : utf8_size(at, end);
        if (size < 0)
            return cut(json, last);
        if (size == 0) {
            *text = at;
            return bad(json, *at == '\\' ? "this is no escape"
                             : control   ? "a control character within a text must be escaped"
                                         : "this is no UTF-8");
        }
        token->escaped = token->escaped || *at == '\\';
        at += size;
    }
    token->size = (size_t)(at - token->text);
    *text = at + 1;
    return token->kind;
}

static const char *skip_digits(const char *at, const char *end) {
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

static enum token_kind read_number(struct json *json, const char **text, const char *end, bool last,
                                   struct json_token *token) {
    const char *whole = *text + (**text == '-'), *at = skip_digits(whole, end), *part = whole;
    bool leading_zero = at - whole > 1 && *whole == '0';
    if (at < end && *at == '.' && at > part)
        at = skip_digits(part = at + 1, end);
    if (at < end && (*at == 'e' || *at == 'E') && at > part) {
        part = at + 1;
        if (part < end && (*part == '+' || *part == '-'))
            part++;
        at = skip_digits(part, end);
    }
    if (at - *text > JSON_TOKEN)
        return bad(json, TOO_LONG);
    if (at == end && (!last || at == part))
        return cut(json, last);
    if (at == part || leading_zero) {
        *text = at;
        return bad(json, leading_zero ? "a number does not begin with 0 and another digit" : "a digit is missing here");
    }
    *token = (struct json_token){.kind = TOKEN_NUMBER, .text = *text, .size = (size_t)(at - *text)};
    *text = at;
    return TOKEN_NUMBER;
}

bool json_whole(const struct json_token *token, uint64_t *value) {
    uint64_t whole = 0;
    for (size_t i = 0; token->kind == TOKEN_NUMBER && i < token->size; i++) {
        char character = token->text[i];
        if (character < '0' || character > '9' || __builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, (uint64_t)(character - '0'), &whole))
            return false;
    }
    *value = whole;
    return token->kind == TOKEN_NUMBER;
}

static enum token_kind read_word(struct json *json, const char **text, const char *end, bool last, const char *word,
                                 enum token_kind kind) {
    size_t size = strlen(word), there = (size_t)(end - *text);
    if (memcmp(*text, word, there < size ? there : size) != 0)
        return bad(json, "this is no value");
    if (there < size)
        return cut(json, last);
    *text += size;
    return kind;
}

/* ---- the order of tokens */

static enum token_kind open_level(struct json *json, enum token_kind kind) {
    if (json->depth == JSON_DEPTH)
        return bad(json, "arrays and objects lie too deep in each other");
    json->objects = json->objects << 1 | (kind == TOKEN_OBJECT);
    json->depth++;
    json->expects = kind == TOKEN_OBJECT ? FIRST_KEY : FIRST_VALUE;
    return kind;
}

static enum token_kind close_level(struct json *json) {
    enum token_kind kind = json->objects & 1 ? TOKEN_OBJECT_END : TOKEN_ARRAY_END;
    json->objects >>= 1;
    json->expects = --json->depth > 0 ? COMMA : NOTHING;
    return kind;
}

static enum token_kind read_value(struct json *json, const char **text, const char *end, bool last,
                                  struct json_token *token) {
    char first = **text;
    if (first == '-' || (first >= '0' && first <= '9'))
        return read_number(json, text, end, last, token);
    if (first == '"') {
        const char *at = *text + 1;
        token->kind = TOKEN_STRING;
        enum token_kind kind = read_string(json, &at, end, last, token);
        *text = kind == TOKEN_MORE ? *text : at;
        return kind;
    }
    return first == 't'   ? read_word(json, text, end, last, "true", TOKEN_TRUE)
           : first == 'f' ? read_word(json, text, end, last, "false", TOKEN_FALSE)
                          : read_word(json, text, end, last, "null", TOKEN_NULL);
}

static enum token_kind read_key(struct json *json, const char **text, const char *end, bool last,
                                struct json_token *token) {
    if (**text != '"')
        return bad(json, "a member's name is missing here");
    const char *at = *text + 1;
    token->kind = TOKEN_KEY;
    enum token_kind kind = read_string(json, &at, end, last, token);
    *text = kind == TOKEN_MORE ? *text : at;
    json->expects = kind == TOKEN_KEY ? COLON : json->expects;
    return kind;
}

/* Passes over white space, and the comma or colon that is due. */
static bool skip_between(struct json *json, const char **text, const char *end) {
    const char *at = *text;
    for (; at < end; at++) {
        if (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
            continue;
        if (*at == ',' && json->expects == COMMA)
            json->expects = json->objects & 1 ? KEY : VALUE;
        else if (*at == ':' && json->expects == COLON)
            json->expects = VALUE;
        else
            break;
    }
    *text = at;
    return at < end;
}

static enum token_kind next(struct json *json, const char **text, const char *end, bool last,
                            struct json_token *token) {
    if (!skip_between(json, text, end))
        return json->expects == NOTHING && last ? TOKEN_END : cut(json, last);
    char first = **text;
    enum expects expects = (enum expects)json->expects;
    if (expects == NOTHING)
        return bad(json, "there is something behind its end");
    if (expects == COLON)
        return bad(json, "a colon is missing here");
    bool may_close = expects == COMMA || expects == FIRST_VALUE || expects == FIRST_KEY;
    if (may_close && first == (json->objects & 1 ? '}' : ']')) {
        ++*text;
        return close_level(json);
    }
    if (expects == COMMA)
        return bad(json, "a comma or the end of the array or object is missing here");
    if (expects == KEY || expects == FIRST_KEY)
        return read_key(json, text, end, last, token);
    if (first == '{' || first == '[') {
        ++*text;
        return open_level(json, first == '{' ? TOKEN_OBJECT : TOKEN_ARRAY);
    }
    enum token_kind kind = read_value(json, text, end, last, token);
    if (kind >= TOKEN_STRING)
        json->expects = json->depth > 0 ? COMMA : NOTHING;
    return kind;
}

enum token_kind json_next(struct json *json, const char **text, const char *end, bool last, struct json_token *token) {
    return token->kind = next(json, text, end, last, token);
}
