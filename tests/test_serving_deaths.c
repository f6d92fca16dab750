/* test_serving_deaths.c: workers that die, stop, hang, or talk nonsense, at every stage: nothing lost, all answered. */
#include "serving_engine.h"

SANITIZER_OPTIONS("handle_segv=0", "handle_segv=0")

static const char *const BRISK[] = {"sim:20000:0", "sim:20000:0"}, *const SLOW[] = {"sim:100000:0"};
enum { COUNT = 8 };

/* Limits a tenth as long as usual: nobody here waits ten seconds for a worker that has been stopped. */
#define IMPATIENT .mode = ENGINE_PROCESSES, .patience = 0.1

static void require_all_right(const struct question *questions, size_t count) {
    for (size_t i = 0; i < count; i++)
        require_right(&questions[i], 1);
}

static void pose_all(struct engine *engine, struct question *questions, size_t count) {
    for (size_t i = 0; i < count; i++)
        pose(engine, &questions[i], (float)i);
}

/* ---- killed */

START_TEST(killed_before_it_opens_its_device) {
    struct engine *engine = open_with(.mode = ENGINE_PROCESSES, .inject = "late=50");
    send_signal(engine, 0, SIGKILL);
    turn_until(engine, all_ready(engine));
    ck_assert_uint_eq(engine->workers[0].restarts, 1);
    ck_assert_uint_eq(engine->workers[1].restarts, 0);
    struct question questions[COUNT];
    converse(engine, questions, COUNT, 1);
    finish_engine(engine);
}
END_TEST

START_TEST(killed_while_it_loads) {
    struct engine *engine = open_with(.mode = ENGINE_PROCESSES);
    turn_until(engine, engine->workers[0].posted > 0);
    send_signal(engine, 0, SIGKILL);
    turn_until(engine, restarts(engine) == 1 && all_ready(engine));
    struct question questions[COUNT];
    converse(engine, questions, COUNT, 1);
    finish_engine(engine);
}
END_TEST

START_TEST(killed_while_idle) {
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES);
    struct question questions[COUNT];
    for (uint64_t round = 1; round <= 3; round++) {
        send_signal(engine, round % 2, SIGKILL);
        converse(engine, questions, COUNT, 1);
        turn_until(engine, restarts(engine) == round && all_ready(engine));
    }
    ck_assert_int_eq(engine->workers[0].child.deaths, 0); /* nobody's fault but the killer's */
    finish_engine(engine);
}
END_TEST

START_TEST(killed_in_a_batch) {
    struct engine *engine =
        ready_with(.mode = ENGINE_PROCESSES, .devices = BRISK, .workers = 2, .in_flight = 2, .batching.most = 2);
    struct question questions[COUNT];
    pose_all(engine, questions, COUNT);
    turn(engine);
    ck_assert_uint_eq(engine->workers[0].in_flight, 2);
    send_signal(engine, 0, SIGKILL);
    turn_until(engine, all_answered(questions, COUNT));
    require_all_right(questions, COUNT);
    struct worker_view view;
    engine_worker(engine, 0, &view);
    ck_assert_uint_eq(view.restarts, 1);
    ck_assert_uint_ge(view.retried, 1);
    ck_assert_uint_eq(engine_model(engine, 0)->statistics->success.count, COUNT);
    finish_engine(engine);
}
END_TEST

START_TEST(all_killed_at_once) {
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES, .devices = BRISK, .workers = 2);
    struct question questions[COUNT];
    pose_all(engine, questions, COUNT);
    turn(engine);
    send_signal(engine, 0, SIGKILL);
    send_signal(engine, 1, SIGKILL);
    turn_until(engine, all_answered(questions, COUNT));
    require_all_right(questions, COUNT);
    ck_assert_uint_eq(restarts(engine), 2);
    finish_engine(engine);
}
END_TEST

START_TEST(killed_when_the_answer_is_written_but_not_counted) {
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES, .inject = "last=5");
    struct question questions[COUNT];
    converse(engine, questions, COUNT, 1); /* the dead one's word counts: it had the slot */
    turn_until(engine, restarts(engine) > 0);
    ck_assert_uint_eq(restarts(engine), 1);
    ck_assert_uint_eq(engine_model(engine, 0)->statistics->quarantined, 0);
    finish_engine(engine);
}
END_TEST

