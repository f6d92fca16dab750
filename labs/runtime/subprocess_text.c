/*
 * subprocess_text.c: between the bytes that programs exchange and text; see subprocess_internal.h.
 *
 * Text is UTF-8. What comes in UTF-8 is only checked, where it lies; all other encodings are left to iconv(3). What is
 * no text is treated as Python's decoders and encoders treat it, down to how many bytes make one U+FFFD.
 */
#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#include "subprocess_internal.h"

#define NO_CONVERTER ((iconv_t)-1) /* of iconv_open */
#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */
#define TAG "\xF3\xA0\x80\x81"     /* U+E0001 */

/* ---- which text */

static bool is_letter_or_digit(char character) {
    return (character >= '0' && character <= '9') || (character >= 'A' && character <= 'Z') ||
           (character >= 'a' && character <= 'z');
}

static int try_encoding(const char *name) {
    iconv_t converter = iconv_open("UTF-8", name);
    return converter == NO_CONVERTER ? -errno : iconv_close(converter);
}

/*
 * Finds the spelling of the name that iconv knows: 0 or a negative code. To iconv a '/' begins a wish, //TRANSLIT for
 * one; most other signs it reads over; and where no name is left it takes the locale's.
 */
static int find_encoding(const char *name, char spelling[ENCODING_SIZE]) {
    char dashed[ENCODING_SIZE] = "", plain[ENCODING_SIZE] = "";
    size_t length = strlen(name), plain_length = 0;
    if (length >= ENCODING_SIZE)
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        dashed[i] = name[i] == '_' ? '-' : name[i];
        if (is_letter_or_digit(name[i]))
            plain[plain_length++] = name[i];
        else if (strchr("-_.:", name[i]) == NULL)
            return -EINVAL;
    }
    if (strcasecmp(plain, "utf8") == 0 || strcasecmp(plain, "u8") == 0)
        return 0;
    const char *const spellings[] = {name, dashed, plain}; /* shift_jis, koi8_r, latin-1 */
    int error = -EINVAL;
    for (int i = 0; i < 3 && plain_length > 0 && error == -EINVAL; i++) {
        error = try_encoding(spellings[i]);
        strcpy(spelling, spellings[i]);
    }
    return error;
}

int text_choose(const at_subprocess_options *options, struct text *text, const char **option) {
    static const char *const ERRORS[] = {
        [TEXT_STRICT] = "strict", [TEXT_REPLACE] = "replace", [TEXT_IGNORE] = "ignore"};
    *text = (struct text){.errors = TEXT_STRICT};
    text->wanted = options->text || options->universal_newlines || options->encoding || options->errors;
    *option = "errors";
    while (options->errors && strcmp(options->errors, ERRORS[text->errors]) != 0)
        if (text->errors++ == TEXT_IGNORE)
            return -EINVAL;
    *option = "encoding";
    return options->encoding ? find_encoding(options->encoding, text->encoding) : 0;
}

/* ---- bytes that grow in number */

struct output {
    char *data; /* from malloc, or NULL */
    size_t size, room;
};

/* Makes room for so many more, and a NUL. */
static bool output_reserve(struct output *output, size_t more) {
    if (output->room - output->size > more)
        return true;
    size_t needed = output->size + more + 1;
    size_t room = needed > 2 * output->room ? needed : 2 * output->room;
    char *data = realloc(output->data, room);
    if (data == NULL)
        return false;
    output->data = data;
    output->room = room;
    return true;
}

static bool output_append(struct output *output, const char *data, size_t size) {
    if (!output_reserve(output, size))
        return false;
    memcpy(output->data + output->size, data, size);
    output->size += size;
    return true;
}

/* ---- UTF-8 */

/* Where in the data the first byte is that is not ASCII; its end without one. Sixteen bytes at a time. */
static inline size_t skip_ascii(const char *data, size_t size, size_t at) {
    for (; size - at >= 2 * sizeof(uint64_t); at += 2 * sizeof(uint64_t)) {
        uint64_t words[2];
        memcpy(words, data + at, sizeof words);
        if ((words[0] | words[1]) & 0x8080808080808080u)
            break;
    }
    while (at < size && (unsigned char)data[at] < 0x80)
        at++;
    return at;
}

/*
 * How many bytes the character has that begins here and is not ASCII; else minus how many are no text: as many as begin
 * a character, at least one, which is the "maximal subpart" of the Unicode Standard, 3.9, and makes one U+FFFD.
 */
