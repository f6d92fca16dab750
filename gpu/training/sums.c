/* sums.c: a sum along a fixed tree, in parts; see sums.h. */
#include "sums.h"

#include <stdbool.h>
#include <string.h>

struct span span_of(size_t count, size_t index, size_t members) {
    return (struct span){count * index / members, count * (index + 1) / members};
}

/* `count` is known where it is inlined: then compilers make vectors of it. */
static inline void add_some(float *to, const float *left, const float *right, size_t count) {
    for (size_t i = 0; i < count; i++)
        to[i] = left[i] + right[i];
}

/* to = left + right; `to` may be one of them. */
static void add(float *to, const float *left, const float *right, size_t count) {
    enum { SOME = 16 };
    size_t i = 0;
    for (; i + SOME <= count; i += SOME) {
        float sums[SOME]; /* in between, for all that a compiler knows the three may overlap */
        add_some(sums, left + i, right + i, SOME);
        memcpy(to + i, sums, sizeof sums);
    }
    add_some(to + i, left + i, right + i, count - i);
}

/* Whether they are the two halves of a larger one. */
static bool are_halves(struct block left, struct block right) {
    return left.size == right.size && left.begin % (2 * left.size) == 0 && left.begin + left.size == right.begin;
}

size_t sum_slots(size_t micros) {
    return micros < SUM_SLOTS ? micros : SUM_SLOTS;
}

static bool keeps_all(struct span own) {
    return own.end - own.begin <= SUM_SLOTS;
}

void sum_begin(struct partial_sums *sums, struct span own) {
    *sums = (struct partial_sums){.own = own};
}

void sum_add(struct partial_sums *sums, size_t micro, float *slots, size_t count) {
    sums->blocks[sums->used++] = (struct block){micro, 1};
    if (keeps_all(sums->own))
        return;
    for (; sums->used > 1 && are_halves(sums->blocks[sums->used - 2], sums->blocks[sums->used - 1]); sums->used--) {
        size_t left = sums->used - 2;
        if (slots != NULL)
            add(slots + left * count, slots + left * count, slots + (left + 1) * count, count);
        sums->blocks[left].size *= 2;
    }
}

size_t sum_blocks(struct span own, struct block blocks[SUM_SLOTS]) {
    struct partial_sums sums;
    sum_begin(&sums, own);
    for (size_t micro = own.begin; micro < own.end; micro++)
        sum_add(&sums, micro, NULL, 0);
    memcpy(blocks, sums.blocks, sums.used * sizeof *blocks);
    return sums.used;
}

/*
 * The terms lie on a stack, on which two that are halves of a block become that block. Beneath a block are only larger
 * ones, so it is never higher than the tree, and one. What is left where the tree is not full is added from the right.
 */
void sum_terms(const struct term *terms, size_t term_count, size_t begin, size_t count, float *sum) {
    enum { HEIGHT = 20 };
    struct term stack[HEIGHT];
    float sums[HEIGHT][SUM_CHUNK]; /* of the block at each height, unless it is a term */
    size_t top = 0;
    for (size_t i = 0; i < term_count; i++) {
        stack[top++] = (struct term){terms[i].block, terms[i].gradient + begin};
        for (; top > 1 && are_halves(stack[top - 2].block, stack[top - 1].block); top--) {
            struct term *left = &stack[top - 2];
            add(sums[top - 2], left->gradient, stack[top - 1].gradient, count);
            *left = (struct term){{left->block.begin, 2 * left->block.size}, sums[top - 2]};
        }
    }
    for (; top > 1; top--) {
        add(sums[top - 2], stack[top - 2].gradient, stack[top - 1].gradient, count);
        stack[top - 2].gradient = sums[top - 2];
    }
    memcpy(sum, stack[0].gradient, count * sizeof *sum);
}
