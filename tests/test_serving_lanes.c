/*
 * test_serving_lanes.c: a worker whose device takes two batches at once: what it begins, in which order it ends, and
 * what becomes of batches for which memory is short.
 */
#include "serving_lanes.h"

/* ---- two at once */

START_TEST(a_batch_is_begun_before_the_one_before_it_is_over) {
    post_batch(0, 2, 1, false);
    post_batch(2, 1, 3, false);
    post_batch(3, 1, 1, false);
    ck_assert(worker_step(&work));
    ck_assert_uint_eq(atomic_load(&toy.begun), 2);
    ck_assert_uint_eq(finished(), 1);
    require_answered(0, 2);
    require_state(2, SLOT_CLAIMED); /* though the device is through with it */
    ck_assert(worker_step(&work));
    ck_assert_uint_eq(atomic_load(&toy.begun), 3);
    ck_assert(worker_step(&work));
    require_answered(2, 2);
    ck_assert_uint_eq(finished(), 3);
    ck_assert_uint_eq(atomic_load(&toy.most), 2);
}
END_TEST

START_TEST(the_time_of_one_begins_where_the_other_ends) {
    post_batch(0, 1, 1, false);
    post_batch(1, 1, 1, false);
    uint64_t before = now_ns();
    ck_assert(worker_step(&work));
    ck_assert_uint_ne(atomic_load(&order_number(1)->started), 0); /* whom a death now would be of, too */
    ck_assert_uint_le(atomic_load(&order_number(1)->started), atomic_load(&order_number(0)->ended));
    ck_assert(worker_step(&work));
    ck_assert_uint_ge(atomic_load(&order_number(0)->started), before);
    ck_assert_uint_eq(atomic_load(&order_number(1)->started), atomic_load(&order_number(0)->ended));
    ck_assert_uint_ge(atomic_load(&order_number(1)->ended), atomic_load(&order_number(1)->started));
    /* And one that found the device free counts from its own beginning. */
    uint64_t free_since = now_ns();
    post_batch(2, 1, 1, false);
    ck_assert(worker_step(&work));
    ck_assert_uint_ge(atomic_load(&order_number(2)->started), free_since);
}
END_TEST

START_TEST(what_must_be_alone_is) {
    post_batch(0, 1, 1, false);
    post_batch(1, 1, 1, true);
    post_batch(2, 1, 1, false);
    post_batch(3, 1, 1, false);
    static const unsigned BEGUN[] = {1, 2, 4, 4};
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert(worker_step(&work));
        ck_assert_uint_eq(atomic_load(&toy.begun), BEGUN[i]);
        ck_assert_uint_eq(atomic_load(&order_number(i + 1)->started) != 0, i == 2);
        require_answered(i, 1);
    }
}
END_TEST

START_TEST(models_and_the_end_wait_until_the_lanes_are_empty) {
    post_batch(0, 1, 1, false);
    post_batch(1, 1, 1, false);
    post_kind(ORDER_UNLOAD); /* where the toy looks that nothing is in its lanes */
    post_batch(2, 1, 1, false);
    post_kind(ORDER_STOP);
    for (uint64_t i = 1; i <= 4; i++) {
        ck_assert(worker_step(&work));
        ck_assert_uint_eq(finished(), i);
        ck_assert_uint_eq(atomic_load(&toy.begun), 2);
    }
    require_answered(0, 2);
    require_state(2, SLOT_FAILED); /* its model has gone */
    ck_assert(!worker_step(&work));
    ck_assert_uint_eq(finished(), 5);
}
END_TEST

/* ---- in a thread: what comes while a batch is on the device */

static int run_worker(void *unused) {
    (void)unused;
    do
        worker_await(&work);
    while (worker_step(&work));
    return 0;
}

static void hand_over_in_pairs(void) {
    toy.way = WHEN_TOLD;
    at_thread *thread = at_thread_new(.target = run_worker);
    start(thread);
    for (unsigned round = 0; round < 20; round++) {
        uint64_t done = 2 * (uint64_t)round;
        post_batch(0, 2, 1, false);
        await(atomic_load(&toy.begun) == done + 1);
        post_batch(2, 1, 2, false);
        await(atomic_load(&toy.begun) == done + 2);
        ck_assert_uint_eq(finished(), done);
        tell(1); /* the younger one is over first */
        if (round == 0)
            nap(); /* were it wrong, it would now go on */
        ck_assert_uint_eq(finished(), done);
        tell(0);
        await(finished() == done + 2);
        require_answered(0, 3);
    }
    for (unsigned i = 0; i < 5; i++) { /* and with nothing to come, until the device rings */
        post_batch(0, 1, 1, false);
        await(atomic_load(&toy.begun) == 41 + i);
        nap(); /* by now it mostly sleeps */
        tell(i % 2);
        await(finished() == 41 + (uint64_t)i);
    }
    toy.way = AT_ONCE;
    for (unsigned i = 0; i < 60; i++) {
        post_batch(0, 1, 1, false);
        if (i % 3 != 0)
            await(finished() == 46 + (uint64_t)i);
        else
            await(finished() + 1 >= 46 + (uint64_t)i);
    }
    post_kind(ORDER_STOP);
    join(thread);
    at_thread_free(thread);
}

