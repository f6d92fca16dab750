/* test_serving_answer.c: answers: what the clients get, byte for byte. */
#include <math.h>

#include "infer.h"
#include "json_write.h"
#include "watch.h"

static const struct signature SIGNATURE = {"mlp", "1", "x", "y", 4, 3, 8};
static const struct infer_service SERVICE = {"cpu", 2, 5, false};
static const float OUTPUT[] = {0.25f, 0.5f, 0.125f, -1.f, 3.4028235e38f, 0.1f};

#define BEGIN                                                                                                          \
    "\"model_name\":\"mlp\",\"model_version\":\"1\",\"parameters\":{\"device\":\"cpu\",\"worker\":2,\"batch\":5}"

/* What is asked for, and what is answered: JSON, and behind it so many bytes. */
static void expect_answer(const struct infer_request *request, const struct infer_service *service, const float *output,
                          const char *json, const void *tensor, size_t tensor_size) {
    struct infer_answer answer;
    struct problem problem = {0};
    require(infer_answer(&SIGNATURE, request, service, output, &answer, &problem) == 0);
    if (answer.size != strlen(json) + tensor_size || memcmp(answer.data, json, strlen(json)) != 0)
        ck_abort_msg("%.*s\nis not\n%s", (int)answer.size, answer.data, json);
    ck_assert_uint_eq(answer.header_length, tensor_size > 0 ? strlen(json) : 0);
    require(tensor_size == 0 || memcmp(answer.data + strlen(json), tensor, tensor_size) == 0);
    free(answer.data);
}

START_TEST(numbers_are_answered_as_json) {
    struct infer_request request = {.id = "abc", .rows = 2, .output_wanted = true};
    expect_answer(&request, &SERVICE, OUTPUT,
                  "{\"id\":\"abc\"," BEGIN
                  ",\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[2,3],\"data\":"
                  "[0.25,0.5,0.125,-1,3.4028235e38,0.1]}]}",
                  NULL, 0);
}
END_TEST

START_TEST(numbers_are_answered_as_they_are) {
    struct infer_request request = {.rows = 2, .output_wanted = true, .output_binary = true};
    expect_answer(&request, &SERVICE, OUTPUT,
                  "{" BEGIN ",\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[2,3],\"parameters\":{"
                  "\"binary_data_size\":24}}]}",
                  OUTPUT, 24);
    float strange[3] = {NAN, INFINITY, -0.f};
    request.rows = 1;
    expect_answer(&request, &SERVICE, strange,
                  "{" BEGIN ",\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[1,3],\"parameters\":{"
                  "\"binary_data_size\":12}}]}",
                  strange, 12);
}
END_TEST

START_TEST(an_empty_tensor_is_answered_by_one) {
    struct infer_request request = {.rows = 0, .output_wanted = true};
    expect_answer(&request, &SERVICE, OUTPUT,
                  "{" BEGIN ",\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[0,3],\"data\":[]}]}", NULL,
                  0);
    request.output_binary = true;
    expect_answer(&request, &SERVICE, OUTPUT,
                  "{" BEGIN ",\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[0,3],\"parameters\":{"
                  "\"binary_data_size\":0}}]}",
                  NULL, 0);
    request.classes = 2;
    expect_answer(&request, &SERVICE, OUTPUT,
                  "{" BEGIN ",\"outputs\":[{\"name\":\"y\",\"datatype\":\"BYTES\",\"shape\":[0,2],\"parameters\":{"
                  "\"binary_data_size\":0}}]}",
                  NULL, 0);
}
END_TEST

START_TEST(no_output_is_answered_by_none) {
    struct infer_request request = {.rows = 2, .output_binary = true, .classes = 1};
    expect_answer(&request, &SERVICE, OUTPUT, "{" BEGIN ",\"outputs\":[]}", NULL, 0);
}
END_TEST

