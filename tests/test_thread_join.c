/* test_thread_join.c: waiting for threads: deadlines, many joiners, circles, signals, freed handles; case 5. */
#include <pthread.h>
#include <stdatomic.h>

#include "watch.h"

enum { JOINERS = 8 };

/* ---- case 5: one joiner, again and again, with a deadline and without */

START_TEST(join_with_a_deadline_gives_up_on_time_and_can_be_repeated) { /* case 5 */
    struct door door;
    door_init(&door);
    at_thread *thread = at_thread_new(.target = pass, .arg = &door);
    start(thread);
    for (int i = 0; i < 3; i++) {
        double begin = at_now();
        ck_assert_int_eq(at_thread_join(thread, 0.05), -ETIMEDOUT);
        double waited = at_now() - begin;
        ck_assert_double_ge(waited, 0.05 - ROUNDING);
        ck_assert_double_lt(waited, 5);
        ck_assert(at_thread_is_alive(thread));
        ck_assert_int_eq(at_thread_join(thread, 0), -ETIMEDOUT);
        ck_assert_int_eq(at_thread_join(thread, -1), -ETIMEDOUT);
    }
    sem_post(&door.open);
    ck_assert_int_eq(at_thread_join(thread, AT_FOREVER), 0);
    ck_assert(!at_thread_is_alive(thread));
    ck_assert_int_eq(at_thread_join(thread, AT_FOREVER), 0);
    ck_assert_int_eq(at_thread_join(thread, 0), 0);
    ck_assert_int_eq(at_thread_join(thread, 1), 0);
    at_thread_free(thread);
}
END_TEST

START_TEST(join_that_waits_uses_no_processor) {
    struct door door;
    struct timespec used;
    door_init(&door);
    at_thread *thread = at_thread_new(.target = pass, .arg = &door);
    start(thread);
    ck_assert_int_eq(at_thread_join(thread, 0.5), -ETIMEDOUT);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    ck_assert_int_eq(used.tv_sec, 0);
    ck_assert_int_lt(used.tv_nsec, 250000000);
    sem_post(&door.open);
    join(thread);
    at_thread_free(thread);
}
END_TEST

/* ---- many joiners */

struct joiner {
    at_thread *thread; /* whom to join */
    double timeout;
    int result;
    _Atomic pid_t tid;
};

static int join_another(void *arg) {
    struct joiner *joiner = arg;
    atomic_store(&joiner->tid, gettid());
    joiner->result = at_thread_join(joiner->thread, joiner->timeout);
    return 0;
}

static at_thread *start_joiner(struct joiner *joiner, at_thread *thread, double timeout) {
    *joiner = (struct joiner){.thread = thread, .timeout = timeout, .result = 1};
    at_thread *handle = at_thread_new(.target = join_another, .arg = joiner);
    start(handle);
    await(joiner->tid != 0 && is_blocked(getpid(), joiner->tid));
    return handle;
}

static void finish_joiner(struct joiner *joiner, at_thread *handle, int result) {
    join(handle);
    ck_assert_int_eq(joiner->result, result);
    at_thread_free(handle);
}

START_TEST(all_joiners_wake_when_the_thread_ends) { /* case 5 */
    struct joiner joiners[JOINERS];
    at_thread *handles[JOINERS];
    struct door door;
    door_init(&door);
    at_thread *thread = at_thread_new(.target = pass, .arg = &door);
    start(thread);
    for (int i = 0; i < JOINERS; i++)
        handles[i] = start_joiner(&joiners[i], thread, i % 2 ? AT_FOREVER : 1000);
    sem_post(&door.open);
    for (int i = 0; i < JOINERS; i++)
        finish_joiner(&joiners[i], handles[i], 0);
    ck_assert_int_eq(at_thread_join(thread, 0), 0);
    at_thread_free(thread);
}
END_TEST

START_TEST(joiner_with_a_deadline_gives_up_while_others_wait_for_ever) { /* case 5 */
    struct joiner joiner;
    struct door door;
    door_init(&door);
    at_thread *thread = at_thread_new(.target = pass, .arg = &door);
    start(thread);
    at_thread *handle = start_joiner(&joiner, thread, AT_FOREVER);
    ck_assert_int_eq(at_thread_join(thread, 0), -ETIMEDOUT);
    ck_assert_int_eq(at_thread_join(thread, 0.02), -ETIMEDOUT);
    sem_post(&door.open);
    join(thread);
    finish_joiner(&joiner, handle, 0);
    at_thread_free(thread);
}
END_TEST

