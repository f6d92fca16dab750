/* test_thread.c: the states of a thread: new, started, ended; daemon; and what repr says of them: cases 2, 3, 4, 6. */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>

#include "watch.h"

static int nothing(void *unused) {
    (void)unused;
    return 0;
}

/* ---- states: cases 2, 3, 4, 6 */

START_TEST(unstarted_thread_is_not_alive_and_cannot_be_joined) { /* case 2 (test_joining_inactive_thread) */
    at_thread *thread = at_thread_new(.target = nothing);
    ck_assert_uint_eq(at_thread_ident(thread), 0);
    ck_assert(!at_thread_is_alive(thread));
    ck_assert_int_eq(at_thread_join(thread, AT_FOREVER), AT_ENOTSTARTED);
    ck_assert_int_eq(at_thread_join(thread, 0), AT_ENOTSTARTED);
    ck_assert_uint_eq(at_active_count(), 1);
    at_thread_free(thread);
}
END_TEST

static int count_run(void *counter) {
    atomic_fetch_add((_Atomic int *)counter, 1);
    return 0;
}

START_TEST(thread_starts_only_once) { /* case 3 (test_start_thread_again) */
    struct door door;
    _Atomic int runs = 0;
    door_init(&door);
    at_thread *running = at_thread_new(.target = pass, .arg = &door);
    start(running);
    ck_assert_int_eq(at_thread_start(running), AT_ESTARTED);
    sem_post(&door.open);
    join(running);

    at_thread *ended = at_thread_new(.target = count_run, .arg = &runs);
    start(ended);
    join(ended);
    ck_assert_int_eq(at_thread_start(ended), AT_ESTARTED);
    ck_assert_int_eq(at_thread_join(ended, 0), 0);
    ck_assert_int_eq(runs, 1);
    ck_assert_uint_eq(at_active_count(), 1);
    at_thread_free(running);
    at_thread_free(ended);
}
END_TEST

struct racing_start {
    pthread_barrier_t barrier;
    at_thread *thread;
    _Atomic int started;
};

static int race_to_start(void *arg) {
    struct racing_start *race = arg;
    pthread_barrier_wait(&race->barrier);
    int result = at_thread_start(race->thread);
    ck_assert(result == 0 || result == AT_ESTARTED);
    atomic_fetch_add(&race->started, result == 0);
    return 0;
}

START_TEST(of_two_starts_at_once_one_succeeds) { /* case 3 */
    for (int round = 0; round < 100; round++) {
        _Atomic int runs = 0;
        struct racing_start race = {.thread = at_thread_new(.target = count_run, .arg = &runs)};
        pthread_barrier_init(&race.barrier, NULL, 2);
        at_thread *other = at_thread_new(.target = race_to_start, .arg = &race);
        start(other);
        race_to_start(&race);
        join(other);
        join(race.thread);
        ck_assert_int_eq(race.started, 1);
        ck_assert_int_eq(runs, 1);
        at_thread_free(other);
        at_thread_free(race.thread);
        pthread_barrier_destroy(&race.barrier);
    }
}
END_TEST

static int join_myself(void *result) {
    *(int *)result = at_thread_join(at_current_thread(), AT_FOREVER);
    return 0;
}

START_TEST(thread_cannot_join_itself) { /* case 4 (test_joining_current_thread) */
    int result = 0;
    at_thread *thread = at_thread_new(.target = join_myself, .arg = &result);
    start(thread);
    join(thread);
    ck_assert_int_eq(result, -EDEADLK);
    ck_assert_int_eq(at_thread_join(at_current_thread(), 0), -EDEADLK);
    at_thread_free(thread);
}
END_TEST

START_TEST(daemon_is_set_before_the_start_only) { /* case 6 (test_daemonize_active_thread) */
    struct door door;
    door_init(&door);
    at_thread *thread = at_thread_new(.target = pass, .arg = &door);
    ck_assert(!at_thread_daemon(thread));
    ck_assert_int_eq(at_thread_set_daemon(thread, true), 0);
    ck_assert(at_thread_daemon(thread));
    ck_assert_int_eq(at_thread_set_daemon(thread, false), 0);
    start(thread);
    ck_assert_int_eq(at_thread_set_daemon(thread, true), AT_ESTARTED);
    sem_post(&door.open);
    join(thread);
    ck_assert_int_eq(at_thread_set_daemon(thread, true), AT_ESTARTED);
    ck_assert(!at_thread_daemon(thread));
    at_thread_free(thread);
}
END_TEST

