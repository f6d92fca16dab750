/* cursor.c: a reader of JSON for answers, which are short and read by the ten thousand a second. */
#include "cursor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 32, LONGEST_NUMBER = 63 };

bool slice_is(struct slice slice, const char *text) {
    return slice.length == strlen(text) && memcmp(slice.bytes, text, slice.length) == 0;
}

static void skip_space(struct cursor *cursor) {
    while (cursor->at < cursor->end &&
           (*cursor->at == ' ' || *cursor->at == '\n' || *cursor->at == '\r' || *cursor->at == '\t'))
        cursor->at++;
}

bool cursor_at_end(struct cursor *cursor) {
    skip_space(cursor);
    return cursor->at == cursor->end;
}

bool cursor_take(struct cursor *cursor, char character) {
    skip_space(cursor);
    if (cursor->at == cursor->end || *cursor->at != character)
        return false;
    cursor->at++;
    return true;
}

bool cursor_string(struct cursor *cursor, struct slice *string) {
    if (!cursor_take(cursor, '"'))
        return false;
    const char *begin = cursor->at;
    for (; cursor->at < cursor->end; cursor->at++) {
        if (*cursor->at == '"') {
            *string = (struct slice){begin, (size_t)(cursor->at++ - begin)};
            return true;
        }
        if ((unsigned char)*cursor->at < ' ')
            return false;
        if (*cursor->at == '\\' && ++cursor->at == cursor->end)
            return false;
    }
    return false;
}

static bool in_number(char character) {
    return (character >= '0' && character <= '9') || character == '-' || character == '+' || character == '.' ||
           character == 'e' || character == 'E';
}

bool cursor_number(struct cursor *cursor, double *number) {
    char text[LONGEST_NUMBER + 1], *end;
    size_t length = 0;
    skip_space(cursor);
    while (length < LONGEST_NUMBER && cursor->at + length < cursor->end && in_number(cursor->at[length]))
        length++;
    if (length == 0 || *cursor->at == '+' || *cursor->at == '.')
        return false;
    memcpy(text, cursor->at, length);
    text[length] = 0;
    *number = strtod(text, &end);
    cursor->at += length;
    return *end == 0 && isfinite(*number);
}

bool cursor_whole(struct cursor *cursor, unsigned long most, unsigned long *number) {
    skip_space(cursor);
    const char *begin = cursor->at;
    unsigned long value = 0;
    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
        unsigned long digit = (unsigned long)(*cursor->at - '0');
        if (value > (most - digit) / 10 || digit > most)
            return false;
        value = value * 10 + digit;
    }
    *number = value;
    return cursor->at > begin && (cursor->at == cursor->end || !in_number(*cursor->at));
}

static bool take_word(struct cursor *cursor, const char *word) {
    size_t length = strlen(word);
    skip_space(cursor);
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

bool cursor_boolean(struct cursor *cursor, bool *value) {
    *value = take_word(cursor, "true");
    return *value || take_word(cursor, "false");
}

static bool skip_scalar(struct cursor *cursor) {
    struct slice string;
    double number;
    skip_space(cursor);
    if (cursor->at == cursor->end)
        return false;
    switch (*cursor->at) {
    case '"':
        return cursor_string(cursor, &string);
    case 't':
        return take_word(cursor, "true");
    case 'f':
        return take_word(cursor, "false");
    case 'n':
        return take_word(cursor, "null");
    default:
        return cursor_number(cursor, &number);
    }
}

bool cursor_element(struct cursor *cursor, bool *first, bool *ok) {
    *ok = true;
    if (cursor_take(cursor, ']'))
        return false;
    *ok = *first || cursor_take(cursor, ',');
    *first = false;
    return *ok;
}

bool cursor_member(struct cursor *cursor, bool *first, struct slice *key, bool *ok) {
    *ok = true;
    if (cursor_take(cursor, '}'))
        return false;
    *ok = (*first || cursor_take(cursor, ',')) && cursor_string(cursor, key) && cursor_take(cursor, ':');
    *first = false;
    return *ok;
}

/* The brackets that are open lie on a stack of bits: 1 is an object. */
bool cursor_skip(struct cursor *cursor) {
    unsigned long long objects = 0;
    bool first = true, ok = true;
    struct slice key;
    for (int depth = 0;;) {
        if (cursor_take(cursor, '{') || cursor_take(cursor, '[')) {
            if (++depth > DEEPEST)
                return false;
            objects = objects << 1 | (cursor->at[-1] == '{');
            first = true;
        } else if (!skip_scalar(cursor)) {
            return false;
        }
        while (depth > 0 &&
               !(objects & 1 ? cursor_member(cursor, &first, &key, &ok) : cursor_element(cursor, &first, &ok))) {
            if (!ok)
                return false;
            depth--;
            objects >>= 1;
            first = false;
        }
        if (depth == 0)
            return true;
    }
}
