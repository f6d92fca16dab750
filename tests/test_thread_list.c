/* test_thread_list.c: which threads there are: active_count, enumerate, threads that we did not start; cases 7, 8. */
#include <pthread.h>
#include <stdatomic.h>

#include "watch.h"

enum { MANY = 20 };

/* Whether enumerate finds a handle; also checks that the count agrees, so nobody may start or end meanwhile. */
static bool is_listed(const at_thread *wanted) {
    at_thread **threads;
    bool found = false;
    int count = at_enumerate(&threads);
    ck_assert_int_eq(count, (int)at_active_count());
    for (int i = 0; i < count; i++)
        found |= threads[i] == wanted;
    ck_assert_ptr_null(threads[count]);
    at_threads_free(threads);
    return found;
}

START_TEST(a_program_starts_with_its_main_thread) {
    at_thread **threads;
    ck_assert_uint_eq(at_active_count(), 1);
    ck_assert_int_eq(at_enumerate(&threads), 1);
    ck_assert_ptr_eq(threads[0], at_main_thread());
    at_threads_free(threads);
}
END_TEST

START_TEST(thread_is_listed_from_its_start_to_its_end) { /* case 7 (test_enumerate_after_join) */
    struct door door;
    door_init(&door);
    at_thread *thread = at_thread_new(.target = pass, .arg = &door);
    ck_assert(!is_listed(thread));
    start(thread);
    ck_assert(is_listed(thread));
    ck_assert_uint_eq(at_active_count(), 2);
    sem_post(&door.open);
    join(thread);
    ck_assert(!is_listed(thread));
    ck_assert_uint_eq(at_active_count(), 1);
    at_thread_free(thread);
}
END_TEST

START_TEST(no_thread_is_listed_once_it_has_been_joined) { /* case 7, often: the end and the joiner race */
    for (int round = 0; round < 500; round++) {
        struct door door;
        door_init(&door);
        sem_post(&door.open);
        at_thread *thread = at_thread_new(.target = pass, .arg = &door);
        start(thread);
        ck_assert_int_eq(at_thread_join(thread, round % 2 ? AT_FOREVER : BOUND), 0);
        ck_assert(!is_listed(thread));
        ck_assert(!at_thread_is_alive(thread));
        at_thread_free(thread);
    }
}
END_TEST

START_TEST(snapshot_is_in_the_order_of_starts_and_outlives_its_threads) { /* case 7 */
    struct door door;
    at_thread *started_threads[MANY], **threads;
    door_init(&door);
    for (int i = 0; i < MANY; i++) {
        started_threads[i] = at_thread_new(.target = pass, .arg = &door);
        start(started_threads[i]);
    }
    ck_assert_int_eq(at_enumerate(&threads), MANY + 1);
    ck_assert_ptr_eq(threads[0], at_main_thread());
    for (int i = 0; i < MANY; i++) {
        ck_assert_ptr_eq(threads[i + 1], started_threads[i]);
        at_thread_free(started_threads[i]); /* the snapshot's own count is the only one left, but for the thread's */
        sem_post(&door.open);
    }
    for (int i = 1; i <= MANY; i++) {
        char name[32];
        join(threads[i]);
        ck_assert(!at_thread_is_alive(threads[i]));
        snprintf(name, sizeof name, "Thread-%d (pass)", i);
        ck_assert_str_eq(at_thread_name(threads[i]), name);
    }
    at_threads_free(threads);
    ck_assert_uint_eq(at_active_count(), 1);
}
END_TEST

static _Atomic bool is_over;

static int come_and_go(void *unused) {
    (void)unused;
    while (!is_over) {
        at_thread *thread = at_thread_new(.target = return_arg, .arg = &(int){0}, .name = "short");
        start(thread);
        join(thread);
        at_thread_free(thread);
    }
    return 0;
}

START_TEST(snapshots_hold_while_threads_come_and_go) {
    at_thread *makers[3];
    for (int i = 0; i < 3; i++) {
        makers[i] = at_thread_new(.target = come_and_go, .name = "maker");
        start(makers[i]);
    }
    for (int round = 0; round < 2000; round++) {
        at_thread **threads;
        int count = at_enumerate(&threads);
        require(count >= 4);
        for (int i = 0; i < count; i++)
            require(strstr("MainThread maker short", at_thread_name(threads[i])) != NULL);
        require(threads[count] == NULL);
        at_threads_free(threads);
    }
    is_over = true;
    for (int i = 0; i < 3; i++) {
        join(makers[i]);
        at_thread_free(makers[i]);
    }
    ck_assert_uint_eq(at_active_count(), 1);
}
END_TEST

