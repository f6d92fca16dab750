/*
 * test_bench_run.c: bench/run and bench/plot as a user runs them, with made programs in the place of those that take
 * long: what cannot be written, what is missing, a bad number, --json, a program that fails, a second run of a day.
 */
#include "bench_programs.h"

/* ---- a run */

/* The folders under the results, a line for each machine. */
static const char *machines(void) {
    static char names[1000];
    require(run_line(names, sizeof names, "ls %s", in_folder("results")) == 0);
    return names;
}

START_TEST(each_program_gets_its_part_of_the_time) {
    make_build();
    expect_status(bench_run("BUDGET=10", ""), 0, output);
    const char *list = text_of(in_folder("build/bench/list"));
    double seconds = 0;
    for (const char *at = list; (at = strstr(at, "--seconds ")) != NULL; at++)
        seconds += strtod(at + strlen("--seconds "), NULL);
    ck_assert_msg(seconds > 9.99 && seconds < 10.01, "%g s in all:\n%s", seconds, list);
    ck_assert_uint_eq(count_of(list, "--seed 5 "), count_of(list, "\n"));
    ck_assert_uint_eq(count_of(list, "--quick "), count_of(list, "\n"));
    ck_assert_uint_eq(count_of(list, "--workers"), 0);
    ck_assert_uint_eq(count_of(list, "--part"), 0);
    expect_match(output, "\nThe data: [^\n]*\nmake plots draws the charts\\.\n$");
}
END_TEST

/* The least part of the least budget is one that the programs take. */
START_TEST(least_budget_is_enough_for_all) {
    double least = 1;
    make_build();
    put_real_scaling("--help");
    expect_status(bench_run("BUDGET=1", ""), 0, output);
    const char *list = text_of(in_folder("build/bench/list"));
    for (const char *at = list; (at = strstr(at, "--seconds ")) != NULL; at++) {
        double seconds = strtod(at + strlen("--seconds "), NULL);
        least = seconds < least ? seconds : least;
    }
    ck_assert(least > 0);
    expect_status(run_line(output, sizeof output, "%s/bench/scaling --seconds %g --help", build(), least), 0, output);
}
END_TEST

START_TEST(cores_are_not_those_of_openmp) {
    char expected[1000];
    make_build();
    expect_status(bench_run("", ""), 0, output);
    snprintf(expected, sizeof expected, "%s", machines());
    expect_status(bench_run("OMP_NUM_THREADS=7 OMP_THREAD_LIMIT=7", ""), 0, output);
    ck_assert_str_eq(machines(), expected);
}
END_TEST

START_TEST(without_lab_13_there_is_no_table_of_images) {
    make_build();
    require(unlink(in_folder("build/bench/devices")) == 0);
    expect_status(bench_run("", ""), 0, output);
    expect_match(output, "(^|\n)off: images on cores and devices, for want of what lab 13 needs");
    ck_assert_uint_eq(count_of(text_of(in_folder("build/bench/list")), "devices "), 0);
    expect_match(output, "\nThe data: ");
}
END_TEST

START_TEST(workers_and_part_are_handed_on) {
    make_build();
    expect_status(bench_run("QUICK=0 WORKERS=3 PART=0.75", ""), 0, output);
    const char *list = text_of(in_folder("build/bench/list"));
    ck_assert_uint_eq(count_of(list, "--workers 3 "), count_of(list, "\n"));
    ck_assert_uint_eq(count_of(list, "--quick"), 0);
    ck_assert_uint_eq(count_of(list, "--part 0.75 "), 1); /* scaling alone knows it */
}
END_TEST

