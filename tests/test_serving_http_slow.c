/* test_serving_http_slow.c: the HTTP server with clients that take their time: each waits for the server's patience. */
#include <sys/socket.h>

#include "serving_toy.h"

static struct toy *toy;

static void begin(void) {
    toy = toy_start((struct http_options){.slow = 1, .idle = 1});
}

static void end(void) {
    toy_check(toy);
    await(atomic_load(&toy->connections) == 0);
    toy_stop(toy);
}

/* ---- requests that drip */

static const struct drip {
    const char *head;
    int status;
} DRIPS[] = {
    {"GET /", 408},
    {"GET /now HTTP/1.1\r\nX: ", 408},
    {"POST /now HTTP/1.1\r\nHost: t\r\nContent-Length: 60000\r\n\r\n", 408},
    {"POST /refuse HTTP/1.1\r\nHost: t\r\nContent-Length: 60000\r\n\r\n", 503},
};
enum { DRIPPING = sizeof DRIPS / sizeof *DRIPS };

/* Whether the server has had enough. */
static bool is_answered(const struct caller *caller) {
    char answer;
    return recv(caller->socket, &answer, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static bool drip(struct caller *callers) {
    bool all_answered = true;
    for (int i = 0; i < DRIPPING; i++) {
        if (!is_answered(&callers[i])) {
            all_answered = false;
            say(&callers[i], "x");
        }
    }
    return all_answered;
}

START_TEST(requests_that_drip_are_cut) {
    struct caller callers[DRIPPING];
    for (int i = 0; i < DRIPPING; i++) {
        callers[i] = call(toy->port);
        say(&callers[i], "%s", DRIPS[i].head);
    }
    await(drip(callers));
    for (int i = 0; i < DRIPPING; i++) {
        hear_status(&callers[i], DRIPS[i].status);
        hear_end(&callers[i]);
        hang_up(&callers[i]);
    }
}
END_TEST

/* ---- connections on which nothing is said, or heard */

static void assert_silent_ones_are_closed(void) {
    struct caller callers[3];
    for (int i = 0; i < 3; i++)
        callers[i] = call(toy->port);
    get(&callers[1], "/now");
    hear_status(&callers[1], 200);
    say(&callers[2], "GET /no");
    for (int i = 0; i < 2; i++) {
        hear_end(&callers[i]);
        hang_up(&callers[i]);
    }
    char bytes[256];
    ck_assert_int_ge(recv(callers[2].socket, bytes, sizeof bytes, 0), 0); /* an end, or an answer before it */
    hang_up(&callers[2]);
}

/*
 * One asks for much, and reads nothing: the rest cannot be sent. One waits for its answer, and may: that is a matter
 * between it and whoever answers.
 */
START_TEST(silent_connections_are_closed_and_waiting_ones_are_not) {
    struct caller waiting = call(toy->port), deaf = call(toy->port);
    setsockopt(deaf.socket, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
    get(&waiting, "/wait");
    get(&deaf, "/large");
    await(atomic_load(&toy->begun) == 2);
    assert_silent_ones_are_closed(); /* one of which is answered */
    await(atomic_load(&toy->ended) == 2);
    toy_release(toy);
    hear_status(&waiting, 200);
    hang_up(&waiting);
    hang_up(&deaf);
}
END_TEST

SUITE_WITH("serving_http_slow", begin, end, requests_that_drip_are_cut,
           silent_connections_are_closed_and_waiting_ones_are_not)
