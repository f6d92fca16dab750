/* host.c: the host's memory that the card reaches: allocated for it, or registered. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "card.h"
#include "simt.h"

struct range {
    struct range *next;
    uintptr_t start;
    size_t size, mapped; /* mapped: bytes of what was allocated, 0 of what was only registered */
    unsigned flags;
};
static struct range *ranges;

static struct range *range_of(const void *address, size_t size) {
    for (struct range *range = ranges; range != NULL; range = range->next) {
        uintptr_t offset = (uintptr_t)address - range->start;
        if ((uintptr_t)address >= range->start && offset < range->size && size <= range->size - offset)
            return range;
    }
    return NULL;
}

static void range_add(uintptr_t start, size_t size, size_t mapped, unsigned flags) {
    struct range *range = malloc(sizeof *range);
    if (range == NULL)
        card_abort("out of memory");
    *range = (struct range){.next = ranges, .start = start, .size = size, .mapped = mapped, .flags = flags};
    ranges = range;
    hold(mapped > 0 ? HELD_HOST : HELD_REGISTERED, (int64_t)size);
}

static void range_remove(struct range *range) {
    struct range **place = &ranges;
    while (*place != range)
        place = &(*place)->next;
    *place = range->next;
    hold(range->mapped > 0 ? HELD_HOST : HELD_REGISTERED, -(int64_t)range->size);
    if (range->mapped > 0)
        munmap((void *)range->start, range->mapped);
    free(range);
}

bool memory_is_pinned(const void *address, size_t size) {
    return range_of(address, size) != NULL;
}

bool simt_range_of(uintptr_t address, struct simt_range *range) {
    const struct range *found = range_of((const void *)address, 1);
    if (found != NULL)
        *range = (struct simt_range){found->start, found->start + found->size};
    return found != NULL || memory_open_range(address, range);
}

int emulated_is_reachable(const void *address, size_t size) {
    card_lock();
    bool is = memory_is_device(address, size, NULL) || memory_is_pinned(address, size);
    card_unlock();
    return is;
}

/* ---- allocated */

static cudaError_t allocate(void **address, size_t size, unsigned flags) {
    cudaError_t error = capture_forbids(false);
    if (address == NULL || (flags & ~7u) != 0)
        return cudaErrorInvalidValue;
    if (error != cudaSuccess)
        return error;
    *address = NULL;
    if (size == 0)
        return cudaSuccess;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (size + page - 1) / page * page;
    void *found = pages < size ? MAP_FAILED : mmap(NULL, pages + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED)
        return cudaErrorMemoryAllocation;
    if (!memory_fill((uintptr_t)found, pages, PROT_READ | PROT_WRITE))
        card_abort("the machine has no memory left");
    range_add((uintptr_t)found, size, pages + page, flags);
    *address = found;
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **address, size_t size, unsigned flags) {
    return CALL(allocate(address, size, flags));
}

cudaError_t cudaMallocHost(void **address, size_t size) {
    return CALL(allocate(address, size, cudaHostAllocDefault));
}

static cudaError_t release(void *address) {
    struct range *range = range_of(address, 1);
    cudaError_t error = address == NULL ? cudaSuccess : capture_forbids(false);
    if (address == NULL || error != cudaSuccess)
        return error;
    if (range == NULL || range->start != (uintptr_t)address || range->mapped == 0)
        card_abort("cudaFreeHost of %p, which cudaHostAlloc never gave, or which was freed before", address);
    error = work_wait_device(card_now());
    range_remove(range);
    return error;
}

cudaError_t cudaFreeHost(void *address) {
    return GIVE_BACK(release(address));
}

/* ---- registered */

static cudaError_t enlist(void *address, size_t size, unsigned flags) {
    cudaError_t error = capture_forbids(false);
    if (error != cudaSuccess)
        return error;
    uintptr_t start = (uintptr_t)address, page = (uintptr_t)sysconf(_SC_PAGESIZE);
    if (address == NULL || size == 0 || start + size < start || (flags & ~15u) != 0)
        return cudaErrorInvalidValue;
    for (const struct range *range = ranges; range != NULL; range = range->next)
        if (start < range->start + range->size && range->start < start + size)
            return cudaErrorHostMemoryAlreadyRegistered;
    uintptr_t first = start / page * page;
    if (msync((void *)first, start + size - first, MS_ASYNC) != 0) /* ENOMEM: there is a hole in it */
        return cudaErrorInvalidValue;
    range_add(start, size, 0, flags);
    return cudaSuccess;
}

cudaError_t cudaHostRegister(void *address, size_t size, unsigned flags) {
    return CALL(enlist(address, size, flags));
}

static cudaError_t delist(void *address) {
    struct range *range = range_of(address, 1);
    cudaError_t error = capture_forbids(false);
    if (error != cudaSuccess)
        return error;
    if (range == NULL || range->start != (uintptr_t)address || range->mapped > 0)
        return cudaErrorHostMemoryNotRegistered;
    error = work_wait_device(card_now());
    range_remove(range);
    return error;
}

cudaError_t cudaHostUnregister(void *address) {
    return GIVE_BACK(delist(address));
}

/* ---- what an address is */

static cudaError_t device_pointer(void **pointer, void *address, unsigned flags) {
    if (pointer == NULL || flags != 0 || !memory_is_pinned(address, 1))
        return cudaErrorInvalidValue;
    *pointer = address;
    return cudaSuccess;
}

cudaError_t cudaHostGetDevicePointer(void **pointer, void *address, unsigned flags) {
    return CALL(device_pointer(pointer, address, flags));
}

static cudaError_t describe(struct cudaPointerAttributes *attributes, const void *address) {
    int device = card_now();
    if (attributes == NULL)
        return cudaErrorInvalidValue;
    memset(attributes, 0, sizeof *attributes);
    attributes->device = -2; /* what CUDA answers for memory that it does not know */
    if (memory_is_device(address, 1, &device)) {
        attributes->type = cudaMemoryTypeDevice;
        attributes->device = device;
        attributes->devicePointer = (void *)(uintptr_t)address;
    } else if (memory_is_pinned(address, 1)) {
        attributes->type = cudaMemoryTypeHost;
        attributes->device = device;
        attributes->devicePointer = attributes->hostPointer = (void *)(uintptr_t)address;
    } else {
        attributes->type = cudaMemoryTypeUnregistered;
        attributes->hostPointer = (void *)(uintptr_t)address;
    }
    return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *attributes, const void *address) {
    return CALL(describe(attributes, address));
}
