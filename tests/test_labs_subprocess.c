/*
 * test_labs_subprocess.c: the same as test_labs.c for labs 10 to 12; the commands that lab 12 is given, those that are
 * missing, and the quotes of ARGS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atelier.h"
#include "labs.h"
#include "support.h"

#define COMPLETED(args, rest) "CompletedProcess\\(args=\\[" args "\\], returncode=" rest "\\)\n"
#define LS "^total [0-9]+\n([-dl].*\n)*-.* Makefile\n(.*\n)*" COMPLETED("'ls', '-la'", "0") "$"
#define INPUT                                                                                                          \
    "^" COMPLETED("'tr', 'a-z', 'A-Z'", "0, stdout=b'BLUE.nRED.n'")                                                    \
        COMPLETED("'wc', '-c'", "0, stdout=b'3.n'") "cat: sent 4194304 bytes, and as many came back: True\ntrue: "     \
                                                    "sent 4194304 bytes; return code 0\n"
#define DEFAULT "^(.*\n)*(ping -c 3 127.0.0.1|sleep 1; echo there is no ping): ended with [0-9]+ after [0-9.]+ s\n"
#define FAULT_3 "fault 3, sleep 0.05: five of them noticed [0-9]+ ms late, on average\n$"

static const struct lab_program PROGRAMS[] = {
    {"10-subprocess-run/run_ls", ORDERED, "", LS},
    {"10-subprocess-run/capture_output", ORDERED, "",
     "stdout=b'colour.n', stderr=b'water.n'\\)\n" COMPLETED("'true'", "0, stdout=b'', stderr=b''")
         COMPLETED("'echo', 'colour'", "0, stdout=b'colour.n'") "head: captured 1048576 bytes\n$"},
    {"10-subprocess-run/input", ORDERED, "", INPUT "input and stdin: .*\\.input.*\\.stdin.*nothing was started.*\n$"},
    {"10-subprocess-run/redirect", ORDERED, "",
     "^DEVNULL: " COMPLETED(
         "'echo', 'unseen'",
         "0") "stdin: .*stdout=b''\\)\nseen\na file: .*stdout=b\"ours: red.nthe command's: blue.n\"\\)\n"
              "STDOUT: .*stdout=b'colour.nwater.ncolour.n'\\)\n$"},
    {"10-subprocess-run/shell_and_cwd_and_env", ORDERED, "",
     "^shell: b'blue.nred.n' and return code 0\nshell: return code 127\n"
     "no shell: .*\"no-such-brush\": No such file.*\n"
     "cwd: .*stdout=b'/.n'\\)\ncwd: .*cannot change.*\"/no-such-studio\": No such file.*\n"
     "env: .*stdout=b'PAINT=blue.n'\\)\nenv: .*stdout=b''\\)\n$"},
    {"10-subprocess-run/timeout", ORDERED, "",
     "^timed out after [0-9.]+ s; until then it had printed b'begun.n'\nthe shell's child is gone\n$"},
    {"10-subprocess-run/check", ORDERED, "",
     "^not checked: .*returncode=3, stdout=b'half.n'\\)\nchecked: .*non-zero exit status 3\n  stdout was b'half.n'\n"
     "checked: .*SIGKILL \\(9\\)\n  stdout was b''\nchecked later: .*status 3\ncheck_output: 'whole.n'\n$"},
    {"10-subprocess-run/text", ORDERED, "",
     "^bytes: .*stdout=b'red.r.nblue.rgreen.n'\\)\n"
     "text: .*stdout='red.nblue.ngreen.n'\\)\nuniversal_newlines: .*stdout='red.nblue.ngreen.n'\\)\n"
     "encoding: .*stdout='caf\u00e9.n'\\)\nstrict: .*byte 3 of stdout is not [A-Za-z]+-8.*\n"
     "replace: .*stdout='caf\ufffd.n'\\)\nignore: .*stdout='caf.n'\\)\n$"},
    {"11-popen/poll", ORDERED, "", "^poll\\(\\): None\npoll\\(\\): 7\npoll\\(\\) again: 7\n$"},
    {"11-popen/wait", ORDERED, "",
     "^wait\\(0.05\\): timeout, poll\\(\\): None\nwait\\(5\\): 0\nwait\\(\\): 0\n"
     "wait\\(5\\) returned [0-9.]+ ms after 0.3 s had passed\n$"},
    {"11-popen/communicate", ORDERED, "",
     "^communicate\\(paint, 0.2\\): timeout; so far b'begun.n'\n"
     "communicate\\(\\): 1048582 bytes in all, as they were sent: True\nreturn code 0\n$"},
    {"11-popen/signals", ORDERED, "",
     "^send_signal\\(SIGUSR1\\): -10\nterminate\\(\\): -15\nterminate\\(\\) of one that tidies up: 5\n"
     "terminate\\(\\) of one that ignores it: timeout\nkill\\(\\): -9\n$"},
    {"11-popen/pipeline", ORDERED, "",
     "^head: b'y.ny.ny.n' and return code 0\nyes, with the reading end open here: timeout\n"
     "yes, with it closed: -13 \\(SIGPIPE\\)\n$"},
    {"12-command-timeout/command_as_written", ORDERED, "",
     DEFAULT "fault 1, head .*: TimeoutError after [1-9][0-9.]* s; [1-9][0-9]* bytes lie in the pipe\n"
             "fault 2, echo .*: TimeoutError; sleep is alive\n" FAULT_3},
    {"12-command-timeout/command_mended", ORDERED, "",
     DEFAULT "fault 1, head .*: 100000 bytes after [0-9.]+ s\n"
             "fault 2, echo .*: TimeoutError; sleep is gone\n" FAULT_3},
};
static const int PROGRAM_COUNT = sizeof PROGRAMS / sizeof *PROGRAMS;

static const struct lab_twin OTHER_TWINS[] = {
    {"10-subprocess-run/run_ls", LS},
    {"10-subprocess-run/input", INPUT "input and stdin: .*stdin and input .*\n$"},
    {"10-subprocess-run/shell_and_cwd_and_env",
     "no shell: .*'no-such-brush'\n(.*\n)*cwd: .*'/no-such-studio'\n(.*\n)*env: .*stdout=b''\\)\n$"},
    {"10-subprocess-run/timeout",
     "^timed out after [0-9.]+ s; until then it had printed b'begun.n'\nthe shell's child is alive\n$"},
    {"10-subprocess-run/check",
     "returned non-zero exit status 3\\.\n  stdout was b'half.n'\nchecked: .*died with .*SIGKILL.*\n"
     "  stdout was b''\nchecked later: .*\ncheck_output: 'whole.n'\n$"},
    {"10-subprocess-run/text", "encoding: .*'caf\u00e9.n'\\)\nstrict: 'utf-8' codec can't decode byte 0xe9.*\n"},
    {"11-popen/communicate",
     "^communicate\\(paint, 0.2\\): timeout; so far b'begun.n'\n"
     "communicate\\(\\): (timeout; only [0-9]+ bytes.*|1048582 bytes.*True)\nreturn code (-9|0)\n$"},
    {"12-command-timeout/command_as_written", DEFAULT "fault 1, .*TimeoutError.*\nfault 2, .*alive\n" FAULT_3},
    {"12-command-timeout/command_mended", DEFAULT "fault 1, .*: 100000 bytes.*\nfault 2, .*gone\n" FAULT_3},
    {NULL, NULL},
};

/* ---- lab 12's commands */

