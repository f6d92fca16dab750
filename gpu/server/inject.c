/* inject.c: faults on purpose; see inject.h. */
#include "inject.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct fault {
    const char *name;
    bool number;
} FAULTS[] = {{"crash", true}, {"exit", true}, {"stop", true}, {"last", true}, {"garbage", false}, {"late", true}};

enum { COUNT = sizeof FAULTS / sizeof *FAULTS };

/* Whether the text begins with that fault, and its number. What comes after it is stored. */
static bool is_fault(const char *text, const struct fault *fault, double *number, const char **rest) {
    size_t length = strlen(fault->name);
    if (strncmp(text, fault->name, length) != 0)
        return false;
    char *end = (char *)text + length;
    if (fault->number) {
        if (*end != '=')
            return false;
        const char *start = end + 1;
        *number = strtod(start, &end);
        if (end == start)
            return false;
    }
    *rest = end + (*end == ',');
    return *end == ',' || *end == '\0';
}

/* The number that a fault in the list has, 0 for one without a number; `there` says whether it is in it. */
static double find(const char *faults, const char *name, bool *there) {
    *there = false;
    double number = 0;
    for (const char *rest = faults; *rest != '\0';) {
        const char *text = rest;
        for (size_t i = 0; i < COUNT && rest == text; i++)
            if (is_fault(text, &FAULTS[i], &number, &rest) && strcmp(FAULTS[i].name, name) == 0) {
                *there = true;
                return number;
            }
        if (rest == text)
            break;
    }
    return 0;
}

int inject_check(const char *faults, struct failure *failure) {
    double number;
    for (const char *rest = faults; *rest != '\0';) {
        const char *text = rest;
        for (size_t i = 0; i < COUNT && rest == text; i++)
            is_fault(text, &FAULTS[i], &number, &rest);
        if (rest == text)
            return fail(failure, -EINVAL,
                        "--inject %s: unknown fault; known are crash=V, exit=V, stop=V, last=V, garbage, late=MS",
                        text);
    }
    return 0;
}

void inject_start(const char *faults) {
    bool there;
    double milliseconds = find(faults, "late", &there);
    if (there)
        at_sleep(milliseconds / 1000);
}

static bool any_row_begins_with(double number, const struct part *parts, size_t count, uint32_t inputs) {
    for (size_t i = 0; i < count; i++)
        for (uint32_t row = 0; row < parts[i].rows; row++)
            if (parts[i].input[(size_t)row * inputs] == (float)number)
                return true;
    return false;
}

void inject_before(const char *faults, const struct part *parts, size_t count, uint32_t inputs) {
    if (*faults == '\0')
        return;
    bool there;
    double number = find(faults, "crash", &there);
    if (there && any_row_begins_with(number, parts, count, inputs)) {
        signal(SIGSEGV, SIG_DFL); /* a sanitizer would only report it */
        raise(SIGSEGV);
    }
    number = find(faults, "exit", &there);
    if (there && any_row_begins_with(number, parts, count, inputs))
        _exit(70);
    number = find(faults, "stop", &there);
    if (there && any_row_begins_with(number, parts, count, inputs))
        raise(SIGSTOP);
}

void inject_after(const char *faults, const struct part *parts, size_t count, uint32_t outputs) {
    if (*faults == '\0')
        return;
    bool there;
    find(faults, "garbage", &there);
    for (size_t i = 0; there && i < count; i++)
        for (size_t j = 0; j < (size_t)parts[i].rows * outputs; j++)
            parts[i].output[j] = 0.5F;
}

void inject_published(const char *faults, const struct part *parts, size_t count, uint32_t inputs) {
    if (*faults == '\0')
        return;
    bool there;
    double number = find(faults, "last", &there);
    if (there && any_row_begins_with(number, parts, count, inputs))
        raise(SIGKILL);
}