/* ---- circles: who would wait for himself for ever is told so */

struct couple {
    pthread_barrier_t both_run;
    at_thread *thread[2];
    double timeout[2];
    int result[2];
};

static int join_partner(struct couple *couple, int me) {
    pthread_barrier_wait(&couple->both_run);
    couple->result[me] = at_thread_join(couple->thread[1 - me], couple->timeout[me]);
    return 0;
}

static int join_second(void *couple) {
    return join_partner(couple, 0);
}

static int join_first(void *couple) {
    return join_partner(couple, 1);
}

static void couple_start(struct couple *couple, double timeout) {
    *couple = (struct couple){.timeout = {timeout, timeout}, .result = {1, 1}};
    pthread_barrier_init(&couple->both_run, NULL, 3);
    couple->thread[0] = at_thread_new(.target = join_second, .arg = couple);
    couple->thread[1] = at_thread_new(.target = join_first, .arg = couple);
    start(couple->thread[0]);
    start(couple->thread[1]);
}

static void couple_finish(struct couple *couple) {
    for (int i = 0; i < 2; i++) {
        join(couple->thread[i]);
        at_thread_free(couple->thread[i]);
    }
    pthread_barrier_destroy(&couple->both_run);
}

START_TEST(of_two_threads_that_join_each_other_one_is_told) {
    for (int round = 0; round < 300; round++) {
        struct couple couple;
        couple_start(&couple, AT_FOREVER);
        pthread_barrier_wait(&couple.both_run);
        couple_finish(&couple);
        ck_assert_int_eq(couple.result[0] + couple.result[1], -EDEADLK);
    }
}
END_TEST

START_TEST(of_two_threads_that_join_each_other_one_is_told_though_others_join_them_too) {
    struct couple couple;
    struct joiner joiners[2];
    at_thread *handles[2];
    couple_start(&couple, AT_FOREVER);
    for (int i = 0; i < 2; i++)
        handles[i] = start_joiner(&joiners[i], couple.thread[i], AT_FOREVER);
    pthread_barrier_wait(&couple.both_run);
    couple_finish(&couple);
    ck_assert_int_eq(couple.result[0] + couple.result[1], -EDEADLK);
    for (int i = 0; i < 2; i++)
        finish_joiner(&joiners[i], handles[i], 0);
}
END_TEST

START_TEST(two_threads_that_join_each_other_with_deadlines_both_return) {
    struct couple couple;
    couple_start(&couple, 0.1);
    pthread_barrier_wait(&couple.both_run);
    couple_finish(&couple);
    for (int i = 0; i < 2; i++)
        ck_assert(couple.result[i] == 0 || couple.result[i] == -ETIMEDOUT || couple.result[i] == -EDEADLK);
}
END_TEST

/* ---- the thread's own destructors, of pthread_key_create and of thread_local, belong to it */

static pthread_key_t key;
static _Atomic bool destroyed;
static at_thread *handle_in_destructor;

static void destroy(void *door) {
    if (door != NULL)
        pass(door);
    handle_in_destructor = at_current_thread();
    destroyed = true;
}

static int leave_to_destructor(void *door) {
    pthread_setspecific(key, door);
    return 0;
}

START_TEST(join_waits_for_the_destructors_too) {
    for (int i = 0; i < 2; i++) {
        struct door door;
        door_init(&door);
        destroyed = false;
        pthread_key_create(&key, destroy);
        at_thread *thread = at_thread_new(.target = leave_to_destructor, .arg = &door);
        start(thread);
        door_wait(&door.inside);
        sem_post(&door.open);
        ck_assert_int_eq(at_thread_join(thread, i == 0 ? AT_FOREVER : BOUND), 0);
        ck_assert(destroyed);
        at_thread_free(thread);
        pthread_key_delete(key);
    }
}
END_TEST

START_TEST(join_with_a_deadline_gives_up_on_time_though_a_destructor_runs) {
    struct door door;
    door_init(&door);
    pthread_key_create(&key, destroy);
    at_thread *thread = at_thread_new(.target = leave_to_destructor, .arg = &door);
    start(thread);
    door_wait(&door.inside); /* and so its target has returned */
    ck_assert_int_eq(at_thread_join(thread, 0.05), -ETIMEDOUT);
    ck_assert_int_eq(at_thread_join(thread, 0), -ETIMEDOUT);
    sem_post(&door.open);
    join(thread);
    at_thread_free(thread);
}
END_TEST

