/* test_serving_inflate.c: compressed requests that are cut, broken, followed by more, or larger than they look. */
#include "infer_requests.h"
#include "inflate.h"

static const char JSON[] = "{\"inputs\":[{\"name\":\"x\",\"shape\":[2,4],\"datatype\":\"FP32\",\"parameters\":{"
                           "\"binary_data_size\":32}}]}";

static void give_back(struct body *body) {
    free((void *)(uintptr_t)body->data);
}

static void expect_refused(const struct body *body, int status, const char *word) {
    struct outcome outcome = read_everywhere(body);
    require_refused(&outcome, status, word, "compressed");
}

static struct body good(enum infer_encoding encoding) {
    struct body plain = binary_body(JSON, 32);
    return compressed(&plain, encoding, encoding == INFER_GZIP ? 31 : 15);
}

START_TEST(streams_that_are_cut) {
    for (enum infer_encoding encoding = INFER_GZIP; encoding <= INFER_DEFLATE; encoding++) {
        struct body body = good(encoding);
        struct outcome outcome = read_everywhere(&body);
        require_served(&outcome, 2);
        for (size_t whole = body.size; body.size-- > 0;) {
            outcome = read_cut(&body, whole, 1);
            require_refused(&outcome, 400, "ends too early", "cut");
        }
        give_back(&body);
    }
}
END_TEST

START_TEST(streams_with_something_behind_them) {
    for (enum infer_encoding encoding = INFER_GZIP; encoding <= INFER_DEFLATE; encoding++) {
        struct body body = good(encoding);
        char *longer = malloc(2 * body.size);
        require(longer != NULL);
        memcpy(longer, body.data, body.size);
        memcpy(longer + body.size, body.data, body.size); /* gzip could be read on; one stream is all we take */
        give_back(&body);
        body.data = longer;
        body.size *= 2;
        expect_refused(&body, 400, "behind the end");
        body.size = body.size / 2 + 1;
        expect_refused(&body, 400, "behind the end");
        free(longer);
    }
}
END_TEST

START_TEST(streams_of_another_format) {
    struct body plain = binary_body(JSON, 32), raw = compressed(&plain, INFER_DEFLATE, -15);
    expect_refused(&raw, 400, "compressed body is broken");
    raw.encoding = INFER_GZIP;
    expect_refused(&raw, 400, "compressed body is broken");
    give_back(&raw);
    struct body gzip = good(INFER_GZIP), deflate = good(INFER_DEFLATE);
    gzip.encoding = INFER_DEFLATE;
    deflate.encoding = INFER_GZIP;
    expect_refused(&gzip, 400, "compressed body is broken");
    expect_refused(&deflate, 400, "compressed body is broken");
    give_back(&gzip);
    give_back(&deflate);
    plain.encoding = INFER_GZIP;
    expect_refused(&plain, 400, "compressed body is broken");
    static const char DICTIONARY[] = "\x78\xbb\x01\x02\x03\x04xx";
    struct body needs = {.data = DICTIONARY, .size = 8, .header_length = -1, .encoding = INFER_DEFLATE};
    expect_refused(&needs, 400, "it needs a dictionary");
    struct body empty = {.data = "", .header_length = -1, .encoding = INFER_GZIP};
    expect_refused(&empty, 400, "ends too early");
}
END_TEST

/* A bit of gzip's head may change nothing; where the request is read, it is the same one. */
START_TEST(streams_of_which_one_bit_is_wrong) {
    int refused = 0;
    for (enum infer_encoding encoding = INFER_GZIP; encoding <= INFER_DEFLATE; encoding++) {
        struct body body = good(encoding);
        for (size_t bit = 0; bit < body.size * 8; bit++) {
            char *byte = (char *)(uintptr_t)body.data + bit / 8;
            *byte = (char)(*byte ^ 1 << bit % 8);
            struct outcome outcome = read_cut(&body, body.size / 2, body.size);
            if (outcome.problem.status == 0)
                require_served(&outcome, 2);
            else
                require_refused(&outcome, 400, "", "one bit");
            refused += outcome.problem.status != 0;
            *byte = (char)(*byte ^ 1 << bit % 8);
        }
        give_back(&body);
    }
    ck_assert_int_gt(refused, 1000);
}
END_TEST

/* What is compressed may be as wrong as what is not. */
START_TEST(streams_of_wrong_requests) {
    struct body plain = binary_body(JSON, 28), body = compressed(&plain, INFER_GZIP, 31);
    expect_refused(&body, 400, "and 28 bytes follow");
    give_back(&body);
    plain = binary_body(JSON, 36);
    body = compressed(&plain, INFER_GZIP, 31);
    expect_refused(&body, 400, "unexpected additional input data");
    body.header_length = 1000;
    expect_refused(&body, 400, "broken at byte");
    give_back(&body);
    plain = binary_body(JSON, 0);
    body = compressed(&plain, INFER_GZIP, 31);
    body.header_length = 1000;
    expect_refused(&body, 400, "says 1000, and the body has ");
    give_back(&body);
}
END_TEST

/* A few KiB that become a mebibyte: given up as soon as it is more than any request. */
START_TEST(bombs_are_given_up) {
    enum { SIZE = 1 << 20 };
    char *zeros = malloc(SIZE);
    require(zeros != NULL);
    static const int64_t HEADERS[] = {-1, 0, sizeof JSON - 1};
    static const char *const WORDS[] = {"JSON has more than", "the most of a request is 8", "additional input data"};
    for (int i = 0; i < 3; i++) {
        memset(zeros, ' ', SIZE);
        memcpy(zeros, JSON, sizeof JSON - 1);
        struct body plain = {.data = zeros, .size = SIZE, .header_length = HEADERS[i]};
        struct body body = compressed(&plain, INFER_GZIP, 31);
        struct outcome outcome = read_cut(&body, body.size, 1);
        require_refused(&outcome, i == 0 ? 413 : 400, WORDS[i], "bomb");
        outcome = read_cut(&body, 1, 1);
        require_refused(&outcome, i == 0 ? 413 : 400, WORDS[i], "bomb");
        give_back(&body);
    }
    free(zeros);
}
END_TEST

/* ---- the inflater itself, whose limit no request reaches */

static int count(void *context, const char *data, size_t size, struct problem *problem) {
    (void)problem;
    require(data != NULL && size > 0);
    *(size_t *)context += size;
    return 0;
}

START_TEST(nothing_beyond_the_limit_is_handed_out) {
    static char plain_bytes[10000];
    struct body plain = {.data = plain_bytes, .size = sizeof plain_bytes};
    struct body body = compressed(&plain, INFER_DEFLATE, 15);
    for (uint64_t limit = 0; limit <= sizeof plain_bytes; limit += 1000) {
        struct inflater inflater;
        struct problem problem = {0};
        size_t counted = 0;
        require(inflater_open(&inflater, false, limit, &problem) == 0);
        int result = inflater_feed(&inflater, body.data, body.size, count, &counted, &problem);
        ck_assert_int_eq(result, limit < sizeof plain_bytes ? -1 : 0);
        ck_assert_int_eq(problem.status, limit < sizeof plain_bytes ? 413 : 0);
        ck_assert_uint_eq(counted, limit);
        inflater_close(&inflater);
        inflater_close(&inflater);
    }
    give_back(&body);
}
END_TEST

SUITE("serving_inflate", streams_that_are_cut, streams_with_something_behind_them, streams_of_another_format,
      streams_of_which_one_bit_is_wrong, streams_of_wrong_requests, bombs_are_given_up,
      nothing_beyond_the_limit_is_handed_out)
