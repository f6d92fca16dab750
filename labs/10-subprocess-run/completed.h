/* completed.h: a completed command, printed as Python prints its CompletedProcess of a command that is a list. */
#ifndef COMPLETED_H
#define COMPLETED_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atelier.h"

/* Ends the program with the failure's text if the call that stored it has failed. */
static inline void check_run(int result, const at_completed *completed) {
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", program_invocation_short_name, completed->failure.text);
        exit(1);
    }
}

/* Whether what was captured is this. */
static inline bool captured(const char *data, size_t size, const char *expected) {
    return data != NULL && size == strlen(expected) && memcmp(data, expected, size) == 0;
}

/* In quotes, and what cannot be seen as in a program's source; text is UTF-8, and bytes above 127 pass. */
static inline void print_quoted(const char *data, size_t size, bool text) {
    int quote = memchr(data, '\'', size) != NULL && memchr(data, '"', size) == NULL ? '"' : '\'';
    putchar(quote);
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)data[i];
        if (byte == '\n')
            fputs("\\n", stdout);
        else if (byte == '\r')
            fputs("\\r", stdout);
        else if (byte == '\t')
            fputs("\\t", stdout);
        else if (byte == '\\' || byte == quote)
            printf("\\%c", byte);
        else if (byte < ' ' || byte == 127 || (byte > 127 && !text))
            printf("\\x%02x", byte);
        else
            putchar(byte);
    }
    putchar(quote);
}

static inline void print_bytes(const char *data, size_t size) {
    putchar('b');
    print_quoted(data, size, false);
}

static inline void print_captured(const char *name, const char *data, size_t size, bool text) {
    if (data != NULL) {
        printf(", %s=%s", name, text ? "" : "b");
        print_quoted(data, size, text);
    }
}

static inline void print_either(const char *label, const at_completed *completed, bool text) {
    printf("%sCompletedProcess(args=[", label);
    for (char **arg = completed->args; *arg != NULL; arg++) {
        print_quoted(*arg, strlen(*arg), true);
        fputs(arg[1] != NULL ? ", " : "]", stdout);
    }
    printf(", returncode=%d", completed->returncode);
    print_captured("stdout", completed->stdout, completed->stdout_size, text);
    print_captured("stderr", completed->stderr, completed->stderr_size, text);
    printf(")\n");
}

/* One line: the label, then Python's print(completed), for bytes and for a command that was run with .text. */
static inline void print_completed(const char *label, const at_completed *completed) {
    print_either(label, completed, false);
}

static inline void print_completed_text(const char *label, const at_completed *completed) {
    print_either(label, completed, true);
}

#endif
