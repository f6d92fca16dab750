/* engine.c: requests in, answers out; see engine.h. The parts are in engine_models.c, _workers.c and _batches.c. */
#include "engine_internal.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- opening and closing */

static int open_descriptors(struct engine *engine) {
    engine->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (engine->bell < 0 || engine->epoll < 0 || epoll_ctl(engine->epoll, EPOLL_CTL_ADD, engine->bell, &event) != 0)
        return -errno;
    return 0;
}

static int open_region(struct engine *engine, struct failure *failure) {
    const struct engine_options *options = &engine->options;
    uint32_t inputs = 784, outputs = 10; /* so that digits and wide can be loaded later, whatever the first is */
    for (size_t i = 0; i < engine->model_count; i++) {
        const struct prepared *model = &engine->models[i].now;
        inputs = model->inputs > inputs ? model->inputs : inputs;
        outputs = model->outputs > outputs ? model->outputs : outputs;
    }
    /* Each worker has one for its canary, behind the others. */
    int result = region_new(&engine->region, (uint32_t)(options->slots + options->workers), inputs, outputs,
                            options->batching.most, &engine->region_descriptor);
    if (result != 0)
        return fail(failure, result, "%zu slots of %u rows: %s; have fewer (--slots, --batch)", options->slots,
                    options->batching.most, at_strerror(result));
    engine->region->workers = (uint32_t)options->workers;
    engine->region->deterministic = options->deterministic;
    engine->region->in_flight = options->in_flight;
    snprintf(engine->region->folder, sizeof engine->region->folder, "%s", options->folder);
    snprintf(engine->region->inject, sizeof engine->region->inject, "%s",
             options->inject == NULL ? "" : options->inject);
    return 0;
}

static int open_requests(struct engine *engine) {
    engine->slots = engine->options.slots;
    engine->requests = calloc(engine->slots, sizeof *engine->requests);
    engine->batching = batching_new(&engine->options.batching);
    if (engine->requests == NULL || engine->batching == NULL)
        return -ENOMEM;
    for (size_t i = engine->slots; i-- > 0;) {
        engine->requests[i].slot = (uint32_t)i;
        engine->requests[i].next_free = engine->free;
        engine->free = &engine->requests[i];
    }
    return 0;
}

static int open_trace(struct engine *engine, struct failure *failure) {
    if (engine->options.trace == NULL)
        return 0;
    engine->trace = fopen(engine->options.trace, "we");
    if (engine->trace == NULL)
        return fail(failure, -errno, "--trace %s: %s; choose another file", engine->options.trace, at_strerror(-errno));
    fputs("worker,device,event,start_us,end_us,rows,requests,model\n", engine->trace);
    return 0;
}

int engine_open(struct engine **result, const struct engine_options *options, struct failure *failure) {
    *result = NULL;
    if (options->workers == 0 || options->workers > ENGINE_WORKERS)
        return fail(failure, -EINVAL, "%zu devices: from 1 to %d can be served", options->workers, ENGINE_WORKERS);
    if (options->batching.most == 0 || options->batching.most > DEVICE_BATCH || options->slots == 0 ||
        options->slots > UINT16_MAX)
        return fail(failure, -EINVAL, "a batch has 1 to %d rows, and there are 1 to %d slots", DEVICE_BATCH,
                    UINT16_MAX);
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return fail(failure, -ENOMEM, "no memory for the engine");
    engine->options = *options;
    engine->start = now_ns();
    cpu_set_t cores;
    engine->cores = sched_getaffinity(0, sizeof cores, &cores) == 0 ? (size_t)CPU_COUNT(&cores) : 1;
    engine->bell = engine->epoll = engine->region_descriptor = -1;
    int error;
    if ((error = open_descriptors(engine)) != 0 || (error = open_requests(engine)) != 0)
        fail(failure, error, "the engine cannot start: %s", at_strerror(error));
    if (error == 0 && (error = open_trace(engine, failure)) == 0 && (error = models_open(engine, failure)) == 0 &&
        (error = open_region(engine, failure)) == 0)
        error = workers_open(engine, failure);
    if (error != 0) {
        engine_close(engine);
        return error;
    }
    *result = engine;
    return 0;
}

/* Whoever is still here hears it. */
static void fail_all(struct engine *engine) {
    engine->draining = true;
    for (size_t i = 0; i < engine->slots && engine->requests != NULL; i++)
        if (engine->requests[i].state != SLOT_FREE)
            request_fail(engine, &engine->requests[i], 503, "the server is shutting down");
}

void engine_close(struct engine *engine) {
    if (engine == NULL)
        return;
    fail_all(engine);
    workers_close(engine);
    models_close(engine);
    region_free(engine->region);
    batching_free(engine->batching);
    free(engine->requests);
    int descriptors[] = {engine->bell, engine->epoll, engine->region_descriptor};
    for (size_t i = 0; i < 3; i++)
        if (descriptors[i] >= 0)
            close(descriptors[i]);
    bool torn = engine->trace != NULL && ferror(engine->trace) != 0;
    if (engine->trace != NULL && (fclose(engine->trace) != 0 || torn))
        fprintf(stderr, "serve: --trace %s: could not be written, and lacks lines; is the disk full?\n",
                engine->options.trace);
    free(engine);
}

