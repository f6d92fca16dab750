/* test_serving_views.c: what the server says about itself: health, metadata, configuration, statistics, metrics. */
#include <regex.h>

#include "serving_service.h"

/* Asks for inference of the two ROWS, so that there is something to count. */
static void infer_once(void) {
    char request[512], headers[100];
    size_t size = binary_request(request, headers, "");
    struct heard heard = ask(server->port, "POST", INFER, headers, request, size);
    ck_assert_int_eq(heard.status, 200);
    heard_free(&heard);
}

/* The document of a path is this one, whatever the order of its members. */
static void require_document(const char *path, int status, const char *expected) {
    json_t *document = get_json(server, path, status), *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);
    char *text = json_dumps(document, 0);
    require(wanted != NULL);
    ck_assert_msg(json_equal(document, wanted), "%s: %s", path, text);
    free(text);
    json_decref(document);
    json_decref(wanted);
}

START_TEST(health_is_told) {
    require_document("/v2/health/live", 200, "{\"live\":true}");
    require_document("/v2/health/ready?query=ignored", 200, "{\"ready\":true}");
    require_document("/v2/models/mlp/ready", 200, "{\"name\":\"mlp\",\"ready\":true}");
    require_document("/v2/models/mlp/versions/1/ready", 200, "{\"name\":\"mlp\",\"ready\":true}");
}
END_TEST

START_TEST(metadata_is_told) {
    static const char MLP[] = "{\"name\":\"mlp\",\"versions\":[\"1\"],\"platform\":\"atelier_safetensors\","
                              "\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,4]}],"
                              "\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[-1,3]}]}";
    require_document("/v2/models/mlp", 200, MLP);
    require_document("/v2/models/%6D%6c%70/versions/1/", 200, MLP);
    static const char *const PATHS[] = {"/v2", "/v2/"};
    for (size_t i = 0; i < 2; i++) {
        json_t *json = get_json(server, PATHS[i], 200);
        const char *name, *version;
        json_t *extensions;
        ck_assert_int_eq(
            json_unpack(json, "{s:s,s:s,s:o!}", "name", &name, "version", &version, "extensions", &extensions), 0);
        ck_assert(json_is_array(extensions));
        json_decref(json);
    }
}
END_TEST

/* ---- perf_analyzer: all that it reads, by the types that it reads it by */

static bool has_extension(const char *name) {
    json_t *json = get_json(server, "/v2", 200), *extension;
    size_t i;
    bool found = false;
    json_array_foreach(json_object_get(json, "extensions"), i, extension) {
        found = found || strcmp(json_string_value(extension), name) == 0;
    }
    json_decref(json);
    return found;
}

static void require_configuration(void) {
    json_t *json = get_json(server, "/v2/models/mlp/config", 200);
    const char *name, *platform, *backend, *input, *input_type, *output, *output_type, *instance, *kind;
    int most, inputs, outputs, count, delay, preferred, versions;
    json_t *cards;
    int code = json_unpack(
        json,
        "{s:s,s:s,s:s,s:i,s:[{s:s,s:s,s:[i!]!}!],s:[{s:s,s:s,s:[i!]!}!],s:[{s:s,s:s,s:i,s:o!}!],s:{s:[i!],s:i!},"
        "s:{s:{s:i!}!}!}",
        "name", &name, "platform", &platform, "backend", &backend, "max_batch_size", &most, "input", "name", &input,
        "data_type", &input_type, "dims", &inputs, "output", "name", &output, "data_type", &output_type, "dims",
        &outputs, "instance_group", "name", &instance, "kind", &kind, "count", &count, "gpus", &cards,
        "dynamic_batching", "preferred_batch_size", &preferred, "max_queue_delay_microseconds", &delay,
        "version_policy", "latest", "num_versions", &versions);
    ck_assert_int_eq(code, 0);
    ck_assert_int_gt(most, 0);
    ck_assert_int_eq(inputs, 4);
    ck_assert_int_eq(outputs, 3);
    ck_assert_str_eq(name, "mlp");
    ck_assert_str_eq(input, "x");
    ck_assert_str_eq(output, "y");
    ck_assert_str_eq(input_type, "TYPE_FP32");
    ck_assert_str_eq(kind, "KIND_CPU");
    ck_assert(json_is_array(cards));
    json_decref(json);
}

