/* test_thread_target.c: what a thread runs, what it is given, how it fails, and bad input: cases 12 and 14. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "watch.h"

static int nothing(void *unused) {
    (void)unused;
    return 0;
}

/* ---- what it is given, and what it answers */

static int check_copy(void *arg) {
    ck_assert_uint_eq((uintptr_t)arg % _Alignof(max_align_t), 0);
    ck_assert_int_eq(*(int *)arg, 1);
    return 0;
}

START_TEST(argument_can_be_a_copy) {
    int number = 1;
    at_thread *thread = at_thread_new(.target = check_copy, AT_COPY(number), .name = "c");
    number = 2;
    start(thread);
    join(thread);
    at_thread_free(thread);
}
END_TEST

START_TEST(copy_larger_than_memory_is_no_thread) {
    int number = 1;
    if (UNDER_ASAN || UNDER_TSAN)
        skip("a sanitizer ends a program that asks for so much");
    ck_assert_ptr_null(at_thread_new(.target = nothing, .arg = &number, .arg_size = SIZE_MAX / 2));
    ck_assert_ptr_null(at_thread_new(.target = nothing, .arg = &number, .arg_size = SIZE_MAX - 64));
}
END_TEST

struct who {
    at_thread *handle;
    uint64_t ident;
    pthread_t self;
    bool alive;
};

static int ask_who(void *arg) {
    struct who *who = arg;
    who->handle = at_current_thread();
    who->ident = at_thread_ident(at_current_thread());
    who->self = pthread_self();
    who->alive = at_thread_is_alive(at_current_thread());
    return 0;
}

START_TEST(thread_knows_itself) {
    struct who who = {0};
    at_thread *thread = at_thread_new(.target = ask_who, .arg = &who);
    start(thread);
    join(thread);
    ck_assert_ptr_eq(who.handle, thread);
    ck_assert_uint_eq(who.ident, (uint64_t)who.self);
    ck_assert_uint_eq(at_thread_ident(thread), who.ident);
    ck_assert(who.alive);
    ck_assert(!at_thread_is_alive(thread));
    at_thread_free(thread);
}
END_TEST

START_TEST(main_thread_is_the_one_that_runs_main) {
    ck_assert_ptr_eq(at_current_thread(), at_main_thread());
    ck_assert_str_eq(at_thread_name(at_main_thread()), "MainThread");
    ck_assert_uint_eq(at_thread_ident(at_main_thread()), (uint64_t)pthread_self());
    ck_assert(at_thread_is_alive(at_main_thread()));
}
END_TEST

static size_t stack_size_of_me(void) {
    pthread_attr_t attributes;
    size_t size = 0;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstacksize(&attributes, &size);
    pthread_attr_destroy(&attributes);
    return size;
}

static int read_stack_size(void *size) {
    *(size_t *)size = stack_size_of_me();
    return 0;
}

START_TEST(stack_is_as_large_as_asked_for) { /* (test_various_ops_small_stack, _large_stack) */
    static const size_t SIZES[] = {256 << 10, 1 << 20, 64 << 20};
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        size_t size = 0;
        at_thread *thread = at_thread_new(.target = read_stack_size, .arg = &size, .stack_size = SIZES[i]);
        start(thread);
        join(thread);
        ck_assert_uint_ge(size, SIZES[i]);
        if (!UNDER_ASAN && !UNDER_TSAN) /* which add what they need themselves */
            ck_assert_uint_lt(size, SIZES[i] + (64 << 10));
        at_thread_free(thread);
    }
}
END_TEST

/* ---- failing: case 12 (ExceptHookTests) */

static _Atomic int hook_calls;
static struct who hook_who;
static int hook_code;

static void hook(at_thread *thread, int code) {
    ask_who(&hook_who);
    ck_assert_ptr_eq(hook_who.handle, thread);
    hook_code = code;
    hook_calls++;
}

static int run_out_of_space(void *unused) {
    (void)unused;
    return -ENOSPC;
}

START_TEST(failing_thread_calls_the_hook_once_and_harms_no_other) { /* case 12 */
    struct door door;
    door_init(&door);
    ck_assert(at_set_excepthook(hook) == NULL);
    at_thread *other = at_thread_new(.target = pass, .arg = &door),
              *failing = at_thread_new(.target = run_out_of_space);
    start(other);
    start(failing);
    join(failing);
    ck_assert_int_eq(hook_calls, 1);
    ck_assert_int_eq(hook_code, -ENOSPC);
    ck_assert_ptr_eq(hook_who.handle, failing);
    ck_assert(!at_thread_is_alive(failing));
    ck_assert(at_thread_is_alive(other));
    sem_post(&door.open);
    join(other);
    ck_assert_int_eq(hook_calls, 1);
    ck_assert(at_set_excepthook(NULL) == hook);
    ck_assert(at_set_excepthook(NULL) == NULL);
    at_thread_free(other);
    at_thread_free(failing);
}
END_TEST

