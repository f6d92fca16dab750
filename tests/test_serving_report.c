/* test_serving_report.c: several runs together, the search for a rate, and what is said of it; and the program load. */
#include <stdlib.h>

#include "load_search.h"
#include "report.h"
#include "serving_runs.h"

#include "labs.h"

START_TEST(tallies_add_up) {
    static struct tally sum;
    server.choose = alternate;
    run(.scenario = LOAD_SINGLE, .requests = 10);
    tally_merge(&sum, &result.tally);
    run(.scenario = LOAD_SINGLE, .requests = 30);
    tally_merge(&sum, &result.tally);
    ck_assert_uint_eq(tally_requests(&sum), 40);
    ck_assert_uint_eq(sum.latency.count, 40);
    ck_assert_uint_eq(sum.device_count, 2);
    ck_assert_uint_eq(sum.devices[0].answers + sum.devices[1].answers, 40);
    ck_assert_uint_eq(sum.slots[0].right, 40);
    ck_assert_uint_gt(sum.slots[0].p99, 0);
    tally_free(&sum);
}
END_TEST

static enum behaviour answer_first_80(unsigned request) {
    return request < 80 ? ANSWER : BUSY;
}

START_TEST(the_search_ends_between_what_passed_and_what_did_not) {
    static struct load_search search;
    struct load_options options = {.target = &target,
                                   .questions = &questions,
                                   .pattern = ARRIVALS_UNIFORM,
                                   .rate = 4000,
                                   .seconds = 0.01,
                                   .bound = BOUND,
                                   .connections = 4};
    server.choose = answer_first_80; /* 39 pass, of the next 79 only 41 do, nor does any after them */
    ok(load_find_rate(&search, &options, NULL, NULL));
    ck_assert_double_eq(search.rate, 4000);
    ck_assert_double_gt(search.worse.rate, 4000);
    ck_assert_double_le(search.worse.rate, 1.05 * 4000);
    ck_assert_int_eq(search.best.confidence, CONFIDENCE_TOO_FEW);
    ck_assert_uint_eq(search.best.late, 0);
    ck_assert_uint_gt(search.trials, 3);
    load_search_free(&search);
    ok(load_find_rate(&search, &options, NULL, NULL));
    ck_assert_double_eq(search.rate, 0);
    load_search_free(&search);
    options.bound = 0;
    ck_assert_int_eq(load_find_rate(&search, &options, NULL, NULL), -EINVAL);
}
END_TEST

/* ---- Reports */

START_TEST(the_report_says_what_was_counted) {
    struct load_options options = {
        .scenario = LOAD_SINGLE, .target = &target, .questions = &questions, .requests = 50, .verify = true};
    char *text, *csv;
    size_t size, csv_size;
    worst = BUSY;
    server.choose = misbehave_sometimes;
    run_load(&options);
    FILE *file = open_memstream(&text, &size), *table = open_memstream(&csv, &csv_size);
    report_print(file, &options, &result);
    report_series(table, &result);
    fclose(file);
    fclose(table);
    ck_assert_msg(matches(text, "50 in .* 40 answered rightly"), "%s", text);
    ck_assert_msg(matches(text, "10 refused, status 503: 10"), "%s", text);
    ck_assert_msg(matches(text, "echo, simulated: 40 answers"), "%s", text);
    ck_assert_msg(matches(text, "the limit was the server: 10 of 50"), "%s", text);
    ck_assert_msg(matches(csv, "^seconds,right,failed,p99_us\n0.0,40,10,"), "%s", csv);
    free(text);
    free(csv);
    json_t *json = report_json(&options, &result);
    ck_assert_ptr_nonnull(json);
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(json, "outcomes"), "refused")), 10);
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(json, "statuses"), "503")), 10);
    struct histogram histogram;
    ok(report_read_histogram(&histogram, json_object_get(json, "latency")));
    ck_assert_uint_eq(histogram.count, 40);
    json_decref(json);
}
END_TEST

START_TEST(the_program_answers_with_its_exit_status) {
    char output[8192], url[64];
    stand_in_url(&server, url);
    if (access(build(), F_OK) != 0 || run_line(output, sizeof output, "test -x %s/gpu/load", build()) != 0)
        skip("build/gpu/load is not built");
    ck_assert_int_eq(run_line(output, sizeof output, "%s/gpu/load --help", build()), 0);
    ck_assert(matches(output, "usage: load"));
    ck_assert_int_eq(run_line(output, sizeof output, "%s/gpu/load --rate x", build()), 2);
    ck_assert_int_eq(run_line(output, sizeof output, "%s/gpu/load --nothing", build()), 2);
    ck_assert_int_eq(run_line(output, sizeof output, "%s/gpu/load more", build()), 2);
    ck_assert_int_eq(run_line(output, sizeof output, "%s/gpu/load --url nowhere", build()), 2);
    ck_assert_int_eq(run_line(output, sizeof output,
                              "%s/gpu/load --url %s --model echo --scenario single --requests 30", build(), url),
                     0);
    ck_assert_msg(matches(output, "30 answered rightly"), "%s", output);
    ck_assert_int_eq(run_line(output, sizeof output, "%s/gpu/load --url %s --model other", build(), url), 1);
    ck_assert_msg(matches(output, "no model other there"), "%s", output);
    worst = WRONG_ID;
    server.choose = misbehave_sometimes;
    ck_assert_int_eq(run_line(output, sizeof output,
                              "%s/gpu/load --url %s --model echo --scenario closed --requests 30 --json", build(), url),
                     1);
    ck_assert_msg(matches(output, "\"wrong\": 6"), "%s", output);
}
END_TEST

SUITE_WITH("serving_report", set_up, tear_down, tallies_add_up, the_search_ends_between_what_passed_and_what_did_not,
           the_report_says_what_was_counted, the_program_answers_with_its_exit_status)
