/* console.c: progress, Ctrl-C, a wrong result. */
#include "console.h"

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"

static volatile sig_atomic_t interrupting_signal;
static bool line_shown, failed;

static void remember_signal(int number) {
    interrupting_signal = number;
}

void catch_interrupts(void) {
    struct sigaction action = {.sa_handler = remember_signal};
    /* Without SA_RESTART a wait for a peer ends early, so that Ctrl-C takes hold at once. A second Ctrl-C kills. */
    action.sa_flags = (int)SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupted(void) {
    return interrupting_signal != 0;
}

int end_status(void) {
    return interrupting_signal != 0 ? 128 + interrupting_signal : failed ? 1 : 0;
}

static double seconds_after;

void progress_after(double seconds) {
    seconds_after = seconds;
}

void progress_clear(void) {
    if (line_shown) {
        fputs("\r\033[K", stderr);
        line_shown = false;
    }
}

void progress(const char *what, double seconds_left) {
    static char last[120];
    static uint64_t shown_ns;
    if (isatty(STDERR_FILENO)) {
        if (line_shown && now_ns() - shown_ns < 100000000)
            return; /* ten times a second is enough, and costs the measurement nothing */
        shown_ns = now_ns();
        fprintf(stderr, "\r\033[K%s", what);
        if (seconds_left >= 0)
            fprintf(stderr, "   %.0f s left", seconds_left + seconds_after);
        fflush(stderr);
        line_shown = true;
    } else if (strcmp(what, last) != 0) {
        fprintf(stderr, "%s\n", what);
    }
    snprintf(last, sizeof last, "%s", what);
}

void note(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    progress_clear();
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

void note_failure(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    progress_clear();
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    failed = true;
}

static FILE *told; /* NULL: the one at the terminal */

void wrong_results_to(FILE *answers) {
    told = answers;
}

void wrong_result(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    progress_clear();
    FILE *stream = told != NULL ? told : stderr;
    fputs(told != NULL ? "wrong: " : "bench: wrong result: ", stream);
    vfprintf(stream, format, arguments);
    fputc('\n', stream);
    fflush(stream);
    va_end(arguments);
    exit(1);
}

/* So that one printf can take several. */
static char *turning_buffer(size_t *size) {
    static char buffers[16][32];
    static size_t turn;
    *size = sizeof buffers[0];
    turn = (turn + 1) % (sizeof buffers / sizeof buffers[0]);
    return buffers[turn];
}

const char *human_time(double ns) {
    static const char *const units[] = {"ns", "us", "ms", "s"};
    size_t size, unit = 0;
    char *text = turning_buffer(&size);
    while (unit < 3 && ns >= 999.5) {
        ns /= 1000;
        unit++;
    }
    int decimals = ns < 9.995 ? 2 : ns < 99.95 ? 1 : 0;
    snprintf(text, size, "%.*f %s", decimals, ns, units[unit]);
    return text;
}

const char *human_count(double count) {
    size_t size;
    char *text = turning_buffer(&size);
    /* Two digits are all that an interpolated count is good for; small whole ones stay as they are. */
    double step = count < 100 ? 1 : pow(10, floor(log10(count)) - 1);
    double rounded = round(count / step) * step;
    if (rounded >= 1e9)
        snprintf(text, size, "%.3g billion", rounded / 1e9);
    else if (rounded >= 1e6)
        snprintf(text, size, "%.3g million", rounded / 1e6);
    else if (rounded >= 1e3)
        snprintf(text, size, "%d %03d", (int)rounded / 1000, (int)rounded % 1000);
    else
        snprintf(text, size, "%.0f", rounded);
    return text;
}
