/* test_serving_limits.c: a server that is full, requests that are late or abandoned, and the server's end. */
#include "serving_service.h"

static void say_half(struct caller *caller) {
    *caller = call(server->port);
    say(caller, "POST %s HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\n{", INFER);
}

/* Until so many requests are in the engine, at whatever stage. */
static bool are_here(int count) {
    struct heard heard = ask(server->port, "GET", "/metrics", "", NULL, 0);
    const char *line = strstr(heard.body, "\natelier_requests ");
    require(line != NULL);
    int here = atoi(line + strlen("\natelier_requests "));
    heard_free(&heard);
    return here == count;
}

START_TEST(a_full_server_says_so_before_it_reads_and_recovers) {
    struct caller callers[4];
    char request[512], headers[100];
    size_t size = binary_request(request, headers, "");
    for (int i = 0; i < 4; i++)
        say_half(&callers[i]);
    await(are_here(4));
    struct heard heard = ask(server->port, "POST", INFER, headers, request, size);
    ck_assert_str_eq(heard_header(&heard, "Retry-After"), "1");
    require_error(&heard, 503, "full", "a fifth request");
    struct caller fifth = call(server->port); /* whose body does not come */
    say(&fifth, "POST %s HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n", INFER);
    hear_status(&fifth, 503);
    hang_up(&fifth);
    for (int i = 0; i < 4; i++)
        hang_up(&callers[i]);
    await(are_here(0));
    heard = ask(server->port, "POST", INFER, headers, request, size);
    ck_assert_int_eq(heard.status, 200);
    heard_free(&heard);
}
END_TEST

/* With a device that takes its time, and so many rows in a batch. */
static void restart(const char *device, uint32_t most, struct service_options service) {
    const char *const devices[] = {device};
    server_stop(server);
    server = server_start(
        (struct engine_options){.mode = ENGINE_THREADS, .devices = devices, .workers = 1, .batching = {.most = most}},
        service);
}

/* One request keeps the only worker busy for 0.2 s, so that one that has a millisecond is too late. */
static void ask_too_late(const char *own, const char *other) {
    char request[512], headers[100];
    struct caller first = call(server->port);
    size_t size = binary_request(request, headers, other);
    post(&first, INFER, headers, request, size);
    await(are_here(1));
    size = binary_request(request, headers, own);
    struct heard heard = ask(server->port, "POST", INFER, headers, request, size);
    require_error(&heard, 504, "", "late");
    hear_status(&first, 200);
    hang_up(&first);
}

START_TEST(requests_that_come_too_late_are_given_up) {
    restart("sim:200000:0", 2, (struct service_options){.timeout = 0});
    ask_too_late(",\"parameters\":{\"timeout\":1000}", "");
}
END_TEST

START_TEST(the_servers_own_timeout_is_for_requests_that_name_none) {
    restart("sim:200000:0", 2, (struct service_options){.timeout = 1000000});
    ask_too_late("", ",\"parameters\":{\"timeout\":60000000}");
}
END_TEST

/* It waits for others, for an hour; but when its client has gone it is here no more. */
START_TEST(a_request_whose_client_has_gone_is_given_up) {
    static const char *const DEVICES[] = {"echo"};
    char request[512], headers[100];
    server_stop(server);
    server = server_start(
        (struct engine_options){
            .mode = ENGINE_THREADS, .devices = DEVICES, .workers = 1, .batching = {.most = 64, .delay = 3600000000000}},
        (struct service_options){.timeout = 0});
    struct caller caller = call(server->port);
    size_t size = binary_request(request, headers, "");
    post(&caller, INFER, headers, request, size);
    await(are_here(1));
    hang_up(&caller);
    await(are_here(0));
}
END_TEST

/* ---- its end */

START_TEST(a_server_that_ends_answers_what_it_has_begun) {
    char request[512], headers[100];
    size_t size = binary_request(request, headers, "");
    struct caller caller = call(server->port), other = call(server->port);
    say(&caller, "POST %s HTTP/1.1\r\nHost: t\r\n%sContent-Length: %zu\r\n\r\n", INFER, headers, size);
    say_bytes(&caller, request, size / 2);
    say(&other, "GET /v2/health/ready HTTP/1.1\r\nHost: t\r\n");
    await(are_here(1));
    atomic_store(&server->draining, true);
    require(eventfd_write(server->wake, 1) == 0);
    await(!somebody_listens(server->port));
    say_bytes(&caller, request + size / 2, size - size / 2);
    struct heard heard = hear(&caller);
    ck_assert_int_eq(heard.status, 200);
    heard_free(&heard);
    hear_end(&caller);
    hang_up(&caller);
    hang_up(&other);
}
END_TEST

SUITE_WITH("serving_limits", begin_server, end_server, a_full_server_says_so_before_it_reads_and_recovers,
           requests_that_come_too_late_are_given_up, the_servers_own_timeout_is_for_requests_that_name_none,
           a_request_whose_client_has_gone_is_given_up, a_server_that_ends_answers_what_it_has_begun)
