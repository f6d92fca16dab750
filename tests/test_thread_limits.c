/* test_thread_limits.c: threads at the system's limits, and what thousands of them leave behind: case 11. */
#include <grp.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>

#include "watch.h"

enum { NOBODY = 65534 };

static int nothing(void *unused) {
    (void)unused;
    return 0;
}

/* ---- nothing is left: descriptors, threads, mappings, bytes (test_thread_leak, test_leak_without_join) */

struct footprint {
    int descriptors;
    size_t mappings, bytes, listed;
};

static size_t count_mappings(void) {
    FILE *file = fopen("/proc/self/maps", "r");
    ck_assert_ptr_nonnull(file);
    size_t count = 0;
    for (int byte; (byte = getc(file)) != EOF;)
        count += byte == '\n';
    fclose(file);
    return count;
}

static struct footprint footprint(void) {
    struct footprint now = {.descriptors = count_fds(), .listed = at_active_count(), .mappings = count_mappings()};
    /* ThreadSanitizer has threads of its own. One that nobody joined is gone a moment after it is off our list. */
    await(UNDER_TSAN || count_threads() == 1);
    now.bytes = mallinfo2().uordblks;
    return now;
}

static void start_list_and_join(int count) {
    for (int i = 0; i < count; i++) {
        at_thread **threads, *thread = at_thread_new(.target = nothing);
        start(thread);
        ok(at_enumerate(&threads));
        at_threads_free(threads);
        join(thread);
        at_thread_free(thread);
    }
}

static void start_and_forget(int count) {
    for (int i = 0; i < count; i++) {
        at_thread *thread = at_thread_new(.target = nothing);
        start(thread);
        at_thread_free(thread);
        if (i % 8 == 0)
            await(at_active_count() == 1);
    }
    await(at_active_count() == 1);
}

static void create_only(int count) {
    for (int i = 0; i < count; i++)
        at_thread_free(at_thread_new(.target = nothing, AT_COPY(count)));
}

static void *ask_for_handle(void *unused) {
    return at_current_thread() ? unused : NULL;
}

static void be_foreign(int count) {
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        require(pthread_create(&thread, NULL, ask_for_handle, NULL) == 0);
        require(pthread_join(thread, NULL) == 0);
    }
}

static void assert_leaves_nothing(void (*churn)(int), int count) {
    churn(100); /* what is kept for the next thread, by us and by libc, exists after these */
    struct footprint before = footprint();
    churn(count);
    struct footprint after = footprint();
    ck_assert_int_eq(after.descriptors, before.descriptors);
    ck_assert_uint_eq(after.listed, before.listed);
    if (UNDER_TSAN || UNDER_ASAN)
        return; /* their own memory grows */
    /* An arena or a cached stack more, but nothing for each thread: a handle alone has more than 100 bytes. */
    ck_assert_uint_le(after.mappings, before.mappings + 40);
    ck_assert_uint_le(after.bytes, before.bytes + 16 * (size_t)count);
}

START_TEST(ten_thousand_threads_leave_nothing) {
    assert_leaves_nothing(start_list_and_join, 10000);
}
END_TEST

START_TEST(threads_that_nobody_joins_leave_nothing) { /* (test_leak_without_join) */
    assert_leaves_nothing(start_and_forget, 2000);
}
END_TEST

START_TEST(threads_that_never_start_leave_nothing) {
    assert_leaves_nothing(create_only, 10000);
}
END_TEST

START_TEST(foreign_threads_leave_nothing) {
    assert_leaves_nothing(be_foreign, 2000);
}
END_TEST

static void fail_to_start(int count) {
    for (int i = 0; i < count; i++) {
        at_thread *thread = at_thread_new(.target = nothing, .stack_size = 1);
        require(at_thread_start(thread) == -EINVAL);
        at_thread_free(thread);
    }
}

START_TEST(threads_that_fail_to_start_leave_nothing) {
    assert_leaves_nothing(fail_to_start, 2000);
}
END_TEST

/* ---- case 11: no thread left, no memory left (test_limbo_cleanup) */

