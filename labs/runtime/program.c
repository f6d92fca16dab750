/* program.c: the arguments of a lab's program; see program.h. */
#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int STATUS_USAGE = 2; /* as the shell's own commands */

static const char *usage(const char *name) {
    static char text[256];
    if (name == NULL)
        snprintf(text, sizeof text, "usage: %s", program_invocation_short_name);
    else
        snprintf(text, sizeof text, "usage: %s [%s]", program_invocation_short_name, name);
    return text;
}

static void answer_help(int argc, char *argv[], const char *name) {
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        puts(usage(name));
        exit(EXIT_SUCCESS);
    }
}

void at_no_arguments(int argc, char *argv[]) {
    answer_help(argc, argv, NULL);
    if (argc > 1) {
        fprintf(stderr, "%s: unknown argument '%s'; %s\n", program_invocation_short_name, argv[1], usage(NULL));
        exit(STATUS_USAGE);
    }
}

long at_argument(int argc, char *argv[], const char *name, long fallback, long most) {
    answer_help(argc, argv, name);
    if (argc > 2) {
        fprintf(stderr, "%s: unknown argument '%s'; %s\n", program_invocation_short_name, argv[2], usage(name));
        exit(STATUS_USAGE);
    }
    if (argc < 2)
        return fallback;
    char *end;
    errno = 0;
    long value = strtol(argv[1], &end, 10);
    if (end == argv[1] || *end != '\0' || errno != 0 || value < 1 || value > most) {
        fprintf(stderr, "%s: %s '%s': not a whole number from 1 to %ld; %s\n", program_invocation_short_name, name,
                argv[1], most, usage(name));
        exit(STATUS_USAGE);
    }
    return value;
}