/* ---- the loop */

int engine_descriptor(const struct engine *engine) {
    return engine->epoll;
}

/*
 * Whether a worker has opened its device, or finished something. What cannot be is no news, or nobody would sleep
 * again.
 */
static bool has_news(const struct engine *engine, const struct worker_record *worker) {
    const struct mailbox *mailbox = mailbox_of(engine, worker);
    if (worker->state == WORKER_STARTING && worker->posted == 0 && !worker->child.killed)
        return atomic_load_explicit(&mailbox->state, memory_order_acquire) != MAILBOX_NEW;
    return worker->posted > worker->collected &&
           atomic_load_explicit(&mailbox->finished, memory_order_acquire) > worker->collected;
}

uint64_t engine_next(struct engine *engine) {
    /* From here on whoever has something to say rings; what was said before is seen below. */
    bell_sleep(&engine->region->bell);
    for (size_t i = 0; i < engine->worker_count; i++)
        if (has_news(engine, &engine->workers[i]))
            return 0;
    if (engine->due || models_due(engine))
        return 0;
    uint64_t now = now_ns(), batches = batches_next(engine, now), workers = workers_next(engine, now);
    return batches < workers ? batches : workers;
}

/* The longest that is looked for, and how much longer than expected, in nanoseconds. */
static const uint64_t LONGEST_LOOK = 200000, LOOK_BEYOND = 50000;

uint64_t engine_soon(const struct engine *engine) {
    if (engine->used != 1 || engine->cores < 2)
        return 0;
    uint64_t now = now_ns();
    for (size_t i = 0; i < engine->worker_count; i++) {
        const struct worker_record *worker = &engine->workers[i];
        if (worker->in_flight == 0 || worker->posted == worker->collected)
            continue;
        const struct record *record = &worker->records[worker->collected % REGION_ORDERS];
        uint64_t end = worker->since + cost_predict(&worker->costs[record->place], record->rows) + LOOK_BEYOND;
        return end > now && end - now <= LONGEST_LOOK ? end : 0;
    }
    return 0;
}

bool engine_turn(struct engine *engine) {
    bell_awake(&engine->region->bell, engine->bell);
    engine->due = false;
    for (size_t i = 0; i < engine->worker_count; i++)
        batches_collect(engine, &engine->workers[i]);
    uint64_t now = now_ns();
    workers_turn(engine, now);
    models_turn(engine);
    batches_turn(engine, now);
    /* Only now, when all who can work do. */
    for (size_t i = 0; i < engine->worker_count; i++)
        batches_answer(engine, &engine->workers[i]);
    if (engine->options.mode != ENGINE_INLINE)
        return false;
    struct worker_record *worker = &engine->workers[0];
    bool more = false; /* what a batch, or a canary, has changed is looked at in the next turn */
    for (; worker->state != WORKER_OUT && worker->collected != worker->posted; more = true) {
        worker_step(&worker->work);
        batches_collect(engine, worker);
        batches_answer(engine, worker);
    }
    return more || engine->due;
}

/* ---- requests */

/* A word that no worker's order has: each use of a slot has a generation of its own. */
static void set_state(struct engine *engine, struct request *request, enum slot_state state) {
    request->state = state;
    atomic_store_explicit(&region_slot(engine->region, request->slot)->word, slot_word(state, 0, request->generation),
                          memory_order_release);
}

static struct model_record *find_model(struct engine *engine, const char *name, const char *version,
                                       struct problem *problem) {
    for (size_t i = 0; i < engine->model_count; i++) {
        struct model_record *model = &engine->models[i];
        if (strcmp(model->name, name) != 0)
            continue;
        if (version != NULL && strcmp(version, model->view.signature.version) != 0) {
            refuse(problem, 404, "model '%s' has no version '%s', only '%s'", name, version,
                   model->view.signature.version);
            return NULL;
        }
        if (model->view.state != MODEL_READY) {
            refuse(problem, 503, "model '%s' is not ready: %s", name, model->reason);
            problem->retry_after = 1;
            return NULL;
        }
        return model;
    }
    refuse(problem, 404, "unknown model '%s'; POST /v2/repository/index lists what there is", name);
    return NULL;
}

