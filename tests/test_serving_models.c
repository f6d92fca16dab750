/* test_serving_models.c: models loaded, loaded again, unloaded under traffic: old or new answers, never a mixture. */
#include "serving_engine.h"

SANITIZER_OPTIONS("", "")

static const enum engine_mode MODES[] = {ENGINE_INLINE, ENGINE_THREADS, ENGINE_PROCESSES};
enum { MODE_COUNT = 3 };

/* How a load or an unload went. */
struct outcome {
    unsigned calls;
    int status;
    char text[300];
};

static void hear_loaded(void *context, const struct problem *problem) {
    struct outcome *outcome = context;
    outcome->calls++;
    require(outcome->calls == 1);
    outcome->status = problem->status == 0 ? 200 : problem->status;
    snprintf(outcome->text, sizeof outcome->text, "%s", problem->status == 0 ? "" : problem->text);
}

static void require_outcome(const struct outcome *outcome, int status, const char *words) {
    if (outcome->calls != 1 || outcome->status != status || strstr(outcome->text, words) == NULL)
        ck_abort_msg("%u calls, %d \"%s\"; wanted %d \"%s\"", outcome->calls, outcome->status, outcome->text, status,
                     words);
}

static void load(struct engine *engine, const char *name, int status, const char *words) {
    struct outcome outcome = {0};
    engine_load(engine, name, hear_loaded, &outcome);
    turn_until(engine, outcome.calls > 0);
    require_outcome(&outcome, status, words);
}

static void unload(struct engine *engine, const char *name, int status, const char *words) {
    struct outcome outcome = {0};
    engine_unload(engine, name, hear_loaded, &outcome);
    turn_until(engine, outcome.calls > 0);
    require_outcome(&outcome, status, words);
}

static void require_answers(struct engine *engine, const char *model, float scale) {
    struct question questions[4];
    for (size_t i = 0; i < 4; i++) {
        begin(engine, &questions[i], model, (float)i);
        submit(&questions[i]);
    }
    turn_until(engine, all_answered(questions, 4));
    for (size_t i = 0; i < 4; i++)
        require_right(&questions[i], scale);
}

START_TEST(a_second_model_is_loaded_beside_the_first) {
    write_tiny("other", 10);
    for (size_t mode = 0; mode < MODE_COUNT; mode++) {
        struct engine *engine = ready_with(.mode = MODES[mode]);
        ck_assert_ptr_null(engine_model_named(engine, "other"));
        load(engine, "other", 200, "");
        ck_assert_int_eq(engine_model_named(engine, "other")->state, MODEL_READY);
        require_answers(engine, "other", 10);
        require_answers(engine, "tiny", 1);
        unload(engine, "other", 200, "");
        ck_assert_int_eq(engine_model_named(engine, "other")->state, MODEL_UNLOADED);
        struct problem problem;
        ck_assert_ptr_null(engine_begin(engine, "other", NULL, &problem));
        ck_assert_int_eq(problem.status, 503);
        unload(engine, "other", 200, "");
        load(engine, "other", 200, "");
        require_answers(engine, "other", 10);
        finish_engine(engine);
    }
}
END_TEST

START_TEST(what_cannot_be_loaded_is_refused_and_the_old_one_stays) {
    for (size_t mode = 0; mode < MODE_COUNT; mode++) {
        struct engine *engine = ready_with(.mode = MODES[mode]);
        load(engine, "nothing", 400, "unknown model 'nothing'");
        unload(engine, "nothing", 400, "unknown model 'nothing'");
        write_broken("broken");
        load(engine, "broken", 400, "broken");
        ck_assert_int_eq(engine_model_named(engine, "broken")->state, MODEL_FAILED);
        write_broken("tiny");
        load(engine, "tiny", 400, "tiny");
        ck_assert_int_eq(engine_model(engine, 0)->state, MODEL_READY);
        require_answers(engine, "tiny", 1);
        write_shaped("tiny", TINY_INPUTS + 1, TINY_OUTPUTS, 1);
        load(engine, "tiny", 400, "shapes");
        require_answers(engine, "tiny", 1);
        write_shaped("large", 5000, 2, 1);
        load(engine, "large", 400, "room for");
        write_tiny("broken", 3); /* mended */
        load(engine, "broken", 200, "");
        require_answers(engine, "broken", 3);
        write_tiny("tiny", 1);
        finish_engine(engine);
    }
}
END_TEST

