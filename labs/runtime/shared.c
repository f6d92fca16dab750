/* shared.c: memory that processes share; see shared.h. */
#include "shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Stands before the caller's bytes, a cache line long so that they begin on one: munmap wants to know the length. */
struct header {
    _Alignas(64) size_t length;
};

void *at_shared_new(size_t size) {
    if (size == 0 || size > SIZE_MAX - sizeof(struct header))
        return NULL;
    size_t length = sizeof(struct header) + size;
    struct header *header = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (header == MAP_FAILED)
        return NULL;
    header->length = length;
    return header + 1;
}

/* The whole of what the descriptor stands for, or MAP_FAILED. */
static void *map(int descriptor, size_t length) {
    return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
}

int at_shared_open(void **memory, size_t size) {
    *memory = NULL;
    if (size == 0)
        return -EINVAL;
    if (size > INT64_MAX - sizeof(struct header))
        return -ENOMEM;
    size_t length = sizeof(struct header) + size;
    int descriptor = memfd_create("atelier", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0)
        return -errno;
    /* Nobody can cut it off, and so no process that has it can meet SIGBUS. */
    struct header *header = MAP_FAILED;
    if (ftruncate(descriptor, (off_t)length) != 0 ||
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0 ||
        (header = map(descriptor, length)) == MAP_FAILED) {
        int error = errno;
        close(descriptor);
        return error == EFBIG ? -ENOMEM : -error;
    }
    header->length = length;
    *memory = header + 1;
    return descriptor;
}

int at_shared_attach(void **memory, size_t *size, int descriptor) {
    *memory = NULL;
    *size = 0;
    struct stat file;
    if (fstat(descriptor, &file) != 0)
        return -errno;
    int seals = fcntl(descriptor, F_GET_SEALS);
    if (seals < 0 || !(seals & F_SEAL_SHRINK) || file.st_size <= (off_t)sizeof(struct header))
        return -EINVAL;
    size_t length = (size_t)file.st_size;
    struct header *header = map(descriptor, length);
    if (header == MAP_FAILED)
        return errno == ENOMEM ? -ENOMEM : -EINVAL; /* not to be written to: sealed, or opened otherwise */
    if (header->length != length) {
        munmap(header, length);
        return -EINVAL;
    }
    *memory = header + 1;
    *size = length - sizeof *header;
    return 0;
}

void at_shared_free(void *memory) {
    if (memory == NULL)
        return;
    struct header *header = (struct header *)memory - 1;
    munmap(header, header->length);
}
