/* test_serving_infer.c: inference requests as the clients write them, and as they may: read wherever they are cut. */
#include <math.h>

#include "infer_requests.h"

#define X "\"name\":\"x\",\"shape\":[2,4],\"datatype\":\"FP32\""
#define BINARY "{" X ",\"parameters\":{\"binary_data_size\":32}}"
#define DATA "{" X ",\"data\":[0.0,1.0,2.0,3.0,4.0,5.0,6.0,7.0]}"

/* What tritonclient.http 2 writes, byte for byte; each request has [2,4] numbers, 0 to 7. */
static const struct golden {
    const char *json;
    bool tensor, header; /* it follows the JSON; the header says where */
    struct infer_request request;
} GOLDENS[] = {
    {"{\"id\":\"abc\",\"inputs\":[" BINARY "],\"parameters\":{\"binary_data_output\":true}}",
     true,
     true,
     {.id = "abc", .output_wanted = true, .output_binary = true}},
    {"{\"inputs\":[" BINARY "],\"parameters\":{\"binary_data_output\":true}}",
     true,
     true,
     {.output_wanted = true, .output_binary = true}},
    {"{\"id\":\"abc\",\"inputs\":[" DATA "],\"parameters\":{\"binary_data_output\":true}}",
     false,
     false,
     {.id = "abc", .output_wanted = true, .output_binary = true}},
    {"{\"inputs\":[" DATA "],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"binary_data\":false}}]}",
     false,
     false,
     {.output_wanted = true}},
    {"{\"id\":\"abc\",\"inputs\":[" BINARY "],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"binary_data\":true}}]}",
     true,
     true,
     {.id = "abc", .output_wanted = true, .output_binary = true}},
    {"{\"id\":\"abc\",\"inputs\":[" BINARY "],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"binary_data\":false}}]}",
     true,
     true,
     {.id = "abc", .output_wanted = true}},
    {"{\"id\":\"abc\",\"inputs\":[" BINARY
     "],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"classification\":2,\"binary_data\":true}}]}",
     true,
     true,
     {.id = "abc", .output_wanted = true, .output_binary = true, .classes = 2}},
    {"{\"id\":\"abc\",\"inputs\":[" BINARY
     "],\"parameters\":{\"priority\":1,\"timeout\":5000,\"binary_data_output\":true}}",
     true,
     true,
     {.id = "abc", .output_wanted = true, .output_binary = true, .priority = 1, .timeout = 5000}},
    {"{\"id\":\"abc\",\"inputs\":[" BINARY "],\"parameters\":{\"sequence_id\":3,\"sequence_start\":true,"
     "\"sequence_end\":false,\"binary_data_output\":true,\"a\":1,\"b\":\"c\",\"d\":true}}",
     true,
     true,
     {.id = "abc", .output_wanted = true, .output_binary = true}},
    /* The C++ client: an empty id, the datatype before the shape, and the header also where all of it is JSON. */
    {"{\"id\":\"\",\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[2,4],\"parameters\":{"
     "\"binary_data_size\":32}}],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"binary_data\":true}}]}",
     true,
     true,
     {.output_wanted = true, .output_binary = true}},
    {"{\"id\":\"7\",\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[2,4],\"data\":[0,1,2,3,4,5,6,7]}]}",
     false,
     true,
     {.id = "7", .output_wanted = true}},
};

static struct body golden_body(const struct golden *golden) {
    struct body body = binary_body(golden->json, golden->tensor ? 32 : 0);
    body.header_length = golden->header ? body.header_length : -1;
    return body;
}

static void require_golden(const struct outcome *outcome, const struct golden *golden) {
    struct outcome expected = *outcome;
    expected.problem = (struct problem){0};
    expected.request = golden->request;
    expected.request.rows = 2;
    require_served(outcome, 2);
    require_same(outcome, &expected);
}

START_TEST(what_the_clients_write_is_read) {
    ck_assert_uint_eq(strlen(GOLDENS[0].json), 146); /* as it was on the wire */
    for (size_t i = 0; i < sizeof GOLDENS / sizeof *GOLDENS; i++) {
        struct body body = golden_body(&GOLDENS[i]);
        struct outcome outcome = read_everywhere(&body);
        require_golden(&outcome, &GOLDENS[i]);
        body.chunked = true;
        outcome = read_everywhere(&body);
        require_golden(&outcome, &GOLDENS[i]);
    }
}
END_TEST

