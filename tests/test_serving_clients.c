/* test_serving_clients.c: the clients that people use, with worker processes: tritonclient.http, and curl. */
#include "serving_service.h"

/* The server's thread would keep a test that is skipped from its end. */
#define skip_with(...)                                                                                                 \
    do {                                                                                                               \
        end_server();                                                                                                  \
        skip(__VA_ARGS__);                                                                                             \
    } while (0)

/* Two workers, as processes. */
static void begin_clients(void) {
    static const char *const DEVICES[] = {"echo", "echo"};
    make_folder();
    write_mlp("mlp");
    write_mlp("other");
    server = server_start(
        (struct engine_options){
            .mode = ENGINE_PROCESSES, .devices = DEVICES, .workers = 2, .slots = 100, .batching = {.most = 64}},
        (struct service_options){.timeout = 0});
}

START_TEST(tritonclient_is_served) {
    char output[4000];
    static const char PYTHON[] = "PYTHONPATH=build/python:$PYTHONPATH PYTHONDONTWRITEBYTECODE=1 python3";
    if (run_line(output, sizeof output, "%s -c 'import tritonclient.http'", PYTHON) != 0)
        skip_with("python3 has no tritonclient.http; ./setup test installs it into build/python");
    int status =
        run_line(output, sizeof output, "%s tests/serving_client.py 127.0.0.1:%u", PYTHON, (unsigned)server->port);
    ck_assert_msg(status == 0, "%s", output);
}
END_TEST

/* Runs curl with these arguments; what it prints must match this expression. */
static void curl(const char *arguments, const char *path, const char *expected) {
    char output[4000];
    int status = run_line(output, sizeof output, "curl --silent --show-error --max-time 20 %s http://127.0.0.1:%u%s",
                          arguments, (unsigned)server->port, path);
    ck_assert_msg(status == 0 && matches(output, expected), "curl %s %s: %d, %s", arguments, path, status, output);
}

START_TEST(curl_is_served) {
    char output[100];
    if (run_line(output, sizeof output, "curl --version >/dev/null") != 0)
        skip_with("there is no curl; apt install curl");
    curl("", "/v2/health/ready", "^\\{\"ready\":true\\}$");
    curl("--head", "/v2/health/ready", "^HTTP/1.1 200 OK");
    curl("--data '{\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],\"datatype\":\"FP32\",\"data\":[[1,2.5,-3,4]]}]}'",
         "/v2/models/mlp/infer", "\"shape\":\\[1,3\\],\"data\":\\[1(\\.0)?,2\\.5,-3(\\.0)?\\]");
    curl("--compressed --data "
         "'{\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],\"datatype\":\"FP32\",\"data\":[1,2,3,4]}]}'",
         "/v2/models/mlp/infer", "\"model_name\":\"mlp\"");
    curl("--header 'Expect: 100-continue' --header 'Transfer-Encoding: chunked' --data "
         "'{\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],\"datatype\":\"FP32\",\"data\":[1,2,3,4]}]}'",
         "/v2/models/mlp/infer", "\"model_name\":\"mlp\"");
    curl("--write-out '%{http_code}' --data '{}'", "/v2/models/mlp/infer", "\\{\"error\":\".*\"\\}400$");
    curl("--http1.0", "/v2", "\"extensions\"");
    curl("--request POST", "/v2/repository/index", "\"state\":\"READY\"");
    curl("", "/metrics", "nv_inference_request_success\\{model=\"mlp\",version=\"1\"\\} 3");
}
END_TEST

SUITE_WITH("serving_clients", begin_clients, end_server, tritonclient_is_served, curl_is_served)
