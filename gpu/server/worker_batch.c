/* worker_batch.c: a batch in a worker: out of its slots, through a lane of the device, and back; see worker.h. */
#include <errno.h>

#include "worker.h"

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
static void publish(struct work *work, const struct flight *flight, bool right) {
    const struct order *order = flight->order;
    for (uint32_t i = 0; i < flight->count; i++) {
        uint64_t expected = order->words[flight->slots[i]];
        enum slot_state state = right && !flight->failed[i] ? SLOT_DONE : SLOT_FAILED;
        uint64_t word = slot_word(state, work->worker->index, (uint32_t)expected);
        struct slot *slot = region_slot(work->worker->region, order->slots[flight->slots[i]]);
        atomic_compare_exchange_strong_explicit(&slot->word, &expected, word, memory_order_release,
                                                memory_order_relaxed);
    }
}

static const struct model *model_of(const struct work *work, const struct flight *flight) {
    uint32_t place = flight->order->place;
    return place < DEVICE_MODELS ? work->models[place] : NULL;
}

/* ---- a device that is broken on purpose */

/* A canary lies in the worker's own slot, behind those of the requests. */
static bool is_canary(const struct region *region, const struct order *order) {
    return order->slots[0] >= region->slots - region->workers;
}

/* The counter is all workers': none of them begins a batch by it, so its order is nobody's business. */
static bool has_its_turn(struct region *region, uint32_t times) {
    return times == UINT32_MAX || atomic_fetch_add_explicit(&region->broken, 1, memory_order_relaxed) < times;
}

static int break_device(struct work *work, struct flight *flight) {
    struct region *region = work->worker->region;
    if (is_canary(region, flight->order))
        return 0;
    work->batches++;
    if (!work->breaks || work->batches != work->fault.batch || !has_its_turn(region, work->fault.times))
        return 0;
    int result = device_fault(&work->device, work->fault.error, &flight->failure);
    if (result != -ENOTSUP)
        return result;
    fprintf(stderr, "serve: worker %zu (%s): --inject cuda: %s\n", work->worker->index, work->worker->device,
            flight->failure.text);
    return 0;
}

/* ---- its beginning */

void flight_begin(struct work *work, size_t lane) {
    struct flight *flight = &work->flights[lane];
    const struct model *model = model_of(work, flight);
    flight->count = gather(work, flight->order, flight->parts, flight->slots);
    for (uint32_t i = 0; i < flight->count; i++)
        flight->failed[i] = false;
    flight->result = model != NULL ? 0 : fail(&flight->failure, -ENOENT, "no model at place %u", flight->order->place);
    if (flight->result != 0 || flight->count == 0)
        return;
    inject_before(work->worker->region->inject, flight->parts, flight->count, model->inputs);
    flight->result = break_device(work, flight);
    if (flight->result == 0)
        flight->result =
            device_begin(&work->device, lane, flight->order->place, flight->parts, flight->count, &flight->failure);
}

/* ---- its end, when memory was short */

/* Those rows of a flight, from the first: its parts, cut to them. */
static size_t cut(const struct flight *flight, const struct model *model, uint32_t first, uint32_t rows,
                  struct part *parts) {
    size_t count = 0;
    for (uint32_t i = 0, before = 0; i < flight->count && rows > 0; before += flight->parts[i++].rows) {
        const struct part *part = &flight->parts[i];
        if (before + part->rows <= first)
            continue;
        uint32_t skipped = first - before, left = part->rows - skipped, taken = left < rows ? left : rows;
        parts[count++] = (struct part){.input = part->input + (size_t)skipped * model->inputs,
                                       .output = part->output + (size_t)skipped * model->outputs,
                                       .rows = taken};
        first += taken;
        rows -= taken;
    }
    return count;
}

static void fail_row(struct flight *flight, uint32_t row) {
    for (uint32_t i = 0, before = 0; i < flight->count; before += flight->parts[i++].rows)
        if (row >= before && row - before < flight->parts[i].rows)
            flight->failed[i] = true;
}

/*
 * Runs them in the flight's lane, which is free; in halves as long as memory is short. Rows that it is short for even
 * alone fail with their requests.
 */
static int infer_rows(struct work *work, size_t lane, uint32_t first, uint32_t rows) {
    struct flight *flight = &work->flights[lane];
    struct part parts[DEVICE_BATCH];
    size_t count = cut(flight, model_of(work, flight), first, rows, parts);
    int result = device_begin(&work->device, lane, flight->order->place, parts, count, &flight->failure);
    if (result == 0)
        result = device_finish(&work->device, lane, &flight->failure);
    if (result != -EAGAIN)
        return result;
    if (rows == 1) {
        fail_row(flight, first);
        return 0;
    }
    result = infer_rows(work, lane, first, rows / 2);
    return result != 0 ? result : infer_rows(work, lane, first + rows / 2, rows - rows / 2);
}

static int infer_in_halves(struct work *work, size_t lane) {
    const struct flight *flight = &work->flights[lane];
    uint32_t rows = 0;
    for (uint32_t i = 0; i < flight->count; i++)
        rows += flight->parts[i].rows;
    if (rows == 1)
        return -EAGAIN;
    int result = infer_rows(work, lane, 0, rows / 2);
    return result != 0 ? result : infer_rows(work, lane, rows / 2, rows - rows / 2);
}

/* ---- its end */

void flight_finish(struct work *work, size_t lane) {
    struct flight *flight = &work->flights[lane];
    const struct model *model = model_of(work, flight);
    const char *faults = work->worker->region->inject;
    int result = flight->result;
    if (result == 0 && flight->count > 0)
        result = device_finish(&work->device, lane, &flight->failure);
    if (result == -EAGAIN)
        result = infer_in_halves(work, lane);
    if (result == 0 && flight->count > 0)
        inject_after(faults, flight->parts, flight->count, model->outputs);
    if (result != 0 && result != -EAGAIN && model != NULL)  /* without one: see load */
        worker_give_up(work, result, flight->failure.text); /* a process ends here */
    publish(work, flight, result == 0);
    if (result == 0 && flight->count > 0)
        inject_published(faults, flight->parts, flight->count, model->inputs);
}
