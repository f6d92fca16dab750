/* engine_batches.c: from waiting to running to answered: batches for workers that are free, and their ends. */
#include <string.h>
#include <time.h>

#include "engine_internal.h"

/* ---- answers */

static uint64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void add(struct tally *tally, uint64_t from, uint64_t to) {
    tally->count++;
    tally->nanoseconds += to > from ? to - from : 0;
}

/* One of a batch that a worker says is done: its slot must say so, too. */
static void finish_request(struct engine *engine, const struct worker_record *worker, struct request *request) {
    uint64_t word = atomic_load_explicit(&region_slot(engine->region, request->slot)->word, memory_order_acquire);
    struct problem problem = {.status = 0};
    if (word != slot_word(SLOT_DONE, worker->worker.index, request->generation)) {
        refuse(&problem, 500, "device %s failed, and gave no answer", worker->worker.device);
        engine->models[request->task.waiting.model].statistics.failed_worker += !request->abandoned;
    }
    request->state = SLOT_DONE;
    request_end(engine, request, &problem);
}

static void count_batch(struct engine *engine, struct worker_record *worker, const struct record *record,
                        uint64_t started, uint64_t ended, uint64_t now) {
    struct model_statistics *statistics = &engine->models[record->place].statistics;
    struct batch_tally *size = &statistics->sizes[record->rows];
    add(&size->input, record->posted, started);
    add(&size->infer, started, ended);
    add(&size->output, ended, now);
    for (uint32_t i = 0; i < record->count; i++) {
        add(&statistics->queue, record->requests[i]->submitted, record->posted);
        add(&statistics->input, record->posted, started);
        add(&statistics->infer, started, ended);
        add(&statistics->output, ended, now);
    }
    statistics->rows += record->rows;
    statistics->batches++;
    statistics->last = wall_ms();
    worker->batches++;
    worker->requests += record->count;
    worker->answered += record->count;
    worker->rows += record->rows;
    worker->busy += ended - started;
    worker->place = record->place;
}

static void finish_order(struct engine *engine, struct worker_record *worker, struct record *record) {
    const struct order *order = &mailbox_of(engine, worker)->orders[worker->collected % REGION_ORDERS];
    uint64_t now = now_ns();
    uint64_t started = atomic_load_explicit(&order->started, memory_order_relaxed);
    uint64_t ended = atomic_load_explicit(&order->ended, memory_order_relaxed);
    if (started < record->posted || ended < started || ended > now) /* a worker's word is not trusted */
        started = ended = now;
    /* What it took as the front sees it, handed over and collected: that is what a deadline has to bear. */
    uint64_t taken = now - (record->posted > worker->since ? record->posted : worker->since);
    worker->since = now;
    if (record->kind != ORDER_INFER)
        return;
    trace_batch(engine, worker, record, started, ended);
    if (record->canary) {
        /* The first that is known of what the model takes here: so a first batch that hangs is found out soon. */
        if (worker->costs[record->place].n == 0)
            cost_learn(&worker->costs[record->place], record->rows, taken);
        worker_canary(engine, worker, record->place, now);
        return;
    }
    worker->in_flight--;
    count_batch(engine, worker, record, started, ended, now);
    cost_learn(&worker->costs[record->place], record->rows, taken);
}

void batches_collect(struct engine *engine, struct worker_record *worker) {
    uint64_t finished = atomic_load_explicit(&mailbox_of(engine, worker)->finished,
                                             memory_order_acquire); /* the store in worker_step */
    if (finished > worker->posted)
        finished = worker->posted;
    while (worker->collected < finished) {
        finish_order(engine, worker, &worker->records[worker->collected % REGION_ORDERS]);
        worker->collected++;
    }
}

void batches_answer(struct engine *engine, struct worker_record *worker) {
    for (; worker->answered_orders < worker->collected; worker->answered_orders++) {
        const struct record *record = &worker->records[worker->answered_orders % REGION_ORDERS];
        for (uint32_t i = 0; i < record->count; i++)
            finish_request(engine, worker, record->requests[i]);
    }
}

/* ---- deaths */

