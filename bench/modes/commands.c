/* commands.c: what a shell has to run many commands at once: xargs -P, and GNU parallel. */
#include <stdio.h>
#include <string.h>

#include "atelier.h"
#include "modes.h"

/* They read the tasks' numbers, a line each, and give each to the command as its argument. */
static void feed(const struct job *job, const char *const *args) {
    char numbers[16 * 1024];
    size_t length = 0;
    for (size_t i = 0; i < job->workload->tasks && length + 24 < sizeof numbers; i++)
        length += (size_t)snprintf(numbers + length, sizeof numbers - length, "%zu\n", i);
    at_check(at_run(args, .input = at_bytes(numbers, length), .stdout = at_descriptor(job->workload->output()),
                    .check = true));
}

static void run_xargs(const struct job *job) {
    char workers[24];
    snprintf(workers, sizeof workers, "%zu", job->workers);
    feed(job, AT_ARGS("xargs", "-r", "-P", workers, "-n", "1", job->workload->command));
}

static void run_parallel(const struct job *job) {
    char workers[24];
    snprintf(workers, sizeof workers, "%zu", job->workers);
    feed(job, AT_ARGS("parallel", "--will-cite", "-j", workers, job->workload->command));
}

const struct mode xargs_mode = {
    .name = "xargs", .title = "xargs -P", .commands = true, .version = "xargs (GNU", .run = run_xargs};
const struct mode parallel_mode = {
    .name = "parallel", .title = "GNU parallel", .commands = true, .version = "GNU parallel", .run = run_parallel};
