/* test_serving_bench.c: bench/devices as bench/run calls it: its table, its files, and devices that do not start. */
#include "serving.h"

#include "bench_run.h"

static char output[16384];

static void make_room(void) {
    char program[300];
    snprintf(program, sizeof program, "%s/bench/devices", build());
    if (access(program, X_OK) != 0)
        skip("%s was not built", program);
    make_folder();
    write_shaped("digits", 784, 10, 1);
}

static int measure(const char *variables) {
    return run_line(
        output, sizeof output,
        "CUDA_VISIBLE_DEVICES= AT_CARDS=%s MODELS=%s %s %s/bench/devices --quick --seconds 0.05 --seed 7 --only digits "
        "--workers 2 --output %s 2>&1",
        folder, folder, variables, build(), in_folder("now"));
}

/* The field of that name in the row that begins so; "" where there is none. */
static const char *field_of(const char *row, const char *name) {
    static char fields[4][200];
    static size_t turn;
    turn = (turn + 1) % 4;
    fields[turn][0] = '\0';
    int status = run_line(fields[turn], sizeof fields[0],
                          "awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i } index($0, \"%s\") == 1 "
                          "{ printf \"%%s\", $at[\"%s\"] }' %s",
                          row, name, in_folder("now-devices.csv"));
    require(status == 0);
    return fields[turn];
}

START_TEST(cores_and_devices_come_into_one_table) {
    expect_status(measure("DEVICES=cpu,cpu"), 0, output);
    expect_match(output, "\n  serial +1 +[0-9]+ +[0-9]+ \\.\\. [0-9]+ +1x +100%\n");
    expect_match(output, "\n  threads +1 [^\n]*\n +2 [^\n]*\n  processes +1 [^\n]*\n +2 [^\n]*\n  cpu +1 [^\n]*\n +2 ");
    ck_assert_msg(strstr(output, "simulated") == NULL && strstr(output, " mJ") == NULL, "%s", output);
    const char *rows = text_of(in_folder("now-devices.csv"));
    ck_assert_msg(count_of(rows, "\n") == 8 && count_of(rows, "\ndigits,devices,ours,") == 2, "%s", rows);
    ck_assert_str_eq(field_of("digits,devices,ours,2,", "device"), "\"cpu\"");
    ck_assert_str_eq(field_of("digits,devices,ours,2,", "simulated"), "no");
    ck_assert_str_eq(field_of("digits,devices,ours,2,", "joules_per_image"), "");
    ck_assert_str_eq(field_of("digits,devices,ours,1,", "efficiency"), "1");
    ck_assert_str_eq(field_of("digits,serial,ours,1,", "speedup"), "1");
    ck_assert_double_gt(strtod(field_of("digits,threads,ours,2,", "images_per_s"), NULL), 0);
    json_t *document = json_in(in_folder("now-devices.json")), *row;
    size_t place, devices = 0;
    json_array_foreach(json_object_get(document, "rows"), place, row) {
        devices += strcmp(json_string_value(json_object_get(row, "mode")), "devices") == 0;
        ck_assert(json_array_size(json_object_get(row, "samples")) > 0);
    }
    ck_assert_uint_eq(json_array_size(json_object_get(document, "rows")), 7);
    ck_assert_uint_eq(devices, 2);
    json_decref(document);
}
END_TEST

START_TEST(calibrated_cards_are_simulated_and_say_so) {
    write_text(
        in_folder("made-card.json"),
        "{\"format\": \"atelier card 1\", \"name\": \"made-card\", \"device\": \"cuda:0\", \"models\": [{\"name\": "
        "\"digits\", \"shape\": [784, 10], \"alpha_us\": 300, \"beta_us\": 2}]}");
    expect_status(measure(""), 0, output);
    expect_match(output, "\n  simulated: sim:made-card +1 ");
    expect_match(output,
                 "\nsimulated: sim:made-card: these devices only take their time, and answer with their input\n");
    ck_assert_str_eq(field_of("digits,simulated,ours,4,", "simulated"), "yes");
    ck_assert_str_eq(field_of("digits,simulated,ours,4,", "device"), "\"simulated: sim:made-card\"");
    /* 256 rows take 812 us: no device does more in a second. */
    double rate = strtod(field_of("digits,simulated,ours,1,", "images_per_s"), NULL);
    ck_assert(rate > 0 && rate <= 256 / 812e-6);
    json_t *document = json_in(in_folder("now-devices.json"));
    const char *text = json_dumps(document, JSON_COMPACT);
    ck_assert_uint_eq(count_of(text, "\"simulated\":true"), 3);
    free((void *)(uintptr_t)text);
    json_decref(document);
}
END_TEST

