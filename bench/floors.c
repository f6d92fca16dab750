/* floors.c: the least that can carry a message between two processes: a ring of spinning, a bare futex, a memcpy. */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "console.h"
#include "subjects.h"
#include "traffic.h"

static void *shared(const char *name, size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        note("bench: %s: mmap: %s", name, strerror(errno));
        return NULL;
    }
    return memory;
}

/* Sizes that the compiler knows need no call. */
static inline void copy(void *to, const void *from, size_t size) {
    if (size == 8)
        memcpy(to, from, 8);
    else if (size == 64)
        memcpy(to, from, 64);
    else
        memcpy(to, from, size);
}

/*
 * The ring: one producer, one consumer, slots of the message's size. Each side keeps the other's index as it last saw
 * it, and looks again only when it must wait; nobody sleeps, and nobody survives the other's death.
 */
enum { RING_BYTES = 2 * LARGEST, RING_SLOTS = 32768 };

struct ring {
    _Alignas(128) _Atomic size_t head; /* put so far; released by the producer, after the slot's bytes */
    _Alignas(128) _Atomic size_t tail; /* taken so far; released by the consumer, when it has the slot's bytes */
    _Alignas(128) char slots[RING_BYTES];
};

struct side {
    size_t mine, theirs; /* how far I am, and how far the other was when I last looked */
};

static struct ring *rings; /* one for each lane */
static size_t ring_slots;  /* a power of two */
static size_t spin_length;
static bool crowded;
static struct side putting[LANES], getting[LANES]; /* each process has its own */

static bool ring_open(void) {
    size_t fitting = RING_BYTES / traffic.size;
    ring_slots = traffic.one_at_a_time ? 1 : fitting < RING_SLOTS ? fitting : RING_SLOTS;
    while ((ring_slots & (ring_slots - 1)) != 0)
        ring_slots--;
    crowded = 2 * traffic.pairs > cores_at_hand();
    spin_length = traffic.trip || traffic.one_at_a_time ? 1 : 512;
    memset(putting, 0, sizeof putting);
    memset(getting, 0, sizeof getting);
    rings = shared("the spin ring", LANES * sizeof *rings);
    return rings != NULL;
}

static void ring_close(void) {
    munmap(rings, LANES * sizeof *rings);
}

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/*
 * Between two looks at the other's index. In a backlog it is better to let some messages gather than to fetch the
 * index's cache line for each. Only with more processes than cores the core is given up: the one waited for may be
 * waiting for it. Where others want the core, too, it would be a long time before it comes back.
 */
static inline void spin(void) {
    if (crowded)
        sched_yield();
    for (size_t i = 0; i < spin_length; i++)
        relax();
}

static inline bool ring_put(size_t lane, const void *data, size_t size) {
    struct ring *ring = &rings[lane];
    struct side *side = &putting[lane];
    while (side->mine - side->theirs == ring_slots) {
        side->theirs = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (side->mine - side->theirs == ring_slots)
            spin();
    }
    copy(ring->slots + (side->mine & (ring_slots - 1)) * size, data, size);
    atomic_store_explicit(&ring->head, ++side->mine, memory_order_release);
    return true;
}

static inline bool ring_get(size_t lane, void *data, size_t size) {
    struct ring *ring = &rings[lane];
    struct side *side = &getting[lane];
    while (side->theirs == side->mine) {
        side->theirs = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (side->theirs == side->mine)
            spin();
    }
    copy(data, ring->slots + (side->mine & (ring_slots - 1)) * size, size);
    atomic_store_explicit(&ring->tail, ++side->mine, memory_order_release);
    return true;
}

CHANNEL(ring, "SPSC spin ring", true)

/* The futex: one message at a time, a sleep for each. Only for trips, where each side waits for the other anyway. */
struct letter {
    _Alignas(128) _Atomic uint32_t written; /* futex: letters so far; released by the writer, after the bytes */
    char data[128];
};

static struct letter *letters; /* one for each lane */
static uint32_t letters_read[LANES];

static bool futex_open(void) {
    memset(letters_read, 0, sizeof letters_read);
    letters = shared("the futex", LANES * sizeof *letters);
    return letters != NULL && traffic.size <= sizeof letters->data;
}

static void futex_close(void) {
    munmap(letters, LANES * sizeof *letters);
}

static inline bool futex_put(size_t lane, const void *data, size_t size) {
    copy(letters[lane].data, data, size);
    atomic_fetch_add_explicit(&letters[lane].written, 1, memory_order_release);
    return syscall(SYS_futex, &letters[lane].written, FUTEX_WAKE, 1, NULL, NULL, 0) >= 0;
}

static inline bool futex_get(size_t lane, void *data, size_t size) {
    uint32_t seen = letters_read[lane];
    while (atomic_load_explicit(&letters[lane].written, memory_order_acquire) == seen)
        if (syscall(SYS_futex, &letters[lane].written, FUTEX_WAIT, seen, NULL, NULL, 0) != 0 && errno != EAGAIN &&
            errno != EINTR)
            return false;
    letters_read[lane]++;
    copy(data, letters[lane].data, size);
    return true;
}

CHANNEL(futex, "two futexes", false)

/* The memcpy: one copy of one message, within this process. A queue needs two, at best at the same time. */
size_t memcpy_take(struct observation *samples, size_t count) {
    enum { COPIES = 8 };
    static char *from, *to;
    if (from == NULL) {
        from = need(1, LARGEST);
        to = need(1, LARGEST);
        memset(from, 1, LARGEST);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t start = now_ns();
        for (size_t copies = 0; copies < COPIES; copies++) {
            stamp(from, traffic.size, copies);
            memcpy(to, from, traffic.size);
            __asm__ volatile("" : : "r"(to) : "memory");
        }
        samples[i] = (struct observation){.ns = (double)(now_ns() - start) / COPIES};
        if (stamped(to, traffic.size) != COPIES - 1)
            wrong_result("memcpy: another number came out");
    }
    return count;
}
