/* test_serving_engine.c: requests in, answers out, in each mode: right, once, in time, and no place is ever lost. */
#include "serving_engine.h"

#include "model.h"

SANITIZER_OPTIONS("", "")

static const enum engine_mode MODES[] = {ENGINE_INLINE, ENGINE_THREADS, ENGINE_PROCESSES};
enum { MODE_COUNT = 3, MANY = 16 };

/* A device that takes so long that nothing comes back before the test is over with what it does meanwhile. */
static const char *const SLOW[] = {"sim:300000:0"}, *const BRISK[] = {"sim:20000:0"};
#define ONE_SLOW .devices = SLOW, .workers = 1
#define ONE_BRISK .devices = BRISK, .workers = 1

/* ---- answers */

START_TEST(answers_are_the_reference_s) {
    static const char *const MODELS[] = {"wide:33x2:7"};
    enum { INPUTS = 784, OUTPUTS = 10 };
    for (size_t mode = 0; mode < MODE_COUNT; mode++) {
        struct engine *engine = ready_with(.mode = MODES[mode], .models = MODELS, .model_count = 1);
        struct model *model;
        struct question questions[5];
        float expected[OUTPUTS], row[INPUTS];
        struct failure failure;
        ok(model_open(&model, MODELS[0], folder, &failure));
        for (size_t i = 0; i < 5; i++) {
            begin(engine, &questions[i], "wide", (float)i);
            for (size_t j = 0; j < INPUTS; j++)
                questions[i].task->input[j] = (float)((i * 31 + j * 7) % 11) / 11;
            submit(&questions[i]);
        }
        turn_until(engine, all_answered(questions, 5));
        for (size_t i = 0; i < 5; i++) {
            require_status(&questions[i], 200);
            for (size_t j = 0; j < INPUTS; j++)
                row[j] = (float)((i * 31 + j * 7) % 11) / 11;
            ok(model_forward(model, row, 1, expected));
            for (size_t j = 0; j < TINY_OUTPUTS; j++)
                ck_assert_float_eq_tol(questions[i].output[j], expected[j], 1e-5F);
        }
        model_free(model);
        finish_engine(engine);
    }
}
END_TEST

START_TEST(batches_form_and_all_are_answered) {
    for (size_t mode = 0; mode < MODE_COUNT; mode++) {
        struct engine *engine = ready_with(.mode = MODES[mode]);
        struct question questions[MANY];
        for (int round = 0; round < 20; round++)
            converse(engine, questions, MANY, 1);
        const struct model_statistics *statistics = engine_model(engine, 0)->statistics;
        ck_assert_uint_eq(statistics->success.count, 20 * MANY);
        ck_assert_uint_eq(statistics->rows, 20 * MANY);
        ck_assert_uint_eq(statistics->fail.count, 0);
        ck_assert_uint_le(statistics->batches, 20 * MANY / 2); /* more than one at a time */
        uint64_t sum = 0, requests = 0;
        for (size_t i = 0; i <= DEVICE_BATCH; i++)
            sum += statistics->sizes[i].infer.count * i;
        for (size_t i = 0; i < engine_workers(engine); i++)
            requests += engine->workers[i].requests;
        ck_assert_uint_eq(sum, statistics->rows);
        ck_assert_uint_eq(requests, statistics->success.count);
        finish_engine(engine);
    }
}
END_TEST

START_TEST(a_request_of_many_rows_runs_as_one) {
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES);
    struct question question;
    begin(engine, &question, "tiny", 3);
    for (float row = 0; row < 8; row++)
        draw_row(3 + row, question.task->input + (size_t)row * TINY_INPUTS);
    question.task->waiting.rows = 8;
    submit(&question);
    turn_until(engine, question.answers == 1);
    require_right(&question, 1);
    ck_assert_uint_eq(question.service.batch, 8);
    finish_engine(engine);
}
END_TEST

