/*
 * pool_map.c: a pool of two processes runs a function on each of the arguments; map gives back what it returned.
 *
 * Python:  pool_map.py; pool = multiprocessing.Pool(processes=2), result = pool.map(function, args)
 * Expect:  eight lines "function(N) done" in a free order, function(0) late since it takes ten times as long as any
 *          other; then the results, in the order of the arguments
 * Try:     AT_CPU_COUNT workers in place of 2, or 8: the program takes as long as function(0) alone, a second
 */
#include <stdio.h>

#include "atelier.h"

enum { COUNT = 8 };

AT_TASK(int, function, int, num) {
    at_work(num == 0 ? 1 : 0.1);
    int res = 0;
    for (int i = 0; i < num; i++)
        res += i;
    printf("function(%d) done\n", num);
    fflush(stdout); /* now, not when this process ends: it has its own buffer */
    return res;
}

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    at_pool *pool;
    at_check(at_pool_new(&pool, 2));
    const int args[COUNT] = {0, 1, 2, 3, 4, 5, 6, 7};
    int result[COUNT];
    at_check(at_map(pool, function, args, result));
    at_pool_free(pool);

    int wrong = 0;
    for (int i = 0; i < COUNT; i++) {
        printf("%s%d", i == 0 ? "[" : ", ", result[i]);
        wrong += result[i] != args[i] * (args[i] - 1) / 2;
    }
    printf("]\n");
    if (wrong > 0)
        fprintf(stderr, "pool_map: %d of %d results are not those of their arguments\n", wrong, COUNT);
    return wrong > 0;
}
