/* memory.c: the card's memory: closed unless something runs on it, full of NaN at first, with nothing behind it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "card.h"
#include "simt.h"

enum {
    ALIGNMENT = 256
}; /* of each allocation, as on a card; its end is that near to the page that cannot be reached */
static const size_t ARENA = (size_t)64 << 30; /* addresses, of which only what is allocated takes memory */
static const size_t TEMPLATE = (size_t)4 << 20;

struct block {
    uintptr_t start, pages; /* pages: where its first one begins */
    size_t size, pages_size;
    int device;
};
static struct block *blocks;
static size_t block_count;
static uintptr_t arena, arena_next;
static int ones = -1; /* a file of bytes 0xff: each allocation is a private copy of it, made where it is written to */
static size_t used[CARDS_MOST];

/* ---- room */

static size_t page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

int memory_ones(void) {
    if (ones < 0) {
        unsigned char *bytes = NULL;
        ones = memfd_create("emulated memory", MFD_CLOEXEC);
        if (ones >= 0 && ftruncate(ones, (off_t)TEMPLATE) == 0)
            bytes = mmap(NULL, TEMPLATE, PROT_READ | PROT_WRITE, MAP_SHARED, ones, 0);
        if (bytes == NULL || bytes == MAP_FAILED)
            card_abort("there is no memory to begin with");
        memset(bytes, 0xff, TEMPLATE);
        munmap(bytes, TEMPLATE);
    }
    return ones;
}

/* Makes fresh memory there, full of ones. */
bool memory_fill(uintptr_t address, size_t size, int protection) {
    int file = memory_ones();
    for (size_t done = 0; done < size; done += TEMPLATE) {
        size_t length = size - done < TEMPLATE ? size - done : TEMPLATE;
        if (mmap((void *)(address + done), length, protection, MAP_PRIVATE | MAP_FIXED, file, 0) == MAP_FAILED)
            return false;
    }
    return true;
}

