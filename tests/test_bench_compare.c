/* test_bench_compare.c: make bench-compare on made files: what it says, how it ends, what it cannot read. */
#include <sys/stat.h>

#include "bench_folder.h"
#include "watch.h"

#define COUNT_OF(list) (sizeof(list) / sizeof *(list))

/* ---- made files */

struct made {
    const char *key, *role;
    double median;
    double ratio;        /* a floor's; 0: none */
    int samples;         /* 0: 20 */
    const char *missing; /* NULL: it was measured */
};

static FILE *create(const char *name) {
    FILE *file = fopen(in_folder(name), "w");
    require(file != NULL);
    return file;
}

static void write_text(const char *name, const char *text) {
    FILE *file = create(name);
    fputs(text, file);
    require(fclose(file) == 0);
}

/* A list of samples, 1% around a median, and the like of its name. */
static void write_list(FILE *json, const char *name, double median, int count) {
    for (int i = 0; i < count; i++)
        fprintf(json, "%s%s%s%g", i > 0 ? ", " : ", \"", i > 0 ? "" : name, i > 0 ? "" : "\": [",
                median * (0.99 + 0.02 * i / (count - 1)));
    fputs("]", json);
}

/* The file of a program's run; intervals are 2% wide. `machine` is JSON, and so is `how` it was measured. */
static void write_run(const char *file, const char *name, const char *machine, const char *how, const struct made *rows,
                      size_t count) {
    FILE *json = create(file);
    fprintf(json, "{\"format\": \"atelier bench 1\", \"name\": \"%s\", \"seed\": 1, %s,\n\"machine\": %s, \"rows\": [",
            name, how, machine);
    for (size_t i = 0; i < count; i++) {
        const struct made *row = &rows[i];
        double ns = row->median;
        int samples = row->samples > 0 ? row->samples : 20;
        fprintf(json, "%s\n{\"key\": \"%s\", \"role\": \"%s\", ", i > 0 ? "," : "", row->key, row->role);
        if (row->missing != NULL) {
            fprintf(json, "\"missing\": \"%s\"}", row->missing);
            continue;
        }
        fprintf(json,
                "\"samples_taken\": %d, \"median\": %g, \"low\": %g, \"high\": %g, \"q1\": %g, \"q3\": %g, \"p99\": %g,"
                " \"least\": %g, \"settled\": true",
                samples, ns, ns * 0.99, ns * 1.01, ns * 0.99, ns * 1.01, ns * 1.01, ns * 0.99);
        write_list(json, "samples", ns, samples);
        if (row->ratio > 0)
            write_list(json, "ratios", row->ratio, samples);
        fputs("}", json);
    }
    fputs("]}\n", json);
    require(fclose(json) == 0);
}

#define ROW(name, who, ns) .key = (name), .role = (who), .median = (ns)
#define HERE "{\"machine\": \"here-2-cores\", \"cpu\": \"This\", \"commit\": \"abc\"}"
#define THERE "{\"machine\": \"there-4-cores\", \"cpu\": \"That\", \"commit\": \"abc\"}"
#define HOW(quick, seconds, interrupted) "\"quick\": " quick ", \"seconds\": " seconds ", \"interrupted\": " interrupted
#define FULL HOW("false", "60", "false")
#define QUICK HOW("true", "2", "false")
#define WRITE(file, name, ...)                                                                                         \
    write_run(file, name, HERE, FULL, (struct made[]){__VA_ARGS__}, COUNT_OF(((struct made[]){__VA_ARGS__})))

/* ---- what it says */

static char said[16000];

/* Runs it on two paths in the folder, and returns how it ended; what it printed is in `said`. */
static int compare(const char *options, const char *old, const char *new) {
    return run_line(said, sizeof said, "%s/bench/compare %s %s %s", build(), options, in_folder(old), in_folder(new));
}

static void expect_said(const char *pattern) {
    ck_assert_msg(matches(said, pattern), "no %s in:\n%s", pattern, said);
}

static void expect_not_said(const char *pattern) {
    ck_assert_msg(!matches(said, pattern), "%s in:\n%s", pattern, said);
}