/* ---- case 8: threads that we did not start (test_foreign_thread, test_dummy_thread_after_fork) */

struct foreign {
    struct door door;
    at_thread *first, *second;
    char name[32], repr[128];
    uint64_t ident;
    bool alive, daemon;
    int join_itself, start_it, set_daemon;
};

static void *ask_for_handle(void *arg) {
    struct foreign *foreign = arg;
    at_thread *me = foreign->first = at_current_thread();
    foreign->second = at_current_thread();
    snprintf(foreign->name, sizeof foreign->name, "%s", at_thread_name(me));
    at_thread_repr(me, foreign->repr, sizeof foreign->repr);
    foreign->ident = at_thread_ident(me);
    foreign->alive = at_thread_is_alive(me);
    foreign->daemon = at_thread_daemon(me);
    foreign->join_itself = at_thread_join(me, AT_FOREVER);
    foreign->start_it = at_thread_start(me);
    foreign->set_daemon = at_thread_set_daemon(me, false);
    pass(&foreign->door);
    return NULL;
}

START_TEST(foreign_thread_gets_a_stable_dummy_that_is_listed_until_it_ends) { /* case 8 */
    struct foreign foreign = {0};
    pthread_t thread;
    char repr[128];
    door_init(&foreign.door);
    pthread_create(&thread, NULL, ask_for_handle, &foreign);
    door_wait(&foreign.door.inside);
    ck_assert_ptr_nonnull(foreign.first);
    ck_assert_ptr_eq(foreign.first, foreign.second);
    ck_assert_str_eq(foreign.name, "Dummy-1");
    snprintf(repr, sizeof repr, "<_DummyThread(Dummy-1, started daemon %lu)>", (unsigned long)thread);
    ck_assert_str_eq(foreign.repr, repr);
    ck_assert_uint_eq(foreign.ident, (uint64_t)thread);
    ck_assert(foreign.alive && foreign.daemon);
    ck_assert_int_eq(foreign.join_itself, -EDEADLK);
    ck_assert_int_eq(foreign.start_it, AT_ESTARTED);
    ck_assert_int_eq(foreign.set_daemon, AT_ESTARTED);
    ck_assert(is_listed(foreign.first));
    ck_assert_int_eq(at_thread_join(foreign.first, 0), AT_ENOTJOINABLE);

    at_thread **snapshot;
    ck_assert_int_eq(at_enumerate(&snapshot), 2);
    sem_post(&foreign.door.open);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(at_active_count(), 1);
    ck_assert(!at_thread_is_alive(snapshot[1]));
    ck_assert_str_eq(at_thread_name(snapshot[1]), "Dummy-1");
    at_threads_free(snapshot);
}
END_TEST

static void *stay_unknown(void *door) {
    pass(door);
    return NULL;
}

START_TEST(foreign_thread_that_never_asks_is_not_listed) {
    struct door door;
    pthread_t thread;
    door_init(&door);
    pthread_create(&thread, NULL, stay_unknown, &door);
    door_wait(&door.inside);
    ck_assert_uint_eq(at_active_count(), 1);
    sem_post(&door.open);
    pthread_join(thread, NULL);
}
END_TEST

static int name_creator(void *name) {
    snprintf(name, 32, "%s", at_thread_name(at_current_thread()));
    return 0;
}

static void *start_ours(void *name) {
    at_thread *thread = at_thread_new(.target = name_creator, .arg = name);
    ck_assert(at_thread_daemon(thread)); /* its creator, a dummy, is a daemon (test_foreign_thread_in_main_thread) */
    start(thread);
    join(thread);
    at_thread_free(thread);
    return NULL;
}

START_TEST(foreign_thread_can_start_and_join_ours) { /* case 8 */
    pthread_t thread;
    char name[32] = "";
    pthread_create(&thread, NULL, start_ours, name);
    pthread_join(thread, NULL);
    ck_assert_str_eq(name, "Thread-1 (name_creator)");
    ck_assert_uint_eq(at_active_count(), 1);
}
END_TEST

SUITE("thread_list", a_program_starts_with_its_main_thread, thread_is_listed_from_its_start_to_its_end,
      no_thread_is_listed_once_it_has_been_joined, snapshot_is_in_the_order_of_starts_and_outlives_its_threads,
      snapshots_hold_while_threads_come_and_go, foreign_thread_gets_a_stable_dummy_that_is_listed_until_it_ends,
      foreign_thread_that_never_asks_is_not_listed, foreign_thread_can_start_and_join_ours)
