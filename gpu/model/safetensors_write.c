/* safetensors_write.c: writes tensors to a file. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "new_file.h"
#include "safetensors.h"

enum { ALIGNMENT = 64 };

static int check(const char *path, const struct tensor *tensor, struct failure *failure) {
    uint64_t size;
    if (tensor->rank > TENSOR_RANK || !tensor_size(tensor->dtype, tensor->shape, tensor->rank, &size) ||
        size != tensor->size)
        return fail(failure, -EINVAL, "%s: tensor \"%.80s\": its type, shape and size do not agree", path,
                    tensor->name);
    return 0;
}

static json_t *shape_of(const struct tensor *tensor) {
    json_t *shape = json_array();
    for (size_t i = 0; i < tensor->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i]));
    return shape;
}

/* The header's text, for free(); NULL when memory is short, or a name is no UTF-8. */
static char *header_of(const struct tensor *tensors, size_t count, const struct metadatum *metadata,
                       size_t metadata_count) {
    json_t *header = json_object(), *texts = json_object();
    int wrong = 0;
    for (size_t i = 0; i < metadata_count; i++)
        wrong |= json_object_set_new(texts, metadata[i].key, json_string(metadata[i].value));
    wrong |= metadata_count > 0 ? json_object_set(header, "__metadata__", texts) : 0;
    size_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        json_int_t begin = (json_int_t)offset, end = (json_int_t)(offset += tensors[i].size);
        wrong |= json_object_set_new(header, tensors[i].name,
                                     json_pack("{s:s, s:o, s:[I, I]}", "dtype", tensors[i].dtype, "shape",
                                               shape_of(&tensors[i]), "data_offsets", begin, end));
    }
    char *text = wrong == 0 ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(texts);
    json_decref(header);
    return text;
}

static void write_all(struct new_file *file, const char *header, const struct tensor *tensors, size_t count) {
    static const char PADDING[ALIGNMENT] = "                                                               ";
    size_t length = strlen(header);
    size_t padding = (ALIGNMENT - (sizeof(uint64_t) + length) % ALIGNMENT) % ALIGNMENT;
    uint64_t announced = length + padding;
    new_file_write(file, &announced, sizeof announced);
    new_file_write(file, header, length);
    new_file_write(file, PADDING, padding);
    for (size_t i = 0; i < count; i++)
        new_file_write(file, tensors[i].data, tensors[i].size);
}

int safetensors_write(const char *path, const struct tensor *tensors, size_t count, const struct metadatum *metadata,
                      size_t metadata_count, struct failure *failure) {
    for (size_t i = 0; i < count; i++) {
        int result = check(path, &tensors[i], failure);
        if (result != 0)
            return result;
    }
    char *header = header_of(tensors, count, metadata, metadata_count);
    if (header == NULL)
        return fail(failure, -EINVAL, "%s: a name or a text for it is no UTF-8, or memory is short", path);
    struct new_file file;
    int result = new_file_begin(&file, path, failure);
    if (result == 0) {
        write_all(&file, header, tensors, count);
        result = new_file_end(&file, failure);
    }
    free(header);
    return result;
}