START_TEST(slower_row_of_ours_ends_with_1) {
    WRITE("old-scaling.json", "scaling", {ROW("cpu/threads/2", "ours", 1000)}, {ROW("io/pool/2", "ours", 1000)},
          {ROW("cpu/openmp/2", "peer", 1000)}, {ROW("gone/openmp/1", "peer", 10)}, {ROW("lost/c11/1", "peer", 10)});
    WRITE("new-scaling.json", "scaling", {ROW("cpu/threads/2", "ours", 1200)}, {ROW("io/pool/2", "ours", 1010)},
          {ROW("cpu/openmp/2", "peer", 3000)}, {ROW("fresh/pool/1", "ours", 10)},
          {ROW("lost/c11/1", "peer", 0), .missing = "no memory"});
    ck_assert_int_eq(compare("", "old-scaling.json", "new-scaling.json"), 1);
    expect_said("scaling: cpu/openmp/2 +peer +1\\.00 us +3\\.00 us +\\+200% +slower\n"
                "scaling: cpu/threads/2 +ours +1\\.00 us +1\\.20 us +\\+20% +slower\n");
    expect_said("gone, 1 row:\n    scaling: gone/openmp/1\n");
    expect_said("new, 1 row:\n    scaling: fresh/pool/1\n");
    expect_said("not judged, 1 row: not measured in the new run:\n    scaling: lost/c11/1\n");
    expect_said(
        "of 2 rows of ours, 1 have medians less than 5% apart; the furthest are 20.0% apart: scaling: cpu/threads/2");
    expect_said("Judged 3: 2 slower \\(1 of ours\\), 0 faster, 1 the same, 0 the machine; lost 0,");
    expect_said("Something of ours got slower\\.\n$");
    expect_not_said("io/pool/2");
    ck_assert_int_eq(compare("--all", "old-scaling.json", "new-scaling.json"), 1);
    expect_said("io/pool/2 +ours +1\\.00 us +1\\.01 us +\\+1\\.0% +same\n");
}
END_TEST

START_TEST(nothing_slower_ends_with_0) {
    WRITE("old-scaling.json", "scaling", {ROW("cpu/threads/2", "ours", 1000)},
          {ROW("cpu/pool/2", "ours", 1000), .samples = 5});
    WRITE("new-scaling.json", "scaling", {ROW("cpu/threads/2", "ours", 500)},
          {ROW("cpu/pool/2", "ours", 1900), .samples = 5});
    ck_assert_int_eq(compare("", "old-scaling.json", "new-scaling.json"), 0);
    expect_said("cpu/threads/2 +ours +1\\.00 us +500 ns +-50% +faster\n");
    expect_said("not judged, 1 row: fewer than 6 samples in a run:\n    scaling: cpu/pool/2\n");
    expect_said("Nothing of ours got slower beyond the noise\\.\n$");
    ck_assert_int_eq(compare("", "old-scaling.json", "old-scaling.json"), 0);
    expect_said("Judged 1: 0 slower \\(0 of ours\\), 0 faster, 1 the same");
}
END_TEST

START_TEST(slower_peer_or_floor_is_said_and_ends_with_0) {
    WRITE("old-queues.json", "queues", {ROW("q/ours", "ours", 100)}, {ROW("q/floor", "floor", 50), .ratio = 2},
          {ROW("q/pipe", "peer", 9)});
    WRITE("new-queues.json", "queues", {ROW("q/ours", "ours", 200)}, {ROW("q/floor", "floor", 100), .ratio = 2},
          {ROW("q/pipe", "peer", 18)});
    ck_assert_int_eq(compare("", "old-queues.json", "new-queues.json"), 0);
    expect_said("q/ours +ours .* \\+100% +\\+0\\.0%  the machine\n");
    expect_said("q/floor +floor .* \\+100% +slower\n");
    expect_said("q/pipe +peer .* \\+100% +slower\n");
    WRITE("new-queues.json", "queues", {ROW("q/ours", "ours", 200)}, {ROW("q/floor", "floor", 50), .ratio = 4});
    ck_assert_int_eq(compare("", "old-queues.json", "new-queues.json"), 1);
    expect_said("q/ours +ours .* \\+100% +\\+100%  slower\n");
}
END_TEST

