/* test_serving_lab13.c: lab 13's program, and the commands of its handout as they are written there. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "own_server.h"

#include "digits.h"
#include "serving.h"

#define LAB "%s/gpu/lab13 --heavy wide:64x1 --requests 20 "

static const char OUTPUT[] =
    "^the server: http://127.0.0.1:[0-9]+, shared-queue, 2 workers: .*\n"
    "(([0-9]: .*; [^ ]+, worker [01], [0-9.]+ ms\n){8})\n"
    "Many at once: 32 clients, 20 requests to the model wide:64x1,\non .*\n"
    "one behind another .* 1\\.0  20\n"
    "a server for each device .* 1\\.0  [0-9]+( [0-9]+)?\n"
    "one queue for all .* 1\\.0  [0-9]+( [0-9]+)?\n"
    "\\.\\.\\. and batches .*\n"
    "32 clients ask for digits, and after 100 answers worker 0 is killed \\(SIGKILL\\):\n"
    "the server says:  serve: worker 0 \\([^ ]+\\): killed by signal 9 \\(Killed\\)\n"
    "400 requests in [0-9.]+ s; failed: 0; run again by another worker: [0-9]+; worker 0 was back after [0-9]+ ms\n"
    "\nThe end \\(SIGTERM\\): the server has ended with 0; ";

/* Fails when somebody listens at the address that lab13 has printed. */
static void require_gone(const char *output) {
    char url[64];
    struct target target;
    struct failure failure;
    ck_assert_int_eq(sscanf(output, "the server: %63[^,]", url), 1);
    ck_assert_int_eq(target_parse(&target, url, &failure), 0);
    ck_assert_int_eq(target_get(&target, "/v2/health/live", 5, NULL, &failure), -ECONNREFUSED);
}

static char output[32768];

START_TEST(it_shows_all_steps_and_leaves_no_server) {
    int status = run_line(output, sizeof output, LAB "--model wide:32x1 --devices sim:200:10,sim:200:10", build());
    ck_assert_msg(matches(output, OUTPUT), "%s", output);
    ck_assert_msg(matches(output, "its 408 answers were simulated\n$"), "%s", output);
    ck_assert_int_eq(status, 0);
    require_gone(output);
}
END_TEST

