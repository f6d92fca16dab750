/* infer_read.c: a request's body, however it is cut: compressed or not, JSON, and the tensor behind it. */
#include "infer_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* The protocol's tensors are little-endian, and are copied as they are. */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors come in little-endian order");

size_t infer_reader_size(void) {
    return sizeof(struct infer_reader);
}

/* ---- what the headers alone show */

static uint64_t tensor_most(const struct signature *signature) {
    return signature->rows * infer_row_bytes(signature);
}

/* The bytes that JSON may have: with the numbers in it, or before a binary tensor. */
static uint64_t json_most(const struct signature *signature, bool numbers) {
    return INFER_JSON + (numbers ? (uint64_t)signature->rows * signature->inputs * INFER_NUMBER : 0);
}

static int refuse_json(const struct infer_reader *reader, struct problem *problem) {
    return refuse(problem, 413, "the JSON has more than %" PRIu64 " bytes, the most for the model '%s'",
                  reader->json_limit, reader->signature->model);
}

static int refuse_excess(const struct infer_reader *reader, struct problem *problem) {
    return refuse(problem, 400,
                  "unexpected additional input data for the model '%s': more than the %" PRIu64 " bytes of input '%s'",
                  reader->signature->model, reader->tensor_size, reader->signature->input);
}

/* A raw request is nothing but rows of the one input. */
static int check_raw(const struct infer_reader *reader, uint64_t size, struct problem *problem) {
    const struct signature *signature = reader->signature;
    uint64_t row = infer_row_bytes(signature);
    if (size == 0 || size % row != 0)
        return refuse(problem, 400,
                      "a raw request must be rows of %" PRIu64 " bytes, one or more, and has %" PRIu64 " bytes", row,
                      size);
    if (size / row > signature->rows)
        return refuse(problem, 400,
                      "input '%s' has %" PRIu64 " rows, and the most of a request is %" PRIu32
                      "; send several requests",
                      signature->input, size / row, signature->rows);
    return 0;
}

/* The body is as long as the headers say. */
static int check_length(const struct infer_reader *reader, uint64_t length, struct problem *problem) {
    if (length == 0 && reader->head.header_length != 0)
        return refuse(problem, 400, "the body is empty; send a request as JSON");
    if (reader->head.header_length == 0)
        return check_raw(reader, length, problem);
    if (reader->json_size == UINT64_MAX)
        return length > reader->json_limit ? refuse_json(reader, problem) : 0;
    if (reader->json_size > length)
        return refuse(problem, 400,
                      "the header Inference-Header-Content-Length says %" PRIu64 ", and the body has %" PRIu64 " bytes",
                      reader->json_size, length);
    if (length - reader->json_size > tensor_most(reader->signature))
        return refuse(problem, 400,
                      "%" PRIu64 " bytes follow the JSON, more than %" PRIu32
                      " rows of input '%s', the most of a request; "
                      "send several requests",
                      length - reader->json_size, reader->signature->rows, reader->signature->input);
    return 0;
}

int infer_begin(struct infer_reader *reader, const struct signature *signature, const struct infer_head *head,
                float *input, struct problem *problem) {
    memset(reader, 0, offsetof(struct infer_reader, carry));
    reader->signature = signature;
    reader->head = *head;
    reader->input = input;
    reader->request.output_wanted = true;
    infer_tokens_begin(reader);
    if (head->header_length < -1)
        return refuse(problem, 400, "the header Inference-Header-Content-Length must not be negative");
    bool known = head->content_length >= 0 && head->encoding == INFER_PLAIN;
    reader->json_size = head->header_length < 0 ? UINT64_MAX : (uint64_t)head->header_length;
    reader->json_limit =
        json_most(signature, !known || head->header_length < 0 || head->header_length == head->content_length);
    reader->json_ended = head->header_length == 0;
    reader->request.output_binary = reader->json_ended;
    reader->tensor_size = reader->json_ended ? tensor_most(signature) : 0;
    if (known && check_length(reader, (uint64_t)head->content_length, problem) != 0)
        return -1;
    if (head->header_length > 0 && reader->json_size > reader->json_limit)
        return refuse_json(reader, problem);
    if (head->encoding == INFER_PLAIN)
        return 0;
    return inflater_open(&reader->inflater, head->encoding == INFER_GZIP,
                         json_most(signature, true) + tensor_most(signature), problem);
}

/* ---- JSON */

/* Takes all tokens that are there as a whole; *text goes forward behind them. */
static int take_tokens(struct infer_reader *reader, const char **text, const char *end, bool last,
                       struct problem *problem) {
    const char *begin = *text;
    struct json_token token;
    for (;;) {
        enum token_kind kind = json_next(&reader->json, text, end, last, &token);
        if (kind == TOKEN_BAD)
            return refuse(problem, 400, "the JSON is broken at byte %" PRIu64 ": %s",
                          reader->json_taken + (uint64_t)(*text - begin), reader->json.reason);
        if (kind == TOKEN_MORE || kind == TOKEN_END)
            break;
        if (infer_token(reader, &token, problem) != 0)
            return -1;
    }
    reader->json_taken += (uint64_t)(*text - begin);
    return 0;
}

