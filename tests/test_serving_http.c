/* test_serving_http.c: the HTTP server with clients that mean well: bodies, later answers, order, limits. */
#include <sys/resource.h>

#include "serving_toy.h"

/* ---- requests */

START_TEST(requests_are_answered_on_one_connection) {
    struct toy *toy = toy_start((struct http_options){0});
    struct caller caller = call(toy->port);
    for (int i = 0; i < 3; i++) {
        get(&caller, "/now");
        hear_echo(&caller, "GET", "/now", "", 0);
        post(&caller, "/now", "", "12345", 5);
        hear_echo(&caller, "POST", "/now", "12345", 5);
        post(&caller, "/later", "", "abc", 3);
        hear_echo(&caller, "POST", "/later", "abc", 3);
    }
    ck_assert_uint_eq(atomic_load(&toy->begun), 9);
    hang_up(&caller);
    await(atomic_load(&toy->connections) == 0);
    toy_stop(toy);
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order) {
    struct toy *toy = toy_start((struct http_options){0});
    struct caller caller = call(toy->port);
    say(&caller, "GET /later HTTP/1.1\r\nHost: t\r\n\r\nPOST /now HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nab"
                 "GET /now HTTP/1.1\r\nHost: t\r\n\r\n");
    hear_echo(&caller, "GET", "/later", "", 0);
    hear_echo(&caller, "POST", "/now", "ab", 2);
    hear_echo(&caller, "GET", "/now", "", 0);
    hang_up(&caller);
    toy_stop(toy);
}
END_TEST

START_TEST(a_request_may_come_one_byte_at_a_time) {
    static const char REQUEST[] = "POST /later HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n12345";
    struct toy *toy = toy_start((struct http_options){0});
    struct caller caller = call(toy->port);
    for (size_t i = 0; i < sizeof REQUEST - 1; i++)
        say_bytes(&caller, REQUEST + i, 1);
    hear_echo(&caller, "POST", "/later", "12345", 5);
    hang_up(&caller);
    toy_stop(toy);
}
END_TEST

START_TEST(bodies_come_whole_up_to_the_limit) {
    struct toy *toy = toy_start((struct http_options){0});
    struct caller caller = call(toy->port);
    char *body = malloc(TOY_BODY);
    for (size_t i = 0; i < TOY_BODY; i++)
        body[i] = (char)(i * 2654435761U >> 24);
    static const size_t SIZES[] = {1, 1000, 16384, 32768, 100000, TOY_BODY};
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        post(&caller, "/now", "", body, SIZES[i]);
        hear_echo(&caller, "POST", "/now", body, SIZES[i]);
    }
    free(body);
    hang_up(&caller);
    toy_stop(toy);
}
END_TEST

START_TEST(chunked_bodies_come_whole) {
    struct toy *toy = toy_start((struct http_options){0});
    struct caller caller = call(toy->port);
    say(&caller, "POST /now HTTP/1.1\r\nHost: t\r\ntransfer-encoding: Chunked\r\n\r\n5\r\n12345\r\n"
                 "A;extension=1\r\nabcdefghij\r\n0\r\nTrailer: yes\r\n\r\n");
    hear_echo(&caller, "POST", "/now", "12345abcdefghij", 15);
    get(&caller, "/now");
    hear_echo(&caller, "GET", "/now", "", 0);
    hang_up(&caller);
    toy_stop(toy);
}
END_TEST

START_TEST(a_post_without_a_length_has_no_body) {
    struct toy *toy = toy_start((struct http_options){0});
    struct caller caller = call(toy->port);
    say(&caller, "POST /now HTTP/1.1\r\nHost: t\r\n\r\n");
    hear_echo(&caller, "POST", "/now", "", 0);
    get(&caller, "/now");
    hear_echo(&caller, "GET", "/now", "", 0);
    hang_up(&caller);
    toy_stop(toy);
}
END_TEST

