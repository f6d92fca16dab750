/*
 * test_bench_harness.c: what the benchmarks' harness does when something goes wrong: a result, a host that is killed, a
 * full disk.
 */
#include "bench_made.h"
#include "bench_run.h"
#include "mode.h"
#include "scaling.h"

/* ---- a run with a made workload */

static struct workload workload;
static struct workload *only_made[] = {&workload};
static struct options options;
static pid_t leader; /* the one who measures */

/* In a program of its own: the modes that need nothing but this program. */
static void run_made(void) {
    leader = getpid();
    unsetenv("AT_SPEED");
    setenv("PATH", "/no-such-folder", 1);
    exit(scaling_run(&options, (struct workload_list){only_made, 1}));
}

/* Whether it is a mode that works by tasks, and can be had. */
static bool is_there(const struct mode *mode) {
    return mode->missing == NULL && !mode->commands;
}

/* Prepares a run of some moments, with 1 and 2 workers, into the test's folder. */
static void make_run(void) {
    workload = made_workload();
    require(workload.prepare(&workload));
    static char prefix[sizeof folder + 8];
    snprintf(prefix, sizeof prefix, "%s/now", folder);
    options = (struct options){
        .output = prefix, .peers = "no-such-folder", .seconds = 0.2, .seed = 1, .workers = 2, .workers_given = true};
}

START_TEST(right_results_become_rows) {
    char output[8192];
    static const char *const KEYS[] = {"serial/1",    "threads/1", "threads/2", "processes/1",
                                       "processes/2", "pool/1",    "pool/2"};
    make_run();
    expect_status(run_program(run_made, output, sizeof output), 0, output);
    const char *rows = text_of(in_folder("now-scaling.csv"));
    json_t *document = json_in(in_folder("now-scaling.json"));
    ck_assert(json_is_false(json_object_get(document, "interrupted")));
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        char key[64], row[64];
        const json_t *found = NULL;
        size_t index;
        json_t *each;
        snprintf(key, sizeof key, "made/%s", KEYS[i]);
        json_array_foreach(json_object_get(document, "rows"), index,
                           each) if (strcmp(json_string_value(json_object_get(each, "key")), key) == 0) found = each;
        ck_assert_msg(found != NULL && json_integer_value(json_object_get(found, "samples_taken")) > 0, "%s", key);
        snprintf(row, sizeof row, "\nmade,%.*s,ours,%s,60,tasks,", (int)strcspn(KEYS[i], "/"), KEYS[i],
                 strchr(KEYS[i], '/') + 1);
        ck_assert_msg(strstr(rows, row) != NULL, "no %s in\n%s", row, rows);
    }
    json_decref(document);
}
END_TEST

/* ---- wrong results */

static const struct mode *bad_mode; /* NULL: any */
static int bad_run;                 /* which of all goes wrong; 0: each in that mode */

static bool goes_wrong(size_t task) {
    return task == 7 && (bad_mode == NULL || mode_here == bad_mode) && (bad_run == 0 || made->runs == bad_run);
}

static void leave_out(const struct workload *of, size_t task, size_t worker) {
    if (!goes_wrong(task))
        made_task(of, task, worker);
}

START_TEST(wrong_result_in_one_mode_ends_the_run) {
    char output[8192], expected[200];
    if (!is_there(all_modes[_i]))
        return;
    make_run();
    workload.task = leave_out;
    bad_mode = all_modes[_i];
    write_text(in_folder("now-scaling.csv"), "as it was\n");
    write_text(in_folder("now-scaling.json"), "{}\n");
    expect_status(run_program(run_made, output, sizeof output), 1, output);
    snprintf(expected, sizeof expected,
             "bench: wrong result: %s: made, [12] workers?: task 7 was done 0 times, not 1\n", bad_mode->name);
    expect_match(output, expected);
    ck_assert_uint_eq(count_of(output, "wrong result"), 1);
    /* Nothing of it becomes data, and what was there before is still there. */
    ck_assert_str_eq(text_of(in_folder("now-scaling.csv")), "as it was\n");
    ck_assert_str_eq(text_of(in_folder("now-scaling.json")), "{}\n");
    ck_assert_int_eq(count_entries(folder), 2);
}
END_TEST

START_TEST(result_that_is_wrong_once_ends_the_run) {
    char output[8192];
    make_run();
    workload.task = leave_out;
    bad_run = 40;
    options.seconds = 5;
    expect_status(run_program(run_made, output, sizeof output), 1, output);
    expect_match(output, "bench: wrong result: [a-z]+: made, [12] workers?: task 7 was done 0 times, not 1\n");
    ck_assert_int_eq(count_entries(folder), 0);
}
END_TEST

/* ---- a host that is killed */

/* After some runs, since what has been measured by then is to be kept. */
static void kill_host(const struct workload *of, size_t task, size_t worker) {
    made_task(of, task, worker);
    if (goes_wrong(task) && made->runs > 20)
        kill(made->host, SIGKILL);
}

