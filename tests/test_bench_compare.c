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

/* The file of a program's run; intervals are 2% wide. `machine` and `quick` are JSON. */
static void write_run(const char *file, const char *name, const char *machine, const char *quick,
                      const struct made *rows, size_t count) {
    FILE *json = create(file);
    fprintf(json,
            "{\"format\": \"atelier bench 1\", \"name\": \"%s\", \"seed\": 1, \"quick\": %s, \"seconds\": 1,\n"
            "\"interrupted\": false, \"machine\": %s, \"rows\": [",
            name, quick, machine);
    for (size_t i = 0; i < count; i++) {
        const struct made *row = &rows[i];
        double ns = row->median;
        fprintf(json, "%s\n{\"key\": \"%s\", \"role\": \"%s\", ", i > 0 ? "," : "", row->key, row->role);
        if (row->missing != NULL) {
            fprintf(json, "\"missing\": \"%s\"}", row->missing);
            continue;
        }
        fprintf(json,
                "\"samples_taken\": %d, \"median\": %g, \"low\": %g, \"high\": %g, \"q1\": %g, \"q3\": %g, \"p99\": %g,"
                " \"least\": %g, \"settled\": true, \"samples\": [%g]",
                row->samples > 0 ? row->samples : 20, ns, ns * 0.99, ns * 1.01, ns * 0.98, ns * 1.02, ns * 1.1,
                ns * 0.9, ns);
        for (int ratio = 0; ratio < 20 && row->ratio > 0; ratio++)
            fprintf(json, "%s%g", ratio > 0 ? ", " : ", \"ratios\": [", row->ratio * (0.995 + ratio * 0.0005));
        fprintf(json, "%s}", row->ratio > 0 ? "]" : "");
    }
    fputs("]}\n", json);
    require(fclose(json) == 0);
}

#define ROW(name, who, ns) .key = (name), .role = (who), .median = (ns)
#define HERE "{\"machine\": \"here-2-cores\", \"cpu\": \"This\", \"commit\": \"abc\"}"
#define THERE "{\"machine\": \"there-4-cores\", \"cpu\": \"That\", \"commit\": \"abc\"}"
#define WRITE(file, name, ...)                                                                                         \
    write_run(file, name, HERE, "false", (struct made[]){__VA_ARGS__}, COUNT_OF(((struct made[]){__VA_ARGS__})))

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
          {ROW("cpu/openmp/2", "peer", 1000)}, {ROW("gone/pool/1", "ours", 10)}, {ROW("lost/pool/1", "ours", 10)});
    WRITE("new-scaling.json", "scaling", {ROW("cpu/threads/2", "ours", 1200)}, {ROW("io/pool/2", "ours", 1010)},
          {ROW("cpu/openmp/2", "peer", 3000)}, {ROW("fresh/pool/1", "ours", 10)},
          {ROW("lost/pool/1", "ours", 0), .missing = "no memory"});
    ck_assert_int_eq(compare("", "old-scaling.json", "new-scaling.json"), 1);
    expect_said("scaling: cpu/openmp/2 +peer +1\\.00 us +3\\.00 us +\\+200% +slower\n"
                "scaling: cpu/threads/2 +ours +1\\.00 us +1\\.20 us +\\+20% +slower\n");
    expect_said("gone, 1 row:\n    scaling: gone/pool/1\n");
    expect_said("new, 1 row:\n    scaling: fresh/pool/1\n");
    expect_said("not judged, 1 row: not measured in the new run:\n    scaling: lost/pool/1\n");
    expect_said(
        "of 2 rows of ours, 1 have medians less than 5% apart; the furthest are 20.0% apart: scaling: cpu/threads/2");
    expect_said("Judged 3: 2 slower \\(1 of ours\\), 0 faster, 1 the same");
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
          {ROW("cpu/pool/2", "ours", 9000), .samples = 5});
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
    expect_said("q/ours +ours .* \\+100% +\\+0\\.0%  the floor, too\n");
    expect_said("q/floor +floor .* \\+100% +slower\n");
    expect_said("q/pipe +peer .* \\+100% +slower\n");
    WRITE("new-queues.json", "queues", {ROW("q/ours", "ours", 200)}, {ROW("q/floor", "floor", 50), .ratio = 4});
    ck_assert_int_eq(compare("", "old-queues.json", "new-queues.json"), 1);
    expect_said("q/ours +ours .* \\+100% +\\+100%  slower\n");
}
END_TEST

START_TEST(other_machine_and_quick_are_said_first) {
    static const struct made OLD[] = {{ROW("q/ours", "ours", 100)}, {ROW("q/floor", "floor", 50), .ratio = 2}};
    static const struct made NEW[] = {{ROW("q/ours", "ours", 300)}, {ROW("q/floor", "floor", 150), .ratio = 2}};
    static const struct made SLOW[] = {{ROW("q/ours", "ours", 300)}, {ROW("q/floor", "floor", 100), .ratio = 3}};
    write_run("a-queues.json", "queues", HERE, "false", OLD, 2);
    write_run("b-queues.json", "queues", THERE, "false", NEW, 2);
    write_run("c-queues.json", "queues", THERE, "true", SLOW, 2);
    write_run("d-queues.json", "queues", "null", "false", OLD, 2);
    ck_assert_int_eq(compare("--all", "a", "b"), 0);
    expect_said("^Other machines, so that only ratios to the floor can be compared: queues\nold: ");
    expect_said("q/ours +ours +2x +2x +\\+0\\.0%  same\n");
    expect_said("not judged, 1 row: other machines, and no ratio to the floor:\n    queues: q/floor\n");
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
    expect_said("new, 1 row:\n    queues: q/ours\n");
    ck_assert_int_eq(compare("", "2026-01-02", "mine"), 0); /* and not mine-too */
    expect_said("1 the same.*gone 1\n");
    require(mkdir(in_folder("mine"), 0700) == 0); /* a folder of the same name, with nothing in it */
    ck_assert_int_eq(compare("", "2026-01-02", "mine"), 0);
    ck_assert_int_eq(compare("", "2026-01-02-queues.json", "2026-01-02"), 0);
    expect_said("new, 1 row:\n    scaling: cpu/threads/2\n");
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
    tcase_add_test(cases, other_machine_and_quick_are_said_first);
    tcase_add_test(cases, run_is_a_file_a_prefix_or_a_folder);
    tcase_add_loop_test(cases, bad_file_is_named_with_its_line_and_the_way_out, 0, (int)COUNT_OF(BAD_FILES));
    tcase_add_test(cases, what_is_not_there_is_named);
    tcase_add_test(cases, bad_usage_ends_with_2_and_help_with_0);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