START_TEST(what_the_clients_compress_is_read) {
    for (size_t i = 0; i < sizeof GOLDENS / sizeof *GOLDENS; i++) {
        struct body plain = golden_body(&GOLDENS[i]);
        struct body gzip = compressed(&plain, INFER_GZIP, 31), deflate = compressed(&plain, INFER_DEFLATE, 15);
        struct outcome outcome = i == 0 ? read_everywhere(&gzip) : read_cut(&gzip, 1, 1);
        require_golden(&outcome, &GOLDENS[i]);
        outcome = i == 0 ? read_everywhere(&deflate) : read_cut(&deflate, deflate.size, 1);
        require_golden(&outcome, &GOLDENS[i]);
        free((void *)(uintptr_t)gzip.data);
        free((void *)(uintptr_t)deflate.data);
    }
}
END_TEST

/* ---- other ways to write the same */

START_TEST(members_come_in_any_order) {
    static const char *const JSONS[] = {
        "{\"inputs\":[{\"data\":[0,1,2,3,4,5,6,7],\"datatype\":\"FP32\",\"name\":\"x\",\"shape\":[2,4]}]}",
        "{\"parameters\":{},\"outputs\":[{\"name\":\"y\"}],\"inputs\":[" DATA "],\"id\":\"\"}",
        " { \"inputs\" : [ { \"shape\" : [ 2 , 4 ] , \"name\" : \"x\" ,\r\n\t\"data\" : [ [ 0 , 1 , 2 , 3 ] ,\n[ 4 , 5 "
        ", "
        "6 , 7 ] ] , \"datatype\" : \"FP32\" } ] } \n",
        "{\"inputs\":[{\"n\\u0061me\":\"\\u0078\",\"shape\":[2,4],\"datatype\":\"FP\\u00332\",\"data\":[[[0],1,[2,3]],["
        "4,5,6,"
        "[[7]],[]]]}]}",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[2,4],\"datatype\":\"FP32\",\"data\":[0,1E0,20e-1,0.3e+1,4.0,5,6,7]}]}",
    };
    for (size_t i = 0; i < sizeof JSONS / sizeof *JSONS; i++) {
        struct body body = json_body(JSONS[i]);
        struct outcome outcome = read_everywhere(&body);
        require_served(&outcome, 2);
        require(outcome.request.output_wanted && !outcome.request.output_binary && outcome.request.id[0] == '\0');
    }
}
END_TEST

START_TEST(what_nobody_knows_is_passed_over) {
    struct body body = json_body(
        "{\"x\":{\"inputs\":[1,{\"id\":\"no\"},[]],\"id\":\"no\"},\"x\":null,\"y\":[[{}],\"]\",1,true],\"id\":\"yes\","
        "\"inputs\":[{\"parameters\":{\"content_type\":\"np\",\"more\":{\"binary_data_size\":1}},\"labels\":[[1]]," X
        ",\"data\":[0,1,2,3,4,5,6,7]}],\"outputs\":[{\"name\":\"y\",\"data\":[{\"name\":\"z\"}],\"shape\":[-1],"
        "\"parameters\":{"
        "\"other\":[true]}}],\"parameters\":{\"headers\":{\"a\":[\"b\"]},\"other\":[1,2]}}");
    struct outcome outcome = read_everywhere(&body);
    require_served(&outcome, 2);
    ck_assert_str_eq(outcome.request.id, "yes");
    require(!outcome.request.output_binary && outcome.request.classes == 0);
}
END_TEST

START_TEST(null_is_as_good_as_nothing) {
    struct body body = json_body("{\"id\":null,\"parameters\":null,\"outputs\":null,\"inputs\":[{\"parameters\":null," X
                                 ",\"data\":[0,1,2,3,4,5,6,7]}]}");
    struct outcome outcome = read_everywhere(&body);
    require_served(&outcome, 2);
    require(outcome.request.output_wanted && outcome.request.id[0] == '\0');
    body = binary_body("{\"inputs\":[{" X ",\"data\":null,\"parameters\":{\"binary_data_size\":32,"
                       "\"shared_memory_region\":null}}],\"parameters\":{\"priority\":null}}",
                       32);
    outcome = read_everywhere(&body);
    require_served(&outcome, 2);
}
END_TEST

