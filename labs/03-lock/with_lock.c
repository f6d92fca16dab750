/*
 * with_lock.c: with a lock, one artist's ten strokes come before the other's, and no stroke is lost.
 *
 * Python:  with_lock.py; lock.acquire() and lock.release() around the loop
 * Expect:  one artist's ten lines, then the other's ten, counting 1 to 20; then lost 0
 * Try:     move the acquire and the release inside the loop over the strokes: still lost 0, but see how long it takes
 */
#include <pthread.h>
#include <stdio.h>

#include "atelier.h"
#include "own_core.h"

enum { LAYERS = 30 };

static at_lock *lock; /* guards pigment */

/* Safe by the lock; volatile has no part in that. It is here so that only the lock differs from without_lock.c. */
static volatile long pigment;
static long strokes;                 /* in each layer */
static pthread_barrier_t start_line; /* each artist waits here until the other has come */

static int paint(void *arg) {
    const char *artist = arg;
    take_core(*artist - 'A');
    pthread_barrier_wait(&start_line);
    at_check(at_lock_acquire(lock, AT_FOREVER));
    for (int i = 0; i < 10; i++) {
        pigment += 1;
        printf("Number of paints used by artist %s %ld\n", artist, pigment);
    }
    at_lock_release(lock);
    for (int layer = 0; layer < LAYERS; layer++) {
        pthread_barrier_wait(&start_line);
        at_check(at_lock_acquire(lock, AT_FOREVER));
        for (long i = 0; i < strokes; i++)
            pigment += 1;
        at_lock_release(lock);
    }
    return 0;
}

int main(int argc, char *argv[]) {
    strokes = at_argument(argc, argv, "STROKES", 1000000, 100000000);
    pthread_barrier_init(&start_line, NULL, 2);
    lock = at_lock_new();
    at_thread *t1 = at_thread_new(.target = paint, .arg = "A");
    at_thread *t2 = at_thread_new(.target = paint, .arg = "B");
    at_check(at_thread_start(t1));
    at_check(at_thread_start(t2));
    at_check(at_thread_join(t1, AT_FOREVER));
    at_check(at_thread_join(t2, AT_FOREVER));
    at_thread_free(t1);
    at_thread_free(t2);
    long expected = 2 * (10 + LAYERS * strokes);
    printf("expected %ld, counted %ld, lost %ld\n", expected, pigment, expected - pigment);
    if (pigment != expected)
        fprintf(stderr, "with_lock: strokes were lost though a lock guards the count\n");
    return pigment == expected ? 0 : 1;
}
