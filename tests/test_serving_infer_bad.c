/* test_serving_infer_bad.c: inference requests that are wrong: each is refused, with its status and a sentence. */
#include "infer_requests.h"

#define X "\"name\":\"x\",\"shape\":[2,4],\"datatype\":\"FP32\""
#define NUMBERS "\"data\":[0,1,2,3,4,5,6,7]"
#define INPUTS_OK "\"inputs\":[{" X "," NUMBERS "}]"

struct wrong {
    const char *json;
    const char *word;
};

static void expect_refused(const struct body *body, int status, const char *word) {
    struct outcome outcome = read_everywhere(body);
    require_refused(&outcome, status, word, body->data);
}

/* However their length is said. */
static void expect_all_refused(const struct wrong *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct body body = json_body(cases[i].json);
        expect_refused(&body, 400, cases[i].word);
        body.chunked = true;
        expect_refused(&body, 400, cases[i].word);
        body.header_length = (int64_t)body.size;
        expect_refused(&body, 400, cases[i].word);
    }
}
#define EXPECT_ALL_REFUSED(cases) expect_all_refused(cases, sizeof(cases) / sizeof *(cases))

START_TEST(requests_that_are_none) {
    static const struct wrong CASES[] = {
        {" ", "ends too early"},
        {"{", "ends too early"},
        {"[]", "must be an object"},
        {"null", "must be an object"},
        {"\"inputs\"", "must be an object"},
        {"nonsense", "broken at byte 0"},
        {"{}", "no input"},
        {"{\"id\":\"x\",\"other\":[1]}", "no input"},
        {"{\"inputs\":[]}", "no input"},
        {"{\"inputs\":null}", "no input"},
        {"{\"inputs\":{}}", "\"inputs\" of a request must be an array"},
        {"{\"inputs\":[1]}", "\"inputs\" must hold objects only"},
        {"{\"inputs\":[null]}", "\"inputs\" must hold objects only"},
        {"{\"inputs\":[[]]}", "\"inputs\" must hold objects only"},
        {"{" INPUTS_OK "} x", "behind its end"},
        {"{" INPUTS_OK "}{}", "behind its end"},
        {"{" INPUTS_OK, "ends too early"},
        {"{" INPUTS_OK ",}", "name is missing"},
        {"{" INPUTS_OK ",\"other\":[}", "broken at byte"},
        {"{" INPUTS_OK ",\"other\":\"\xff\"}", "no UTF-8"},
        {"{" INPUTS_OK ",\"id\":7}", "\"id\" of a request must be a string"},
        {"{" INPUTS_OK ",\"id\":\"a\\u0000b\"}", "NUL"},
        {"{" INPUTS_OK ",\"parameters\":[]}", "\"parameters\" of a request must be an object"},
        {"{" INPUTS_OK "," INPUTS_OK "}", "\"inputs\" is there twice"},
        {"{" INPUTS_OK ",\"id\":\"a\",\"\\u0069d\":\"b\"}", "\"id\" is there twice"},
    };
    EXPECT_ALL_REFUSED(CASES);
}
END_TEST

START_TEST(parameters_that_are_wrong) {
#define PARAMETERS(text) "{\"parameters\":{" text "}," INPUTS_OK "}"
    static const struct wrong CASES[] = {
        {PARAMETERS("\"priority\":-1"), "\"priority\" must be a whole number"},
        {PARAMETERS("\"priority\":1.5"), "\"priority\" must be a whole number"},
        {PARAMETERS("\"priority\":18446744073709551616"), "\"priority\" must be a whole number"},
        {PARAMETERS("\"priority\":\"1\""), "\"priority\" of a request's parameters must be a number"},
        {PARAMETERS("\"priority\":1,\"priority\":2"), "\"priority\" is there twice"},
        {PARAMETERS("\"timeout\":1e3"), "\"timeout\" must be a whole number"},
        {PARAMETERS("\"timeout\":\"5000\""), "\"timeout\" of a request's parameters must be a number"},
        {PARAMETERS("\"timeout\":true"), "\"timeout\" of a request's parameters must be a number"},
        {PARAMETERS("\"binary_data_output\":1"), "must be true or false"},
        {PARAMETERS("\"binary_data_output\":\"true\""), "must be true or false"},
        {PARAMETERS("\"triton_enable_empty_final_response\":true"), "reserved"},
        {PARAMETERS("\"trit\\u006fn_\":1"), "reserved"},
    };
    EXPECT_ALL_REFUSED(CASES);
}
END_TEST