START_TEST(an_empty_list_of_outputs_asks_for_none) {
    struct body body = json_body("{\"inputs\":[" DATA "],\"outputs\":[]}");
    struct outcome outcome = read_everywhere(&body);
    require_served(&outcome, 2);
    require(!outcome.request.output_wanted);
}
END_TEST

START_TEST(the_output_has_the_last_word_on_its_form) {
    static const struct {
        const char *output, *request;
        bool binary;
    } CASES[] = {{"", "", false},
                 {"\"binary_data\":false", "\"binary_data_output\":true", false},
                 {"\"binary_data\":true", "\"binary_data_output\":false", true},
                 {"", "\"binary_data_output\":true", true},
                 {"\"classification\":0", "\"binary_data_output\":true", true}};
    for (size_t i = 0; i < 2 * sizeof CASES / sizeof *CASES; i++) {
        char json[512], outputs[128], parameters[128];
        snprintf(outputs, sizeof outputs, "\"outputs\":[{\"name\":\"y\",\"parameters\":{%s}}]", CASES[i / 2].output);
        snprintf(parameters, sizeof parameters, "\"parameters\":{%s}", CASES[i / 2].request);
        snprintf(json, sizeof json, "{\"inputs\":[" DATA "],%s,%s}", i % 2 ? outputs : parameters,
                 i % 2 ? parameters : outputs);
        struct body body = json_body(json);
        struct outcome outcome = read_everywhere(&body);
        require_served(&outcome, 2);
        require(outcome.request.output_binary == CASES[i / 2].binary && outcome.request.classes == 0);
    }
}
END_TEST

/* ---- numbers */

START_TEST(numbers_are_kept_in_bounds) {
    static const struct {
        const char *parameters;
        uint8_t priority;
        uint64_t timeout;
    } CASES[] = {{"\"priority\":0,\"timeout\":0", 0, 0},
                 {"\"priority\":15", 15, 0},
                 {"\"priority\":18446744073709551615", INFER_PRIORITY, 0},
                 {"\"timeout\":18446744073709551615", 0, INFER_TIMEOUT},
                 {"\"timeout\":999999999999999", 0, 999999999999999}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char json[512];
        snprintf(json, sizeof json, "{\"inputs\":[" DATA "],\"parameters\":{%s}}", CASES[i].parameters);
        struct body body = json_body(json);
        struct outcome outcome = read_everywhere(&body);
        require_served(&outcome, 2);
        ck_assert_uint_eq(outcome.request.priority, CASES[i].priority);
        ck_assert_uint_eq(outcome.request.timeout, CASES[i].timeout);
    }
    struct body body =
        json_body("{\"inputs\":[" DATA "],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"classification\":"
                  "4294967297}}]}");
    struct outcome outcome = read_everywhere(&body);
    require_served(&outcome, 2);
    ck_assert_uint_eq(outcome.request.classes, OUTPUTS);
}
END_TEST

START_TEST(numbers_beyond_a_float_are_infinite_and_no_number_is_lost) {
    struct body body = json_body("{\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],\"datatype\":\"FP32\",\"data\":["
                                 "1.8521564417127638e31,-1e400,1e-400,-0.0]}]}");
    struct outcome outcome = read_everywhere(&body);
    ck_assert_int_eq(outcome.problem.status, 0);
    ck_assert_float_eq(outcome.input[0], 1.8521564417127638e31f);
    require(isinf(outcome.input[1]) && outcome.input[1] < 0 && !signbit(outcome.input[2]) && outcome.input[2] == 0);
    require(outcome.input[3] == 0 && signbit(outcome.input[3]));
}
END_TEST

START_TEST(binary_tensors_pass_bit_by_bit) {
    static const uint32_t BITS[ROWS * INPUTS] = {0x7fc00001, 0x7f800000, 0xff800000,
                                                 0x80000000, 0x00000001, 0xffffffff};
    struct body body = binary_body("{\"inputs\":[{\"name\":\"x\",\"shape\":[2,4],\"datatype\":\"FP32\",\"parameters\":{"
                                   "\"binary_data_size\":32}}]}",
                                   0);
    char data[512];
    memcpy(data, body.data, body.size);
    memcpy(data + body.size, BITS, 32);
    body.data = data;
    body.size += 32;
    struct outcome outcome = read_everywhere(&body);
    ck_assert_int_eq(outcome.problem.status, 0);
    ck_assert_mem_eq(outcome.input, BITS, sizeof BITS);
}
END_TEST