/* Completes what was carried over by what comes now; *data goes forward behind what was taken of it. */
static int take_carried(struct infer_reader *reader, const char **data, const char *end, bool last,
                        struct problem *problem) {
    size_t old = reader->carried, room = sizeof reader->carry - old, there = (size_t)(end - *data);
    size_t added = there < room ? there : room;
    memcpy(reader->carry + old, *data, added);
    const char *at = reader->carry, *until = reader->carry + old + added;
    if (take_tokens(reader, &at, until, last && added == there, problem) != 0)
        return -1;
    size_t taken = (size_t)(at - reader->carry);
    if (taken ==
        0) { /* not even now is it whole, and so there was room for all that came: INFER_CARRY is more than that */
        reader->carried = old + added;
        *data = end;
        return 0;
    }
    reader->carried = 0;
    *data += taken - old;
    return 0;
}

static int feed_json(struct infer_reader *reader, const char *data, size_t size, bool last, struct problem *problem) {
    const char *end = data + size;
    if (reader->carried > 0 && take_carried(reader, &data, end, last, problem) != 0)
        return -1;
    if (reader->carried > 0)
        return 0;
    if (take_tokens(reader, &data, end, last, problem) != 0)
        return -1;
    reader->carried = (size_t)(end - data);
    memcpy(reader->carry, data, reader->carried);
    return 0;
}

/* The tensor must be as long as the JSON says, as far as the headers tell how long it is. */
static int end_json(struct infer_reader *reader, struct problem *problem) {
    reader->json_ended = true;
    if (infer_json_end(reader, problem) != 0)
        return -1;
    if (reader->head.content_length < 0 || reader->head.encoding != INFER_PLAIN || reader->head.header_length < 0)
        return 0;
    uint64_t behind = (uint64_t)reader->head.content_length - reader->json_size;
    if (behind > reader->tensor_size)
        return refuse_excess(reader, problem);
    if (behind < reader->tensor_size)
        return refuse(problem, 400,
                      "input '%s' has a binary_data_size of %" PRIu64 ", and %" PRIu64 " bytes follow the JSON",
                      reader->signature->input, reader->tensor_size, behind);
    return 0;
}

/* ---- the body */

static int feed_tensor(struct infer_reader *reader, const char *data, size_t size, struct problem *problem) {
    if (size > reader->tensor_size - reader->tensor_taken)
        return reader->head.header_length == 0
                   ? check_raw(reader, reader->tensor_size + infer_row_bytes(reader->signature), problem)
                   : refuse_excess(reader, problem);
    memcpy((char *)reader->input + reader->tensor_taken, data, size);
    reader->tensor_taken += size;
    return 0;
}

/* The bytes of the body, once they are plain. */
static int feed_plain(void *context, const char *data, size_t size, struct problem *problem) {
    struct infer_reader *reader = context;
    if (!reader->json_ended) {
        uint64_t seen = reader->json_taken + reader->carried, left = reader->json_size - seen;
        bool last = size >= left;
        size_t part = last ? (size_t)left : size;
        if (part > reader->json_limit - seen)
            return refuse_json(reader, problem);
        if (feed_json(reader, data, part, last, problem) != 0 || (last && end_json(reader, problem) != 0))
            return -1;
        data += part;
        size -= part;
    }
    return size > 0 ? feed_tensor(reader, data, size, problem) : 0;
}

int infer_feed(struct infer_reader *reader, const char *data, size_t size, struct problem *problem) {
    if (size == 0)
        return 0;
    if (reader->head.encoding == INFER_PLAIN)
        return feed_plain(reader, data, size, problem);
    return inflater_feed(&reader->inflater, data, size, feed_plain, reader, problem);
}

static int end_body(struct infer_reader *reader, struct problem *problem) {
    uint64_t seen = reader->json_taken + reader->carried;
    if (reader->head.header_length == 0) {
        reader->request.rows = (uint32_t)(reader->tensor_taken / infer_row_bytes(reader->signature));
        return check_raw(reader, reader->tensor_taken, problem);
    }
    if (reader->json_ended)
        return 0;
    if (seen == 0 || reader->json_size < UINT64_MAX)
        return check_length(reader, seen, problem);
    return feed_json(reader, "", 0, true, problem) != 0 ? -1 : end_json(reader, problem);
}

int infer_end(struct infer_reader *reader, struct infer_request *request, struct problem *problem) {
    if (reader->head.encoding != INFER_PLAIN && inflater_end(&reader->inflater, problem) != 0)
        return -1;
    if (end_body(reader, problem) != 0)
        return -1;
    if (reader->head.header_length > 0 && reader->tensor_taken < reader->tensor_size)
        return refuse(problem, 400,
                      "input '%s' has a binary_data_size of %" PRIu64 ", and %" PRIu64 " bytes follow the JSON",
                      reader->signature->input, reader->tensor_size, reader->tensor_taken);
    *request = reader->request;
    return 0;
}

void infer_forget(struct infer_reader *reader) {
    inflater_close(&reader->inflater);
}
