/* test_serving_reload.c: models that are loaded while the server is busy, that are larger than the first, or no good. */
#include <math.h>

#include "serving_engine.h"
#include "serving_program.h"

SANITIZER_OPTIONS("", "")

static int status_of_load;

static void hear_loaded(void *context, const struct problem *problem) {
    (void)context;
    status_of_load = problem->status == 0 ? 200 : problem->status;
}

/* A worker that may have two batches has always one, and is given the model all the same. */
START_TEST(a_model_is_loaded_however_busy_the_workers_are) {
    enum { MANY = 6 };
    static const char *const DEVICES[] = {"sim:5000:0"};
    struct engine *engine =
        ready_with(.mode = ENGINE_PROCESSES, .devices = DEVICES, .workers = 1, .in_flight = 2, .batching = {.most = 1});
    struct question questions[MANY];
    for (size_t i = 0; i < MANY; i++)
        pose(engine, &questions[i], 1);
    status_of_load = 0;
    engine_load(engine, "other", hear_loaded, NULL);
    double end = at_now() + 5;
    while (status_of_load == 0 && at_now() < end) {
        turn(engine);
        for (size_t i = 0; i < MANY; i++)
            if (questions[i].answers > 0)
                pose(engine, &questions[i], 1);
    }
    ck_assert_int_eq(status_of_load, 200);
    turn_until(engine, all_answered(questions, MANY));
    finish_engine(engine);
}
END_TEST

/* Its workers would be killed for a canary that nobody can answer, and with them all other models. */
START_TEST(a_model_that_gives_no_numbers_is_refused_and_harms_no_other) {
    write_tiny("other", NAN);
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES);
    struct question question;
    status_of_load = 0;
    engine_load(engine, "other", hear_loaded, NULL);
    turn_until(engine, status_of_load != 0);
    ck_assert_int_eq(status_of_load, 400);
    for (size_t i = 0; i < engine->worker_count; i++)
        ck_assert_uint_eq(engine->workers[i].restarts, 0);
    converse(engine, &question, 1, 1);
    finish_engine(engine);
}
END_TEST

/* The reference sums in double, a device in float: of numbers beyond those it makes nothing, and that is no fault of it. */
START_TEST(a_model_that_no_device_computes_rightly_harms_no_other) {
    enum { INPUTS = 784 };
    float weight[INPUTS], bias[1] = {0};
    for (size_t i = 0; i < INPUTS; i++)
        weight[i] = i < INPUTS / 2 ? 1e37F : -1e37F;
    const struct tensor tensors[] = {{"0.weight", "F32", 2, {1, INPUTS}, weight, sizeof weight},
                                     {"0.bias", "F32", 1, {1}, bias, sizeof bias}};
    const struct metadatum activation = {"activation", "none"};
    struct failure failure;
    require(safetensors_write(in_folder("other.safetensors"), tensors, 2, &activation, 1, &failure) == 0);
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES);
    struct question question;
    status_of_load = 0;
    engine_load(engine, "other", hear_loaded, NULL);
    turn_until(engine, status_of_load != 0);
    ck_assert_int_eq(status_of_load, 400);
    converse(engine, &question, 1, 1);
    for (size_t i = 0; i < engine->worker_count; i++)
        ck_assert_uint_eq(engine->workers[i].restarts, 0);
    finish_engine(engine);
}
END_TEST

/* The limit of a body is not that of the models that were there first. */
START_TEST(a_larger_model_that_is_loaded_later_takes_its_largest_request) {
    enum { ROWS = 64, INPUTS = 784 };
    write_shaped("large", INPUTS, 10, 1);
    struct server server = serving("--devices", "cpu");
    char *body = calloc((size_t)ROWS * INPUTS, sizeof(float));
    struct heard heard = ask(server.port, "POST", "/v2/repository/models/large/load", "", NULL, 0);
    ck_assert_int_eq(heard.status, 200);
    heard_free(&heard);
    heard = ask(server.port, "POST", "/v2/models/large/infer", "Inference-Header-Content-Length: 0\r\n", body,
                (size_t)ROWS * INPUTS * sizeof(float));
    ck_assert_int_eq(heard.status, 200);
    heard_free(&heard);
    free(body);
    stop_server(&server);
}
END_TEST

static void make_both(void) {
    make_models();
    write_tiny("other", 2);
}

SUITE_WITH("serving_reload", make_both, remove_folder, a_model_is_loaded_however_busy_the_workers_are,
           a_model_that_gives_no_numbers_is_refused_and_harms_no_other,
           a_model_that_no_device_computes_rightly_harms_no_other,
           a_larger_model_that_is_loaded_later_takes_its_largest_request)
