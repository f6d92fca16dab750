/* serving_cards.h: what the suites about serve with cards share: the emulated card (emulated.h), or a true one. */
#ifndef ATELIER_TESTS_SERVING_CARDS_H
#define ATELIER_TESTS_SERVING_CARDS_H

#include "cards.h"

#include "serving_program.h"

/* ---- where its libraries come from */

/* From now on programs are started with the emulated cards' libraries before all others. */
static inline void emulate(const char *cards) {
    char path[400], *whole = realpath(build(), NULL);
    require(whole != NULL);
    snprintf(path, sizeof path, "%.300s/tests/emulated", whole);
    free(whole);
    setenv("LD_LIBRARY_PATH", path, 1);
    setenv("EMULATED_CARDS", cards, 1);
}

static inline void set_up(void) {
    make_models();
    emulate("1");
    unsetenv("EMULATED_FAIL");
    unsetenv("CUDA_VISIBLE_DEVICES");
    unsetenv("AT_CARD");
}

/* Whether this machine has a true card; if not, why. */
static inline bool has_card(struct failure *failure) {
    static struct card_facts cards[CARDS_MOST];
    unsetenv("LD_LIBRARY_PATH");
    return cards_list(cards, failure) > 0;
}

/* ---- servers */

static inline bool is_ready(uint16_t port) {
    struct heard heard = ask(port, "GET", "/v2/health/ready", "", NULL, 0);
    bool ready = heard.status == 200;
    heard_free(&heard);
    return ready;
}

#define with_cards(...) ready_with_cards((const char *const[]){__VA_ARGS__, NULL})

/* What keeps a card's worker from starting is in the log, and is what one wants to read then. */
static inline struct server ready_with_cards(const char *const *more) {
    struct server server = start_server(more);
    await_address(&server);
    double end = at_now() + BOUND;
    while (!is_ready(server.port)) {
        ck_assert_msg(at_now() < end && strstr(log_of_server(), "not started again") == NULL, "%s", log_of_server());
        nap();
    }
    await_ready(&server);
    return server;
}

/* ---- requests */

enum { CALLERS = 6 };

/* Each on a connection of its own, at the same time; all are answered rightly. */
static inline void ask_all(const struct server *server, float first) {
    struct caller callers[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = call(server->port);
        ask_row(&callers[i], first + (float)i);
    }
    for (int i = 0; i < CALLERS; i++) {
        hear_row(&callers[i], first + (float)i, 1);
        hang_up(&callers[i]);
    }
}

static inline void ask_one_by_one(const struct server *server, unsigned count) {
    struct caller caller = call(server->port);
    for (unsigned i = 0; i < count; i++) {
        ask_row(&caller, (float)i);
        hear_row(&caller, (float)i, 1);
    }
    hang_up(&caller);
}

static inline void require_said(const char *pattern) {
    ck_assert_msg(matches(log_of_server(), pattern), "%s\nis not in\n%s", pattern, log_of_server());
}

static inline void require_metric(const struct server *server, const char *pattern) {
    struct heard heard = ask(server->port, "GET", "/metrics", "", NULL, 0);
    ck_assert_msg(matches(heard.body, pattern), "%s\nis not in\n%s", pattern, heard.body);
    heard_free(&heard);
}

static inline void use_true_card(void) {
    if (!has_card(NULL)) {
        remove_folder(); /* which a test that is skipped leaves */
        skip("no card");
    }
}

#endif
