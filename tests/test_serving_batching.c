/* test_serving_batching.c: who of the waiting run together, when, and who is given up; in made time, on no device. */
#include "batching.h"
#include "watch.h"

/* Requests by number, each of one row unless a test says otherwise; the batch that was taken last. */
enum { MOST = 64 };
static struct waiting requests[MOST], *batch[MOST];
static struct batching *batching;
static const struct cost FREE_OF_COST, COST = {.alpha = 100, .beta = 10};

static void begin(struct batching_options options) {
    batching_free(batching);
    batching = batching_new(&options);
    require(batching != NULL);
    for (size_t i = 0; i < MOST; i++)
        requests[i] = (struct waiting){.rows = 1, .arrived = i};
}

static void add(size_t first, size_t last) {
    for (size_t i = first; i <= last; i++)
        batching_add(batching, &requests[i]);
}

/* Whether the next batch is of these requests, "0 1 2"; "" for none. */
#define require_take(now, cost, free, expected)                                                                        \
    require_batch(batching_take(batching, now, cost, free, batch, MOST), expected)
static void require_batch(size_t count, const char *expected) {
    char taken[MOST * 4] = "";
    for (size_t i = 0; i < count; i++)
        sprintf(taken + strlen(taken), "%s%d", i > 0 ? " " : "", (int)(batch[i] - requests));
    ck_assert_str_eq(taken, expected);
}

/* Whether this one is given up now; -1: nobody. */
static void require_given_up(uint64_t now, uint64_t least, int expected) {
    struct waiting *late = batching_give_up(batching, now, least);
    ck_assert_int_eq(late != NULL ? (int)(late - requests) : -1, expected);
}

static void finish_test(void) {
    batching_free(batching);
    batching = NULL;
}

/* ---- who */

START_TEST(all_that_wait_run_together_in_order) {
    begin((struct batching_options){.most = 5});
    require_take(0, &COST, 1, "");
    add(0, 7);
    ck_assert_uint_eq(batching_requests(batching), 8);
    require_take(0, &COST, 1, "0 1 2 3 4");
    ck_assert_uint_eq(batching_requests(batching), 3);
    ck_assert_uint_eq(batching_take(batching, 0, &COST, 1, batch, 0), 0);
    ck_assert_uint_eq(batching_take(batching, 0, &COST, 1, batch, 2), 2);
    require_take(0, &COST, 1, "7");
    require_take(0, &COST, 1, "");
    ck_assert_uint_eq(batching_next(batching, 5, 0), UINT64_MAX);
}
END_TEST

START_TEST(without_batching_one_runs_at_a_time) {
    for (uint32_t most = 0; most <= 1; most++) {
        begin((struct batching_options){.most = most});
        add(0, 2);
        require_take(0, &COST, 1, "0");
        require_take(0, &COST, 1, "1");
    }
}
END_TEST

START_TEST(rows_fill_a_batch_and_nobody_overtakes) {
    begin((struct batching_options){.most = 8});
    requests[0].rows = 3;
    requests[1].rows = 4;
    requests[2].rows = 2;
    add(0, 4);
    ck_assert_uint_eq(batching_rows(batching), 11);
    require_take(0, &COST, 1, "0 1"); /* 3 and 4 would fit; but 2 was there before them */
    require_take(0, &COST, 1, "2 3 4");
    ck_assert_uint_eq(batching_rows(batching), 0);
}
END_TEST

START_TEST(a_free_worker_takes_a_fair_share) {
    begin((struct batching_options){.most = 64});
    add(0, 9);
    require_take(0, &COST, 4, "0 1 2");
    require_take(0, &COST, 3, "3 4 5");
    require_take(0, &COST, 2, "6 7");
    require_take(0, &COST, 1, "8 9");
    requests[0].rows = 20; /* more than a share, and first: whole */
    add(0, 3);
    require_take(0, &COST, 4, "0");
    require_take(0, &COST, 0, "1 2 3"); /* 0 free counts as 1 */
}
END_TEST