START_TEST(lost_row_of_ours_ends_with_1) {
    WRITE("old-queues.json", "queues", {ROW("a/ours", "ours", 100)}, {ROW("b/ours", "ours", 100)},
          {ROW("c/ours", "ours", 0), .missing = "no memory"}, {ROW("a/python", "peer", 100)});
    WRITE("old-pools.json", "pools", {ROW("p/ours", "ours", 100)});
    WRITE("new-queues.json", "queues", {ROW("a/ours", "ours", 0), .missing = "it ended half-way"},
          {ROW("c/ours", "ours", 0), .missing = "no memory"});
    ck_assert_int_eq(compare("", "old", "new"), 1);
    expect_said("\nOnly in the old run: pools \\(1 row\\)\n");
    expect_said("lost, 1 row: it ended half-way:\n    queues: a/ours\n");
    expect_said("lost, 1 row: not in the new run:\n    queues: b/ours\n");
    expect_said("not judged, 1 row: measured in neither run:\n    queues: c/ours\n");
    expect_said("gone, 1 row:\n    queues: a/python\n");
    expect_said("; lost 2, not judged 1, new 0, gone 2\nSomething of ours is lost\\.\n$");
    write_run("new-queues.json", "queues", HERE, FULL, NULL, 0); /* nothing at all */
    ck_assert_int_eq(compare("", "old", "new"), 1);
    expect_said("lost, 2 rows: not in the new run:\n    queues: a/ours, b/ours\n");
}
END_TEST

START_TEST(what_the_new_run_need_not_have_is_not_lost) {
    static const struct made OLD[] = {{ROW("cpu/threads/2", "ours", 100)}, {ROW("io/pool/2", "ours", 100)}};
    static const struct {
        const char *machine, *how;
    } RUNS[] = {
        {HERE, HOW("true", "60", "false")}, {HERE, HOW("false", "59", "false")}, {HERE, HOW("false", "60", "true")},
        {HERE, FULL ", \"only\": \"cpu\""}, {HERE, FULL ", \"workers\": 1"},     {THERE, FULL},
    };
    write_run("old-scaling.json", "scaling", HERE, FULL ", \"workers\": 2", OLD, 2);
    for (size_t i = 0; i < COUNT_OF(RUNS); i++) {
        write_run("new-scaling.json", "scaling", RUNS[i].machine, RUNS[i].how, OLD, 1);
        int nothing_judged = strcmp(RUNS[i].machine, THERE) == 0;
        ck_assert_int_eq(compare("", "old", "new"), nothing_judged ? 2 : 0);
        expect_said("gone, 1 row:\n    scaling: io/pool/2\n");
    }
    WRITE("new-scaling.json", "scaling", {ROW("cpu/threads/2", "ours", 100)});
    ck_assert_int_eq(compare("", "old", "new"), 1);
    expect_said("lost, 1 row: not in the new run:\n    scaling: io/pool/2\n");
}
END_TEST

START_TEST(nothing_of_ours_to_judge_ends_with_2) {
    WRITE("old-queues.json", "queues", {ROW("q/ours", "ours", 100), .samples = 5}, {ROW("q/pipe", "peer", 9)});
    WRITE("new-queues.json", "queues", {ROW("q/ours", "ours", 110), .samples = 5}, {ROW("q/pipe", "peer", 9)});
    ck_assert_int_eq(compare("", "old", "new"), 2);
    expect_said("\nNothing of ours could be judged; measure with more time, or the same programs\\.\n$");
    write_run("new-queues.json", "queues", HERE, QUICK, NULL, 0);
    ck_assert_int_eq(compare("", "old", "new"), 2);
}
END_TEST

START_TEST(few_samples_100_times_slower_are_slower) {
    WRITE("old-queues.json", "queues", {ROW("q/ours", "ours", 100)}, {ROW("q/floor", "floor", 50), .ratio = 2});
    WRITE("new-queues.json", "queues", {ROW("q/ours", "ours", 10000)},
          {ROW("q/floor", "floor", 50), .ratio = 200, .samples = 5});
    ck_assert_int_eq(compare("", "old", "new"), 1);
    expect_said("q/ours +ours +100 ns +10\\.0 us +\\+9900% +\\+9900%  slower\n");
}
END_TEST

/* Five rows of scaling that took so long, four of them serial. */
static void write_scaling(const char *file, double cpu, double threads, double io, double lock, double memory) {
    WRITE(file, "scaling", {ROW("cpu/serial/1", "ours", cpu)}, {ROW("cpu/threads/2", "ours", threads)},
          {ROW("io/serial/1", "ours", io)}, {ROW("lock/serial/1", "ours", lock)},
          {ROW("memory/serial/1", "ours", memory)}, {ROW("model/all", "ours", 0), .missing = "no model"});
}

