/* infer_classes.h: the classification extension: the best classes of each row, as texts "value:index". */
#ifndef GPU_INFER_CLASSES_H
#define GPU_INFER_CLASSES_H

#include <stdint.h>

#include "json_write.h"

struct classes {
    const float *output; /* [rows][outputs] */
    uint32_t rows, outputs;
    uint32_t each;    /* classes of a row */
    uint32_t *chosen; /* [rows][each]: their indices, the best first */
};

/*
 * Chooses the `each` largest numbers of each row, or all if there are not so many; of equal ones the first, and what is
 * not a number last. `output` must stay. Returns 0 or -ENOMEM; classes_free gives back what it holds.
 */
int classes_choose(struct classes *classes, const float *output, uint32_t rows, uint32_t outputs, uint32_t each);
void classes_free(struct classes *classes);

/* As an array of JSON strings; or as the protocol's BYTES, each with its size before it. */
void classes_write(struct json_writer *writer, const struct classes *classes);
size_t classes_binary_size(const struct classes *classes);
void classes_write_binary(struct json_writer *writer, const struct classes *classes);

#endif