START_TEST(inputs_that_are_wrong) {
#define INPUT(text) "{\"inputs\":[{" text "}]}"
    static const struct wrong CASES[] = {
        {INPUT(""), "an input has no \"name\""},
        {INPUT("\"name\":\"z\""), "unknown input 'z'"},
        {INPUT("\"name\":\"X\""), "unknown input 'X'"},
        {INPUT("\"name\":\"x\\u0000\""), "unknown input"},
        {INPUT("\"name\":\"\""), "unknown input ''"},
        {INPUT("\"name\":1"), "\"name\" of an input must be a string"},
        {INPUT("\"name\":\"x\",\"name\":\"x\""), "\"name\" is there twice in an input"},
        {INPUT("\"name\":\"x\",\"shape\":[1,4]," NUMBERS), "an input has no \"datatype\""},
        {INPUT("\"name\":\"x\",\"datatype\":\"FP32\"," NUMBERS), "an input has no \"shape\""},
        {INPUT("\"shape\":[2,4],\"datatype\":\"FP32\"," NUMBERS), "an input has no \"name\""},
        {INPUT("\"datatype\":\"FP16\""), "'FP16', and the model takes FP32"},
        {INPUT("\"datatype\":\"BF16\""), "'BF16', and the model takes FP32"},
        {INPUT("\"datatype\":\"BYTES\""), "'BYTES', and the model takes FP32"},
        {INPUT("\"datatype\":\"INT32\""), "'INT32', and the model takes FP32"},
        {INPUT("\"datatype\":\"fp32\""), "'fp32', and the model takes FP32"},
        {INPUT("\"datatype\":32"), "\"datatype\" of an input must be a string"},
        {INPUT(X), "has neither"},
        {INPUT(X "," NUMBERS ",\"parameters\":{\"binary_data_size\":32}"), "has both"},
        {INPUT(X "," NUMBERS "," NUMBERS), "\"data\" is there twice"},
        {INPUT(X ",\"parameters\":{\"shared_memory_region\":\"r\"}"), "shared memory is not offered; send input 'x'"},
        {INPUT(X "," NUMBERS "},{\"name\":\"x\""), "has one input, 'x'"},
        {INPUT(X "," NUMBERS "},{\"name\":\"z\""), "has one input, 'x'"},
    };
    EXPECT_ALL_REFUSED(CASES);
}
END_TEST

START_TEST(shapes_that_are_wrong) {
#define SHAPE(shape) "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":" shape "," NUMBERS "}]}"
    static const struct wrong CASES[] = {
        {SHAPE("[]"), "has 0 dimensions, and must have 2: [rows, 4]"},
        {SHAPE("[8]"), "has 1 dimensions"},
        {SHAPE("[2,2,2]"), "has 3 dimensions"},
        {SHAPE("[4,2]"), "has shape [4,2], and must have [rows, 4]"},
        {SHAPE("[8,0]"), "has shape [8,0]"},
        {SHAPE("[-1,4]"), "whole number of at least 0, and is -1"},
        {SHAPE("[2.0,4]"), "whole number of at least 0, and is 2.0"},
        {SHAPE("[2e0,4]"), "whole number"},
        {SHAPE("[\"2\",4]"), "whole number"},
        {SHAPE("[[2],4]"), "whole number"},
        {SHAPE("[null,4]"), "whole number"},
        {SHAPE("[{},4]"), "whole number"},
        {SHAPE("8"), "\"shape\" of an input must be an array"},
        {SHAPE("[9,4]"), "has 9 rows, and the most of a request is 8"},
        {SHAPE("[4611686018427387904,4]"), "rows, and the most of a request is 8"},
        {SHAPE("[18446744073709551615,4]"), "rows, and the most of a request is 8"},
        {SHAPE("[18446744073709551616,4]"), "whole number"},
        {SHAPE("[1,18446744073709551615]"), "must have [rows, 4]"},
        {SHAPE("[4294967297,4]"), "has 4294967297 rows"},
    };
    EXPECT_ALL_REFUSED(CASES);
}
END_TEST