static json_int_t count_of(json_t *statistics, const char *name) {
    json_t *tally = json_object_get(statistics, name);
    ck_assert_msg(json_is_integer(json_object_get(tally, "count")) && json_is_integer(json_object_get(tally, "ns")),
                  "%s", name);
    return json_integer_value(json_object_get(tally, "count"));
}

/* The counts of success, queue and rows. */
struct counts {
    json_int_t success, queue, rows, batches;
};

static struct counts require_statistics(const char *path) {
    json_t *json = get_json(server, path, 200), *models = json_object_get(json, "model_stats");
    ck_assert_uint_eq(json_array_size(models), 1);
    const char *name, *version;
    json_int_t last, rows, batches;
    json_t *inference, *sizes, *memory, *size;
    int code = json_unpack(json_array_get(models, 0), "{s:s,s:s,s:I,s:I,s:I,s:o,s:o,s:o!}", "name", &name, "version",
                           &version, "last_inference", &last, "inference_count", &rows, "execution_count", &batches,
                           "inference_stats", &inference, "batch_stats", &sizes, "memory_usage", &memory);
    ck_assert_int_eq(code, 0);
    ck_assert_str_eq(name, "mlp");
    ck_assert_str_eq(version, "1"); /* which it reads as a number */
    ck_assert(json_is_array(memory));
    static const char *const KEYS[] = {"fail", "compute_input", "compute_infer", "compute_output"};
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        count_of(inference, KEYS[i]);
    ck_assert_int_eq(count_of(inference, "cache_hit") + count_of(inference, "cache_miss"), 0);
    json_int_t sum = 0;
    size_t i;
    json_array_foreach(sizes, i, size) {
        count_of(size, "compute_input");
        count_of(size, "compute_output");
        sum += count_of(size, "compute_infer") * json_integer_value(json_object_get(size, "batch_size"));
    }
    ck_assert_int_eq(sum, rows);
    struct counts counts = {count_of(inference, "success"), count_of(inference, "queue"), rows, batches};
    json_decref(json);
    return counts;
}

START_TEST(perf_analyzer_finds_all_that_it_reads) {
    json_decref(get_json(server, "/v2/models/mlp", 200));
    require_configuration();
    ck_assert(has_extension("statistics"));
    struct counts before = require_statistics("/v2/models/mlp/stats");
    for (int i = 0; i < 3; i++)
        infer_once();
    struct counts after = require_statistics("/v2/models/mlp/versions/1/stats");
    ck_assert_int_eq(after.success, before.success + 3);
    ck_assert_int_eq(after.queue, before.queue + 3);
    ck_assert_int_eq(after.rows, before.rows + 6);
    ck_assert_int_eq(after.batches, before.batches + 3);
    ck_assert_int_eq(require_statistics("/v2/models/stats").success, after.success);
    infer_once(); /* and it goes on */
    ck_assert_int_eq(require_statistics("/v2/models/stats").success, after.success + 1);
}
END_TEST

/* ---- paths that lead nowhere, and methods that are not meant */

