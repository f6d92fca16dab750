/*
 * pool_memory.c: the shared memory of a pool: its board, and blocks for the jobs; see pool_internal.h.
 *
 * The workers must have it mapped before they start, so all that a pool may ever use is reserved when it is made; a
 * page of it costs memory only once it has been used. What is free and what is not is known here alone, and not in the
 * shared memory itself, where a worker could spoil it.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pool_internal.h"

static const size_t RESERVED = (size_t)1 << 36; /* 64 GiB; less where the system does not allow so much */
static const size_t LEAST_RESERVED = (size_t)1 << 26;
static const size_t LARGE = (size_t)1 << 26; /* a free block of more bytes gives its pages back */
enum { LEAST_CLASS = 9 };                    /* 512 bytes */

int pool_memory_map(struct pool_memory *memory, unsigned workers) {
    for (size_t size = RESERVED; size >= LEAST_RESERVED; size /= 2) {
        void *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (start == MAP_FAILED)
            continue;
        madvise(start, size, MADV_DONTDUMP);
        *memory =
            (struct pool_memory){.board = start, .size = size, .used = (board_size(workers) + 511) & ~(size_t)511};
        return 0;
    }
    return -ENOMEM;
}

void pool_memory_unmap(struct pool_memory *memory) {
    for (int class = 0; class < BLOCK_CLASSES; class ++)
        free(memory->free[class].blocks);
    madvise(memory->board, memory->used, MADV_REMOVE); /* other pools' processes may still have it mapped */
    munmap(memory->board, memory->size);
}

static int class_of(size_t size) {
    int class = size <= 1 ? 0 : 64 - __builtin_clzll(size - 1);
    return class < LEAST_CLASS ? LEAST_CLASS : class;
}

void *pool_block_take(struct pool_memory *memory, size_t size) {
    int class = class_of(size);
    if (class >= BLOCK_CLASSES)
        return NULL;
    struct block_stack *stack = &memory->free[class];
    if (stack->count > 0)
        return stack->blocks[--stack->count];
    size_t length = (size_t)1 << class;
    if (length > memory->size - memory->used)
        return NULL;
    void *fresh = (char *)memory->board + memory->used;
    memory->used += length;
    return fresh;
}

void pool_block_give(struct pool_memory *memory, void *block, size_t size) {
    int class = class_of(size);
    struct block_stack *stack = &memory->free[class];
    if (size > LARGE) { /* but for parts of pages at both ends */
        uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), skipped = -(uintptr_t)block & (page - 1);
        madvise((char *)block + skipped, (((size_t)1 << class) - skipped) & ~(page - 1), MADV_REMOVE);
    }
    if (stack->count == stack->room) {
        size_t room = stack->room == 0 ? 16 : 2 * stack->room;
        void **blocks = realloc(stack->blocks, room * sizeof *blocks);
        if (blocks == NULL)
            return; /* its address is not used again; there are plenty */
        stack->blocks = blocks;
        stack->room = room;
    }
    stack->blocks[stack->count++] = block;
}
