/* test_serving_protocol.c: inference by KServe v2, as clients put it on the wire, and what is refused. */
#include <zlib.h>

#include "serving_service.h"

/* ---- answers */

/* The only output of an answer. */
static json_t *output_of(json_t *json) {
    json_t *outputs = json_object_get(json, "outputs");
    ck_assert_uint_eq(json_array_size(outputs), 1);
    json_t *output = json_array_get(outputs, 0);
    ck_assert_str_eq(json_string_value(json_object_get(output, "name")), "y");
    ck_assert_str_eq(json_string_value(json_object_get(output, "datatype")), "FP32");
    return output;
}

static void require_shape(json_t *output, json_int_t rows) {
    json_t *shape = json_object_get(output, "shape");
    ck_assert_uint_eq(json_array_size(shape), 2);
    ck_assert_int_eq(json_integer_value(json_array_get(shape, 0)), rows);
    ck_assert_int_eq(json_integer_value(json_array_get(shape, 1)), 3);
}

/* The answer is binary, and brings the first 3 numbers of the first so many ROWS. Returns its JSON. */
static json_t *require_binary(struct heard *heard, size_t rows) {
    ck_assert_msg(heard->status == 200, "%s\n%s", heard->head, heard->body);
    ck_assert_str_eq(heard_header(heard, "Content-Type"), "application/octet-stream");
    size_t length = strtoul(heard_header(heard, "Inference-Header-Content-Length"), NULL, 10);
    json_t *json = json_of(heard, 200), *output = output_of(json);
    require_shape(output, (json_int_t)rows);
    ck_assert_ptr_null(json_object_get(output, "data"));
    json_t *size = json_object_get(json_object_get(output, "parameters"), "binary_data_size");
    ck_assert_int_eq(json_integer_value(size), (json_int_t)(rows * 12));
    ck_assert_uint_eq(heard->size, length + rows * 12);
    for (size_t i = 0; i < rows; i++)
        ck_assert_mem_eq(heard->body + length + i * 12, ROWS[i], 12);
    return json;
}

/* The same of one that is all JSON. */
static json_t *require_json(struct heard *heard, size_t rows) {
    ck_assert_msg(heard->status == 200, "%s\n%s", heard->head, heard->body);
    ck_assert_str_eq(heard_header(heard, "Content-Type"), "application/json");
    ck_assert_ptr_null(heard_header(heard, "Inference-Header-Content-Length"));
    json_t *json = json_of(heard, 200), *output = output_of(json), *data = json_object_get(output, "data");
    require_shape(output, (json_int_t)rows);
    ck_assert_uint_eq(json_array_size(data), rows * 3);
    for (size_t i = 0; i < rows * 3; i++)
        ck_assert_float_eq((float)json_number_value(json_array_get(data, i)), ROWS[i / 3][i % 3]);
    return json;
}

/* ---- the byte streams of the clients that exist */

START_TEST(the_python_clients_bytes_are_answered) {
    static const char HEAD[] =
        "POST /v2/models/mlp/infer HTTP/1.1\r\nuser-agent: python/gevent-http-client-2.0.8\r\n"
        "inference-header-content-length: 146\r\nhost: 127.0.0.1:8123\r\n"
        "content-length: 178\r\n\r\n"
        "{\"id\":\"abc\",\"inputs\":[{\"name\":\"x\",\"shape\":[2,4],\"datatype\":\"FP32\","
        "\"parameters\":{\"binary_data_size\":32}}],\"parameters\":{\"binary_data_output\":true}}";
    struct caller caller = call(server->port);
    for (int i = 0; i < 3; i++) { /* on one connection, as it does */
        say(&caller, "%s", HEAD);
        say_bytes(&caller, ROWS, sizeof ROWS);
        struct heard heard = hear(&caller);
        json_t *json = require_binary(&heard, 2);
        ck_assert_str_eq(json_string_value(json_object_get(json, "id")), "abc");
        ck_assert_str_eq(json_string_value(json_object_get(json, "model_name")), "mlp");
        ck_assert_str_eq(json_string_value(json_object_get(json, "model_version")), "1");
        json_decref(json);
        heard_free(&heard);
    }
    hang_up(&caller);
}
END_TEST