struct heirs {
    bool left_out, not_daemon, daemon;
};

static int create_heirs(void *arg) {
    struct heirs *heirs = arg;
    at_thread *left_out = at_thread_new(.target = nothing);
    at_thread *not_daemon = at_thread_new(.target = nothing, .daemon = AT_NOT_DAEMON);
    at_thread *daemon = at_thread_new(.target = nothing, .daemon = true);
    *heirs = (struct heirs){at_thread_daemon(left_out), at_thread_daemon(not_daemon), at_thread_daemon(daemon)};
    at_thread_free(left_out);
    at_thread_free(not_daemon);
    at_thread_free(daemon);
    return 0;
}

static struct heirs heirs_of(int daemon) {
    struct heirs heirs = {0};
    at_thread *creator = at_thread_new(.target = create_heirs, .arg = &heirs, .daemon = daemon);
    start(creator);
    join(creator);
    at_thread_free(creator);
    return heirs;
}

START_TEST(daemon_is_inherited_unless_it_is_said) { /* case 6 (test_daemon_param) */
    ck_assert(!at_thread_daemon(at_main_thread()));
    struct heirs of_daemon = heirs_of(true), of_other = heirs_of(AT_NOT_DAEMON);
    ck_assert(of_daemon.left_out && !of_daemon.not_daemon && of_daemon.daemon);
    ck_assert(!of_other.left_out && !of_other.not_daemon && of_other.daemon);
}
END_TEST

static void assert_repr(const at_thread *thread, const char *format, ...) {
    char got[256], expected[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(expected, sizeof expected, format, arguments);
    va_end(arguments);
    ck_assert_int_eq(at_thread_repr(thread, got, sizeof got), (int)strlen(expected));
    ck_assert_str_eq(got, expected);
}

START_TEST(repr_tells_the_state_as_pythons_does) { /* (test_repr_daemon, test_repr_stopped) */
    struct door door;
    door_init(&door);
    at_thread *thread = at_thread_new(.target = pass, .arg = &door, .daemon = true);
    assert_repr(thread, "<Thread(Thread-1 (pass), initial daemon)>");
    start(thread);
    unsigned long ident = at_thread_ident(thread);
    ck_assert_uint_ne(ident, 0);
    assert_repr(thread, "<Thread(Thread-1 (pass), started daemon %lu)>", ident);
    sem_post(&door.open);
    join(thread);
    assert_repr(thread, "<Thread(Thread-1 (pass), stopped daemon %lu)>", ident);
    at_thread_free(thread);

    thread = at_thread_new(.target = nothing, .name = "T");
    assert_repr(thread, "<Thread(T, initial)>");
    at_thread_free(thread);
    assert_repr(at_main_thread(), "<_MainThread(MainThread, started %lu)>", (unsigned long)pthread_self());
}
END_TEST

START_TEST(repr_that_does_not_fit_is_cut) {
    char text[8] = "";
    at_thread *thread = at_thread_new(.target = nothing);
    ck_assert_int_eq(at_thread_repr(thread, text, sizeof text), (int)strlen("<Thread(Thread-1 (nothing), initial)>"));
    ck_assert_str_eq(text, "<Thread");
    ck_assert_int_eq(at_thread_repr(thread, NULL, 0), (int)strlen("<Thread(Thread-1 (nothing), initial)>"));
    at_thread_free(thread);
}
END_TEST

SUITE("thread", unstarted_thread_is_not_alive_and_cannot_be_joined, thread_starts_only_once,
      of_two_starts_at_once_one_succeeds, thread_cannot_join_itself, daemon_is_set_before_the_start_only,
      daemon_is_inherited_unless_it_is_said, repr_tells_the_state_as_pythons_does, repr_that_does_not_fit_is_cut)
