/*
 * test_bench_interrupts.c: bench/run when Ctrl-C or SIGTERM comes, at any time, and when a program of it is killed.
 */
#include <fcntl.h>

#include "bench_programs.h"

static void run_in_a_group(void) {
    static const char *const OTHERS[] = {"SAN", "WORKERS", "PART"};
    setpgid(0, 0);
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
        unsetenv(OTHERS[i]);
    setenv("BUILD", in_folder("build"), 1);
    setenv("RESULTS", in_folder("results"), 1);
    setenv("QUICK", "1", 1);
    setenv("BUDGET", "1000", 1);
    signal(SIGINT, SIG_DFL);
    execl("bench/run", "bench/run", (char *)NULL);
    _exit(127);
}

/* Reads what the program prints until the text has come. */
static void await_text(struct program program, const char *text) {
    const struct wire from = {.read = program.output};
    size_t length = 0;
    while (length == 0 || strstr(output, text) == NULL) {
        char byte = wire_get(from);
        if (byte == 0 || length == sizeof output - 1)
            ck_abort_msg("it ends without '%s':\n%s", text, output);
        output[length++] = byte;
        output[length] = '\0';
    }
}

/* Ctrl-C at a terminal, and a signal to bench/run alone. */
static const struct {
    int number;
    bool to_all;
} SIGNALS[] = {{SIGINT, true}, {SIGINT, false}, {SIGTERM, true}, {SIGTERM, false}};

START_TEST(signal_keeps_what_was_measured) {
    make_build();
    put_real_scaling("");
    struct program program = program_start(run_in_a_group);
    await_text(program, "scaling: each workload in each mode");
    require(kill(SIGNALS[_i].to_all ? -program.pid : program.pid, SIGNALS[_i].number) == 0);
    /* It ends, and so do all that it has started: program_finish waits for all who hold its output. */
    int status = program_finish(program, output, sizeof output);
    expect_status(status, 128 + SIGNALS[_i].number, output);
    ck_assert_msg(kill(-program.pid, 0) != 0 && errno == ESRCH, "somebody is left in its group");
    expect_match(output, "\nThe data: [^\n]*\nStopped half-way: what was measured until then is kept\\.\n$");
    expect_match(text_of(result_of("scaling.csv")), "^workload,mode,role,workers,");
    json_t *document = json_in(result_of("scaling.json"));
    ck_assert(json_is_true(json_object_get(document, "interrupted")));
    ck_assert(json_is_array(json_object_get(document, "rows")));
    ck_assert(json_is_object(json_object_get(document, "machine")));
    json_decref(document);
    ck_assert_uint_eq(count_of(text_of(in_folder("build/bench/list")), "\n"), 1); /* the others were not begun */
}
END_TEST

/* The programs that have begun, by their names. */
static const char *begun(void) {
    static char names[500];
    require(run_line(names, sizeof names, "sed 's/ .*//' %s | paste -s -d ' '", in_folder("build/bench/list")) == 0);
    return names;
}

START_TEST(interrupt_between_programs_ends_the_run) {
    make_build();
    expect_status(bench_run("INTERRUPTING=sizes", ""), 130, output);
    expect_match(output, "\nThe data: [^\n]*\nStopped half-way: what was measured until then is kept\\.\n$");
    ck_assert_str_eq(begun(), "scaling sizes\n");
    ck_assert_str_eq(text_of(result_of("sizes.csv")), "row\n");
}
END_TEST

/* Before there is something to keep, nothing is written. */
START_TEST(signal_while_the_machine_is_described_leaves_nothing) {
    static const char *const COMMANDS[] = {"kill -s INT 0", "kill -s TERM 0"};
    make_build();
    setenv("DESCRIBING", COMMANDS[_i], 1);
    int status = program_finish(program_start(run_in_a_group), output, sizeof output);
    expect_status(status, _i == 0 ? 130 : 143, output);
    expect_nothing_measured();
    ck_assert_int_ne(run_line(output, sizeof output, "ls %s/*/*", in_folder("results")), 0);
}
END_TEST

START_TEST(program_that_is_killed_is_named) {
    make_build();
    expect_status(bench_run("KILLED=sizes", ""), 137, output);
    expect_match(output, "\nThe data: [^\n]*\nbench/run: sizes was killed by signal 9\n$");
    ck_assert_str_eq(begun(), "scaling sizes\n");
    ck_assert_str_eq(text_of(result_of("scaling.csv")), "row\n");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("bench_interrupts");
    TCase *all = tcase_create("bench_interrupts");
    tcase_set_timeout(all, LIMIT);
    tcase_add_checked_fixture(all, make_folder, remove_folder);
    tcase_add_loop_test(all, signal_keeps_what_was_measured, 0, sizeof SIGNALS / sizeof *SIGNALS);
    tcase_add_test(all, interrupt_between_programs_ends_the_run);
    tcase_add_loop_test(all, signal_while_the_machine_is_described_leaves_nothing, 0, 2);
    tcase_add_test(all, program_that_is_killed_is_named);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
