/* service_views.c: health, metadata, configuration, statistics, metrics: what only has to be looked up. */
#include <string.h>

#include "metrics.h"
#include "service_internal.h"

/* The model of the path. NULL, and answered by 404, when there is none of that name, or not in that version. */
static const struct model_view *find_model(struct request *request) {
    const struct route *route = &request->route;
    const struct model_view *model = engine_model_named(request->service->engine, route->name);
    struct problem problem = {0};
    if (model == NULL)
        refuse(&problem, 404, "unknown model '%s'; POST /v2/repository/index lists what there is", route->name);
    else if (*route->version != '\0' && strcmp(route->version, model->signature.version) != 0)
        refuse(&problem, 404, "model '%s' has no version '%s', only '%s'", route->name, route->version,
               model->signature.version);
    else
        return model;
    answer_problem(request, &problem);
    return NULL;
}

/* Of a model that is not there its shape may not be known either: 503. */
static const struct model_view *find_ready_model(struct request *request) {
    const struct model_view *model = find_model(request);
    if (model == NULL || model->state == MODEL_READY)
        return model;
    struct problem problem = {0};
    refuse(&problem, 503, "model '%s' is not ready: %s", model->name,
           *model->reason != '\0' ? model->reason : "it is being loaded");
    problem.retry_after = model->state == MODEL_LOADING ? 1 : 0;
    answer_problem(request, &problem);
    return NULL;
}

static void answer_ready(struct request *request) {
    const struct service *service = request->service;
    bool ready = !service->draining && engine_ready(service->engine);
    answer_json(request, ready ? 200 : 400, document_ready(ready));
}

static bool is_any_worker_left(const struct engine *engine) {
    for (size_t i = 0; i < engine_workers(engine); i++) {
        struct worker_view worker;
        engine_worker(engine, i, &worker);
        if (worker.state != WORKER_OUT)
            return true;
    }
    return false;
}

static void answer_model_ready(struct request *request) {
    const struct model_view *model = find_model(request);
    if (model == NULL)
        return;
    bool ready = model->state == MODEL_READY && is_any_worker_left(request->service->engine);
    answer_json(request, ready ? 200 : 400, document_model_ready(model, ready));
}

static void answer_model(struct request *request) {
    const struct model_view *model = find_ready_model(request);
    if (model == NULL)
        return;
    if (request->route.kind == ROUTE_MODEL)
        answer_json(request, 200, document_model(model));
    else if (request->route.kind == ROUTE_CONFIG)
        answer_json(request, 200, document_config(request->service->engine, model));
    else
        answer_json(request, 200, document_statistics(request->service->engine, model));
}

static void answer_metrics(struct request *request) {
    static const struct http_header TEXT = {"Content-Type", "text/plain; version=0.0.4; charset=utf-8"};
    const struct service *service = request->service;
    size_t size;
    char *text = metrics_text(service->engine, http_connections(service->http), &size);
    if (text == NULL)
        answer_json(request, 500, NULL);
    else
        exchange_reply(request->exchange, 200, &TEXT, 1, text, size, true);
}

/* No memory is shared with clients here. Those that clear up what others may have left are content with that. */
static void answer_memory(struct request *request) {
    const struct route *route = &request->route;
    struct problem problem = {0};
    if (route->kind == ROUTE_MEMORY_REGISTER)
        refuse(&problem, 400, "shared memory is not offered here; send tensors in the body");
    else if (route->kind == ROUTE_MEMORY_STATUS && *route->name != '\0')
        refuse(&problem, 404, "unknown shared memory region '%s'; none is offered here", route->name);
    else if (route->kind == ROUTE_MEMORY_STATUS)
        exchange_reply(request->exchange, 200, &(struct http_header){"Content-Type", "application/json"}, 1,
                       (char[]){"[]"}, 2, false);
    else
        answer_empty(request);
    if (problem.status != 0)
        answer_problem(request, &problem);
}

void view_complete(struct request *request) {
    switch (request->route.kind) {
    case ROUTE_LIVE:
        answer_json(request, 200, document_live());
        break;
    case ROUTE_READY:
        answer_ready(request);
        break;
    case ROUTE_SERVER:
        answer_json(request, 200, document_server());
        break;
    case ROUTE_MODEL_READY:
        answer_model_ready(request);
        break;
    case ROUTE_ALL_STATISTICS:
        answer_json(request, 200, document_statistics(request->service->engine, NULL));
        break;
    case ROUTE_METRICS:
        answer_metrics(request);
        break;
    case ROUTE_MEMORY_STATUS:
    case ROUTE_MEMORY_REGISTER:
    case ROUTE_MEMORY_UNREGISTER:
        answer_memory(request);
        break;
    default: /* of a model */
        answer_model(request);
    }
}
