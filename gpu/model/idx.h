/* idx.h: examples to learn from, in the files that MNIST comes in. */
#ifndef GPU_IDX_H
#define GPU_IDX_H

#include <stddef.h>
#include <stdint.h>

#include "failure.h"

/* Pictures and what each one shows. examples_free gives the arrays back. */
struct examples {
    size_t count;
    uint32_t rows, columns; /* of a picture */
    uint8_t *pixels;        /* [count][rows][columns], 0 to 255 */
    uint8_t *labels;        /* [count] */
};

/* The four files' names, as they are once unpacked. */
#define IDX_TRAIN_IMAGES "train-images-idx3-ubyte"
#define IDX_TRAIN_LABELS "train-labels-idx1-ubyte"
#define IDX_TEST_IMAGES "t10k-images-idx3-ubyte"
#define IDX_TEST_LABELS "t10k-labels-idx1-ubyte"

/*
 * Reads a file of pictures and the file of their labels. Errors, with the sentence: those of opening and reading;
 * -EINVAL where a file is no IDX file, is cut short or too long, where the two do not belong together, or where a label
 * is `labels` or more.
 */
int idx_read(struct examples *examples, const char *images, const char *labels_file, unsigned labels,
             struct failure *failure) AT_MUST_CHECK;

/* Writes the two files, each in place of an older one only when it is whole. */
int idx_write(const struct examples *examples, const char *images, const char *labels_file,
              struct failure *failure) AT_MUST_CHECK;

void examples_free(struct examples *examples);

#endif