START_TEST(wrong_paths_and_methods_are_refused) {
    static const struct {
        int status;
        const char *method, *path, *word, *allowed;
    } CASES[] = {
        {404, "GET", "/", "Not Found", NULL},
        {404, "GET", "/v3", "Not Found", NULL},
        {404, "GET", "/v2x", "Not Found", NULL},
        {404, "GET", "//v2", "Not Found", NULL},
        {404, "GET", "/v2/models", "Not Found", NULL},
        {404, "GET", "/v2/models/", "Not Found", NULL},
        {404, "GET", "/v2/models//ready", "Not Found", NULL},
        {404, "GET", "/v2/models/mlp/versions", "Not Found", NULL},
        {404, "GET", "/v2/models/mlp/infer/more", "Not Found", NULL},
        {404, "POST", "/v2/models/mlp/generate", "Not Found", NULL},
        {404, "GET", "/v2/trace/setting", "Not Found", NULL},
        {404, "POST", "/v2/logging", "Not Found", NULL},
        {404, "DELETE", "/nowhere", "Not Found", NULL},
        {404, "GET", "/v2/models/nobody", "nobody", NULL},
        {404, "GET", "/v2/models/nobody/ready", "nobody", NULL},
        {404, "GET", "/v2/models/nobody/config", "nobody", NULL},
        {404, "GET", "/v2/models/nobody/stats", "nobody", NULL},
        {404, "GET", "/v2/models/a%22%2Fb%5C", "a\"/b\\", NULL},
        {404, "GET", "/v2/models/mlp/versions/2", "2", NULL},
        {404, "GET", "/v2/models/mlp/versions/18446744073709551617", "1844", NULL},
        {400, "GET", "/v2/models/mlp/versions/1x", "number", NULL},
        {400, "GET", "/v2/models/%zz", "%", NULL},
        {400, "GET", "/v2/models/mlp%4", "%", NULL},
        {400, "GET", "/v2/models/%00", "%", NULL},
        {400, "GET", "/v2/models/%ff%fe", "UTF-8", NULL},
        {405, "GET", "/v2/models/mlp/infer", "POST", "POST"},
        {405, "HEAD", "/v2/repository/index", "", "POST"},
        {405, "POST", "/v2/health/live", "GET", "GET, HEAD"},
        {405, "PUT", "/v2/models/mlp", "GET", "GET, HEAD"},
        {405, "DELETE", "/metrics", "GET", "GET, HEAD"},
        {405, "OPTIONS", "/v2", "GET", "GET, HEAD"},
        {405, "BREW", "/v2/models/mlp/infer", "POST", "POST"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct heard heard = ask(server->port, CASES[i].method, CASES[i].path, "", NULL, 0);
        const char *allowed = heard_header(&heard, "Allow");
        ck_assert_msg((allowed == NULL) == (CASES[i].allowed == NULL), "%s", CASES[i].path);
        if (allowed != NULL)
            ck_assert_str_eq(allowed, CASES[i].allowed);
        if (strcmp(CASES[i].method, "HEAD") != 0) {
            require_error(&heard, CASES[i].status, CASES[i].word, CASES[i].path);
        } else {
            ck_assert_int_eq(heard.status, CASES[i].status);
            heard_free(&heard);
        }
    }
    char path[400];
    snprintf(path, sizeof path, "/v2/models/%0300d", 0);
    struct heard heard = ask(server->port, "GET", path, "", NULL, 0);
    require_error(&heard, 404, "longer", "a long name");
}
END_TEST

START_TEST(head_is_answered_where_get_is) {
    static const char *const PATHS[] = {"/v2", "/v2/health/ready", "/v2/models/mlp", "/metrics"};
    struct caller caller = call(server->port);
    for (size_t i = 0; i < sizeof PATHS / sizeof *PATHS; i++) {
        say(&caller, "HEAD %s HTTP/1.1\r\nHost: t\r\n\r\n", PATHS[i]);
        struct heard heard = hear_head(&caller);
        ck_assert_int_eq(heard.status, 200);
        ck_assert_int_gt(atoi(heard_header(&heard, "Content-Length")), 10);
        heard_free(&heard);
    }
    get(&caller, "/v2"); /* nothing was left between them */
    hear_status(&caller, 200);
    hang_up(&caller);
}
END_TEST

/* ---- shared memory, which is not offered */

START_TEST(shared_memory_is_not_offered_and_none_is_left_of_it) {
    static const char *const KINDS[] = {"system", "cuda"};
    for (size_t i = 0; i < 2; i++) {
        char path[100];
        snprintf(path, sizeof path, "/v2/%ssharedmemory/status", KINDS[i]);
        require_document(path, 200, "[]");
        snprintf(path, sizeof path, "/v2/%ssharedmemory/region/r/status", KINDS[i]);
        json_decref(get_json(server, path, 404));
        static const char *const UNREGISTER[] = {"unregister", "region/r/unregister"};
        for (size_t j = 0; j < 2; j++) {
            snprintf(path, sizeof path, "/v2/%ssharedmemory/%s", KINDS[i], UNREGISTER[j]);
            struct heard heard = ask(server->port, "POST", path, "", NULL, 0);
            ck_assert_int_eq(heard.status, 200);
            heard_free(&heard);
        }
        snprintf(path, sizeof path, "/v2/%ssharedmemory/region/r/register", KINDS[i]);
        json_decref(post_json(server, path, "{\"key\":\"/y\",\"offset\":0,\"byte_size\":8}", 400));
    }
}
END_TEST

/* ---- metrics */

/* The value behind this text at the beginning of a line. */
static double metric(const struct heard *heard, const char *name) {
    char line[200];
    snprintf(line, sizeof line, "\n%s ", name);
    const char *found = strstr(heard->body, line);
    ck_assert_msg(found != NULL, "%s: %s", name, heard->body);
    return strtod(found + strlen(line), NULL);
}

/* Each line is a help, a type, or a value with its labels, of the family that was announced before it. */
static void require_format(const char *text) {
    regex_t comment, sample;
    char family[100] = "", *copy = strdup(text), *rest = copy;
    require(regcomp(&comment, "^# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge|histogram))$", REG_EXTENDED) == 0);
    require(regcomp(&sample, "^[a-z_]+(\\{([a-z]+=\"[^\"]*\",?)+\\})? [0-9]+(\\.[0-9]+)?$", REG_EXTENDED) == 0);
    ck_assert_int_eq(text[strlen(text) - 1], '\n');
    for (char *line; (line = strsep(&rest, "\n")) != NULL && rest != NULL;) {
        bool is_comment = *line == '#';
        ck_assert_msg(regexec(is_comment ? &comment : &sample, line, 0, NULL, 0) == 0, "%s", line);
        if (is_comment)
            require(sscanf(line, "# %*s %99s", family) == 1);
        else
            ck_assert_msg(strncmp(line, family, strlen(family)) == 0, "%s after %s", line, family);
    }
    free(copy);
    regfree(&comment);
    regfree(&sample);
}

START_TEST(metrics_are_told_to_prometheus) {
    infer_once();
    infer_once();
    struct heard heard = ask(server->port, "GET", "/metrics", "", NULL, 0);
    ck_assert_int_eq(heard.status, 200);
    ck_assert_str_eq(heard_header(&heard, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    require_format(heard.body);
    static const struct {
        const char *name;
        double value;
    } METRICS[] = {
        {"nv_inference_request_success{model=\"mlp\",version=\"1\"}", 2},
        {"nv_inference_count{model=\"mlp\",version=\"1\"}", 4},
        {"nv_inference_exec_count{model=\"mlp\",version=\"1\"}", 2},
        {"nv_inference_pending_request_count{model=\"mlp\",version=\"1\"}", 0},
        {"nv_inference_request_failure{model=\"mlp\",version=\"1\",reason=\"REJECTED\"}", 0},
        {"atelier_model_ready{model=\"mlp\",version=\"1\"}", 1},
        {"atelier_batch_rows_bucket{model=\"mlp\",le=\"1\"}", 0},
        {"atelier_batch_rows_bucket{model=\"mlp\",le=\"2\"}", 2},
        {"atelier_batch_rows_bucket{model=\"mlp\",le=\"+Inf\"}", 2},
        {"atelier_batch_rows_sum{model=\"mlp\"}", 4},
        {"atelier_batch_rows_count{model=\"mlp\"}", 2},
        {"atelier_worker_requests{worker=\"0\",device=\"echo\"}", 2},
        {"atelier_worker_restarts{worker=\"0\",device=\"echo\"}", 0},
        {"atelier_workers{state=\"ready\"}", 1},
        {"atelier_requests", 0},
        {"atelier_slots", 4},
    };
    for (size_t i = 0; i < sizeof METRICS / sizeof *METRICS; i++)
        ck_assert_double_eq(metric(&heard, METRICS[i].name), METRICS[i].value);
    static const char *const TIMES[] = {"request", "queue", "compute_input", "compute_infer", "compute_output"};
    for (size_t i = 0; i < sizeof TIMES / sizeof *TIMES; i++) {
        char name[100];
        snprintf(name, sizeof name, "nv_inference_%s_duration_us{model=\"mlp\",version=\"1\"}", TIMES[i]);
        ck_assert_double_ge(metric(&heard, name), 0);
    }
    heard_free(&heard);
}
END_TEST

SUITE_WITH("serving_views", begin_server, end_server, health_is_told, metadata_is_told,
           perf_analyzer_finds_all_that_it_reads, wrong_paths_and_methods_are_refused, head_is_answered_where_get_is,
           shared_memory_is_not_offered_and_none_is_left_of_it, metrics_are_told_to_prometheus)
