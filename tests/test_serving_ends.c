/* test_serving_ends.c: the engine's beginnings and ends: drained, closed at every stage, not opened at all. */
#include "serving_engine.h"

SANITIZER_OPTIONS("", "")

static const enum engine_mode MODES[] = {ENGINE_INLINE, ENGINE_THREADS, ENGINE_PROCESSES};
enum { MODE_COUNT = 3 };

static const char *const BRISK[] = {"sim:20000:0"};
#define ONE_BRISK .devices = BRISK, .workers = 1

START_TEST(draining_finishes_what_is_here_and_takes_nothing_new) {
    for (size_t mode = 0; mode < MODE_COUNT; mode++) {
        struct engine *engine = ready_with(.mode = MODES[mode]);
        struct question read, waiting;
        struct problem problem;
        begin(engine, &read, "tiny", 1);
        pose(engine, &waiting, 2);
        engine_drain(engine);
        ck_assert(!engine_ready(engine));
        ck_assert(!engine_idle(engine));
        ck_assert_ptr_null(engine_begin(engine, "tiny", NULL, &problem));
        ck_assert_int_eq(problem.status, 503);
        turn_until(engine, waiting.answers == 1);
        ck_assert(!engine_idle(engine));
        submit(&read);
        turn_until(engine, engine_idle(engine));
        require_right(&read, 1);
        require_right(&waiting, 1);
        finish_engine(engine);
    }
}
END_TEST

START_TEST(closing_tells_those_who_wait_and_those_who_run) {
    engine_close(ready_with(.mode = ENGINE_THREADS)); /* a sanitizer starts a thread of its own with the first */
    int descriptors = count_fds(), threads = count_threads();
    for (size_t mode = 1; mode < MODE_COUNT; mode++) {
        struct engine *engine = ready_with(.mode = MODES[mode], ONE_BRISK, .batching.most = 1);
        struct question read, running, abandoned, waiting;
        begin(engine, &read, "tiny", 0);
        pose(engine, &running, 1);
        turn(engine);
        pose(engine, &waiting, 2);
        pose(engine, &abandoned, 3);
        abandon(&abandoned);
        engine_close(engine);
        require_status(&running, 503);
        require_status(&waiting, 503);
        ck_assert_uint_eq(read.answers, 0);
        ck_assert_uint_eq(abandoned.answers, 0);
    }
    ck_assert_int_eq(count_fds(), descriptors);
    ck_assert_int_eq(count_threads(), threads);
    ck_assert_int_eq(count_children(), 0);
}
END_TEST

START_TEST(closing_before_anything_is_ready_is_fine) {
    int descriptors = count_fds();
    for (size_t mode = 0; mode < MODE_COUNT; mode++)
        engine_close(open_with(.mode = MODES[mode]));
    engine_close(NULL);
    ck_assert_int_eq(count_fds(), descriptors);
    ck_assert_int_eq(count_children(), 0);
}
END_TEST

START_TEST(what_cannot_be_opened_is_said_and_leaves_nothing) {
    static const char *const CPU[] = {"cpu"}, *const UNKNOWN[] = {"cpu", "abacus"}, *const NO_MODEL[] = {"nothing"},
                             *const TWICE[] = {"tiny", "tiny"};
    const struct {
        struct engine_options options;
        const char *words;
    } wrong[] = {
        {{.devices = CPU, .workers = 0}, "devices"},
        {{.devices = CPU, .workers = ENGINE_WORKERS + 1}, "devices"},
        {{.devices = UNKNOWN, .workers = 2}, "abacus"},
        {{.devices = CPU, .workers = 1, .models = NO_MODEL, .model_count = 1}, "nothing"},
        {{.devices = CPU, .workers = 1, .models = TWICE, .model_count = 2}, "twice"},
        {{.devices = CPU, .workers = 1, .slots = UINT16_MAX + 1}, "slots"},
        {{.devices = CPU, .workers = 1, .batching.most = DEVICE_BATCH + 1}, "batch"},
        {{.devices = CPU, .workers = 1, .trace = "/nowhere/trace.csv"}, "/nowhere/trace.csv"},
    };
    static const char *const TINY[] = {"tiny"};
    int descriptors = count_fds();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct engine_options options = wrong[i].options;
        options.mode = ENGINE_PROCESSES;
        options.folder = folder;
        options.program = "/proc/self/exe";
        options.in_flight = 1;
        if (options.models == NULL) {
            options.models = TINY;
            options.model_count = 1;
        }
        options.slots = options.slots > 0 ? options.slots : 4;
        options.batching.most = options.batching.most > 0 ? options.batching.most : 4;
        struct engine *engine;
        struct failure failure = {""};
        ck_assert_int_lt(engine_open(&engine, &options, &failure), 0);
        ck_assert_ptr_null(engine);
        ck_assert_msg(strstr(failure.text, wrong[i].words) != NULL, "%zu: %s", i, failure.text);
        ck_assert_int_eq(count_fds(), descriptors);
    }
}
END_TEST

SUITE_WITH("serving_ends", make_models, remove_folder, draining_finishes_what_is_here_and_takes_nothing_new,
           closing_tells_those_who_wait_and_those_who_run, closing_before_anything_is_ready_is_fine,
           what_cannot_be_opened_is_said_and_leaves_nothing)
