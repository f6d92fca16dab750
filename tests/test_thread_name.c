/* test_thread_name.c: what a thread is called: case 1 (test_name). */
#include <sys/prctl.h>

#include "watch.h"

static int nothing(void *unused) {
    (void)unused;
    return 0;
}

static void assert_name(at_thread *thread, const char *name) {
    ck_assert_str_eq(at_thread_name(thread), name);
    at_thread_free(thread);
}

START_TEST(unnamed_thread_is_called_after_its_number_and_target) {
    assert_name(at_thread_new(.target = nothing), "Thread-1 (nothing)");
    assert_name(at_thread_new(.target = nothing, .name = NULL), "Thread-2 (nothing)");
    assert_name(at_thread_new(), "Thread-3");
}
END_TEST

START_TEST(empty_name_counts_as_unnamed) {
    assert_name(at_thread_new(.target = nothing, .name = ""), "Thread-1 (nothing)");
}
END_TEST

START_TEST(given_name_is_copied_whole_and_takes_no_number) {
    char name[1001];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    at_thread *thread = at_thread_new(.target = nothing, .name = name);
    name[0] = 'x';
    ck_assert_uint_eq(strlen(at_thread_name(thread)), 1000);
    ck_assert_int_eq(at_thread_name(thread)[0], 'n');
    at_thread_free(thread);
    assert_name(at_thread_new(.target = nothing), "Thread-1 (nothing)");
}
END_TEST

START_TEST(target_is_found_however_it_is_spelt) {
    int arg = 0;
    // clang-format off
    assert_name(at_thread_new(.target=nothing), "Thread-1 (nothing)");
    assert_name(at_thread_new(.target = &nothing), "Thread-2 (nothing)");
    assert_name(at_thread_new(AT_COPY(arg), .target	=
        nothing , .daemon = true), "Thread-3 (nothing)");
    // clang-format on
}
END_TEST

START_TEST(target_in_parentheses_is_found) {
    assert_name(at_thread_new(.target = (nothing)), "Thread-1 (nothing)");
}
END_TEST

START_TEST(target_behind_a_cast_is_found) {
    assert_name(at_thread_new(.target = (at_target *)nothing), "Thread-1 (nothing)");
}
END_TEST

START_TEST(another_member_called_target_is_not_taken_for_it) {
    struct {
        int target_count;
    } work = {0};
    assert_name(at_thread_new(.arg = &work.target_count, .target = nothing), "Thread-1 (nothing)");
}
END_TEST

#define TEN(text) text text text text text text text text text text

START_TEST(long_target_is_closed_by_its_parenthesis) {
    at_thread_options options = {.target = nothing, .source = ".target = " TEN(TEN(TEN("x"))) ", .arg = NULL"};
    at_thread *thread = at_thread_create(&options);
    const char *name = at_thread_name(thread);
    ck_assert_int_eq(strncmp(name, "Thread-1 (xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 40), 0);
    ck_assert_int_eq(name[strlen(name) - 1], ')');
    at_thread_free(thread);
}
END_TEST

static int read_kernel_name(void *name) {
    prctl(PR_GET_NAME, name);
    return 0;
}

START_TEST(kernel_has_the_first_15_bytes_of_the_name) {
    char name[16] = "";
    at_thread *thread = at_thread_new(.target = read_kernel_name, .arg = name, .name = "Artist Aleksandra");
    start(thread);
    join(thread);
    ck_assert_str_eq(name, "Artist Aleksand");
    at_thread_free(thread);
}
END_TEST

SUITE("thread_name", unnamed_thread_is_called_after_its_number_and_target, empty_name_counts_as_unnamed,
      given_name_is_copied_whole_and_takes_no_number, target_is_found_however_it_is_spelt,
      target_in_parentheses_is_found, target_behind_a_cast_is_found, another_member_called_target_is_not_taken_for_it,
      long_target_is_closed_by_its_parenthesis, kernel_has_the_first_15_bytes_of_the_name)
