/* region.h: the memory that the front and its workers share: a slot for each request, a mailbox for each worker. */
#ifndef GPU_REGION_H
#define GPU_REGION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device.h"

/*
 * Who may change what. Each word has one writer at any time, so nothing here needs a lock, and no death leaves one:
 *   - slots are given out and taken back by the front alone, from a list that nobody else sees;
 *   - a slot's state goes from FREE over FILLING and QUEUED to CLAIMED by the front, then to DONE or FAILED by the
 *     worker that it names, and back to FREE, or to QUEUED after that worker's death, by the front;
 *   - each time that a slot goes back, its generation rises: what a worker says about an older one is not heard;
 *   - a mailbox has a ring of orders, written by the front and counted in `posted`, done by the worker and counted in
 *     `finished`. When the worker has died, and only then, the front begins the mailbox anew.
 * The front trusts nothing that a worker can write: indexes it keeps for itself, sizes the worker can only read.
 */

enum { REGION_WORKERS = 64, REGION_ORDERS = 16, REGION_SOURCE = 512, REGION_REASON = 400, REGION_DESCRIPTION = 200 };

enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_QUEUED, SLOT_CLAIMED, SLOT_DONE, SLOT_FAILED };

/* A slot's word: its state, who has it, and which use of the slot this is. */
static inline uint64_t slot_word(enum slot_state state, size_t worker, uint32_t generation) {
    return (uint64_t)state << 56 | (uint64_t)(worker & 0xffff) << 32 | generation;
}
static inline enum slot_state slot_state_of(uint64_t word) {
    return (enum slot_state)(word >> 56);
}

struct slot {
    _Alignas(64) _Atomic uint64_t word;
    uint32_t rows; /* the front's, before it is QUEUED */
};

enum order_kind { ORDER_INFER, ORDER_LOAD, ORDER_UNLOAD, ORDER_STOP };

/* What the front asks a worker to do. The results are valid once the order counts as finished. */
struct order {
    enum order_kind kind;
    uint32_t place; /* of the model */
    uint32_t count; /* slots of an ORDER_INFER */
    bool alone;     /* no other is to be on the device at the same time */
    uint32_t slots[DEVICE_BATCH];
    uint64_t words[DEVICE_BATCH]; /* what each slot's word has to be, else the worker leaves it alone */
    char source[REGION_SOURCE];   /* ORDER_LOAD: of the model */
    char file[32];                /* where the front keeps its file open; "": it has none */
    uint64_t hash;                /* and what it must be */
    /*
     * Results: nanoseconds of the monotonic clock; 0: not yet. `started` is when the device got it; once it has ended,
     * when the device was through with the one before, if that came later.
     */
    _Atomic uint64_t started, ended;
};

/* Whoever sleeps says so, and only then costs it the other side a system call to wake it. */
struct bell {
    _Alignas(64) _Atomic uint32_t asleep;
    /* The sleeper's own. Who rings takes `asleep` away first and writes then: until that write has come, it is owed. */
    bool sleeping;
    uint64_t owed;
};

enum mailbox_state { MAILBOX_NEW, MAILBOX_OPEN, MAILBOX_FAILED };

struct mailbox {
    _Alignas(64) _Atomic uint64_t posted;   /* by the front; with it, what is in the order */
    _Alignas(64) _Atomic uint64_t finished; /* by the worker; with it, what is in the slots */
    _Atomic uint64_t heartbeat;             /* the worker was alive: nanoseconds of the monotonic clock */
    _Atomic uint32_t state;                 /* enum mailbox_state, of the worker */
    char reason[REGION_REASON];             /* why it ends; valid with MAILBOX_FAILED */
    char description[REGION_DESCRIPTION];   /* of its device; valid with MAILBOX_OPEN */
    struct bell bell;                       /* of the worker */
    struct order orders[REGION_ORDERS];
};

enum { REGION_PAGE = 4096 };

struct region {
    /* The front's alone: a worker can only read the page on which this is (region_attach). */
    uint64_t magic;
    uint32_t workers, slots;
    uint32_t inputs, outputs, rows; /* a slot has room for `rows` rows of so many numbers */
    size_t slots_at, slot_size;     /* bytes from the beginning */
    char folder[REGION_SOURCE];     /* of the models */
    bool deterministic;
    uint32_t in_flight;         /* orders of ORDER_INFER that a worker is given at once */
    char inject[REGION_REASON]; /* faults on purpose: inject.h */
    char to_the_next_page[REGION_PAGE];
    struct bell bell;        /* of the front */
    _Atomic uint32_t broken; /* how often a device has been broken on purpose, of all workers: inject.h */
    struct mailbox mailboxes[REGION_WORKERS];
};

/*
 * Makes one, and stores a descriptor of it to be passed to workers, which the caller closes. region_free takes it out
 * of this process. Errors: -ENOMEM, -EMFILE...
 */
int region_new(struct region **region, uint32_t slots, uint32_t inputs, uint32_t outputs, uint32_t rows,
               int *descriptor) AT_MUST_CHECK;
/* A worker's view of one. -EINVAL: it is none, or of another version of this program. */
int region_attach(struct region **region, int descriptor) AT_MUST_CHECK;
void region_free(struct region *region);

struct slot *region_slot(struct region *region, uint32_t index);
float *region_input(struct region *region, uint32_t index);
float *region_output(struct region *region, uint32_t index);
/* The whole pages in which all slots lie, for a device that reads and writes there itself. */
void region_slots(struct region *region, void **memory, size_t *size);

/*
 * Rings for the other side after a change, by a write to its eventfd if it sleeps. bell_sleep says that this side will
 * sleep, and must be followed by another look at what it waits for; bell_awake takes it back and empties the eventfd.
 */
void bell_ring(struct bell *bell, int descriptor);
void bell_sleep(struct bell *bell);
void bell_awake(struct bell *bell, int descriptor);
/* Nobody has slept or rung yet: for one who takes the place of a dead one. */
void bell_reset(struct bell *bell, int descriptor);

/* Nanoseconds on the monotonic clock. */
uint64_t now_ns(void);

#endif
