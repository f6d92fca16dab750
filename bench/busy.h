/* busy.h: work of a wanted length whose result can be checked: so many steps that wait for each other. */
#ifndef BENCH_BUSY_H
#define BENCH_BUSY_H

#include <stdint.h>

/* An xorshift generator: no compiler leaves out a step, and no processor does two at a time. */
static inline uint64_t busy(uint32_t seed, uint64_t steps) {
    uint64_t state = seed + UINT64_C(0x9e3779b97f4a7c15);
    for (uint64_t i = 0; i < steps; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    return state;
}

#endif