START_TEST(two_batches_may_be_at_a_worker_at_once) {
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES, .in_flight = 2, ONE_BRISK, .batching.most = 2);
    struct question questions[8];
    for (size_t i = 0; i < 8; i++)
        pose(engine, &questions[i], (float)i);
    turn(engine);
    ck_assert_uint_eq(engine->workers[0].in_flight, 2);
    turn_until(engine, all_answered(questions, 8));
    for (size_t i = 0; i < 8; i++)
        require_right(&questions[i], 1);
    finish_engine(engine);
}
END_TEST

/* Who has been answered, in this order. */
static float order[8];
static size_t ordered;

static void note_order(struct task *task, const struct problem *problem) {
    order[ordered++] = ((struct question *)task->context)->value;
    hear_answer(task, problem);
}

START_TEST(the_urgent_come_first) {
    struct engine *engine = ready_with(.mode = ENGINE_THREADS, ONE_BRISK, .batching.most = 1);
    struct question questions[4];
    static const uint8_t PRIORITIES[] = {0, 9, 0, 1};
    for (size_t i = 0; i < 4; i++) {
        begin(engine, &questions[i], "tiny", (float)i);
        questions[i].task->waiting.priority = PRIORITIES[i];
        questions[i].task->done = note_order;
        submit(&questions[i]);
        if (i == 0)
            turn(engine); /* it is running before the others come */
    }
    turn_until(engine, all_answered(questions, 4));
    static const float EXPECTED[] = {0, 3, 2, 1};
    for (size_t i = 0; i < 4; i++)
        ck_assert_float_eq(order[i], EXPECTED[i]);
    finish_engine(engine);
}
END_TEST

START_TEST(many_round_trips_lose_no_wake) {
    struct engine *engine = ready_with(.mode = ENGINE_THREADS);
    struct question question;
    for (int i = 0; i < 10000; i++) {
        pose(engine, &question, (float)(i % 1000));
        turn_until(engine, question.answers == 1);
        if (question.status != 200 || !is_answer(question.output, question.value, 1))
            require_right(&question, 1);
    }
    finish_engine(engine);
}
END_TEST

/* ---- full, late, gone */

START_TEST(a_full_engine_says_so_and_goes_on) {
    for (size_t mode = 0; mode < MODE_COUNT; mode++) {
        struct engine *engine = ready_with(.mode = MODES[mode], .slots = 3);
        struct question questions[3];
        struct problem problem;
        for (int round = 0; round < 3; round++) {
            for (size_t i = 0; i < 3; i++)
                begin(engine, &questions[i], "tiny", (float)i);
            ck_assert_ptr_null(engine_begin(engine, "tiny", NULL, &problem));
            ck_assert_int_eq(problem.status, 503);
            ck_assert_uint_eq(problem.retry_after, 1);
            abandon(&questions[round]);
            begin(engine, &questions[round], "tiny", 7);
            for (size_t i = 0; i < 3; i++)
                submit(&questions[i]);
            turn_until(engine, all_answered(questions, 3));
            for (size_t i = 0; i < 3; i++)
                require_right(&questions[i], 1);
        }
        ck_assert_uint_eq(engine_model(engine, 0)->statistics->rejected_full, 3);
        finish_engine(engine);
    }
}
END_TEST

START_TEST(unknown_models_and_versions_are_not_found) {
    struct engine *engine = open_with(.mode = ENGINE_PROCESSES);
    struct problem problem;
    ck_assert_ptr_null(engine_begin(engine, "tiny", NULL, &problem));
    ck_assert_int_eq(problem.status, 503); /* not ready yet */
    make_ready(engine);
    ck_assert_ptr_null(engine_begin(engine, "huge", NULL, &problem));
    ck_assert_int_eq(problem.status, 404);
    ck_assert_ptr_null(engine_begin(engine, "tiny", "2", &problem));
    ck_assert_int_eq(problem.status, 404);
    struct task *task = engine_begin(engine, "tiny", "1", &problem);
    ck_assert_ptr_nonnull(task);
    engine_abandon(engine, task);
    finish_engine(engine);
}
END_TEST