/* It says the inference header also where there is nothing binary, and an id that is empty. */
START_TEST(the_cpp_clients_bytes_are_answered) {
    static const char BODY[] = "{\"id\":\"\",\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[2,4],"
                               "\"data\":[0.5,1,-2,3,4,1.0000000000000000e-30,6,7]}],\"outputs\":[{\"name\":\"y\"}]}";
    char headers[200];
    snprintf(headers, sizeof headers,
             "User-Agent: libcurl-agent/1.0\r\nAccept: */*\r\nContent-Type: application/x-www-form-urlencoded\r\n"
             "Inference-Header-Content-Length: %zu\r\n",
             sizeof BODY - 1);
    struct heard heard = ask(server->port, "POST", INFER, headers, BODY, sizeof BODY - 1);
    json_t *json = require_json(&heard, 2);
    ck_assert_ptr_null(json_object_get(json, "id"));
    json_decref(json);
    heard_free(&heard);
}
END_TEST

START_TEST(a_raw_request_is_answered) {
    struct heard heard = ask(server->port, "POST", "/v2/models/m%6Cp/versions/1/infer?query=ignored",
                             "Inference-Header-Content-Length: 0\r\n", ROWS[0], sizeof ROWS[0]);
    json_decref(require_binary(&heard, 1));
    heard_free(&heard);
}
END_TEST

