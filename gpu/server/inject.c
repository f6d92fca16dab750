/* inject.c: faults on purpose; see inject.h. */
#include "inject.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What follows a fault's name. */
enum value { NOTHING, NUMBER, CUDA_ERROR };

static const struct fault {
    const char *name;
    enum value value;
} FAULTS[] = {{"crash", NUMBER},    {"exit", NUMBER}, {"stop", NUMBER},    {"last", NUMBER},
              {"garbage", NOTHING}, {"late", NUMBER}, {"cuda", CUDA_ERROR}};

enum { COUNT = sizeof FAULTS / sizeof *FAULTS };

/* Reads a whole number, from 1 to `most`, behind that sign. */
static bool read_whole(const char **text, char sign, uint64_t most, uint64_t *number) {
    if (**text != sign || (*text)[1] < '1' || (*text)[1] > '9')
        return false;
    char *end;
    errno = 0;
    *number = strtoull(*text + 1, &end, 10);
    *text = end;
    return errno == 0 && *number <= most;
}

/* "=700@3", "=700@3x1" */
static bool read_cuda(const char **text, struct inject_cuda *fault) {
    enum { LARGEST_ERROR = 9999, MOST = 1000000000 }; /* CUDA's errors end with 999, its unknown one */
    uint64_t error, times = UINT32_MAX;
    if (!read_whole(text, '=', LARGEST_ERROR, &error) || !read_whole(text, '@', MOST, &fault->batch) ||
        (**text == 'x' && !read_whole(text, 'x', MOST, &times)))
        return false;
    fault->error = (int)error;
    fault->times = (uint32_t)times;
    return true;
}

/* Whether the text begins with that fault, and its number. What comes after it is stored. */
static bool is_fault(const char *text, const struct fault *fault, double *number, const char **rest) {
    size_t length = strlen(fault->name);
    if (strncmp(text, fault->name, length) != 0)
        return false;
    char *end = (char *)text + length;
    if (fault->value == CUDA_ERROR) {
        struct inject_cuda ignored;
        const char *behind = end;
        if (!read_cuda(&behind, &ignored))
            return false;
        end = (char *)behind;
    } else if (fault->value == NUMBER) {
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

/* Where the list has the first fault of that name, and its number if it has one; NULL: nowhere. */
static const char *find_fault(const char *faults, const char *name, double *number) {
    for (const char *rest = faults; *rest != '\0';) {
        const char *text = rest;
        for (size_t i = 0; i < COUNT && rest == text; i++)
            if (is_fault(text, &FAULTS[i], number, &rest) && strcmp(FAULTS[i].name, name) == 0)
                return text;
        if (rest == text)
            break;
    }
    return NULL;
}

/* The number that a fault in the list has, 0 for one without a number; `there` says whether it is in it. */
static double find(const char *faults, const char *name, bool *there) {
    double number = 0;
    *there = find_fault(faults, name, &number) != NULL;
    return *there ? number : 0;
}

bool inject_cuda(const char *faults, struct inject_cuda *fault) {
    double ignored;
    const char *text = find_fault(faults, "cuda", &ignored);
    if (text == NULL)
        return false;
    text += strlen("cuda");
    return read_cuda(&text, fault);
}

int inject_check(const char *faults, struct failure *failure) {
    double number;
    for (const char *rest = faults; *rest != '\0';) {
        const char *text = rest;
        for (size_t i = 0; i < COUNT && rest == text; i++)
            is_fault(text, &FAULTS[i], &number, &rest);
        if (rest == text)
            return fail(failure, -EINVAL,
                        "--inject %s: unknown fault; known are crash=V, exit=V, stop=V, last=V, garbage, late=MS, "
                        "cuda=ERROR@BATCH[xTIMES]",
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