START_TEST(a_deadline_that_passes_while_waiting_is_told_at_once) {
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES, ONE_SLOW, .batching.keep_late = true);
    struct question running, waiting;
    pose(engine, &running, 1);
    turn(engine);
    double begin = at_now();
    pose_by(engine, &waiting, 2, 30);
    turn_until(engine, waiting.answers == 1);
    require_status(&waiting, 504);
    ck_assert_double_ge(at_now() - begin, 0.029);
    ck_assert_uint_eq(running.answers, 0); /* the timer said so, not a worker that came free */
    ck_assert_uint_eq(engine_tasks(engine), 1);
    turn_until(engine, running.answers == 1);
    require_right(&running, 1);
    ck_assert_uint_eq(engine_model(engine, 0)->statistics->rejected_late, 1);
    finish_engine(engine);
}
END_TEST

/* Of a batch that is expected to end 0.1 ms from now; tried again where the core was taken away for longer than that. */
static bool looks_for_it(struct engine *engine) {
    for (int i = 0; i < 1000; i++) {
        engine->workers[0].since = now_ns() + 100000;
        if (engine_soon(engine) > 0)
            return true;
    }
    return false;
}

START_TEST(the_front_looks_for_its_only_request_alone) {
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES, ONE_SLOW);
    struct question first, second;
    struct cost *cost = &engine->workers[0].costs[0], learnt = *cost;
    engine->cores = 2;
    ck_assert(!looks_for_it(engine)); /* nobody is here */
    pose(engine, &first, 1);
    ck_assert(!looks_for_it(engine)); /* and not yet at a worker */
    turn(engine);
    *cost = (struct cost){.alpha = 1e9};
    ck_assert(!looks_for_it(engine)); /* it would be for long */
    *cost = (struct cost){.alpha = 0};
    ck_assert(looks_for_it(engine));
    engine->cores = 1;
    ck_assert(!looks_for_it(engine)); /* the worker needs that core */
    engine->cores = 2;
    pose(engine, &second, 2);
    ck_assert(!looks_for_it(engine)); /* there is more to do */
    *cost = learnt;
    engine->workers[0].since = now_ns();
    turn_until(engine, first.answers == 1 && second.answers == 1);
    finish_engine(engine);
}
END_TEST

START_TEST(a_deadline_that_cannot_be_met_is_told_before_it_passes) {
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES, ONE_BRISK);
    struct question question;
    pose(engine, &question, 1);
    turn_until(engine, question.answers == 1); /* so that it is known what a batch takes */
    pose_by(engine, &question, 2, 2);          /* milliseconds, a tenth of that */
    turn_until(engine, question.answers == 1);
    require_status(&question, 504);
    ck_assert_uint_eq(engine->workers[0].batches, 1);
    finish_engine(engine);
}
END_TEST

START_TEST(a_deadline_that_passes_while_computing_is_told_then) {
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES, ONE_SLOW, .batching.keep_late = true);
    struct question late, patient;
    pose_by(engine, &late, 1, 30);
    pose(engine, &patient, 2);
    turn(engine);
    ck_assert_uint_eq(engine->workers[0].in_flight, 1);
    turn_until(engine, late.answers == 1);
    require_status(&late, 504);
    ck_assert_uint_eq(patient.answers, 0);
    ck_assert_uint_eq(engine_tasks(engine), 2); /* the worker may still write there */
    turn_until(engine, patient.answers == 1);
    require_right(&patient, 1);
    finish_engine(engine);
    ck_assert_uint_eq(late.answers, 1);
}
END_TEST