START_TEST(devices_that_do_not_start_are_told) {
    expect_status(measure("DEVICES=cuda:0 AT_CUDA=/nowhere/cuda.so"), 1, output);
    expect_match(output, "cuda:0: not measured: device \"cuda:0\": this build has no CUDA \\([^)]*/nowhere/cuda.so");
    expect_match(output, "simulated: more such cards: not measured: this card was not calibrated: make calibrate");
    expect_match(field_of("all,devices,ours,", "missing"), "this build has no CUDA");
    ck_assert_double_gt(strtod(field_of("digits,serial,ours,1,", "images_per_s"), NULL), 0);
}
END_TEST

START_TEST(a_missing_model_is_told) {
    expect_status(measure("MODELS=/nowhere"), 0, output);
    expect_match(output, "\ndigits: not measured: model \"digits\": there is no /nowhere/digits.safetensors; train it");
    ck_assert_uint_eq(count_of(text_of(in_folder("now-devices.csv")), "\n"), 2);
}
END_TEST

static const char *const REFUSED[][2] = {
    {"DEVICES=gpu", "DEVICES: device \"gpu\": no such device; there are: cpu;"},
    {"DEVICES=cpu,sim:1:1", "DEVICES: simulated and real ones in one list: what the former answer is no model's"},
    {"DEVICES=,", "DEVICES: device \"\": no such device"},
    {"DEVICES=sim:gone", "no card is calibrated"},
    {"DEVICES=cpu,cpu,cpu,cpu,cpu,cpu,cpu,cpu,cpu,cpu,cpu,cpu,cpu,cpu,cpu,cpu,cpu", "more than 16 devices"},
};

START_TEST(lists_that_are_none_are_refused) {
    expect_status(measure(REFUSED[_i][0]), 2, output);
    ck_assert_msg(strstr(output, REFUSED[_i][1]) != NULL, "%s", output);
    ck_assert(access(in_folder("now-devices.csv"), F_OK) != 0);
}
END_TEST

/* A card and what simulates eight of it. */
static void put_rows(FILE *file) {
    fputs("workload,mode,role,workers,images,samples,median_ns,images_per_s,images_per_s_low,images_per_s_high,speedup,"
          "efficiency,joules_per_image,settled,simulated,sharing,device,title,missing\n",
          file);
    for (int model = 0; model < 2; model++)
        for (int mode = 0; mode < 4; mode++)
            for (int n = 1; n <= (mode == 3 ? 8 : mode == 1 ? 2 : 1); n *= 2) {
                static const char *const MODES[] = {"serial", "threads", "devices", "simulated"};
                static const char *const NAMES[] = {"a core", "a core", "cuda:0 (Made card)",
                                                    "simulated: sim:made_card"};
                double rate = (mode < 2 ? 1e5 : 1e6) * n;
                fprintf(file, "%s,%s,ours,%d,10000,9,%g,%g,%g,%g,%g,0.97,%s,yes,%s,0,\"%s\",\"a model\",\n",
                        model == 0 ? "digits" : "wide", MODES[mode], n, 1e9 / rate, rate, 0.9 * rate, 1.1 * rate,
                        rate / 1e5, mode == 2 ? "0.00012" : "", mode == 3 ? "yes" : "no", NAMES[mode]);
            }
}

START_TEST(the_chart_says_what_is_simulated) {
    if (run_line(output, sizeof output, "command -v gnuplot") != 0)
        skip("gnuplot is not here");
    require(run_line(output, sizeof output, "mkdir %s", in_folder("here")) == 0);
    FILE *file = fopen(in_folder("here/2026-01-02-devices.csv"), "we");
    require(file != NULL);
    put_rows(file);
    require(fclose(file) == 0);
    int status =
        run_line(output, sizeof output, "unset PAPER; RESULTS=%s bench/plot 2>&1 | sed '/no data yet/d'", folder);
    expect_status(status, 0, output);
    ck_assert_msg(count_of(output, "\n") == 2 && strstr(output, "warning") == NULL, "%s", output);
    const char *chart = text_of(in_folder("here/2026-01-02-devices.svg"));
    ck_assert_uint_ge(count_of(chart, "simulated: sim:made_card"), 1);
    ck_assert_uint_ge(count_of(chart, "cuda:0 (Made card)"), 1);
    ck_assert_uint_ge(count_of(chart, "0.12 mJ"), 2);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("serving_bench");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, LIMIT);
    tcase_add_checked_fixture(all, make_room, remove_folder);
    tcase_add_test(all, cores_and_devices_come_into_one_table);
    tcase_add_test(all, calibrated_cards_are_simulated_and_say_so);
    tcase_add_test(all, devices_that_do_not_start_are_told);
    tcase_add_test(all, a_missing_model_is_told);
    tcase_add_test(all, the_chart_says_what_is_simulated);
    tcase_add_loop_test(all, lists_that_are_none_are_refused, 0, sizeof REFUSED / sizeof *REFUSED);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
