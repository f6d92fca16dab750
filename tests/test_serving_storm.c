/* test_serving_storm.c: workers killed every 200 ms under load: no request fails, none is answered twice, none wrongly.
 * STORM_SECONDS says for how long; with 60, as much as is asked of the lab. */
#include <stdatomic.h>
#include <sys/socket.h>

#include "serving_program.h"

enum { CALLERS = 8, LARGEST_VALUE = 1 << 20 };

static double storm_seconds(void) {
    const char *text = getenv("STORM_SECONDS");
    return text != NULL ? strtod(text, NULL) : 3;
}

struct storm {
    int front;
    atomic_bool over;
    unsigned kills;
};

/* Kills one of the workers there are, another one each time; what was the last may be on its way up again. */
static int kill_workers(void *argument) {
    struct storm *storm = argument;
    for (unsigned turn = 0; !atomic_load(&storm->over); turn++) {
        int workers[8];
        size_t count = children_of(storm->front, workers, 8);
        if (count > 0)
            storm->kills += kill(workers[turn % count], SIGKILL) == 0;
        at_sleep(0.2);
    }
    return 0;
}

/* Asks on each connection for a row of its own, and hears the answers; each is right, and nothing else comes. */
static void ask_round(struct caller *callers, unsigned *number) {
    for (size_t i = 0; i < CALLERS; i++)
        ask_row(&callers[i], (float)((*number + i) % LARGEST_VALUE));
    for (size_t i = 0; i < CALLERS; i++) {
        hear_row(&callers[i], (float)((*number + i) % LARGEST_VALUE), 1);
        require(callers[i].size == 0);
    }
    *number += CALLERS;
}

static void require_silence(const struct caller *caller) {
    char more;
    require(recv(caller->socket, &more, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN);
}

START_TEST(workers_killed_under_load_lose_nothing) {
    struct server server = serving("--devices", _i == 0 ? "cpu,cpu" : "sim:2000:100,sim:2000:100,sim:2000:100",
                                   "--in-flight", _i == 0 ? "1" : "2", "--batch", "4");
    struct storm storm = {.front = at_popen_pid(server.popen)};
    struct caller callers[CALLERS];
    for (size_t i = 0; i < CALLERS; i++)
        callers[i] = call(server.port);
    unsigned number = 0;
    at_thread *killer = at_thread_new(.target = kill_workers, .arg = &storm);
    start(killer);
    for (double end = at_now() + storm_seconds() / 2; at_now() < end;) {
        ask_round(callers, &number);
        at_sleep(0.001); /* the clients' own work */
    }
    atomic_store(&storm.over, true);
    join(killer);
    at_thread_free(killer);
    ask_round(callers, &number);
    for (size_t i = 0; i < CALLERS; i++) {
        require_silence(&callers[i]);
        hang_up(&callers[i]);
    }
    double restarts = metric(server.port, "atelier_worker_restarts"),
           quarantined = metric(server.port, "atelier_refused");
    ck_assert_double_ge(restarts, 1);
    ck_assert_double_le(restarts, storm.kills);
    ck_assert_double_eq(quarantined, 0); /* nor for any other reason */
    ck_assert_double_eq(metric(server.port, "nv_inference_request_success"), number);
    ck_assert_double_eq(metric(server.port, "nv_inference_request_failure"), 0);
    if (getenv("STORM_SECONDS") != NULL)
        printf("storm: %u requests, %u kills, %.0f restarts, %.0f answers by another worker\n", number, storm.kills,
               restarts, metric(server.port, "atelier_worker_retried"));
    stop_server(&server);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("serving_storm");
    TCase *all = tcase_create("serving_storm");
    tcase_set_timeout(all, storm_seconds() + LIMIT);
    tcase_add_checked_fixture(all, make_models, remove_folder);
    tcase_add_loop_test(all, workers_killed_under_load_lose_nothing, 0, 2);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