struct task *engine_begin(struct engine *engine, const char *name, const char *version, struct problem *problem) {
    struct model_record *model = find_model(engine, name, version, problem);
    if (model == NULL)
        return NULL;
    struct request *request = engine->free;
    if (engine->draining || !any_worker_left(engine) || request == NULL) {
        refuse(problem, 503, "%s",
               engine->draining  ? "the server is shutting down"
               : request != NULL ? "no device is left that works; the server's log says why"
                                 : "the server is full; try again later");
        model->statistics.rejected_full += request == NULL;
        problem->retry_after = 1;
        return NULL;
    }
    engine->free = request->next_free;
    uint32_t slot = request->slot, generation = request->generation;
    *request = (struct request){.slot = slot, .generation = generation, .began = now_ns()};
    request->task.signature = &model->view.signature;
    request->task.input = region_input(engine->region, slot);
    request->task.output = region_output(engine->region, slot);
    request->task.waiting.model = (uint32_t)(model - engine->models);
    set_state(engine, request, SLOT_FILLING);
    engine->used++;
    model->tasks++;
    return &request->task;
}

void engine_submit(struct engine *engine, struct task *task) {
    struct request *request = (struct request *)task;
    request->submitted = now_ns();
    task->waiting.arrived = request->submitted;
    region_slot(engine->region, request->slot)->rows = task->waiting.rows;
    set_state(engine, request, SLOT_QUEUED);
    batching_add(engine->batching, &task->waiting);
    engine->due = true;
}

/* The place is free again. */
static void release(struct engine *engine, struct request *request) {
    struct model_record *model = &engine->models[request->task.waiting.model];
    model->tasks--;
    engine->due = engine->due || (model->tasks == 0 && model->view.state == MODEL_UNLOADING);
    engine->used--;
    request->generation++;
    set_state(engine, request, SLOT_FREE);
    request->next_free = engine->free;
    engine->free = request;
}

void engine_abandon(struct engine *engine, struct task *task) {
    struct request *request = (struct request *)task;
    if (request->state == SLOT_CLAIMED) {
        request->abandoned = true; /* a worker may be writing to it */
        return;
    }
    if (request->state == SLOT_QUEUED && request->task.waiting.queued)
        batching_remove(engine->batching, &task->waiting);
    release(engine, request);
}

void request_end(struct engine *engine, struct request *request, const struct problem *problem) {
    struct model_statistics *statistics = &engine->models[request->task.waiting.model].statistics;
    if (!request->abandoned) {
        struct tally *tally = problem->status == 0 ? &statistics->success : &statistics->fail;
        tally->count++;
        tally->nanoseconds += now_ns() - request->began;
        request->abandoned = true;
        request->task.done(&request->task, problem);
    }
    /* A late one, whose worker is still at it, ends when the worker does. */
    if (request->state == SLOT_CLAIMED)
        return;
    if (request->state == SLOT_QUEUED && request->task.waiting.queued)
        batching_remove(engine->batching, &request->task.waiting);
    release(engine, request);
}

void request_fail(struct engine *engine, struct request *request, int status, const char *text) {
    struct problem problem;
    refuse(&problem, status, "%s", text);
    if (status == 503)
        problem.retry_after = 1;
    if (request->state == SLOT_FILLING) {
        /* Its caller is still busy with it, and will learn when it submits or abandons it. */
        return;
    }
    request_end(engine, request, &problem);
}

/* ---- looking */

void engine_drain(struct engine *engine) {
    engine->draining = true;
}

bool engine_idle(const struct engine *engine) {
    return engine->used == 0;
}

size_t engine_tasks(const struct engine *engine) {
    return engine->used;
}

size_t engine_slots(const struct engine *engine) {
    return engine->slots;
}

uint64_t engine_delay(const struct engine *engine) {
    return engine->options.batching.delay;
}

size_t engine_numbers(const struct engine *engine) {
    return (size_t)engine->region->rows * engine->region->inputs;
}

bool engine_ready(const struct engine *engine) {
    bool ready = false;
    for (size_t i = 0; i < engine->worker_count; i++)
        ready = ready || engine->workers[i].state == WORKER_READY;
    for (size_t i = 0; i < engine->model_count; i++) {
        enum model_state state = engine->models[i].view.state;
        ready = ready && state != MODEL_LOADING;
    }
    return ready && !engine->draining;
}

void trace_batch(struct engine *engine, const struct worker_record *worker, const struct record *record,
                 uint64_t started, uint64_t ended) {
    if (engine->trace != NULL)
        fprintf(engine->trace, "%zu,%s,%s,%.1f,%.1f,%u,%u,%s\n", engine->options.number + worker->worker.index,
                worker->worker.device, record->canary ? "canary" : "batch", (double)(started - engine->start) / 1000,
                (double)(ended - engine->start) / 1000, record->rows, record->count,
                engine->models[record->place].name);
}

void trace_event(struct engine *engine, const struct worker_record *worker, const char *event, uint64_t now) {
    double moment = (double)(now - engine->start) / 1000;
    if (engine->trace != NULL)
        fprintf(engine->trace, "%zu,%s,%s,%.1f,%.1f,0,0,\n", engine->options.number + worker->worker.index,
                worker->worker.device, event, moment, moment);
}
