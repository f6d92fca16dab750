/* test_serving_client.c: the load generator's JSON, its requests, what it makes of any answer, and whom it asks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cursor.h"
#include "inference.h"
#include "questions.h"
#include "response.h"
#include "serving_spoil.h"
#include "serving_stand_in.h"
#include "target.h"
#include "watch.h"

/* ---- JSON */

static bool skips(const char *text) {
    size_t length = strlen(text);
    char *copy = malloc(length > 0 ? length : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, length);
    struct cursor cursor = {copy, copy + length};
    bool all = cursor_skip(&cursor) && cursor_at_end(&cursor);
    free(copy);
    return all;
}

START_TEST(json_values_are_told_from_what_is_none) {
    static const char *const GOOD[] = {"{}",   "[]",   "[[],[[]],{}]", " {\"a\":[1,2.5e-3,true,false,null]} ",
                                       "\"\"", "-0.5", "\"a\\\"b\"",   "{\"a\":{\"b\":[{}]},\"c\":\"\\\\\"}",
                                       "3"};
    static const char *const BAD[] = {"",       " ",     "{",          "}",     "[",         "[1",       "[1,",  "[,1]",
                                      "[1,]",   "[1 2]", "{\"a\"}",    "{a:1}", "{\"a\":}",  "{,}",      "\"",   "\"\\",
                                      "\"\n\"", "tru",   "nulll",      "[1}",   "{\"a\":1]", "+1",       ".5",   "1e",
                                      "--1",    "1e999", "{\"a\":1,}", "[1]]",  "\"a\" 1",   "infinity", "0x10", "nan"};
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++)
        ck_assert_msg(skips(GOOD[i]), "%s", GOOD[i]);
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        ck_assert_msg(!skips(BAD[i]), "%s", BAD[i]);
}
END_TEST

START_TEST(depth_has_an_end) {
    char text[200];
    for (int depth = 1; depth < 100; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = 0;
        require(skips(text) == (depth <= 32));
    }
}
END_TEST

START_TEST(whole_numbers_have_their_limit) {
    static const struct {
        const char *text;
        bool fits;
    } CASES[] = {{"255", true},  {"256", false}, {"0", true},  {"-1", false}, {"1.0", false},
                 {"1e1", false}, {"", false},    {"x", false}, {"9", true},   {"25500", false}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct cursor cursor = {CASES[i].text, CASES[i].text + strlen(CASES[i].text)};
        unsigned long number;
        ck_assert_msg(cursor_whole(&cursor, 255, &number) == CASES[i].fits, "%s", CASES[i].text);
    }
}
END_TEST

/* ---- Requests and answers */

static struct target echo_target(void) {
    return (struct target){.host = "h:1", .model = "my model", .input = "x", .output = "y", .inputs = 4, .outputs = 3};
}