START_TEST(data_that_is_wrong) {
#define DATA(data) "{\"inputs\":[{" X ",\"data\":" data "}]}"
    static const struct wrong CASES[] = {
        {DATA("[]"), "has 0 numbers, and its shape needs 8"},
        {DATA("[1,2,3,4,5,6,7]"), "has 7 numbers, and its shape needs 8"},
        {DATA("[[1,2,3,4],[5,6,7,8,9]]"), "has 9 numbers, and its shape needs 8"},
        {DATA("[0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2]"), "more numbers than 8 rows of 4"},
        {DATA("[0,1,2,\"3\",4,5,6,7]"), "its element 3 is none"},
        {DATA("[0,1,2,true,4,5,6,7]"), "its element 3 is none"},
        {DATA("[null,1,2,3,4,5,6,7]"), "its element 0 is none"},
        {DATA("[[0,1,2,3],{\"a\":1}]"), "its element 4 is none"},
        {DATA("[0,1,2,3,4,5,6,NaN]"), "no value"},
        {DATA("[0,1,2,3,4,5,6,07]"), "begin with 0"},
        {DATA("\"AAAA\""), "\"data\" of an input must be an array"},
        {DATA("1"), "\"data\" of an input must be an array"},
    };
    EXPECT_ALL_REFUSED(CASES);
}
END_TEST

START_TEST(outputs_that_are_wrong) {
#define WITH_OUTPUTS(text) "{" INPUTS_OK ",\"outputs\":" text "}"
    static const struct wrong CASES[] = {
        {WITH_OUTPUTS("{}"), "\"outputs\" of a request must be an array"},
        {WITH_OUTPUTS("[\"y\"]"), "\"outputs\" must hold objects only"},
        {WITH_OUTPUTS("[{}]"), "an output has no \"name\""},
        {WITH_OUTPUTS("[{\"name\":\"z\"}]"), "unknown output 'z'"},
        {WITH_OUTPUTS("[{\"name\":\"y\"},{\"name\":\"y\"}]"), "has one output, 'y'"},
        {WITH_OUTPUTS("[{\"name\":\"y\",\"parameters\":{\"binary_data\":1}}]"), "must be true or false"},
        {WITH_OUTPUTS("[{\"name\":\"y\",\"parameters\":{\"classification\":-1}}]"),
         "whole number of classes, and is -1"},
        {WITH_OUTPUTS("[{\"name\":\"y\",\"parameters\":{\"classification\":1.5}}]"), "whole number of classes"},
        {WITH_OUTPUTS("[{\"name\":\"y\",\"parameters\":{\"classification\":\"1\"}}]"), "must be a number"},
        {WITH_OUTPUTS("[{\"name\":\"y\",\"parameters\":{\"shared_memory_region\":\"r\"}}]"),
         "shared memory is not offered; get output 'y'"},
    };
    EXPECT_ALL_REFUSED(CASES);
}
END_TEST

/* ---- what lies behind the JSON */