/* ---- sizes */

/* Longer than what a reader keeps of a token that is cut; the last number that fits there is not the last one. */
START_TEST(long_json_is_read) {
    static char json[12000];
    char *at = stpcpy(json, "{\"more\":[1234567");
    while (at < json + sizeof json - 512)
        at = stpcpy(at, ",1234567");
    strcpy(at, "],\"inputs\":[" DATA "]}");
    struct body body = json_body(json);
    body.header_length = (int64_t)body.size;
    for (size_t first = 1; first < 40; first++) {
        struct outcome outcome = read_cut(&body, first, body.size);
        require_served(&outcome, 2);
    }
}
END_TEST

START_TEST(all_rows_that_fit_are_taken_and_none_is_legal) {
    for (uint32_t rows = 0; rows <= ROWS; rows += ROWS) {
        char json[1024], *at = json;
        snprintf(
            json, sizeof json,
            "{\"inputs\":[{\"name\":\"x\",\"shape\":[%u,4],\"datatype\":\"FP32\",\"parameters\":{\"binary_data_size\":"
            "%u}}]}",
            rows, rows * 16);
        struct body body = binary_body(json, rows * 16);
        struct outcome outcome = read_everywhere(&body);
        require_served(&outcome, rows);
        at += sprintf(at, "{\"inputs\":[{\"name\":\"x\",\"shape\":[%u,4],\"datatype\":\"FP32\",\"data\":[", rows);
        for (uint32_t i = 0; i < rows * INPUTS; i++)
            at += sprintf(at, "%s%u", i > 0 ? "," : "", i);
        strcpy(at, "]}]}");
        body = json_body(json);
        outcome = read_everywhere(&body);
        require_served(&outcome, rows);
    }
}
END_TEST

START_TEST(raw_requests_are_nothing_but_rows) {
    for (uint32_t rows = 1; rows <= ROWS; rows++) {
        struct body body = binary_body("", rows * 16);
        struct outcome outcome = read_everywhere(&body);
        require_served(&outcome, rows);
        require(outcome.request.output_wanted && outcome.request.output_binary && outcome.request.classes == 0);
        body.chunked = true;
        outcome = read_everywhere(&body);
        require_served(&outcome, rows);
        struct body gzip = compressed(&body, INFER_GZIP, 31);
        outcome = read_cut(&gzip, 1, 1);
        require_served(&outcome, rows);
        free((void *)(uintptr_t)gzip.data);
    }
}
END_TEST

START_TEST(ids_are_kept_whole) {
    char id[INFER_ID], json[1024];
    memset(id, 'i', INFER_ID - 1);
    id[INFER_ID - 1] = '\0';
    snprintf(json, sizeof json, "{\"id\":\"%s\",\"inputs\":[" DATA "]}", id);
    struct body body = json_body(json);
    struct outcome outcome = read_cut(&body, 100, 1);
    require_served(&outcome, 2);
    ck_assert_str_eq(outcome.request.id, id);
    body = json_body("{\"id\":\"\\\"\\n\\u20ac\U0001f600\\\\\",\"inputs\":[" DATA "]}");
    outcome = read_everywhere(&body);
    require_served(&outcome, 2);
    ck_assert_str_eq(outcome.request.id, "\"\n\u20ac\U0001f600\\");
}
END_TEST

SUITE("serving_infer", what_the_clients_write_is_read, what_the_clients_compress_is_read, members_come_in_any_order,
      what_nobody_knows_is_passed_over, null_is_as_good_as_nothing, an_empty_list_of_outputs_asks_for_none,
      the_output_has_the_last_word_on_its_form, numbers_are_kept_in_bounds,
      numbers_beyond_a_float_are_infinite_and_no_number_is_lost, binary_tensors_pass_bit_by_bit, long_json_is_read,
      all_rows_that_fit_are_taken_and_none_is_legal, raw_requests_are_nothing_but_rows, ids_are_kept_whole)
