/* work.h: the tutorial's work: the sum of the numbers below n. */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include <stdint.h>

/* 0 + 1 + ... + (n - 1), added up one by one. */
uint64_t sum_below(uint64_t n);

/* What it must be, by the formula. */
uint64_t expected_sum(uint64_t n);

#endif
