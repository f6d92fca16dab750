/* test_process_limits.c: starts at the system's limits, and what ten thousand of them leave behind: faults 15, 16. */
#include <malloc.h>
#include <sys/resource.h>

#include "operations.h"

/* ---- descriptors and processes run out: RLIMIT_NOFILE, RLIMIT_NPROC */

/* With room for n more descriptors, for n = 0, 1, ...: an error that says so, until there are enough. */
static void walk_up(operation *operate) {
    int fds = count_fds(), filler[FEW_DESCRIPTORS];
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    for (int room = 0, result = -1; result != 0; room++) {
        ck_assert_int_lt(room, 20);
        int count = fill_descriptors(filler, room);
        result = operate();
        ck_assert_msg(result == 0 || result == -EMFILE, "%s", at_strerror(result));
        at_zygote_stop();
        empty_descriptors(filler, count);
        ck_assert_int_eq(count_fds(), fds);
        ck_assert_int_eq(count_children(), 0);
    }
    setrlimit(RLIMIT_NOFILE, &limit);
}

START_TEST(descriptors_run_out) {
    walk_up(start_and_join_by_fork);
    walk_up(start_and_join_by_zygote);
    walk_up(start_and_join_from_a_thread);
}
END_TEST

/* As a user who has used up its processes; root knows no such limit, so root becomes that user. */
static void use_up_processes(void) {
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        at_fatal("cannot become another user");
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_NPROC, &none);
    int by_fork = start_and_join_by_fork();
    int by_thread = start_and_join_a_thread();
    int by_zygote = at_zygote_start();
    printf("%d %d %d", by_fork, by_thread, by_zygote);
    fflush(stdout);
    _exit(0); /* past LeakSanitizer, which would need a process of its own */
}

START_TEST(processes_run_out) {
    char output[200], expected[100];
    ck_assert_int_eq(run_program(use_up_processes, output, sizeof output), 0);
    snprintf(expected, sizeof expected, "%d %d %d", -EAGAIN, -EAGAIN, -EAGAIN);
    ck_assert_str_eq(output, expected);
}
END_TEST

/* ---- ten thousand starts */

static long resident_kib(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

struct holdings {
    int fds, children, threads;
    size_t bytes;
    long kib;
};

static struct holdings holdings_after(int starts) {
    int code = 0;
    for (int i = 0; i < starts; i++)
        finish(started(.target = return_arg, .arg = &code));
    return (struct holdings){count_fds(), count_children(), count_threads(), mallinfo2().uordblks, resident_kib()};
}

START_TEST(ten_thousand_starts_leave_nothing) {
    holdings_after(1); /* what the first ones allocate for good: stdio's and malloc's own stores, the gate */
    struct holdings before = holdings_after(1);
    struct holdings after = holdings_after(UNDER_TSAN || UNDER_ASAN ? 1000 : 10000);
    ck_assert_int_eq(after.fds, before.fds);
    ck_assert_int_eq(after.children, 0);
    ck_assert_int_eq(after.threads, before.threads);
    if (UNDER_TSAN || UNDER_ASAN)
        return; /* they keep books of their own in memory */
    ck_assert_uint_eq(after.bytes, before.bytes);
    ck_assert_int_lt(after.kib - before.kib, 1024);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("process_limits");
    TCase *cases = tcase_create("process_limits");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, descriptors_run_out);
    tcase_add_test(cases, processes_run_out);
    tcase_add_test(cases, ten_thousand_starts_leave_nothing);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