START_TEST(machine_is_described_as_json) {
    static const struct {
        const char *key;
        bool text, number, object, null; /* what it may be */
    } KEYS[] = {
        {"machine", .text = true},
        {"cpu", .text = true},
        {"cores_usable", .number = true},
        {"container_cpu_limit", .number = true, .null = true},
        {"container_memory_limit_mib", .number = true, .null = true},
        {"caches", .object = true},
        {"memory_mib", .number = true},
        {"kernel", .text = true},
        {"governor", .text = true, .null = true},
        {"compiler", .text = true},
        {"flags", .text = true},
        {"gpus", .text = true, .null = true},
        {"commit", .text = true},
        {"date", .text = true},
        {"seed", .number = true},
        {"quick", .null = true},
        {"noise_verdict", .text = true},
    };
    make_build();
    expect_status(bench_run("", ""), 0, output);
    json_t *machine = json_in(result_of("machine.json"));
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        const json_t *value = json_object_get(machine, KEYS[i].key);
        bool right = (KEYS[i].text && json_is_string(value) && *json_string_value(value) != '\0') ||
                     (KEYS[i].number && json_is_number(value)) || (KEYS[i].object && json_is_object(value)) ||
                     (KEYS[i].null && (json_is_null(value) || json_is_boolean(value)));
        ck_assert_msg(right, "%s is not there, or not what it should be", KEYS[i].key);
    }
    /* Quotes and backslashes are what they were. */
    ck_assert_str_eq(json_string_value(json_object_get(machine, "compiler")), "gcc \"12\" \\of old");
    ck_assert_str_eq(json_string_value(json_object_get(machine, "flags")), "-O2 -DNAME=\"\\\"a b\\\"\"");
    ck_assert_str_eq(json_string_value(json_object_get(machine, "noise_verdict")), "quiet enough");
    json_decref(machine);
}
END_TEST

