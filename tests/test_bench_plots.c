/* test_bench_plots.c: what make plots draws from made data: each chart, the fits of the laws, the crossovers. */
#include <sys/stat.h>

#include "bench_run.h"
#include "comparison.h"
#include "output.h"

#define COUNT_OF(list) (sizeof(list) / sizeof *(list))
#define DAY "here/2026-01-02"

static char output[8192];

/* ---- made data */

/* The path of DATE-ENDING in the folder. */
static const char *path_of(const char *ending) {
    char name[100];
    snprintf(name, sizeof name, DAY "-%s", ending);
    return in_folder(name);
}

/* DATE-KIND.csv with its first line: where no header is exported, the program itself writes that, and the rest goes. */
static FILE *begin(const char *kind) {
    char path[300];
    snprintf(path, sizeof path, "%s.csv", path_of(kind));
    bool scaling = strcmp(kind, "scaling") == 0;
    if (scaling || strcmp(kind, "sizes") == 0 || strcmp(kind, "footprint") == 0) {
        int status =
            run_line(output, sizeof output,
                     "PATH=/nowhere %s/bench/%s %s --quick --seconds 0.1 --workers 1 --output %s; sed -i 1q %s",
                     build(), kind, scaling ? "--only empty" : "", in_folder(DAY), path);
        if (status != 0)
            skip("%s/bench/%s was not built", build(), kind);
        return fopen(path, "a");
    }
    FILE *file = fopen(path, "w");
    output_row(file, "%s", strstr(kind, "latencies") != NULL ? latency_header : comparison_header);
    return file;
}

/* All lines have as many fields as the first: no title here has a comma. */
static void end(FILE *file, const char *kind) {
    output_close(file);
    int status =
        run_line(output, sizeof output, "awk -F, 'NR == 1 { n = NF } NF != n { print; exit 1 }' %s.csv", path_of(kind));
    ck_assert_msg(status == 0, "a row of %s has other columns: %s", kind, output);
}

static void put_machine(int cores) {
    char text[300];
    require(mkdir(in_folder("here"), 0700) == 0);
    snprintf(
        text, sizeof text,
        "{\n  \"machine\": \"made\",\n  \"cpu\": \"Maker's \\\"Ten\\\" `echo 1` {a}_b\",\n  \"cores_usable\": %d,\n"
        "  \"commit\": \"abc1234\",\n  \"date\": \"2026-01-02\",\n  \"quick\": false\n}\n",
        cores);
    write_text(path_of("machine.json"), text);
}

/* Serial takes 1 s, false sharing 3; more workers follow Amdahl's law, up to the cores where the work does not wait. */
static void put_scaling(int cores) {
    static const char *const WORKLOADS[] = {"cpu", "io", "lock_mutex", "lock_private", "lock_neighbours", "empty"};
    static const char *const MODES[] = {"serial", "threads", "processes", "pool"};
    FILE *file = begin("scaling");
    for (size_t i = 0; i < COUNT_OF(WORKLOADS); i++) {
        bool waits = strcmp(WORKLOADS[i], "io") == 0;
        double cost = strcmp(WORKLOADS[i], "lock_neighbours") == 0 ? 3e9 : 1e9;
        for (size_t mode = 0; mode < COUNT_OF(MODES); mode++) {
            for (int n = 1; n <= (mode > 0 ? 2 * cores : 1); n *= 2) {
                double ns = cost * (0.1 + 0.9 / (waits || n < cores ? n : cores)) * (1 + 0.1 * (double)mode);
                output_row(file, "%s,%s,ours,%d,1000,sums,9,%g,%g,%g,%g,%g,%g,%g,,,,1,0,0,0,0,1,yes,%s,\"work: %s\",",
                           WORKLOADS[i], MODES[mode], n, ns, 0.98 * ns, 1.03 * ns, ns, ns, ns, ns, waits ? "yes" : "no",
                           WORKLOADS[i]);
            }
        }
    }
    end(file, "scaling");
}