START_TEST(a_binary_request_is_as_the_protocol_says) {
    static const char EXPECTED[] =
        "POST /v2/models/my%20model/infer HTTP/1.1\r\nHost: h:1\r\nContent-Type: application/octet-stream\r\n"
        "Inference-Header-Content-Length: 187\r\nContent-Length: 219\r\n\r\n"
        "{\"id\":\"00000000deadbeef\",\"parameters\":{\"priority\":1,\"timeout\":5000,\"binary_data_output\":true},"
        "\"inputs\":[{\"name\":\"x\",\"shape\":[2,4],\"datatype\":\"FP32\",\"parameters\":{\"binary_data_size\":32}}]}";
    struct target target = echo_target();
    struct inference_options options = {.rows = 2, .priority = 1, .timeout = 5000};
    struct inference_request request;
    const float rows[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    ok(inference_request_make(&request, &target, rows, &options, NULL));
    inference_request_number(&request, 0xdeadbeef);
    ck_assert_uint_eq(request.length, sizeof EXPECTED - 1 + sizeof rows);
    ck_assert_mem_eq(request.bytes, EXPECTED, sizeof EXPECTED - 1);
    ck_assert_mem_eq(request.bytes + sizeof EXPECTED - 1, rows, sizeof rows);
    inference_request_free(&request);
}
END_TEST

START_TEST(a_json_request_has_the_numbers_in_it) {
    struct target target = echo_target();
    struct inference_options options = {.json = true};
    struct inference_request request;
    const float row[4] = {0.1F, -1e-30F, 3.4028235e38F, 0};
    ok(inference_request_make(&request, &target, row, &options, NULL));
    ck_assert_ptr_nonnull(memmem(request.bytes, request.length, "\"shape\":[1,4]", 13));
    ck_assert_ptr_null(memmem(request.bytes, request.length, "Inference-Header", 16));
    char *data = memmem(request.bytes, request.length, "\"data\":[", 8);
    ck_assert_ptr_nonnull(data);
    data += 8;
    for (int i = 0; i < 4; i++, data++)
        ck_assert_float_eq(strtof(data, &data), row[i]);
    ck_assert_int_eq(memcmp(data - 1, "]}]}", 4), 0);
    inference_request_free(&request);
    const float bad[4] = {0, NAN, 0, 0};
    struct failure failure = {{0}};
    ck_assert_int_eq(inference_request_make(&request, &target, bad, &options, &failure), -EINVAL);
    ck_assert_uint_gt(strlen(failure.text), 0);
    target.inputs = 0;
    ck_assert_int_eq(inference_request_make(&request, &target, row, &options, &failure), -EINVAL);
    target.inputs = UINT32_MAX;
    ck_assert_int_eq(inference_request_make(&request, &target, row, &options, &failure), -E2BIG);
}
END_TEST

#define OUTPUT "\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[1,3],"

/* Reads a body whose first `json` bytes are the JSON, all for 0; the numbers too where there are some. */
static bool answers(const char *body, size_t length, size_t json, struct inference_answer *answer, float numbers[3]) {
    struct target target = echo_target();
    struct response response = {.status = 200, .length = length, .json = json > 0 ? json : length};
    char *copy = malloc(length > 0 ? length : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, body, length);
    bool right =
        inference_answer_read(answer, &target, &response, copy) && inference_answer_numbers(answer, numbers, 3);
    free(copy);
    return right;
}

START_TEST(answers_are_read) {
    static const char JSON[] =
        "{\"id\":\"00000000deadbeef\",\"model_name\":\"my model\",\"parameters\":{\"device\":\"sim:1\","
        "\"simulated\":true,\"batch\":17,\"more\":[1,{}]}," OUTPUT "\"data\":[[1, 2.5,-3e0]]}]}";
    static const char BINARY[] = "{" OUTPUT "\"parameters\":{\"binary_data_size\":12}}]}";
    struct inference_answer answer;
    float numbers[3], expected[3] = {1, 2.5F, -3};
    char body[sizeof BINARY - 1 + sizeof expected];
    ck_assert(answers(JSON, sizeof JSON - 1, 0, &answer, numbers));
    ck_assert_mem_eq(numbers, expected, sizeof expected);
    ck_assert(answer.has_number && answer.number == 0xdeadbeef && answer.simulated);
    ck_assert_uint_eq(answer.batch, 17);
    ck_assert_uint_eq(answer.device.length, 5);
    memcpy(body, BINARY, sizeof BINARY - 1);
    memcpy(body + sizeof BINARY - 1, expected, sizeof expected);
    memset(numbers, 0, sizeof numbers);
    ck_assert(answers(body, sizeof body, sizeof BINARY - 1, &answer, numbers));
    ck_assert_mem_eq(numbers, expected, sizeof expected);
    ck_assert(!answer.has_number && !answer.simulated && answer.batch == 0 && answer.device.length == 0);
    ck_assert_uint_eq(answer.rows, 1);
}
END_TEST

START_TEST(bad_answers_are_refused) {
    static const char *const BAD[] = {
        "",
        "[]",
        "{}",
        "{\"id\":\"1\"}",
        "{\"id\":1," OUTPUT "\"data\":[1,2,3]}]}",
        "{\"model_name\":\"another\"," OUTPUT "\"data\":[1,2,3]}]}",
        "{\"parameters\":[]," OUTPUT "\"data\":[1,2,3]}]}",
        "{\"parameters\":{\"device\":1}," OUTPUT "\"data\":[1,2,3]}]}",
        "{\"parameters\":{\"batch\":-1}," OUTPUT "\"data\":[1,2,3]}]}",
        "{\"parameters\":{\"simulated\":1}," OUTPUT "\"data\":[1,2,3]}]}",
        "{" OUTPUT "\"data\":[1,2,3]}]",
        "{" OUTPUT "\"data\":[1,2,3]}]} x",
        "{" OUTPUT "\"data\":[1,2]}]}",
        "{" OUTPUT "\"data\":[1,2,3,4]}]}",
        "{" OUTPUT "\"data\":[1,2,\"3\"]}]}",
        "{" OUTPUT "\"data\":[1,2,null]}]}",
        "{" OUTPUT "\"data\":3}]}",
        "{" OUTPUT "\"data\":[1,2,3]},{}]}",
        "{" OUTPUT "\"x\":1}]}",
        "{" OUTPUT "\"parameters\":{\"binary_data_size\":12}}]}",
        "{" OUTPUT "\"parameters\":{\"binary_data_size\":-1}}]}",
        "{\"outputs\":[{\"name\":\"z\",\"datatype\":\"FP32\",\"shape\":[1,3],\"data\":[1,2,3]}]}",
        "{\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP64\",\"shape\":[1,3],\"data\":[1,2,3]}]}",
        "{\"outputs\":[{\"name\":\"y\",\"shape\":[1,3],\"data\":[1,2,3]}]}",
        "{\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\",\"data\":[1,2,3]}]}",
        "{\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[3],\"data\":[1,2,3]}]}",
        "{\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[4294967296,3],\"data\":[1,2,3]}]}",
        "{\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[4294967295,4294967295],\"data\":[1,2,3]}]}",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct inference_answer answer;
        float numbers[3];
        ck_assert_msg(!answers(BAD[i], strlen(BAD[i]), 0, &answer, numbers), "%s", BAD[i]);
    }
}
END_TEST

START_TEST(spoilt_answers_do_no_harm) {
    static const char JSON[] = "{\"id\":\"00000000deadbeef\",\"parameters\":{\"device\":\"sim\",\"batch\":17}," OUTPUT
                               "\"data\":[[1,2.5,-3e0]]}]}";
    int right = 0;
    for (uint64_t i = 0; i < 20000; i++) {
        char text[sizeof JSON];
        struct inference_answer answer;
        float numbers[3];
        memcpy(text, JSON, sizeof text);
        right += answers(text, spoil(text, sizeof text - 1, i), 0, &answer, numbers);
    }
    ck_assert_int_gt(right, 1000);
    ck_assert_int_lt(right, 19000);
}
END_TEST

/* ---- The server's address, and asking it */

START_TEST(addresses_are_understood) {
    static const char *const BAD[] = {"",
                                      "127.0.0.1:80",
                                      "https://127.0.0.1",
                                      "http://",
                                      "http://:80",
                                      "http:///",
                                      "http://127.0.0.1:",
                                      "http://127.0.0.1:x",
                                      "http://127.0.0.1:0",
                                      "http://127.0.0.1:65536",
                                      "http://127.0.0.1:8000/v2",
                                      "http://[::1",
                                      "http://a b:80",
                                      "http://[::1]x:80"};
    struct target target;
    struct failure failure;
    ok(target_parse(&target, "http://127.0.0.1:8000/", &failure));
    ck_assert_str_eq(target.host, "127.0.0.1:8000");
    ok(target_parse(&target, "http://127.0.0.1", &failure));
    ck_assert_str_eq(target.host, "127.0.0.1:80");
    ok(target_parse(&target, "http://[::1]:81", &failure));
    ck_assert_str_eq(target.host, "[::1]:81");
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        failure.text[0] = 0;
        ck_assert_msg(target_parse(&target, BAD[i], &failure) < 0 && failure.text[0] != 0, "%s", BAD[i]);
    }
}
END_TEST

