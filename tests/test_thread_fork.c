/* test_thread_fork.c: what a fork leaves of the threads: the one that forked; case 10 and fault 23. */
#include <pthread.h>
#include <stdatomic.h>

#include "watch.h"

/* In a child forked among threads LeakSanitizer looks for those threads. test_thread_limits looks for leaks. */
SANITIZER_OPTIONS("detect_leaks=0", "atexit_sleep_ms=0")

/* gcc 12's ThreadSanitizer ends such a child when it starts a thread: it still knows the stack by its old thread. */
static const bool CHILD_MAY_START_THREADS = !UNDER_TSAN;

/* What stands around when somebody forks: a thread of ours, and a foreign one that has asked for its handle. */
static struct door ours_door, foreign_door;
static at_thread *ours, *foreign_handle;
static pthread_t foreign;

static void *be_foreign(void *unused) {
    (void)unused;
    foreign_handle = at_current_thread();
    pass(&foreign_door);
    return NULL;
}

static void surround(void) {
    door_init(&ours_door);
    door_init(&foreign_door);
    ours = at_thread_new(.target = pass, .arg = &ours_door);
    start(ours);
    pthread_create(&foreign, NULL, be_foreign, NULL);
    door_wait(&foreign_door.inside);
    door_wait(&ours_door.inside);
}

static void clear(void) {
    sem_post(&ours_door.open);
    sem_post(&foreign_door.open);
    join(ours);
    at_thread_free(ours);
    pthread_join(foreign, NULL);
}

/* In the child: the one that forked is alone, is the main thread, and can go on as any program. */
static void assert_alone(void) {
    at_thread **threads;
    ck_assert_uint_eq(at_active_count(), 1);
    ck_assert_int_eq(at_enumerate(&threads), 1);
    ck_assert_ptr_eq(threads[0], at_current_thread());
    ck_assert_ptr_eq(at_main_thread(), at_current_thread());
    ck_assert(at_thread_is_alive(at_current_thread()));
    ck_assert_uint_eq(at_thread_ident(at_current_thread()), (uint64_t)pthread_self());
    ck_assert_int_eq(at_thread_join(at_current_thread(), 0), -EDEADLK);
    at_threads_free(threads);

    ck_assert(!at_thread_is_alive(ours));
    ck_assert_int_eq(at_thread_join(ours, AT_FOREVER), 0);
    ck_assert_int_eq(at_thread_join(ours, 0), 0);
    ck_assert_int_eq(at_thread_start(ours), AT_ESTARTED);
    at_thread_free(ours);
    if (!CHILD_MAY_START_THREADS)
        return;

    struct door door;
    door_init(&door);
    at_thread *thread = at_thread_new(.target = pass, .arg = &door);
    start(thread);
    ck_assert_uint_eq(at_active_count(), 2);
    ck_assert(at_thread_is_alive(thread));
    ck_assert_int_eq(at_thread_join(thread, 0.01), -ETIMEDOUT);
    sem_post(&door.open);
    join(thread);
    at_thread_free(thread);
    ck_assert_uint_eq(at_active_count(), 1);
}

static void fork_and_assert_alone(void) {
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        assert_alone();
        exit(7); /* which waits for nobody */
    }
    ck_assert_int_eq(end_of(child), 7);
}

START_TEST(fork_in_the_main_thread_leaves_it_alone) { /* case 10 (test_is_alive_after_fork) */
    surround();
    at_thread *before = at_main_thread();
    pid_t child = fork();
    if (child == 0) {
        ck_assert_ptr_eq(at_current_thread(), before);
        assert_alone();
        exit(7);
    }
    ck_assert_int_eq(end_of(child), 7);
    ck_assert_uint_eq(at_active_count(), 3); /* here nothing has changed */
    clear();
}
END_TEST

static int fork_in_thread(void *unused) {
    (void)unused;
    at_thread *main_thread = at_main_thread(), *me = at_current_thread();
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        ck_assert_ptr_eq(at_main_thread(), me);
        ck_assert(!at_thread_is_alive(main_thread));
        assert_alone();
        exit(7);
    }
    ck_assert_int_eq(end_of(child), 7);
    return 0;
}

START_TEST(fork_in_a_thread_makes_it_the_main_thread) { /* case 10 (test_main_thread_after_fork_from_nonmain_thread) */
    surround();
    at_thread *thread = at_thread_new(.target = fork_in_thread);
    start(thread);
    join(thread);
    at_thread_free(thread);
    clear();
}
END_TEST

static void *fork_in_foreign(void *asks_first) {
    if (asks_first)
        ck_assert_ptr_nonnull(at_current_thread());
    fork_and_assert_alone();
    return NULL;
}

START_TEST(fork_in_a_foreign_thread_makes_it_the_main_thread) { /* case 10 (test_dummy_thread_after_fork) */
    surround();
    for (int asks_first = 0; asks_first < 2; asks_first++) {
        pthread_t thread;
        pthread_create(&thread, NULL, fork_in_foreign, asks_first ? &thread : NULL);
        pthread_join(thread, NULL);
    }
    clear();
}
END_TEST

START_TEST(fork_of_a_fork_leaves_its_thread_alone) { /* case 10 */
    surround();
    pid_t child = fork();
    if (child == 0) {
        assert_alone();
        if (CHILD_MAY_START_THREADS) {
            surround();
            fork_and_assert_alone();
            clear();
        }
        exit(7);
    }
    ck_assert_int_eq(end_of(child), 7);
    clear();
}
END_TEST

