/*
 * pool_apply.c: apply waits for its task, so three workers do three tasks one after another.
 *
 * Python:  pool_apply.py; pool = multiprocessing.Pool(3), pool.apply(Painting, [i])
 * Expect:  the three artists' lines, in order, one a second; "Artist ends painting" comes last, after about 3 seconds
 * Try:     a pool of one worker: it takes as long, since never more than one of the three has work
 */
#include <stdio.h>

#include "atelier.h"

/* Returns how many seconds it took. */
AT_TASK(double, Painting, int, num) {
    double begin = at_now();
    printf("Number of paints used by artist %d\n", num);
    fflush(stdout); /* now, not when this process ends: it has its own buffer */
    at_work(1);
    return at_now() - begin;
}

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    printf("Artist starts painting \n");
    double start_time = at_now();
    at_pool *pool;
    at_check(at_pool_new(&pool, 3));
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        double seconds;
        at_check(at_apply(pool, Painting, i, &seconds));
        sum += seconds;
    }
    double elapsed = at_now() - start_time;
    printf("Artist ends painting %f\n", elapsed);
    at_check(at_pool_close(pool));
    at_check(at_pool_join(pool, AT_FOREVER));
    at_pool_free(pool);
    if (elapsed < sum)
        fprintf(stderr, "pool_apply: paintings of %f seconds took %f: they overlapped\n", sum, elapsed);
    return elapsed < sum;
}
