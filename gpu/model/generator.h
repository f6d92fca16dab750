/* generator.h: random numbers that are a function of a seed and an index: any of them, in any order, on any machine. */
#ifndef GPU_GENERATOR_H
#define GPU_GENERATOR_H

#include <stdint.h>

/*
 * Number `index` of the stream `key`: that of splitmix64 (Steele, Lea and Flood 2014), whose state is a counter, so
 * that none has to be made before the next.
 */
static inline uint64_t generator_bits(uint64_t key, uint64_t index) {
    uint64_t bits = key + (index + 1) * 0x9e3779b97f4a7c15;
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111eb;
    return bits ^ bits >> 31;
}

/* From -1 to 1, of the upper 24 bits: float32 holds each such number exactly. */
static inline float generator_sign(uint32_t bits) {
    return (float)((int32_t)bits >> 8) * 0x1p-23F;
}

/* The numbers of a stream one after the other, for those who take an unknown number of them. */
struct generator {
    uint64_t key, index;
};

/* Between low and high, evenly. */
static inline float generator_between(struct generator *generator, float low, float high) {
    float unit = (float)(generator_bits(generator->key, generator->index++) >> 40) * 0x1p-24F;
    return low + unit * (high - low);
}

/* From 0 to below `below`. */
static inline uint32_t generator_below(struct generator *generator, uint32_t below) {
    return (uint32_t)((generator_bits(generator->key, generator->index++) >> 32) * below >> 32);
}

#endif
