/*
 * points.h: what the suites share that kill processes at the named points of the library (labs/runtime/hooks.h): the
 * list of them all, and experiments, each with one or two points at which whoever comes there first is killed.
 */
#ifndef ATELIER_TESTS_POINTS_H
#define ATELIER_TESTS_POINTS_H

#include <stdatomic.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "hooks.h"
#include "watch.h"

/* The names of all points that are linked into this program, one after another; the linker says where. */
extern const char __start_at_points[], __stop_at_points[];

enum {
    MOST_POINTS = 64,
    RUNNERS = 8 /* experiments at a time: they mostly wait */,
    SECONDS_PER_EXPERIMENT = 15,
    MOST_TRIES = 1000
};

static const char *points[MOST_POINTS];
static int point_count;

/* Shared by all processes of an experiment. */
static struct experiment {
    const char *point[2]; /* where to kill; NULL: nowhere */
    _Atomic int struck[2];
} * experiment;

/* Shared by all. */
static struct {
    _Atomic int kills[MOST_POINTS]; /* at this point */
    _Atomic int next, both;         /* experiments that were begun, and those in which both points were come to */
    _Atomic int failed;
    char text[300]; /* how, and in which experiment */
} * outcome;

static pid_t immortal; /* the process that is not to be killed */

static inline int find_point(const char *name) {
    int point = 0;
    while (point < point_count && strcmp(points[point], name) != 0)
        point++;
    return point;
}

/* The points whose names begin so; each once. */
static inline void list_points(const char *const *prefixes, int count) {
    for (const char *name = __start_at_points; name < __stop_at_points; name += strlen(name) + 1)
        for (int i = 0; i < count; i++)
            if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0 && find_point(name) == point_count) {
                require(point_count < MOST_POINTS);
                points[point_count++] = name;
            }
}

/* The hook: the process is gone before it returns. */
static inline void strike(const char *name, const volatile void *word) {
    (void)word;
    if (strchr(name, '.') == NULL || immortal == getpid())
        return;
    for (int i = 0; i < 2; i++)
        if (experiment->point[i] != NULL && strcmp(experiment->point[i], name) == 0 &&
            atomic_exchange(&experiment->struck[i], 1) == 0) {
            atomic_fetch_add(&outcome->kills[find_point(name)], 1);
            raise(SIGKILL);
        }
}

/* Ends the experiment, and all others, with this text. */
static inline __attribute__((noreturn, format(printf, 1, 2))) void fail_experiment(const char *format, ...) {
    va_list arguments;
    if (atomic_exchange(&outcome->failed, 1) == 0) {
        int length = snprintf(outcome->text, sizeof outcome->text, "killed at %s and %s: ", experiment->point[0],
                              experiment->point[1] != NULL ? experiment->point[1] : "no other");
        va_start(arguments, format);
        vsnprintf(outcome->text + length, sizeof outcome->text - (size_t)length, format, arguments);
        va_end(arguments);
    }
    _exit(EXIT_FAILURE);
}

#define hold(condition) ((condition) ? (void)0 : fail_experiment("%s:%d: %s", __FILE__, __LINE__, #condition))

/*
 * Experiment number i: first each point alone, then each with each, and at last those again at which nobody was killed:
 * to some one comes only by chance. False when there is none.
 */
static inline bool choose_points(int i) {
    int all = point_count + point_count * point_count;
    if (i >= all) {
        for (int tries = i - all, point = 0; tries < MOST_TRIES && point < point_count; point++)
            if (outcome->kills[point] == 0) {
                *experiment = (struct experiment){{points[point], NULL}, {0, 0}};
                return true;
            }
        return false;
    }
    bool alone = i < point_count;
    const char *first = points[alone ? i : (i - point_count) / point_count];
    const char *second = alone ? NULL : points[(i - point_count) % point_count];
    *experiment = (struct experiment){{first, second}, {0, 0}};
    return true;
}

static inline void hang(int number) {
    (void)number;
    fail_experiment("it hangs");
}

/* One process that makes experiments, so that several can be made at a time. */
static inline void run_experiments(void (*run)(void)) {
    experiment = mmap(NULL, sizeof *experiment, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    immortal = getpid();
    signal(SIGALRM, hang);
    while (outcome->failed == 0 && choose_points(atomic_fetch_add(&outcome->next, 1))) {
        alarm(SECONDS_PER_EXPERIMENT);
        run();
        alarm(0);
        outcome->both += experiment->struck[0] != 0 && experiment->struck[1] != 0;
    }
    _exit(EXIT_SUCCESS);
}

/*
 * Makes an experiment of each point and of each pair of points. Fails if a promise of one does not hold, or if there is
 * a point at which nobody could be killed, since then this proves nothing about it.
 */
static inline void kill_at_all_points(const char *const *prefixes, int prefix_count, void (*run)(void)) {
    list_points(prefixes, prefix_count);
    outcome = mmap(NULL, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    hooks.step = strike;
    pid_t runners[RUNNERS];
    for (int i = 0; i < RUNNERS; i++)
        if ((runners[i] = fork()) == 0)
            run_experiments(run);
    for (int i = 0; i < RUNNERS; i++)
        require(end_of(runners[i]) == 0 || outcome->failed != 0);
    if (outcome->failed != 0)
        ck_abort_msg("%s", outcome->text);
    for (int i = 0; i < point_count; i++)
        if (outcome->kills[i] == 0)
            ck_abort_msg("%s: nobody came there", points[i]);
    printf("%d points, %d pairs, in %d of them two were killed\n", point_count, point_count * point_count,
           outcome->both);
    require(outcome->both > 0);
}

#endif
