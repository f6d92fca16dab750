/* serving_lanes.h: a device of two lanes that obeys the test, its worker, and orders given by hand. */
#ifndef ATELIER_TESTS_SERVING_LANES_H
#define ATELIER_TESTS_SERVING_LANES_H

#include <stdatomic.h>
#include <sys/eventfd.h>

#include "worker.h"

#include "serving.h"

enum { SLOTS = 12, CANARY = SLOTS - 1, MOST_ROWS = 4, ROWS = 16 };

/* ---- a device of two lanes, whose batches are over when the test says so */

enum toy_way { AT_ONCE, WHEN_TOLD };

static struct toy {
    enum toy_way way;
    struct toy_lane {
        struct part parts[DEVICE_BATCH];
        size_t count;
        bool busy;
        atomic_bool over;
    } lanes[DEVICE_LANES];
    atomic_uint begun, finished, most; /* batches; and how many at once */
    uint32_t memory;                   /* rows that it has memory for; 0: for all */
    float never;                       /* a row that begins so has none, even alone */
    int result;                        /* of every finish */
    unsigned faults;
    uint64_t fault_at; /* batches begun before the last fault */
    int bell;
} toy;

static inline uint32_t rows_of(const struct part *parts, size_t count) {
    uint32_t rows = 0;
    for (size_t i = 0; i < count; i++)
        rows += parts[i].rows;
    return rows;
}

static inline bool has_memory(const struct part *parts, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (uint32_t row = 0; row < parts[i].rows; row++)
            if (toy.never > 0 && parts[i].input[row * TINY_INPUTS] >= toy.never &&
                parts[i].input[row * TINY_INPUTS] < toy.never + 1)
                return false;
    return toy.memory == 0 || rows_of(parts, count) <= toy.memory;
}

/* What fail() does, for which Check has a macro. */
static inline int say(struct failure *failure, int code, const char *text) {
    snprintf(failure->text, sizeof failure->text, "%s", text);
    return code;
}

static inline int toy_begin(struct device *device, size_t lane, size_t place, const struct part *parts, size_t count,
                            struct failure *failure) {
    (void)device;
    require(place == 0 && count > 0);
    struct toy_lane *own = &toy.lanes[lane];
    require(!own->busy);
    if (!has_memory(parts, count))
        return say(failure, -EAGAIN, "the toy has no memory for that");
    own->busy = true;
    own->count = count;
    memcpy(own->parts, parts, count * sizeof *parts);
    atomic_store(&own->over, toy.way == AT_ONCE);
    unsigned at_once = atomic_fetch_add(&toy.begun, 1) + 1 - atomic_load(&toy.finished);
    if (at_once > atomic_load(&toy.most))
        atomic_store(&toy.most, at_once);
    return 0;
}

static inline int toy_poll(struct device *device, size_t lane, struct failure *failure) {
    (void)device, (void)failure;
    require(toy.lanes[lane].busy);
    return atomic_load(&toy.lanes[lane].over);
}

static inline int toy_finish(struct device *device, size_t lane, struct failure *failure) {
    (void)device;
    struct toy_lane *own = &toy.lanes[lane];
    require(own->busy);
    await(atomic_load(&own->over));
    for (size_t i = 0; i < own->count; i++)
        for (uint32_t row = 0; row < own->parts[i].rows; row++)
            memcpy(own->parts[i].output + row * TINY_OUTPUTS, own->parts[i].input + row * TINY_INPUTS,
                   TINY_OUTPUTS * sizeof(float));
    own->busy = false;
    atomic_fetch_add(&toy.finished, 1);
    return toy.result == 0 ? 0 : say(failure, toy.result, "the toy is broken");
}

static inline void toy_unload(struct device *device, size_t place) {
    (void)device, (void)place;
    require(atomic_load(&toy.begun) == atomic_load(&toy.finished));
}

static inline void toy_close(struct device *device) {
    (void)device;
}