START_TEST(outputs_come_as_they_are_asked_for) {
    static const struct {
        const char *more;
        bool binary;
    } CASES[] = {
        {"", false},
        {",\"parameters\":{\"binary_data_output\":true}", true},
        {",\"parameters\":{\"binary_data_output\":false}", false},
        {",\"outputs\":[{\"name\":\"y\",\"parameters\":{\"binary_data\":true}}]", true},
        {",\"outputs\":[{\"name\":\"y\",\"parameters\":{\"binary_data\":false}}],\"parameters\":{\"binary_data_"
         "output\":true}",
         false},
        {",\"parameters\":{\"unknown\":1,\"priority\":3,\"timeout\":60000000}", false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char request[512], headers[100];
        size_t size = binary_request(request, headers, CASES[i].more);
        struct heard heard = ask(server->port, "POST", INFER, headers, request, size);
        json_decref(CASES[i].binary ? require_binary(&heard, 2) : require_json(&heard, 2));
        heard_free(&heard);
    }
}
END_TEST

START_TEST(no_rows_are_answered_by_none) {
    static const char BODY[] = "{\"inputs\":[{\"name\":\"x\",\"shape\":[0,4],\"datatype\":\"FP32\",\"data\":[]}]}";
    struct heard heard = ask(server->port, "POST", INFER, "", BODY, sizeof BODY - 1);
    json_decref(require_json(&heard, 0));
    heard_free(&heard);
}
END_TEST

/* ---- compression */

static size_t compressed(int window, const void *from, size_t size, char *to, size_t room) {
    z_stream stream = {
        .next_in = (Bytef *)from, .avail_in = (uInt)size, .next_out = (Bytef *)to, .avail_out = (uInt)room};
    require(deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    require(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&stream);
    return stream.total_out;
}

START_TEST(compressed_requests_are_answered) {
    static const struct {
        const char *name;
        int window;
    } ENCODINGS[] = {{"gzip", 31}, {"GZip", 31}, {"deflate", 15}};
    for (size_t i = 0; i < sizeof ENCODINGS / sizeof *ENCODINGS; i++) {
        char request[512], small[512], headers[100], all[200];
        size_t size = binary_request(request, headers, "");
        size = compressed(ENCODINGS[i].window, request, size, small, sizeof small);
        snprintf(all, sizeof all, "%sContent-Encoding: %s\r\n", headers, ENCODINGS[i].name);
        struct heard heard = ask(server->port, "POST", INFER, all, small, size);
        json_decref(require_json(&heard, 2));
        heard_free(&heard);
        heard = ask(server->port, "POST", INFER, all, small, size - 5);
        require_error(&heard, 400, "", "cut off");
    }
}
END_TEST

/* 40 rows, whose answer as JSON is longer than what is worth compressing. */
static struct heard ask_for_many(const char *accept) {
    char body[8192], headers[200];
    size_t size = (size_t)snprintf(body, sizeof body,
                                   "{\"inputs\":[{\"name\":\"x\",\"shape\":[40,4],\"datatype\":\"FP32\",\"data\":[");
    for (int i = 0; i < 160; i++)
        size += (size_t)snprintf(body + size, sizeof body - size, "%s%d.0000123e-20", i == 0 ? "" : ",", 10 + i);
    size += (size_t)snprintf(body + size, sizeof body - size, "]}],\"id\":\"%0250d\"}", 0);
    snprintf(headers, sizeof headers, "Accept-Encoding: %s\r\n", accept);
    return ask(server->port, "POST", INFER, headers, body, size);
}

START_TEST(answers_are_compressed_for_those_who_want_it) {
    static const struct {
        const char *accept, *encoding;
    } CASES[] = {
        {"gzip", "gzip"},
        {"deflate", "deflate"},
        {"gzip, deflate", "gzip"},
        {"gzip;q=0.5, deflate;q=0.6", "deflate"},
        {"deflate ; q=0.001 , br", "deflate"},
        {"GZIP;q=1.000", "gzip"},
        {"gzip;q=0", NULL},
        {"gzipped, br, *;q=0.1", NULL},
        {"identity", NULL},
        {",,;q=,", NULL},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct heard heard = ask_for_many(CASES[i].accept);
        ck_assert_int_eq(heard.status, 200);
        const char *encoding = heard_header(&heard, "Content-Encoding");
        ck_assert_msg((encoding == NULL) == (CASES[i].encoding == NULL), "%s", CASES[i].accept);
        if (encoding != NULL) {
            char plain[4096];
            ck_assert_str_eq(encoding, CASES[i].encoding);
            z_stream stream = {.next_in = (Bytef *)heard.body,
                               .avail_in = (uInt)heard.size,
                               .next_out = (Bytef *)plain,
                               .avail_out = sizeof plain};
            require(inflateInit2(&stream, strcmp(encoding, "gzip") == 0 ? 31 : 15) == Z_OK);
            ck_assert_int_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
            ck_assert_uint_gt(stream.total_out, heard.size);
            ck_assert_int_eq(plain[stream.total_out - 1], '}');
            inflateEnd(&stream);
        }
        heard_free(&heard);
    }
}
END_TEST

/* ---- what is refused */

#define X(rest) "{\"inputs\":[{\"name\":\"x\"," rest "}]}"
#define DATA "\"data\":[1,2,3,4]"

START_TEST(wrong_requests_are_refused_with_what_is_wrong) {
    static const struct {
        int status;
        const char *word, *path, *headers, *body;
    } CASES[] = {
        {404, "nobody", "/v2/models/nobody/infer", "", X(DATA)},
        {404, "2", "/v2/models/mlp/versions/2/infer", "", X(DATA)},
        {400, "version", "/v2/models/mlp/versions/one/infer", "", X(DATA)},
        {501, "br", INFER, "Content-Encoding: br\r\n", X(DATA)},
        {400, "", INFER, "Inference-Header-Content-Length: -1\r\n", X(DATA)},
        {400, "number", INFER, "Inference-Header-Content-Length: x\r\n", X(DATA)},
        {400, "number", INFER, "Inference-Header-Content-Length: \r\n", X(DATA)},
        {400, "number", INFER, "Inference-Header-Content-Length: 5 5\r\n", X(DATA)},
        {400, "number", INFER, "Inference-Header-Content-Length: 99999999999999999999\r\n", X(DATA)},
        {400, "", INFER, "Inference-Header-Content-Length: 1000\r\n", X(DATA)},
        {400, "", INFER, "Inference-Header-Content-Length: 0\r\n", "12345"},
        {400, "empty", INFER, "", ""},
        {400, "", INFER, "", "not JSON"},
        {400, "", INFER, "", "[]"},
        {400, "input", INFER, "", "{}"},
        {400, "input", INFER, "", "{\"inputs\":[]}"},
        {400, "z", INFER, "", "{\"inputs\":[{\"name\":\"z\",\"shape\":[1,4],\"datatype\":\"FP32\"," DATA "}]}"},
        {400, "INT32", INFER, "", X("\"shape\":[1,4],\"datatype\":\"INT32\"," DATA)},
        {400, "shape", INFER, "", X("\"shape\":[1,5],\"datatype\":\"FP32\"," DATA)},
        {400, "dimension", INFER, "", X("\"shape\":[4],\"datatype\":\"FP32\"," DATA)},
        {400, "dimension", INFER, "", X("\"shape\":[-1,4],\"datatype\":\"FP32\"," DATA)},
        {400, "", INFER, "", X("\"shape\":[4611686018427387905,4],\"datatype\":\"FP32\"," DATA)},
        {400, "data", INFER, "", X("\"shape\":[2,4],\"datatype\":\"FP32\"," DATA)},
        {400, "exactly one", INFER, "", X("\"shape\":[1,4],\"datatype\":\"FP32\"")},
        {400, "shared memory", INFER, "",
         X("\"shape\":[1,4],\"datatype\":\"FP32\",\"parameters\":{\"shared_memory_region\":\"r\","
           "\"shared_memory_byte_size\":16}")},
        {400, "w", INFER, "",
         "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],\"datatype\":\"FP32\"," DATA
         "}],\"outputs\":[{\"name\":\"w\"}]}"},
        {400, "triton_", INFER, "",
         "{\"parameters\":{\"triton_x\":1},\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],\"datatype\":\"FP32\"," DATA
         "}]}"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct heard heard =
            ask(server->port, "POST", CASES[i].path, CASES[i].headers, CASES[i].body, strlen(CASES[i].body));
        if (CASES[i].status == 501)
            ck_assert_str_eq(heard_header(&heard, "Accept-Encoding"), "gzip, deflate");
        require_error(&heard, CASES[i].status, CASES[i].word, CASES[i].body);
    }
}
END_TEST

START_TEST(binary_data_must_have_the_size_that_it_says) {
    char request[600], headers[100];
    size_t size = binary_request(request, headers, "");
    struct heard heard = ask(server->port, "POST", INFER, headers, request, size - 1);
    require_error(&heard, 400, "", "short");
    memset(request + size, 0, 8);
    heard = ask(server->port, "POST", INFER, headers, request, size + 8);
    require_error(&heard, 400, "", "excess");
}
END_TEST

START_TEST(bodies_too_large_are_refused) {
    struct caller caller = call(server->port);
    say(&caller, "POST %s HTTP/1.1\r\nHost: t\r\nContent-Length: 1048577\r\n\r\n", INFER);
    struct heard heard = hear(&caller);
    require_error(&heard, 413, "limit", "by its length");
    hang_up(&caller);
}
END_TEST

SUITE_WITH("serving_protocol", begin_server, end_server, the_python_clients_bytes_are_answered,
           the_cpp_clients_bytes_are_answered, a_raw_request_is_answered, outputs_come_as_they_are_asked_for,
           no_rows_are_answered_by_none, compressed_requests_are_answered, answers_are_compressed_for_those_who_want_it,
           wrong_requests_are_refused_with_what_is_wrong, binary_data_must_have_the_size_that_it_says,
           bodies_too_large_are_refused)
