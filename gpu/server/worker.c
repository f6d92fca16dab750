/* worker.c: one device and what it is asked to do; see worker.h. */
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject.h"

/* An idle worker says this often that it is alive. */
enum { HEARTBEAT_MS = 500 };

/* The status of a process whose device is lost (sysexits.h: EX_SOFTWARE). */
enum { DEVICE_LOST = 70 };

static void give_up(struct work *work, const char *text) {
    struct mailbox *mailbox = work->mailbox;
    snprintf(mailbox->reason, sizeof mailbox->reason, "%s", text);
    atomic_store_explicit(&mailbox->state, MAILBOX_FAILED, memory_order_release); /* the front's load, in reap */
    bell_ring(&work->worker->region->bell, work->worker->front);
    if (work->worker->process)
        _exit(DEVICE_LOST);
}

/* Sleeps until there is an order. */
static void await_order(struct work *work) {
    struct mailbox *mailbox = work->mailbox;
    uint64_t done = work->done;
    for (;;) {
        atomic_store_explicit(&mailbox->heartbeat, now_ns(), memory_order_relaxed);
        if (atomic_load_explicit(&mailbox->posted, memory_order_acquire) != done)
            return;
        bell_sleep(&mailbox->bell);
        if (atomic_load_explicit(&mailbox->posted, memory_order_acquire) == done) {
            struct pollfd bell = {.fd = work->worker->bell, .events = POLLIN};
            poll(&bell, 1, HEARTBEAT_MS);
        }
        bell_awake(&mailbox->bell, work->worker->bell);
    }
}

/* The slots of an order that are still what the front said; their indexes are stored, too. */
static uint32_t gather(struct work *work, const struct order *order, struct part *parts, uint32_t *slots) {
    struct region *region = work->worker->region;
    uint32_t count = 0;
    for (uint32_t i = 0; i < order->count && i < DEVICE_BATCH; i++) {
        struct slot *slot = region_slot(region, order->slots[i]);
        if (atomic_load_explicit(&slot->word, memory_order_acquire) != order->words[i])
            continue;
        parts[count] = (struct part){.input = region_input(region, order->slots[i]),
                                     .output = region_output(region, order->slots[i]),
                                     .rows = slot->rows};
        slots[count++] = i;
    }
    return count;
}

/* Says of each slot that it is done, or has failed: what has been written to it comes first (release). */
static void publish(struct work *work, const struct order *order, const uint32_t *slots, uint32_t count,
                    enum slot_state state) {
    for (uint32_t i = 0; i < count; i++) {
        uint64_t expected = order->words[slots[i]];
        uint64_t word = slot_word(state, work->worker->index, (uint32_t)expected);
        atomic_compare_exchange_strong_explicit(&region_slot(work->worker->region, order->slots[slots[i]])->word,
                                                &expected, word, memory_order_release, memory_order_relaxed);
    }
}

static void infer(struct work *work, struct order *order) {
    struct part parts[DEVICE_BATCH];
    uint32_t slots[DEVICE_BATCH];
    uint32_t count = gather(work, order, parts, slots);
    const struct model *model = order->place < DEVICE_MODELS ? work->models[order->place] : NULL;
    struct failure failure;
    int result = model == NULL ? fail(&failure, -ENOENT, "no model at place %u", order->place) : 0;
    if (result == 0 && count > 0) {
        const char *faults = work->worker->region->inject;
        inject_before(faults, parts, count, model->inputs);
        result = device_infer(&work->device, order->place, parts, count, &failure);
        inject_after(faults, parts, count, model->outputs);
    }
    if (result != 0 && result != -EAGAIN)
        give_up(work, failure.text); /* a process ends here */
    publish(work, order, slots, count, result == 0 ? SLOT_DONE : SLOT_FAILED);
    if (result == 0 && count > 0)
        inject_published(work->worker->region->inject, parts, count, model->inputs);
}