START_TEST(the_model_is_asked_for) {
    struct stand_in server = {0};
    struct target target;
    struct failure failure;
    char url[64], *body;
    stand_in_start(&server);
    ok(target_parse(&target, stand_in_url(&server, url), &failure));
    ok(target_describe(&target, "echo", BOUND, &failure));
    ck_assert_str_eq(target.input, "x");
    ck_assert_str_eq(target.output, "y");
    ck_assert_uint_eq(target.inputs, 4);
    ck_assert_uint_eq(target.outputs, 3);
    ck_assert_int_eq(target_describe(&target, "unknown", BOUND, &failure), -ENOENT);
    ck_assert_int_eq(target_describe(&target, "", BOUND, &failure), -EINVAL);
    ck_assert_int_eq(target_describe(&target, "a\"b", BOUND, &failure), -EINVAL);
    ck_assert_int_eq(target_get(&target, "/nothing", BOUND, &body, &failure), 404);
    ck_assert_str_eq(body, "{\"error\":\"Not Found\"}");
    free(body);
    stand_in_stop(&server);
    ck_assert_int_eq(target_get(&target, "/nothing", BOUND, &body, &failure), -ECONNREFUSED);
}
END_TEST

/* ---- Questions */

START_TEST(questions_are_the_same_for_the_same_seed) {
    struct target target = echo_target();
    struct questions first, again, other;
    ok(questions_make(&first, &target, 5, 2, 9, NULL));
    ok(questions_make(&again, &target, 5, 2, 9, NULL));
    ok(questions_make(&other, &target, 5, 2, 10, NULL));
    ck_assert_mem_eq(first.input, again.input, 40 * sizeof(float));
    ck_assert_int_ne(memcmp(first.input, other.input, 40 * sizeof(float)), 0);
    ck_assert_ptr_null(first.labels);
    questions_free(&first);
    questions_free(&again);
    questions_free(&other);
    ck_assert_int_eq(questions_make(&first, &target, 0, 1, 1, NULL), -EINVAL);
    ck_assert_int_eq(questions_make(&first, &target, SIZE_MAX, INFERENCE_ROWS, 1, NULL), -E2BIG);
    target.inputs = 784;
    ok(questions_make(&first, &target, 3, 1, 1, NULL));
    ck_assert_ptr_nonnull(first.labels);
    questions_free(&first);
}
END_TEST