START_TEST(expect_is_answered_before_the_body) {
    struct toy *toy = toy_start((struct http_options){0});
    struct caller caller = call(toy->port);
    say(&caller, "POST /now HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    hear_status(&caller, 100);
    say(&caller, "body");
    hear_echo(&caller, "POST", "/now", "body", 4);
    hang_up(&caller);
    toy_stop(toy);
}
END_TEST

START_TEST(head_is_answered_without_a_body) {
    struct toy *toy = toy_start((struct http_options){0});
    struct caller caller = call(toy->port);
    say(&caller, "HEAD /now HTTP/1.1\r\nHost: t\r\n\r\n");
    struct heard heard = hear_head(&caller);
    ck_assert_int_eq(heard.status, 200);
    ck_assert_str_eq(heard_header(&heard, "Content-Length"), "13"); /* HEAD /now 0 0 */
    heard_free(&heard);
    get(&caller, "/now");
    hear_echo(&caller, "GET", "/now", "", 0);
    hang_up(&caller);
    toy_stop(toy);
}
END_TEST

START_TEST(headers_are_found_in_any_case_and_any_number) {
    struct toy *toy = toy_start((struct http_options){0});
    struct caller caller = call(toy->port);
    for (int others = 0; others < 40; others += 13) {
        say(&caller, "GET /header HTTP/1.1\r\nHost: t\r\n");
        for (int i = 0; i < others; i++)
            say(&caller, "Wanted-%d: no\r\n", i);
        say(&caller, "wANTED:  yes, it is\r\n\r\n");
        struct heard heard = hear(&caller);
        ck_assert_str_eq(heard.body, "yes, it is");
        heard_free(&heard);
    }
    get(&caller, "/header");
    hear_status(&caller, 404);
    hang_up(&caller);
    toy_stop(toy);
}
END_TEST

START_TEST(paths_come_as_they_are_without_their_query) {
    struct toy *toy = toy_start((struct http_options){0});
    struct caller caller = call(toy->port);
    get(&caller, "/a%2fb%00%zz?c=%00&d");
    hear_echo(&caller, "GET", "/a%2fb%00%zz", "", 0);
    hang_up(&caller);
    toy_stop(toy);
}
END_TEST

START_TEST(http_1_0_closes_after_the_answer) {
    struct toy *toy = toy_start((struct http_options){0});
    struct caller caller = call(toy->port);
    say(&caller, "GET /later HTTP/1.0\r\n\r\n");
    hear_echo(&caller, "GET", "/later", "", 0);
    hear_end(&caller);
    hang_up(&caller);
    toy_stop(toy);
}
END_TEST

START_TEST(a_large_answer_comes_whole) {
    struct toy *toy = toy_start((struct http_options){0});
    struct caller caller = call(toy->port);
    get(&caller, "/large");
    struct heard heard = hear(&caller);
    ck_assert_uint_eq(heard.size, TOY_LARGE);
    heard_free(&heard);
    get(&caller, "/now");
    hear_echo(&caller, "GET", "/now", "", 0);
    hang_up(&caller);
    toy_stop(toy);
}
END_TEST

/* ---- many */

/* As many as the limit of open files allows: both ends are in this process. */
static int many_connections(void) {
    struct rlimit limit;
    require(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    require(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    int room = ((int)limit.rlim_cur - 100) / 2;
    return room < 1000 ? room : 1000;
}

START_TEST(a_thousand_connections_wait_at_once) {
    static struct caller callers[1000];
    int count = UNDER_TSAN || UNDER_ASAN ? 200 : many_connections();
    struct toy *toy = toy_start((struct http_options){0});
    for (int i = 0; i < count; i++) {
        callers[i] = call(toy->port);
        get(&callers[i], "/wait");
    }
    await(atomic_load(&toy->begun) == (unsigned)count);
    ck_assert_uint_eq(atomic_load(&toy->ended), 0);
    toy_check(toy);
    await(atomic_load(&toy->connections) == (unsigned)count);
    toy_release(toy);
    for (int i = 0; i < count; i++) {
        hear_echo(&callers[i], "GET", "/wait", "", 0);
        hang_up(&callers[i]);
    }
    await(atomic_load(&toy->connections) == 0);
    toy_stop(toy);
}
END_TEST

static void hear_refusal(uint16_t port, const char *word) {
    struct caller caller = call(port);
    struct heard heard = hear(&caller);
    ck_assert_int_eq(heard.status, 503);
    ck_assert_msg(strstr(heard.body, word) != NULL, "%s", heard.body);
    heard_free(&heard);
    hear_end(&caller);
    hang_up(&caller);
}

static void fill_and_empty(struct http_options options, const char *word) {
    struct toy *toy = toy_start(options);
    struct caller callers[3];
    for (int i = 0; i < 3; i++) {
        callers[i] = call(toy->port);
        get(&callers[i], "/now");
        hear_echo(&callers[i], "GET", "/now", "", 0);
    }
    for (int i = 0; i < 5; i++)
        hear_refusal(toy->port, word);
    get(&callers[0], "/now"); /* those that are there are served as before */
    hear_echo(&callers[0], "GET", "/now", "", 0);
    hang_up(&callers[1]);
    await(atomic_load(&toy->connections) == 2);
    toy_check(toy);
    hang_up(&callers[0]);
    hang_up(&callers[2]);
    toy_stop(toy);
}

START_TEST(too_many_connections_of_one_address_are_refused_with_a_reason) {
    fill_and_empty((struct http_options){.connections_per_client = 3}, "from this address");
}
END_TEST

START_TEST(too_many_connections_are_refused_with_a_reason) {
    fill_and_empty((struct http_options){.connections = 3}, "too many connections;");
}
END_TEST

SUITE("serving_http", requests_are_answered_on_one_connection, pipelined_requests_are_answered_in_order,
      a_request_may_come_one_byte_at_a_time, bodies_come_whole_up_to_the_limit, chunked_bodies_come_whole,
      a_post_without_a_length_has_no_body, expect_is_answered_before_the_body, head_is_answered_without_a_body,
      headers_are_found_in_any_case_and_any_number, paths_come_as_they_are_without_their_query,
      http_1_0_closes_after_the_answer, a_large_answer_comes_whole, a_thousand_connections_wait_at_once,
      too_many_connections_of_one_address_are_refused_with_a_reason, too_many_connections_are_refused_with_a_reason)