START_TEST(destructor_still_runs_in_the_thread_it_belongs_to) {
    struct door door;
    door_init(&door);
    sem_post(&door.open);
    pthread_key_create(&key, destroy);
    at_thread *thread = at_thread_new(.target = leave_to_destructor, .arg = &door);
    start(thread);
    join(thread);
    ck_assert_ptr_eq(handle_in_destructor, thread);
    ck_assert_uint_eq(at_active_count(), 1);
    at_thread_free(thread);
}
END_TEST

/* ---- fault 13: 1000 signals a second, without SA_RESTART */

START_TEST(signals_neither_shorten_nor_lengthen_a_join) { /* fault 13 */
    struct door door;
    door_init(&door);
    storm_mask(SIG_BLOCK);
    at_thread *thread = at_thread_new(.target = pass, .arg = &door);
    start(thread);
    storm_begin();
    double begin = at_now();
    ck_assert_int_eq(at_thread_join(thread, 0.3), -ETIMEDOUT);
    double waited = at_now() - begin;
    storm_end();
    ck_assert_double_ge(waited, 0.3 - ROUNDING);
    ck_assert_double_lt(waited, 3);
    sem_post(&door.open);
    join(thread);
    at_thread_free(thread);
}
END_TEST

static int work_a_while(void *finished) {
    at_sleep(0.2);
    *(bool *)finished = true;
    return 0;
}

START_TEST(signals_do_not_end_a_join_without_deadline) { /* fault 13 */
    bool finished = false;
    storm_mask(SIG_BLOCK);
    at_thread *thread = at_thread_new(.target = work_a_while, .arg = &finished);
    start(thread);
    storm_begin();
    ck_assert_int_eq(at_thread_join(thread, AT_FOREVER), 0);
    ck_assert(finished);
    storm_end();
    at_thread_free(thread);
}
END_TEST

/* ---- fault 25: the handle is freed while others use it */

START_TEST(handle_may_be_freed_while_others_join) { /* fault 25 */
    struct joiner joiners[2];
    struct door door;
    door_init(&door);
    at_thread *thread = at_thread_new(.target = pass, .arg = &door), *handles[2];
    start(thread);
    for (int i = 0; i < 2; i++)
        handles[i] = start_joiner(&joiners[i], thread, i == 0 ? AT_FOREVER : 1000);
    at_thread_free(thread);
    sem_post(&door.open);
    for (int i = 0; i < 2; i++)
        finish_joiner(&joiners[i], handles[i], 0);
    ck_assert_uint_eq(at_active_count(), 1);
}
END_TEST

START_TEST(handle_may_be_freed_while_it_runs) { /* fault 25 */
    struct door door;
    door_init(&door);
    at_thread *thread = at_thread_new(.target = pass, .arg = &door);
    start(thread);
    at_thread_free(thread);
    sem_post(&door.open);
    await(at_active_count() == 1);
}
END_TEST

static int free_handle(void *arg) {
    at_thread_free(*(at_thread **)arg);
    return 0;
}

START_TEST(thread_may_free_its_own_handle_before_start_has_returned) { /* fault 25; AddressSanitizer sees the harm */
    static at_thread *thread;
    for (int round = 0; round < 1000; round++) {
        thread = at_thread_new(.target = free_handle, .arg = &thread, .name = "own");
        start(thread);
        await(at_active_count() == 1);
    }
}
END_TEST

SUITE("thread_join", join_with_a_deadline_gives_up_on_time_and_can_be_repeated, join_that_waits_uses_no_processor,
      all_joiners_wake_when_the_thread_ends, joiner_with_a_deadline_gives_up_while_others_wait_for_ever,
      of_two_threads_that_join_each_other_one_is_told,
      of_two_threads_that_join_each_other_one_is_told_though_others_join_them_too,
      two_threads_that_join_each_other_with_deadlines_both_return, join_waits_for_the_destructors_too,
      join_with_a_deadline_gives_up_on_time_though_a_destructor_runs, destructor_still_runs_in_the_thread_it_belongs_to,
      signals_neither_shorten_nor_lengthen_a_join, signals_do_not_end_a_join_without_deadline,
      handle_may_be_freed_while_others_join, handle_may_be_freed_while_it_runs,
      thread_may_free_its_own_handle_before_start_has_returned)
