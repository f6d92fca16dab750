/* crossover.c: from which size of work on one way of doing it beats another. */
#include "crossover.h"

#include <math.h>

static bool clearly_below(const struct spread *rival, const struct spread *base) {
    return rival->q3 < base->q1 && rival->median < 0.95 * base->median;
}

struct crossover crossover_of(const double *sizes, const struct spread *base, const struct spread *rival,
                              size_t count) {
    struct crossover none = {0};
    if (count < 2 || !clearly_below(&rival[count - 1], &base[count - 1]))
        return none;
    size_t behind = count - 1; /* the last size at which the rival is not ahead */
    while (rival[behind].median < base[behind].median) {
        if (behind == 0)
            return none;
        behind--;
    }
    /*
     * Between two sizes both times are taken for straight lines on the log-log chart; the gap between them, in logs,
     * goes from above 0 to below, and where it is 0 they cross.
     */
    double gap = log(rival[behind].median / base[behind].median);
    double next_gap = log(rival[behind + 1].median / base[behind + 1].median);
    double part = gap / (gap - next_gap);
    struct crossover crossover = {.found = true};
    crossover.size = sizes[behind] * pow(sizes[behind + 1] / sizes[behind], part);
    crossover.ns = base[behind].median * pow(base[behind + 1].median / base[behind].median, part);
    return crossover;
}