START_TEST(another_shape_is_loaded_after_the_old_one_is_unloaded) {
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES);
    write_shaped("tiny", TINY_INPUTS + 2, TINY_OUTPUTS, 1);
    unload(engine, "tiny", 200, "");
    load(engine, "tiny", 200, "");
    ck_assert_uint_eq(engine_model(engine, 0)->signature.inputs, TINY_INPUTS + 2);
    require_answers(engine, "tiny", 1);
    finish_engine(engine);
}
END_TEST

START_TEST(loaded_again_under_traffic_answers_are_old_or_new) {
    enum { COUNT = 12 };
    for (size_t mode = 0; mode < MODE_COUNT; mode++) {
        write_tiny("tiny", 1);
        struct engine *engine = ready_with(.mode = MODES[mode]);
        struct question questions[COUNT];
        struct outcome outcome = {0};
        write_tiny("tiny", 100);
        for (size_t i = 0; i < COUNT; i++)
            pose(engine, &questions[i], (float)i + 1);
        for (int round = 0; outcome.calls == 0 || round < 20; round++) {
            if (round == 5)
                engine_load(engine, "tiny", hear_loaded, &outcome);
            turn(engine);
            for (size_t i = 0; i < COUNT; i++) {
                if (questions[i].answers == 0)
                    continue;
                bool is_new = questions[i].output[0] > 50;
                require_right(&questions[i], is_new ? 100 : 1);
                pose(engine, &questions[i], (float)i + 1);
            }
        }
        require_outcome(&outcome, 200, "");
        turn_until(engine, all_answered(questions, COUNT));
        require_answers(engine, "tiny", 100);
        ck_assert_uint_eq(restarts(engine), 0);
        finish_engine(engine);
    }
}
END_TEST

START_TEST(unloading_waits_for_those_who_are_here) {
    static const char *const BRISK[] = {"sim:20000:0"};
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES, .devices = BRISK, .workers = 1, .batching.most = 1);
    struct question read, running, waiting;
    struct outcome outcome = {0};
    struct problem problem;
    begin(engine, &read, "tiny", 0);
    pose(engine, &running, 1);
    pose(engine, &waiting, 2);
    turn(engine);
    engine_unload(engine, "tiny", hear_loaded, &outcome);
    ck_assert_ptr_null(engine_begin(engine, "tiny", NULL, &problem));
    ck_assert_int_eq(problem.status, 503);
    turn_until(engine, waiting.answers == 1);
    require_right(&running, 1);
    require_right(&waiting, 1);
    ck_assert_uint_eq(outcome.calls, 0);
    submit(&read);
    turn_until(engine, outcome.calls == 1);
    require_right(&read, 1);
    require_outcome(&outcome, 200, "");
    finish_engine(engine);
}
END_TEST

START_TEST(a_worker_that_dies_while_a_model_is_unloaded_still_answers_for_it) {
    static const char *const BRISK[] = {"sim:20000:0"};
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES, .devices = BRISK, .workers = 1);
    struct question question;
    struct outcome outcome = {0};
    pose(engine, &question, 1);
    turn(engine);
    engine_unload(engine, "tiny", hear_loaded, &outcome);
    send_signal(engine, 0, SIGKILL);
    turn_until(engine, outcome.calls == 1);
    require_right(&question, 1);
    require_outcome(&outcome, 200, "");
    ck_assert_uint_eq(restarts(engine), 1);
    finish_engine(engine);
}
END_TEST

START_TEST(unloading_one_that_the_last_deadline_ends_needs_no_push) {
    static const char *const SLOW[] = {"sim:200000:0"};
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES, .devices = SLOW, .workers = 1, .batching.most = 1);
    write_tiny("other", 1);
    load(engine, "other", 200, "");
    struct question running, late;
    struct outcome outcome = {0};
    pose(engine, &running, 1);
    turn(engine);
    begin(engine, &late, "other", 2);
    late.task->waiting.deadline = now_ns() + 20000000;
    submit(&late);
    engine_unload(engine, "other", hear_loaded, &outcome);
    turn_until(engine, outcome.calls == 1);
    require_status(&late, 504);
    turn_until(engine, running.answers == 1);
    finish_engine(engine);
}
END_TEST

