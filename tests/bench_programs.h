/* bench_programs.h: made programs in the place of the benchmarks', for the suites that run bench/run. */
#ifndef ATELIER_TESTS_BENCH_PROGRAMS_H
#define ATELIER_TESTS_BENCH_PROGRAMS_H

#include "bench_run.h"

static char output[65536];

/*
 * Each writes its name and what it is given to a list, a line to stderr, a file as DATE-NAME.csv and, with --json, a
 * document to stdout. One whose name is in $FAILING fails then, in $KILLED is killed, and in $INTERRUPTING has sent
 * SIGINT to bench/run alone, as if Ctrl-C had come between it and the next. $DESCRIBING is what --describe does first.
 */
static const char MADE[] = "#!/bin/sh\n"
                           "name=${0##*/}\n"
                           "case \"$*\" in *--describe*)\n"
                           "    eval \"${DESCRIBING-}\"\n"
                           "    echo 'compiler: gcc \"12\" \\of old'\n"
                           "    echo 'noise_verdict: quiet enough'\n"
                           "    exit;;\n"
                           "esac\n"
                           "echo \"$name $*\" >>\"${0%/*}/list\"\n"
                           "echo \"table of $name\" >&2\n"
                           "case \"$*\" in *--json*) echo '{\"format\": \"made\"}';; esac\n"
                           "while [ \"$1\" != --output ]; do shift; done\n"
                           "echo row >\"$2-$name.csv\"\n"
                           "[ \"$name\" != \"${FAILING-}\" ] || { echo \"$name is ill\" >&2; exit 1; }\n"
                           "[ \"$name\" != \"${KILLED-}\" ] || kill -s KILL $$\n"
                           "[ \"$name\" != \"${INTERRUPTING-}\" ] || { trap '' INT TERM; kill -s INT $PPID; }\n";

/* The real one of this name; what it is told only takes away what it would do. */
static const char REAL[] = "#!/bin/sh\n"
                           "case \"$*\" in *--describe*) exec \"${0%%/*}/made\" --describe;; esac\n"
                           "echo \"scaling $*\" >>\"${0%%/*}/list\"\n"
                           "exec %s/bench/scaling --quick \"$@\" %s\n";

/* A folder as BUILD, with a made program for each that bench/run wants. */
static inline void make_build(void) {
    write_text(in_folder("made"), MADE);
    int status = run_line(output, sizeof output,
                          "cd %s && mkdir -p build/bench && cp made build/bench/made && chmod +x build/bench/made &&"
                          " for name in $(sed -n \"/^programs='/,/'$/p\" \"$OLDPWD/bench/run\" |"
                          " sed \"s/^programs='//; s/ .*//\"); do cp build/bench/made build/bench/$name; done;"
                          " ls build/bench",
                          folder);
    expect_status(status, 0, output);
    write_text(in_folder("build/flags"), "gcc -O2 -DNAME=\"\\\"a b\\\"\" / -pthread\n");
    /* The names are read from the script itself, where the first is scaling. */
    ck_assert_msg(strstr(output, "\nscaling\n") != NULL && count_of(output, "\n") > 3, "%s", output);
}

/* The real scaling in its place, where it was built. */
static inline void put_real_scaling(const char *more) {
    char script[1024], real[512];
    snprintf(real, sizeof real, "%s/bench/scaling", build());
    if (access(real, X_OK) != 0)
        skip("%s was not built", real);
    require(realpath(build(), real) != NULL);
    snprintf(script, sizeof script, REAL, real, more);
    write_text(in_folder("build/bench/scaling"), script);
}

/* bench/run in the shell, with these variables and arguments before and behind it. */
static inline int bench_run(const char *variables, const char *arguments) {
    return run_line(output, sizeof output,
                    "unset SAN QUICK BUDGET WORKERS PART; BUILD=%s RESULTS=%s QUICK=1 BUDGET=1 SEED=5 %s bench/run %s",
                    in_folder("build"), in_folder("results"), variables, arguments);
}

/* No program has measured anything. */
static inline void expect_nothing_measured(void) {
    ck_assert(access(in_folder("build/bench/list"), F_OK) != 0);
}

/* The path of the file DATE-ENDING under the results, of which there must be just one. */
static inline const char *result_of(const char *ending) {
    static char path[512];
    require(run_line(path, sizeof path, "ls -d %s/*/[0-9]*-%s", in_folder("results"), ending) == 0);
    require(count_of(path, "\n") == 1);
    path[strcspn(path, "\n")] = '\0';
    return path;
}

#endif