START_TEST(the_best_priority_is_first) {
    begin((struct batching_options){.most = 2});
    static const uint8_t PRIORITIES[] = {0, 15, 8, 1, 9, 7, 1, 0, 17};
    for (size_t i = 0; i < sizeof PRIORITIES; i++)
        requests[i].priority = PRIORITIES[i];
    add(0, 8);
    require_take(0, &COST, 1, "3 6");
    require_take(0, &COST, 1, "5 0");
    require_take(0, &COST, 1, "2 7");
    require_take(0, &COST, 1, "4 1");
    require_take(0, &COST, 1, "8");
}
END_TEST

START_TEST(a_batch_is_of_one_model) {
    begin((struct batching_options){.most = 4});
    for (size_t i = 0; i < 8; i += 2)
        requests[i].model = 7;
    requests[5].priority = 9;
    add(0, 7);
    require_take(0, &COST, 1, "0 2 4 6");
    require_take(0, &COST, 1, "1 3 7 5");
}
END_TEST

START_TEST(who_must_be_alone_is) {
    begin((struct batching_options){.most = 64, .delay = 1000});
    requests[1].alone = requests[2].alone = true;
    add(0, 4);
    require_take(1000, &COST, 1, "0"); /* and 3 does not overtake */
    require_take(1000, &COST, 1, "1");
    require_take(0, &COST, 1, "2"); /* at once, whatever the delay: nobody may join it */
    require_take(1003, &COST, 1, "3 4");
}
END_TEST

START_TEST(who_returns_has_its_place_again) {
    begin((struct batching_options){.most = 3});
    requests[9].priority = 1;
    add(0, 5);
    require_take(0, &COST, 1, "0 1 2");
    add(6, 6);
    batching_return(batching, &requests[1]);
    batching_return(batching, &requests[0]);
    batching_return(batching, &requests[2]);
    ck_assert_uint_eq(requests[1].arrived, 1);
    add(9, 9);
    require_take(0, &COST, 1, "9 0 1");
    require_take(0, &COST, 1, "2 3 4");
    require_take(0, &COST, 1, "5 6");
}
END_TEST

START_TEST(who_has_gone_is_not_taken) {
    begin((struct batching_options){.most = 64});
    for (size_t i = 0; i < 8; i++)
        requests[i].deadline = 1000 + i % 3;
    add(0, 7);
    static const size_t GONE[] = {0, 4, 7, 5};
    for (size_t i = 0; i < 4; i++) {
        batching_remove(batching, &requests[GONE[i]]);
        batching_remove(batching, &requests[GONE[i]]);
        ck_assert(!requests[GONE[i]].queued);
    }
    ck_assert_uint_eq(batching_rows(batching), 4);
    require_take(0, &FREE_OF_COST, 1, "1 2 3 6");
    batching_remove(batching, &requests[1]);
    require_given_up(UINT64_MAX, 0, -1);
}
END_TEST

/* ---- deadlines: a batch of b rows takes 100 + 10 b */

START_TEST(a_batch_ends_before_the_deadlines_of_its_requests) {
    begin((struct batching_options){.most = 64});
    requests[0].deadline = 1130;
    add(0, 5);
    require_take(1000, &COST, 1, "0 1 2");
    require_take(1000, &COST, 1, "3 4 5");

    begin((struct batching_options){.most = 64});
    requests[2].deadline = 1120; /* it could be met with a batch of its own only */
    add(0, 3);
    require_take(1000, &COST, 1, "0 1");
    require_take(1000, &COST, 1, "2 3");

    begin((struct batching_options){.most = 64});
    requests[0].deadline = 1109; /* lost already: not worth a small batch */
    requests[2].deadline = 900;
    add(0, 3);
    require_take(1000, &COST, 1, "0 1 2 3");
}
END_TEST

START_TEST(who_is_late_is_given_up) {
    begin((struct batching_options){.most = 64});
    requests[1].deadline = 500;
    requests[2].deadline = 400;
    requests[3].deadline = 600;
    add(0, 3);
    require_given_up(300, 100, -1);
    ck_assert_uint_eq(batching_next(batching, 0, 100), 301);
    require_given_up(301, 100, 2);
    require_given_up(301, 100, -1);
    ck_assert_uint_eq(batching_next(batching, 301, 0), 500);
    require_given_up(499, 0, -1);
    require_given_up(500, 0, 1);
    ck_assert_uint_eq(batching_next(batching, 500, 700), 500); /* at once */
    require_given_up(0, 700, 3);
    require_given_up(UINT64_MAX, 1, -1);
    ck_assert_uint_eq(batching_next(batching, 500, 700), UINT64_MAX);
    require_take(500, &COST, 1, "0");
}
END_TEST