static inline int toy_fault(struct device *device, int error, struct failure *failure) {
    (void)device, (void)failure;
    require(error == 700);
    toy.faults++;
    toy.fault_at = atomic_load(&toy.begun);
    return 0;
}

static const struct device_kind toy_kind = {.name = "toy",
                                            .unload = toy_unload,
                                            .close = toy_close,
                                            .begin = toy_begin,
                                            .poll = toy_poll,
                                            .finish = toy_finish,
                                            .fault = toy_fault};

static inline void tell(size_t lane) {
    atomic_store(&toy.lanes[lane].over, true);
    if (toy.bell > 0)
        require(eventfd_write(toy.bell, 1) == 0);
}

/* ---- its worker, and its orders */

static struct region *region;
static struct worker worker;
static struct work work;
static int descriptor;

static inline void open_worker(const char *inject) {
    struct failure failure;
    ok(region_new(&region, SLOTS, TINY_INPUTS, TINY_OUTPUTS, MOST_ROWS, &descriptor));
    region->workers = 1;
    region->in_flight = 2;
    snprintf(region->inject, sizeof region->inject, "%s", inject);
    worker = (struct worker){.region = region,
                             .device = "echo",
                             .bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                             .front = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    ok(worker_open(&work, &worker));
    device_close(&work.device);
    work.device.kind = &toy_kind;
    work.device.options.batch = ROWS;
    toy = (struct toy){.bell = work.over};
    ok(model_open(&work.models[0], in_folder("tiny.safetensors"), "", &failure));
}

static inline void set_up(void) {
    make_models();
    open_worker("");
}

static inline void tear_down(void) {
    worker_close(&work);
    close(worker.bell);
    close(worker.front);
    region_free(region);
    close(descriptor);
    remove_folder();
}

static inline struct order *order_number(uint64_t number) {
    return &region->mailboxes[0].orders[number % REGION_ORDERS];
}

static inline void post(void) {
    struct mailbox *mailbox = &region->mailboxes[0];
    atomic_store_explicit(&mailbox->posted, atomic_load(&mailbox->posted) + 1, memory_order_release);
    bell_ring(&mailbox->bell, worker.bell);
}

static inline void post_kind(enum order_kind kind) {
    struct order *order = order_number(atomic_load(&region->mailboxes[0].posted));
    order->kind = kind;
    order->place = 0;
    post();
}

/* A batch of these slots, each with so many rows: slot 3's begin with 30, 31... */
static inline void post_batch(uint32_t first, uint32_t count, uint32_t rows, bool alone) {
    struct order *order = order_number(atomic_load(&region->mailboxes[0].posted));
    order->count = count;
    order->alone = alone;
    for (uint32_t i = 0; i < count; i++) {
        struct slot *slot = region_slot(region, first + i);
        order->slots[i] = first + i;
        order->words[i] = slot_word(SLOT_CLAIMED, 0, 7);
        slot->rows = rows;
        for (uint32_t row = 0; row < rows; row++)
            draw_row((float)(10 * (first + i) + row), region_input(region, first + i) + row * TINY_INPUTS);
        memset(region_output(region, first + i), 0, rows * TINY_OUTPUTS * sizeof(float));
        atomic_store(&slot->word, order->words[i]);
    }
    post_kind(ORDER_INFER);
}

static inline void require_state(uint32_t slot, enum slot_state state) {
    uint64_t word = atomic_load(&region_slot(region, slot)->word);
    ck_assert_msg(word == slot_word(state, 0, 7), "slot %u: %llx", slot, (unsigned long long)word);
}

static inline void require_answered(uint32_t first, uint32_t count) {
    for (uint32_t slot = first; slot < first + count; slot++) {
        require_state(slot, SLOT_DONE);
        for (uint32_t row = 0; row < region_slot(region, slot)->rows; row++)
            require(is_answer(region_output(region, slot) + row * TINY_OUTPUTS, (float)(10 * slot + row), 1));
    }
}

static inline uint64_t finished(void) {
    return atomic_load_explicit(&region->mailboxes[0].finished, memory_order_acquire);
}

#endif
