/* infer_requests.h: what the suites about inference requests share: bodies read wherever they are cut. */
#ifndef ATELIER_TESTS_INFER_REQUESTS_H
#define ATELIER_TESTS_INFER_REQUESTS_H

#include <zlib.h>

#include "infer.h"
#include "watch.h"

enum { ROWS = 8, INPUTS = 4, OUTPUTS = 3 };

static const struct signature SIGNATURE = {"mlp", "1", "x", "y", INPUTS, OUTPUTS, ROWS};

/* What becomes of a request: a problem, or what it asks for. */
struct outcome {
    struct problem problem;
    struct infer_request request;
    float input[ROWS * INPUTS];
};

/* A body, and what its headers say of it. */
struct body {
    const char *data;
    size_t size;
    int64_t header_length;
    bool chunked; /* its length is not said */
    enum infer_encoding encoding;
};

/* Feeds one piece, from memory of exactly its size, for a sanitizer to see what is read beyond. */
static inline int feed_piece(struct infer_reader *reader, const char *data, size_t size, struct problem *problem) {
    char *piece = malloc(size > 0 ? size : 1);
    require(piece != NULL);
    memcpy(piece, data, size);
    require(infer_feed(reader, piece, 0, problem) == 0);
    int result = infer_feed(reader, piece, size, problem);
    free(piece);
    return result;
}

static inline int read_pieces(struct infer_reader *reader, const struct body *body, size_t first, size_t step,
                              float *input, struct outcome *outcome) {
    struct infer_head head = {.content_length = body->chunked ? -1 : (int64_t)body->size,
                              .header_length = body->header_length,
                              .encoding = body->encoding};
    if (infer_begin(reader, &SIGNATURE, &head, input, &outcome->problem) != 0)
        return -1;
    for (size_t at = 0, end = first; at < body->size; at = end, end += step) {
        end = end < body->size ? end : body->size;
        if (feed_piece(reader, body->data + at, end - at, &outcome->problem) != 0)
            return -1;
    }
    return infer_end(reader, &outcome->request, &outcome->problem);
}

/* Reads it in pieces of `first` and then `step` bytes, by a reader that was used before for who knows what. */
static inline struct outcome read_cut(const struct body *body, size_t first, size_t step) {
    struct outcome outcome;
    memset(&outcome, 0, sizeof outcome);
    struct infer_reader *reader = malloc(infer_reader_size());
    float *input = malloc(sizeof outcome.input); /* no larger than promised */
    require(reader != NULL && input != NULL);
    memset(reader, 0xa5, infer_reader_size());
    memset(input, 0, sizeof outcome.input);
    int result = read_pieces(reader, body, first, step, input, &outcome);
    require((result == 0) == (outcome.problem.status == 0));
    require((result == 0) == (outcome.problem.text[0] == '\0'));
    if (result != 0)
        memset(&outcome.request, 0, sizeof outcome.request);
    else
        memcpy(outcome.input, input, sizeof outcome.input);
    infer_forget(reader);
    free(reader);
    free(input);
    return outcome;
}

static inline void require_same(const struct outcome *left, const struct outcome *right) {
    const struct infer_request *a = &left->request, *b = &right->request;
    ck_assert_int_eq(left->problem.status, right->problem.status);
    ck_assert_str_eq(left->problem.text, right->problem.text);
    ck_assert_str_eq(a->id, b->id);
    require(a->rows == b->rows && a->priority == b->priority && a->timeout == b->timeout);
    require(a->output_wanted == b->output_wanted && a->output_binary == b->output_binary && a->classes == b->classes);
    require(memcmp(left->input, right->input, sizeof left->input) == 0);
}

/* Whole, byte by byte, and cut in two at every place: always the same. */
static inline struct outcome read_everywhere(const struct body *body) {
    struct outcome whole = read_cut(body, body->size, 1), cut = read_cut(body, 1, 1);
    require_same(&cut, &whole);
    for (size_t first = 1; first < body->size; first++) {
        cut = read_cut(body, first, body->size);
        require_same(&cut, &whole);
    }
    return whole;
}

/* JSON alone, without the header that says so. */
static inline struct body json_body(const char *json) {
    return (struct body){.data = json, .size = strlen(json), .header_length = -1};
}

/* JSON and a tensor behind it: the numbers 0, 1, 2..., as the clients' goldens have them. Lasts until the next call. */
static inline struct body binary_body(const char *json, size_t tensor_size) {
    static char data[8192];
    size_t size = strlen(json);
    require(size + tensor_size + sizeof(float) <= sizeof data);
    memcpy(data, json, size);
    for (size_t i = 0; i < tensor_size; i += sizeof(float))
        memcpy(data + size + i, &(float){(float)(i / sizeof(float))}, sizeof(float));
    return (struct body){.data = data, .size = size + tensor_size, .header_length = (int64_t)size};
}

static inline void require_served(const struct outcome *outcome, uint32_t rows) {
    if (outcome->problem.status != 0)
        ck_abort_msg("refused: %d %s", outcome->problem.status, outcome->problem.text);
    ck_assert_uint_eq(outcome->request.rows, rows);
    for (uint32_t i = 0; i < rows * INPUTS; i++)
        ck_assert_float_eq(outcome->input[i], (float)i);
}

static inline void require_refused(const struct outcome *outcome, int status, const char *word, const char *what) {
    if (outcome->problem.status != status || strstr(outcome->problem.text, word) == NULL)
        ck_abort_msg("%.300s: %d '%s', not %d '%s'", what, outcome->problem.status, outcome->problem.text, status,
                     word);
}

/* The body as zlib compresses it: as gzip, or as what HTTP calls deflate. To be freed: free((void *)body.data). */
static inline struct body compressed(const struct body *plain, enum infer_encoding encoding, int window_bits) {
    z_stream stream = {0};
    require(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    size_t room = deflateBound(&stream, plain->size);
    char *data = malloc(room);
    require(data != NULL);
    stream.next_in = (unsigned char *)(uintptr_t)plain->data;
    stream.avail_in = (unsigned)plain->size;
    stream.next_out = (unsigned char *)data;
    stream.avail_out = (unsigned)room;
    require(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&stream);
    struct body body = *plain;
    body.data = data;
    body.size = room - stream.avail_out;
    body.encoding = encoding;
    return body;
}

#endif