START_TEST(simulated_answers_say_so) {
    struct infer_request request = {.rows = 2};
    struct infer_service service = {"sim:2000:30", 0, 1, true};
    expect_answer(
        &request, &service, OUTPUT,
        "{\"model_name\":\"mlp\",\"model_version\":\"1\",\"parameters\":{\"device\":\"sim:2000:30\",\"worker\":0,"
        "\"batch\":1,\"simulated\":true},\"outputs\":[]}",
        NULL, 0);
}
END_TEST

START_TEST(what_json_cannot_say_is_refused) {
    static const float STRANGE[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) {
        float output[3] = {1, STRANGE[i], 2};
        struct infer_request request = {.rows = 1, .output_wanted = true};
        struct infer_answer answer;
        struct problem problem = {0};
        ck_assert_int_eq(infer_answer(&SIGNATURE, &request, &SERVICE, output, &answer, &problem), -1);
        ck_assert_int_eq(problem.status, 400);
        ck_assert_str_eq(problem.text,
                         "number 1 of output 'y' is not finite, and JSON has no word for it; ask for binary output");
        require(answer.data == NULL);
    }
}
END_TEST

/* ---- classes */

START_TEST(the_best_classes_are_answered_as_texts) {
    struct infer_request request = {.rows = 2, .output_wanted = true, .classes = 2};
    expect_answer(&request, &SERVICE, OUTPUT,
                  "{" BEGIN ",\"outputs\":[{\"name\":\"y\",\"datatype\":\"BYTES\",\"shape\":[2,2],\"data\":[\"0.5:1\","
                  "\"0.25:0\",\"3.4028235e38:1\",\"0.1:2\"]}]}",
                  NULL, 0);
    request.output_binary = true;
    static const char BINARY[] = "\5\0\0\0"
                                 "0.5:1\6\0\0\0"
                                 "0.25:0\x0e\0\0\0"
                                 "3.4028235e38:1\5\0\0\0"
                                 "0.1:2";
    expect_answer(&request, &SERVICE, OUTPUT,
                  "{" BEGIN ",\"outputs\":[{\"name\":\"y\",\"datatype\":\"BYTES\",\"shape\":[2,2],\"parameters\":{"
                  "\"binary_data_size\":46}}]}",
                  BINARY, sizeof BINARY - 1);
}
END_TEST

START_TEST(equal_classes_stay_in_order_and_no_number_comes_last) {
    static const float TIES[] = {0.5f, 0.5f, 0.5f, NAN, -INFINITY, NAN, -0.f, INFINITY, 0.f};
    struct infer_request request = {.rows = 3, .output_wanted = true, .classes = 100};
    expect_answer(&request, &SERVICE, TIES,
                  "{" BEGIN ",\"outputs\":[{\"name\":\"y\",\"datatype\":\"BYTES\",\"shape\":[3,3],\"data\":[\"0.5:0\","
                  "\"0.5:1\",\"0.5:2\",\"-inf:1\",\"nan:0\",\"nan:2\",\"inf:1\",\"-0.0:0\",\"0:2\"]}]}",
                  NULL, 0);
}
END_TEST

/* ---- texts */

START_TEST(texts_are_escaped) {
    struct infer_request request = {.id = "\"\\\n\x01\u20ac"};
    struct infer_service service = {"a\tb", 0, 0, false};
    expect_answer(&request, &service, OUTPUT,
                  "{\"id\":\"\\\"\\\\\\n\\u0001\u20ac\",\"model_name\":\"mlp\",\"model_version\":\"1\",\"parameters\":{"
                  "\"device\":\"a\\tb\",\"worker\":0,\"batch\":0},\"outputs\":[]}",
                  NULL, 0);
}
END_TEST

