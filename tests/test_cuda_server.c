/* test_cuda_server.c: serve with cards: answers, however many cards and workers there are, and what it says of them. */
#include "serving_cards.h"

static void require_answers(const char *devices, const char *in_flight) {
    struct server server = with_cards("--devices", devices, "--batch", "8", "--in-flight", in_flight);
    ask_one_by_one(&server, 5);
    for (float first = 0; first < 60; first += CALLERS)
        ask_all(&server, first);
    require_said("^serve: worker 0 \\(cuda:0[a-z0-9:]*\\): .*GPU-[0-9a-f-]+");
    stop_server(&server);
}

START_TEST(a_card_answers_over_http) {
    require_answers("cuda:0", "1");
    require_said("slots pinned");
}
END_TEST

START_TEST(two_batches_are_in_flight) {
    require_answers("cuda:0", "2");
}
END_TEST

START_TEST(it_answers_however_it_computes_and_waits) {
    static const char *const DEVICES[] = {"cuda:0:tf32:spin", "cuda:0:bf16", "cuda:0:fp16:staged"};
    for (size_t i = 0; i < 3; i++)
        require_answers(DEVICES[i], i == 1 ? "1" : "2");
}
END_TEST

START_TEST(nonsense_of_a_card_of_few_bits_is_caught) {
    struct server server = start_server((const char *const[]){"--devices", "cuda:0:bf16", "--inject", "garbage", NULL});
    await_address(&server);
    await(matches(log_of_server(), "worker 0 \\(cuda:0:bf16\\): its answer to the canary of model tiny is wrong"));
    ask_status(server.port, "GET /v2/health/ready HTTP/1.1\r\nHost: test\r\n\r\n", 400);
    stop_server(&server);
}
END_TEST

START_TEST(two_workers_of_one_card_are_said_to_be_so) {
    struct server server = with_cards("--devices", "cuda:0,cuda:0");
    ask_all(&server, 0);
    require_said("^serve: 2 workers share card 0: they take turns");
    require_metric(&server, "\natelier_card_workers\\{gpu_uuid=\"GPU-[0-9a-f-]+\"\\} 2.000\n");
    stop_server(&server);
}
END_TEST

START_TEST(a_card_and_a_core_serve_together) {
    struct server server = with_cards("--devices", "cuda:0,cpu", "--batch", "1");
    await(metric(server.port, "atelier_workers{state=\"ready\"}") >= 2);
    await((ask_all(&server, 0), metric(server.port, "atelier_worker_requests{worker=\"0\",device=\"cuda:0\"}") > 0 &&
                                    metric(server.port, "atelier_worker_requests{worker=\"1\",device=\"cpu\"}") > 0));
    stop_server(&server);
}
END_TEST

/* The UUID that a worker's description has. */
static void uuid_of(const char *worker, char uuid[64]) {
    const char *line = strstr(log_of_server(), worker), *found = line == NULL ? NULL : strstr(line, "GPU-");
    ck_assert_msg(found != NULL, "%s: %s", worker, log_of_server());
    snprintf(uuid, 64, "%.*s", (int)strspn(found, "GPU-0123456789abcdef"), found);
}

START_TEST(all_cards_are_had_by_one_word_each_by_a_worker_of_its_own) {
    static const char *const MODES[] = {"shared-queue", "processes", "threads"};
    emulate("2");
    for (size_t i = 0; i < 3; i++) {
        struct server server = start_server((const char *const[]){"--mode", MODES[i], "--devices",
                                                                  i == 0 ? "cuda" : "cuda:bf16", "--batch", "4", NULL});
        char first[64], second[64];
        await_address(&server);
        ck_assert_msg(strstr(server.line, i == 0 ? ": cuda:0 cuda:1\n" : ": cuda:0:bf16 cuda:1:bf16\n") != NULL, "%s",
                      server.line);
        await_ready(&server);
        ask_all(&server, 0);
        await(matches(log_of_server(), "\\(cuda:0.*GPU-(.|\n)*GPU-|\\(cuda:1.*GPU-(.|\n)*GPU-"));
        uuid_of("(cuda:0", first);
        uuid_of("(cuda:1", second);
        ck_assert_str_ne(first, second);
        stop_server(&server);
    }
}
END_TEST

