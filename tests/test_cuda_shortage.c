/* test_cuda_shortage.c: workers that start on a card without room: they are tried until there is some, and no longer. */
#include "serving_engine.h"

#define ONE_CARD .mode = ENGINE_PROCESSES, .patience = 0.1, .devices = CARDS, .workers = 1

static const char *const CARDS[] = {"cuda:0"};

static void emulate(const char *fault) {
    char path[400], *whole = realpath(build(), NULL);
    require(whole != NULL);
    snprintf(path, sizeof path, "%.300s/tests/emulated", whole);
    free(whole);
    setenv("LD_LIBRARY_PATH", path, 1);
    setenv("EMULATED_FAIL", fault, 1);
}

START_TEST(a_full_card_is_tried_until_it_has_room) {
    emulate("cudaMalloc:2@1");
    struct engine *engine = open_with(ONE_CARD);
    turn_until(engine, restarts(engine) > CHILD_DEATHS + 1);
    ck_assert_msg(strstr(engine->workers[0].reason, "cudaErrorMemoryAllocation (2)") != NULL, "%s",
                  engine->workers[0].reason);
    unsetenv("EMULATED_FAIL"); /* somebody else has ended */
    finish_engine(make_ready(engine));
}
END_TEST

START_TEST(a_broken_card_is_given_up) {
    emulate("cudaMalloc:700@1");
    struct engine *engine = open_with(ONE_CARD);
    turn_until(engine, engine->workers[0].state == WORKER_OUT);
    ck_assert_uint_eq(restarts(engine), CHILD_DEATHS);
    finish_engine(engine);
}
END_TEST

SUITE_WITH("cuda_shortage", make_models, remove_folder, a_full_card_is_tried_until_it_has_room,
           a_broken_card_is_given_up)