START_TEST(the_trained_model_reads_what_it_has_never_seen) {
    if (access("build/models/digits.safetensors", R_OK) != 0)
        skip("there is no model; make model trains it");
    int status = run_line(output, sizeof output, LAB "--devices cpu,cpu", build());
    ck_assert_msg(matches(output, OUTPUT), "%s", output);
    ck_assert_msg(matches(output, "of 408 digits the model has read (9[5-9]|100)\\.[0-9] % rightly\n$"), "%s", output);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(a_model_that_cannot_read_is_found_out) {
    int status = run_line(output, sizeof output, LAB "--model wide:32x1 --devices cpu,cpu", build());
    ck_assert_msg(matches(output, "lab13: that is below 95 %; train another model \\(make model\\)\n"), "%s", output);
    ck_assert_int_eq(status, 1);
    require_gone(output);
    write_tiny("tiny", 1);
    status = run_line(output, sizeof output, LAB "--model %s/tiny.safetensors --devices cpu", build(), folder);
    ck_assert_msg(matches(output, "4 numbers in and 3 out; what reads digits has 784 and 10\n$"), "%s", output);
    ck_assert_int_eq(status, 1);
}
END_TEST

START_TEST(what_is_missing_is_named_with_the_way_out) {
    ck_assert_int_eq(run_line(output, sizeof output, LAB "--model nosuch", build()), 1);
    ck_assert_str_eq(output, "lab13: model \"nosuch\": there is no build/models/nosuch.safetensors; train it (make "
                             "model), or serve \"wide\"\n");
    ck_assert_int_eq(run_line(output, sizeof output, LAB "--devices nosuch", build()), 1);
    ck_assert_msg(matches(output, "^lab13: --devices: device \"nosuch\": .*cpu"), "%s", output);
    ck_assert_int_eq(run_line(output, sizeof output, "cp %s/gpu/lab13 %s/ && %s/lab13", build(), folder, folder), 1);
    ck_assert_msg(matches(output, "^lab13: .*/serve: No such file or directory; build it \\(make\\)\n$"), "%s", output);
}
END_TEST

START_TEST(bad_usage_ends_with_2) {
    static const struct {
        const char *arguments, *output;
    } BAD[] = {
        {"--nonsense", "nonsense.*\nsee lab13 --help\n$"},
        {"--requests", "requests.*\nsee lab13 --help\n$"},
        {"--requests 0", "^lab13: --requests 0: not a whole number from 1 to 1000000; see lab13 --help\n$"},
        {"--requests 7x", "^lab13: --requests 7x: not a whole number"},
        {"--requests ' 7'", "^lab13: --requests  7: not a whole number"},
        {"--requests 99999999999999999999", "not a whole number"},
        {"cpu", "^lab13: cpu: only options, please; see lab13 --help\n$"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        ck_assert_int_eq(run_line(output, sizeof output, "%s/gpu/lab13 %s", build(), BAD[i].arguments), 2);
        ck_assert_msg(matches(output, BAD[i].output), "%s: %s", BAD[i].arguments, output);
    }
    ck_assert_int_eq(run_line(output, sizeof output, "%s/gpu/lab13 --help", build()), 0);
    ck_assert_msg(matches(output, "^usage: lab13 .*--devices LIST"), "%s", output);
}
END_TEST

/* Ctrl-C, as it reaches only lab13 itself: at whatever step it is, the server ends with it. */
static void interrupt_after(const char *line) {
    char program[300];
    at_popen *lab;
    snprintf(program, sizeof program, "%s/gpu/lab13", build());
    const char *const command[] = {program,     "--model",      "wide:32x1",  "--heavy", "wide:64x1",
                                   "--devices", "sim:2000:100", "--requests", "100000",  NULL};
    ok(at_popen_new(&lab, command, .stdout = AT_PIPE, .stderr = AT_STDOUT));
    size_t length = 0;
    for (output[0] = '\0'; strstr(output, line) == NULL;) {
        ssize_t more = read(at_popen_stdout(lab), output + length, sizeof output - 1 - length);
        ck_assert_msg(more > 0, "%s", output);
        length += (size_t)more;
        output[length] = '\0';
    }
    int returncode;
    at_output rest;
    ok(at_popen_send_signal(lab, SIGINT));
    ok(at_popen_communicate(lab, AT_NO_INPUT, 30, &rest, NULL));
    ok(at_popen_wait(lab, 30, &returncode));
    ck_assert_int_eq(returncode, 1);
    ck_assert_msg(matches(rest.data, "lab13: interrupted\n$"), "%s", rest.data);
    require_gone(output);
    at_popen_free(lab);
}

START_TEST(an_interrupt_ends_the_server_too) {
    interrupt_after("the server: ");
    interrupt_after("Many at once");
}
END_TEST

/* ---- the handout */

/* Whether a quotation has begun in it that goes on in the next line. */
static bool is_open(const char *line) {
    bool open = false;
    for (; *line != '\0'; line++)
        open ^= *line == '\'';
    return open;
}

/* Runs the line as it is; what it sets before stays known to it. Returns what it printed, and the HTTP status last. */
static int run_curl(const struct own_server *server, const char *assignment, const char *line) {
    FILE *script = fopen(in_folder("example.sh"), "we");
    ck_assert_ptr_nonnull(script);
    fprintf(script, "server=http://%s\n%s\ncurl() { command curl -sS -m 20 -w '\\n%%{http_code}' \"$@\"; }\n%s\n",
            server->target.host, assignment, line);
    ck_assert_int_eq(fclose(script), 0);
    return run_line(output, sizeof output, "sh %s/example.sh", folder);
}

START_TEST(the_curl_lines_of_the_handout_work_as_written) {
    if (run_line(output, sizeof output, "curl --version") != 0)
        skip("there is no curl");
    struct own_server server;
    struct failure failure = {.text = ""};
    write_shaped("digits", DIGIT_PIXELS, DIGIT_LABELS, 1);
    char program[300];
    snprintf(program, sizeof program, "%s/gpu/serve", build());
    const char *const options[] = {"--folder", folder, "--devices", "cpu", NULL};
    ck_assert_msg(own_server_start(&server, program, options, "digits", NULL, &failure) == 0, "%s", failure.text);
    FILE *handout = fopen("gpu/README.md", "re");
    ck_assert_ptr_nonnull(handout);
    char line[1000], assignment[1000] = "";
    int count = 0;
    while (fgets(line, sizeof line, handout) != NULL) {
        if (strncmp(line, "    one=", 8) == 0)
            strcpy(assignment, line);
        if (strncmp(line, "    curl ", 9) != 0)
            continue;
        for (size_t length = strlen(line); is_open(line) && fgets(line + length, (int)(sizeof line - length), handout);)
            length = strlen(line);
        int status = run_curl(&server, assignment, line);
        size_t length = strlen(output);
        ck_assert_msg(status == 0 && length >= 4 && strcmp(output + length - 4, "\n200") == 0, "%s%s", line, output);
        count++;
    }
    fclose(handout);
    ck_assert_int_ge(count, 10);
    ck_assert_int_eq(own_server_stop(&server), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("serving_lab13");
    TCase *cases = tcase_create("serving_lab13");
    tcase_set_timeout(cases, 120);
    tcase_add_checked_fixture(cases, make_folder, remove_folder);
    tcase_add_test(cases, it_shows_all_steps_and_leaves_no_server);
    tcase_add_test(cases, the_trained_model_reads_what_it_has_never_seen);
    tcase_add_test(cases, a_model_that_cannot_read_is_found_out);
    tcase_add_test(cases, what_is_missing_is_named_with_the_way_out);
    tcase_add_test(cases, bad_usage_ends_with_2);
    tcase_add_test(cases, an_interrupt_ends_the_server_too);
    tcase_add_test(cases, the_curl_lines_of_the_handout_work_as_written);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