/* A thread costs 30 us to start, a process 300; each number of a sum 1 ns. */
static void put_sizes(int workers) {
    static const char *const MODES[] = {"none", "threads", "processes"};
    static const double STARTS[] = {0, 30, 300};
    FILE *file = begin("sizes");
    for (double n = 5; n < 1e8; n *= 10)
        for (size_t mode = 0; mode < COUNT_OF(MODES); mode++) {
            double us = workers * STARTS[mode] + n / 1000 * (mode == 0 ? workers : 1);
            output_row(file, "%g,%d,%s,9,1,%g,%g,%g,%g,%g,%g,%g,yes", n, workers, MODES[mode], us, 0.9 * us, 1.1 * us,
                       us, us, us, us);
        }
    end(file, "sizes");
}

/* Rows and roles: by spaces. */
static void put_comparison(const char *kind, const char *rows, const char *roles) {
    char row[40], role[40];
    double ns = 1000;
    FILE *file = begin(kind);
    for (int length; sscanf(rows, "%39s%n", row, &length) == 1; rows += length) {
        const char *at = roles;
        for (int next; sscanf(at, "%39s%n", role, &next) == 1; at += next, ns *= 1.3)
            output_row(file, "%s,%s,made,9,%g,%g,%g,%g,%g,%s,,,,,,,\"title of %s\",\"\",%s,yes,%g,%g,,,yes", row, role,
                       ns, ns, ns, ns, ns, at == roles ? "" : "1.5", row, strstr(row, "mib") != NULL ? "1048576" : "",
                       0.9 * ns, 1.2 * ns);
    }
    end(file, kind);
}

static void put_latencies(const char *kind, const char *trip) {
    static const char *const SUBJECTS[] = {"ours", "floor", "python"};
    FILE *file = begin(kind);
    for (int cold = 0; cold < 2; cold++)
        for (size_t role = 0; role < COUNT_OF(SUBJECTS); role++)
            for (int part = 0; part <= 200; part++)
                output_row(file, "%s_%s,%s,made,%g,%g", trip, cold ? "asleep" : "hot", SUBJECTS[role], part / 200.0,
                           1000.0 * (double)(role + 1) * (1 + cold) * (1 + part / 100.0));
    end(file, kind);
}

static void put_footprint(void) {
    static const char *const WAYS[] = {"fork", "zygote", "vfork", "bare"};
    FILE *file = begin("footprint");
    for (int mib = 1; mib <= 1024; mib *= 4)
        for (size_t way = 0; way < COUNT_OF(WAYS); way++) {
            double us = 100 + 60.0 * mib / (double)(1 + 90 * (way % 3));
            output_row(file, "%d,%s,ours,9,%g,%g,%g,%g,%g,%g,%g,yes", mib, WAYS[way], us, 0.9 * us, 1.1 * us, us, us,
                       us, us);
        }
    end(file, "footprint");
}

/* ---- charts */

static bool can(const char *terminal) {
    char said[1000];
    return run_line(said, sizeof said, "gnuplot -e 'set terminal %s'", terminal) == 0;
}

/* Makes a folder for each test, where there is a gnuplot. */
static void make_room(void) {
    make_folder();
    if (run_line(output, sizeof output, "command -v gnuplot") != 0) {
        remove_folder();
        skip("gnuplot is not here");
    }
}