START_TEST(shot_again_and_again_it_is_given_up_in_the_end) {
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES, .devices = SLOW, .workers = 1);
    struct question question;
    pose(engine, &question, 1);
    while (question.answers == 0) {
        turn_until(engine, question.answers == 1 || engine->workers[0].in_flight == 1);
        struct mailbox *mailbox = &engine->region->mailboxes[0];
        await(question.answers == 1 || atomic_load(&mailbox->orders[2].started) != 0);
        if (question.answers == 0) {
            uint64_t before = restarts(engine);
            send_signal(engine, 0, SIGKILL);
            turn_until(engine, restarts(engine) > before);
        }
    }
    require_status(&question, 500);
    ck_assert_uint_eq(restarts(engine), TASK_SHOTS);
    turn_until(engine, all_ready(engine));
    finish_engine(engine);
}
END_TEST

START_TEST(deaths_leave_no_descriptor_no_zombie_and_no_ringing_bell) {
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES);
    int descriptors = count_fds();
    for (int round = 1; round <= 5; round++) {
        struct question question;
        send_signal(engine, 0, SIGSTOP);
        send_signal(engine, 1, SIGSTOP);
        pose(engine, &question, 1); /* rings at one who will not come to read it */
        turn(engine);
        send_signal(engine, 0, SIGKILL);
        send_signal(engine, 1, SIGKILL);
        turn_until(engine, question.answers == 1 && restarts(engine) == 2 * (uint64_t)round && all_ready(engine));
        require_right(&question, 1);
    }
    ck_assert_int_eq(count_fds(), descriptors);
    ck_assert_int_eq(count_zombies(), 0);
    ck_assert_int_eq(count_children(), 2);
    for (size_t i = 0; i < 2; i++) {
        struct pollfd bell = {.fd = engine->workers[i].worker.bell, .events = POLLIN};
        await(poll(&bell, 1, 0) == 0);
    }
    require_asleep(engine);
    finish_engine(engine);
}
END_TEST

/* ---- poison */

START_TEST(a_poison_row_is_quarantined_and_its_mates_are_answered) {
    static const char *const FAULTS[] = {"crash=3", "exit=3"};
    for (size_t i = 0; i < 2; i++) {
        struct engine *engine = ready_with(.mode = ENGINE_PROCESSES, .inject = FAULTS[i]);
        struct question questions[COUNT];
        pose_all(engine, questions, COUNT);
        turn_until(engine, all_answered(questions, COUNT));
        for (size_t j = 0; j < COUNT; j++) {
            if (j == 3)
                require_status(&questions[j], 500);
            else
                require_right(&questions[j], 1);
        }
        ck_assert_msg(strstr(questions[3].text, "quarantined") != NULL, "%s", questions[3].text);
        const struct model_statistics *statistics = engine_model(engine, 0)->statistics;
        ck_assert_uint_eq(statistics->quarantined, 1);
        ck_assert_uint_eq(statistics->fail.count, 1);
        ck_assert_uint_eq(statistics->success.count, COUNT - 1);
        ck_assert_uint_le(restarts(engine), 1 + TASK_DEATHS_ALONE); /* once with its mates */
        turn_until(engine, all_ready(engine));
        finish_engine(engine);
    }
}
END_TEST

START_TEST(a_row_that_hangs_its_worker_is_quarantined) {
    struct engine *engine = ready_with(IMPATIENT, .inject = "stop=3");
    struct question warm[2], question;
    converse(engine, warm, 2, 1); /* so that it is known what a batch takes */
    pose(engine, &question, 3);
    turn_until(engine, question.answers == 1);
    require_status(&question, 500);
    ck_assert_uint_ge(restarts(engine), TASK_DEATHS_ALONE);
    finish_engine(engine);
}
END_TEST

/* ---- stopped */

START_TEST(stopped_in_a_batch_it_is_found_out_and_another_answers) {
    struct engine *engine = ready_with(IMPATIENT, .devices = BRISK, .workers = 2);
    struct question questions[COUNT];
    converse(engine, questions, COUNT, 1);
    turn_until(engine, all_ready(engine));
    pose_all(engine, questions, COUNT);
    turn(engine);
    send_signal(engine, 0, SIGSTOP);
    turn_until(engine, all_answered(questions, COUNT));
    require_all_right(questions, COUNT);
    turn_until(engine, engine->workers[0].restarts == 1);
    ck_assert_msg(strstr(engine->workers[0].reason, "hangs") != NULL, "%s", engine->workers[0].reason);
    finish_engine(engine);
}
END_TEST