START_TEST(a_card_that_is_not_there_is_refused_with_how_many_are) {
    char output[3000];
    emulate("2");
    int status = run_line(output, sizeof output, "%s --port 0 --folder %s --models tiny --devices cpu,cuda:7",
                          serve_path(), folder);
    ck_assert_msg(status == 2 && strstr(output, "cuda:7: there are 2 cards here") != NULL, "%d %s", status, output);
}
END_TEST

/* perf_analyzer looks for these to the letter. */
START_TEST(the_cards_meters_are_shown) {
    static const char *const NAMES[] = {"nv_gpu_utilization", "nv_gpu_power_usage", "nv_gpu_memory_used_bytes",
                                        "nv_gpu_memory_total_bytes", "nv_energy_consumption"};
    struct server server = with_cards("--devices", "cuda:0");
    char pattern[200];
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        snprintf(pattern, sizeof pattern, "\n%s\\{gpu_uuid=\"GPU-[0-9a-f-]+\"\\} [0-9]+\\.[0-9]+\n", NAMES[i]);
        require_metric(&server, pattern);
    }
    require_metric(&server,
                   "\natelier_worker_info\\{worker=\"0\",device=\"cuda:0\",description=\"[^\"]*GPU-[^\"]*\"\\} 1\n");
    stop_server(&server);
    server = with_cards("--devices", "cpu");
    ck_assert_double_eq(metric(server.port, "nv_gpu_"), -1);
    require_metric(&server, "\natelier_worker_info\\{worker=\"0\",device=\"cpu\",description=\"\"\\} 1\n");
    stop_server(&server);
}
END_TEST

START_TEST(memory_that_cannot_be_pinned_is_said_and_answers_stay_right) {
    setenv("EMULATED_FAIL", "cudaHostRegister:1@1", 1);
    require_answers("cuda:0", "2");
    require_said("worker 0 \\(cuda:0\\): .*staging: cudaHostRegister");
}
END_TEST

START_TEST(a_model_that_the_card_has_no_room_for_harms_nobody) {
    setenv("EMULATED_MEMORY", "80000000", 1); /* the workspaces, and some MB */
    struct server server = with_cards("--devices", "cuda:0", "--batch", "4");
    struct heard heard = ask(server.port, "POST", "/v2/repository/models/wide/load", "", NULL, 0);
    ck_assert_int_eq(heard.status, 400);
    heard_free(&heard);
    require_said("worker 0 \\(cuda:0\\): model \"wide\" on device .*cudaErrorMemoryAllocation");
    ck_assert(is_ready(server.port));
    ask_all(&server, 0);
    ck_assert(metric(server.port, "atelier_worker_restarts{worker=\"0\",device=\"cuda:0\"}") < 1);
    stop_server(&server);
}
END_TEST

START_TEST(without_a_driver_the_worker_says_why_and_the_server_is_not_ready) {
    struct failure failure;
    char output[3000];
    if (has_card(&failure)) {
        remove_folder();
        skip("this machine has a driver, and a card");
    }
    struct server server = start_server((const char *const[]){"--devices", "cuda:0", NULL});
    await_address(&server);
    await(matches(log_of_server(), "worker 0 \\(cuda:0\\): .*(35|driver)"));
    ask_status(server.port, "GET /v2/health/ready HTTP/1.1\r\nHost: test\r\n\r\n", 400);
    stop_server(&server);
    int status =
        run_line(output, sizeof output, "%s --port 0 --folder %s --models tiny --devices cuda", serve_path(), folder);
    ck_assert_msg(status == 2 && strstr(output, "--devices: cuda: no card: ") != NULL, "%d %s", status, output);
}
END_TEST

START_TEST(a_true_card_answers) {
    use_true_card();
    require_answers("cuda:0", "1");
    require_answers("cuda:0:bf16", "2");
}
END_TEST

SUITE_WITH("cuda_server", set_up, remove_folder, a_card_answers_over_http, two_batches_are_in_flight,
           it_answers_however_it_computes_and_waits, nonsense_of_a_card_of_few_bits_is_caught,
           two_workers_of_one_card_are_said_to_be_so, a_card_and_a_core_serve_together,
           all_cards_are_had_by_one_word_each_by_a_worker_of_its_own,
           a_card_that_is_not_there_is_refused_with_how_many_are, the_cards_meters_are_shown,
           memory_that_cannot_be_pinned_is_said_and_answers_stay_right,
           a_model_that_the_card_has_no_room_for_harms_nobody,
           without_a_driver_the_worker_says_why_and_the_server_is_not_ready, a_true_card_answers)
