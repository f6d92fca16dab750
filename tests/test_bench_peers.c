/*
 * test_bench_peers.c: peers of the benchmarks that say what nobody asked for, that are stopped or deaf, and whose
 * leader is killed.
 */
#include "console.h" /* before Check, which has a macro of the name fail */

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "bench_run.h"
#include "crew.h"
#include "peer.h"

static char output[8192];

/* ---- what it says */

/* Each is asked twice for two samples; what we say of it and what comes is the output. */
static const struct conversation {
    const char *script;
    bool unasked; /* it says something before it is asked */
    const char *expected;
} CONVERSATIONS[] = {
    {"read n; echo 1 2; read n; echo ' 3  4 '", false, "^got 2: 1 2\ngot 2: 3 4\n$"},
    {"read n; echo '1 2; 0.5 0.25'; read n; echo '3 4;5 6'", false, "^got 2: 1 2\ngot 2: 3 4\n$"},
    {"read n; echo 1; read n", false, "^bench: made: not an answer: \"1\"; it is left out\ngot 0\ngot 0\n$"},
    {"read n; echo; read n", false, "^bench: made: not an answer: \"\"; it is left out\ngot 0\ngot 0\n$"},
    {"read n; echo 1 x; read n", false, "^bench: made: not an answer: \"1 x\"; it is left out\ngot 0\ngot 0\n$"},
    {"read n; echo nan 1; read n", false, "^bench: made: not an answer: \"nan 1\"; [^\n]*\ngot 0\ngot 0\n$"},
    {"read n; echo 1 inf; read n", false, "^bench: made: not an answer: \"1 inf\"; [^\n]*\ngot 0\ngot 0\n$"},
    {"read n; echo 1 -1e999; read n", false, "^bench: made: not an answer: \"1 -1e999\"; [^\n]*\ngot 0\ngot 0\n$"},
    {"read n; echo 1 2 3; read n", false, "^bench: made: more than an answer: \"1 2 3\"; [^\n]*\ngot 0\ngot 0\n$"},
    {"read n; echo 1 2 done; read n", false, "^bench: made: more than an answer: [^\n]*\ngot 0\ngot 0\n$"},
    {"read n; echo '1 2; 0.5'; read n", false, "^bench: made: not an answer: \" 0.5\"; [^\n]*\ngot 0\ngot 0\n$"},
    {"read n; echo '1 2; 0.5 nan'; read n", false, "^bench: made: not an answer: [^\n]*\ngot 0\ngot 0\n$"},
    {"read n; printf '1 2\\n3 4\\n'; read n", false,
     "^bench: made: more than one line is an answer: \"1 2\", \"3 4\n\"; it is left out\ngot 0\ngot 0\n$"},
    /* The second line may come with the first, or later. */
    {"read n; echo 1 2; echo 3 4; read n", true, "^(got 2: 1 2\n)?bench: made: .*; it is left out\ngot 0\n(got 0\n)?$"},
    {"echo 5 6; read n; echo 1 2", true,
     "^bench: made: an answer to nothing: \"5 6\"; it is left out\ngot 0\ngot 0\n$"},
    {"read n", false, "^bench: made: ended without an answer; it is left out\ngot 0\ngot 0\n$"},
    {"read n; printf 1 2", false, "^bench: made: ended without an answer; it is left out\ngot 0\ngot 0\n$"},
    {"exit 0", false, "^bench: made: ended without an answer; it is left out\ngot 0\ngot 0\n$"},
    {"echo lost: no such place; exit 0", true,
     "^lost: no such place\ngot 0\nbench: made: ended [^\n]*\n[^\n]*\ngot 0\n$"},
    {"read n; echo lost: not now; read n; echo 1 2", false, "^lost: not now\ngot 0\nlost: not now\ngot 2: 1 2\n$"},
    {"echo wrong: 1 and 1 are 3", true, "^bench: wrong result: made: 1 and 1 are 3\n$"},
};
enum { CONVERSATION_COUNT = sizeof CONVERSATIONS / sizeof *CONVERSATIONS };

static const struct conversation *now;

/* A peer that is a shell script; the script lasts as long as the suite. */
static bool spawn_script(struct peer *peer, const char *script) {
    char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char *)(uintptr_t)script, NULL};
    return peer_spawn(peer, "made", argv);
}

static void converse(void) {
    struct peer peer;
    setvbuf(stdout, NULL, _IONBF, 0);
    if (!spawn_script(&peer, now->script))
        exit(2);
    for (int i = 0; i < 2; i++) {
        struct observation samples[2];
        struct pollfd said = {.fd = peer.answers, .events = POLLIN};
        if (now->unasked && !(i == 0 && strncmp(now->script, "read", 4) == 0) && !peer.broken)
            while (poll(&said, 1, -1) < 0) {
            }
        size_t got = peer_ask(&peer, samples, 2);
        if (peer.lost[0] != '\0')
            printf("lost: %s\n", peer.lost);
        if (got == 2)
            printf("got 2: %g %g\n", samples[0].ns, samples[1].ns);
        else
            printf("got %zu\n", got);
    }
    peer_stop(&peer);
}

START_TEST(only_an_answer_is_taken_for_one) {
    now = &CONVERSATIONS[_i];
    int status = run_program(converse, output, sizeof output);
    expect_status(status, strstr(now->script, "wrong:") != NULL ? 1 : 0, output);
    expect_match(output, now->expected);
}
END_TEST

