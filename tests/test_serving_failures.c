/* test_serving_failures.c: whatever a server does instead of answering, the load generator counts it under its name. */
#include <sys/resource.h>

#include "serving_runs.h"

/* What 10 misbehaviours among 50 requests must be counted as. */
static const struct {
    enum behaviour behaviour;
    enum outcome outcome;
    int status; /* of 10 answers; 0: they have none */
    const char *fault;
} CASES[] = {
    {ANSWER_LAST, OUTCOME_RIGHT, 200, NULL},
    {ANSWER_IN_DRIPS, OUTCOME_RIGHT, 200, NULL},
    {ANSWER_TWICE, OUTCOME_RIGHT, 200, NULL},
    {WRONG_ID, OUTCOME_WRONG, 200, NULL},
    {OTHER_ID, OUTCOME_WRONG, 200, NULL},
    {NO_ID, OUTCOME_WRONG, 200, NULL},
    {WRONG_NUMBERS, OUTCOME_WRONG, 200, NULL},
    {WRONG_SHAPE, OUTCOME_WRONG, 200, NULL},
    {NO_JSON, OUTCOME_MALFORMED, 0, "no JSON object"},
    {NO_OUTPUTS, OUTCOME_MALFORMED, 0, NULL},
    {GARBAGE, OUTCOME_MALFORMED, 0, "no HTTP/1.1 status line"},
    {CHUNKED, OUTCOME_MALFORMED, 0, "a Transfer-Encoding, which this client does not read"},
    {HUGE_HEADER, OUTCOME_MALFORMED, 0, "headers of more than 16 KB"},
    {HUGE_BODY, OUTCOME_MALFORMED, 0, "a body larger than any answer"},
    {HALF, OUTCOME_RESET, 0, NULL},
    {HANG_UP, OUTCOME_RESET, 0, NULL},
    {NEVER, OUTCOME_TIMEOUT, 0, NULL},
    {BUSY, OUTCOME_REFUSED, 503, NULL},
    {BROKEN, OUTCOME_REFUSED, 500, NULL},
};

START_TEST(each_misbehaviour_is_counted_under_its_name) {
    server.choose = misbehave_sometimes;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        worst = CASES[i].behaviour;
        atomic_store(&server.requests, 0);
        uint64_t times = worst == NEVER ? 1 : 10, lost = 0;
        run(.scenario = LOAD_SINGLE, .requests = 5 * times, .patience = worst == NEVER ? 0.3 : BOUND);
        uint64_t bad = CASES[i].outcome == OUTCOME_RIGHT ? 0 : times;
        ck_assert_msg(count_of(OUTCOME_RIGHT) == 5 * times - bad && (bad == 0 || count_of(CASES[i].outcome) == bad),
                      "behaviour %d: %llu right, %llu as expected", CASES[i].behaviour,
                      (unsigned long long)count_of(OUTCOME_RIGHT), (unsigned long long)count_of(CASES[i].outcome));
        if (CASES[i].status != 0 && CASES[i].status != 200)
            ck_assert_uint_eq(result.tally.statuses[CASES[i].status], 10);
        ck_assert_uint_eq(result.tally.statuses[200], CASES[i].status == 200 ? 50 : 4 * times);
        if (CASES[i].fault != NULL)
            ck_assert_str_eq(result.tally.fault, CASES[i].fault);
        if (CASES[i].outcome == OUTCOME_RESET || CASES[i].outcome == OUTCOME_TIMEOUT)
            lost = times;
        ck_assert_uint_eq(result.tally.lost, lost);
        ck_assert_uint_eq(result.tally.duplicated, worst == ANSWER_TWICE || worst == OTHER_ID ? 10 : 0);
        ck_assert_uint_eq(result.tally.retry_after, worst == BUSY ? 10 : 0);
        if (worst == ANSWER_LAST || worst == ANSWER_TWICE || worst == HANG_UP)
            ck_assert_uint_eq(result.tally.connects, 11);
        if (worst == BUSY || worst == WRONG_NUMBERS || worst == BROKEN || worst == ANSWER_IN_DRIPS)
            ck_assert_uint_eq(result.tally.connects, worst == WRONG_NUMBERS ? 11 : 1);
    }
}
END_TEST

