/* shared.c: memory that a process shares with the children it forks; see shared.h. */
#include "shared.h"

#include <stdint.h>
#include <sys/mman.h>

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

void at_shared_free(void *memory) {
    if (memory == NULL)
        return;
    struct header *header = (struct header *)memory - 1;
    munmap(header, header->length);
}
