/* test_serving_connection.c: the load generator's HTTP: responses as they come, and the connection they come on. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "response.h"
#include "serving_spoil.h"
#include "target.h"
#include "watch.h"

enum { MOST = 1 << 20 };

/* Reads a copy that ends where the text does, so that AddressSanitizer sees a step beyond it. */
static int read_all(struct response *response, const char *text, size_t length) {
    char *copy = malloc(length > 0 ? length : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, length);
    *response = (struct response){0};
    int result = response_read(response, copy, length, MOST);
    free(copy);
    return result;
}

static int read_text(struct response *response, const char *text) {
    return read_all(response, text, strlen(text));
}

static const char ORDINARY[] =
    "HTTP/1.1 200 OK\r\nDate: now\r\ncontent-length: 12\r\nInference-Header-Content-Length:\t4 "
    "\r\nRetry-After: 7\r\n\r\n{}  abcdefgh";

START_TEST(an_ordinary_response_is_read) {
    struct response response;
    ck_assert_int_eq(read_text(&response, ORDINARY), 1);
    ck_assert_int_eq(response.status, 200);
    ck_assert_uint_eq(response.length, 12);
    ck_assert_uint_eq(response.json, 4);
    ck_assert(response.has_retry && response.retry_after == 7);
    ck_assert(!response.close);
    ck_assert_uint_eq(response_end(&response), sizeof ORDINARY - 1);
}
END_TEST

START_TEST(it_may_come_in_any_pieces) {
    for (size_t step = 1; step < sizeof ORDINARY; step++) {
        struct response response = {0};
        for (size_t length = 0; length < sizeof ORDINARY - 1; length += step)
            require(response_read(&response, ORDINARY, length, MOST) == 0);
        require(response_read(&response, ORDINARY, sizeof ORDINARY - 1, MOST) == 1 && response.json == 4);
    }
}
END_TEST

START_TEST(whether_the_connection_stays_is_understood) {
    static const struct {
        const char *head;
        bool close;
    } CASES[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false},
        {"HTTP/1.1 200\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n", false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: upgrade, Close\r\n\r\n", true},
        {"HTTP/1.1 200 OK\nConnection: close\nContent-Length: 0\n\n", true},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", true},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nconnection: keep-alive\r\n\r\n", false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct response response;
        ck_assert_int_eq(read_text(&response, CASES[i].head), 1);
        ck_assert_int_eq(response.close, CASES[i].close);
    }
}
END_TEST

START_TEST(informational_responses_are_skipped_but_not_for_ever) {
    static const char CONTINUE[] = "HTTP/1.1 100 Continue\r\n\r\n";
    char text[1024] = "";
    struct response response;
    for (int i = 0; i < RESPONSE_INFORMATIONAL; i++)
        strcat(text, CONTINUE);
    ck_assert_int_eq(read_text(&response, text), 0);
    strcat(text, "HTTP/1.1 204 None\r\n\r\n");
    ck_assert_int_eq(read_text(&response, text), 1);
    ck_assert_int_eq(response.status, 204);
    ck_assert_uint_eq(response_end(&response), strlen(text));
    strcpy(text + RESPONSE_INFORMATIONAL * strlen(CONTINUE), CONTINUE);
    ck_assert_int_eq(read_text(&response, text), -1);
}
END_TEST

START_TEST(what_is_no_response_is_refused_with_a_reason) {
    static const char *const BAD[] = {
        "GET / HTTP/1.1\r\n\r\n",
        "\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 Switch\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nInference-Header-Content-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nInference-Header-Content-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: no name\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct response response;
        ck_assert_msg(read_text(&response, BAD[i]) == -1, "%s", BAD[i]);
        ck_assert_ptr_nonnull(response.fault);
    }
}
END_TEST

START_TEST(endless_headers_are_not_waited_for) {
    static char text[2 * RESPONSE_HEAD];
    struct response response = {0};
    memset(text, 'x', sizeof text);
    memcpy(text, "HTTP/1.1 200 OK\r\nName: ", 23);
    ck_assert_int_eq(response_read(&response, text, RESPONSE_HEAD, MOST), 0);
    ck_assert_int_eq(response_read(&response, text, RESPONSE_HEAD + 1, MOST), -1);
}
END_TEST

START_TEST(spoilt_responses_do_no_harm) {
    int results[3] = {0};
    for (uint64_t i = 0; i < 20000; i++) {
        char text[sizeof ORDINARY];
        struct response response;
        memcpy(text, ORDINARY, sizeof text);
        int result = read_all(&response, text, spoil(text, sizeof text - 1, i));
        require(result != 1 || (response_end(&response) <= sizeof text - 1 && response.json <= response.length));
        results[result + 1]++;
    }
    ck_assert(results[0] > 0 && results[1] > 0 && results[2] > 0);
}
END_TEST

/* A port to which the kernel connects, and where nobody else does anything. */
static int listen_somewhere(struct sockaddr_in *address) {
    socklen_t size = sizeof *address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(bind(listener, (struct sockaddr *)address, size), 0);
    ck_assert_int_eq(listen(listener, 8), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)address, &size), 0);
    return listener;
}