START_TEST(each_sample_has_its_own_share) {
    struct peer peer;
    struct observation samples[2];
    require(spawn_script(&peer, "read n; echo '1 2; 0.5 0.25'"));
    ck_assert_uint_eq(peer_ask(&peer, samples, 2), 2);
    ck_assert_double_eq(samples[0].share, 0.5);
    ck_assert_double_eq(samples[1].share, 0.25);
    peer_stop(&peer);
}
END_TEST

/* ---- how it ends */

static bool deaf, stopping, with_child;

/* Answers once, and goes on as the test wants it to. */
static void live(const void *context, FILE *requests, FILE *answers) {
    char line[32];
    (void)context;
    if (deaf)
        signal(SIGTERM, SIG_IGN);
    if (with_child && fork() == 0) {
        raise(SIGSTOP);
        _exit(0);
    }
    if (fgets(line, sizeof line, requests) != NULL)
        fputs("1\n", answers);
    fflush(answers);
    if (stopping)
        raise(SIGSTOP);
    while (deaf || fgets(line, sizeof line, requests) != NULL)
        if (deaf)
            pause();
}

/* A peer that has answered, and is stopped if it is to be. */
static bool start_living(struct peer *peer) {
    char answer[32];
    siginfo_t info;
    bool ready = peer_fork_to(peer, "made", live, NULL) && peer_request(peer, "1", answer, sizeof answer);
    return ready && (!stopping || waitid(P_PID, (id_t)peer->pid, &info, WSTOPPED | WNOWAIT) == 0);
}

static void start_and_stop(void) {
    struct peer peer;
    if (!start_living(&peer))
        exit(2);
    pid_t pid = peer.pid;
    peer_stop(&peer);
    peer_stop(&peer); /* nothing more to be done */
    exit(peer.pid == 0 && kill(pid, 0) != 0 && errno == ESRCH ? 0 : 3);
}

START_TEST(peer_ends_however_it_lives) {
    deaf = (_i & 1) != 0;
    stopping = (_i & 2) != 0;
    with_child = (_i & 4) != 0;
    /* It returns when all have ended that hold the output. */
    expect_status(run_program(start_and_stop, output, sizeof output), 0, output);
    ck_assert_str_eq(output, "");
}
END_TEST

static const char *const DEAF_SCRIPTS[] = {
    "trap '' TERM; read n; echo 1; exec sleep 100",
    "trap '' TERM; read n; echo 1; sleep 100; sleep 100", /* its child has to be killed, too */
    "trap '' TERM; read n; echo 1; kill -s STOP $$",
    "read n; echo 1; kill -s STOP $$",
};
static const char *script_now;

static void spawn_and_stop(void) {
    struct peer peer;
    char answer[32];
    if (!spawn_script(&peer, script_now) || !peer_request(&peer, "1", answer, sizeof answer))
        exit(2);
    peer_stop(&peer);
}

START_TEST(program_ends_however_it_lives) {
    script_now = DEAF_SCRIPTS[_i];
    expect_status(run_program(spawn_and_stop, output, sizeof output), 0, output);
    ck_assert_str_eq(output, "");
}
END_TEST

/* ---- Ctrl-C while it is silent */

static void interrupt_and_stop(const void *context, FILE *requests, FILE *answers) {
    char line[32];
    (void)context;
    (void)answers;
    if (fgets(line, sizeof line, requests) != NULL)
        kill(getppid(), SIGINT);
    raise(SIGSTOP);
}

static void ask_until_interrupted(void) {
    struct peer peer;
    char answer[32];
    catch_interrupts();
    if (!peer_fork_to(&peer, "made", interrupt_and_stop, NULL) || peer_request(&peer, "1", answer, sizeof answer))
        exit(2);
    peer_stop(&peer);
    exit(end_status());
}

START_TEST(interrupt_ends_the_wait_for_an_answer) {
    expect_status(run_program(ask_until_interrupted, output, sizeof output), 130, output);
    ck_assert_str_eq(output, "");
}
END_TEST

/* ---- a leader that is killed */

static void wait_for_ever(struct stage *stage, size_t index) {
    (void)stage;
    (void)index;
    for (;;)
        pause();
}

/* The spawned one must see the end of its input although those that were forked later have its pipe, too. */
static void start_all_and_die(void) {
    struct peer script, peers[3];
    struct crew crew;
    char answer[32];
    if (!spawn_script(&script, "while read n; do echo 1; done") || !peer_request(&script, "1", answer, sizeof answer))
        exit(2);
    for (int i = 0; i < 3; i++) {
        stopping = i > 0;
        deaf = i > 1;
        if (!start_living(&peers[i]))
            exit(2);
    }
    if (!crew_start(&crew, "made", 2, wait_for_ever))
        exit(2);
    kill(getpid(), SIGKILL);
}

START_TEST(all_end_with_their_leader) {
    expect_status(run_program(start_all_and_die, output, sizeof output), -SIGKILL, output);
    ck_assert_str_eq(output, "");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("bench_peers");
    TCase *all = tcase_create("bench_peers");
    tcase_set_timeout(all, LIMIT);
    tcase_add_loop_test(all, only_an_answer_is_taken_for_one, 0, CONVERSATION_COUNT);
    tcase_add_test(all, each_sample_has_its_own_share);
    tcase_add_loop_test(all, peer_ends_however_it_lives, 0, 8);
    tcase_add_loop_test(all, program_ends_however_it_lives, 0, sizeof DEAF_SCRIPTS / sizeof *DEAF_SCRIPTS);
    tcase_add_test(all, interrupt_ends_the_wait_for_an_answer);
    tcase_add_test(all, all_end_with_their_leader);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
