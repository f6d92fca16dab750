/* confidence.c: the tail of the binomial distribution, and what it says about a sample. */
#include "confidence.h"

#include <math.h>

/* lgamma alone would write its sign into a variable of the process. */
static double log_factorial(double n) {
    int sign;
    return lgamma_r(n + 1, &sign);
}

/* The probability that at most `late` of so many are late when each of them is with this probability. */
static double at_most(uint64_t requests, uint64_t late, double probability) {
    if (late >= requests)
        return 1;
    double n = (double)requests, sum = 0, mode = floor((n + 1) * probability);
    /* From the largest of the terms downwards: they fall quickly, and the first that does not count ends the sum. */
    double from = (double)late < mode ? (double)late : mode;
    double largest = log_factorial(n) - log_factorial(from) - log_factorial(n - from) + from * log(probability) +
                     (n - from) * log1p(-probability);
    double odds = probability / (1 - probability), term = 1;
    for (double k = from; k >= 0 && term > 1e-17; k--) {
        sum += term;
        term *= k / ((n - k + 1) * odds);
    }
    term = 1;
    for (double k = from; k < (double)late && term > 1e-17; k++) {
        term *= (n - k) * odds / (k + 1);
        sum += term;
    }
    return fmin(1, exp(largest + log(sum)));
}

enum confidence confidence_of(uint64_t requests, uint64_t late, double quantile, double sureness) {
    double doubt = 1 - sureness, probability = 1 - quantile;
    if (at_most(requests, late, probability) <= doubt)
        return CONFIDENCE_WITHIN;
    if (late > 0 && 1 - at_most(requests, late - 1, probability) <= doubt)
        return CONFIDENCE_BEYOND;
    return CONFIDENCE_TOO_FEW;
}

uint64_t confidence_needed(uint64_t late, double quantile, double sureness) {
    uint64_t few = late, many = late + 1;
    while (confidence_of(many, late, quantile, sureness) != CONFIDENCE_WITHIN) {
        few = many;
        many *= 2;
    }
    while (many - few > 1) {
        uint64_t middle = few + (many - few) / 2;
        if (confidence_of(middle, late, quantile, sureness) == CONFIDENCE_WITHIN)
            many = middle;
        else
            few = middle;
    }
    return many;
}