START_TEST(stopped_while_idle_it_is_found_out) {
    struct engine *engine = ready_with(IMPATIENT);
    send_signal(engine, 0, SIGSTOP);
    turn_until(engine, engine->workers[0].restarts == 1 && all_ready(engine));
    struct question questions[COUNT];
    converse(engine, questions, COUNT, 1);
    finish_engine(engine);
}
END_TEST

START_TEST(a_deadline_is_kept_though_the_worker_is_stopped) {
    struct engine *engine = ready_with(IMPATIENT, .devices = BRISK, .workers = 1, .batching.keep_late = true);
    struct question question;
    converse(engine, &question, 1, 1); /* so that it is known what a batch takes */
    send_signal(engine, 0, SIGSTOP);
    await(is_stopped(pid_of(engine, 0)));
    pose_by(engine, &question, 1, 20);
    turn_until(engine, question.answers == 1);
    require_status(&question, 504);
    ck_assert_uint_eq(engine->workers[0].restarts, 0); /* it was not the worker's end that said so */
    ck_assert_uint_eq(engine_tasks(engine), 1);
    finish_engine(engine); /* once the worker is dead */
    ck_assert_uint_eq(question.answers, 1);
}
END_TEST

START_TEST(abandoned_and_then_its_worker_dies) {
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES, .devices = BRISK, .workers = 1);
    struct question question;
    pose(engine, &question, 1);
    turn(engine);
    abandon(&question);
    send_signal(engine, 0, SIGKILL);
    turn_until(engine, engine_idle(engine));
    ck_assert_uint_eq(question.answers, 0);
    finish_engine(engine);
}
END_TEST

START_TEST(a_stopped_worker_does_not_keep_the_engine_from_closing) {
    struct engine *engine = ready_with(IMPATIENT, .devices = BRISK, .workers = 1);
    struct question question;
    send_signal(engine, 0, SIGSTOP);
    pose(engine, &question, 1);
    turn(engine);
    engine_close(engine);
    require_status(&question, 503);
    ck_assert_int_eq(count_children(), 0);
}
END_TEST

/* ---- no good */

START_TEST(a_garbage_device_is_caught_by_its_canary_and_the_others_go_on) {
    static const char *const DEVICES[] = {"cpu", "echo"};
    struct engine *engine = open_with(IMPATIENT, .devices = DEVICES, .workers = 2, .inject = "garbage");
    turn_until(engine, engine->workers[1].state == WORKER_READY);
    while (engine->workers[0].state != WORKER_OUT) {
        ck_assert_int_ne(engine->workers[0].state, WORKER_READY);
        turn(engine);
        ck_assert_uint_lt(restarts(engine), 10);
    }
    ck_assert_uint_eq(restarts(engine), CHILD_DEATHS);
    ck_assert_msg(strstr(engine->workers[0].reason, "canary") != NULL, "%s", engine->workers[0].reason);
    ck_assert(engine_ready(engine));
    struct question question;
    pose(engine, &question, 1);
    turn_until(engine, question.answers == 1);
    require_status(&question, 200);
    ck_assert_uint_eq(question.service.worker, 1);
    finish_engine(engine);
}
END_TEST

START_TEST(garbage_in_a_thread_or_inline_is_caught_too) {
    static const char *const CPU[] = {"cpu"};
    static const enum engine_mode MODES[] = {ENGINE_INLINE, ENGINE_THREADS};
    for (size_t i = 0; i < 2; i++) {
        struct engine *engine = open_with(.mode = MODES[i], .devices = CPU, .workers = 1, .inject = "garbage");
        struct problem problem;
        turn_until(engine, engine_model(engine, 0)->state == MODEL_FAILED);
        ck_assert_int_eq(engine->workers[0].state, WORKER_OUT);
        ck_assert(!engine_ready(engine));
        ck_assert_ptr_null(engine_begin(engine, "tiny", NULL, &problem));
        ck_assert_int_eq(problem.status, 503);
        finish_engine(engine);
    }
}
END_TEST