START_TEST(eight_models_and_no_ninth) {
    for (size_t i = 0; i < DEVICE_MODELS; i++) {
        char name[8];
        snprintf(name, sizeof name, "m%zu", i);
        write_tiny(name, (float)i + 2);
    }
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES);
    for (size_t i = 0; i + 1 < DEVICE_MODELS; i++) {
        char name[8];
        snprintf(name, sizeof name, "m%zu", i);
        load(engine, name, 200, "");
    }
    load(engine, "m7", 400, "too many");
    send_signal(engine, 0, SIGKILL); /* the next one loads all of them */
    turn_until(engine, restarts(engine) == 1 && all_ready(engine));
    send_signal(engine, 1, SIGSTOP);
    for (size_t i = 0; i + 1 < DEVICE_MODELS; i++) {
        char name[8];
        struct question question;
        snprintf(name, sizeof name, "m%zu", i);
        begin(engine, &question, name, 1);
        submit(&question);
        engine->turn = 0; /* the one that runs is asked */
        turn_until(engine, question.answers == 1);
        require_right(&question, (float)i + 2);
    }
    send_signal(engine, 1, SIGCONT);
    finish_engine(engine);
}
END_TEST

START_TEST(one_load_at_a_time_and_a_caller_may_go) {
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES);
    struct outcome first = {0}, second = {0}, third = {0};
    engine_load(engine, "tiny", hear_loaded, &first);
    engine_load(engine, "tiny", hear_loaded, &second);
    require_outcome(&second, 400, "already");
    engine_unload(engine, "tiny", hear_loaded, &third);
    require_outcome(&third, 400, "already");
    engine_forget(engine, &first);
    turn_until(engine, engine->models[0].opener == NULL);
    ck_assert_uint_eq(first.calls, 0);
    require_answers(engine, "tiny", 1);
    load(engine, "tiny", 200, "");
    finish_engine(engine);
}
END_TEST

START_TEST(loads_that_follow_each_other_closely_harm_nobody) {
    for (size_t mode = 0; mode < MODE_COUNT; mode++) {
        write_tiny("tiny", 1);
        struct engine *engine = ready_with(.mode = MODES[mode]);
        for (int i = 0; i < 8; i++) { /* forgotten ones: the next may come while workers still load the last */
            struct outcome outcome = {0};
            write_tiny("tiny", i % 2 == 0 ? 100 : 1);
            engine_load(engine, "tiny", hear_loaded, &outcome);
            engine_forget(engine, &outcome);
            turn_until(engine, engine->models[0].opener == NULL);
        }
        write_tiny("tiny", 7);
        load(engine, "tiny", 200, "");
        require_answers(engine, "tiny", 7);
        ck_assert_uint_eq(restarts(engine), 0);
        for (size_t i = 0; i < engine_workers(engine); i++)
            ck_assert_int_eq(engine->workers[i].state, WORKER_READY);
        finish_engine(engine);
    }
}
END_TEST

START_TEST(loading_again_while_a_worker_starts_harms_nobody) {
    for (size_t mode = 1; mode < MODE_COUNT; mode++) {
        write_tiny("tiny", 1);
        struct engine *engine = open_with(.mode = MODES[mode]);
        struct outcome outcome = {0};
        turn_until(engine, engine_model(engine, 0)->state == MODEL_READY);
        write_tiny("tiny", 100);
        engine_load(engine, "tiny", hear_loaded, &outcome); /* the second worker may be anywhere */
        turn_until(engine, outcome.calls == 1);
        require_outcome(&outcome, 200, "");
        turn_until(engine, all_ready(engine));
        require_answers(engine, "tiny", 100);
        ck_assert_uint_eq(restarts(engine), 0);
        finish_engine(engine);
    }
}
END_TEST

