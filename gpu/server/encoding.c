/* encoding.c: answers made smaller, for clients that ask for it. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "encoding.h"

int encoding_of(const char *content_encoding) {
    if (content_encoding == NULL || *content_encoding == '\0' || strcasecmp(content_encoding, "identity") == 0)
        return INFER_PLAIN;
    if (strcasecmp(content_encoding, "gzip") == 0 || strcasecmp(content_encoding, "x-gzip") == 0)
        return INFER_GZIP;
    return strcasecmp(content_encoding, "deflate") == 0 ? INFER_DEFLATE : -1;
}

/* "0.375" is 375: digits, and not strtod, which reads a number as the locale writes it. Not well-formed: 0. */
static int thousandths(const char *text) {
    static const int PLACES[] = {100, 10, 1};
    int result = *text == '1' ? 1000 : 0;
    if ((*text != '0' && *text != '1') || text[1] != '.')
        return result;
    for (size_t i = 0; i < 3 && text[2 + i] >= '0' && text[2 + i] <= '9'; i++)
        result += (text[2 + i] - '0') * PLACES[i];
    return result > 1000 ? 1000 : result;
}

/* One member of the list, without its commas: "gzip;q=0.5". */
static int weight_of(const char *member, size_t size, const char *name) {
    size_t length = strlen(name);
    if (size < length || strncasecmp(member, name, length) != 0)
        return 0;
    const char *end = member + size, *at = member + length;
    at += strspn(at, " \t");
    if (at >= end || *at == ',')
        return 1000;
    if (*at != ';')
        return 0; /* a longer name */
    at += 1 + strspn(at + 1, " \t");
    return end - at > 2 && strncasecmp(at, "q=", 2) == 0 ? thousandths(at + 2) : 1000;
}

enum infer_encoding encoding_wanted(const char *accept_encoding) {
    int gzip = 0, deflated = 0;
    for (const char *member = accept_encoding; member != NULL && *member != '\0';) {
        member += strspn(member, ", \t");
        size_t size = strcspn(member, ",");
        int as_gzip = weight_of(member, size, "gzip"), as_deflate = weight_of(member, size, "deflate");
        gzip = as_gzip > gzip ? as_gzip : gzip;
        deflated = as_deflate > deflated ? as_deflate : deflated;
        member += size;
    }
    if (gzip == 0 && deflated == 0)
        return INFER_PLAIN;
    return gzip >= deflated ? INFER_GZIP : INFER_DEFLATE;
}

const char *encoding_name(enum infer_encoding encoding) {
    return encoding == INFER_GZIP ? "gzip" : encoding == INFER_DEFLATE ? "deflate" : NULL;
}

/* Compresses into room for less than there was, so that it fails where nothing is gained. */
static bool compress_into(enum infer_encoding encoding, const char *body, size_t size, char *room, size_t *taken) {
    enum { GZIP_WRAPPER = 16, WINDOW = 15, MEMORY_LEVEL = 8 };
    z_stream stream = {0};
    int window = encoding == INFER_GZIP ? WINDOW + GZIP_WRAPPER : WINDOW;
    if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, window, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    stream.next_in = (Bytef *)body;
    stream.avail_in = (uInt)size;
    stream.next_out = (Bytef *)room;
    stream.avail_out = (uInt)(size - 1);
    int code = deflate(&stream, Z_FINISH);
    *taken = stream.total_out;
    deflateEnd(&stream);
    return code == Z_STREAM_END;
}

bool encoding_apply(enum infer_encoding encoding, char **body, size_t *size) {
    size_t taken;
    if (encoding == INFER_PLAIN || *size < 2 || *size > UINT32_MAX)
        return false;
    char *room = malloc(*size);
    if (room == NULL || !compress_into(encoding, *body, *size, room, &taken)) {
        free(room);
        return false;
    }
    free(*body);
    *body = room;
    *size = taken;
    return true;
}