START_TEST(scaling_is_judged_beside_serial) {
    write_scaling("old-scaling.json", 1000, 500, 1000, 1000, 1000);
    write_scaling("new-scaling.json", 1500, 750, 1100, 1000, 1000);
    ck_assert_int_eq(compare("", "old", "new"), 1);
    expect_said("cpu/serial/1 +ours .* \\+50% +slower\n");
    expect_said("cpu/threads/2 +ours .* \\+50% +\\+0\\.0%  the machine\n");
    expect_said("only the time to judge by, so that it may be the machine:\n    scaling: io/serial/1\n");
    write_scaling("new-scaling.json", 1000, 750, 1000, 1000, 1000);
    ck_assert_int_eq(compare("", "old", "new"), 1);
    expect_said("cpu/threads/2 +ours .* \\+50% +\\+50%  slower\n");
    write_scaling("new-scaling.json", 1500, 750, 1400, 1300, 1100);
    ck_assert_int_eq(compare("", "old", "new"), 0);
    expect_said("cpu/serial/1 +ours .* \\+50% +the machine\n");
    expect_said(" 0 slower .* 4 the machine; ");
    write_scaling("new-scaling.json", 9000, 4500, 1400, 1300, 1100);
    ck_assert_int_eq(compare("", "old", "new"), 1);
    expect_said("cpu/serial/1 +ours .* \\+800% +slower\n");
    expect_said(" 1 slower .* 3 the machine; ");
    ck_assert_int_eq(compare("", "new", "old"), 0);
    expect_said(" 0 slower .* 1 faster.* 3 the machine; ");
    WRITE("old-scaling.json", "scaling", {ROW("cpu/serial/1", "ours", 1000)}); /* the only one */
    ck_assert_int_eq(compare("", "old", "new"), 1);
}
END_TEST

START_TEST(sizes_are_judged_beside_none) {
    WRITE("old-sizes.json", "sizes", {ROW("5/1/none", "ours", 20)}, {ROW("1000/1/none", "ours", 300)},
          {ROW("5/1/threads", "ours", 9000)}, {ROW("1000/1/threads", "ours", 9000)},
          {ROW("1000/2/threads", "ours", 9000)}, {ROW("1000/2/none", "ours", 600)});
    WRITE("new-sizes.json", "sizes", {ROW("5/1/none", "ours", 37)}, {ROW("1000/1/none", "ours", 300)},
          {ROW("5/1/threads", "ours", 10000)}, {ROW("1000/1/threads", "ours", 10000)},
          {ROW("1000/2/threads", "ours", 10000)}, {ROW("1000/2/none", "ours", 660)});
    write_scaling("old-scaling.json", 1000, 500, 1000, 1000, 1000); /* other references, for themselves */
    write_scaling("new-scaling.json", 1500, 750, 1400, 1300, 1100);
    ck_assert_int_eq(compare("", "old", "new"), 1);
    expect_said("below 100 ns, where the harness's own cost shows:\n    sizes: 5/1/none\n");
    expect_said("1000/1/threads +ours .* \\+11% +\\+11%  slower\n");
    expect_said("1000/2/threads +ours .* \\+11% +\\+1\\.0%  the machine\n");
    expect_said("so that it may be the machine:\n    sizes: 5/1/threads, 1000/2/none\n    scaling: memory/serial/1\n");
    expect_said(" 1 slower ");
}
END_TEST

START_TEST(other_machine_and_quick_are_said_first) {
    static const struct made OLD[] = {{ROW("q/ours", "ours", 100)}, {ROW("q/floor", "floor", 50), .ratio = 2}};
    static const struct made NEW[] = {{ROW("q/ours", "ours", 300)}, {ROW("q/floor", "floor", 150), .ratio = 2}};
    static const struct made SLOW[] = {{ROW("q/ours", "ours", 300)}, {ROW("q/floor", "floor", 100), .ratio = 3}};
    write_run("a-queues.json", "queues", HERE, FULL, OLD, 2);
    write_run("b-queues.json", "queues", THERE, FULL, NEW, 2);
    write_run("c-queues.json", "queues", THERE, QUICK, SLOW, 2);
    write_run("d-queues.json", "queues", "null", FULL, OLD, 2);
    ck_assert_int_eq(compare("--all", "a", "b"), 0);
    expect_said("^Other machines, so that only ratios to a floor can be compared: queues\nold: ");
    expect_said("q/ours +ours +2x +2x +\\+0\\.0%  same\n");
    expect_said("not judged, 1 row: other machines, and no ratio to a floor:\n    queues: q/floor\n");
    expect_not_said("How well the runs agree");
    ck_assert_int_eq(compare("", "a", "c"), 1);
    expect_said("^Other machines, .*\nA quick run against a full one, so that less can be said: queues\nold: ");
    expect_said("q/ours +ours +2x +3x +\\+50%  slower\n");
    ck_assert_int_eq(compare("", "a", "d"), 0); /* it does not say where it was measured */
    expect_said("^old: .*here-2-cores, commit abc, full\nnew: .*a machine that it does not name, full\n");
}
END_TEST

