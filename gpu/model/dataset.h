/* dataset.h: a folder of examples: MNIST's four files, put there by somebody, or drawn. */
#ifndef GPU_DATASET_H
#define GPU_DATASET_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "idx.h"

struct dataset {
    struct examples train, held_out; /* what is learnt from, and what is not */
};

/*
 * Reads the four files. -ENOENT if there is none of them; -EINVAL with a sentence if only some are there, or something
 * is wrong with one. dataset_free gives it back.
 */
int dataset_read(struct dataset *dataset, const char *folder, struct failure *failure) AT_MUST_CHECK;
void dataset_free(struct dataset *dataset);

/*
 * Draws digits (digits.h) from the seed, `count` to learn from and a sixth as many beside them, and writes the four
 * files into the folder, which is made if need be. -EEXIST if one of them is there, which stays; -EINTR as soon as
 * *stop is set, and then none is there (`stop` may be NULL); -ENOMEM; and the disk's errors, which leave none either.
 */
int dataset_draw(const char *folder, uint64_t seed, size_t count, const volatile sig_atomic_t *stop,
                 struct failure *failure) AT_MUST_CHECK;

#endif