static const char *const BOTH[] = {"command_as_written", "command_mended"};

START_TEST(given_command_is_run) {
    char output[2000];
    const char *name = BOTH[_i];
    ck_assert_int_eq(run_line(output, sizeof output,
                              "%s/labs/12-command-timeout/%s 'echo one; echo two >&2; exit 3' 20", build(), name),
                     0);
    ck_assert_msg(matches(output, "^one\ntwo\necho .*exit 3: ended with 3 after [0-9.]+ s\n$"), "%s", output);
    ck_assert_int_eq(run_line(output, sizeof output, "%s/labs/12-command-timeout/%s no-such-brush", build(), name), 0);
    ck_assert_msg(matches(output, "not found\nno-such-brush: ended with 127 after"), "%s", output);
}
END_TEST

START_TEST(given_command_is_ended_in_time_with_all_that_it_started) {
    char output[2000];
    int status = run_line(output, sizeof output,
                          "%s/labs/12-command-timeout/%s 'echo begun; sleep 300 & sleep 300' 0.5", build(), BOTH[_i]);
    ck_assert_int_eq(status, 0);
    const char *kept = _i == 0 ? "" : "begun\n"; /* as written, what it had printed is lost */
    ck_assert_msg(strncmp(output, kept, strlen(kept)) == 0, "%s", output);
    const char *left = _i == 0 ? "what it started is alive \\(and killed now\\)\n" : "", *end = output + strlen(kept);
    char expected[200];
    snprintf(expected, sizeof expected, "^echo .*: TimeoutError after 0\\.[0-9] s\n%s$", left);
    ck_assert_msg(matches(end, expected), "%s", output);
    /* run has waited for all who hold the output: nobody is left. */
}
END_TEST

START_TEST(timeout_that_is_no_time_is_refused) {
    static const char *const WRONG[] = {"soon", "0", "-1", "nan", "inf", "1e300", "2s", "''"};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        char output[2000];
        ck_assert_int_eq(
            run_line(output, sizeof output, "%s/labs/12-command-timeout/%s 'echo one' %s", build(), BOTH[_i], WRONG[i]),
            2);
        ck_assert_msg(matches(output, "^command_[a-z_]+: TIMEOUT is not .* above 0: '.*'; usage: .*\n$"), "%s", output);
    }
}
END_TEST

