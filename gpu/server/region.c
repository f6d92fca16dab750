/* region.c: the memory that the front and its workers share; see region.h. */
#include "region.h"

#include <errno.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Changes with the layout, so that a worker of another build does not misread it. */
static const uint64_t MAGIC = 0x6174656c69657231;

static size_t rounded(size_t size, size_t unit) {
    return (size + unit - 1) / unit * unit;
}

/* Where in a slot its numbers are: each begins on a cache line of its own. */
static size_t input_at(void) {
    return rounded(sizeof(struct slot), 64);
}

static size_t output_at(uint32_t inputs, uint32_t rows) {
    return input_at() + rounded((size_t)inputs * rows * sizeof(float), 64);
}

int region_new(struct region **region, uint32_t slots, uint32_t inputs, uint32_t outputs, uint32_t rows,
               int *descriptor) {
    size_t slot_size = rounded(output_at(inputs, rows) + (size_t)outputs * rows * sizeof(float), 4096);
    size_t slots_at = rounded(sizeof **region, 4096), all;
    if (__builtin_mul_overflow(slot_size, (size_t)slots, &all) || __builtin_add_overflow(all, slots_at, &all))
        return -ENOMEM;
    void *memory;
    int result = at_shared_open(&memory, all);
    if (result < 0)
        return result;
    *descriptor = result;
    *region = memory;
    (*region)->magic = MAGIC ^ sizeof **region;
    (*region)->slots = slots;
    (*region)->inputs = inputs;
    (*region)->outputs = outputs;
    (*region)->rows = rows;
    (*region)->slots_at = slots_at;
    (*region)->slot_size = slot_size;
    return 0;
}

int region_attach(struct region **region, int descriptor) {
    void *memory;
    size_t size;
    *region = NULL;
    int result = at_shared_attach(&memory, &size, descriptor);
    if (result < 0)
        return result;
    struct region *found = memory;
    if (size < sizeof *found || found->magic != (MAGIC ^ sizeof *found)) {
        at_shared_free(memory);
        return -EINVAL;
    }
    /* The whole pages before the first thing that is a worker's to write. */
    uintptr_t first = (uintptr_t)found & ~(uintptr_t)(REGION_PAGE - 1);
    uintptr_t end = (uintptr_t)&found->bell & ~(uintptr_t)(REGION_PAGE - 1);
    if (mprotect((void *)first, end - first, PROT_READ) != 0) {
        int error = errno;
        at_shared_free(memory);
        return -error;
    }
    *region = found;
    return 0;
}

void region_free(struct region *region) {
    at_shared_free(region);
}

struct slot *region_slot(struct region *region, uint32_t index) {
    return (struct slot *)((char *)region + region->slots_at + index * region->slot_size);
}

float *region_input(struct region *region, uint32_t index) {
    return (float *)((char *)region_slot(region, index) + input_at());
}

float *region_output(struct region *region, uint32_t index) {
    return (float *)((char *)region_slot(region, index) + output_at(region->inputs, region->rows));
}

/* The first page has the end of the mailboxes on it, and the last one nothing behind: a worker may write to all. */
void region_slots(struct region *region, void **memory, size_t *size) {
    uintptr_t begin = (uintptr_t)region_slot(region, 0) & ~(uintptr_t)(REGION_PAGE - 1);
    uintptr_t end = (uintptr_t)region_slot(region, 0) + region->slots * region->slot_size;
    *memory = (void *)begin;
    *size = rounded(end - begin, REGION_PAGE);
}

/*
 * Either the one who rings sees that the other sleeps, or the other, who looks again after it has said so, sees the
 * change: each has made its own known before it looks for the other's, in one order for all (seq_cst).
 */
void bell_ring(struct bell *bell, int descriptor) {
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&bell->asleep, memory_order_relaxed) == 0 ||
        atomic_exchange_explicit(&bell->asleep, 0, memory_order_seq_cst) == 0)
        return;
    uint64_t one = 1;
    while (write(descriptor, &one, sizeof one) < 0 && errno == EINTR)
        continue; /* any other failure means that it is rung already */
}

void bell_sleep(struct bell *bell) {
    bell->sleeping = true;
    atomic_store_explicit(&bell->asleep, 1, memory_order_seq_cst);
    atomic_thread_fence(memory_order_seq_cst);
}

/* The rings that have been written since the last look. */
static uint64_t read_rings(int descriptor) {
    uint64_t rings = 0;
    while (read(descriptor, &rings, sizeof rings) < 0 && errno == EINTR)
        continue;
    return rings;
}

/* A ring that was not written when its sleeper woke would keep the eventfd readable for ever: so they are counted. */
void bell_awake(struct bell *bell, int descriptor) {
    bool rung = atomic_exchange_explicit(&bell->asleep, 0, memory_order_seq_cst) == 0;
    bell->owed += rung && bell->sleeping;
    bell->sleeping = false;
    if (bell->owed == 0)
        return;
    uint64_t rings = read_rings(descriptor);
    bell->owed -= rings < bell->owed ? rings : bell->owed;
}

void bell_reset(struct bell *bell, int descriptor) {
    atomic_store_explicit(&bell->asleep, 0, memory_order_relaxed);
    bell->sleeping = false;
    bell->owed = 0;
    (void)read_rings(descriptor);
}

uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
