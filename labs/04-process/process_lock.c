/*
 * process_lock.c: two processes count their strokes in shared memory under a lock between processes; none is lost.
 *
 * Python:  process_lock.py; multiprocessing.RawValue and multiprocessing.Lock
 * Expect:  one artist's ten lines, then the other's ten, counting 1 to 20; then lost 0
 * Try:     let artist A die with the lock: before the first release, if (*artist == 'A') raise(SIGKILL);
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "atelier.h"

struct pot {
    long first, later; /* the strokes of the first ten, and those after them */
};

static struct pot *pigment;   /* points to the same memory in both processes */
static at_process_lock *lock; /* guards it */
static long strokes;

static void acquire(void) {
    if (at_check(at_process_lock_acquire(lock, AT_FOREVER)) == AT_RECOVERED)
        fprintf(stderr, "the last holder of the lock died; the first count stands at %ld\n", pigment->first);
}

static int paint(void *arg) {
    const char *artist = arg;
    acquire();
    for (int i = 0; i < 10; i++) {
        pigment->first += 1;
        printf("Number of paints used by artist %s %ld\n", artist, pigment->first);
    }
    fflush(stdout); /* before the other artist prints: each process has its own buffer */
    at_process_lock_release(lock);
    for (long i = 0; i < strokes; i++) {
        acquire();
        pigment->later += 1;
        at_process_lock_release(lock);
    }
    return 0;
}

int main(int argc, char *argv[]) {
    strokes = at_argument(argc, argv, "STROKES", 100000, 100000000);
    lock = at_process_lock_new();
    pigment = at_shared_new(sizeof *pigment);
    at_check(pigment != NULL ? 0 : -ENOMEM);
    at_process *m1 = at_process_new(.target = paint, .arg = "A");
    at_process *m2 = at_process_new(.target = paint, .arg = "B");
    at_check(at_process_start(m1));
    at_check(at_process_start(m2));
    at_check(at_process_join(m1, AT_FOREVER));
    at_check(at_process_join(m2, AT_FOREVER));
    long expected = 2 * (10 + strokes), counted = pigment->first + pigment->later;
    printf("expected %ld, counted %ld, lost %ld\n", expected, counted, expected - counted);
    if (counted != expected)
        fprintf(stderr, "process_lock: the count is not what two artists paint\n");
    return counted != expected;
}