/*
 * Whether its share in the death, or its bad luck, was too much. A request that another batch was on the device with
 * may have had no share in it: it is to run alone next time, as after a shot that has hit it often.
 */
static bool is_poison(struct request *request, const struct record *record, enum death death) {
    if (death != DEATH_OF_ONE) {
        request->shots++;
        request->task.waiting.alone =
            request->task.waiting.alone || death == DEATH_OF_SEVERAL || request->shots >= TASK_SHOTS_TOGETHER;
        return request->shots >= TASK_SHOTS;
    }
    if (record->count == 1)
        request->deaths_alone++;
    request->task.waiting.alone = true;
    return request->deaths_alone >= TASK_DEATHS_ALONE;
}

/* Its worker has died: unless the answer is there already, it waits again, under a new generation. */
static void revive(struct engine *engine, struct worker_record *worker, struct request *request,
                   const struct record *record, enum death death) {
    struct slot *slot = region_slot(engine->region, request->slot);
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);
    if (word == slot_word(SLOT_DONE, worker->worker.index, request->generation)) {
        finish_request(engine, worker, request);
        return;
    }
    request->generation++;
    request->state = SLOT_QUEUED;
    atomic_store_explicit(&slot->word, slot_word(SLOT_QUEUED, 0, request->generation), memory_order_release);
    struct problem nobody = {.status = 0};
    if (request->abandoned) {
        request_end(engine, request, &nobody);
    } else if (death != DEATH_OF_OTHERS && is_poison(request, record, death)) {
        engine->models[record->place].statistics.quarantined++;
        request_fail(engine, request, 500, "request quarantined: each worker that ran it died; it is not tried again");
    } else {
        worker->retried++;
        batching_return(engine->batching, &request->task.waiting);
    }
}

void batch_died(struct engine *engine, struct worker_record *worker, const struct record *record, enum death death) {
    for (uint32_t i = record->count; i-- > 0;)
        revive(engine, worker, record->requests[i], record, death);
}

/* ---- batches */

/* A worker that is free, beginning with the one behind the last that was asked; how many there are is stored. */
static struct worker_record *free_worker(struct engine *engine, size_t *free) {
    struct worker_record *best = NULL;
    *free = 0;
    for (size_t i = 0; i < engine->worker_count; i++) {
        struct worker_record *worker = &engine->workers[(engine->turn + i) % engine->worker_count];
        if (worker->state != WORKER_READY || worker->in_flight >= engine->options.in_flight ||
            !worker_has_room(worker, 1) || worker->child.killed)
            continue;
        if (worker->to_load != 0) /* that begins when it has nothing else to do: with two batches at once, never else */
            continue;
        ++*free;
        if (best == NULL || worker->in_flight < best->in_flight)
            best = worker;
    }
    return best;
}

static void post_batch(struct engine *engine, struct worker_record *worker, struct waiting **batch, size_t count,
                       uint64_t now) {
    struct record *record;
    struct order *order = worker_next_order(engine, worker, ORDER_INFER, batch[0]->model, &record);
    record->count = order->count = (uint32_t)count;
    order->alone = batch[0]->alone;
    for (size_t i = 0; i < count; i++)
        record->rows += batch[i]->rows;
    for (size_t i = 0; i < count; i++) {
        struct request *request = (struct request *)batch[i];
        uint64_t word = slot_word(SLOT_CLAIMED, worker->worker.index, request->generation);
        record->requests[i] = request;
        if (batch[i]->deadline != 0 && (record->deadline == 0 || batch[i]->deadline < record->deadline))
            record->deadline = batch[i]->deadline;
        order->slots[i] = request->slot;
        order->words[i] = word;
        request->state = SLOT_CLAIMED;
        request->task.service =
            (struct infer_service){.device = worker->worker.device,
                                   .worker = engine->options.number + (unsigned)worker->worker.index,
                                   .batch = record->rows,
                                   .simulated = worker->simulated};
        atomic_store_explicit(&region_slot(engine->region, request->slot)->word, word, memory_order_release);
    }
    worker_post(engine, worker, now);
}

