/* work.c: the tutorial's work: the sum of the numbers below n. */
#include "work.h"

/*
 * A compiler that sees this loop replaces it by n(n - 1)/2, and then there is nothing to time. The empty asm says
 * that it may read and change `sum` each time round, so each addition has to happen, in a register and at the cost of
 * one instruction.
 */
__attribute__((noinline)) uint64_t sum_below(uint64_t n) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        sum += i;
        __asm__ volatile("" : "+r"(sum));
    }
    return sum;
}

uint64_t expected_sum(uint64_t n) {
    return n % 2 == 0 ? n / 2 * (n - 1) : (n - 1) / 2 * n;
}