static void load(struct work *work, struct order *order) {
    struct failure failure;
    struct model *model;
    /* The very file that the front has opened, if it can be had, whatever lies there by now under its name. */
    int result = order->file[0] == '\0' ? -ENOENT : model_open(&model, order->file, "", NULL);
    if (result != 0)
        result = model_open(&model, order->source, work->worker->region->folder, &failure);
    if (result == 0 && model->hash != order->hash) {
        result = fail(&failure, -ESTALE, "model %s: its file has been changed while it was loaded; load it again",
                      order->source);
        model_free(model);
    } else if (result == 0 && (result = device_load(&work->device, order->place, model, &failure)) != 0) {
        model_free(model);
    }
    if (result != 0) {
        give_up(work, failure.text);
        return;
    }
    model_free(work->models[order->place]);
    work->models[order->place] = model;
}

static void unload(struct work *work, size_t place) {
    if (work->models[place] == NULL)
        return;
    device_unload(&work->device, place);
    model_free(work->models[place]);
    work->models[place] = NULL;
}

/* False: this was the last order. */
static bool obey(struct work *work, struct order *order) {
    bool valid = order->place < DEVICE_MODELS;
    switch (order->kind) {
    case ORDER_INFER:
        infer(work, order);
        return true;
    case ORDER_LOAD:
        if (valid)
            load(work, order);
        return true;
    case ORDER_UNLOAD:
        if (valid)
            unload(work, order->place);
        return true;
    case ORDER_STOP:
        break;
    }
    return false;
}

bool worker_step(struct work *work) {
    struct mailbox *mailbox = work->mailbox;
    struct order *order = &mailbox->orders[work->done % REGION_ORDERS];
    atomic_store_explicit(&order->started, now_ns(), memory_order_release); /* the front's load, at a death */
    bool more = obey(work, order);
    work->done++;
    atomic_store_explicit(&order->ended, now_ns(), memory_order_relaxed);
    atomic_store_explicit(&mailbox->finished, work->done, memory_order_release); /* the front's load, in collect */
    bell_ring(&work->worker->region->bell, work->worker->front);
    return more;
}

int worker_open(struct work *work, const struct worker *worker) {
    struct region *region = worker->region;
    *work = (struct work){.worker = worker, .mailbox = &region->mailboxes[worker->index]};
    struct device_options options = {.deterministic = region->deterministic, .batch = region->rows};
    struct failure failure;
    inject_start(region->inject);
    int result = device_open(&work->device, worker->device, &options, &failure);
    if (result != 0) {
        give_up(work, failure.text);
        return result;
    }
    atomic_store_explicit(&work->mailbox->state, MAILBOX_OPEN, memory_order_release); /* the front's, in look_at */
    bell_ring(&region->bell, worker->front);
    return 0;
}

void worker_close(struct work *work) {
    for (size_t place = 0; place < DEVICE_MODELS; place++)
        unload(work, place);
    device_close(&work->device);
}

int worker_run(const struct worker *worker) {
    struct work work;
    int result = worker_open(&work, worker);
    if (result != 0)
        return result;
    do
        await_order(&work);
    while (worker_step(&work));
    worker_close(&work);
    return 0;
}

/* A number among the arguments that the front has written. */
static int number(const char *text) {
    return (int)strtol(text, NULL, 10);
}

int worker_main(int argc, char *argv[]) {
    if (argc != 7) {
        fprintf(stderr, "serve --worker: is for the server itself; see serve --help\n");
        return 2;
    }
    struct worker worker = {.index = (size_t)number(argv[2]),
                            .device = argv[3],
                            .bell = number(argv[5]),
                            .front = number(argv[6]),
                            .process = true};
    int result = region_attach(&worker.region, number(argv[4]));
    if (result == 0 && worker.index >= worker.region->workers)
        result = -EINVAL;
    if (result != 0) {
        fprintf(stderr, "serve --worker: descriptor %s: %s\n", argv[4], at_strerror(result));
        return 2;
    }
    result = worker_run(&worker);
    region_free(worker.region);
    return result == 0 ? 0 : DEVICE_LOST;
}
