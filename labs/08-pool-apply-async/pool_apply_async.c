/*
 * pool_apply_async.c: apply_async hands a task out and does not wait, so three workers do three tasks at once.
 *
 * Python:  pool_apply_async.py; pool = multiprocessing.Pool(3), pool.apply_async(Painting, [i])
 * Expect:  "Artist ends painting 0.0..." at once, though nobody has; with it the three artists' lines, in a free
 *          order; the program ends a second later
 * Try:     a pool of one worker: the lines come one a second, but "Artist ends painting" still comes at once
 */
#include <stdio.h>

#include "atelier.h"

AT_TASK(int, Painting, int, num) {
    printf("Number of paints used by artist %d\n", num);
    fflush(stdout); /* now, not when this process ends: it has its own buffer */
    at_work(1);
    return num;
}

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    printf("Artist starts painting \n");
    double start_time = at_now();
    at_pool *pool;
    at_check(at_pool_new(&pool, 3));
    at_result *results[3];
    for (int i = 0; i < 3; i++)
        at_check(at_apply_async(pool, Painting, i, &results[i]));
    printf("Artist ends painting %f\n", at_now() - start_time);
    fflush(stdout);
    at_check(at_pool_close(pool));
    at_check(at_pool_join(pool, AT_FOREVER));

    int missing = 0;
    for (int i = 0; i < 3; i++) {
        int num = -1;
        at_check(at_result_get(results[i], &num, sizeof num, 0)); /* all are ready */
        missing += num != i;
        at_result_free(results[i]);
    }
    at_pool_free(pool);
    if (missing > 0)
        fprintf(stderr, "pool_apply_async: the results of %d tasks are missing\n", missing);
    return missing > 0;
}
