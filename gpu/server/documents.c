/* documents.c: what the server says about itself and its models, as JSON. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "documents.h"

/* Takes over the document. jansson allocates by malloc, so what it writes can be freed by anyone. */
static char *text_of(json_t *document) {
    char *text = document == NULL ? NULL : json_dumps(document, JSON_COMPACT);
    json_decref(document);
    return text;
}

char *document_live(void) {
    return text_of(json_pack("{s:b}", "live", 1));
}

char *document_ready(bool ready) {
    return text_of(json_pack("{s:b}", "ready", ready));
}

/* The extensions that clients may rely on here. */
char *document_server(void) {
    return text_of(json_pack("{s:s, s:s, s:[s, s, s, s, s, s, s]}", "name", "atelier", "version", "0.1.0", "extensions",
                             "binary_tensor_data", "classification", "model_configuration", "model_repository",
                             "parameters", "schedule_policy", "statistics"));
}

/* ---- one model */

/* A dimension of -1 may have any size: it is the number of rows. */
static json_t *tensor(const char *name, uint32_t numbers) {
    return json_pack("{s:s, s:s, s:[i, I]}", "name", name, "datatype", "FP32", "shape", -1, (json_int_t)numbers);
}

char *document_model(const struct model_view *model) {
    const struct signature *signature = &model->signature;
    return text_of(json_pack("{s:s, s:[s], s:s, s:[o], s:[o]}", "name", model->name, "versions", signature->version,
                             "platform", "atelier_safetensors", "inputs", tensor(signature->input, signature->inputs),
                             "outputs", tensor(signature->output, signature->outputs)));
}

char *document_model_ready(const struct model_view *model, bool ready) {
    return text_of(json_pack("{s:s, s:b}", "name", model->name, "ready", ready));
}

/* ---- its configuration, as Triton's clients read it: here shapes are without the dimension of the rows */

static json_t *configured_tensor(const char *name, uint32_t numbers) {
    return json_pack("{s:s, s:s, s:[I]}", "name", name, "data_type", "TYPE_FP32", "dims", (json_int_t)numbers);
}

static json_t *instance(const char *model, size_t index, const char *device) {
    char name[MODEL_NAME + 24];
    snprintf(name, sizeof name, "%s_%zu", model, index);
    bool card = strncmp(device, "cuda", 4) == 0;
    json_t *cards = json_array();
    if (card)
        json_array_append_new(cards, json_integer(device[4] == ':' ? atoi(device + 5) : 0));
    return json_pack("{s:s, s:s, s:i, s:o}", "name", name, "kind", card ? "KIND_GPU" : "KIND_CPU", "count", 1, "gpus",
                     cards);
}

static json_t *instances(const struct engine *engine, const struct model_view *model) {
    json_t *all = json_array();
    for (size_t i = 0; i < engine_workers(engine); i++) {
        struct worker_view worker;
        engine_worker(engine, i, &worker);
        json_array_append_new(all, instance(model->name, i, worker.device));
    }
    return all;
}

char *document_config(const struct engine *engine, const struct model_view *model) {
    const struct signature *signature = &model->signature;
    return text_of(json_pack(
        "{s:s, s:s, s:s, s:I, s:[o], s:[o], s:o, s:{s:[I], s:I}, s:{s:{s:i}}}", "name", model->name, "platform", "",
        "backend", "atelier", "max_batch_size", (json_int_t)signature->rows, "input",
        configured_tensor(signature->input, signature->inputs), "output",
        configured_tensor(signature->output, signature->outputs), "instance_group", instances(engine, model),
        "dynamic_batching", "preferred_batch_size", (json_int_t)signature->rows, "max_queue_delay_microseconds",
        (json_int_t)(engine_delay(engine) / 1000), "version_policy", "latest", "num_versions", 1));
}

/* ---- statistics: perf_analyzer wants every key, and each number as an integer */

static json_t *tally(const struct tally *tally) {
    return json_pack("{s:I, s:I}", "count", (json_int_t)tally->count, "ns", (json_int_t)tally->nanoseconds);
}

static json_t *inference_statistics(const struct model_statistics *statistics) {
    static const struct tally NONE;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "success", tally(&statistics->success), "fail",
                     tally(&statistics->fail), "queue", tally(&statistics->queue), "compute_input",
                     tally(&statistics->input), "compute_infer", tally(&statistics->infer), "compute_output",
                     tally(&statistics->output), "cache_hit", tally(&NONE), "cache_miss", tally(&NONE));
}

static json_t *batch_statistics(const struct model_statistics *statistics) {
    json_t *all = json_array();
    for (size_t rows = 1; rows <= DEVICE_BATCH; rows++) {
        const struct batch_tally *size = &statistics->sizes[rows];
        if (size->infer.count > 0)
            json_array_append_new(all, json_pack("{s:I, s:o, s:o, s:o}", "batch_size", (json_int_t)rows,
                                                 "compute_input", tally(&size->input), "compute_infer",
                                                 tally(&size->infer), "compute_output", tally(&size->output)));
    }
    return all;
}

static json_t *model_statistics(const struct model_view *model) {
    const struct model_statistics *statistics = model->statistics;
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:[]}", "name", model->name, "version",
                     model->signature.version, "last_inference", (json_int_t)statistics->last, "inference_count",
                     (json_int_t)statistics->rows, "execution_count", (json_int_t)statistics->batches,
                     "inference_stats", inference_statistics(statistics), "batch_stats", batch_statistics(statistics),
                     "memory_usage");
}

char *document_statistics(const struct engine *engine, const struct model_view *model) {
    json_t *all = json_array();
    const struct model_view *view;
    if (model != NULL)
        json_array_append_new(all, model_statistics(model));
    for (size_t i = 0; model == NULL && (view = engine_model(engine, i)) != NULL; i++) {
        if (view->state == MODEL_READY)
            json_array_append_new(all, model_statistics(view));
    }
    return text_of(json_pack("{s:o}", "model_stats", all));
}

/* ---- the repository's index */

static const char *state_text(enum model_state state) {
    switch (state) {
    case MODEL_LOADING:
        return "LOADING";
    case MODEL_READY:
        return "READY";
    case MODEL_UNLOADING:
        return "UNLOADING";
    default:
        return "UNAVAILABLE";
    }
}

static json_t *entry(const char *name, const char *version, const char *state, const char *reason) {
    return json_pack("{s:s, s:s, s:s, s:s}", "name", name, "version", version, "state", state, "reason", reason);
}

char *document_index(const struct engine *engine, const char *folder, bool ready_only) {
    json_t *all = json_array();
    const struct model_view *view;
    for (size_t i = 0; (view = engine_model(engine, i)) != NULL; i++) {
        if (!ready_only || view->state == MODEL_READY)
            json_array_append_new(all,
                                  entry(view->name, view->signature.version, state_text(view->state), view->reason));
    }
    char **names = ready_only || folder == NULL ? NULL : model_list(folder);
    for (char **name = names; name != NULL && *name != NULL; name++) {
        if (engine_model_named(engine, *name) == NULL)
            json_array_append_new(all, entry(*name, "1", "UNAVAILABLE", "unloaded"));
    }
    free(names);
    return text_of(all);
}
