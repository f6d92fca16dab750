/*
 * test_model.c: spin goes through the model of the queue, tests/models/queue.pml: what it may do, and what it may not.
 *
 * Each check is one configuration of the model, of which all states are visited. Those with mistakes in them, put in by
 * -DMUTANT_..., show that the model can tell: a mistake that spin does not find fails the test. docs/queue.md says what
 * is checked, and how to see a counterexample. AT_MODEL=deep goes through the larger ones, too, in minutes and
 * gigabytes: AT_MODEL=deep AT_TIMEOUT_MULTIPLIER=20 make test ONLY=model
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "support.h"

/* Nobody dies, and no sleep ends by itself: then no wake may be lost. */
#define NO_HELP "-DDEATHS=0 -DBOUNDED=0 "
#define ONE_AND_ONE "-DPRODUCERS=1 -DCONSUMERS=1 "
#define ONE_POLLER "-DPRODUCERS=1 -DCONSUMERS=0 -DPOLLERS=1 "
#define RESTARTS "-DCAPACITY=2 -DWARM=1 "
#define TWO_SIZES "-DCAPACITY=2 -DLARGE=2 "

struct check {
    const char *name, *options;
    const char *finds; /* the assertion that must be violated; NULL: none may be */
    bool circles;      /* looks for endless runs instead: all there is to do comes to an end */
};

static const struct check quick[] = {
    {"no wake is lost", NO_HELP "-DMESSAGES=1 -DCAPACITY=1", NULL, false},
    {"no wake is lost with one who gives up", NO_HELP "-DPRODUCERS=1 -DGIVE_UPS=1", NULL, false},
    {"no room is missed with one who gives up", NO_HELP "-DCONSUMERS=1 -DMESSAGES=1 -DCAPACITY=1 -DGIVE_UPS=1", NULL,
     false},
    {"no room is missed by messages of two sizes", NO_HELP TWO_SIZES "-DCONSUMERS=1 -DTAKES=2", NULL, false},
    {"two of three die", "-DPRODUCERS=1 -DDEATHS=2", NULL, false},
    {"one of two producers dies", "-DCONSUMERS=1 -DMESSAGES=1 -DCAPACITY=1 -DDEATHS=2", NULL, false},
    {"both die, and it restarts", ONE_AND_ONE "-DMESSAGES=6 -DCAPACITY=4 -DWARM=1 -DLARGE=3 -DDEATHS=2", NULL, false},
    {"pollers never miss a message", "-DPRODUCERS=1 -DCONSUMERS=1 -DPOLLERS=1 -DDEATHS=2", NULL, false},
    {"closed at any time, with and without the lock",
     ONE_AND_ONE "-DDEATHS=1 -DBOUNDED=2 -DCLOSE_EARLY=1 -DCLOSE_UNLOCKED=1", NULL, false},
    {"closed at any time, with a poller", ONE_POLLER "-DDEATHS=1 -DCLOSE_EARLY=1 -DCLOSE_UNLOCKED=1", NULL, false},

    {"nobody goes round in circles", "-DPRODUCERS=1 -DCONSUMERS=1 -DPOLLERS=1 -DDEATHS=1", NULL, true},
    {"nor does a poller while somebody closes without the lock",
     ONE_POLLER "-DDEATHS=0 -DCLOSE_EARLY=1 -DCLOSE_UNLOCKED=1", NULL, true},
    {"nor do producers that pass room on", NO_HELP TWO_SIZES "-DCONSUMERS=1 -DTAKES=2", NULL, true},

    /* What the bounded sleep is for, and what it has to help out with besides. */
    {"a death between commit and wake", ONE_AND_ONE "-DMESSAGES=1 -DDEATHS=1 -DBOUNDED=0", "misses_message", false},
    {"four producers, messages of two sizes", NO_HELP TWO_SIZES "-DPRODUCERS=4 -DCONSUMERS=1 -DMESSAGES=1 -DTAKES=1",
     "misses_room", false},

    /* Mistakes. */
    {"wakes before it commits", NO_HELP ONE_AND_ONE "-DMUTANT_WAKES_BEFORE_COMMIT", "misses_message", false},
    {"looks before it marks", NO_HELP ONE_AND_ONE "-DMUTANT_LOOKS_BEFORE_MARK", "misses_message", false},
    {"sleeps whatever the word", NO_HELP ONE_AND_ONE "-DMUTANT_SLEEPS_ANYWAY", "misses_message", false},
    {"does not pass the wake on", NO_HELP "-DPRODUCERS=1 -DTAKES=1 -DMUTANT_NOT_PASSED_ON", "misses_message", false},
    {"does not pass room on", NO_HELP "-DCONSUMERS=1 -DMESSAGES=3 -DTAKES=2 -DMUTANT_ROOM_NOT_PASSED_ON", "misses_room",
     false},
    {"does not look for close", NO_HELP ONE_AND_ONE "-DMESSAGES=1 -DCLOSE_EARLY=1 -DMUTANT_CLOSE_NOT_SEEN", "hangs",
     false},
    {"commits by two stores", ONE_AND_ONE "-DDEATHS=0 -DMUTANT_TWO_STORES", "is_torn", false},
    {"commits before it copies", ONE_AND_ONE "-DDEATHS=0 -DMUTANT_COMMIT_BEFORE_COPY", "is_garbage", false},
    {"gives room away before it copies", ONE_AND_ONE "-DDEATHS=0 -DCAPACITY=1 -DMUTANT_TAIL_BEFORE_COPY", "overwrites",
     false},
    {"locks die with their holder", "-DCONSUMERS=1 -DMESSAGES=1 -DDEATHS=1 -DMUTANT_LOCKS_NOT_ROBUST", "hangs", false},
    {"takes closed for drained", ONE_AND_ONE "-DDEATHS=0 -DCLOSE_EARLY=1 -DMUTANT_CLOSED_IS_DRAINED", "strands", false},
    {"restarts by a record in the ring", ONE_AND_ONE RESTARTS "-DDEATHS=0 -DMESSAGES=4 -DMUTANT_SKIP_IN_RING",
     "is_garbage", false},
    {"keeps a detour", ONE_AND_ONE RESTARTS "-DDEATHS=0 -DMESSAGES=6 -DMUTANT_DETOUR_STAYS", "is_garbage", false},
    {"repairs nothing", RESTARTS "-DCONSUMERS=1 -DDEATHS=1 -DMUTANT_NOT_RECOVERED", "unsound", false},
    {"announces after it commits", ONE_POLLER "-DMESSAGES=1 -DDEATHS=1 -DMUTANT_ANNOUNCED_AFTER_COMMIT",
     "misses_descriptor", false},
    {"makes it unreadable and does not arm it", ONE_POLLER "-DDEATHS=0 -DMUTANT_DRAINED_NOT_ARMED", "misses_descriptor",
     false},
    {"makes it unreadable without the lock", ONE_POLLER "-DDEATHS=0 -DMUTANT_SETTLED_WITHOUT_LOCK", "misses_descriptor",
     false},
    {"closes and does not say so", ONE_POLLER "-DDEATHS=0 -DMUTANT_CLOSE_NOT_SIGNALLED", "misses_descriptor", false},
};