START_TEST(an_order_that_comes_meanwhile_is_begun_and_ends_in_its_turn) {
    hand_over_in_pairs();
}
END_TEST

START_TEST(and_so_it_is_by_a_worker_that_spins) {
    close(work.over);
    work.over = toy.bell = -1;
    hand_over_in_pairs();
}
END_TEST

/* ---- failures */

START_TEST(for_want_of_memory_a_batch_is_run_in_halves) {
    for (toy.memory = 1; toy.memory <= 16; toy.memory++) {
        post_batch(0, 4, 4, false);
        post_batch(4, 3, 1, false);
        ck_assert(worker_step(&work));
        ck_assert(worker_step(&work));
        require_answered(0, 7);
    }
}
END_TEST

START_TEST(rows_that_have_no_memory_alone_fail_alone) {
    toy.never = 21; /* the second row of slot 2 */
    post_batch(0, 4, 3, false);
    post_batch(4, 1, 1, false);
    ck_assert(worker_step(&work));
    ck_assert(worker_step(&work));
    require_answered(0, 2);
    require_state(2, SLOT_FAILED);
    require_answered(3, 2);
    toy.never = 50;
    post_batch(5, 1, 1, false);
    ck_assert(worker_step(&work));
    require_state(5, SLOT_FAILED);
    ck_assert_uint_eq(atomic_load(&region->mailboxes[0].state), MAILBOX_OPEN); /* none of that is the device's end */
}
END_TEST

START_TEST(a_broken_device_fails_what_it_has_and_says_why) {
    toy.result = -EIO;
    post_batch(0, 2, 1, false);
    post_batch(2, 1, 1, false);
    ck_assert(worker_step(&work));
    ck_assert(worker_step(&work));
    for (uint32_t slot = 0; slot < 3; slot++)
        require_state(slot, SLOT_FAILED);
    ck_assert_uint_eq(atomic_load(&region->mailboxes[0].state), MAILBOX_FAILED);
    ck_assert_str_eq(region->mailboxes[0].reason, "the toy is broken");
}
END_TEST

/* ---- faults on purpose */

static void restart_worker(const char *inject) {
    tear_down();
    make_models();
    open_worker(inject);
    toy.faults = 0;
    work.breaks = inject_cuda(inject, &work.fault); /* which the device that was opened could not */
}

static void run_batches(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        post_batch(i % 4, 1, 1, false);
        ck_assert(worker_step(&work));
    }
}

START_TEST(the_device_is_broken_before_the_batch_that_is_named) {
    restart_worker("cuda=700@3");
    post_batch(CANARY, 1, 1, false); /* is not counted */
    ck_assert(worker_step(&work));
    run_batches(2);
    ck_assert_uint_eq(toy.faults, 0);
    run_batches(8);
    ck_assert_uint_eq(toy.faults, 1);
    ck_assert_uint_eq(toy.fault_at, 3);
    work.batches = 0; /* as after its restart */
    run_batches(3);
    ck_assert_uint_eq(toy.faults, 2);
}
END_TEST

START_TEST(it_is_broken_no_more_often_than_is_said) {
    restart_worker("late=0,cuda=700@1x2");
    for (unsigned i = 0; i < 5; i++) {
        work.batches = 0;
        run_batches(2);
        ck_assert_uint_eq(toy.faults, i < 2 ? i + 1 : 2);
    }
}
END_TEST

SUITE_WITH("serving_lanes", set_up, tear_down, a_batch_is_begun_before_the_one_before_it_is_over,
           the_time_of_one_begins_where_the_other_ends, what_must_be_alone_is,
           models_and_the_end_wait_until_the_lanes_are_empty,
           an_order_that_comes_meanwhile_is_begun_and_ends_in_its_turn, and_so_it_is_by_a_worker_that_spins,
           for_want_of_memory_a_batch_is_run_in_halves, rows_that_have_no_memory_alone_fail_alone,
           a_broken_device_fails_what_it_has_and_says_why, the_device_is_broken_before_the_batch_that_is_named,
           it_is_broken_no_more_often_than_is_said)
