/* engine_models.c: the models that are served: opened, sent to the workers, tried, taken away again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_internal.h"

/* ---- opening one, which may take a while: in a thread of its own but at the start */

struct opening {
    struct engine *engine;
    struct model_record *model;
};

static int open_in_thread(void *argument) {
    const struct opening *opening = argument;
    struct model_record *model = opening->model;
    prepare(opening->engine, model->source, &model->next);
    atomic_store_explicit(&model->opened, true, memory_order_release); /* the load in is_opened */
    bell_ring(&opening->engine->region->bell, opening->engine->bell);
    return 0;
}

/* ---- the table */

static uint32_t bit_of(const struct engine *engine, const struct model_record *model) {
    return 1U << (model - engine->models);
}

static void set_model_state(struct model_record *model, enum model_state state, const char *reason) {
    model->view.state = state;
    snprintf(model->reason, sizeof model->reason, "%s", reason);
}

/* A new line of the table; NULL: it is full. */
static struct model_record *add_model(struct engine *engine, const char *source) {
    if (engine->model_count == DEVICE_MODELS)
        return NULL;
    struct model_record *model = &engine->models[engine->model_count++];
    snprintf(model->source, sizeof model->source, "%s", source);
    model_name_of(source, model->name);
    model->view = (struct model_view){.name = model->name,
                                      .source = model->source,
                                      .reason = model->reason,
                                      .statistics = &model->statistics,
                                      .signature = {.model = model->name, .version = "1"}};
    set_model_state(model, MODEL_UNLOADED, "it is not loaded");
    return model;
}

/* What has been opened is what counts from now on; the workers have to load it. */
static void adopt(struct engine *engine, struct model_record *model, struct prepared *prepared) {
    forget_prepared(&model->now);
    model->now = *prepared;
    *prepared = (struct prepared){.result = -ENOENT};
    model->view.signature.input = model->now.input_name;
    model->view.signature.output = model->now.output_name;
    model->view.signature.inputs = model->now.inputs;
    model->view.signature.outputs = model->now.outputs;
    model->view.signature.rows = engine->options.batching.most;
}

int models_open(struct engine *engine, struct failure *failure) {
    for (size_t i = 0; i < engine->options.model_count; i++) {
        struct model_record *model = add_model(engine, engine->options.models[i]);
        if (model == NULL)
            return fail(failure, -EINVAL, "%zu models: at most %d can be served", engine->options.model_count,
                        DEVICE_MODELS);
        for (size_t other = 0; other + 1 < engine->model_count; other++)
            if (strcmp(engine->models[other].name, model->name) == 0)
                return fail(failure, -EINVAL, "model %s: named twice", model->name);
        prepare(engine, model->source, &model->next);
        if (model->next.result != 0) {
            *failure = model->next.failure;
            return model->next.result;
        }
        adopt(engine, model, &model->next);
        set_model_state(model, MODEL_LOADING, "it is being loaded");
    }
    return 0;
}

void models_close(struct engine *engine) {
    for (size_t i = 0; i < engine->model_count; i++) {
        struct model_record *model = &engine->models[i];
        if (model->opener != NULL) {
            (void)!at_thread_join(model->opener, AT_FOREVER);
            at_thread_free(model->opener);
        }
        forget_prepared(&model->now);
        forget_prepared(&model->next);
    }
}

/* One that is being unloaded, too, as long as somebody waits for its answer. */
static bool is_wanted(const struct model_record *model) {
    enum model_state state = model->view.state;
    return (state == MODEL_LOADING || state == MODEL_READY || (state == MODEL_UNLOADING && model->tasks > 0)) &&
           model->now.result == 0 && model->now.input != NULL;
}

uint32_t models_wanted(const struct engine *engine) {
    uint32_t wanted = 0;
    for (size_t i = 0; i < engine->model_count; i++)
        wanted |= is_wanted(&engine->models[i]) ? 1U << i : 0;
    return wanted;
}

/* ---- loading and unloading */

/* Whoever asked for it hears how it went. */
static void answer(struct model_record *model, int status, const char *text) {
    struct problem problem = {.status = 0};
    if (status != 0)
        refuse(&problem, status, "%s", text);
    engine_loaded *done = model->done;
    model->done = NULL;
    if (done != NULL)
        done(model->context, &problem);
}

static void answer_now(engine_loaded *done, void *context, int status, const char *format, const char *name) {
    struct problem problem = {.status = 0};
    if (status != 0) {
        char text[sizeof problem.text];
        snprintf(text, sizeof text, format, name);
        refuse(&problem, status, "%s", text);
    }
    done(context, &problem);
}