/* A start that fails leaves everything as it was, and the handle can be started when there is room again. */
static void assert_start_fails(at_thread *thread) {
    char repr[128];
    size_t count = at_active_count();
    at_thread **threads;
    ck_assert_int_eq(at_thread_start(thread), -EAGAIN);
    ck_assert_int_eq(at_thread_start(thread), -EAGAIN);
    ck_assert_uint_eq(at_active_count(), count);
    ck_assert_int_eq(at_enumerate(&threads), (int)count);
    at_threads_free(threads);
    ck_assert(!at_thread_is_alive(thread));
    ck_assert_uint_eq(at_thread_ident(thread), 0);
    ck_assert_int_eq(at_thread_join(thread, 0), AT_ENOTSTARTED);
    ck_assert_int_eq(at_thread_set_daemon(thread, true), 0);
    at_thread_repr(thread, repr, sizeof repr);
    ck_assert_str_eq(repr, "<Thread(T, initial daemon)>");
}

static void assert_starts(at_thread *thread) {
    start(thread);
    join(thread);
    at_thread_free(thread);
    ck_assert_uint_eq(at_active_count(), 1);
}

START_TEST(start_without_room_for_a_thread_fails_and_can_be_repeated) { /* case 11 */
    struct rlimit limit;
    if (getuid() == 0) { /* whom RLIMIT_NPROC does not bind */
        ck_assert_int_eq(setgroups(0, NULL), 0);
        ck_assert_int_eq(setresgid(NOBODY, NOBODY, NOBODY), 0);
        ck_assert_int_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
    }
    ck_assert_int_eq(getrlimit(RLIMIT_NPROC, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 1;
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
    at_thread *thread = at_thread_new(.target = nothing, .name = "T");
    assert_start_fails(thread);
    limit.rlim_cur = before;
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
    assert_starts(thread);
}
END_TEST

/* Lets the address space grow by no more than so many bytes. */
static rlim_t limit_memory(size_t bytes) {
    struct rlimit limit;
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = pages * (size_t)sysconf(_SC_PAGESIZE) + bytes;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    return before;
}

static void unlimit_memory(rlim_t before) {
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = before;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
}

START_TEST(start_without_memory_for_a_stack_fails_and_can_be_repeated) { /* case 11 */
    if (UNDER_TSAN || UNDER_ASAN)
        skip("a sanitizer needs more address space than this test leaves");
    at_thread *thread = at_thread_new(.target = nothing, .name = "T", .stack_size = 64 << 20);
    rlim_t before = limit_memory(32 << 20);
    assert_start_fails(thread);
    unlimit_memory(before);
    assert_starts(thread);
}
END_TEST

START_TEST(new_without_memory_is_null) {
    static char large[16 << 20];
    if (UNDER_TSAN || UNDER_ASAN)
        skip("a sanitizer needs more address space than this test leaves");
    rlim_t before = limit_memory(1 << 20);
    ck_assert_ptr_null(at_thread_new(.target = nothing, AT_COPY(large)));
    unlimit_memory(before);
    at_thread *thread = at_thread_new(.target = nothing, AT_COPY(large));
    ck_assert_ptr_nonnull(thread);
    assert_starts(thread);
}
END_TEST

START_TEST(as_many_threads_as_the_system_has_then_all_end) { /* case 11 */
    enum { MOST = 200, ROOM = 64 << 20 };
    static at_thread *threads[MOST];
    if (UNDER_TSAN || UNDER_ASAN)
        skip("a sanitizer needs more address space than this test leaves");
    struct door door;
    door_init(&door);
    rlim_t before = limit_memory(ROOM);
    int count = 0, error = 0;
    while (count < MOST && error == 0) {
        threads[count] = at_thread_new(.target = pass, .arg = &door, .stack_size = 1 << 20);
        error = at_thread_start(threads[count]);
        count += error == 0;
    }
    ck_assert_int_eq(error, -EAGAIN);
    ck_assert_int_gt(count, 10);
    ck_assert_uint_eq(at_active_count(), (size_t)count + 1);
    for (int i = 0; i < count; i++)
        sem_post(&door.open);
    for (int i = 0; i < count; i++) {
        join(threads[i]);
        at_thread_free(threads[i]);
    }
    unlimit_memory(before);
    sem_post(&door.open);
    assert_starts(threads[count]);
}
END_TEST

SUITE("thread_limits", ten_thousand_threads_leave_nothing, threads_that_nobody_joins_leave_nothing,
      threads_that_never_start_leave_nothing, foreign_threads_leave_nothing, threads_that_fail_to_start_leave_nothing,
      start_without_room_for_a_thread_fails_and_can_be_repeated,
      start_without_memory_for_a_stack_fails_and_can_be_repeated, new_without_memory_is_null,
      as_many_threads_as_the_system_has_then_all_end)
