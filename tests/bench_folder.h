/* bench_folder.h: what the suites about the benchmarks' files share: a folder of its own for each test. */
#ifndef ATELIER_TESTS_BENCH_FOLDER_H
#define ATELIER_TESTS_BENCH_FOLDER_H

#include <stdio.h>
#include <stdlib.h>

#include "labs.h"
#include "watch.h"

static char folder[200];

static inline void make_folder(void) {
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.150s/atelier-bench-XXXXXX", temporary != NULL ? temporary : "/tmp");
    require(mkdtemp(folder) != NULL);
}

static inline void remove_folder(void) {
    char output[200];
    ck_assert_msg(run_line(output, sizeof output, "rm -r %s", folder) == 0, "%s", output);
}

/* The path of a name in it, until the next but three is asked for. */
static inline const char *in_folder(const char *name) {
    static char paths[4][300];
    static size_t turn;
    turn = (turn + 1) % 4;
    snprintf(paths[turn], sizeof paths[turn], "%s/%s", folder, name);
    return paths[turn];
}

#endif
