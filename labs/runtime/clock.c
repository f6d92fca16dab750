/* clock.c: the monotonic clock, and work that is stood for by waiting; see clock.h. */
#include "clock.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "error.h"
#include "wait.h"

double at_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void at_sleep(double seconds) {
    struct deadline end;
    if (!(seconds > 0))
        return;
    deadline_after(seconds < AT_TIMEOUT_MAX ? seconds : AT_TIMEOUT_MAX, NEGATIVE_POLLS, &end);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end.at, NULL) == EINTR)
        ;
}

static double work_speed(void) {
    const char *text = getenv("AT_SPEED");
    if (text == NULL || *text == '\0')
        return 1;
    char *end;
    double speed = strtod(text, &end);
    if (*end != '\0' || !isfinite(speed) || speed <= 0)
        at_fatal("AT_SPEED=%s: not a number above 0; unset it, or say AT_SPEED=20 for twenty times as fast", text);
    return speed;
}

void at_work(double seconds) {
    at_sleep(seconds / work_speed());
}
