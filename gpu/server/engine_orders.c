/* engine_orders.c: what workers are told to do; and models loaded, and tried by a canary before anybody is answered. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "engine_internal.h"

/* By how much a canary's answer may differ from the reference in float32: no probability of a sound device does. */
static const float CANARY_TOLERANCE = 1e-2F;

/*
 * And in fewer bits, as a part of the row's largest number: some tens of roundings, of 2^-11 or 2^-8 each. Models of
 * 2 to 16 layers, with weights and inputs rounded so, were off by 0.1 and 0.5 percent at most; a constant, or the
 * answer to another row, is further off than these bounds. A model beyond them is of no use in so few bits.
 */
static const struct {
    const char *option;
    float tolerance;
} FEWER_BITS[] = {{":tf32", 0.03F}, {":fp16", 0.03F}, {":bf16", 0.1F}};

bool worker_has_room(const struct worker_record *worker, size_t orders) {
    return worker->posted - worker->answered_orders + orders <= REGION_ORDERS;
}

struct order *worker_next_order(struct engine *engine, struct worker_record *worker, enum order_kind kind, size_t place,
                                struct record **record) {
    struct order *order = &mailbox_of(engine, worker)->orders[worker->posted % REGION_ORDERS];
    order->kind = kind;
    order->place = (uint32_t)place;
    order->count = 0;
    order->alone = false;
    atomic_store_explicit(&order->started, 0, memory_order_relaxed);
    atomic_store_explicit(&order->ended, 0, memory_order_relaxed);
    *record = &worker->records[worker->posted % REGION_ORDERS];
    (*record)->kind = kind;
    (*record)->canary = false;
    (*record)->place = (uint32_t)place;
    (*record)->count = (*record)->rows = 0;
    (*record)->deadline = 0;
    return order;
}

void worker_post(struct engine *engine, struct worker_record *worker, uint64_t now) {
    struct mailbox *mailbox = mailbox_of(engine, worker);
    struct record *record = &worker->records[worker->posted % REGION_ORDERS];
    if (worker->posted == worker->collected)
        worker->since = now;
    record->posted = now;
    worker->in_flight += record->kind == ORDER_INFER && !record->canary;
    worker->posted++;
    atomic_store_explicit(&mailbox->posted, worker->posted, memory_order_release); /* the load in has_order */
    bell_ring(&mailbox->bell, worker->worker.bell);
}

/* Loads a model, and tries it: what comes out must be what the reference says. */
static void post_load(struct engine *engine, struct worker_record *worker, size_t place, uint64_t now) {
    const struct model_record *model = &engine->models[place];
    struct record *record;
    struct order *order = worker_next_order(engine, worker, ORDER_LOAD, place, &record);
    snprintf(order->source, sizeof order->source, "%s", model->source);
    order->file[0] = '\0';
    if (model->now.is_file)
        snprintf(order->file, sizeof order->file, "/proc/%d/fd/%d", (int)getpid(), model->now.file);
    order->hash = model->now.hash;
    worker_post(engine, worker, now);

    uint32_t index = (uint32_t)(engine->slots + worker->worker.index);
    struct slot *slot = region_slot(engine->region, index);
    /* A word of its own for each trial, so that a canary left over by a dead worker is not taken for this one. */
    uint32_t generation = (uint32_t)atomic_load_explicit(&slot->word, memory_order_relaxed) + 1;
    memcpy(region_input(engine->region, index), model->now.input, model->now.inputs * sizeof(float));
    memset(region_output(engine->region, index), 0, model->now.outputs * sizeof(float));
    slot->rows = 1;
    order = worker_next_order(engine, worker, ORDER_INFER, place, &record);
    record->canary = true;
    record->rows = 1;
    order->count = 1;
    order->slots[0] = index;
    order->words[0] = slot_word(SLOT_CLAIMED, worker->worker.index, generation);
    atomic_store_explicit(&slot->word, order->words[0], memory_order_release);
    worker_post(engine, worker, now);
}

void worker_post_loads(struct engine *engine, struct worker_record *worker, uint64_t now) {
    for (size_t place = 0; place < engine->model_count; place++) {
        uint32_t bit = 1U << place;
        if ((worker->to_unload & bit) != 0 && worker_has_room(worker, 1)) {
            worker->to_unload &= ~bit;
            worker->has &= ~bit;
            worker->loaded &= ~bit;
            struct record *record;
            worker_next_order(engine, worker, ORDER_UNLOAD, place, &record);
            worker_post(engine, worker, now);
        }
        /* One canary at a time: they share the worker's slot. */
        if ((worker->to_load & bit) != 0 && worker->posted == worker->collected) {
            worker->to_load &= ~bit;
            worker->has |= bit;
            post_load(engine, worker, place, now);
        }
    }
}

bool canary_matches(const char *device, const float *output, const float *reference, uint32_t count) {
    float fewer_bits = 0, largest = 0;
    for (size_t i = 0; i < sizeof FEWER_BITS / sizeof *FEWER_BITS; i++)
        if (strstr(device, FEWER_BITS[i].option) != NULL)
            fewer_bits = FEWER_BITS[i].tolerance;
    for (uint32_t i = 0; i < count; i++)
        largest = fmaxf(largest, fabsf(reference[i]));
    for (uint32_t i = 0; i < count; i++) {
        float tolerance = fewer_bits > 0 ? fewer_bits * largest : CANARY_TOLERANCE * fmaxf(1, fabsf(reference[i]));
        if (!(fabsf(output[i] - reference[i]) <= tolerance)) /* so written, NaN is wrong */
            return false;
    }
    return true;
}

/* Whether the worker could try the model at all: it could not load one that its device has no room for. */
static bool was_tried(const struct engine *engine, const struct worker_record *worker) {
    struct slot *slot = region_slot(engine->region, (uint32_t)(engine->slots + worker->worker.index));
    return slot_state_of(atomic_load_explicit(&slot->word, memory_order_acquire)) == SLOT_DONE; /* publish */
}

/* A canary has come back. False: it is not what the reference says, so nothing that comes from this device is. */
static bool canary_is_right(const struct engine *engine, const struct worker_record *worker, size_t place) {
    uint32_t index = (uint32_t)(engine->slots + worker->worker.index);
    const struct prepared *model = &engine->models[place].now;
    return worker->simulated ||
           canary_matches(worker->worker.device, region_output(engine->region, index), model->output, model->outputs);
}

void worker_canary(struct engine *engine, struct worker_record *worker, size_t place, uint64_t now) {
    engine->due = true; /* the next model, or all are there */
    bool tried = was_tried(engine, worker);
    if (tried && canary_is_right(engine, worker, place)) {
        worker->loaded |= 1U << place;
        return;
    }
    if (worker->state == WORKER_READY && model_give_up(engine, place, tried))
        return;
    char why[150];
    snprintf(why, sizeof why,
             tried ? "its answer to the canary of model %s is wrong, killed" : "it has no room for model %s, killed",
             engine->models[place].name);
    if (engine->options.mode == ENGINE_PROCESSES) {
        child_kill(&worker->child, why);
        return;
    }
    snprintf(worker->reason, sizeof worker->reason, "%s", why);
    fprintf(stderr, "serve: worker %zu (%s): %s\n", worker->worker.index, worker->worker.device, why);
    worker_set_state(engine, worker, WORKER_OUT, now);
}
