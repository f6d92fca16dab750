/*
 * test_bench_serving.c: bench/serving where servers do not start, die or answer wrongly, and where a peer is missing;
 * and the charts of made data.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "bench_run.h"

static char output[16384];

/* ---- the program, with a made server in the place of ours */

static void make_room(void) {
    char program[300];
    for (size_t i = 0; i < 2; i++) {
        snprintf(program, sizeof program, "%s/%s", build(), i == 0 ? "bench/serving" : "gpu/serve");
        if (access(program, X_OK) != 0)
            skip("%s was not built", program);
    }
    make_folder();
}

/* A script that is our server; "$serve" in it is the real one. */
static void put_server(const char *script) {
    char text[2000], real[512];
    snprintf(text, sizeof text, "%s/gpu/serve", build());
    require(realpath(text, real) != NULL);
    snprintf(text, sizeof text, "#!/bin/sh\nserve=%s\n%s\n", real, script);
    write_text(in_folder("serve"), text);
    require(chmod(in_folder("serve"), 0700) == 0);
}

/* Measures the front for a moment, with that server and these variables. */
static int measure(const char *variables) {
    return run_line(output, sizeof output,
                    "SERVER=%s %s %s/bench/serving --quick --seconds 0.1 --seed 7 --only front --output %s",
                    in_folder("serve"), variables, build(), in_folder("now"));
}

/* Without packages for Python there is no peer, and nothing that takes its time. */
#define NO_PEER "PATH=/nowhere"

static const struct {
    const char *script, *said;
} FAULTS[] = {
    {"exit 3", "it ended with 3 before it was ready\n"},
    {"echo 'no such card' >&2; exit 1", "it ended with 1 before it was ready: no such card\n"},
    {"exec \"$serve\" --devices gone",
     "it ended with 2 before it was ready: serve: --devices: device \"gone\": no such device"},
    {"exec \"$serve\" \"$@\" --address 192.0.2.1", "it ended with 1 before it was ready: serve: address 192.0.2.1"},
    {"echo 'serve: ready'; exec /bin/sleep 30", "it does not say where it listens\n"},
    {"echo 'http://127.0.0.1:1'; echo ready; exec /bin/sleep 30", "onnection refused"},
    {"echo 'http://nonsense:http'; echo ready; exec /bin/sleep 30", "shared queue, echo device: "},
};

START_TEST(server_that_does_not_start_is_told) {
    put_server(FAULTS[_i].script);
    expect_status(measure(NO_PEER), 1, output);
    ck_assert_msg(strstr(output, FAULTS[_i].said) != NULL, "no '%s' in:\n%s", FAULTS[_i].said, output);
    ck_assert_msg(strstr(output, "wrong result") == NULL, "%s", output);
    /* What was measured, nothing, is written all the same. */
    ck_assert_uint_eq(count_of(text_of(in_folder("now-serving.csv")), "\n"), 2);
    json_decref(json_in(in_folder("now-serving.json")));
}
END_TEST

START_TEST(port_in_use_is_told) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char script[100];
    require(taken >= 0 && bind(taken, (struct sockaddr *)&address, size) == 0 && listen(taken, 1) == 0);
    require(getsockname(taken, (struct sockaddr *)&address, &size) == 0);
    snprintf(script, sizeof script, "exec \"$serve\" \"$@\" --port %d", ntohs(address.sin_port));
    put_server(script);
    expect_status(measure(NO_PEER), 1, output);
    expect_match(
        output, "shared queue, echo device: it ended with 1 before it was ready: serve: [^\n]*another program listens");
    close(taken);
}
END_TEST

START_TEST(missing_server_is_told) {
    expect_status(measure(NO_PEER), 1, output);
    expect_match(output, "shared queue, echo device: [^\n]*/serve: No such file or directory\n");
}
END_TEST

/* The server goes on its own while it is measured, the worker with it. */
START_TEST(server_that_dies_is_told) {
    put_server("(/bin/sleep 0.3; kill -s KILL $$) &\nexec \"$serve\" \"$@\"");
    expect_status(measure(NO_PEER), 1, output);
    expect_match(output, "shared queue, echo device: [^\n]*(onnection refused|ended with -9)");
}
END_TEST

START_TEST(wrong_answers_end_it) {
    put_server("exec \"$serve\" \"$@\" --inject garbage");
    expect_status(measure(NO_PEER), 1, output);
    expect_match(output, "wrong result: shared queue, echo device: [1-9][0-9]* answers were wrong");
    ck_assert(access(in_folder("now-serving-front.csv"), F_OK) != 0);
}
END_TEST

