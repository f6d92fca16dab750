/* test_cuda_deaths.c: workers with cards that are killed, whose card breaks, or is short of memory: nothing is lost. */
#include "serving_cards.h"

/* SIGKILL while requests are with it, again and again. */
static void require_survival(const char *devices, int rounds) {
    struct server server = with_cards("--devices", devices, "--batch", "4", "--in-flight", "2");
    int workers[4], pid = at_popen_pid(server.popen);
    for (int round = 1; round <= rounds; round++) {
        struct caller callers[CALLERS];
        await(children_of(pid, workers, 4) >= 1);
        for (int i = 0; i < CALLERS; i++) {
            callers[i] = call(server.port);
            ask_row(&callers[i], (float)i);
        }
        require(kill(workers[0], SIGKILL) == 0);
        for (int i = 0; i < CALLERS; i++) {
            hear_row(&callers[i], (float)i, 1);
            hang_up(&callers[i]);
        }
        await(metric(server.port, "atelier_worker_restarts") >= round &&
              metric(server.port, "atelier_workers{state=\"ready\"}") >= 1);
    }
    ck_assert_double_eq(metric(server.port, "atelier_refused"), 0);
    stop_server(&server);
}

/* A fatal error at each third batch of a worker: it ends, another starts, and nobody notices. */
static void require_recovery(const char *devices, unsigned requests) {
    struct server server = with_cards("--devices", devices, "--inject", "cuda=700@3", "--batch", "4");
    ask_one_by_one(&server, requests);
    /* Each third batch is run again, as the first of the next worker. */
    ck_assert_double_eq(metric(server.port, "atelier_worker_restarts"), (double)((requests - 1) / 2));
    ck_assert_double_eq(metric(server.port, "atelier_refused"), 0);
    ck_assert_double_eq(metric(server.port, "nv_inference_request_success"), requests);
    require_said("worker 0 \\(cuda:0\\): .*(700|[Ii]llegal)");
    stop_server(&server);
}

START_TEST(a_killed_worker_loses_nothing) {
    require_survival("cuda:0", 5);
}
END_TEST

START_TEST(a_fatal_error_restarts_the_worker_and_loses_nothing) {
    require_recovery("cuda:0", 12); /* more deaths than would be too many, had it been of no use between them */
}
END_TEST

START_TEST(a_fatal_error_with_two_batches_on_the_card_loses_nothing) {
    struct server server =
        with_cards("--devices", "cuda:0", "--inject", "cuda=719@4x2", "--in-flight", "2", "--batch", "2");
    for (float first = 0; first < 24; first += CALLERS)
        ask_all(&server, first);
    ck_assert_double_eq(metric(server.port, "atelier_worker_restarts"), 2);
    ck_assert_double_eq(metric(server.port, "atelier_refused"), 0);
    stop_server(&server);
}
END_TEST

/* Whatever is on the card with it: those die with it once, and are then answered. */
START_TEST(a_row_that_kills_its_workers_costs_only_itself) {
    struct server server = with_cards("--devices", "cuda:0", "--inject", "exit=3", "--in-flight", "2", "--batch", "1");
    struct caller callers[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = call(server.port);
        ask_row(&callers[i], (float)i);
    }
    for (int i = 0; i < CALLERS; i++) {
        if (i == 3)
            hear_status(&callers[i], 500);
        else
            hear_row(&callers[i], (float)i, 1);
        hang_up(&callers[i]);
    }
    ck_assert_double_eq(metric(server.port, "atelier_refused{model=\"tiny\",reason=\"quarantined\"}"), 1);
    stop_server(&server);
}
END_TEST

START_TEST(a_fatal_error_can_be_had_just_once) {
    struct server server = with_cards("--devices", "cuda:0,cuda:0", "--inject", "cuda=700@2x1");
    ask_one_by_one(&server, 12);
    await(metric(server.port, "atelier_worker_restarts") >= 1);
    ask_one_by_one(&server, 12);
    ck_assert_double_eq(metric(server.port, "atelier_worker_restarts"), 1);
    ck_assert_double_eq(metric(server.port, "nv_inference_request_success"), 24);
    stop_server(&server);
}
END_TEST

/* Asks for so many rows at once; the status of the answer, whose numbers are right if it has any. */
static int try_rows(struct caller *caller, uint32_t rows) {
    char body[400], headers[60];
    size_t all = rows * TINY_INPUTS * sizeof(float);
    size_t size = (size_t)snprintf(body, sizeof body,
                                   "{\"inputs\":[{\"name\":\"input\",\"shape\":[%u,%d],\"datatype\":\"FP32\","
                                   "\"parameters\":{\"binary_data_size\":%zu}}],"
                                   "\"parameters\":{\"binary_data_output\":true}}",
                                   rows, TINY_INPUTS, all);
    snprintf(headers, sizeof headers, "Inference-Header-Content-Length: %zu\r\n", size);
    for (uint32_t row = 0; row < rows; row++) {
        float numbers[TINY_INPUTS];
        draw_row((float)row, numbers);
        memcpy(body + size + row * sizeof numbers, numbers, sizeof numbers);
    }
    require(post(caller, "/v2/models/tiny/infer", headers, body, size + all));
    struct heard heard = hear(caller);
    for (uint32_t row = 0; row < rows && heard.status == 200; row++) {
        float output[TINY_OUTPUTS];
        memcpy(output, heard.body + heard.size - (rows - row) * sizeof output, sizeof output);
        require(is_answer(output, (float)row, 1));
    }
    int status = heard.status;
    heard_free(&heard);
    return status;
}

/* One row has to go without, and several are run in halves; the worker goes on. */
START_TEST(memory_that_is_short_for_a_moment_ends_no_worker) {
    enum { MOST = 40 };
    unsigned failing = 0;
    setenv("EMULATED_FAIL", "cudaGraphLaunch:2@30", 1); /* behind those of the warm-up, which are fewer */
    for (int i = 0; i < 2; i++) {
        struct server server = with_cards("--devices", "cuda:0", "--batch", "4");
        struct caller caller = call(server.port);
        if (i == 0)
            while (try_rows(&caller, 1) == 200)
                ck_assert_uint_lt(++failing, MOST);
        for (unsigned request = 0; i == 1 && request < failing; request++)
            ck_assert_int_eq(try_rows(&caller, 1), 200);
        ck_assert_int_eq(try_rows(&caller, 4), 200); /* of the second server, the one that fails */
        ck_assert_int_eq(try_rows(&caller, 1), 200);
        ck_assert_double_eq(metric(server.port, "atelier_worker_restarts"), 0);
        ck_assert_double_eq(metric(server.port, "atelier_refused"), i == 0 ? 1 : 0);
        hang_up(&caller);
        stop_server(&server);
    }
    ck_assert_uint_gt(failing, 0);
}
END_TEST

START_TEST(a_killed_worker_of_a_true_card_loses_nothing) {
    use_true_card();
    require_survival("cuda:0", 2);
}
END_TEST

START_TEST(a_fatal_error_of_a_true_card_loses_nothing) {
    use_true_card();
    require_recovery("cuda:0", 6);
}
END_TEST

SUITE_WITH("cuda_deaths", set_up, remove_folder, a_killed_worker_loses_nothing,
           a_fatal_error_restarts_the_worker_and_loses_nothing,
           a_fatal_error_with_two_batches_on_the_card_loses_nothing, a_row_that_kills_its_workers_costs_only_itself,
           a_fatal_error_can_be_had_just_once, memory_that_is_short_for_a_moment_ends_no_worker,
           a_killed_worker_of_a_true_card_loses_nothing, a_fatal_error_of_a_true_card_loses_nothing)