START_TEST(tensors_that_do_not_fit) {
#define SIZE(size) "{\"inputs\":[{" X ",\"parameters\":{\"binary_data_size\":" size "}}]}"
    static const struct {
        const char *json;
        size_t tensor;
        const char *known, *chunked; /* what is said when the body's length is known, and when not */
    } CASES[] = {
        {SIZE("32"), 31, "and 31 bytes follow", "and 31 bytes follow"},
        {SIZE("32"), 0, "and 0 bytes follow", "and 0 bytes follow"},
        {SIZE("32"), 33, "unexpected additional input data", "unexpected additional input data"},
        {SIZE("32"), 8 * 16 + 1, "129 bytes follow the JSON, more than 8 rows", "unexpected additional input data"},
        {SIZE("28"), 28, "needs 32 bytes", "needs 32 bytes"},
        {SIZE("36"), 36, "needs 32 bytes", "needs 32 bytes"},
        {SIZE("0"), 0, "needs 32 bytes", "needs 32 bytes"},
        {SIZE("-32"), 32, "whole number of bytes, and is -32", "whole number of bytes, and is -32"},
        {SIZE("32.0"), 32, "whole number of bytes", "whole number of bytes"},
        {SIZE("18446744073709551615"), 32, "needs 32 bytes", "needs 32 bytes"},
        {SIZE("18446744073709551648"), 32, "whole number of bytes", "whole number of bytes"},
        {SIZE("\"32\""), 32, "must be a number", "must be a number"},
        {"{" INPUTS_OK "}", 4, "unexpected additional input data", "unexpected additional input data"},
        {SIZE("32") "x", 32, "behind its end", "behind its end"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct body body = binary_body(CASES[i].json, CASES[i].tensor);
        expect_refused(&body, 400, CASES[i].known);
        body.chunked = true;
        expect_refused(&body, 400, CASES[i].chunked);
    }
}
END_TEST

START_TEST(header_lengths_that_do_not_fit) {
    struct body body = binary_body(SIZE("32"), 32);
    size_t json = strlen(SIZE("32"));
    static const struct {
        int by;
        const char *word;
    } CASES[] = {
        {-1, "ends too early"}, {1, "broken at byte"}, {32, "broken at byte"}, {33, "says"}, {1000000000, "says"}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        body.header_length = (int64_t)json + CASES[i].by;
        expect_refused(&body, 400, CASES[i].word);
    }
    body.header_length = -2;
    expect_refused(&body, 400, "must not be negative");
    body.header_length = INT64_MIN;
    expect_refused(&body, 400, "must not be negative");
    body.header_length = -1; /* all of it is said to be JSON */
    expect_refused(&body, 400, "broken at byte");
    body = json_body(SIZE("32"));
    expect_refused(&body, 400, "no header Inference-Header-Content-Length");
    body.chunked = true;
    body.header_length = (int64_t)json + 1;
    expect_refused(&body, 400, "says");
    body.header_length = INT64_MAX;
    expect_refused(&body, 413, "JSON has more than");
}
END_TEST

START_TEST(bodies_that_are_empty) {
    for (int chunked = 0; chunked < 2; chunked++) {
        struct body body = {.data = "", .header_length = -1, .chunked = chunked};
        expect_refused(&body, 400, "empty");
        body.header_length = 5;
        expect_refused(&body, 400, "empty");
        body.header_length = 0;
        expect_refused(&body, 400, "rows of 16 bytes, one or more");
    }
}
END_TEST

START_TEST(raw_requests_that_are_no_rows) {
    for (int chunked = 0; chunked < 2; chunked++)
        for (size_t size = 1; size <= (ROWS + 2) * 16; size++) {
            struct body body = binary_body("", size);
            body.chunked = chunked;
            struct outcome outcome = read_cut(&body, size, 1);
            if (size % 16 != 0 && size < ROWS * 16)
                require_refused(&outcome, 400, "rows of 16 bytes", "raw");
            else if (size > ROWS * 16)
                require_refused(&outcome, 400, size % 16 != 0 && !chunked ? "rows of 16" : "the most of a request is 8",
                                "raw");
            else
                require_served(&outcome, (uint32_t)size / 16);
        }
}
END_TEST

/* ---- more than anybody needs */

START_TEST(too_much_json_is_refused_before_it_is_read) {
    static char json[INFER_JSON + ROWS * INPUTS * 32 + 1024];
    size_t most = INFER_JSON + ROWS * INPUTS * 32;
    memset(json, ' ', sizeof json);
    memcpy(json, "{" INPUTS_OK "}", strlen("{" INPUTS_OK "}"));
    for (int chunked = 0; chunked < 2; chunked++) {
        struct body body = {.data = json, .size = most, .header_length = -1, .chunked = chunked};
        struct outcome outcome = read_cut(&body, most, 1);
        require_served(&outcome, 2);
        body.size++;
        outcome = read_cut(&body, body.size, 1);
        require_refused(&outcome, 413, "JSON has more than", "one byte too many");
        outcome = read_cut(&body, 1000, 1000);
        require_refused(&outcome, 413, "JSON has more than", "one byte too many");
    }
    struct body body = {.data = json, .size = INFER_JSON + 33, .header_length = INFER_JSON + 1};
    struct outcome outcome = read_cut(&body, 1000, 1000);
    require_refused(&outcome, 413, "JSON has more than", "much JSON and a tensor");
}
END_TEST

START_TEST(deep_and_long_json_is_refused) {
    static char json[8192];
    memset(json, '[', sizeof json);
    struct body body = {.data = json, .size = 200, .header_length = -1};
    memcpy(json, "{\"a\":", 5);
    expect_refused(&body, 400, "too deep");
    memcpy(json, "{\"inputs\":[{\"data\":", 19);
    expect_refused(&body, 400, "too deep");
    static const char *const BEGINS[] = {"{\"", "{\"id\":\"", "{\"inputs\":[{\"data\":[", "{\"inputs\":[{\"name\":\""};
    for (size_t i = 0; i < sizeof BEGINS / sizeof *BEGINS; i++) {
        memset(json, '1', sizeof json);
        memcpy(json, BEGINS[i], strlen(BEGINS[i]));
        body.size = sizeof json;
        for (size_t step = 1; step < 10000; step *= 21) {
            struct outcome outcome = read_cut(&body, step, step);
            require_refused(&outcome, 400, "too long", BEGINS[i]);
        }
    }
    snprintf(json, sizeof json, "{\"id\":\"%0*d\"}", INFER_ID, 1);
    body = json_body(json);
    expect_refused(&body, 400, "\"id\" has 256 bytes, and at most 255");
}
END_TEST

START_TEST(what_is_quoted_is_cut) {
    char json[1024], name[700];
    for (size_t size = 1; size < 600; size += 7) {
        memset(name, 0, sizeof name);
        for (size_t i = 0; i < size; i += 3)
            strcat(name, "\u20ac");
        snprintf(json, sizeof json, "{\"inputs\":[{\"name\":\"%s\"}]}", name);
        struct body body = json_body(json);
        struct outcome outcome = read_cut(&body, 50, 50);
        require_refused(&outcome, 400, "unknown input '\u20ac", json);
        require_refused(&outcome, 400, "'mlp' is 'x'", json); /* the sentence still has its end */
    }
}
END_TEST

SUITE("serving_infer_bad", requests_that_are_none, parameters_that_are_wrong, inputs_that_are_wrong,
      shapes_that_are_wrong, data_that_is_wrong, outputs_that_are_wrong, tensors_that_do_not_fit,
      header_lengths_that_do_not_fit, bodies_that_are_empty, raw_requests_that_are_no_rows,
      too_much_json_is_refused_before_it_is_read, deep_and_long_json_is_refused, what_is_quoted_is_cut)