static struct model_record *named(const struct engine *engine, const char *name) {
    for (size_t i = 0; i < engine->model_count; i++)
        if (strcmp(engine->models[i].name, name) == 0)
            return (struct model_record *)&engine->models[i];
    return NULL;
}

static bool is_in_folder(const struct engine *engine, const char *name) {
    char **models = model_list(engine->options.folder);
    bool found = false;
    for (size_t i = 0; models != NULL && models[i] != NULL; i++)
        found = found || strcmp(models[i], name) == 0;
    free(models);
    return found;
}

void engine_load(struct engine *engine, const char *name, engine_loaded *done, void *context) {
    struct model_record *model = named(engine, name);
    if (model == NULL && (strlen(name) >= MODEL_NAME || !is_in_folder(engine, name))) {
        answer_now(done, context, 400, "unknown model '%.100s': the repository has no such file", name);
        return;
    }
    if (model == NULL && (model = add_model(engine, name)) == NULL) {
        answer_now(done, context, 400, "model '%s': too many models; unloaded ones stay in the table", name);
        return;
    }
    if (model->opener != NULL || model->done != NULL || model->view.state == MODEL_UNLOADING ||
        model->view.state == MODEL_LOADING) {
        answer_now(done, context, 400, "model '%s' is being loaded or unloaded already; wait for that", name);
        return;
    }
    struct opening opening = {engine, model};
    atomic_store_explicit(&model->opened, false, memory_order_relaxed);
    model->opener = at_thread_new(.target = open_in_thread, AT_COPY(opening), .name = "model opener");
    int result = at_thread_start(model->opener);
    if (result != 0) {
        at_thread_free(model->opener);
        model->opener = NULL;
        answer_now(done, context, 503, "model '%s': the system has no thread left", name);
        return;
    }
    model->done = done;
    model->context = context;
    if (model->view.state != MODEL_READY)
        set_model_state(model, MODEL_LOADING, "it is being loaded");
}

void engine_unload(struct engine *engine, const char *name, engine_loaded *done, void *context) {
    struct model_record *model = named(engine, name);
    if (model == NULL) {
        answer_now(done, context, 400, "unknown model '%.100s'", name);
    } else if (model->opener != NULL || model->done != NULL) {
        answer_now(done, context, 400, "model '%s' is being loaded or unloaded already; wait for that", name);
    } else if (model->view.state == MODEL_UNLOADED || model->view.state == MODEL_FAILED) {
        answer_now(done, context, 0, "", name);
    } else {
        model->done = done;
        model->context = context;
        set_model_state(model, MODEL_UNLOADING, "it is being unloaded");
        engine->due = true;
    }
}

void engine_forget(struct engine *engine, void *context) {
    for (size_t i = 0; i < engine->model_count; i++)
        if (engine->models[i].done != NULL && engine->models[i].context == context)
            engine->models[i].done = NULL;
}

/* The opener is through: either nothing changes, or all workers have to load what it has found. */
static void take_opened(struct engine *engine, struct model_record *model) {
    (void)!at_thread_join(model->opener, AT_FOREVER);
    at_thread_free(model->opener);
    model->opener = NULL;
    struct prepared *next = &model->next;
    bool was_ready = model->view.state == MODEL_READY;
    if (next->result == 0 && (next->inputs > engine->region->inputs || next->outputs > engine->region->outputs))
        next->result = fail(&next->failure, -EINVAL,
                            "model %s: %u inputs and %u outputs; the server has room for %u and %u since its start",
                            model->name, next->inputs, next->outputs, engine->region->inputs, engine->region->outputs);
    if (next->result == 0 && was_ready && (next->inputs != model->now.inputs || next->outputs != model->now.outputs))
        next->result = fail(&next->failure, -EINVAL, "model %s: its shapes have changed; unload it first", model->name);
    if (next->result != 0) {
        if (!was_ready)
            set_model_state(model, MODEL_FAILED, next->failure.text);
        char text[sizeof next->failure.text];
        snprintf(text, sizeof text, "%s", next->failure.text);
        forget_prepared(next);
        answer(model, 400, text);
        return;
    }
    adopt(engine, model, next);
    engine->due = true; /* the orders */
    for (size_t i = 0; i < engine->worker_count; i++) {
        engine->workers[i].loaded &= ~bit_of(engine, model);
        /* The others load it when they have started. */
        if (engine->workers[i].state == WORKER_READY || engine->workers[i].posted > 0)
            engine->workers[i].to_load |= bit_of(engine, model);
    }
}