static inline int examine(const char *data, size_t size) {
    const unsigned char *bytes = (const unsigned char *)data;
    int length = bytes[0] < 0xE0 ? 2 : bytes[0] < 0xF0 ? 3 : 4;
    if (bytes[0] < 0xC2 || bytes[0] > 0xF4)
        return -1;
    /* The second byte's range leaves out longer forms of smaller characters, surrogates, and what is above U+10FFFF. */
    unsigned char least = bytes[0] == 0xE0 ? 0xA0 : bytes[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char most = bytes[0] == 0xED ? 0x9F : bytes[0] == 0xF4 ? 0x8F : 0xBF;
    if (size < 2 || bytes[1] < least || bytes[1] > most)
        return -1;
    for (int i = 2; i < length; i++)
        if (size <= (size_t)i || (bytes[i] & 0xC0) != 0x80)
            return -i;
    return length;
}

/* The tags U+E0000 to U+E007F, which glibc's iconv drops without a word where an encoding has none. */
static bool is_tag(const char *character) {
    return memcmp(character, "\xF3\xA0\x80", 3) == 0 || memcmp(character, "\xF3\xA0\x81", 3) == 0;
}

/* Where in the data, from `at` on, the first byte is that is no text; its end without one. */
static size_t find_bad(const char *data, size_t size, size_t at, bool tags_are_bad) {
    while ((at = skip_ascii(data, size, at)) < size) {
        int length = examine(data + at, size - at);
        if (length < 0 || (length == 4 && tags_are_bad && is_tag(data + at)))
            return at;
        at += (size_t)length;
    }
    return size;
}

/*
 * Appends the data, with the replacement, or nothing, for what is no text, the first of which is at `bad`: 0 or
 * -ENOMEM.
 */
static int mend(const struct text *text, const char *data, size_t size, size_t bad, bool tags_are_bad,
                const char *replacement, struct output *output) {
    const char *instead = text->errors == TEXT_REPLACE ? replacement : "";
    if (!output_reserve(output, size))
        return -ENOMEM;
    for (size_t good = 0;; bad = find_bad(data, size, good, tags_are_bad)) {
        if (!output_append(output, data + good, bad - good))
            return -ENOMEM;
        if (bad == size)
            return 0;
        good = bad + (size_t)abs(examine(data + bad, size - bad));
        if (!output_append(output, instead, strlen(instead)))
            return -ENOMEM;
    }
}

/* ---- other encodings */

/*
 * Converts the data as far as it goes, or writes, without data, what has to end it: 0, -EILSEQ, -EINVAL at half a
 * character, or -ENOMEM.
 */
static int convert(iconv_t converter, char **data, size_t *size, struct output *output) {
    for (size_t more = *size + 16;; more *= 2) {
        if (!output_reserve(output, more))
            return -ENOMEM;
        char *to = output->data + output->size;
        size_t room = output->room - output->size - 1;
        size_t result = iconv(converter, data, size, &to, &room);
        output->size = (size_t)(to - output->data);
        if (result != (size_t)-1)
            return 0;
        if (errno != E2BIG)
            return -errno;
    }
}

/* How many bytes the character has that begins here; the data are text. */
static size_t character_size(const char *data, size_t size) {
    return (unsigned char)*data < 0x80 ? 1 : (size_t)examine(data, size);
}

/* How many bytes the encoding has for a character that is not the first one; 0 when it has none. */
static size_t size_in(const char *encoding, const char *character) {
    iconv_t converter = iconv_open(encoding, "UTF-8");
    size_t written = 0;
    for (int i = 0; i < 2 && converter != NO_CONVERTER; i++) {
        char bytes[64], *data = (char *)character, *to = bytes;
        size_t size = strlen(character), room = sizeof bytes;
        written = iconv(converter, &data, &size, &to, &room) == (size_t)-1 ? 0 : (size_t)(to - bytes);
    }
    if (converter != NO_CONVERTER)
        iconv_close(converter);
    return written;
}

/*
 * Converts all of the data, from the encoding to UTF-8 or the other way round: 0, or a negative code, and with -EILSEQ
 * *bad is the first byte that has no counterpart. A letter that iconv keeps back, since an accent may follow in its
 * encoding, comes behind the U+FFFD that follows it: to get it out earlier would also undo shifts and forget the byte
 * order.
 */
static int convert_all(const struct text *text, bool decoding, const char *data, size_t size, struct output *output,
                       size_t *bad) {
    iconv_t converter = decoding ? iconv_open("UTF-8", text->encoding) : iconv_open(text->encoding, "UTF-8");
    if (converter == NO_CONVERTER)
        return -errno;
    size_t unit = decoding && text->errors != TEXT_STRICT ? size_in(text->encoding, "a") : 0;
    char *rest = (char *)data; /* iconv only reads it */
    int error;
    while ((error = convert(converter, &rest, &size, output)) == -EILSEQ || error == -EINVAL) {
        *bad = (size_t)(rest - data);
        if (text->errors == TEXT_STRICT)
            break;
        size_t skipped = error == -EINVAL ? size : decoding ? unit : character_size(rest, size);
        if (skipped == 0 || skipped > size)
            skipped = 1;
        rest += skipped;
        size -= skipped;
        error = 0;
        if (text->errors == TEXT_REPLACE && decoding)
            error = output_append(output, REPLACEMENT, strlen(REPLACEMENT)) ? 0 : -ENOMEM;
        else if (text->errors == TEXT_REPLACE) /* by the converter, which knows the shift it is in */
            error = convert(converter, &(char *){"?"}, &(size_t){1}, output);
        if (error < 0)
            break;
    }
    if (error == 0)
        error = convert(converter, NULL, &(size_t){0}, output);
    iconv_close(converter);
    return error == -EINVAL ? -EILSEQ : error;
}

/* ---- in and out */

/* Makes '\n' of each "\r\n" and '\r', where they lie; returns what size is left. */
static size_t translate_newlines(char *data, size_t size) {
    char *from = memchr(data, '\r', size), *to = from, *end = data + size;
    while (from != NULL && from < end) { /* at a '\r' */
        *to++ = '\n';
        from += end - from > 1 && from[1] == '\n' ? 2 : 1;
        char *next = memchr(from, '\r', (size_t)(end - from));
        size_t between = (size_t)((next != NULL ? next : end) - from);
        memmove(to, from, between);
        to += between;
        from += between;
    }
    return to != NULL ? (size_t)(to - data) : size;
}

int text_decode(const struct text *text, char **data, size_t *size, size_t *bad) {
    struct output converted = {0}, mended = {0};
    char *source = *data;
    size_t length = *size;
    int error = 0;
    if (text->wanted && text->encoding[0] != '\0') {
        error = convert_all(text, true, source, length, &converted, bad);
        source = converted.data;
        length = converted.size;
    }
    /* Also what has been converted: iconv's UCS-4 goes on where Unicode ends, and *bad then counts in the text. */
    size_t good = text->wanted && error == 0 ? find_bad(source, length, 0, false) : length;
    if (good < length) {
        *bad = good;
        error = text->errors == TEXT_STRICT ? -EILSEQ : mend(text, source, length, good, false, REPLACEMENT, &mended);
        source = mended.data;
        length = mended.size;
    }
    if (error < 0 || source == mended.data)
        free(converted.data);
    if (error < 0) {
        free(mended.data);
        return error;
    }
    if (source != *data)
        free(*data);
    *data = source;
    *size = text->wanted ? translate_newlines(source, length) : length;
    source[*size] = '\0';
    return 0;
}

int text_encode(const struct text *text, const void *data, size_t size, char **encoded, size_t *encoded_size,
                size_t *bad) {
    struct output mended = {0}, output = {0};
    const char *source = size > 0 ? data : ""; /* there may be no data then */
    bool converts = text->wanted && text->encoding[0] != '\0';
    bool tags_are_bad = converts && size_in(text->encoding, TAG) == 0;
    size_t good = text->wanted ? find_bad(source, size, 0, tags_are_bad) : size;
    int error = 0;
    if (good < size && text->errors != TEXT_STRICT) {
        error = mend(text, source, size, good, tags_are_bad, "?", &mended);
        source = mended.data;
        good = size = mended.size;
    }
    /* What comes before the first byte that is no UTF-8 may have no counterpart, and is the first bad one then. */
    if (error == 0 && converts)
        error = convert_all(text, false, source, good, &output, bad);
    else if (error == 0 && !output_append(&output, source, good))
        error = -ENOMEM;
    if (error == 0 && good < size) {
        *bad = good;
        error = -EILSEQ;
    }
    free(mended.data);
    if (error < 0) {
        free(output.data);
        return error;
    }
    output.data[output.size] = '\0';
    *encoded = output.data;
    *encoded_size = output.size;
    return 0;
}