START_TEST(missing_peer_leaves_its_rows_out) {
    put_server("exec \"$serve\" \"$@\"");
    expect_status(measure(NO_PEER), 0, output);
    expect_match(output, "FastAPI, echo is left out: python3: ");
    const char *rows = text_of(in_folder("now-serving-front.csv"));
    ck_assert_msg(count_of(rows, "\necho,ours,") == 1 && count_of(rows, "\n") == 2, "%s", rows);
    json_t *document = json_in(in_folder("now-serving.json")), *row;
    size_t place, missing = 0;
    json_array_foreach(json_object_get(document, "rows"), place, row) {
        missing += json_object_get(row, "missing") != NULL;
    }
    ck_assert_uint_eq(missing, 1);
    json_decref(document);
}
END_TEST

START_TEST(unknown_experiment_is_refused) {
    int status = run_line(output, sizeof output, "%s/bench/serving --only nothing", build());
    expect_status(status, 2, output);
    expect_match(output, "--only nothing: no experiment's name begins so; there are:\n  ladder\n");
}
END_TEST

/* ---- the charts */

static void make_chart_room(void) {
    make_folder();
    if (run_line(output, sizeof output, "command -v gnuplot") != 0) {
        remove_folder();
        skip("gnuplot is not here");
    }
    require(mkdir(in_folder("here"), 0700) == 0);
}

/* The columns of a chart's data, a row as printf has it, of which each %d is the row's number; and the series. */
static const struct {
    const char *name, *columns, *row, *series;
} MADE[] = {
    {"serving", "key,title", "a,b", ""},
    {"serving-ladder",
     "role,x,samples,achieved_per_s,achieved_per_s_low,achieved_per_s_high,per_cpu_s,per_cpu_s_low,per_cpu_s_high,p50_"
     "us,"
     "p50_us_low,p50_us_high",
     "ours,%2$d,3,%1$d000,%1$d000,%1$d100,%1$d000,%1$d000,%1$d100,9%1$d,9%1$d,10%1$d", "serial shared_queue"},
    {"serving-load",
     "role,x,samples,offered_per_s,offered_per_s_low,offered_per_s_high,p50_us,p50_us_low,p50_us_high,p99_us,p99_us_"
     "low,"
     "p99_us_high,p999_us,p999_us_low,p999_us_high",
     "ours,0.%1$d,3,%1$d000,%1$d000,%1$d100,1%1$d0,1%1$d0,2%1$d0,3%1$d0,3%1$d0,4%1$d0,7%1$d0,7%1$d0,8%1$d0",
     "serial shared_queue_batching"},
    {"serving-goodput",
     "role,x,samples,offered_per_s,offered_per_s_low,offered_per_s_high,good_per_s,good_per_s_low,good_per_s_high",
     "ours,0.%1$d,3,%1$d000,%1$d000,%1$d000,%1$d000,%1$d000,%1$d100", "early_drop keep_late"},
    {"serving-theory", "offered_per_s,samples,mean_us,mean_us_low,mean_us_high,alpha_us,beta_us",
     "%1$d00,3,%1$d000,%1$d000,%1$d500,3050,501", "0.1 0.5 0.9"},
    {"serving-batches",
     "samples,batch_us,batch_us_low,batch_us_high,alpha_us,beta_us,openblas_us,openblas_us_low,openblas_us_high",
     "7,%1$d0,%1$d0,%1$d1,12,11,%1$d3,%1$d3,%1$d4", "1 2 4 8"},
    {"serving-histogram", "rows,answers,batches_part,in_server", "%1$d,9,0.25,%1$d", "0.1 0.5 0.9"},
    {"serving-shares", "place,samples,part,low,high", "%1$d,3,0.%1$d,0.1,0.9", "processes shared_queue"},
    {"serving-timeline", "kind,worker,start_ms,end_ms,rows,requests,busy_part", "%3$s", "processes shared_queue"},
    {"serving-scaling", "devices,samples,rate_per_s,rate_low,rate_high,speedup,efficiency",
     "%1$d,2,%1$d000,%1$d000,%1$d200,%1$d,1", "sim cpu"},
    {"serving-crash", "right_per_s,failed_per_s,p99_us,kills", "200%1$d,0,4%1$d00,1", "0.0 0.1 0.2"},
    {"serving-loops", "part,latency_us,achieved_per_s", "0.%1$d,%1$d000,900", "open closed"},
    {"serving-delay",
     "role,x,samples,p50_us,p50_us_low,p50_us_high,p99_us,p99_us_low,p99_us_high,mean_batch,mean_batch_low,"
     "mean_batch_high",
     "ours,%1$d000,3,%1$d000,%1$d000,%1$d500,%1$d900,%1$d900,%1$d999,%1$d,%1$d,%1$d.5", "shared_queue"},
};
enum { MADE_COUNT = sizeof MADE / sizeof *MADE, ROWS = 4 };

