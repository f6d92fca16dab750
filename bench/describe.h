/* describe.h: what only the program itself can say about the machine and the build. */
#ifndef BENCH_DESCRIBE_H
#define BENCH_DESCRIBE_H

#include <stddef.h>

/*
 * Prints what the program knows of itself and its machine, for the record, as lines "key: value": the compiler, and the
 * noise probe: how many times as fast as one thread are as many threads as `workers`, just now, over 25 ms, and in bursts
 * of 3 ms after pauses? The verdict is of the lesser. A virtual machine whose host gives it one core at a time says 1.
 */
void describe(size_t workers);

#endif
