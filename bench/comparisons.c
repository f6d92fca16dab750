/* comparisons.c: all the rows of a table: who is there to be measured, the time that each gets, the files. */
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "comparison.h"
#include "console.h"
#include "output.h"

bool python_is_there(void) {
    int status = system("python3 -c 'import sys; sys.exit(sys.version_info < (3, 7))' 2>/dev/null");
    /* Meanwhile this process ignores Ctrl-C; that it came is seen in how the other ended. */
    if ((WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) ||
        (WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGINT))
        raise(SIGINT);
    else if (status != 0)
        note("bench: no Python 3.7 or newer (python3): its column stays empty; on Debian: apt install python3");
    return status == 0;
}

const char *folder_beside(const char *name, char path[FOLDER_SIZE]) {
    char self[4000] = "";
    bool known = readlink("/proc/self/exe", self, sizeof self - 1) >= 0;
    snprintf(path, FOLDER_SIZE, "%s/%s", known ? dirname(self) : "build/bench", name);
    return path;
}

static bool chosen(const struct comparison *comparison, const struct options *options) {
    if (options->only != NULL)
        return strncmp(comparison->name, options->only, strlen(options->only)) == 0;
    return !options->quick || !(comparison->only_in_files || comparison->not_with_quick);
}

void comparisons_run(struct comparison *comparisons, size_t count, const struct options *options, const char *name,
                     double seconds) {
    struct dice dice = {options->seed};
    char programs[FOLDER_SIZE];
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        left += chosen(&comparisons[i], options);
    if (left == 0) {
        note("bench: --only %s: no row's name begins so; there are:", options->only);
        for (size_t i = 0; i < count; i++)
            note("  %s", comparisons[i].name);
        exit(2);
    }
    struct setting setting = {.peers = options->peers,
                              .programs = folder_beside("peers", programs),
                              .python = python_is_there(),
                              .quick = options->quick,
                              .dice = &dice};
    char latencies_name[TEXT_SIZE];
    struct record record;
    bool any_latency = false;
    for (size_t i = 0; i < count; i++)
        any_latency |= comparisons[i].latency && chosen(&comparisons[i], options);
    snprintf(latencies_name, sizeof latencies_name, "%s-latencies", name);
    FILE *rows = output_open(options->output, name, comparison_header);
    FILE *latencies = output_open(any_latency ? options->output : NULL, latencies_name, latency_header);
    record_open(&record, options, name, seconds);
    uint64_t start = now_ns();
    for (size_t i = 0; i < count && !interrupted(); i++) {
        if (chosen(&comparisons[i], options)) {
            /* What one does not need, because it is known well enough, is there for those after it. */
            double seconds_left = seconds - seconds_since(start);
            setting.seconds = seconds_left > 0 ? seconds_left / (double)left : 0;
            comparison_run(&comparisons[i], &setting, setting.seconds * (double)--left);
            comparison_write(&comparisons[i], rows, latencies, &record);
        }
    }
    progress_clear();
    output_close(rows);
    output_close(latencies);
    record_close(&record);
    comparison_table(comparisons, count);
    for (size_t i = 0; i < count; i++)
        comparison_free(&comparisons[i]);
}