static void clear(uintptr_t address, size_t size) {
    mmap((void *)address, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}

/*
 * Addresses are not used again before all others were: what was freed stays out of reach. Returns the first of so many
 * bytes of pages, with a page behind them that belongs to nobody.
 */
static uintptr_t find_room(size_t size) {
    size_t room = size + page_size();
    if (arena == 0) {
        void *reserved = mmap(NULL, ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (reserved == MAP_FAILED)
            card_abort("there are no addresses left for the card's memory");
        arena = arena_next = (uintptr_t)reserved;
    }
    for (size_t i = 0, turns = 0; i < block_count;) {
        if (arena_next + room > arena + ARENA && turns++ < 1)
            arena_next = arena;
        bool free =
            arena_next + room <= blocks[i].pages || arena_next >= blocks[i].pages + blocks[i].pages_size + page_size();
        if (!free)
            arena_next = blocks[i].pages + blocks[i].pages_size + page_size();
        i = free ? i + 1 : 0;
    }
    if (arena_next + room > arena + ARENA)
        arena_next = arena;
    uintptr_t found = arena_next;
    arena_next += room;
    return found;
}

static cudaError_t allocate(void **address, size_t size) {
    cudaError_t error = capture_forbids(false);
    int device = card_now();
    if (address == NULL)
        return cudaErrorInvalidValue;
    if (error != cudaSuccess)
        return error;
    *address = NULL;
    if (size == 0)
        return cudaSuccess;
    if (size > cards_memory() - used[device])
        return cudaErrorMemoryAllocation;
    size_t aligned = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    size_t pages = (aligned + page_size() - 1) / page_size() * page_size();
    struct block *more = realloc(blocks, (block_count + 1) * sizeof *blocks);
    if (more == NULL)
        card_abort("out of memory");
    blocks = more;
    uintptr_t room = find_room(pages);
    if (!memory_fill(room, pages, PROT_NONE))
        card_abort("the machine has no memory left for the card's");
    blocks[block_count++] = (struct block){
        .start = room + pages - aligned, .pages = room, .size = size, .pages_size = pages, .device = device};
    used[device] += size;
    hold(HELD_MEMORY, (int64_t)size);
    *address = (void *)(room + pages - aligned);
    return cudaSuccess;
}

static void drop(size_t i) {
    clear(blocks[i].pages, blocks[i].pages_size);
    used[blocks[i].device] -= blocks[i].size;
    hold(HELD_MEMORY, -(int64_t)blocks[i].size);
    blocks[i] = blocks[--block_count];
}

static cudaError_t release(void *address) {
    if (address == NULL)
        return cudaSuccess;
    cudaError_t error = capture_forbids(false);
    if (error != cudaSuccess)
        return error;
    for (size_t i = 0; i < block_count; i++) {
        if (blocks[i].start == (uintptr_t)address) {
            error = work_wait_device(blocks[i].device); /* as a card does */
            memory_close();                             /* which looks at the margins, too */
            drop(i);
            return error;
        }
    }
    card_abort("cudaFree of %p, which is nothing that was allocated, or was freed before", address);
}

void memory_reset(int device) {
    for (size_t i = block_count; i-- > 0;)
        if (blocks[i].device == device)
            drop(i);
}

/* ---- who may reach it */

static bool opened[CARDS_MOST];

static void protect(int device, int protection) {
    for (size_t i = 0; i < block_count; i++)
        if (blocks[i].device == device && mprotect((void *)blocks[i].pages, blocks[i].pages_size, protection) != 0)
            card_abort("the card's memory cannot be opened or closed: too many pieces of it");
    opened[device] = protection != PROT_NONE;
}

static bool all_ones(uintptr_t from, uintptr_t to) {
    static unsigned char expected[4096];
    if (expected[0] == 0)
        memset(expected, 0xff, sizeof expected);
    for (size_t length; from < to; from += length) {
        length = to - from < sizeof expected ? to - from : sizeof expected;
        if (memcmp((const void *)from, expected, length) != 0)
            return false;
    }
    return true;
}

/* What lies before an allocation and behind it, up to the pages' ends, is nobody's, and must be as it was. */
static void check_margins(int device) {
    for (size_t i = 0; i < block_count && card_broken() == cudaSuccess; i++) {
        const struct block *block = &blocks[i];
        if (block->device != device)
            continue;
        bool before = all_ones(block->pages, block->start);
        if (before && all_ones(block->start + block->size, block->pages + block->pages_size))
            continue;
        fprintf(stderr, "emulated card: something was written %s %zu bytes at %p\n", before ? "behind" : "before",
                block->size, (void *)block->start);
        card_break(cudaErrorIllegalAddress);
    }
}

/* Only one device is open at a time: none reaches the memory of another. */
void memory_open(int device) {
    for (int i = 0; i < cards_visible(); i++) {
        bool wanted = device == ALL_DEVICES || device == i;
        if (opened[i] && !wanted) {
            check_margins(i);
            protect(i, PROT_NONE);
        } else if (!opened[i] && wanted) {
            protect(i, PROT_READ | PROT_WRITE);
        }
    }
}

void memory_close(void) {
    for (int i = 0; i < CARDS_MOST; i++) {
        if (opened[i]) {
            check_margins(i);
            protect(i, PROT_NONE);
        }
    }
    faults_release();
}

bool memory_is_device(const void *address, size_t size, int *device) {
    for (size_t i = 0; i < block_count; i++) {
        uintptr_t offset = (uintptr_t)address - blocks[i].start;
        if ((uintptr_t)address >= blocks[i].start && offset < blocks[i].size && size <= blocks[i].size - offset) {
            if (device != NULL)
                *device = blocks[i].device;
            return true;
        }
    }
    return false;
}

/* Where it lies in a block of a device that is open, that block. */
bool memory_open_range(uintptr_t address, struct simt_range *range) {
    for (size_t i = 0; i < block_count; i++) {
        if (opened[blocks[i].device] && address >= blocks[i].start && address < blocks[i].start + blocks[i].size) {
            *range = (struct simt_range){blocks[i].start, blocks[i].start + blocks[i].size};
            return true;
        }
    }
    return false;
}

bool memory_touches_device(const void *address) {
    return arena != 0 && (uintptr_t)address >= arena && (uintptr_t)address < arena + ARENA;
}

int emulated_is_device(const void *address, size_t size) {
    card_lock();
    bool is = memory_is_device(address, size, NULL);
    card_unlock();
    return is;
}

/* ---- the calls */

cudaError_t cudaMalloc(void **address, size_t size) {
    return CALL(allocate(address, size));
}

cudaError_t cudaFree(void *address) {
    return GIVE_BACK(release(address));
}

static cudaError_t tell(size_t *left, size_t *total) {
    *total = (size_t)cards_memory();
    *left = *total - used[card_now()];
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *total) {
    return CALL(left == NULL || total == NULL ? cudaErrorInvalidValue : tell(left, total));
}
