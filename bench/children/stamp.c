/* stamp.c: a program that lives so many ms, and as its last act writes the time, now_ns in 8 bytes, to stdout. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../measure.h"

int main(int argc, char *argv[]) {
    long ms = argc > 1 ? atol(argv[1]) : 0;
    struct timespec life = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&life, &life) != 0) {
    }
    uint64_t now = now_ns();
    _exit(write(STDOUT_FILENO, &now, sizeof now) == sizeof now ? 0 : 1);
}
