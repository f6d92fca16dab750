/* sums.h: gradients added up by several processes, to the same bits however many they are. */
#ifndef GPU_TRAINING_SUMS_H
#define GPU_TRAINING_SUMS_H

#include <stddef.h>

/*
 * A sum of floats is rounded at each addition, so that its last bits depend on the order: (a + b) + c is not
 * a + (b + c) when a is 1 and b and c are 2^-24 each. Were each process to add up what it happens to have, and then the
 * processes their sums, then two processes would learn another model than three. So a batch is cut into micro-batches
 * whose size does not depend on the processes, and their gradients are added along one fixed binary tree: neighbours 0
 * and 1, 2 and 3...; then 0-1 and 2-3; and so on. Which process has computed a micro-batch does not show in the result.
 *   A tree, and not one after the other: a process with the micro-batches 4 to 7 can add these alone, as the tree has
 * it, before it knows the sum of 0 to 3. Its error grows with the logarithm of the count, too, and not with the count
 * (Higham, "The accuracy of floating point summation", 1993).
 */

/* From begin to below end. */
struct span {
    size_t begin, end;
};

/* The part of `count` things that number `index` of `members` has: all of them together have each once, in order. */
struct span span_of(size_t count, size_t index, size_t members);

/* A part of the tree that is complete: `size`, a power of two, micro-batches from `begin`, a multiple of it. */
struct block {
    size_t begin, size;
};

/*
 * The slots for gradients that a process needs: it keeps those of up to SUM_SLOTS micro-batches apart, for they have to
 * be read once more anyway when all are added up; of more it adds those that are neighbours in the tree, which leaves
 * less than 2 log2 of the count.
 */
enum { SUM_SLOTS = 40, SUM_MICROS = 1 << 16 };

/* The slots for up to `micros` micro-batches of a process. */
size_t sum_slots(size_t micros);

/*
 * Where the gradients of a process's micro-batches lie: in its slots 0, 1, 2..., each for a block. Begins empty.
 * sum_next is the slot that the next micro-batch, `micro`, goes to; once it is there, sum_add adds up what can be.
 * `slots` has room for `count` numbers a slot.
 */
struct partial_sums {
    struct block blocks[SUM_SLOTS];
    size_t used;
    struct span own; /* the process's micro-batches in this step */
};
void sum_begin(struct partial_sums *sums, struct span own);
void sum_add(struct partial_sums *sums, size_t micro, float *slots, size_t count);

/* The blocks that a process has in the end, which the others work out by themselves. Returns how many. */
size_t sum_blocks(struct span own, struct block blocks[SUM_SLOTS]);

/* A block whose gradient lies there. */
struct term {
    struct block block;
    const float *gradient;
};

/*
 * Adds up the numbers `begin` to `begin + count` of all blocks, which follow each other from micro-batch 0 on, into
 * `sum`, along the tree. `count` is SUM_CHUNK at most.
 */
enum { SUM_CHUNK = 1024 };
void sum_terms(const struct term *terms, size_t term_count, size_t begin, size_t count, float *sum);

#endif