START_TEST(killed_host_is_left_out_and_the_others_go_on) {
    char output[8192], rows[64];
    if (!is_there(all_modes[_i]))
        return;
    make_run();
    workload.task = kill_host;
    bad_mode = all_modes[_i];
    options.seconds = 1;
    /* It returns when all have ended that hold the output: nobody is left of the host's workers. */
    expect_status(run_program(run_made, output, sizeof output), 1, output);
    snprintf(rows, sizeof rows, "bench: %s: [^\n]*left out", bad_mode->name);
    expect_match(output, rows);
    snprintf(rows, sizeof rows, "bench: %s is ours, and should not have ended\n", bad_mode->name);
    expect_match(output, rows);
    ck_assert_msg(count_of(output, "left out") == 1, "it is said more than once:\n%s", output);
    const char *data = text_of(in_folder("now-scaling.csv"));
    for (size_t i = 0; i < mode_count; i++) {
        if (all_modes[i] == bad_mode || !is_there(all_modes[i]))
            continue;
        snprintf(rows, sizeof rows, "\nmade,%s,ours,1,60,tasks,[1-9][0-9]*,", all_modes[i]->name);
        expect_match(data, rows);
    }
    json_decref(json_in(in_folder("now-scaling.json")));
}
END_TEST

/* ---- a host that is stopped */

static int to_leader; /* the signal for the one who measures, who waits for the host */

static void stop_host(const struct workload *of, size_t task, size_t worker) {
    made_task(of, task, worker);
    if (goes_wrong(task) && made->runs > 20) {
        kill(leader, to_leader);
        kill(made->host, SIGSTOP);
    }
}

static void make_run_with_a_stopped_host(int number, int mode) {
    make_run();
    workload.task = stop_host;
    bad_mode = all_modes[mode];
    to_leader = number;
    options.seconds = 1000;
}

START_TEST(interrupt_ends_a_run_with_a_stopped_host) {
    char output[8192];
    if (!is_there(all_modes[_i]))
        return;
    make_run_with_a_stopped_host(SIGINT, _i);
    expect_status(run_program(run_made, output, sizeof output), 130, output);
    expect_match(text_of(in_folder("now-scaling.csv")), "\nmade,[a-z]+,ours,1,60,tasks,[1-9]");
    json_decref(json_in(in_folder("now-scaling.json")));
}
END_TEST

START_TEST(stopped_host_ends_with_the_one_who_measures) {
    char output[8192];
    if (!is_there(all_modes[_i]))
        return;
    make_run_with_a_stopped_host(SIGKILL, _i);
    /* It returns when nobody is left who holds the output: none of the hosts, and none of their workers. */
    expect_status(run_program(run_made, output, sizeof output), -SIGKILL, output);
}
END_TEST

/* ---- a full disk */

START_TEST(full_disk_of_the_json_keeps_the_csv_and_what_was_there) {
    char output[8192];
    make_run();
    write_text(in_folder("now-scaling.json"), "{}\n");
    require(symlink("/dev/full", in_folder("now-scaling.json.part")) == 0);
    expect_status(run_program(run_made, output, sizeof output), 1, output);
    expect_match(output, "bench: [^\n]*/now-scaling\\.json[^\n]*: No space left on device");
    ck_assert_str_eq(text_of(in_folder("now-scaling.json")), "{}\n");
    expect_match(text_of(in_folder("now-scaling.csv")), "\nmade,pool,ours,2,60,tasks,[1-9]");
    ck_assert_int_eq(count_entries(folder), 2);
}
END_TEST

START_TEST(full_disk_of_the_csv_is_named) {
    char output[8192];
    make_run();
    write_text(in_folder("now-scaling.json"), "{}\n");
    require(symlink("/dev/full", in_folder("now-scaling.csv")) == 0);
    expect_status(run_program(run_made, output, sizeof output), 1, output);
    /* A link may be named by what it leads to. */
    expect_match(output, "bench: [^\n]*(/now-scaling\\.csv|/dev/full)[^\n]*: No space left on device");
    ck_assert_str_eq(text_of(in_folder("now-scaling.json")), "{}\n");
}
END_TEST

START_TEST(folder_that_is_not_there_is_named) {
    char output[8192];
    make_run();
    options.output = in_folder("no-such-folder/now");
    expect_status(run_program(run_made, output, sizeof output), 1, output);
    expect_match(output, "bench: [^\n]*/no-such-folder/now-scaling\\.csv: No such file or directory");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("bench_harness");
    TCase *all = tcase_create("bench_harness");
    int modes = (int)mode_count;
    tcase_set_timeout(all, LIMIT);
    tcase_add_checked_fixture(all, make_folder, remove_folder);
    tcase_add_test(all, right_results_become_rows);
    tcase_add_loop_test(all, wrong_result_in_one_mode_ends_the_run, 0, modes);
    tcase_add_test(all, result_that_is_wrong_once_ends_the_run);
    tcase_add_loop_test(all, killed_host_is_left_out_and_the_others_go_on, 0, modes);
    tcase_add_loop_test(all, interrupt_ends_a_run_with_a_stopped_host, 0, modes);
    tcase_add_loop_test(all, stopped_host_ends_with_the_one_who_measures, 0, modes);
    tcase_add_test(all, full_disk_of_the_json_keeps_the_csv_and_what_was_there);
    tcase_add_test(all, full_disk_of_the_csv_is_named);
    tcase_add_test(all, folder_that_is_not_there_is_named);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