START_TEST(a_server_that_says_nothing_is_not_waited_for) {
    struct sockaddr_in address;
    int listener = listen_somewhere(&address);
    struct target target;
    struct failure failure;
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    ok(target_parse(&target, url, &failure));
    ck_assert_int_eq(target_describe(&target, "echo", 0.02, &failure), -ETIMEDOUT);
    close(listener);
}
END_TEST

/* ---- A connection, both ends of it in one thread */

enum { LARGE = 1 << 22 };

struct ends {
    struct connection client;
    int server;
};

static void connect_ends(struct ends *ends) {
    struct sockaddr_in address;
    int listener = listen_somewhere(&address), small = 65536;
    ck_assert_int_eq(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    connection_init(&ends->client, MOST);
    ok(connection_open(&ends->client, (struct sockaddr *)&address, sizeof address, -1, NULL));
    ck_assert_int_eq(setsockopt(ends->client.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    ends->server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(ends->server, 0);
    close(listener);
}

static void close_ends(struct ends *ends) {
    connection_free(&ends->client);
    close(ends->server);
}

/* Something has come, or can go. */
static int await_ready(struct ends *ends) {
    struct pollfd wait = {.fd = ends->client.fd, .events = (short)(POLLIN | (ends->client.left > 0 ? POLLOUT : 0))};
    ck_assert_int_eq(poll(&wait, 1, (int)(BOUND * 1000)), 1);
    return connection_ready(&ends->client);
}

START_TEST(a_request_larger_than_the_sockets_goes_piece_by_piece) {
    struct ends ends;
    unsigned char *request = malloc(LARGE), *got = malloc(LARGE);
    connect_ends(&ends);
    for (size_t i = 0; i < LARGE; i++)
        request[i] = (unsigned char)(generator_bits(1, i / 8) >> i % 8 * 8);
    ok(connection_send(&ends.client, (char *)request, LARGE)); /* while it still connects, as far as it knows */
    for (size_t length = 0; length < LARGE;) {
        ck_assert_int_eq(connection_ready(&ends.client), 0);
        ssize_t some = recv(ends.server, got + length, LARGE - length, 0);
        ck_assert_int_gt(some, 0);
        length += (size_t)some;
    }
    ck_assert_uint_eq(ends.client.left, 0);
    ck_assert_mem_eq(got, request, LARGE);
    ck_assert_int_eq(send(ends.server, ORDINARY, 20, 0), 20);
    ck_assert_int_eq(await_ready(&ends), 0);
    ck_assert_int_eq(send(ends.server, ORDINARY + 20, sizeof ORDINARY - 21, 0), sizeof ORDINARY - 21);
    ck_assert_int_eq(await_ready(&ends), 1);
    ck_assert_mem_eq(ends.client.received, ORDINARY, sizeof ORDINARY - 1);
    ck_assert(connection_next(&ends.client));
    close_ends(&ends);
    free(request);
    free(got);
}
END_TEST

START_TEST(an_answer_to_a_request_that_is_still_being_sent_counts) {
    static const char TOO_LARGE[] = "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n";
    struct ends ends;
    char *request = calloc(1, LARGE);
    connect_ends(&ends);
    ok(connection_send(&ends.client, request, LARGE));
    ck_assert_int_eq(connection_ready(&ends.client), 0);
    ck_assert_uint_gt(ends.client.left, 0);
    ck_assert_int_eq(send(ends.server, TOO_LARGE, sizeof TOO_LARGE - 1, 0), sizeof TOO_LARGE - 1);
    ck_assert_int_eq(await_ready(&ends), 1);
    ck_assert_int_eq(ends.client.response.status, 413);
    ck_assert(!connection_next(&ends.client)); /* the rest would be taken for the next request */
    close_ends(&ends);
    free(request);
}
END_TEST

START_TEST(the_end_of_a_connection_is_told_from_an_answer) {
    struct ends ends;
    connect_ends(&ends);
    ok(connection_send(&ends.client, "x", 1));
    ck_assert_int_eq(connection_ready(&ends.client), 0);
    ck_assert_int_eq(send(ends.server, ORDINARY, sizeof ORDINARY - 2, 0), sizeof ORDINARY - 2);
    ck_assert_int_eq(shutdown(ends.server, SHUT_WR), 0);
    int result;
    while ((result = await_ready(&ends)) == 0)
        ;
    ck_assert_int_eq(result, -ECONNRESET);
    connection_close(&ends.client);
    ck_assert_int_eq(connection_ready(&ends.client), -ENOTCONN);
    ck_assert_int_eq(connection_send(&ends.client, "x", 1), -ENOTCONN);
    close_ends(&ends);
}
END_TEST

SUITE("serving_connection", an_ordinary_response_is_read, it_may_come_in_any_pieces,
      whether_the_connection_stays_is_understood, informational_responses_are_skipped_but_not_for_ever,
      what_is_no_response_is_refused_with_a_reason, endless_headers_are_not_waited_for, spoilt_responses_do_no_harm,
      a_server_that_says_nothing_is_not_waited_for, a_request_larger_than_the_sockets_goes_piece_by_piece,
      an_answer_to_a_request_that_is_still_being_sent_counts, the_end_of_a_connection_is_told_from_an_answer)