/* What a batch takes that is started now: behind those that the worker has already, if it may have several. */
static struct cost cost_now(const struct worker_record *worker, uint32_t model) {
    struct cost cost = worker->costs[model];
    for (uint64_t order = worker->collected; order < worker->posted; order++) {
        const struct record *record = &worker->records[order % REGION_ORDERS];
        cost.alpha += (double)cost_predict(&worker->costs[record->place], record->rows);
    }
    return cost;
}

static void start_batches(struct engine *engine, uint64_t now) {
    struct waiting *batch[DEVICE_BATCH];
    struct worker_record *worker;
    size_t free;
    while (batching_requests(engine->batching) > 0 && (worker = free_worker(engine, &free)) != NULL) {
        struct cost cost = cost_now(worker, batching_model(engine->batching));
        size_t count = batching_take(engine->batching, now, &cost, free, batch, DEVICE_BATCH);
        if (count == 0)
            return;
        engine->turn = worker->worker.index + 1;
        post_batch(engine, worker, batch, count, now);
    }
}

/* ---- time */

/* What the next batch takes at least (batching_least). */
static uint64_t least_time(const struct engine *engine) {
    const struct cost *fastest = NULL;
    uint32_t model = batching_model(engine->batching);
    size_t ready = 0;
    for (size_t i = 0; i < engine->worker_count; i++) {
        const struct worker_record *worker = &engine->workers[i];
        if (worker->state != WORKER_READY)
            continue;
        if (worker->in_flight < engine->options.in_flight && !worker->child.killed)
            return 0; /* it is free: to give up what it could do would be to learn nothing any more (batching.h) */
        ready++;
        const struct cost *cost = &worker->costs[model];
        if (fastest == NULL || cost_predict(cost, 1) < cost_predict(fastest, 1))
            fastest = cost;
    }
    return fastest == NULL ? 0 : batching_least(engine->batching, fastest, ready);
}

static void too_late(struct engine *engine, struct request *request, const char *text) {
    engine->models[request->task.waiting.model].statistics.rejected_late++;
    request_fail(engine, request, 504, text);
}

/* Those that run on a worker whose answer will come too late: their clients are told now. */
static void give_up_running(struct engine *engine, struct record *record, uint64_t now) {
    uint64_t next = 0;
    for (uint32_t i = 0; i < record->count; i++) {
        struct request *request = record->requests[i];
        uint64_t deadline = request->task.waiting.deadline;
        if (request->abandoned || deadline == 0)
            continue;
        if (deadline <= now)
            too_late(engine, request, "deadline passed while the request was computed");
        else if (next == 0 || deadline < next)
            next = deadline;
    }
    record->deadline = next;
}

/* The earliest deadline of what runs, UINT64_MAX without one. */
static uint64_t running_deadline(const struct engine *engine) {
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < engine->worker_count; i++) {
        const struct worker_record *worker = &engine->workers[i];
        for (uint64_t order = worker->collected; order < worker->posted; order++) {
            const struct record *record = &worker->records[order % REGION_ORDERS];
            if (record->deadline != 0 && record->deadline < next)
                next = record->deadline;
        }
    }
    return next;
}

static void give_up_late(struct engine *engine, uint64_t now) {
    struct waiting *late;
    while ((late = batching_give_up(engine->batching, now, least_time(engine))) != NULL)
        too_late(engine, (struct request *)late, "deadline passed, or not to be met, while the request waited");
    if (running_deadline(engine) > now)
        return;
    for (size_t i = 0; i < engine->worker_count; i++) {
        struct worker_record *worker = &engine->workers[i];
        for (uint64_t order = worker->collected; order < worker->posted; order++)
            give_up_running(engine, &worker->records[order % REGION_ORDERS], now);
    }
}

void batches_turn(struct engine *engine, uint64_t now) {
    give_up_late(engine, now);
    if (!any_worker_left(engine))
        for (size_t i = 0; i < engine->slots; i++)
            if (engine->requests[i].state == SLOT_QUEUED)
                request_fail(engine, &engine->requests[i], 503, "no device is left that works");
    start_batches(engine, now);
}

uint64_t batches_next(const struct engine *engine, uint64_t now) {
    uint64_t running = running_deadline(engine), waiting = batching_next(engine->batching, now, least_time(engine));
    return running < waiting ? running : waiting;
}
