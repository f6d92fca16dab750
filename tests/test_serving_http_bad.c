/* test_serving_http_bad.c: the HTTP server with clients that lie, dawdle, vanish, or speak no HTTP. */
#include <sys/socket.h>

#include "serving_toy.h"

static struct toy *toy;

static void begin(void) {
    toy = toy_start((struct http_options){.idle = 1});
}

/* Whatever happened: it still answers, nobody is left, and each request that began has ended. */
static void end(void) {
    toy_check(toy);
    await(atomic_load(&toy->connections) == 0);
    toy_stop(toy);
}

/* The connection ends after this answer, and what follows on it is not taken for a request. */
static void hear_last(struct caller *caller, int status) {
    hear_status(caller, status);
    hear_end(caller);
    hang_up(caller);
}

/* ---- framing */

START_TEST(lengths_that_contradict_themselves_are_refused) {
    static const struct {
        int status;
        const char *headers;
    } CASES[] = {
        {400, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"},
        {400, "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"},
        {400, "Transfer-Encoding: identity\r\nContent-Length: 5\r\n"},
        {400, "Content-Length: 5\r\nContent-Length: 6\r\n"},
        {400, "Content-Length: 5\r\nContent-Length: 5\r\n"},
        {501, "Transfer-Encoding: gzip\r\n"},
        {501, "Transfer-Encoding: gzip, chunked\r\n"},
        {501, "Transfer-Encoding: chunked, chunked\r\n"},
        {501, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"},
        {501, "Transfer-Encoding:\r\n"},
        {413, "Content-Length: 1048577\r\n"},
        {413, "Content-Length: 9223372036854775807\r\n"},
        {413, "Content-Length: 18446744073709551615\r\n"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct caller caller = call(toy->port);
        say(&caller, "POST /now HTTP/1.1\r\nHost: t\r\n%s\r\n5\r\n12345\r\n0\r\n\r\n", CASES[i].headers);
        struct heard heard = hear(&caller);
        ck_assert_msg(heard.status == CASES[i].status, "%s: %s", CASES[i].headers, heard.head);
        ck_assert_str_eq(heard_header(&heard, "Connection"), "close");
        ck_assert_ptr_eq(strstr(heard.body, "{\"error\":\""), heard.body);
        heard_free(&heard);
        hear_end(&caller);
        hang_up(&caller);
    }
    ck_assert_uint_eq(atomic_load(&toy->begun), 0); /* nobody was asked */
}
END_TEST

/* Those that the library refuses, which says so in a text of its own. */
START_TEST(lengths_that_are_no_numbers_are_refused) {
    static const char *const LENGTHS[] = {"-1", "+5", "5x", "x", "", "0x5", "5, 5", "5.0", "99999999999999999999999"};
    for (size_t i = 0; i < sizeof LENGTHS / sizeof *LENGTHS; i++) {
        struct caller caller = call(toy->port);
        say(&caller, "POST /now HTTP/1.1\r\nHost: t\r\nContent-Length: %s\r\n\r\n12345", LENGTHS[i]);
        struct heard heard = hear_head(&caller);
        ck_assert_msg(heard.status == 400 || heard.status == 413, "%s: %s", LENGTHS[i], heard.head);
        heard_free(&heard);
        hang_up(&caller);
    }
    ck_assert_uint_eq(atomic_load(&toy->begun), 0);
}
END_TEST

START_TEST(chunks_that_are_none_are_refused) {
    static const char *const BODIES[] = {"zz\r\n12345\r\n0\r\n\r\n", "-5\r\n12345\r\n0\r\n\r\n", "\r\n\r\n",
                                         "5\r\n1234567\r\n0\r\n\r\n", "FFFFFFFFFFFFFFFFF\r\n1"};
    for (size_t i = 0; i < sizeof BODIES / sizeof *BODIES; i++) {
        struct caller caller = call(toy->port);
        say(&caller, "POST /now HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n%s", BODIES[i]);
        struct heard heard = hear_head(&caller);
        ck_assert_msg(heard.status == 400 || heard.status == 413, "%s: %s", BODIES[i], heard.head);
        heard_free(&heard);
        hang_up(&caller);
    }
}
END_TEST

/* What the answer to each of these is matters less than that there is one. */
START_TEST(heads_that_are_none_are_refused) {
    static const char *const HEADS[] = {"GET /now HTTP/1.1\r\n\r\n", "GET /now HTTP/1.1\r\nHost : t\r\n\r\n",
                                        "GET /now HTTP/9.9\r\nHost: t\r\n\r\n", "GET /now SMTP\r\nHost: t\r\n\r\n",
                                        "GET /now HTTP/1.1\r\nHost\r\n\r\n"};
    for (size_t i = 0; i < sizeof HEADS / sizeof *HEADS; i++) {
        struct caller caller = call(toy->port);
        say(&caller, "%s", HEADS[i]);
        shutdown(caller.socket, SHUT_WR);
        char answer[64] = "";
        ssize_t size = recv(caller.socket, answer, sizeof answer - 1, 0);
        ck_assert_msg(size <= 0 || strncmp(answer, "HTTP/1.1 4", 10) == 0 || strncmp(answer, "HTTP/1.1 5", 10) == 0,
                      "%s: %s", HEADS[i], answer);
        hang_up(&caller);
    }
}
END_TEST

START_TEST(bare_line_feeds_end_lines) {
    struct caller caller = call(toy->port);
    say(&caller, "GET /now HTTP/1.1\nHost: t\n\n");
    hear_status(&caller, 200);
    hang_up(&caller);
}
END_TEST

START_TEST(headers_too_large_or_too_many_are_refused) {
    struct caller caller = call(toy->port);
    char *large = malloc(65536 + 1);
    memset(large, 'y', 65536);
    large[65536] = '\0';
    say(&caller, "GET /now HTTP/1.1\r\nHost: t\r\nLarge: %s\r\n\r\n", large);
    hear_status(&caller, 431);
    hang_up(&caller);
    caller = call(toy->port);
    say(&caller, "GET /%s HTTP/1.1\r\nHost: t\r\n\r\n", large);
    hear_status(&caller, 414);
    hang_up(&caller);
    caller = call(toy->port);
    say(&caller, "GET /now HTTP/1.1\r\nHost: t\r\n");
    for (int i = 0; i < 1000; i++)
        say(&caller, "Header-%d: value\r\n", i);
    say(&caller, "\r\n");
    hear_status(&caller, 431);
    hang_up(&caller);
    free(large);
}
END_TEST

START_TEST(bytes_that_are_no_http_at_all_do_no_harm) {
    uint64_t seed = 1;
    for (int i = 0; i < 200; i++) {
        unsigned char bytes[512];
        struct caller caller = call(toy->port);
        for (size_t j = 0; j < sizeof bytes; j++) {
            seed = seed * 6364136223846793005U + 1442695040888963407U;
            bytes[j] = i % 2 == 0 ? (unsigned char)(seed >> 56) : (unsigned char)"GET / HTP1.:\r\n\r\n"[seed >> 60];
        }
        say_bytes(&caller, bytes, sizeof bytes);
        hang_up(&caller);
    }
}
END_TEST

/* ---- bodies that nobody wants */

START_TEST(a_refused_client_keeps_its_connection_if_its_body_is_short) {
    struct caller caller = call(toy->port);
    char body[4096] = "";
    static const char *const PATHS[] = {"/refuse", "/stop"};
    for (int i = 0; i < 4; i++) {
        post(&caller, PATHS[i % 2], "", body, sizeof body);
        struct heard heard = hear(&caller);
        ck_assert_int_eq(heard.status, i % 2 == 0 ? 503 : 400);
        ck_assert_str_eq(heard.body, i % 2 == 0 ? "full" : "stop");
        heard_free(&heard);
    }
    get(&caller, "/refuse");
    hear_status(&caller, 503);
    get(&caller, "/now");
    hear_status(&caller, 200);
    hang_up(&caller);
}
END_TEST

START_TEST(a_refusal_does_not_wait_for_a_body_that_is_long_or_waits_itself) {
    static const char *const HEADERS[] = {"Content-Length: 1000000\r\n", "Transfer-Encoding: chunked\r\n",
                                          "Content-Length: 5\r\nExpect: 100-continue\r\n"};
    for (size_t i = 0; i < sizeof HEADERS / sizeof *HEADERS; i++) {
        struct caller caller = call(toy->port);
        say(&caller, "POST /refuse HTTP/1.1\r\nHost: t\r\n%s\r\n", HEADERS[i]);
        hear_last(&caller, 503);
    }
}
END_TEST

START_TEST(a_body_too_large_is_refused_though_it_was_sent) {
    size_t size = 3 * TOY_BODY;
    char *body = calloc(1, size);
    struct caller caller = call(toy->port);
    post(&caller, "/now", "", body, size); /* says its length */
    hear_last(&caller, 413);
    caller = call(toy->port);
    say(&caller, "POST /now HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", TOY_BODY + 1000);
    say_bytes(&caller, body, TOY_BODY + 1000);
    say(&caller, "\r\n0\r\n\r\n");
    hear_status(&caller, 413);
    hang_up(&caller);
    caller = call(toy->port); /* never says its length, and never ends */
    say(&caller, "POST /now HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
    bool listens = true;
    for (int i = 0; i < 4096 && listens; i++) {
        listens = say(&caller, "10000\r\n");
        listens = listens && say_bytes(&caller, body, 0x10000) && say(&caller, "\r\n");
    }
    ck_assert(!listens);
    hang_up(&caller);
    free(body);
}
END_TEST

/* ---- clients that go */

START_TEST(clients_may_hang_up_at_any_stage) {
    static const char *const PARTS[] = {"G",
                                        "GET /now HTTP/1.1\r\nHo",
                                        "POST /now HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nhalf",
                                        "POST /now HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123",
                                        "GET /now HTTP/1.1\r\nHost: t\r\n\r\n",
                                        "GET /large HTTP/1.1\r\nHost: t\r\n\r\n",
                                        "GET /later HTTP/1.1\r\nHost: t\r\n\r\n"};
    for (size_t i = 0; i < 10 * sizeof PARTS / sizeof *PARTS; i++) {
        struct caller caller = call(toy->port);
        say(&caller, "%s", PARTS[i / 10]);
        if (i % 2 == 0) /* a reset instead of an end */
            setsockopt(caller.socket, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
        hang_up(&caller);
    }
    await(atomic_load(&toy->ended) == atomic_load(&toy->begun)); /* without any timeout of the server */
}
END_TEST

START_TEST(requests_whose_clients_have_gone_end_without_an_answer) {
    struct caller callers[100];
    for (int i = 0; i < 100; i++) {
        callers[i] = call(toy->port);
        get(&callers[i], "/wait");
    }
    await(atomic_load(&toy->begun) == 100);
    for (int i = 0; i < 100; i += 2)
        hang_up(&callers[i]);
    await(atomic_load(&toy->ended) == 50);
    toy_release(toy);
    for (int i = 1; i < 100; i += 2) {
        hear_status(&callers[i], 200);
        hang_up(&callers[i]);
    }
}
END_TEST

START_TEST(half_closed_clients_hear_what_becomes_of_their_request) {
    struct caller caller = call(toy->port);
    get(&caller, "/now");
    shutdown(caller.socket, SHUT_WR);
    hear_last(&caller, 200);
    caller = call(toy->port);
    get(&caller, "/wait"); /* looks like one that has gone */
    shutdown(caller.socket, SHUT_WR);
    hear_last(&caller, 400);
}
END_TEST

SUITE_WITH("serving_http_bad", begin, end, lengths_that_contradict_themselves_are_refused,
           lengths_that_are_no_numbers_are_refused, chunks_that_are_none_are_refused, heads_that_are_none_are_refused,
           bare_line_feeds_end_lines, headers_too_large_or_too_many_are_refused,
           bytes_that_are_no_http_at_all_do_no_harm, a_refused_client_keeps_its_connection_if_its_body_is_short,
           a_refusal_does_not_wait_for_a_body_that_is_long_or_waits_itself,
           a_body_too_large_is_refused_though_it_was_sent, clients_may_hang_up_at_any_stage,
           requests_whose_clients_have_gone_end_without_an_answer,
           half_closed_clients_hear_what_becomes_of_their_request)