/* The file of the model, written into where it lies: nothing of a new one, or nothing at all. */
static void spoil(const char *text) {
    FILE *file = fopen(in_folder("tiny.safetensors"), "r+e");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fflush(file), 0);
    ck_assert_int_eq(ftruncate(fileno(file), *text == '\0' ? 10 : 500), 0);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(whatever_becomes_of_a_file_its_model_is_served) {
    enum { WAYS = 4 };
    static const char *const CPU[] = {"cpu"};
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES, .devices = CPU, .workers = 1);
    for (int i = 0; i < WAYS; i++) {
        if (i < 2)
            spoil(i == 0 ? "this is no model any more" : "");
        else if (i == 2)
            write_tiny("tiny", 100);
        else
            require(unlink(in_folder("tiny.safetensors")) == 0);
        send_signal(engine, 0, SIGKILL);
        turn_until(engine, restarts(engine) == (uint64_t)i + 1 && all_ready(engine));
        require_answers(engine, "tiny", 1); /* what is served changes when it is told to, not before */
    }
    write_tiny("tiny", 9);
    load(engine, "tiny", 200, "");
    require_answers(engine, "tiny", 9);
    finish_engine(engine);
}
END_TEST

START_TEST(when_no_worker_is_left_a_load_is_told) {
    static const char *const CPU[] = {"cpu"};
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES, .patience = 0.1, .devices = CPU, .workers = 1);
    struct outcome outcome = {0};
    send_signal(engine, 0, SIGSTOP);
    engine_load(engine, "tiny", hear_loaded, &outcome);
    while (engine->workers[0].state != WORKER_OUT) {
        if (pid_of(engine, 0) > 0)
            send_signal(engine, 0, SIGKILL);
        turn(engine);
    }
    turn_until(engine, outcome.calls == 1);
    require_outcome(&outcome, 503, "no device");
    finish_engine(engine);
}
END_TEST

START_TEST(loads_and_unloads_at_random_leave_all_whole) {
    write_tiny("other", 10);
    static const char *const NAMES[] = {"tiny", "other"};
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES);
    unsigned seed = 1;
    for (int i = 0; i < 60; i++) {
        const char *name = NAMES[rand_r(&seed) % 2];
        struct outcome outcome = {0};
        switch (rand_r(&seed) % 5) {
        case 0:
        case 1:
            engine_load(engine, name, hear_loaded, &outcome);
            break;
        case 2:
            engine_unload(engine, name, hear_loaded, &outcome);
            break;
        case 3:
            if (pid_of(engine, (size_t)i % 2) > 0 && engine->workers[i % 2].state == WORKER_READY)
                send_signal(engine, (size_t)i % 2, SIGKILL);
            break;
        default:
            turn_until(engine, engine_idle(engine));
            break;
        }
        engine_forget(engine, &outcome);
        for (int turns = rand_r(&seed) % 3; turns > 0 && engine_next(engine) < now_ns() + 100000000; turns--)
            turn(engine);
        (void)engine_turn(engine);
    }
    turn_until(engine, engine->models[0].opener == NULL && engine->models[1].opener == NULL &&
                           engine->models[0].view.state != MODEL_UNLOADING &&
                           (engine->model_count < 2 || engine->models[1].view.state != MODEL_UNLOADING) &&
                           engine->workers[0].state == WORKER_READY && engine->workers[1].state == WORKER_READY);
    load(engine, "tiny", 200, "");
    load(engine, "other", 200, "");
    require_answers(engine, "tiny", 1);
    require_answers(engine, "other", 10);
    for (size_t i = 0; i < 2; i++)
        ck_assert_uint_eq(engine->workers[i].child.deaths, 0);
    finish_engine(engine);
}
END_TEST

SUITE_WITH("serving_models", make_models, remove_folder, a_second_model_is_loaded_beside_the_first,
           what_cannot_be_loaded_is_refused_and_the_old_one_stays,
           another_shape_is_loaded_after_the_old_one_is_unloaded, loaded_again_under_traffic_answers_are_old_or_new,
           unloading_waits_for_those_who_are_here, a_worker_that_dies_while_a_model_is_unloaded_still_answers_for_it,
           unloading_one_that_the_last_deadline_ends_needs_no_push, eight_models_and_no_ninth,
           one_load_at_a_time_and_a_caller_may_go, loads_that_follow_each_other_closely_harm_nobody,
           loading_again_while_a_worker_starts_harms_nobody, whatever_becomes_of_a_file_its_model_is_served,
           when_no_worker_is_left_a_load_is_told, loads_and_unloads_at_random_leave_all_whole)
