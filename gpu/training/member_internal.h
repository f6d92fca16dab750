/* member_internal.h: what the files of a member share. */
#ifndef GPU_TRAINING_MEMBER_INTERNAL_H
#define GPU_TRAINING_MEMBER_INTERNAL_H

#include "team.h"

/* The held-out examples are read so many at a time. */
enum { MEMBER_BLOCK = 64 };

struct tape;

struct member {
    struct team *team;
    size_t index;
    int bell; /* an eventfd: something is ready */
    struct model model;
    struct trainer trainer;
    float *input; /* some rows, and what they are */
    uint8_t *labels;
    uint32_t *order; /* of the examples, in this epoch */
    struct tape *tape;
};

/* Load some of this epoch's examples, from `begin` on, into member->input and member->labels. */
void member_load(struct member *member, size_t begin, size_t count);

/*
 * Go through all examples once, and store the sum of the losses; afterwards the numbers in the shared memory are the
 * new ones. With the gradients in the shared memory, each member takes the step for its part of the numbers; on their
 * cards, each card has all numbers and takes the whole step.
 */
int epoch_in_memory(struct member *member, float rate, double *loss, struct failure *failure) AT_MUST_CHECK;
int epoch_on_cards(struct member *member, float rate, double *loss, struct failure *failure) AT_MUST_CHECK;

#endif
