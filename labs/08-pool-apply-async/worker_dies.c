/*
 * worker_dies.c: a worker is killed in the middle of its task; that task fails and says why, all the others are done.
 *
 * Python:  worker_dies.py; pool.apply_async(Painting, [i]).get(), which never returns for the task that died
 * Expect:  ten paints of each artist, but for artist 2, whose worker was killed by SIGKILL; then the pool goes on, with
 *          a new worker in its place
 * Try:     hand artist 2's task out with .retries = 1: at_pool_apply_async(pool, AT_JOB(Painting, &i, 1, .retries = 1),
 *          &results[i]); it kills a second worker, and then fails
 */
#include <signal.h>
#include <stdio.h>

#include "atelier.h"

enum { ARTISTS = 6, VICTIM = 2 };

AT_TASK(int, Painting, int, num) {
    at_work(0.5);
    if (num == VICTIM)
        raise(SIGKILL); /* as the kernel does when memory is short */
    at_work(0.5);
    return 10;
}

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    at_pool *pool;
    at_check(at_pool_new(&pool, 2));
    at_result *results[ARTISTS];
    for (int i = 0; i < ARTISTS; i++)
        at_check(at_apply_async(pool, Painting, i, &results[i]));

    int wrong = 0;
    for (int i = 0; i < ARTISTS; i++) {
        int paints = 0;
        int code = at_result_get(results[i], &paints, sizeof paints, AT_FOREVER);
        at_failure failure;
        if (code == 0)
            printf("artist %d: %d paints\n", i, paints);
        else if (at_result_outcome(results[i], 0, NULL, &failure) == code)
            printf("artist %d: %s\n", i, failure.text);
        wrong += i == VICTIM ? code != AT_EDIED || failure.exitcode != -SIGKILL : paints != 10;
        at_result_free(results[i]);
    }
    int paints;
    at_check(at_apply(pool, Painting, ARTISTS, &paints));
    printf("the pool goes on: artist %d: %d paints\n", ARTISTS, paints);
    at_pool_free(pool);
    if (wrong > 0)
        fprintf(stderr, "worker_dies: %d of %d outcomes are wrong\n", wrong, ARTISTS);
    return wrong > 0;
}