START_TEST(json_is_all_of_stdout) {
    char arguments[600];
    make_build();
    put_real_scaling("--only empty --seconds 0.2 --workers 1");
    snprintf(arguments, sizeof arguments, "--json >%s", in_folder("stdout"));
    expect_status(bench_run("", arguments), 0, output);
    expect_match(output, "table of sizes\n");
    expect_match(output, "\nThe data: ");
    char *documents = strdup(text_of(in_folder("stdout"))), *rest;
    size_t programs = count_of(text_of(in_folder("build/bench/list")), "\n"), lines = count_of(documents, "\n");
    ck_assert_uint_eq(lines, programs);
    for (char *line = strtok_r(documents, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        json_t *document = json_of(line);
        const char *format = json_string_value(json_object_get(document, "format"));
        ck_assert_str_eq(format, line == documents ? "atelier bench 1" : "made");
        json_decref(document);
    }
    free(documents);
}
END_TEST

/* ---- what cannot be */

START_TEST(results_that_cannot_be_written_are_no_run) {
    static const char *const PLACES[] = {"/proc/x", "$PWD/README.md", "/dev/null/x"};
    char variables[200];
    make_build();
    snprintf(variables, sizeof variables, "RESULTS=%s", PLACES[_i]);
    expect_status(bench_run(variables, ""), 1, output);
    expect_match(output, "\nbench/run: [^\n]* cannot be written, so nothing is measured[^\n]*\n$");
    expect_nothing_measured();
}
END_TEST

START_TEST(program_that_was_not_built_is_named) {
    make_build();
    require(unlink(in_folder("build/bench/queues")) == 0);
    expect_status(bench_run("", ""), 1, output);
    expect_match(output, "^bench/run: [^\n]*/build/bench/queues [^\n]*make bench builds it\n$");
    expect_nothing_measured();
}
END_TEST

static const struct {
    const char *variables, *arguments, *complaint;
} BAD[] = {
    {"SEED=x", "", "^bench/run: SEED=x: a seed is [^\n]*\n$"},
    {"BUDGET=x", "", "^bench/run: x: a budget is [^\n]*\n$"},
    {"BUDGET=0", "", "^bench/run: 0: a budget is [^\n]*\n$"},
    {"BUDGET=00", "", "^bench/run: 00: a budget is [^\n]*\n$"},
    {"BUDGET=-5", "", "^bench/run: -5: a budget is [^\n]*\n$"},
    {"BUDGET=1.5", "", "^bench/run: 1.5: a budget is [^\n]*\n$"},
    {"BUDGET='1 2'", "", "^bench/run: 1 2: a budget is [^\n]*\n$"},
    {"WORKERS=0", "", "^bench/run: WORKERS=0: must be [^\n]*\n$"},
    {"WORKERS=x", "", "^bench/run: WORKERS=x: must be [^\n]*\n$"},
    {"WORKERS=-1", "", "^bench/run: WORKERS=-1: must be [^\n]*\n$"},
    {"WORKERS=1.5", "", "^bench/run: WORKERS=1.5: must be [^\n]*\n$"},
    {"WORKERS=100000", "", "^bench/run: WORKERS=100000: [^\n]* at most 1024\n$"},
    {"PART=0", "", "^bench/run: PART=0: must be [^\n]*\n$"},
    {"PART=1", "", "^bench/run: PART=1: must be [^\n]*\n$"},
    {"PART=much", "", "^bench/run: PART=much: must be [^\n]*\n$"},
    {"", "--jason", "^bench/run: --jason: unknown argument\nusage: "},
};
enum { BAD_COUNT = sizeof BAD / sizeof *BAD };

START_TEST(bad_value_is_refused) {
    make_build();
    put_real_scaling("");
    int status = bench_run(BAD[_i].variables, BAD[_i].arguments);
    expect_status(status, 2, output);
    expect_match(output, BAD[_i].complaint);
    int files = run_line(output, sizeof output, "ls %s/*/*", in_folder("results"));
    ck_assert_msg(files != 0, "measured:\n%s", output);
}
END_TEST

START_TEST(data_stays_when_a_later_program_fails) {
    make_build();
    expect_status(bench_run("FAILING=primitives", ""), 1, output);
    expect_match(output, "primitives is ill\n");
    expect_match(output, "\nThe data: ");
    ck_assert(!matches(output, "make plots"));
    ck_assert_str_eq(text_of(result_of("scaling.csv")), "row\n");
    ck_assert_str_eq(text_of(result_of("sizes.csv")), "row\n");
    json_decref(json_in(result_of("machine.json")));
    ck_assert_uint_eq(count_of(text_of(in_folder("build/bench/list")), "queues"), 0);
}
END_TEST

/* ---- several runs of a day */

/* The names of the files under the results, in a line. */
static const char *files_of_results(void) {
    static char names[1000];
    require(run_line(names, sizeof names, "cd %s/* && LC_ALL=C ls | sed 's/^[0-9]*-[0-9]*-[0-9]*/DATE/' | paste -s",
                     in_folder("results")) == 0);
    return names;
}

START_TEST(second_run_of_a_day_overwrites_nothing) {
    char first[3][512];
    static const char *const ENDINGS[] = {"machine.json", "scaling.csv", "footprint.csv"};
    make_build();
    expect_status(bench_run("", ""), 0, output);
    for (size_t i = 0; i < 3; i++) {
        snprintf(first[i], sizeof first[i], "%s", result_of(ENDINGS[i]));
        write_text(first[i], "the first run's\n");
    }
    /* The second is ended early. */
    expect_status(bench_run("FAILING=sizes", ""), 1, output);
    expect_match(output, "\nThe data: [^\n]*/[0-9]{4}-[0-9]{2}-[0-9]{2}-2-\\*\n$");
    expect_status(bench_run("FAILING=scaling", ""), 1, output);
    for (size_t i = 0; i < 3; i++)
        ck_assert_str_eq(text_of(first[i]), "the first run's\n");
    ck_assert_str_eq(files_of_results(),
                     "DATE-2-machine.json\tDATE-2-scaling.csv\tDATE-2-sizes.csv\t"
                     "DATE-3-machine.json\tDATE-3-scaling.csv\tDATE-devices.csv\tDATE-footprint.csv\t"
                     "DATE-machine.json\tDATE-pools.csv\tDATE-primitives.csv\tDATE-queues.csv\t"
                     "DATE-scaling.csv\tDATE-sizes.csv\tDATE-subprocess.csv\tDATE-tutorial.csv\n");
    /* What it hands to the programs is of one run. */
    const char *list = text_of(in_folder("build/bench/list"));
    ck_assert_uint_eq(count_of(list, "-2-machine.json "), 2);
    ck_assert_uint_eq(count_of(list, "-3-machine.json "), 1);
    json_t *machine = json_in(result_of("3-machine.json"));
    ck_assert_uint_eq(strlen(json_string_value(json_object_get(machine, "date"))), strlen("2026-01-02"));
    json_decref(machine);
}
END_TEST

START_TEST(newest_run_is_the_one_that_is_taken) {
    static const char *const RUNS[] = {"2026-01-02", "2026-01-02-2", "2026-01-02-9", "2026-01-02-10", "2026-01-01-11"};
    char path[64];
    require(run_line(output, sizeof output, "mkdir -p %s", in_folder("results/made")) == 0);
    for (size_t i = 0; i < sizeof RUNS / sizeof *RUNS; i++) {
        snprintf(path, sizeof path, "results/made/%s-machine.json", RUNS[i]);
        write_text(in_folder(path), "{\n  \"cpu\": \"made\",\n  \"date\": \"2026-01-02\"\n}\n");
    }
    expect_status(run_line(output, sizeof output, "RESULTS=%s bench/report", in_folder("results")), 0, output);
    expect_match(output, "^[^\n]*/2026-01-02-10-report\\.html [^\n]*\n$");
    expect_status(run_line(output, sizeof output,
                           "cd %s/made; for kind in a.csv b.csv c.csv; do"
                           " ls -r | sed 's/machine.json/a.csv/; s/-2-a.csv/-2-b.csv/; s/-02-a.csv/-02-b.csv/' |"
                           " awk -v kind=$kind -f \"$OLDPWD/bench/newest.awk\"; done",
                           in_folder("results")),
                  0, output);
    ck_assert_str_eq(output, "2026-01-02-10-a.csv\n2026-01-02-2-b.csv\n");
}
END_TEST

/* ---- without gnuplot */

START_TEST(without_gnuplot_there_are_no_charts_and_no_error) {
    static const char *const COMMANDS[] = {"bench/plot", "make --no-print-directory plots"};
    int status = run_line(output, sizeof output,
                          "mkdir %s && cd %s && IFS=: && for at in $PATH; do ln -s \"$at\"/* . 2>/dev/null; done;"
                          " rm -f gnuplot*; ls sh",
                          in_folder("bin"), in_folder("bin"));
    expect_status(status, 0, output);
    status =
        run_line(output, sizeof output, "unset SAN MAKEFLAGS MAKELEVEL; PATH=%s; %s", in_folder("bin"), COMMANDS[_i]);
    expect_status(status, 0, output);
    ck_assert_msg(matches(output, "gnuplot") && count_of(output, "\n") == 1, "not one line:\n%s", output);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("bench_run");
    TCase *all = tcase_create("bench_run");
    tcase_set_timeout(all, LIMIT);
    tcase_add_checked_fixture(all, make_folder, remove_folder);
    tcase_add_test(all, each_program_gets_its_part_of_the_time);
    tcase_add_test(all, least_budget_is_enough_for_all);
    tcase_add_test(all, cores_are_not_those_of_openmp);
    tcase_add_test(all, without_lab_13_there_is_no_table_of_images);
    tcase_add_test(all, workers_and_part_are_handed_on);
    tcase_add_test(all, machine_is_described_as_json);
    tcase_add_test(all, json_is_all_of_stdout);
    tcase_add_loop_test(all, results_that_cannot_be_written_are_no_run, 0, 3);
    tcase_add_test(all, program_that_was_not_built_is_named);
    tcase_add_loop_test(all, bad_value_is_refused, 0, BAD_COUNT);
    tcase_add_test(all, data_stays_when_a_later_program_fails);
    tcase_add_test(all, second_run_of_a_day_overwrites_nothing);
    tcase_add_test(all, newest_run_is_the_one_that_is_taken);
    tcase_add_loop_test(all, without_gnuplot_there_are_no_charts_and_no_error, 0, 2);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
