/* test_serving_load.c: runs of the load generator against a stand-in: what is sent when, and how it is counted. */
#include <math.h>

#include "serving_runs.h"

START_TEST(a_single_client_sends_one_after_the_other) {
    run(.scenario = LOAD_SINGLE, .requests = 50, .connections = 9);
    assert_all_right(50);
    ck_assert_uint_eq(atomic_load(&server.requests), 50);
    ck_assert_uint_eq(result.tally.connects, 1);
    ck_assert_int_eq(result.limit == LOAD_LIMIT_RATE, 0);
}
END_TEST

START_TEST(closed_clients_send_until_the_time_is_over) {
    run(.scenario = LOAD_CLOSED, .seconds = 0.05, .connections = 4);
    ck_assert_uint_gt(count_of(OUTCOME_RIGHT), 0);
    assert_all_right(atomic_load(&server.requests));
    ck_assert_uint_eq(result.tally.connects, 4);
    ck_assert_double_gt(result.achieved, 0);
}
END_TEST

START_TEST(an_open_loop_keeps_its_schedule) {
    struct arrivals arrivals;
    ok(arrivals_make(&arrivals, ARRIVALS_POISSON, 1000, 0.2, 0, 5, NULL));
    run(.scenario = LOAD_SERVER, .rate = 1000, .seconds = 0.2, .seed = 5, .connections = 8);
    assert_all_right(arrivals.count);
    ck_assert_double_eq(result.offered, 1000);
    ck_assert_double_ge(result.seconds, 0.2);
    arrivals_free(&arrivals);
}
END_TEST

START_TEST(a_query_is_a_request_on_each_connection) {
    run(.scenario = LOAD_MULTI, .requests = 40, .connections = 8);
    assert_all_right(40);
    ck_assert_uint_eq(result.tally.queries.count, 5);
    ck_assert_uint_ge(result.tally.queries.most, result.tally.latency.most);
}
END_TEST

START_TEST(offline_ends_when_all_are_answered) {
    run(.scenario = LOAD_OFFLINE, .requests = 300, .connections = 8);
    assert_all_right(300);
    /* All were due at the beginning, so the last one took about the whole run. */
    ck_assert_double_ge((double)result.tally.latency.most * 1e-9, 0.98 * result.seconds);
}
END_TEST

START_TEST(numbers_go_as_json_too) {
    run(.scenario = LOAD_CLOSED, .requests = 40, .connections = 4, .request.json = true);
    assert_all_right(40);
}
END_TEST

START_TEST(the_warm_up_is_not_counted) {
    run(.scenario = LOAD_SERVER, .pattern = ARRIVALS_UNIFORM, .rate = 1000, .warm_up = 0.0505, .seconds = 0.1);
    assert_all_right(100);
    ck_assert_uint_eq(atomic_load(&server.requests), 150);
}
END_TEST

START_TEST(devices_and_batches_are_counted) {
    server.choose = alternate;
    run(.scenario = LOAD_SINGLE, .requests = 40);
    assert_all_right(40);
    ck_assert_uint_eq(result.tally.device_count, 2);
    ck_assert_str_eq(result.tally.devices[0].name, "cpu");
    ck_assert(!result.tally.devices[0].simulated);
    ck_assert_uint_eq(result.tally.devices[0].answers, 10);
    ck_assert_uint_eq(result.tally.devices[0].rows, 20);
    ck_assert_str_eq(result.tally.devices[1].name, "echo");
    ck_assert(result.tally.devices[1].simulated);
    ck_assert_uint_eq(result.tally.batches[1], 10);
    ck_assert_uint_eq(result.tally.batches[2], 30);
}
END_TEST

START_TEST(slots_hold_every_request) {
    uint64_t right = 0;
    run(.scenario = LOAD_SERVER, .rate = 400, .seconds = 0.35);
    for (size_t i = 0; i < result.tally.slot_count; i++) {
        right += result.tally.slots[i].right;
        ck_assert_int_eq(result.tally.slots[i].p99 > 0, result.tally.slots[i].right > 0);
    }
    ck_assert_uint_ge(result.tally.slot_count, 3);
    ck_assert_uint_eq(right, count_of(OUTCOME_RIGHT));
}
END_TEST

static enum behaviour stall_once(unsigned request) {
    return request == 20 ? ANSWER_SLOWLY : ANSWER;
}

