/* test_serving_serve.c: the program serve: what it says, how it ends, what its signals do, and wrong arguments. */
#include "serving_program.h"

static const char *const MODES[] = {"serial", "threads", "processes", "shared-queue"};
enum { MODE_COUNT = 4 };

START_TEST(each_mode_says_where_it_is_and_answers) {
    for (size_t i = 0; i < MODE_COUNT; i++) {
        struct server server = serving("--mode", MODES[i], "--devices", i == 0 ? "cpu" : "cpu,cpu");
        struct caller caller = call(server.port);
        for (float value = 0; value < 20; value++) {
            ask_row(&caller, value);
            hear_row(&caller, value, 1);
        }
        hang_up(&caller);
        stop_server(&server);
    }
}
END_TEST

START_TEST(wrong_arguments_end_it_with_2_and_a_sentence) {
    static const struct {
        const char *arguments, *words;
    } WRONG[] = {
        {"--devices abacus", "abacus"},
        {"--devices cpu,", "comma"},
        {"--devices sim:1", "sim"},
        {"--mode serial --devices cpu,cpu", "serial"},
        {"--mode slow", "slow"},
        {"--port 65536", "65536"},
        {"--port x", "whole number"},
        {"--batch 0", "1 to 256"},
        {"--batch 257", "1 to 256"},
        {"--slots 0", "from 1"},
        {"--in-flight 3", "1 to 2"},
        {"--inject explode", "explode"},
        {"--models a,b,c,d,e,f,g,h,i", "too many"},
        {"--nonsense", "nonsense"},
        {"more", "only options"},
        {"--port", "port"},
    };
    char output[3000];
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        int status = run_line(output, sizeof output, "%s --port 0 --folder %s --models tiny %s", serve_path(), folder,
                              WRONG[i].arguments);
        ck_assert_msg(status == 2 && strstr(output, WRONG[i].words) != NULL, "%s: %d %s", WRONG[i].arguments, status,
                      output);
    }
    ck_assert_int_eq(run_line(output, sizeof output, "%s --help", serve_path()), 0);
    ck_assert_ptr_nonnull(strstr(output, "usage: serve"));
}
END_TEST

START_TEST(what_cannot_be_served_ends_it_with_1_and_a_sentence) {
    char output[3000];
    for (size_t i = 0; i < MODE_COUNT; i++) {
        if (i == 2)
            continue; /* its children say so, and it waits for them to mend: the next test */
        int status = run_line(output, sizeof output, "%s --mode %s --devices cpu --port 0 --folder %s --models nothing",
                              serve_path(), MODES[i], folder);
        ck_assert_msg(status == 1 && strstr(output, "nothing") != NULL, "%s: %d %s", MODES[i], status, output);
    }
    int status = run_line(output, sizeof output, "ulimit -f 100; %s --devices cpu --port 0 --folder %s --models tiny",
                          serve_path(), folder);
    ck_assert_msg(status == 1 && strstr(output, "have fewer (--slots") != NULL, "%d %s", status, output);
}
END_TEST

START_TEST(a_port_that_is_taken_ends_it_with_1_and_a_sentence) {
    struct server server = serving("--devices", "echo");
    char output[3000], number[20];
    snprintf(number, sizeof number, "%u", server.port);
    for (size_t i = 0; i < MODE_COUNT; i++) {
        int status = run_line(output, sizeof output, "%s --mode %s --devices echo --port %u --folder %s --models tiny",
                              serve_path(), MODES[i], server.port, folder);
        ck_assert_msg(status == 1 && strstr(output, number) != NULL, "%s: %d %s", MODES[i], status, output);
    }
    stop_server(&server);
}
END_TEST

START_TEST(a_worker_by_hand_is_refused) {
    static const char *const ARGUMENTS[] = {"", "0", "0 cpu 0 1 2", "0 cpu 99 1 2", "x y z u v", "-1 cpu 0 0 0"};
    char output[1000];
    for (size_t i = 0; i < sizeof ARGUMENTS / sizeof *ARGUMENTS; i++) {
        ck_assert_int_eq(run_line(output, sizeof output, "%s --worker %s </dev/null", serve_path(), ARGUMENTS[i]), 2);
        ck_assert_msg(strstr(output, "--worker") != NULL, "%s", output);
    }
}
END_TEST

/* ---- ends */