/* Whether no worker that works still has (or still lacks) it. */
static bool all_workers(const struct engine *engine, uint32_t bit, bool loaded) {
    bool any = false;
    for (size_t i = 0; i < engine->worker_count; i++) {
        const struct worker_record *worker = &engine->workers[i];
        if (worker->state != WORKER_READY)
            continue;
        any = true;
        if (((worker->loaded & bit) != 0) != loaded || (worker->to_unload & bit) != 0)
            return false;
    }
    return any || !loaded;
}

/*
 * Whether a worker is loading it, or trying it, right now. Meanwhile it stays what it is: its file is open, and its
 * canary is what the worker's is compared with.
 */
static bool is_being_tried(const struct engine *engine, const struct model_record *model) {
    for (size_t i = 0; i < engine->worker_count; i++) {
        const struct worker_record *worker = &engine->workers[i];
        for (uint64_t order = worker->collected; order < worker->posted; order++) {
            const struct record *record = &worker->records[order % REGION_ORDERS];
            if (record->canary && record->place == (size_t)(model - engine->models))
                return true;
        }
    }
    return false;
}

bool model_give_up(struct engine *engine, size_t place, bool tried) {
    struct model_record *model = &engine->models[place];
    if (model->view.state == MODEL_FAILED)
        return true; /* another worker has had it at the same time, and was sooner */
    if (model->view.state != MODEL_LOADING)
        return false;
    for (size_t i = 0; i < engine->worker_count; i++)
        engine->workers[i].to_load &= ~bit_of(engine, model);
    set_model_state(model, MODEL_FAILED,
                    tried ? "a device computes something else of it than the reference does"
                          : "a device has no room for it; what it lacks is in the server's log");
    answer(model, 400, model->reason);
    return true;
}

/* Whether another one has been opened, and can take its place. */
static bool is_opened(const struct engine *engine, const struct model_record *model) {
    return model->opener != NULL && atomic_load_explicit(&model->opened, memory_order_acquire) &&
           !is_being_tried(engine, model);
}

static void turn_model(struct engine *engine, struct model_record *model) {
    uint32_t bit = bit_of(engine, model);
    if (is_opened(engine, model))
        take_opened(engine, model);
    if (model->opener != NULL)
        return;
    switch (model->view.state) {
    case MODEL_LOADING:
        if (all_workers(engine, bit, true)) {
            set_model_state(model, MODEL_READY, "");
            answer(model, 0, "");
        } else if (!any_worker_left(engine)) {
            set_model_state(model, MODEL_FAILED, "no device is left that works");
            answer(model, 503, model->reason);
        }
        break;
    case MODEL_READY: /* perhaps loaded again */
        if (model->done != NULL && all_workers(engine, bit, true))
            answer(model, 0, "");
        else if (model->done != NULL && !any_worker_left(engine))
            answer(model, 503, "no device is left that works");
        break;
    case MODEL_UNLOADING:
        if (model->tasks > 0 || is_being_tried(engine, model))
            break; /* they are answered first */
        for (size_t i = 0; i < engine->worker_count; i++) {
            engine->workers[i].to_load &= ~bit;
            engine->workers[i].to_unload |= engine->workers[i].has & bit;
            engine->due = engine->due || (engine->workers[i].has & bit) != 0;
        }
        if (all_workers(engine, bit, false)) {
            forget_prepared(&model->now);
            set_model_state(model, MODEL_UNLOADED, "it has been unloaded");
            answer(model, 0, "");
        }
        break;
    case MODEL_UNLOADED:
    case MODEL_FAILED:
        break;
    }
}

void models_turn(struct engine *engine) {
    for (size_t i = 0; i < engine->model_count; i++)
        turn_model(engine, &engine->models[i]);
}

bool models_due(const struct engine *engine) {
    for (size_t i = 0; i < engine->model_count; i++)
        if (is_opened(engine, &engine->models[i]))
            return true;
    return false;
}

/* ---- looking */

/* Those that no worker has yet. Only who looks pays for it. */
static size_t count_waiting(const struct engine *engine, size_t index) {
    size_t count = 0;
    for (size_t i = 0; i < engine->slots; i++)
        count += engine->requests[i].state == SLOT_QUEUED && engine->requests[i].task.waiting.model == index;
    return count;
}

const struct model_view *engine_model(const struct engine *engine, size_t index) {
    if (index >= engine->model_count)
        return NULL;
    struct model_record *model = (struct model_record *)&engine->models[index];
    model->view.waiting = model->tasks == 0 ? 0 : count_waiting(engine, index);
    return &model->view;
}

const struct model_view *engine_model_named(const struct engine *engine, const char *name) {
    const struct model_record *model = named(engine, name);
    return model == NULL ? NULL : engine_model(engine, (size_t)(model - engine->models));
}