START_TEST(ping_is_the_command_where_it_is_installed) {
    char output[2000];
    int status = run_line(output, sizeof output,
                          "folder=$(mktemp -d) && printf '#!/bin/sh\\necho pinged \"$@\"\\n' >$folder/ping &&"
                          " chmod +x $folder/ping && PATH=$folder:$PATH %s/labs/12-command-timeout/%s; rm -r $folder",
                          build(), BOTH[_i]);
    ck_assert_int_eq(status, 0);
    ck_assert_msg(matches(output, "^pinged -c 3 127.0.0.1\nping -c 3 127.0.0.1: ended with 0 after"), "%s", output);
}
END_TEST

/* ---- what is missing, and the quotes of ARGS */

START_TEST(missing_program_is_named) {
    static const char *const USERS[][2] = {
        {"10-subprocess-run/run_ls", "ls"},   {"10-subprocess-run/capture_output", "sh"},
        {"10-subprocess-run/text", "printf"}, {"11-popen/poll", "sh"},
        {"11-popen/wait", "sleep"},           {"11-popen/communicate", "sh"},
        {"11-popen/signals", "sh"},           {"11-popen/pipeline", "yes"},
    };
    for (size_t i = 0; i < sizeof USERS / sizeof *USERS; i++) {
        char output[2000], expected[200];
        ck_assert_int_eq(run_line(output, sizeof output, "PATH=/no-such-folder %s/labs/%s", build(), USERS[i][0]), 1);
        snprintf(expected, sizeof expected, "^%s: .*[\"/]%s\": No such file", strchr(USERS[i][0], '/') + 1,
                 USERS[i][1]);
        ck_assert_msg(matches(output, expected), "%s", output);
    }
}
END_TEST

START_TEST(quotes_in_ARGS_keep_a_word_together) {
    char output[4000];
    ck_assert_int_eq(run_line(output, sizeof output,
                              "ARGS='\"echo one; echo two\" 20' labs/run lab12-command_mended"
                              " %s/labs/12-command-timeout/command_mended",
                              build()),
                     0);
    ck_assert_msg(matches(output, "\none\ntwo\necho one; echo two: ended with 0"), "%s", output);
    ck_assert_int_eq(
        run_line(output, sizeof output, "ARGS=1000 labs/run lab3-with_lock %s/labs/03-lock/with_lock", build()), 0);
    ck_assert_msg(matches(output, "expected 60020, counted 60020"), "%s", output);
}
END_TEST

START_TEST(nothing_else_in_ARGS_means_anything) {
    static const char *const WORDS[][2] = {{"$(exit)", "$(exit)"}, {"*", "*"},         {"`exit`;", "`exit`;"},
                                           {"\"a  b\" c", "a  b"}, {">none", ">none"}, {"\"it'\"\"'s\"", "it''s"}};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        char output[4000], expected[200];
        setenv("ARGS", WORDS[i][0], 1);
        ck_assert_int_ne(run_line(output, sizeof output, "labs/run lab11-poll %s/labs/11-popen/poll", build()), 0);
        snprintf(expected, sizeof expected, "poll: unknown argument '%s'; usage", WORDS[i][1]);
        ck_assert_msg(strstr(output, expected) != NULL, "%s: %s", WORDS[i][0], output);
    }
}
END_TEST

START_TEST(quote_without_a_partner_is_refused) {
    char output[4000];
    setenv("ARGS", "\"echo one 2", 1);
    ck_assert_int_eq(run_line(output, sizeof output, "labs/run lab11-poll %s/labs/11-popen/poll", build()), 2);
    ck_assert_str_eq(output, "ARGS=\"echo one 2: a quote in it has no partner\n");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("labs_subprocess");
    TCase *cases = tcase_create("labs_subprocess");
    tcase_set_timeout(cases, 120);
    add_program_tests(cases, PROGRAMS, PROGRAM_COUNT, OTHER_TWINS);
    tcase_add_loop_test(cases, given_command_is_run, 0, 2);
    tcase_add_loop_test(cases, given_command_is_ended_in_time_with_all_that_it_started, 0, 2);
    tcase_add_loop_test(cases, timeout_that_is_no_time_is_refused, 0, 2);
    tcase_add_loop_test(cases, ping_is_the_command_where_it_is_installed, 0, 2);
    tcase_add_test(cases, missing_program_is_named);
    tcase_add_test(cases, quotes_in_ARGS_keep_a_word_together);
    tcase_add_test(cases, nothing_else_in_ARGS_means_anything);
    tcase_add_test(cases, quote_without_a_partner_is_refused);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