static const struct check deep[] = {
    {"one and two, two die", "-DPRODUCERS=1 -DMESSAGES=3 -DDEATHS=2", NULL, false},
    {"two and one, two die", "-DCONSUMERS=1 -DCAPACITY=1 -DDEATHS=2", NULL, false},
    {"two and two, two die", "-DMESSAGES=1 -DCAPACITY=1 -DDEATHS=2", NULL, false},
    {"two and two, one gives up", NO_HELP "-DMESSAGES=1 -DCAPACITY=1 -DGIVE_UPS=1", NULL, false},
    {"two producers restart, one dies", RESTARTS "-DCONSUMERS=1 -DLARGE=2 -DDEATHS=1", NULL, false},
    {"two producers, a consumer and a poller, one dies", "-DCONSUMERS=1 -DPOLLERS=1 -DMESSAGES=1 -DDEATHS=1", NULL,
     false},
    {"two producers and a poller, two die", "-DCONSUMERS=0 -DPOLLERS=1 -DDEATHS=2", NULL, false},
    {"two consumers, closed at any time", "-DPRODUCERS=1 -DMESSAGES=1 -DDEATHS=1 -DBOUNDED=2 -DCLOSE_EARLY=1", NULL,
     false},
};

enum { QUICK = sizeof quick / sizeof *quick, DEEP = sizeof deep / sizeof *deep };

static int count_of_checks(void) {
    const char *asked = getenv("AT_MODEL");
    return asked != NULL && strcmp(asked, "deep") == 0 ? QUICK + DEEP : QUICK;
}

static const struct check *check_of(int i) {
    return i < QUICK ? &quick[i] : &deep[i - QUICK];
}

/* Why this cannot be done here, or NULL. */
static const char *obstacle(void) {
    if (UNDER_TSAN || UNDER_ASAN)
        return "the model is the same under a sanitizer";
    if (system("command -v spin >/dev/null") != 0)
        return "spin is missing (./setup test installs it)";
    if (system("command -v gcc >/dev/null") != 0)
        return "gcc is missing, which spin needs";
    return NULL;
}

/* ---- running them, several at a time: before the tests, which only say what came of it */