/* bench/plot ends well, and says no more than which charts it has drawn, and which it cannot. */
static void draw(const char *variables) {
    char lines[sizeof output], *rest;
    int status = run_line(output, sizeof output, "unset PAPER; RESULTS=%s %s bench/plot", folder, variables);
    expect_status(status, 0, output);
    snprintf(lines, sizeof lines, "%s", output);
    for (char *line = strtok_r(lines, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        expect_match(line, "^(/[^ ]*/here/2026-01-02-[a-z]+(-paper)?\\.(svg|png|pdf)"
                           "|The chart [a-z-]+: (no data yet|too little was measured); make bench[^\n]*"
                           "|/[^ ]*/here/2026-01-02-[a-z-]+\\.csv: the last line is cut short, and left out"
                           "|off: (png|pdf), for want of [^\n]*)$");
}

/* The chart is there, said, and whole: it begins and ends as its format does. */
static void expect_chart(const char *ending, const char *begins, const char *ends) {
    char bytes[20], line[400];
    const char *path = path_of(ending);
    snprintf(line, sizeof line, "%s\n", path);
    ck_assert_msg(strstr(output, line) != NULL, "%s was not drawn:\n%s", path, output);
    FILE *file = fopen(path, "r");
    require(file != NULL && fread(bytes, 1, sizeof bytes, file) == sizeof bytes);
    ck_assert_msg(memcmp(bytes, begins, strlen(begins)) == 0, "%s does not begin well", path);
    require(fseek(file, -(long)sizeof bytes, SEEK_END) == 0 && ftell(file) > 1000);
    require(fread(bytes, 1, sizeof bytes, file) == sizeof bytes);
    ck_assert_msg(memmem(bytes, sizeof bytes, ends, strlen(ends)) != NULL, "%s does not end well", path);
    fclose(file);
}

/* KINDS: by spaces; no others are drawn. */
static void expect_charts(const char *kinds) {
    char kind[40], ending[60];
    size_t charts = 0, formats = can("pngcairo") ? 2 : 1;
    for (int length; sscanf(kinds, "%39s%n", kind, &length) == 1; kinds += length, charts++) {
        snprintf(ending, sizeof ending, "%s.svg", kind);
        expect_chart(ending, "<?xml", "</svg>");
        snprintf(ending, sizeof ending, "%s.png", kind);
        if (formats == 2)
            expect_chart(ending, "\x89PNG", "IEND");
    }
    ck_assert_uint_eq(count_of(output, "/here/"), charts * formats);
}

/* The chart says so. */
static void expect_text(const char *ending, const char *text) {
    char count[100];
    int status = run_line(count, sizeof count, "grep -cF '%s' %s", text, path_of(ending));
    ck_assert_msg(status == 0, "'%s' is not in %s", text, ending);
}

START_TEST(charts_come_out_for_any_number_of_cores) {
    static const int CORES[] = {1, 2, 4, 16, 64};
    int cores = CORES[_i];
    put_machine(cores);
    put_scaling(cores);
    put_sizes(cores);
    draw("");
    expect_charts("speedup locks efficiency sizes");
    ck_assert_uint_eq(count_of(output, "no data yet"), 9);
    expect_text("speedup.svg", cores == 1 ? ">1 core<" : " cores<");
    expect_text("speedup.svg", "Maker");
    if (cores > 1) {
        expect_text("speedup.svg", "Amdahl: s = ");
        expect_text("locks.svg", "threads: neighbours in one cache line take 3.0 × the time of counters apart");
    }
}
END_TEST

START_TEST(charts_come_out_of_every_other_kind_of_data) {
    put_machine(4);
    put_comparison("tutorial", "multi_5 thread_5 normal_5 multi_1000000 thread_1000000 normal_1000000", "ours python");
    put_comparison("primitives", "lock thread process", "ours floor python");
    put_comparison("queues", "queue_8 queue_1mib", "ours floor python boost pipe mqueue");
    put_comparison("pools", "pool_map_1 pool_apply", "ours floor python executor openmp");
    put_comparison("subprocess", "run exit read_mib", "ours floor python libuv glib fork");
    put_footprint();
    put_latencies("queues-latencies", "queue");
    put_latencies("pools-latencies", "pool_apply");
    draw("");
    expect_charts("tutorial primitives queues pools subprocess footprint latencies");
    expect_text("latencies.svg", "ours: 2.00 µs at the median, 2.98 µs at p99");
    expect_text("tutorial.svg", "1 000 000");
}
END_TEST

START_TEST(latencies_of_one_kind_are_a_chart) {
    static const char *const KINDS[] = {"queues-latencies", "pools-latencies"};
    put_machine(2);
    put_latencies(KINDS[_i], _i == 0 ? "queue" : "pool_apply");
    draw("");
    expect_charts("latencies");
}
END_TEST

START_TEST(for_print_the_charts_have_other_names) {
    put_machine(2);
    put_scaling(2);
    put_comparison("primitives", "lock thread process", "ours floor python");
    draw("PAPER=1");
    expect_chart("speedup-paper.svg", "<?xml", "</svg>");
    expect_chart("primitives-paper.svg", "<?xml", "</svg>");
    if (can("pdfcairo")) {
        expect_chart("speedup-paper.pdf", "%PDF", "%%EOF");
        expect_chart("primitives-paper.pdf", "%PDF", "%%EOF");
    }
    ck_assert_uint_eq(count_of(output, "/here/"), count_of(output, "-paper."));
    ck_assert(access(path_of("speedup.svg"), F_OK) != 0);
}
END_TEST

/* ---- too little data */

START_TEST(few_rows_are_told_and_no_failure) {
    put_machine(2);
    put_scaling(2);
    put_sizes(2);
    put_comparison("primitives", "lock thread", "ours floor python");
    put_comparison("subprocess", "run read_mib", "ours floor python");
    put_comparison("tutorial", "multi_5", "ours python");
    put_latencies("queues-latencies", "queue");
    require(run_line(output, sizeof output, "for file in %s-*.csv; do sed -i %dq $file; done", in_folder(DAY),
                     1 + _i) == 0);
    draw("");
    /* Two rows can be drawn, but for those of the locks. */
    ck_assert_uint_eq(count_of(output, "The chart "), _i < 2 ? 13 : 6);
    ck_assert_uint_eq(count_of(output, "The chart locks: "), 1);
}
END_TEST

/* A disk that gets full leaves the beginning of a line. */
START_TEST(line_that_is_cut_short_is_told_and_left_out) {
    static const int BYTES[] = {1, 20, 60};
    put_machine(2);
    put_scaling(2);
    put_sizes(2);
    write_text(path_of("sizes-crossovers.csv"), "workers,mode,n,time_us,n_text,time_text\n");
    put_comparison("primitives", "lock thread", "ours floor python");
    put_comparison("subprocess", "run read_mib", "ours floor python");
    put_latencies("queues-latencies", "queue");
    int status = run_line(output, sizeof output,
                          "for file in %s-*.csv; do tail -n 1 $file | tr -d '\\n' | head -c %d >>$file; done",
                          in_folder(DAY), BYTES[_i]);
    expect_status(status, 0, output);
    draw("");
    ck_assert_uint_eq(count_of(output, "cut short, and left out"), 6);
    ck_assert_uint_eq(count_of(output, ".svg\n"), 7);
}
END_TEST

/* ---- the laws */

enum { MOST = 16 };
static double amdahl(double n) {
    return 1 / (0.1 + 0.9 / n);
}
static double usl(double n) {
    return n / (1 + 0.05 * (n - 1) + 0.002 * n * (n - 1));
}
static double superlinear(double n) {
    return n * (1 + 0.03 * (n - 1));
}
static double no_gain(double n) {
    return 1 / (1 + 0.1 * (n - 1));
}

static double linear(double n) {
    return n;
}
static double flat(double n) {
    return n / n;
}

static const struct {
    double (*speedup)(double);
    int most; /* points for 1, 2, 4... workers */
    const char *amdahl, *usl;
} FITS[] = {
    {amdahl, MOST, "amdahl_there = 1; s = 0.1; amdahl_says = 'Amdahl: s = 0.100'\n", "USL: α = 0.100, β = 0'\n"},
    {usl, MOST, "amdahl_there = 1; ", "usl_there = 1; a = 0.05; b = 0.002; usl_says = 'USL: α = 0.050, β = 0.002'\n"},
    {superlinear, MOST, "s = 0; amdahl_says = 'Amdahl: superlinear (s < 0)'\n",
     "a = 0; b = 0; usl_says = 'USL: superlinear (α, β < 0)'\n"},
    {no_gain, MOST, "s = 1; amdahl_says = 'Amdahl: no gain (s > 1)'\n", "usl_there = 1; "},
    {linear, MOST, "s = 0; amdahl_says = 'Amdahl: s = 0.000'\n", "a = 0; b = 0; usl_says = 'USL: α = 0, β = 0'\n"},
    {flat, MOST, "s = 1; amdahl_says = 'Amdahl: s = 1.000'\n", "usl_says = 'USL: α = 1.000, β = 0'\n"},
    {amdahl, 4, "Amdahl: s = 0.100'\n", "usl_there = 0; usl_says = 'USL: needs 3 points, has 2'\n"},
    {amdahl, 2, "Amdahl: s = 0.100'\n", "usl_there = 0; usl_says = 'USL: needs 3 points, has 1'\n"},
    {amdahl, 1, "amdahl_there = 0; amdahl_says = 'Amdahl: no point to fit'\n", "usl_there = 0; "},
    {amdahl, 0, "amdahl_there = 0; amdahl_says = 'Amdahl: no point to fit'\n", "usl_there = 0; "},
};

START_TEST(laws_are_found_again_in_points_that_follow_them) {
    FILE *file = fopen(in_folder("points"), "w");
    require(file != NULL);
    for (int n = 1; n <= FITS[_i].most; n *= 2)
        fprintf(file, "%d\t%.15g\t0\t0\n", n, FITS[_i].speedup(n));
    if (FITS[_i].most > 0)
        fprintf(file, "%d\t%d\t0\t0\n", 2 * MOST, 1); /* beyond the cores, which tells nothing of the law */
    require(fclose(file) == 0);
    int status = run_line(output, sizeof output, "gnuplot -e \"points = '%s'; last = %d\" bench/plots/fit.gp",
                          in_folder("points"), MOST);
    expect_status(status, 0, output);
    ck_assert_msg(strstr(output, FITS[_i].amdahl) != NULL, "no \"%s\" in:\n%s", FITS[_i].amdahl, output);
    ck_assert_msg(strstr(output, FITS[_i].usl) != NULL, "no \"%s\" in:\n%s", FITS[_i].usl, output);
    ck_assert_uint_eq(count_of(output, "\n"), 2);
}
END_TEST

START_TEST(crossovers_are_marked_and_told) {
    put_machine(2);
    put_sizes(2);
    write_text(path_of("sizes-crossovers.csv"), "workers,mode,n,time_us,n_text,time_text\n"
                                                "1,processes,7000,3,7 000,3 us\n"
                                                "2,threads,60000,120,60 000,120 us\n");
    draw("");
    expect_charts("sizes");
    expect_text("sizes.svg", "threads win over nothing from n = 60 000 on (120 µs)");
    expect_text("sizes.svg", "processes: no clear win over nothing up to n = 10");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("bench_plots");
    TCase *all = tcase_create("bench_plots");
    tcase_set_timeout(all, LIMIT);
    tcase_add_checked_fixture(all, make_room, remove_folder);
    tcase_add_loop_test(all, charts_come_out_for_any_number_of_cores, 0, 5);
    tcase_add_test(all, charts_come_out_of_every_other_kind_of_data);
    tcase_add_loop_test(all, latencies_of_one_kind_are_a_chart, 0, 2);
    tcase_add_test(all, for_print_the_charts_have_other_names);
    tcase_add_loop_test(all, few_rows_are_told_and_no_failure, 0, 3);
    tcase_add_loop_test(all, line_that_is_cut_short_is_told_and_left_out, 0, 3);
    tcase_add_loop_test(all, laws_are_found_again_in_points_that_follow_them, 0, (int)COUNT_OF(FITS));
    tcase_add_test(all, crossovers_are_marked_and_told);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
