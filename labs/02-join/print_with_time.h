/* print_with_time.h: a line that ends with the time of day, as the tutorial's time.strftime("%H:%M:%S") writes it. */
#ifndef PRINT_WITH_TIME_H
#define PRINT_WITH_TIME_H

#include <stdio.h>
#include <time.h>

static inline void print_with_time(const char *text) {
    time_t now = time(NULL);
    struct tm local;
    char clock[sizeof "12:00:00"];
    strftime(clock, sizeof clock, "%H:%M:%S", localtime_r(&now, &local));
    printf("%s %s\n", text, clock);
}

#endif