START_TEST(told_to_end_it_finishes_what_it_has_taken) {
    enum { CALLERS = 8 };
    for (size_t i = 0; i < MODE_COUNT; i++) {
        struct server server = serving("--mode", MODES[i], "--devices", "sim:50000:0", "--batch", "4");
        struct caller callers[CALLERS];
        struct caller idle = call(server.port);
        for (size_t j = 0; j < CALLERS; j++) {
            callers[j] = call(server.port);
            ask_row(&callers[j], (float)j);
        }
        if (i == 2) /* there it is one process's, and no other knows of it */
            await(metric(server.port, "atelier_connections") > 0);
        else
            await(metric(server.port, "atelier_requests") + metric(server.port, "nv_inference_request_success") >=
                  CALLERS);
        terminate(&server);
        for (size_t j = 0; j < CALLERS; j++) {
            hear_row(&callers[j], (float)j, 1);
            hang_up(&callers[j]);
        }
        hear_end(&idle);
        hang_up(&idle);
        ck_assert_int_eq(end_of_server(&server), 0);
    }
}
END_TEST

START_TEST(a_second_signal_ends_it_at_once) {
    struct server server = serving("--devices", "echo", "--delay", "10000000");
    struct caller caller = call(server.port);
    ask_row(&caller, 1); /* and waits for company */
    await(metric(server.port, "atelier_requests") >= 1);
    terminate(&server);
    await(strstr(log_of_server(), "finishing 1 request") != NULL);
    double begin = at_now();
    ok(at_popen_send_signal(server.popen, SIGINT));
    ck_assert_int_eq(end_of_server(&server), 1);
    ck_assert_double_lt(at_now() - begin, 8);
    hang_up(&caller);
}
END_TEST

START_TEST(when_the_time_to_drain_is_over_it_ends_with_1) {
    struct server server = serving("--devices", "echo", "--delay", "10000000", "--drain", "0");
    struct caller caller = call(server.port);
    ask_row(&caller, 1); /* and waits for company */
    await(metric(server.port, "atelier_requests") >= 1);
    terminate(&server);
    ck_assert_int_eq(end_of_server(&server), 1);
    ck_assert_msg(strstr(log_of_server(), "given up (--drain)") != NULL, "%s", log_of_server());
    hang_up(&caller);
}
END_TEST

START_TEST(workers_do_not_outlive_a_front_that_is_killed) {
    for (size_t i = 2; i < MODE_COUNT; i++) {
        struct server server = serving("--mode", MODES[i], "--devices", "cpu,cpu");
        int workers[4];
        ck_assert_uint_eq(children_of(at_popen_pid(server.popen), workers, 4), 2);
        ok(at_popen_kill(server.popen));
        ck_assert_int_eq(end_of_server(&server), -SIGKILL);
        for (size_t j = 0; j < 2; j++)
            await(!pid_exists(workers[j]));
        await(!somebody_listens(server.port));
    }
}
END_TEST

START_TEST(ctrl_c_reaches_all_of_the_group_and_nothing_is_lost) {
    const char *const command[] = {serve_path(), "--port", "0",         "--folder",    folder,
                                   "--models",   "tiny",   "--devices", "sim:50000:0", NULL};
    struct server server = {.line = ""};
    ok(at_popen_new(&server.popen, command, .stdout = AT_PIPE, .stderr = AT_DEVNULL, .process_group = at_group(0)));
    server.lines = fdopen(at_popen_detach(server.popen, STDOUT_FILENO), "r");
    await_address(&server);
    await_ready(&server);
    struct caller caller = call(server.port);
    ask_row(&caller, 3);
    await(metric(server.port, "atelier_requests") >= 1);
    ok(at_popen_signal_group(server.popen, SIGINT));
    hear_row(&caller, 3, 1);
    hang_up(&caller);
    ck_assert_int_eq(end_of_server(&server), 0);
}
END_TEST

START_TEST(replicas_are_replaced) {
    struct server server = serving("--mode", "processes", "--devices", "cpu,cpu");
    int before[4], after[4], pid = at_popen_pid(server.popen);
    ck_assert_uint_eq(children_of(pid, before, 4), 2);
    require(kill(before[0], SIGKILL) == 0);
    await(children_of(pid, after, 4) == 2 && after[0] != before[0] && after[1] != before[0]);
    for (float value = 0; value < 10; value++) {
        struct caller caller = call(server.port);
        ask_row(&caller, value);
        hear_row(&caller, value, 1);
        hang_up(&caller);
    }
    stop_server(&server);
}
END_TEST

