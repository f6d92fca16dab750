/* inflate.c: compressed bodies by zlib: one stream, of which every byte must be used, and no bombs. */
#include "inflate.h"

#include <limits.h>
#include <string.h>

enum { PIECE = 4096, GZIP_ONLY = 16 };

int inflater_open(struct inflater *inflater, bool gzip, uint64_t limit, struct problem *problem) {
    memset(inflater, 0, sizeof *inflater);
    inflater->limit = limit;
    if (inflateInit2(&inflater->stream, gzip ? GZIP_ONLY + MAX_WBITS : MAX_WBITS) != Z_OK) {
        memset(inflater, 0, sizeof *inflater);
        return refuse(problem, 503, "memory is short for a compressed body; send it as it is, or try again");
    }
    return 0;
}

/* Takes one piece out of what zlib was given; *emptied: there is no more to come of it. */
static int take_piece(struct inflater *inflater, inflated *take, void *context, bool *emptied,
                      struct problem *problem) {
    char piece[PIECE];
    inflater->stream.next_out = (unsigned char *)piece;
    inflater->stream.avail_out = sizeof piece;
    int result = inflate(&inflater->stream, Z_NO_FLUSH);
    size_t size = sizeof piece - inflater->stream.avail_out;
    inflater->ended = result == Z_STREAM_END;
    *emptied = inflater->ended || (inflater->stream.avail_in == 0 && size < sizeof piece);
    size_t allowed = size < inflater->limit ? size : (size_t)inflater->limit;
    inflater->limit -= allowed;
    if (allowed > 0 && take(context, piece, allowed, problem) != 0)
        return -1;
    if (size > allowed)
        return refuse(problem, 413, "the body inflates to more bytes than any request to this model needs; send less");
    if (result == Z_MEM_ERROR)
        return refuse(problem, 503, "memory is short for a compressed body; send it as it is, or try again");
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        return refuse(problem, 400, "the compressed body is broken: %s",
                      inflater->stream.msg != NULL ? inflater->stream.msg : "it needs a dictionary");
    return 0;
}

int inflater_feed(struct inflater *inflater, const char *data, size_t size, inflated *take, void *context,
                  struct problem *problem) {
    while (size > 0) {
        if (inflater->ended)
            return refuse(problem, 400, "there is something behind the end of the compressed body");
        size_t part = size < INT_MAX ? size : INT_MAX;
        inflater->stream.next_in = (unsigned char *)(uintptr_t)data;
        inflater->stream.avail_in = (unsigned)part;
        for (bool emptied = false; !emptied;)
            if (take_piece(inflater, take, context, &emptied, problem) != 0)
                return -1;
        data += part - inflater->stream.avail_in;
        size -= part - inflater->stream.avail_in;
    }
    return 0;
}

int inflater_end(const struct inflater *inflater, struct problem *problem) {
    return inflater->ended ? 0 : refuse(problem, 400, "the compressed body ends too early");
}

void inflater_close(struct inflater *inflater) {
    inflateEnd(&inflater->stream); /* of a stream that is all zeros it does nothing */
    memset(inflater, 0, sizeof *inflater);
}
