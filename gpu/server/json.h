/* json.h: JSON read token by token, out of pieces of any size: a strict pull parser that needs no memory of its own. */
#ifndef GPU_JSON_H
#define GPU_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How deep arrays and objects may lie in each other; and the longest key, string or number, with its quotes. */
enum { JSON_DEPTH = 64, JSON_TOKEN = 4000 };

/* Not named after JSON, as jansson's are. */
enum token_kind {
    TOKEN_MORE, /* what is there ends within a token: come again with the rest of the text, and more behind it */
    TOKEN_BAD,  /* it is no JSON: json.reason says why, and the text points to where */
    TOKEN_END,  /* there was one value, and there is nothing behind it */
    TOKEN_OBJECT,
    TOKEN_OBJECT_END,
    TOKEN_ARRAY,
    TOKEN_ARRAY_END,
    TOKEN_KEY,
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_TRUE,
    TOKEN_FALSE,
    TOKEN_NULL,
};

/* What a key, a string (without its quotes) or a number is made of; it lies in the text that was read. */
struct json_token {
    enum token_kind kind;
    bool escaped; /* there is a '\' in it */
    const char *text;
    size_t size;
};

/* Where a reader is between two tokens. */
struct json {
    uint64_t objects; /* a bit for each level: object or array */
    unsigned depth;
    int expects; /* json.c's own */
    const char *reason;
};

void json_begin(struct json *json);

/*
 * Reads the next token from *text, which goes forward to what comes after it; commas and colons are checked and passed
 * over. RFC 8259 to the letter: UTF-8 is checked, and so are escapes; half of a surrogate pair is none. `last` says
 * that nothing comes behind `end`. After TOKEN_BAD it must not be called again. Tokens and errors are the same however
 * the text is cut; of a token that is cut less than JSON_TOKEN + 16 bytes are there.
 */
enum token_kind json_next(struct json *json, const char **text, const char *end, bool last, struct json_token *token);

/* Whether a key or a string is this text, once its escapes are resolved. */
bool json_is(const struct json_token *token, const char *text, size_t size);

/*
 * Stores a key or a string with its escapes resolved, as UTF-8 with a NUL behind it, cut to whole characters where it
 * is too long. Returns the size of all of it: `room` and more mean that it was cut.
 */
size_t json_text(const struct json_token *token, char *text, size_t room);

/* Stores a number that is whole, not negative and has no fraction or exponent: true; any other: false. */
bool json_whole(const struct json_token *token, uint64_t *value);

/* How many bytes the UTF-8 character at `text` has: 1 to 4; 0: it is none; -1: it goes on behind `end`. */
int utf8_size(const char *text, const char *end);

/* The same of an escape, from its backslash on: 2, 6, or 12 for a pair of surrogates; 0; -1. */
int json_escape_size(const char *text, const char *end);

#endif