static struct door child_door;

static void open_child_door(void) {
    sem_post(&child_door.open);
}

static int leave_mark(void *wire) {
    pass(&child_door);
    wire_put(*(struct wire *)wire, 'm');
    return 0;
}

START_TEST(child_joins_its_own_threads_at_exit) { /* cases 9 and 10 (test_2_join_in_forked_process) */
    if (!CHILD_MAY_START_THREADS)
        skip("ThreadSanitizer ends a child that starts threads");
    surround();
    struct wire wire = wire_new();
    pid_t child = fork();
    if (child == 0) {
        door_init(&child_door);
        at_thread *thread = at_thread_new(.target = leave_mark, .arg = &wire);
        start(thread);
        at_thread_free(thread);
        atexit(open_child_door); /* its main thread has returned when this is called */
        exit(6);
    }
    close(wire.write);
    ck_assert_int_eq(end_of(child), 6);
    ck_assert_int_eq(wire_get(wire), 'm');
    close(wire.read);
    clear();
}
END_TEST

/* ---- the main thread of a child may end before its other threads */

static int name_main_thread(void *unused) {
    (void)unused;
    await(at_active_count() == 1); /* we alone are left */
    ck_assert_ptr_nonnull(at_main_thread());
    ck_assert_int_gt((int)strlen(at_thread_name(at_main_thread())), 0);
    ck_assert(!at_thread_is_alive(at_main_thread()));
    _exit(8);
}

static _Atomic pid_t orphaned;

static int fork_and_end_first(void *unused) {
    (void)unused;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        at_thread *thread = at_thread_new(.target = name_main_thread);
        start(thread);
        at_thread_free(thread);
        end_main_thread();
    }
    orphaned = child;
    return 0;
}

static void *fork_and_end_first_foreign(void *unused) {
    ck_assert_ptr_nonnull(at_current_thread());
    fork_and_end_first(unused);
    return NULL;
}

START_TEST(main_thread_of_a_child_can_be_asked_for_after_its_end) { /* case 10; AddressSanitizer sees the harm */
    if (!CHILD_MAY_START_THREADS)
        skip("ThreadSanitizer ends a child that starts threads");
    at_thread *thread = at_thread_new(.target = fork_and_end_first);
    start(thread);
    at_thread_free(thread);
    await(orphaned != 0);
    ck_assert_int_eq(end_of(orphaned), 8);

    pthread_t foreign_thread;
    pthread_create(&foreign_thread, NULL, fork_and_end_first_foreign, NULL);
    pthread_join(foreign_thread, NULL);
    ck_assert_int_eq(end_of(orphaned), 8);
}
END_TEST

/* ---- fault 23: a fork while other threads are in the library, and so may hold its locks */

static _Atomic bool is_over;

static int start_and_join(void *unused) {
    (void)unused;
    while (!is_over) {
        at_thread *thread = at_thread_new(.target = return_arg, .arg = &(int){0});
        start(thread);
        join(thread);
        at_thread_free(thread);
    }
    return 0;
}

/* Three of these and a long list: somebody holds the lock of the list nearly always. */
static int list_all(void *unused) {
    (void)unused;
    while (!is_over) {
        at_thread **threads;
        ok(at_enumerate(&threads));
        at_threads_free(threads);
    }
    return 0;
}

/* In the child: uses all that a lock of the library could stop. */
static void use_the_library(void) {
    alarm(15); /* a child that finds a lock held for ever is killed, and the test fails */
    ck_assert_uint_eq(at_active_count(), 1);
    at_thread **threads;
    ck_assert_int_eq(at_enumerate(&threads), 1);
    at_threads_free(threads);
    at_thread *thread = at_thread_new(.target = return_arg, .arg = &(int){0});
    if (!CHILD_MAY_START_THREADS) {
        at_thread_free(thread);
        return;
    }
    start(thread);
    join(thread);
    at_thread_free(thread);
    ck_assert_uint_eq(at_active_count(), 1);
}

START_TEST(fork_while_others_hold_our_locks_leaves_none_held) { /* fault 23 */
    enum { FORKS = 100, BUSY = 4, IDLE = 30 };
    at_thread *threads[BUSY + IDLE];
    struct door door;
    if (UNDER_ASAN)
        skip("a fork may leave the lock of gcc 12's AddressSanitizer itself held in the child");
    door_init(&door);
    for (int i = 0; i < BUSY + IDLE; i++) {
        threads[i] = i < IDLE ? at_thread_new(.target = pass, .arg = &door)
                              : at_thread_new(.target = i == IDLE ? start_and_join : list_all);
        start(threads[i]);
    }
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        require(child >= 0);
        if (child == 0) {
            use_the_library();
            exit(0);
        }
        ck_assert_int_eq(end_of(child), 0);
    }
    is_over = true;
    for (int i = 0; i < IDLE; i++)
        sem_post(&door.open);
    for (int i = 0; i < BUSY + IDLE; i++) {
        join(threads[i]);
        at_thread_free(threads[i]);
    }
}
END_TEST

SUITE("thread_fork", fork_in_the_main_thread_leaves_it_alone, fork_in_a_thread_makes_it_the_main_thread,
      fork_in_a_foreign_thread_makes_it_the_main_thread, fork_of_a_fork_leaves_its_thread_alone,
      child_joins_its_own_threads_at_exit, main_thread_of_a_child_can_be_asked_for_after_its_end,
      fork_while_others_hold_our_locks_leaves_none_held)
