/*
 * without_lock.c: two artists count their strokes in one variable without a lock, and strokes get lost.
 *
 * Python:  without_lock.py; pigment += 1 in two threads
 * Expect:  twenty lines in a free order, then how many of the strokes that followed were lost: another number each time
 * Try:     one core: taskset -c 0 make lab3-without_lock; fewer are lost, or none. Or so few strokes that the
 *          artists hardly meet: make lab3-without_lock ARGS=100
 */
#include <pthread.h>
#include <stdio.h>

#include "atelier.h"
#include "own_core.h"

enum { LAYERS = 30 };

/* The race: no lock guards it. volatile makes the compiler keep every load, add and store. It is not a lock. */
static volatile long pigment;
static long strokes;                 /* in each layer */
static pthread_barrier_t start_line; /* each artist waits here until the other has come */

static int paint(void *arg) {
    const char *artist = arg;
    take_core(*artist - 'A');
    pthread_barrier_wait(&start_line);
    for (int i = 0; i < 10; i++) {
        pigment += 1;
        printf("Number of paints used by artist %s %ld\n", artist, pigment);
    }
    for (int layer = 0; layer < LAYERS; layer++) {
        pthread_barrier_wait(&start_line);
        for (long i = 0; i < strokes; i++)
            pigment += 1;
    }
    return 0;
}

int main(int argc, char *argv[]) {
    strokes = at_argument(argc, argv, "STROKES", 1000000, 100000000);
    if (usable_cores() == 1)
        fputs("one usable core: the artists take turns; only a turn that ends inside a stroke loses any\n", stderr);
    pthread_barrier_init(&start_line, NULL, 2);
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
    return 0; /* the damage is the result */
}