START_TEST(right_answers_are_told_from_wrong_ones) {
    struct target target = {.host = "h:1", .inputs = 784, .outputs = 10};
    struct questions questions;
    float room[10];
    struct failure failure = {{0}};
    ok(questions_make(&questions, &target, 2, 1, 1, NULL));
    expect_ok(questions_answer(&questions, "wide:16x1:3", "/nowhere", &failure), failure.text, __FILE__, __LINE__);
    float right[10];
    memcpy(right, questions.expected + 10, sizeof right);
    struct inference_answer answer = {.rows = 1, .outputs = 10, .binary = {(const char *)right, sizeof right}};
    ck_assert(questions_right(&questions, 1, &answer, 1e-4, room));
    ck_assert(!questions_right(&questions, 0, &answer, 1e-4, room));
    right[3] += 1;
    ck_assert(!questions_right(&questions, 1, &answer, 1e-4, room));
    right[3] = NAN;
    ck_assert(!questions_right(&questions, 1, &answer, 1e-4, room));
    memcpy(right, questions.input, sizeof right);
    ck_assert(!questions_right(&questions, 0, &answer, 1e-4, room));
    answer.simulated = true;
    ck_assert(questions_right(&questions, 0, &answer, 1e-4, room));
    answer.rows = 2;
    ck_assert(!questions_right(&questions, 0, &answer, 1e-4, room));
    questions_free(&questions);
}
END_TEST

SUITE("serving_client", json_values_are_told_from_what_is_none, depth_has_an_end, whole_numbers_have_their_limit,
      a_binary_request_is_as_the_protocol_says, a_json_request_has_the_numbers_in_it, answers_are_read,
      bad_answers_are_refused, spoilt_answers_do_no_harm, addresses_are_understood, the_model_is_asked_for,
      questions_are_the_same_for_the_same_seed, right_answers_are_told_from_wrong_ones)