START_TEST(a_replica_that_cannot_start_any_more_is_given_up_and_the_other_serves) {
    struct server server = serving("--mode", "processes", "--devices", "cpu,cpu");
    int children[4], pid = at_popen_pid(server.popen);
    ck_assert_uint_eq(children_of(pid, children, 4), 2);
    require(unlink(in_folder("tiny.safetensors")) == 0);
    require(kill(children[0], SIGKILL) == 0);
    await(strstr(log_of_server(), "died too often") != NULL);
    ck_assert_uint_eq(children_of(pid, children, 4), 1);
    struct caller caller = call(server.port);
    ask_row(&caller, 2);
    hear_row(&caller, 2, 1);
    hang_up(&caller);
    stop_server(&server);
}
END_TEST

/* ---- its surroundings */

/* The port on which a process listens, from what the kernel says of its sockets; 0: it does not. */
static uint16_t port_of(int pid) {
    char line[300];
    uint16_t found = 0;
    FILE *sockets = fopen("/proc/net/tcp", "re");
    require(sockets != NULL);
    while (found == 0 && fgets(line, sizeof line, sockets) != NULL) {
        unsigned port, state;
        unsigned long inode;
        if (sscanf(line, " %*d: %*x:%x %*x:%*x %x %*s %*s %*s %*s %*s %lu", &port, &state, &inode) != 3 || state != 10)
            continue;
        for (int descriptor = 0; descriptor < 40; descriptor++) {
            char path[64], target[64] = "", wanted[64];
            snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, descriptor);
            snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
            if (readlink(path, target, sizeof target - 1) > 0 && strcmp(target, wanted) == 0)
                found = (uint16_t)port;
        }
    }
    fclose(sockets);
    return found;
}

static bool is_ready(uint16_t port) {
    struct heard heard = ask(port, "GET", "/v2/health/ready", "", NULL, 0);
    bool ready = heard.status == 200;
    heard_free(&heard);
    return ready;
}

START_TEST(closed_standard_streams_do_no_harm) {
    static const char *const CLOSED[] = {"<&-", ">&-", "<&- >&- 2>&-"};
    for (size_t i = 0; i < 3 * 2; i++) {
        char line[600];
        at_popen *popen;
        uint16_t port = 0;
        int code;
        snprintf(line, sizeof line, "exec %s --mode %s --devices cpu --port 0 --folder %s --models tiny %s",
                 serve_path(), MODES[2 + i % 2], folder, CLOSED[i / 2]);
        ok(at_popen_new(&popen, AT_ARGS(line), .shell = true, .stdout = AT_DEVNULL, .stderr = AT_DEVNULL));
        await((port = port_of(at_popen_pid(popen))) != 0);
        await(is_ready(port));
        struct caller caller = call(port);
        ask_row(&caller, 5);
        hear_row(&caller, 5, 1);
        hang_up(&caller);
        ok(at_popen_terminate(popen));
        ok(at_popen_wait(popen, BOUND, &code));
        ck_assert_int_eq(code, 0);
        at_popen_free(popen);
    }
}
END_TEST

START_TEST(a_reader_of_its_output_that_goes_does_no_harm) {
    struct server server = start_server((const char *const[]){"--devices", "cpu", "--inject", "late=100", NULL});
    await_address(&server);
    fclose(server.lines); /* before it says that it is ready */
    server.lines = fopen("/dev/null", "re");
    await(is_ready(server.port));
    stop_server(&server);
}
END_TEST

SUITE_WITH("serving_serve", make_models, remove_folder, each_mode_says_where_it_is_and_answers,
           wrong_arguments_end_it_with_2_and_a_sentence, what_cannot_be_served_ends_it_with_1_and_a_sentence,
           a_port_that_is_taken_ends_it_with_1_and_a_sentence, a_worker_by_hand_is_refused,
           told_to_end_it_finishes_what_it_has_taken, a_second_signal_ends_it_at_once,
           when_the_time_to_drain_is_over_it_ends_with_1, workers_do_not_outlive_a_front_that_is_killed,
           ctrl_c_reaches_all_of_the_group_and_nothing_is_lost, replicas_are_replaced,
           a_replica_that_cannot_start_any_more_is_given_up_and_the_other_serves, closed_standard_streams_do_no_harm,
           a_reader_of_its_output_that_goes_does_no_harm)