START_TEST(run_is_a_file_a_prefix_or_a_folder) {
    write_text("2026-01-02-machine.json", "{\"machine\": \"here-2-cores\"}");
    write_text("notes.json", "no JSON at all");
    WRITE("2026-01-02-scaling.json", "scaling", {ROW("cpu/threads/2", "ours", 1000)});
    WRITE("2026-01-02-queues.json", "queues", {ROW("q/ours", "ours", 1000)});
    WRITE("2026-01-01-scaling.json", "scaling", {ROW("cpu/threads/2", "ours", 100)});
    WRITE("mine-scaling.json", "scaling", {ROW("cpu/threads/2", "ours", 1000)});
    WRITE("mine-too-scaling.json", "scaling", {ROW("cpu/threads/2", "ours", 7)});
    ck_assert_int_eq(compare("", "", ""), 0); /* the folder: its newest date */
    expect_said("old: [^:]*: 2 rows of queues, scaling; here-2-cores");
    ck_assert_int_eq(compare("", "2026-01-01", ""), 1);
    expect_said("old: [^:]*: 1 row of scaling; ");
    expect_said("cpu/threads/2 +ours +100 ns +1\\.00 us .*slower");
    expect_said("\nOnly in the new run: queues \\(1 row\\)\n");
    expect_not_said("q/ours");
    ck_assert_int_eq(compare("", "2026-01-02", "mine"), 0); /* and not mine-too */
    expect_said("\nOnly in the old run: queues \\(1 row\\)\n.*1 the same.*gone 1\n");
    require(mkdir(in_folder("mine"), 0700) == 0); /* a folder of the same name, with nothing in it */
    ck_assert_int_eq(compare("", "2026-01-02", "mine"), 0);
    ck_assert_int_eq(compare("", "2026-01-02-queues.json", "2026-01-02"), 0);
    expect_said("\nOnly in the new run: scaling \\(1 row\\)\n");
    ck_assert_int_eq(
        run_line(said, sizeof said, "p=$(realpath %s/bench/compare); cd %s && $p mine ./mine", build(), folder), 0);
    expect_said("1 the same");
}
END_TEST

/* ---- what cannot be read */

#define HEAD "{\"format\": \"atelier bench 1\", \"name\": \"scaling\", \"rows\": ["
#define NUMBERS "\"low\": 1, \"high\": 3, \"q1\": 1, \"q3\": 3, \"p99\": 3, \"least\": 1"

static const struct {
    const char *text, *pattern;
} BAD_FILES[] = {
    {"", ": line 1: "},
    {"{\"format\": \"atelier bench 1\",\n\"name\": ", ": line 2: "},
    {"[1, 2]", ": line 1: not what make bench writes"},
    {"{}", ": line 1: not what make bench writes"},
    {"7", ": line 1: "},
    {"{\"format\": \"atelier bench 2\", \"name\": \"scaling\", \"rows\": []}", ": line 1: not what make bench writes"},
    {"{\"format\": \"atelier bench 1\", \"name\": \"scaling\", \"rows\": {}}", ": line 1: not what make bench writes"},
    {"{\"format\": \"atelier bench 1\", \"rows\": []}", ": line 1: not what make bench writes"},
    {HEAD "\n{\"key\": \"a\",\n\"key\": \"b\"}]}", ": line 3: duplicate object key"},
    {HEAD "3]}", ": row 1 is not an object"},
    {HEAD "{}]}", ": row 1: \"key\" is not a text"},
    {HEAD "{\"key\": \"a\"}]}", ": row 1, a: \"role\" is not a text"},
    {HEAD "{\"key\": \"a\", \"role\": \"ours\"}]}", ": row 1, a: \"samples_taken\" is not a number"},
    {HEAD "{\"key\": \"a\", \"role\": \"ours\", \"samples_taken\": 9, \"median\": \"2\", " NUMBERS "}]}",
     ": row 1, a: \"median\" is not a number"},
    {HEAD "{\"key\": \"a\", \"role\": \"ours\", \"samples_taken\": -1, \"median\": 2, " NUMBERS "}]}",
     ": row 1, a: \"samples_taken\" is not a number"},
    {HEAD "{\"key\": \"a\", \"role\": \"ours\", \"samples_taken\": 9, \"median\": 4, " NUMBERS "}]}",
     ": row 1, a: \"median\" is not between"},
    {HEAD "{\"key\": \"a\", \"role\": \"ours\", \"samples_taken\": 9, \"median\": 2, \"ratios\": 3, " NUMBERS "}]}",
     ": row 1, a: \"ratios\" is not a list"},
    {HEAD "{\"key\": \"a\", \"role\": \"ours\", \"missing\": \"x\"}, {\"key\": \"a\", \"role\": \"peer\", "
          "\"missing\": \"x\"}]}",
     ": row 2: there are two rows a"},
};

