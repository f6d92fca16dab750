/* command_line.h: what both programs share: their arguments, COMMAND [TIMEOUT], and the commands that they try. */
#ifndef COMMAND_LINE_H
#define COMMAND_LINE_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atelier.h"

#define LARGE "head -c 100000 /dev/zero"         /* prints more than a pipe holds */
#define FAMILY "echo begun; sleep 60 & wait"     /* a shell with a child of its own */
#define SHORT "sleep 0.05"                       /* ends between two looks */
#define PING "ping -c 3 127.0.0.1"               /* when no command is given */
#define NO_PING "sleep 1; echo there is no ping" /* the same, where ping is not installed */

static inline void end_with_failure(const at_command_failure *failure) {
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, failure->text);
    exit(1);
}

struct command_line {
    const char *cmd;
    double timeout;
    bool given; /* else cmd is one of the last two */
};

static inline void end_with_usage(const char *argument, const char *problem) {
    const char *name = program_invocation_short_name;
    if (argument == NULL)
        printf("usage: %s [COMMAND [TIMEOUT]]\n", name);
    else
        fprintf(stderr, "%s: %s'%s'; usage: %s [COMMAND [TIMEOUT]]\n", name, problem, argument, name);
    exit(argument == NULL ? 0 : 2);
}

static inline struct command_line read_command_line(int argc, char *argv[]) {
    struct command_line line = {.timeout = 60, .given = argc > 1};
    if (line.given && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        end_with_usage(NULL, "");
    if (line.given && *argv[1] == '-')
        end_with_usage(argv[1], "unknown argument ");
    if (argc > 3)
        end_with_usage(argv[3], "put the command in quotes; unknown argument ");
    if (argc > 2) {
        char *end;
        line.timeout = strtod(argv[2], &end);
        if (end == argv[2] || *end != '\0' || !(line.timeout > 0 && line.timeout < AT_TIMEOUT_MAX))
            end_with_usage(argv[2], "TIMEOUT is not a number of seconds above 0: ");
    }
    if (line.given) {
        line.cmd = argv[1];
        return line;
    }
    int returncode;
    char *path;
    at_check(at_getstatusoutput(&returncode, &path, "command -v ping"));
    free(path);
    line.cmd = returncode == 0 ? PING : NO_PING;
    return line;
}

static inline const char *how(int result) {
    return result == -ETIMEDOUT ? "TimeoutError" : "ended";
}

/* What the command has printed, as far as that is known, and how it ended. */
static inline void print_end(const char *cmd, at_output output, int result, int returncode, double start) {
    fwrite(output.data, 1, output.size, stdout);
    printf("%s: %s", cmd, how(result));
    if (result != -ETIMEDOUT)
        printf(" with %d", returncode);
    printf(" after %.1f s\n", at_now() - start);
}

#endif