/* One answer takes 100 ms. In an open loop all that were due meanwhile waited, in a closed one nobody was there. */
START_TEST(an_open_loop_sees_what_a_closed_one_omits) {
    server.choose = stall_once;
    run(.scenario = LOAD_SERVER, .pattern = ARRIVALS_UNIFORM, .rate = 1000, .seconds = 0.25, .connections = 4,
        .bound = 0.05);
    assert_all_right(250 - 1);
    uint64_t open_late = tally_requests(&result.tally) - result.tally.good;
    ck_assert_uint_ge(open_late, 45); /* those due in the first 50 of the 100 ms */
    ck_assert_uint_ge(result.tally.waited, 45);
    atomic_store(&server.requests, 0);
    run(.scenario = LOAD_CLOSED, .requests = 250, .connections = 1, .bound = 0.05);
    uint64_t closed_late = tally_requests(&result.tally) - result.tally.good;
    ck_assert_uint_ge(closed_late, 1);
    ck_assert_uint_le(closed_late, open_late / 3);
}
END_TEST

static void stop_at_20(void *stop, const struct load_answer *answer) {
    if (answer->request == 20)
        atomic_store((atomic_bool *)stop, true);
}

START_TEST(a_run_can_be_stopped) {
    atomic_bool stop = false;
    run(.scenario = LOAD_SINGLE, .seconds = 1000, .stop = &stop, .answered = stop_at_20, .context = &stop);
    ck_assert(result.interrupted);
    ck_assert_uint_le(tally_requests(&result.tally), 22); /* the next one may have been sent by then */
    assert_all_right(atomic_load(&server.requests));
    atomic_store(&stop, false);
    run(.scenario = LOAD_SERVER, .rate = 1000, .seconds = 1000, .stop = &stop, .answered = stop_at_20,
        .context = &stop);
    ck_assert(result.interrupted);
    ck_assert_uint_ge(tally_requests(&result.tally), 21);
    ck_assert_uint_lt(tally_requests(&result.tally), 100000);
}
END_TEST

struct seen {
    uint64_t requests, questions;
};

static void see(void *context, const struct load_answer *answer) {
    struct seen *seen = context;
    seen->requests += answer->request;
    seen->questions += answer->question;
    require(answer->outcome == OUTCOME_RIGHT && answer->status == 200 && answer->seconds >= 0);
    require(answer->answer->rows == 2 && answer->answer->outputs == 3);
}

START_TEST(each_answer_is_told) {
    struct seen seen = {0};
    run(.scenario = LOAD_CLOSED, .requests = 20, .connections = 3, .answered = see, .context = &seen);
    ck_assert_uint_eq(seen.requests, 190);
    ck_assert_uint_eq(seen.questions, 4 * (0 + 1 + 2 + 3 + 4));
}
END_TEST

START_TEST(bad_options_are_refused) {
    const struct load_options good = {
        .scenario = LOAD_CLOSED, .target = &target, .questions = &questions, .requests = 1};
    struct load_options bad[8];
    for (size_t i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].requests = 0;
    bad[1].seconds = -1;
    bad[2].patience = (double)NAN;
    bad[3].connections = 1000000;
    bad[4].questions = &(struct questions){0};
    bad[5].scenario = LOAD_OFFLINE;
    bad[5].requests = 0;
    bad[5].seconds = 1;
    bad[6].scenario = LOAD_SERVER;
    bad[6].seconds = 1;
    bad[7].scenario = LOAD_SERVER;
    bad[7].seconds = bad[7].rate = 1e6;
    for (size_t i = 0; i < 8; i++) {
        struct failure failure = {{0}};
        ck_assert_int_eq(load_run(&result, &bad[i], &failure), -EINVAL);
        ck_assert_uint_gt(strlen(failure.text), 0);
    }
    ck_assert_uint_eq(atomic_load(&server.requests), 0);
}
END_TEST

SUITE_WITH("serving_load", set_up, tear_down, a_single_client_sends_one_after_the_other,
           closed_clients_send_until_the_time_is_over, an_open_loop_keeps_its_schedule,
           a_query_is_a_request_on_each_connection, offline_ends_when_all_are_answered, numbers_go_as_json_too,
           the_warm_up_is_not_counted, devices_and_batches_are_counted, slots_hold_every_request,
           an_open_loop_sees_what_a_closed_one_omits, a_run_can_be_stopped, each_answer_is_told,
           bad_options_are_refused)
