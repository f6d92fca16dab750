/* scheduler_seeds.c: many seeds, each a run of a scenario; see scheduler.h. */
#include <check.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scheduler.h"
#include "support.h"

enum { SECONDS_PER_SEED = 20 }; /* longer than any takes: then it hangs outside of the hooks */

/* What a process that runs seeds tells the one that started it. */
struct report {
    uint64_t seed;
    long runs;
    char text[400];
};
static struct report *report;

void schedule_report(const char *format, va_list arguments) {
    vsnprintf(report->text, sizeof report->text, format, arguments);
    _exit(EXIT_FAILURE);
}

static void run_seed(uint64_t seed, bool traced, void (*scenario)(void)) {
    report->seed = seed;
    alarm(SECONDS_PER_SEED);
    schedule_seed(seed, traced);
    scenario();
    alarm(0);
    report->runs++;
}

/* A turn passes fastest between threads of one core. */
static void stay_on_core(int number) {
    cpu_set_t all, one;
    CPU_ZERO(&one);
    sched_getaffinity(0, sizeof all, &all);
    for (size_t core = 0; core < CPU_SETSIZE; core++)
        if (CPU_ISSET(core, &all) && number-- == 0)
            CPU_SET(core, &one);
    sched_setaffinity(0, sizeof one, &one);
}

void schedule_seeds(long count, void (*scenario)(void)) {
    const char *only = getenv("AT_SEED"), *more = getenv("AT_SEEDS");
    if (more != NULL)
        count = atol(more);
    int shares = only != NULL ? 1 : usable_cores();
    struct report *reports =
        mmap(NULL, (size_t)shares * sizeof *reports, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t processes[shares];
    int status, failed = -1;
    for (int share = 0; share < shares; share++) {
        report = &reports[share];
        if ((processes[share] = fork()) > 0)
            continue;
        stay_on_core(share);
        if (only != NULL)
            run_seed(strtoull(only, NULL, 0), true, scenario);
        for (long seed = 1 + share; only == NULL && seed <= count; seed += shares)
            run_seed((uint64_t)seed, false, scenario);
        _exit(EXIT_SUCCESS);
    }
    for (int share = 0; share < shares; share++) {
        if (waitpid(processes[share], &status, 0) == processes[share] && status != 0 && failed < 0) {
            failed = share;
            for (int other = share + 1; other < shares; other++)
                kill(processes[other], SIGKILL);
        }
        if (failed == share && reports[share].text[0] == '\0')
            snprintf(reports[share].text, sizeof reports[share].text, "ended by signal %d", WTERMSIG(status));
    }
    if (failed >= 0)
        ck_abort_msg("seed %llu: %s; AT_SEED=%llu shows its steps", (unsigned long long)reports[failed].seed,
                     reports[failed].text, (unsigned long long)reports[failed].seed);
    munmap(reports, (size_t)shares * sizeof *reports);
}