START_TEST(who_abandons_hears_nothing_and_leaves_no_trace) {
    for (size_t mode = 1; mode < MODE_COUNT; mode++) {
        struct engine *engine = ready_with(.mode = MODES[mode], ONE_BRISK, .batching.most = 1, .slots = 4);
        struct question questions[4];
        for (size_t i = 0; i < 4; i++)
            begin(engine, &questions[i], "tiny", (float)i);
        abandon(&questions[0]); /* while it was read */
        submit(&questions[1]);
        submit(&questions[2]);
        abandon(&questions[2]); /* while it waited */
        turn(engine);
        ck_assert_uint_eq(engine->workers[0].in_flight, 1);
        abandon(&questions[1]); /* while it ran */
        submit(&questions[3]);
        turn_until(engine, questions[3].answers == 1);
        require_right(&questions[3], 1);
        for (size_t i = 0; i < 3; i++)
            ck_assert_uint_eq(questions[i].answers, 0);
        finish_engine(engine);
    }
}
END_TEST

/* ---- who says what */

START_TEST(a_late_worker_s_word_is_not_heard) {
    struct engine *engine = ready_with(.mode = ENGINE_THREADS, ONE_BRISK);
    struct question question, second;
    begin(engine, &question, "tiny", 1);
    uint32_t place = ((struct request *)question.task)->slot;
    uint64_t stale = slot_word(SLOT_CLAIMED, 0, ((struct request *)question.task)->generation);
    submit(&question);
    turn_until(engine, question.answers == 1);
    begin(engine, &second, "tiny", 2);
    ck_assert_uint_eq(((struct request *)second.task)->slot, place);
    _Atomic uint64_t *word = &region_slot(engine->region, place)->word;
    uint64_t now = atomic_load(word);
    ck_assert(!atomic_compare_exchange_strong(word, &stale, slot_word(SLOT_DONE, 0, (uint32_t)stale)));
    ck_assert_uint_eq(atomic_load(word), now);
    submit(&second);
    turn_until(engine, second.answers == 1);
    require_right(&second, 1);
    finish_engine(engine);
}
END_TEST

START_TEST(an_idle_engine_sleeps) {
    for (size_t mode = 0; mode < MODE_COUNT; mode++) {
        struct engine *engine = ready_with(.mode = MODES[mode]);
        struct question questions[4];
        converse(engine, questions, 4, 1);
        require_asleep(engine);
        finish_engine(engine);
    }
}
END_TEST

START_TEST(the_delay_gathers_a_batch_without_spinning) {
    for (size_t mode = 0; mode < MODE_COUNT; mode++) {
        struct engine *engine = ready_with(.mode = MODES[mode], .batching.delay = 30000000, ONE_BRISK);
        struct question questions[3];
        unsigned turns = 0;
        pose(engine, &questions[0], 0);
        pose(engine, &questions[1], 1);
        pose(engine, &questions[2], 2);
        while (!all_answered(questions, 3)) {
            uint64_t moment = engine_next(engine), now = now_ns();
            struct pollfd source = {.fd = engine_descriptor(engine), .events = POLLIN};
            poll(&source, 1, moment <= now ? 0 : (int)((moment - now) / 1000000) + 1);
            bool again = true;
            for (; again; turns++)
                again = engine_turn(engine);
            require(turns < 100);
        }
        for (size_t i = 0; i < 3; i++) {
            require_right(&questions[i], 1);
            ck_assert_uint_eq(questions[i].service.batch, 3);
        }
        finish_engine(engine);
    }
}
END_TEST

SUITE_WITH("serving_engine", make_models, remove_folder, answers_are_the_reference_s, batches_form_and_all_are_answered,
           a_request_of_many_rows_runs_as_one, two_batches_may_be_at_a_worker_at_once, the_urgent_come_first,
           many_round_trips_lose_no_wake, a_full_engine_says_so_and_goes_on, unknown_models_and_versions_are_not_found,
           a_deadline_that_passes_while_waiting_is_told_at_once, a_deadline_that_cannot_be_met_is_told_before_it_passes,
           a_deadline_that_passes_while_computing_is_told_then, who_abandons_hears_nothing_and_leaves_no_trace,
           a_late_worker_s_word_is_not_heard, an_idle_engine_sleeps, the_front_looks_for_its_only_request_alone,
           the_delay_gathers_a_batch_without_spinning)
