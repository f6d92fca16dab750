/* serving_runs.h: what the suites about runs of the load generator share: a stand-in to run against, and a result. */
#ifndef ATELIER_TESTS_SERVING_RUNS_H
#define ATELIER_TESTS_SERVING_RUNS_H

#include <string.h>

#include "load_run.h"
#include "serving_stand_in.h"

/* Behind the headers of gpu/, one of which has a function that Check has a macro for. */
#include "watch.h"

static struct stand_in server;
static struct target target;
static struct questions questions;
static struct load_result result;

static int descriptors;

static inline void set_up(void) {
    struct failure failure;
    char url[64];
    descriptors = count_fds();
    stand_in_start(&server);
    ok(target_parse(&target, stand_in_url(&server, url), &failure));
    ok(target_describe(&target, "echo", BOUND, &failure));
    ok(questions_make(&questions, &target, 5, 2, 1, &failure));
}

static inline void tear_down(void) {
    load_result_free(&result);
    questions_free(&questions);
    stand_in_stop(&server);
    ck_assert_int_eq(count_fds(), descriptors);
}

/* Runs it, in `result`; each request that was due must have come to just one end. */
#define run(...)                                                                                                       \
    run_load(&(struct load_options){.target = &target, .questions = &questions, .verify = true, __VA_ARGS__})
static inline void run_load(const struct load_options *options) {
    struct failure failure = {{0}};
    load_result_free(&result);
    expect_ok(load_run(&result, options, &failure), failure.text, __FILE__, __LINE__);
    if (options->requests > 0 && options->warm_up == 0)
        ck_assert_uint_eq(tally_requests(&result.tally), options->requests);
    ck_assert_uint_eq(result.tally.latency.count, result.tally.outcomes[OUTCOME_RIGHT]);
}

static inline uint64_t count_of(enum outcome outcome) {
    return result.tally.outcomes[outcome];
}

static inline void assert_all_right(uint64_t requests) {
    ck_assert_uint_eq(tally_requests(&result.tally), requests);
    ck_assert_uint_eq(count_of(OUTCOME_RIGHT), requests);
    ck_assert_uint_eq(result.tally.statuses[200], requests);
    ck_assert_uint_eq(result.tally.duplicated + result.tally.stray + result.tally.lost, 0);
}

/* A misbehaviour of the test's choice, at two requests of ten. */
static _Atomic enum behaviour worst;

static inline enum behaviour misbehave_sometimes(unsigned request) {
    return request % 5 == 2 ? worst : ANSWER;
}

static inline enum behaviour alternate(unsigned request) {
    return request % 4 == 0 ? ANSWER_AS_CPU : ANSWER;
}

#endif