/* A file of each of the `kinds` first ones; `rows` of each series. */
static void put_data(size_t kinds, int rows) {
    static const char *const FIRST[] = {
        [4] = "load", [5] = "rows", [6] = "load", [9] = "kind", [10] = "seconds", [MADE_COUNT] = NULL};
    for (size_t i = 0; i < kinds; i++) {
        char name[100], list[200], *rest;
        snprintf(name, sizeof name, "here/2026-01-02-%s.csv", MADE[i].name);
        FILE *file = fopen(in_folder(name), "w");
        require(file != NULL);
        fprintf(file, "%s,%s\n", FIRST[i] != NULL ? FIRST[i] : "series", MADE[i].columns);
        snprintf(list, sizeof list, "%s", MADE[i].series);
        for (char *one = strtok_r(list, " ", &rest); one != NULL; one = strtok_r(NULL, " ", &rest))
            for (int row = 1; row <= rows; row++) {
                char event[64], text[1000];
                if (row > 2)
                    snprintf(event, sizeof event, "worker,%d,,,,%d,0.5", row - 2, row);
                else
                    snprintf(event, sizeof event, "batch,%d,%d,%d,1,,", row, row, row + 2);
                snprintf(text, sizeof text, MADE[i].row, row, row % 2 == 0 ? 1 : 64, event);
                fprintf(file, "%s,%s\n", one, text);
            }
        require(fclose(file) == 0);
    }
}

static void draw(const char *variables) {
    int status = run_line(output, sizeof output, "unset PAPER; RESULTS=%s %s bench/plot 2>&1 | sed '/no data yet/d'",
                          folder, variables);
    expect_status(status, 0, output);
}

static void expect_charts(size_t kinds, const char *ending) {
    for (size_t i = 1; i < kinds; i++) {
        char name[100];
        const char *chart = strcmp(MADE[i].name, "serving-shares") == 0 ? "serving-race" : MADE[i].name;
        snprintf(name, sizeof name, "here/2026-01-02-%s%s", chart, ending);
        struct stat file;
        ck_assert_msg(stat(in_folder(name), &file) == 0 && file.st_size > 2000, "no %s:\n%.1500s", name, output);
    }
    ck_assert_msg(strstr(output, "warning") == NULL && strstr(output, "line ") == NULL, "%.1500s", output);
}

START_TEST(charts_come_out) {
    put_data(MADE_COUNT, ROWS);
    draw("");
    expect_charts(MADE_COUNT, ".svg");
}
END_TEST

START_TEST(charts_come_out_for_print) {
    enum { SOME = 4 };
    put_data(SOME, ROWS);
    draw("PAPER=1");
    expect_charts(SOME, "-paper.svg");
}
END_TEST

/* A run that was stopped at once has no more than the first lines. */
START_TEST(data_without_rows_give_no_charts_and_no_failure) {
    put_data(MADE_COUNT, 0);
    draw("");
    ck_assert_uint_eq(count_of(output, ".svg"), 0);
    ck_assert_msg(strstr(output, "gnuplot") == NULL && strstr(output, "line ") == NULL, "%.1500s", output);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("bench_serving");
    TCase *harness = tcase_create("harness"), *charts = tcase_create("charts");
    tcase_set_timeout(harness, LIMIT);
    tcase_add_checked_fixture(harness, make_room, remove_folder);
    tcase_add_loop_test(harness, server_that_does_not_start_is_told, 0, sizeof FAULTS / sizeof *FAULTS);
    tcase_add_test(harness, port_in_use_is_told);
    tcase_add_test(harness, missing_server_is_told);
    tcase_add_test(harness, server_that_dies_is_told);
    tcase_add_test(harness, wrong_answers_end_it);
    tcase_add_test(harness, missing_peer_leaves_its_rows_out);
    tcase_add_test(harness, unknown_experiment_is_refused);
    tcase_set_timeout(charts, LIMIT);
    tcase_add_checked_fixture(charts, make_chart_room, remove_folder);
    tcase_add_test(charts, charts_come_out);
    tcase_add_test(charts, charts_come_out_for_print);
    tcase_add_test(charts, data_without_rows_give_no_charts_and_no_failure);
    suite_add_tcase(suite, harness);
    suite_add_tcase(suite, charts);
    return run_suite(suite);
}