static int leave(void *unused) {
    (void)unused;
    pthread_exit(NULL);
}

static int answer_7(void *unused) {
    (void)unused;
    return 7;
}

START_TEST(pthread_exit_and_a_count_are_no_failures) { /* case 12 (test_system_exit) */
    at_set_excepthook(hook);
    at_target *targets[] = {leave, answer_7};
    for (int i = 0; i < 2; i++) {
        at_thread *thread = at_thread_new(.target = targets[i]);
        start(thread);
        join(thread);
        ck_assert(!at_thread_is_alive(thread));
        ck_assert_uint_eq(at_active_count(), 1);
        at_thread_free(thread);
    }
    ck_assert_int_eq(hook_calls, 0);
}
END_TEST

/* ---- bad input */

START_TEST(null_is_refused_or_means_nothing) {
    char text[8];
    ck_assert_int_eq(at_thread_start(NULL), -EINVAL);
    ck_assert_int_eq(at_thread_join(NULL, 0), -EINVAL);
    ck_assert_int_eq(at_thread_set_daemon(NULL, true), -EINVAL);
    ck_assert_ptr_null(at_thread_name(NULL));
    ck_assert_uint_eq(at_thread_ident(NULL), 0);
    ck_assert(!at_thread_is_alive(NULL));
    ck_assert(!at_thread_daemon(NULL));
    ck_assert_int_gt(at_thread_repr(NULL, text, sizeof text), 0);
    at_thread_free(NULL);
    at_threads_free(NULL);
}
END_TEST

START_TEST(thread_without_target_does_not_start) {
    at_thread *thread = at_thread_new(.target = NULL, .name = "idle");
    ck_assert_int_eq(at_thread_start(thread), AT_ENOTARGET);
    ck_assert_int_eq(at_thread_start(thread), AT_ENOTARGET);
    ck_assert_int_eq(at_thread_join(thread, 0), AT_ENOTSTARTED);
    ck_assert_uint_eq(at_active_count(), 1);
    at_thread_free(thread);
}
END_TEST

START_TEST(absurd_timeouts_of_join_are_refused) { /* case 14 */
    struct door door;
    door_init(&door);
    at_thread *thread = at_thread_new(.target = pass, .arg = &door);
    start(thread);
    ck_assert_int_eq(at_thread_join(thread, (double)NAN), -EINVAL);
    ck_assert_int_eq(at_thread_join(thread, 1e300), -EOVERFLOW);
    ck_assert_int_eq(at_thread_join(thread, nextafter(AT_TIMEOUT_MAX, INFINITY)), -EOVERFLOW);
    ck_assert_int_eq(at_thread_join(thread, -1), -ETIMEDOUT);
    ck_assert_int_eq(at_thread_join(thread, -1e300), -ETIMEDOUT);
    ck_assert_int_eq(at_thread_join(thread, -(double)INFINITY), -ETIMEDOUT);
    sem_post(&door.open);
    ck_assert_int_eq(at_thread_join(thread, AT_TIMEOUT_MAX), 0);
    at_thread_free(thread);
}
END_TEST

static int join_main(void *result) {
    *(int *)result = at_thread_join(at_main_thread(), AT_FOREVER);
    return 0;
}

START_TEST(main_thread_can_be_neither_started_nor_joined) {
    int result = 0;
    at_thread *thread = at_thread_new(.target = join_main, .arg = &result);
    ck_assert_int_eq(at_thread_start(at_main_thread()), AT_ESTARTED);
    ck_assert_int_eq(at_thread_set_daemon(at_main_thread(), true), AT_ESTARTED);
    start(thread);
    join(thread);
    ck_assert_int_eq(result, AT_ENOTJOINABLE);
    at_thread_free(thread);
}
END_TEST

START_TEST(stack_too_small_is_refused_and_leaves_the_thread_new) {
    at_thread *thread = at_thread_new(.target = nothing, .stack_size = 1);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(at_thread_start(thread), -EINVAL);
        ck_assert_int_eq(at_thread_join(thread, 0), AT_ENOTSTARTED);
        ck_assert_uint_eq(at_thread_ident(thread), 0);
        ck_assert_uint_eq(at_active_count(), 1);
        ck_assert_int_eq(at_thread_set_daemon(thread, false), 0);
    }
    at_thread_free(thread);
}
END_TEST

SUITE("thread_target", argument_can_be_a_copy, copy_larger_than_memory_is_no_thread, thread_knows_itself,
      main_thread_is_the_one_that_runs_main, stack_is_as_large_as_asked_for,
      failing_thread_calls_the_hook_once_and_harms_no_other, pthread_exit_and_a_count_are_no_failures,
      null_is_refused_or_means_nothing, thread_without_target_does_not_start, absurd_timeouts_of_join_are_refused,
      main_thread_can_be_neither_started_nor_joined, stack_too_small_is_refused_and_leaves_the_thread_new)
