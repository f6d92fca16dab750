/* describe.h: what only the program itself can say about the machine and the build. */
#ifndef BENCH_DESCRIBE_H
#define BENCH_DESCRIBE_H

/*
 * Prints "key: value" lines for bench/run: the compiler, and how many times as fast two threads are as
 * one, just now, at work that shares nothing, when it takes 25 ms and when it comes in bursts of 2 ms. On a quiet
 * machine of two cores that is 2; less says what no measurement of this run can exceed. A virtual machine can do well
 * at the first and badly at the second: its host may need some ms to notice that two of its processors are wanted at
 * once.
 */
void describe(void);

#endif