static enum behaviour everything(unsigned request) {
    unsigned behaviour = request % MISBEHAVIOURS;
    return behaviour == ANSWER_SLOWLY ? ANSWER : (enum behaviour)behaviour;
}

START_TEST(all_of_it_at_once_hangs_nothing_in_any_scenario) {
    server.choose = everything;
    for (enum load_scenario scenario = LOAD_SERVER; scenario <= LOAD_OFFLINE; scenario++) {
        run(.scenario = scenario, .requests = scenario == LOAD_SERVER ? 0 : 72, .rate = 600,
            .seconds = scenario == LOAD_SERVER ? 0.2 : 0, .connections = 8, .patience = 0.02);
        ck_assert_uint_gt(count_of(OUTCOME_RIGHT), 0);
        ck_assert_uint_gt(tally_failed(&result.tally), 0);
    }
}
END_TEST

static enum behaviour never(unsigned request) {
    (void)request;
    return NEVER;
}

START_TEST(what_no_connection_was_free_for_is_unsent) {
    server.choose = never;
    run(.scenario = LOAD_SERVER, .pattern = ARRIVALS_UNIFORM, .rate = 1000, .seconds = 0.1005, .connections = 2,
        .patience = 0.1);
    ck_assert_uint_eq(tally_requests(&result.tally), 100);
    ck_assert_uint_eq(count_of(OUTCOME_TIMEOUT) + count_of(OUTCOME_UNSENT), 100);
    ck_assert_uint_ge(count_of(OUTCOME_UNSENT), 90);
    ck_assert_int_eq(result.limit == LOAD_LIMIT_RATE, 0);
    run(.scenario = LOAD_OFFLINE, .requests = 10, .seconds = 0.1, .connections = 2, .patience = 0.2);
    ck_assert_uint_eq(count_of(OUTCOME_TIMEOUT), 2);
    ck_assert_uint_eq(count_of(OUTCOME_UNSENT), 8);
}
END_TEST

START_TEST(without_a_server_a_run_says_so) {
    struct failure failure = {{0}};
    struct stand_in gone = {0};
    struct target nowhere = target;
    char url[64];
    stand_in_start(&gone);
    stand_in_stop(&gone);
    ok(target_parse(&nowhere, stand_in_url(&gone, url), &failure));
    nowhere.inputs = 4;
    nowhere.outputs = 3;
    strcpy(nowhere.model, "echo");
    strcpy(nowhere.input, "x");
    struct load_options options = {
        .scenario = LOAD_CLOSED, .target = &nowhere, .questions = &questions, .requests = 5, .connections = 3};
    ck_assert_int_eq(load_run(&result, &options, &failure), -ECONNREFUSED);
    ck_assert_ptr_nonnull(strstr(failure.text, "is the server running there?"));
}
END_TEST

START_TEST(too_few_descriptors_are_an_error_with_a_way_out) {
    struct failure failure = {{0}};
    struct load_options options = {.scenario = LOAD_CLOSED, .target = &target, .questions = &questions, .requests = 5};
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)count_fds() + 20;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(load_run(&result, &options, &failure), -EMFILE);
    ck_assert_ptr_nonnull(strstr(failure.text, "ask for fewer"));
    limit.rlim_cur = before;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
END_TEST

/* The server goes after a while; its port then refuses. */
static void end_server(void *unused, const struct load_answer *answer) {
    (void)unused;
    if (answer->request == 9) {
        stand_in_stop(&server);
        server.thread = NULL;
    }
}

START_TEST(a_server_that_goes_is_counted_request_by_request) {
    run(.scenario = LOAD_SINGLE, .requests = 15, .answered = end_server);
    ck_assert_uint_eq(count_of(OUTCOME_RIGHT), 10);
    /* The eleventh may still be sent before its end is known. */
    ck_assert_uint_eq(count_of(OUTCOME_CONNECT) + count_of(OUTCOME_RESET), 5);
    ck_assert_uint_ge(count_of(OUTCOME_CONNECT), 4);
    stand_in_start(&server);
}
END_TEST

SUITE_WITH("serving_failures", set_up, tear_down, each_misbehaviour_is_counted_under_its_name,
           all_of_it_at_once_hangs_nothing_in_any_scenario, what_no_connection_was_free_for_is_unsent,
           without_a_server_a_run_says_so, too_few_descriptors_are_an_error_with_a_way_out,
           a_server_that_goes_is_counted_request_by_request)