START_TEST(with_keep_late_only_at_the_deadline) {
    begin((struct batching_options){.most = 64, .keep_late = true});
    requests[0].deadline = 500;
    add(0, 0);
    ck_assert_uint_eq(batching_next(batching, 0, 100), 500);
    require_given_up(499, 100, -1);
    require_given_up(500, 100, 0);
}
END_TEST

START_TEST(least_is_what_a_fair_share_takes) {
    begin((struct batching_options){.most = 8});
    ck_assert_uint_eq(batching_least(batching, &FREE_OF_COST, 1), 0);
    add(0, 9);
    ck_assert_uint_eq(batching_least(batching, &COST, 4), 130);
    ck_assert_uint_eq(batching_least(batching, &COST, 1), 180);
    ck_assert_uint_eq(batching_least(batching, &COST, 0), 180);
    ck_assert_uint_eq(batching_least(batching, &COST, 100), 110);
}
END_TEST

/* ---- delay */

START_TEST(with_a_delay_a_free_worker_waits_for_others) {
    begin((struct batching_options){.most = 4, .delay = 50});
    requests[0].arrived = 1000;
    requests[1].arrived = 1040;
    requests[1].priority = 1;
    add(0, 1);
    ck_assert_uint_eq(batching_next(batching, 1040, 0), 1050); /* the oldest has waited so long */
    require_take(1049, &COST, 1, "");
    require_take(1050, &COST, 1, "1 0");

    add(2, 4);
    requests[5].arrived = 1;
    require_take(40, &COST, 1, "");
    add(5, 5);
    require_take(40, &COST, 1, "2 3 4 5"); /* a full batch */
}
END_TEST

START_TEST(nobody_waits_for_others_until_it_is_late) {
    begin((struct batching_options){.most = 4, .delay = 1000});
    requests[0].arrived = requests[1].arrived = 100;
    requests[1].deadline = 500;
    add(0, 1);
    ck_assert_uint_eq(batching_next(batching, 100, 0), 300);
    require_take(299, &COST, 1, "");
    require_take(300, &COST, 1, "0 1");
    requests[1].deadline = 50; /* before it came */
    add(1, 1);
    require_take(100, &COST, 1, "1");
}
END_TEST

START_TEST(moments_at_the_end_of_time) {
    begin((struct batching_options){.most = 4, .delay = UINT64_MAX});
    requests[0].deadline = UINT64_MAX;
    requests[0].arrived = UINT64_MAX - 2;
    requests[1].arrived = 9;
    add(1, 1);
    ck_assert_uint_eq(batching_next(batching, 1, 0), UINT64_MAX);
    require_take(1, &COST, 1, "");
    batching_remove(batching, &requests[1]);
    add(0, 0);
    require_given_up(5, UINT64_MAX, 0);
    requests[0].rows = UINT32_MAX;
    add(0, 0);
    const struct cost endless = {.alpha = 1e300, .beta = 1e300};
    require_take(UINT64_MAX, &endless, 1, "0");
}
END_TEST

SUITE_WITH("serving_batching", NULL, finish_test, all_that_wait_run_together_in_order,
           without_batching_one_runs_at_a_time, rows_fill_a_batch_and_nobody_overtakes,
           a_free_worker_takes_a_fair_share, the_best_priority_is_first, a_batch_is_of_one_model, who_must_be_alone_is,
           who_returns_has_its_place_again, who_has_gone_is_not_taken,
           a_batch_ends_before_the_deadlines_of_its_requests, who_is_late_is_given_up,
           with_keep_late_only_at_the_deadline, least_is_what_a_fair_share_takes,
           with_a_delay_a_free_worker_waits_for_others, nobody_waits_for_others_until_it_is_late,
           moments_at_the_end_of_time)
