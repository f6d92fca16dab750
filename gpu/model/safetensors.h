/* safetensors.h: files of named tensors: read with every bound checked, and written so that no half of one is left. */
#ifndef GPU_SAFETENSORS_H
#define GPU_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

/*
 * Such a file is a length of 8 bytes (little-endian, as all of it), a header of that length in JSON, and the tensors'
 * numbers. The header gives each tensor's type, shape, and place behind the header; a tensor follows the other without
 * a hole. Its "__metadata__", if any, maps names to texts.
 */

enum { TENSOR_RANK = 8 };

struct tensor {
    const char *name;  /* 1 to 200 printable ASCII characters: with others, a file is refused */
    const char *dtype; /* "F32"; one of those that the format knows */
    size_t rank;
    uint64_t shape[TENSOR_RANK];
    const void *data; /* in C order; not always aligned, which the format does not ask for */
    size_t size;      /* bytes of data: what the shape and the type need */
};

struct metadatum {
    const char *key, *value;
};

struct safetensors {
    size_t count;
    struct tensor *tensors; /* in the order of their data */
    struct json_t *header;  /* the names and the metadata live in it */
    void *mapping;          /* NULL for one that was in memory */
    size_t mapped;
};

/*
 * Opens a file and stores what is in it; safetensors_close gives it back, and the tensors with it. The data is the
 * file's own, mapped: one that is replaced (as safetensors_write does) stays as it was for those who have it open, but
 * one that is cut short under them kills them with SIGBUS at the next look. Errors, with the sentence: -ENOENT,
 * -EACCES... of opening it; -EINVAL for a folder, a pipe, a device, and for what is wrong inside; -ENOMEM.
 */
int safetensors_open(struct safetensors **file, const char *path, struct failure *failure) AT_MUST_CHECK;
void safetensors_close(struct safetensors *file);

/* The same for bytes in memory, which must stay as long as the result; `name` is what the sentences call them. */
int safetensors_parse(struct safetensors **file, const void *bytes, size_t size, const char *name,
                      struct failure *failure) AT_MUST_CHECK;

/* The tensor of that name, or the text that the metadata has under that key; NULL if there is none. */
const struct tensor *safetensors_find(const struct safetensors *file, const char *name);
const char *safetensors_metadata(const struct safetensors *file, const char *key);

/*
 * Writes a file, in place of an older one only when all of it is on the disk. The same tensors make the same bytes, and
 * the data begins at a multiple of 64. The tensors' names, types, shapes and sizes must agree, or it is -EINVAL; other
 * errors are those of the disk, -ENOSPC say.
 */
int safetensors_write(const char *path, const struct tensor *tensors, size_t count, const struct metadatum *metadata,
                      size_t metadata_count, struct failure *failure) AT_MUST_CHECK;

/* How many bytes a tensor of that type and shape has. False where the type is unknown, or the number overflows. */
bool tensor_size(const char *dtype, const uint64_t *shape, size_t rank, uint64_t *size);

/* The format's own copy of a type's name; NULL where it knows none. */
const char *tensor_dtype(const char *name);

#endif