static struct {
    char *folder;      /* NULL: there was no time for it */
    char report[4096]; /* what spin, the compiler and the verifier have said */
} outcomes[QUICK + DEEP];

/* $1 is the model, $2 the options, $3 and $4 what to compile the verifier with, and $5 what to run it with. */
static const char SCRIPT[] = "cp \"$1\" queue.pml && spin -a $2 queue.pml && gcc -w -DNOFAIR $3 $4 -o pan pan.c &&"
                             " ./pan -m1000000 -w20 $5";

static pid_t start(int i) {
    /* A compiler that optimizes takes longer than it saves on the small ones. */
    const char *made_with = i < QUICK ? "-O0 -DMEMLIM=700" : "-O2 -DMEMLIM=6000";
    char model[PATH_MAX];
    if (realpath("tests/models/queue.pml", model) == NULL)
        ck_abort_msg("no tests/models/queue.pml; run the suite where the Makefile is");
    const char *build = getenv("BUILD");
    if (asprintf(&outcomes[i].folder, "%s/model-XXXXXX", build != NULL ? build : "/tmp") < 0 ||
        mkdtemp(outcomes[i].folder) == NULL)
        ck_abort_msg("no folder can be made for the model");
    pid_t child = fork();
    if (child == 0) {
        if (chdir(outcomes[i].folder) != 0 || freopen("report", "w", stdout) == NULL || dup2(1, 2) < 0)
            _exit(99);
        const struct check *check = check_of(i);
        execl("/bin/sh", "sh", "-c", SCRIPT, "sh", model, check->options, made_with,
              check->circles ? "-DNP" : "-DSAFETY", check->circles ? "-l" : "", (char *)NULL);
        _exit(99);
    }
    return child;
}

/* Keeps what it has said, and removes the rest. */
static void finish(int i) {
    char *path, *command;
    if (asprintf(&path, "%s/report", outcomes[i].folder) < 0 ||
        asprintf(&command, "rm -rf '%s'", outcomes[i].folder) < 0)
        ck_abort_msg("out of memory");
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        size_t length = fread(outcomes[i].report, 1, sizeof outcomes[i].report - 1, file);
        outcomes[i].report[length] = '\0';
        fclose(file);
    }
    if (system(command) != 0)
        fprintf(stderr, "left behind: %s\n", outcomes[i].folder);
    free(path);
    free(command);
}

/* Seconds in which a check has to begin, so that what has begun ends before tests/run loses its patience. */
static double time_to_begin(void) {
    const char *multiplier = getenv("CK_TIMEOUT_MULTIPLIER");
    return 60 * (multiplier != NULL ? atof(multiplier) : 1);
}

static void run_all(void) {
    int count = count_of_checks(), most = usable_cores() < 2 ? 1 : 2, running = 0;
    pid_t children[QUICK + DEEP] = {0};
    if (obstacle() != NULL)
        return;
    double end = at_now() + time_to_begin();
    for (int next = 0;;) {
        if (next < count && running < most && at_now() < end) {
            children[next] = start(next);
            ck_assert_int_gt(children[next], 0);
            next++;
            running++;
            continue;
        }
        if (running == 0)
            break;
        pid_t ended = waitpid(-1, NULL, 0);
        for (int i = 0; i < next; i++)
            if (children[i] == ended) {
                children[i] = 0;
                finish(i);
                running--;
            }
    }
}

/* ---- the tests */

START_TEST(model) {
    const char *reason = obstacle();
    if (reason != NULL)
        skip("%s", reason);
    const struct check *check = check_of(_i);
    if (outcomes[_i].folder == NULL)
        skip("%s: this machine was too busy; AT_TIMEOUT_MULTIPLIER=4 gives it more time", check->name);
    const char *report = outcomes[_i].report;
    char found[128];
    snprintf(found, sizeof found, "assertion violated  !(%s)", check->finds != NULL ? check->finds : "");
    bool complete = strstr(report, "Full statespace search") != NULL && strstr(report, "not completed") == NULL;
    bool as_expected =
        check->finds != NULL ? strstr(report, found) != NULL : complete && strstr(report, "errors: 0") != NULL;
    ck_assert_msg(as_expected, "%s: spin %s (-a %s); it says:\n%.1500s", check->name,
                  check->finds != NULL ? "should have found a mistake, and has not" : "has not found it sound",
                  check->options, report);
    const char *states = strstr(report, " states, stored");
    while (states != NULL && states > report && states[-1] != '\n')
        states--;
    printf("%-60s %.9s states\n", check->name, states != NULL ? states : "");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("model");
    TCase *tests = tcase_create("model");
    tcase_add_unchecked_fixture(tests, run_all, NULL);
    tcase_add_loop_test(tests, model, 0, obstacle() != NULL ? 1 : count_of_checks());
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
