/* host.c: a process that does runs of one mode on request. */
#include "host.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "atelier.h"
#include "console.h"
#include "measure.h"
#include "workloads/workloads.h"

enum { NAME_MOST = 32, NUMBERS = 7 };

const struct mode *mode_here;
void *lock_here;
uint64_t *peak_of_worker;

static struct run run_once(const struct job *job) {
    struct run run;
    struct members members = {NULL, 0};
    if (mode_here->members != NULL)
        members.count = mode_here->members(job->workers, &members.pids);
    job->workload->reset(job->workload);
    usage_begin(members, peak_of_worker, job->workers);
    uint64_t start = now_ns();
    if (job->workload->alone != NULL)
        job->workload->alone(job->workload);
    mode_here->run(job);
    run.ns = (double)(now_ns() - start);
    run.usage = usage_end(members, peak_of_worker, job->workers);
    return run;
}

/* One request; false when a result was wrong, and then the answer says so and there is nothing more to do. */
static bool answer(const struct job *job, size_t runs, FILE *answers) {
    if (mode_here->open != NULL)
        mode_here->open(job->workers);
    if (mode_here->enter != NULL)
        mode_here->enter(job);
    for (size_t i = 0; i < runs; i++) {
        struct run run = run_once(job);
        char wrong[WRONG_SIZE] = "";
        if (!job->workload->check(job->workload, wrong)) {
            fprintf(answers, "wrong: %s, %zu worker%s: %s\n", job->workload->name, job->workers,
                    job->workers == 1 ? "" : "s", wrong);
            return false;
        }
        fprintf(answers, "%.6g %.6g %.6g %.6g %.6g %.6g %.6g ", run.ns, run.usage.cpu_ns, run.usage.voluntary_switches,
                run.usage.forced_switches, run.usage.minor_faults, run.usage.major_faults, run.usage.peak_kib);
    }
    if (mode_here->leave != NULL)
        mode_here->leave();
    fputc('\n', answers);
    return true;
}

/* What the mode and its workers need before the first request. */
static void settle(const struct mode *mode) {
    mode_here = mode;
    peak_of_worker = at_shared_new(MOST_WORKERS * sizeof *peak_of_worker);
    lock_here = mode->locks != NULL ? mode->locks->create() : NULL;
    at_check(peak_of_worker != NULL && (mode->locks == NULL || lock_here != NULL) ? 0 : -ENOMEM);
}

/* Whether it has been asked for before, and is remembered now. */
static bool is_prepared(struct workload_list workloads, const struct workload *workload) {
    static bool prepared[64];
    size_t index = 0;
    while (index < workloads.count && workloads.workloads[index] != workload)
        index++;
    bool was = prepared[index];
    prepared[index] = true;
    return was;
}

void host_serve(const struct mode *mode, struct workload_list workloads, bool prepared, FILE *requests, FILE *answers) {
    char *line = NULL, name[NAME_MOST + 1];
    size_t room = 0;
    struct job job = {NULL, 0};
    long runs;
    bool right = true;
    settle(mode);
    while (right && getline(&line, &room, requests) > 0) {
        bool read = sscanf(line, "%32s %zu %ld", name, &job.workers, &runs) == 3;
        struct workload *workload = read ? workload_named(workloads, name) : NULL;
        if (workload == NULL || job.workers < 1 || job.workers > MOST_WORKERS || runs < 1 || runs > RUNS_MOST) {
            line[strcspn(line, "\n")] = '\0';
            fprintf(answers, "lost: not a request: \"%.40s\"\n", line);
        } else {
            if (!prepared && workload->prepare != NULL && !is_prepared(workloads, workload))
                workload->prepare(workload);
            job.workload = workload;
            if (workload->missing != NULL)
                fprintf(answers, "lost: %s\n", workload->missing);
            else
                right = answer(&job, (size_t)runs, answers);
        }
        fflush(answers);
    }
    free(line);
}

struct life {
    const struct mode *mode;
    struct workload_list workloads;
};

static void live(const void *context, FILE *requests, FILE *answers) {
    const struct life *life = context;
    host_serve(life->mode, life->workloads, true, requests, answers);
    fflush(answers);
}

bool host_fork(struct peer *host, const struct mode *mode, struct workload_list workloads) {
    struct life life = {mode, workloads};
    return peer_fork_to(host, mode->name, live, &life);
}

size_t host_ask(struct peer *host, const char *workload, size_t workers, struct run *runs, size_t count) {
    char request[80], line[RUNS_MOST * NUMBERS * 16 + 256];
    snprintf(request, sizeof request, "%s %zu %zu", workload, workers, count);
    if (!peer_request(host, request, line, sizeof line))
        return 0;
    double numbers[RUNS_MOST * NUMBERS];
    if (!peer_numbers(host, line, numbers, count * NUMBERS))
        return 0;
    for (size_t i = 0; i < count; i++) {
        const double *of = numbers + i * NUMBERS;
        runs[i] = (struct run){.ns = of[0],
                               .usage = {.cpu_ns = of[1],
                                         .voluntary_switches = of[2],
                                         .forced_switches = of[3],
                                         .minor_faults = of[4],
                                         .major_faults = of[5],
                                         .peak_kib = of[6]}};
    }
    return count;
}

int host_main(const struct mode *mode, int argc, char *argv[]) {
    if (argc > 1 && strtod(argv[1], NULL) > 0)
        mixed_choose(strtod(argv[1], NULL));
    if (argc > 2)
        memory_choose(strtod(argv[2], NULL));
    host_serve(mode, all_workloads, false, stdin, stdout);
    return 0;
}
