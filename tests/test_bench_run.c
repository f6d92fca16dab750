/*
 * test_bench_run.c: bench/run and bench/plot as a user runs them, with made programs in the place of those that take
 * long: what cannot be written, what is missing, a bad number, Ctrl-C half-way, --json, a program that fails.
 */
#include <fcntl.h>

#include "bench_run.h"

static char output[65536];

/* ---- made programs */

/*
 * Each writes its name and what it is given to a list, a line to stderr, a file as DATE-NAME.csv and, with --json, a
 * document to stdout. One whose name is in $FAILING fails then.
 */
static const char MADE[] = "#!/bin/sh\n"
                           "name=${0##*/}\n"
                           "case \"$*\" in *--describe*)\n"
                           "    echo 'compiler: gcc \"12\" \\of old'\n"
                           "    echo 'noise_verdict: quiet enough'\n"
                           "    exit;;\n"
                           "esac\n"
                           "echo \"$name $*\" >>\"${0%/*}/list\"\n"
                           "echo \"table of $name\" >&2\n"
                           "case \"$*\" in *--json*) echo '{\"format\": \"made\"}';; esac\n"
                           "while [ \"$1\" != --output ]; do shift; done\n"
                           "echo row >\"$2-$name.csv\"\n"
                           "[ \"$name\" != \"${FAILING-}\" ] || { echo \"$name is ill\" >&2; exit 1; }\n";

/* The real one of this name; what it is told only takes away what it would do. */
static const char REAL[] = "#!/bin/sh\n"
                           "case \"$*\" in *--describe*) exec \"${0%%/*}/made\" --describe;; esac\n"
                           "echo \"scaling $*\" >>\"${0%%/*}/list\"\n"
                           "exec %s/bench/scaling --quick \"$@\" %s\n";

/* A folder as BUILD, with a made program for each that bench/run wants. */
static void make_build(void) {
    write_text(in_folder("made"), MADE);
    int status = run_line(output, sizeof output,
                          "cd %s && mkdir -p build/bench && cp made build/bench/made && chmod +x build/bench/made &&"
                          " for name in $(sed -n \"/^programs='/,/'$/p\" \"$OLDPWD/bench/run\" |"
                          " sed \"s/^programs='//; s/ .*//\"); do cp build/bench/made build/bench/$name; done;"
                          " ls build/bench",
                          folder);
    expect_status(status, 0, output);
    write_text(in_folder("build/flags"), "gcc -O2 -DNAME=\"\\\"a b\\\"\" / -pthread\n");
    /* The names are read from the script itself, where the first is scaling. */
    ck_assert_msg(strstr(output, "\nscaling\n") != NULL && count_of(output, "\n") > 3, "%s", output);
}

/* The real scaling in its place, where it was built. */
static void put_real_scaling(const char *more) {
    char script[1024], real[512];
    snprintf(real, sizeof real, "%s/bench/scaling", build());
    if (access(real, X_OK) != 0)
        skip("%s was not built", real);
    require(realpath(build(), real) != NULL);
    snprintf(script, sizeof script, REAL, real, more);
    write_text(in_folder("build/bench/scaling"), script);
}

/* bench/run in the shell, with these variables and arguments before and behind it. */
static int bench_run(const char *variables, const char *arguments) {
    return run_line(output, sizeof output,
                    "unset SAN QUICK BUDGET WORKERS PART; BUILD=%s RESULTS=%s QUICK=1 BUDGET=1 SEED=5 %s bench/run %s",
                    in_folder("build"), in_folder("results"), variables, arguments);
}

/* No program has measured anything. */
static void expect_nothing_measured(void) {
    ck_assert(access(in_folder("build/bench/list"), F_OK) != 0);
}

/* The path of the file DATE-ENDING under the results, of which there must be just one. */
static const char *result_of(const char *ending) {
    static char path[512];
    require(run_line(path, sizeof path, "ls -d %s/*/[0-9]*-%s", in_folder("results"), ending) == 0);
    require(count_of(path, "\n") == 1);
    path[strcspn(path, "\n")] = '\0';
    return path;
}

/* ---- a run */

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
    {"WORKERS=0", "", "--workers 0: must be [^\n]*\n"},
    {"WORKERS=x", "", "--workers x: must be [^\n]*\n"},
    {"WORKERS=-1", "", "--workers -1: must be [^\n]*\n"},
    {"WORKERS=1.5", "", "--workers 1.5: must be [^\n]*\n"},
    {"WORKERS=100000", "", "100000[^\n]* at most 1024[^\n]*\n"},
    {"PART=0", "", "--part 0: must be [^\n]*\n"},
    {"PART=1", "", "--part 1: must be [^\n]*\n"},
    {"PART=much", "", "--part much: must be [^\n]*\n"},
    {"", "--jason", "^bench/run: --jason: unknown argument\nusage: "},
};
enum { BAD_COUNT = sizeof BAD / sizeof *BAD };

START_TEST(bad_value_is_refused) {
    make_build();
    put_real_scaling("");
    int status = bench_run(BAD[_i].variables, BAD[_i].arguments);
    expect_status(status, 2, output);
    expect_match(output, BAD[_i].complaint);
    int files = run_line(output, sizeof output, "ls %s/*/*.csv", in_folder("results"));
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

/* ---- Ctrl-C */

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

START_TEST(interrupt_keeps_what_was_measured) {
    make_build();
    put_real_scaling("");
    struct program program = program_start(run_in_a_group);
    await_text(program, "scaling: each workload in each mode");
    require(kill(-program.pid, SIGINT) == 0);
    /* It ends, and so do all that it has started: program_finish waits for all who hold its output. */
    int status = program_finish(program, output, sizeof output);
    expect_status(status, 130, output);
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
    tcase_add_test(all, workers_and_part_are_handed_on);
    tcase_add_test(all, machine_is_described_as_json);
    tcase_add_test(all, json_is_all_of_stdout);
    tcase_add_loop_test(all, results_that_cannot_be_written_are_no_run, 0, 3);
    tcase_add_test(all, program_that_was_not_built_is_named);
    tcase_add_loop_test(all, bad_value_is_refused, 0, BAD_COUNT);
    tcase_add_test(all, data_stays_when_a_later_program_fails);
    tcase_add_test(all, interrupt_keeps_what_was_measured);
    tcase_add_loop_test(all, without_gnuplot_there_are_no_charts_and_no_error, 0, 2);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
