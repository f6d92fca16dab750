/* outcomes.h: what the suites about how commands behave share: commands run for their outcome, exact bytes. */
#ifndef ATELIER_TESTS_OUTCOMES_H
#define ATELIER_TESTS_OUTCOMES_H

#include <poll.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "commands.h"

/* at_run, with the result in the suite's own `done`: ran(SHELL("exit 3"), .check = true) */
#define ran(...) at_run(__VA_ARGS__, .completed = &done)
#define captured(...) at_run(__VA_ARGS__, .completed = &done, .capture_output = true)

/* at_popen_communicate, in one word. */
#define talk(popen, input, timeout, out, err) at_popen_communicate((popen), (input), (timeout), (out), (err))

/* Fails the running test unless these are exactly the bytes, with a NUL behind them that does not count. */
#define expect_bytes(data, size, expected, expected_size)                                                              \
    bytes_or_fail((data), (size), (expected), (expected_size), #data, __FILE__, __LINE__)
#define expect_text(data, size, text) expect_bytes(data, size, text, strlen(text))
#define expect_stdout(text) expect_text(done.stdout, done.stdout_size, text)
#define expect_stderr(text) expect_text(done.stderr, done.stderr_size, text)

static inline void bytes_or_fail(const char *data, size_t size, const char *expected, size_t expected_size,
                                 const char *name, const char *file, int line) {
    if (data == NULL)
        ck_abort_msg("%s:%d: %s is NULL", file, line, name);
    if (size != expected_size || memcmp(data, expected, size) != 0)
        ck_abort_msg("%s:%d: %s is %zu bytes, '%.200s', not %zu bytes, '%.200s'", file, line, name, size, data,
                     expected_size, expected);
    if (data[size] != '\0')
        ck_abort_msg("%s:%d: %s has no NUL behind it", file, line, name);
}

/* Fails the running test unless the text holds the word. */
static inline void expect_word(const char *text, const char *word) {
    if (strstr(text, word) == NULL)
        ck_abort_msg("'%s' does not say '%s'", text, word);
}

static inline void expect_no_failure(const at_command_failure *failure) {
    require(failure->code == 0 && failure->stage == AT_STAGE_NONE);
    require(*failure->file == '\0' && *failure->text == '\0');
}

/* As printf, into a place that lasts until the next call. */
static inline const char *line_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline const char *line_of(const char *format, ...) {
    static char line[512];
    va_list values;
    va_start(values, format);
    vsnprintf(line, sizeof line, format, values);
    va_end(values);
    return line;
}

/* Closes this process's end of the child's stdin, and most of the children here then end. */
static inline void close_stdin(at_popen *popen) {
    require(close(ok(at_popen_detach(popen, STDIN_FILENO))) == 0);
}

/* Waits until it has ended, and leaves its status to others. */
static inline void await_end(at_popen *popen) {
    struct pollfd end = {.fd = ok(at_popen_sentinel(popen)), .events = POLLIN};
    await(poll(&end, 1, 0) == 1);
}

#endif
