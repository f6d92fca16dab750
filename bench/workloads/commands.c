/* commands.c: other programs, run to their end: echo, once for each task. What they write is checked. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "atelier.h"
#include "workloads.h"

enum { TASKS = 32, TEXT_MOST = 4096 };

static int output = -1; /* a file in memory; each program appends a line to it with its task's number */

static int output_of_all(void) {
    return output;
}

static bool prepare(struct workload *workload) {
    char path[64];
    int file = memfd_create("output", MFD_CLOEXEC);
    /* Opened again, since one that is only made does not append. */
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    output = file >= 0 ? open(path, O_RDWR | O_APPEND | O_CLOEXEC) : -1;
    if (file >= 0)
        close(file);
    if (access("/bin/echo", X_OK) != 0)
        workload->missing = "there is no /bin/echo";
    else if (output < 0)
        workload->missing = "there can be no file in memory (memfd_create)";
    return workload->missing == NULL;
}

static void reset(const struct workload *workload) {
    (void)workload;
    at_check(ftruncate(output, 0)); /* what is left then, check would find */
}

static void task(const struct workload *workload, size_t task, size_t worker) {
    char number[24];
    (void)worker;
    snprintf(number, sizeof number, "%zu", task);
    at_check(at_run(AT_ARGS(workload->command, number), .stdout = at_descriptor(output)));
}

/* Every number once, in any order. */
static bool check(const struct workload *workload, char wrong[WRONG_SIZE]) {
    char text[TEXT_MOST], *rest;
    bool seen[TASKS] = {0};
    size_t lines = 0;
    ssize_t length = pread(output, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        char *end;
        unsigned long number = strtoul(line, &end, 10);
        if (end == line || *end != '\0' || number >= TASKS || seen[number]) {
            snprintf(wrong, WRONG_SIZE, "the programs wrote \"%.40s\", which none, or only one of them, should", line);
            return false;
        }
        seen[number] = true;
        lines++;
    }
    if (lines == workload->tasks)
        return true;
    snprintf(wrong, WRONG_SIZE, "%zu of %zu programs have written", lines, workload->tasks);
    return false;
}

static void finish(struct workload *workload) {
    (void)workload;
    if (output >= 0)
        close(output);
    output = -1;
}

struct workload commands_workload = {
    .name = "commands",
    .title = "programs: echo, 32 times",
    .unit = "programs",
    .units = TASKS,
    .tasks = TASKS,
    .command = "/bin/echo",
    .output = output_of_all,
    .prepare = prepare,
    .reset = reset,
    .task = task,
    .check = check,
    .finish = finish,
};
