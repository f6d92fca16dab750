/* safetensors.c: opens a file of tensors and finds what is in it. */
#include "safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Types and sizes */

static const struct {
    const char *name;
    uint64_t width; /* bytes of one number */
} DTYPES[] = {
    {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"U16", 2}, {"I16", 2}, {"F16", 2},
    {"BF16", 2}, {"U32", 4}, {"I32", 4}, {"F32", 4},     {"U64", 8},     {"I64", 8}, {"F64", 8},
};

enum { DTYPE_COUNT = sizeof DTYPES / sizeof DTYPES[0] };

static size_t dtype_index(const char *name) {
    size_t i = 0;
    while (i < DTYPE_COUNT && strcmp(DTYPES[i].name, name) != 0)
        i++;
    return i;
}

const char *tensor_dtype(const char *name) {
    size_t i = dtype_index(name);
    return i < DTYPE_COUNT ? DTYPES[i].name : NULL;
}

bool tensor_size(const char *dtype, const uint64_t *shape, size_t rank, uint64_t *size) {
    size_t known = dtype_index(dtype);
    if (known == DTYPE_COUNT)
        return false;
    *size = DTYPES[known].width;
    for (size_t i = 0; i < rank; i++)
        if (__builtin_mul_overflow(*size, shape[i], size))
            return false;
    return true;
}

/* ---- Files */

static int map(const char *path, void **mapping, size_t *size, struct failure *failure) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a named pipe would wait for its writer */
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        int code = -errno;
        if (fd >= 0)
            close(fd);
        return fail(failure, code, "%s: cannot be opened: %s", path, at_strerror(code));
    }
    int code = 0;
    if (!S_ISREG(status.st_mode))
        code = fail(failure, -EINVAL, "%s: %s, not a file; give the path of a safetensors file", path,
                    S_ISDIR(status.st_mode) ? "a folder" : "a pipe or a device");
    else if (status.st_size == 0)
        code = fail(failure, -EINVAL, "%s: empty; no safetensors file, or a damaged one: write it again", path);
    *size = (size_t)status.st_size;
    *mapping = code == 0 ? mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (code == 0 && *mapping == MAP_FAILED) {
        code = -errno;
        fail(failure, code, "%s: cannot be mapped: %s", path, at_strerror(code));
    }
    close(fd);
    return code;
}

int safetensors_open(struct safetensors **file, const char *path, struct failure *failure) {
    void *mapping = NULL;
    size_t size = 0;
    int result = map(path, &mapping, &size, failure);
    if (result != 0)
        return result;
    result = safetensors_parse(file, mapping, size, path, failure);
    if (result != 0) {
        munmap(mapping, size);
        return result;
    }
    (*file)->mapping = mapping;
    (*file)->mapped = size;
    return 0;
}

void safetensors_close(struct safetensors *file) {
    if (file == NULL)
        return;
    json_decref(file->header);
    free(file->tensors);
    if (file->mapping != NULL)
        munmap(file->mapping, file->mapped);
    free(file);
}

const struct tensor *safetensors_find(const struct safetensors *file, const char *name) {
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    return NULL;
}

const char *safetensors_metadata(const struct safetensors *file, const char *key) {
    return json_string_value(json_object_get(json_object_get(file->header, "__metadata__"), key));
}
