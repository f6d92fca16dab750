/* queue_memory.c: where a queue lies: shared memory in which the ring stands twice; see queue_internal.h. */
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "queue_internal.h"

static const size_t DEFAULT_CAPACITY = (size_t)64 << 20, LARGEST_CAPACITY = (size_t)32 << 30; /* bytes */

/*
 * The header, the ring, and the same ring again. Pages that nobody has written take no memory, and none is set aside
 * for them. mremap(2): of a shared mapping, an old size of 0 makes another one of the same memory.
 */
static bool map(struct at_queue *queue, size_t header, size_t ring) {
    const int SHARED = MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE;
    queue->length = header + 2 * ring;
    void *all = mmap(NULL, queue->length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED)
        return false;
    queue->shared = all;
    queue->ring = (unsigned char *)all + header;
    if (mmap(all, header + ring, PROT_READ | PROT_WRITE, SHARED | MAP_FIXED, -1, 0) != MAP_FAILED &&
        mremap(queue->ring, 0, ring, MREMAP_MAYMOVE | MREMAP_FIXED, queue->ring + ring) != MAP_FAILED)
        return true;
    munmap(all, queue->length);
    return false;
}

static size_t round_up(size_t size, size_t unit) {
    return (size + unit - 1) / unit * unit;
}

static size_t power_of_two_from(size_t least) {
    size_t power = (size_t)sysconf(_SC_PAGESIZE);
    while (power < least)
        power *= 2;
    return power;
}

static bool has_cores(void) {
    cpu_set_t cpus;
    /* A machine of more cores than the set has room for is an error, and has more than one. */
    return sched_getaffinity(0, sizeof cpus, &cpus) != 0 || CPU_COUNT(&cpus) > 1;
}

static void init_shared(struct queue_shared *shared) {
    /* The rest is 0, as it should be. */
    process_lock_init(&shared->producers);
    process_lock_init(&shared->consumers);
}

at_queue *at_queue_create(const at_queue_options *options) {
    size_t capacity = options->capacity != 0 ? round_up(options->capacity, UNIT) : DEFAULT_CAPACITY;
    if (options->capacity > LARGEST_CAPACITY)
        return NULL;
    size_t ring = power_of_two_from(capacity);
    at_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL)
        return NULL;
    if (!map(queue, round_up(sizeof(struct queue_shared), (size_t)sysconf(_SC_PAGESIZE)), ring)) {
        free(queue);
        return NULL;
    }
    queue->units = (uint32_t)(ring / UNIT);
    queue->capacity = (uint32_t)(capacity / UNIT);
    queue->maxsize = options->maxsize == 0 || options->maxsize > UINT32_MAX ? UINT32_MAX : (uint32_t)options->maxsize;
    queue->spins = has_cores();
    queue->descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (queue->descriptor < 0)
        queue->descriptor = -errno;
    init_shared(queue->shared);
    return queue;
}

void at_queue_free(at_queue *queue) {
    if (queue == NULL)
        return;
    if (queue->descriptor >= 0)
        close(queue->descriptor);
    munmap(queue->shared, queue->length);
    free(queue);
}