START_TEST(errors_are_json_whatever_they_say) {
    static const char *const CASES[][2] = {
        {"", "{\"error\":\"\"}"},
        {"no such model", "{\"error\":\"no such model\"}"},
        {"a \"b\" \\ c/d", "{\"error\":\"a \\\"b\\\" \\\\ c/d\"}"},
        {"\b\f\n\r\t\x1b\x7f", "{\"error\":\"\\b\\f\\n\\r\\t\\u001b\x7f\"}"},
        {"\u20ac\U0001f600", "{\"error\":\"\u20ac\U0001f600\"}"},
        {"cut \xe2\x82", "{\"error\":\"cut \ufffd\ufffd\"}"},
        {"\xff\"\xc0\xaf", "{\"error\":\"\ufffd\\\"\ufffd\ufffd\"}"},
        {"\xed\xa0\x80x", "{\"error\":\"\ufffd\ufffd\ufffdx\"}"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char *error = infer_error(CASES[i][0]);
        ck_assert_ptr_nonnull(error);
        ck_assert_str_eq(error, CASES[i][1]);
        free(error);
    }
}
END_TEST

START_TEST(large_answers_grow) {
    enum { LARGE_ROWS = 300, LARGE_OUTPUTS = 50 };
    struct signature signature = {"mlp", "1", "x", "y", 4, LARGE_OUTPUTS, LARGE_ROWS};
    struct infer_request request = {.rows = LARGE_ROWS, .output_wanted = true, .classes = LARGE_OUTPUTS};
    static float output[LARGE_ROWS * LARGE_OUTPUTS];
    for (size_t i = 0; i < LARGE_ROWS * LARGE_OUTPUTS; i++)
        output[i] = -1.0000001e-30f;
    struct infer_answer answer;
    struct problem problem = {0};
    require(infer_answer(&signature, &request, &SERVICE, output, &answer, &problem) == 0);
    size_t texts = 0;
    for (size_t i = 0; i < answer.size; i++)
        texts += memcmp(answer.data + i, "\"-1.0000001e-30:", answer.size - i < 16 ? answer.size - i : 16) == 0;
    ck_assert_uint_eq(texts, LARGE_ROWS * LARGE_OUTPUTS);
    free(answer.data);
}
END_TEST

START_TEST(a_text_without_room_is_lost_as_a_whole) {
    struct json_writer writer;
    write_begin(&writer, 0);
    WRITE(&writer, "[");
    require(writer.data != NULL && writer.size == 1);
    require(write_room(&writer, SIZE_MAX) == NULL && writer.data == NULL);
    WRITE(&writer, "]");
    write_string(&writer, "a\n");
    require(writer.data == NULL && writer.size == 0);
    write_begin(&writer, 1);
    require(write_room(&writer, SIZE_MAX / 2 + 1) == NULL && writer.data == NULL);
}
END_TEST

/* So many numbers as no memory holds. */
START_TEST(answers_without_room_are_put_off) {
    if (UNDER_ASAN || UNDER_TSAN)
        skip("a sanitizer's malloc ends the program where memory is short");
    struct signature signature = {"mlp", "1", "x", "y", 4, 1u << 26, UINT32_MAX};
    struct infer_request request = {.rows = UINT32_MAX, .output_wanted = true, .output_binary = true};
    struct infer_answer answer;
    for (request.classes = 0; request.classes <= 1u << 20; request.classes += 1u << 20) {
        struct problem problem = {0};
        ck_assert_int_eq(infer_answer(&signature, &request, &SERVICE, OUTPUT, &answer, &problem), -1);
        ck_assert_int_eq(problem.status, 503);
        require(strstr(problem.text, "memory is short") != NULL && answer.data == NULL);
    }
}
END_TEST

SUITE("serving_answer", numbers_are_answered_as_json, numbers_are_answered_as_they_are,
      an_empty_tensor_is_answered_by_one, no_output_is_answered_by_none, simulated_answers_say_so,
      what_json_cannot_say_is_refused, the_best_classes_are_answered_as_texts,
      equal_classes_stay_in_order_and_no_number_comes_last, texts_are_escaped, errors_are_json_whatever_they_say,
      large_answers_grow, a_text_without_room_is_lost_as_a_whole, answers_without_room_are_put_off)
