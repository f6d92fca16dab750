/* processes.c: a process for each worker, forked and joined in each run. */
#include <sys/resource.h>

#include "atelier.h"
#include "modes.h"

static int work(void *arg) {
    const struct share *share = arg;
    struct rusage used;
    share_do(arg);
    if (peak_of_worker != NULL && getrusage(RUSAGE_SELF, &used) == 0)
        peak_of_worker[share->worker] = (uint64_t)used.ru_maxrss;
    return 0;
}

static void run(const struct job *job) {
    at_process *processes[job->workers];
    for (size_t i = 0; i < job->workers; i++) {
        struct share share = {job, i};
        processes[i] = at_process_new(.target = work, AT_COPY(share));
        at_check(at_process_start(processes[i]));
    }
    for (size_t i = 0; i < job->workers; i++) {
        at_check(at_process_join(processes[i], AT_FOREVER));
        at_process_free(processes[i]);
    }
}

const struct mode processes_mode = {.name = "processes", .title = "processes", .locks = &process_locks, .run = run};
