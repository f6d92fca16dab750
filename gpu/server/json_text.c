/* json_text.c: what a JSON string is made of: UTF-8 and escapes, checked and resolved. */
#include "json.h"

#include <string.h>

int utf8_size(const char *text, const char *end) {
    const unsigned char *byte = (const unsigned char *)text;
    int size = *byte < 0x80 ? 1 : *byte < 0xc2 ? 0 : *byte < 0xe0 ? 2 : *byte < 0xf0 ? 3 : *byte < 0xf5 ? 4 : 0;
    if (size < 2)
        return size;
    /* No longer form than needed, no surrogates, nothing beyond U+10FFFF: the second byte tells. */
    unsigned least = *byte == 0xe0 ? 0xa0 : *byte == 0xf0 ? 0x90 : 0x80;
    unsigned most = *byte == 0xed ? 0x9f : *byte == 0xf4 ? 0x8f : 0xbf;
    for (int i = 1; i < size; i++) {
        if (text + i == end)
            return -1;
        if (byte[i] < (i == 1 ? least : 0x80) || byte[i] > (i == 1 ? most : 0xbf))
            return 0;
    }
    return size;
}

static int hexadecimal(char character) {
    return character >= '0' && character <= '9'   ? character - '0'
           : character >= 'a' && character <= 'f' ? character - 'a' + 10
           : character >= 'A' && character <= 'F' ? character - 'A' + 10
                                                  : -1;
}

/* The four digits behind a \u, which have been checked. */
static int32_t code_unit(const char *text) {
    int32_t unit = 0;
    for (int i = 0; i < 4; i++)
        unit = unit * 16 + hexadecimal(text[i]);
    return unit;
}

static bool high_surrogate(int32_t unit) {
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool low_surrogate(int32_t unit) {
    return unit >= 0xdc00 && unit < 0xe000;
}

int json_escape_size(const char *text, const char *end) {
    if (end - text < 2)
        return -1;
    if (text[1] != 'u')
        return text[1] != '\0' && strchr("\"\\/bfnrt", text[1]) != NULL ? 2 : 0;
    for (int i = 2; i < 6; i++)
        if (text + i == end)
            return -1;
        else if (hexadecimal(text[i]) < 0)
            return 0;
    int32_t unit = code_unit(text + 2);
    if (!high_surrogate(unit))
        return low_surrogate(unit) ? 0 : 6;
    for (int i = 6; i < 12; i++)
        if (text + i == end)
            return -1;
        else if (i < 8 ? text[i] != "\\u"[i - 6] : hexadecimal(text[i]) < 0)
            return 0;
    return low_surrogate(code_unit(text + 8)) ? 12 : 0;
}

/* One character of a string that has been checked, escaped or not, as UTF-8; returns its size. */
static size_t resolve(const char **text, const char *end, char character[4]) {
    static const char NAMES[] = "\"\\/bfnrt", MEANT[] = "\"\\/\b\f\n\r\t";
    const char *at = *text;
    if (*at != '\\') {
        int size = utf8_size(at, end);
        memcpy(character, at, (size_t)size);
        *text += size;
        return (size_t)size;
    }
    if (at[1] != 'u') {
        character[0] = MEANT[strchr(NAMES, at[1]) - NAMES];
        *text += 2;
        return 1;
    }
    int32_t code = code_unit(at + 2);
    *text += high_surrogate(code) ? 12 : 6;
    if (high_surrogate(code))
        code = 0x10000 + (code - 0xd800) * 0x400 + (code_unit(at + 8) - 0xdc00);
    if (code < 0x80) {
        character[0] = (char)code;
        return 1;
    }
    size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, code >>= 6)
        character[i] = (char)(0x80 | (code & 0x3f));
    character[0] = (char)((size == 2 ? 0xc0 : size == 3 ? 0xe0 : 0xf0) | code);
    return size;
}

bool json_is(const struct json_token *token, const char *text, size_t size) {
    if (!token->escaped)
        return token->size == size && memcmp(token->text, text, size) == 0;
    const char *at = token->text, *end = token->text + token->size, *expected = text;
    while (at < end) {
        char character[4];
        size_t length = resolve(&at, end, character);
        if ((size_t)(text + size - expected) < length || memcmp(expected, character, length) != 0)
            return false;
        expected += length;
    }
    return expected == text + size;
}

size_t json_text(const struct json_token *token, char *text, size_t room) {
    const char *at = token->text, *end = token->text + token->size;
    size_t size = 0, kept = 0;
    while (at < end) {
        char character[4];
        size_t length = resolve(&at, end, character);
        if (kept == size && size + length < room) {
            memcpy(text + size, character, length);
            kept += length;
        }
        size += length;
    }
    if (room > 0)
        text[kept] = '\0';
    return size;
}