START_TEST(when_no_worker_is_left_those_who_wait_are_told) {
    static const char *const CPU[] = {"cpu"};
    struct engine *engine = ready_with(IMPATIENT, .devices = CPU, .workers = 1);
    struct question question;
    struct problem problem;
    send_signal(engine, 0, SIGSTOP);
    pose(engine, &question, 1);
    turn(engine);
    while (engine->workers[0].state != WORKER_OUT) {
        if (pid_of(engine, 0) > 0)
            send_signal(engine, 0, SIGKILL);
        turn(engine);
        ck_assert_uint_lt(restarts(engine), 20);
    }
    turn_until(engine, question.answers == 1);
    require_status(&question, 503);
    ck_assert(!engine_ready(engine));
    ck_assert_ptr_null(engine_begin(engine, "tiny", NULL, &problem));
    ck_assert_int_eq(problem.status, 503);
    finish_engine(engine);
}
END_TEST

START_TEST(without_descriptors_it_waits_until_there_are_some) {
    struct engine *engine = ready_with(IMPATIENT);
    int filler[FEW_DESCRIPTORS], count = fill_descriptors(filler, 0);
    send_signal(engine, 0, SIGKILL);
    turn_until(engine, restarts(engine) == 1 && engine->workers[0].state == WORKER_WAITING);
    for (int i = 0; i < 2 * CHILD_DEATHS; i++) { /* more often than a death of its own would be forgiven */
        uint64_t again = engine->workers[0].child.again;
        turn_until(engine, engine->workers[0].child.again != again);
        ck_assert_int_eq(engine->workers[0].state, WORKER_WAITING);
    }
    empty_descriptors(filler, count);
    turn_until(engine, all_ready(engine));
    struct question questions[COUNT];
    converse(engine, questions, COUNT, 1);
    finish_engine(engine);
}
END_TEST

/* ---- nonsense */

START_TEST(a_worker_that_talks_nonsense_harms_only_itself) {
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES);
    struct mailbox *mailbox = &engine->region->mailboxes[0];
    static const uint64_t FINISHED[] = {UINT64_MAX, 1000, 0};
    struct question questions[COUNT];
    for (size_t i = 0; i < 3; i++) {
        atomic_store(&mailbox->finished, FINISHED[i]);
        atomic_store(&mailbox->state, 12345);
        for (size_t j = 0; j < REGION_ORDERS; j++) {
            atomic_store(&mailbox->orders[j].started, UINT64_MAX - j);
            atomic_store(&mailbox->orders[j].ended, j);
        }
        require_asleep(engine); /* nothing is to be done, so nobody spins */
        pose_all(engine, questions, COUNT);
        turn_until(engine, all_answered(questions, COUNT));
        for (size_t j = 0; j < COUNT; j++)
            if (questions[j].status != 500)
                require_right(&questions[j], 1);
        require_whole(engine);
    }
    ck_assert_uint_le(engine->workers[0].busy, (uint64_t)BOUND * 1000000000);
    finish_engine(engine);
}
END_TEST

START_TEST(a_reason_without_an_end_is_cut) {
    struct engine *engine = ready_with(.mode = ENGINE_PROCESSES);
    struct mailbox *mailbox = &engine->region->mailboxes[0];
    memset(mailbox->reason, 'A', sizeof mailbox->reason);
    atomic_store(&mailbox->state, MAILBOX_FAILED);
    send_signal(engine, 0, SIGKILL);
    turn_until(engine, restarts(engine) == 1);
    struct worker_view view;
    engine_worker(engine, 0, &view);
    ck_assert_uint_eq(strlen(view.reason), REGION_REASON - 1);
    turn_until(engine, all_ready(engine));
    finish_engine(engine);
}
END_TEST

SUITE_WITH("serving_deaths", make_models, remove_folder, killed_before_it_opens_its_device, killed_while_it_loads,
           killed_while_idle, killed_in_a_batch, all_killed_at_once, killed_when_the_answer_is_written_but_not_counted,
           shot_again_and_again_it_is_given_up_in_the_end, deaths_leave_no_descriptor_no_zombie_and_no_ringing_bell,
           a_poison_row_is_quarantined_and_its_mates_are_answered, a_row_that_hangs_its_worker_is_quarantined,
           stopped_in_a_batch_it_is_found_out_and_another_answers, stopped_while_idle_it_is_found_out,
           a_deadline_is_kept_though_the_worker_is_stopped, abandoned_and_then_its_worker_dies,
           a_stopped_worker_does_not_keep_the_engine_from_closing,
           a_garbage_device_is_caught_by_its_canary_and_the_others_go_on, garbage_in_a_thread_or_inline_is_caught_too,
           when_no_worker_is_left_those_who_wait_are_told, without_descriptors_it_waits_until_there_are_some,
           a_worker_that_talks_nonsense_harms_only_itself, a_reason_without_an_end_is_cut)