START_TEST(bad_file_is_named_with_its_line_and_the_way_out) {
    char pattern[200];
    WRITE("good-scaling.json", "scaling", {ROW("cpu/threads/2", "ours", 1000)});
    write_text("bad-scaling.json", BAD_FILES[_i].text);
    snprintf(pattern, sizeof pattern, "^compare: %s%s[^\n]*\n$", in_folder("bad-scaling.json"), BAD_FILES[_i].pattern);
    ck_assert_int_eq(compare("", "good", "bad"), 2);
    expect_said(pattern);
    ck_assert_int_eq(compare("", "bad-scaling.json", "good"), 2);
    expect_said(pattern);
}
END_TEST

START_TEST(what_is_not_there_is_named) {
    WRITE("good-scaling.json", "scaling", {ROW("cpu/threads/2", "ours", 1000)});
    WRITE("good-queues.json", "queues", {ROW("q/ours", "ours", 1000)});
    ck_assert_int_eq(compare("", "good", "none-scaling.json"), 2);
    expect_said("none-scaling.json: No such file or directory; say a file, a prefix or a folder");
    ck_assert_int_eq(compare("", "none", "good"), 2);
    expect_said("/none: there is no none-NAME.json; say a file, a prefix or a folder");
    ck_assert_int_eq(compare("", "none/2026-01-01", "good"), 2);
    expect_said("/none: No such file or directory; say a file");
    ck_assert_int_eq(compare("", "", "good"), 2);
    expect_said(": there is no YEAR-MONTH-DAY-NAME.json; say a file");
    ck_assert_int_eq(compare("", "good-scaling.json", "good-queues.json"), 2);
    expect_said("measured nothing that is in both; say runs of the same programs");
}
END_TEST

START_TEST(bad_usage_ends_with_2_and_help_with_0) {
    static const char *const BAD[] = {"", "one", "'' ''", "one ''", "one two three", "--nonsense one two"};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        ck_assert_int_eq(run_line(said, sizeof said, "%s/bench/compare %s", build(), BAD[i]), 2);
        expect_said("usage: compare \\[--all\\] OLD NEW\n +make bench-compare OLD=\\.\\.\\. NEW=\\.\\.\\.\n");
    }
    ck_assert_int_eq(run_line(said, sizeof said, "%s/bench/compare --help", build()), 0);
    expect_said("^usage: compare ");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("bench_compare");
    TCase *cases = tcase_create("bench_compare");
    tcase_set_timeout(cases, LIMIT);
    tcase_add_checked_fixture(cases, make_folder, remove_folder);
    tcase_add_test(cases, slower_row_of_ours_ends_with_1);
    tcase_add_test(cases, nothing_slower_ends_with_0);
    tcase_add_test(cases, slower_peer_or_floor_is_said_and_ends_with_0);
    tcase_add_test(cases, lost_row_of_ours_ends_with_1);
    tcase_add_test(cases, what_the_new_run_need_not_have_is_not_lost);
    tcase_add_test(cases, nothing_of_ours_to_judge_ends_with_2);
    tcase_add_test(cases, few_samples_100_times_slower_are_slower);
    tcase_add_test(cases, scaling_is_judged_beside_serial);
    tcase_add_test(cases, sizes_are_judged_beside_none);
    tcase_add_test(cases, other_machine_and_quick_are_said_first);
    tcase_add_test(cases, run_is_a_file_a_prefix_or_a_folder);
    tcase_add_loop_test(cases, bad_file_is_named_with_its_line_and_the_way_out, 0, (int)COUNT_OF(BAD_FILES));
    tcase_add_test(cases, what_is_not_there_is_named);
    tcase_add_test(cases, bad_usage_ends_with_2_and_help_with_0);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
