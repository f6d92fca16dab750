/* service_repository.c: the repository's commands: what models there are, load one, unload one. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "service_internal.h"

void repository_body(struct request *request, const char *data, size_t size) {
    struct problem problem = {0};
    char *text = request->size + size > COMMAND_BODY ? NULL : realloc(request->text, request->size + size);
    if (text == NULL) {
        refuse(&problem, 413, "a request to the repository may have %d bytes; send less", COMMAND_BODY);
        answer_problem(request, &problem);
        return;
    }
    memcpy(text + request->size, data, size);
    request->text = text;
    request->size += size;
}

/*
 * The body is an object or nothing at all. Its "parameters", such as unload_dependents, change nothing here; but a
 * configuration or a file that is to take the place of ours must not be passed over in silence.
 */
static int check_parameters(const json_t *body, struct problem *problem) {
    const json_t *parameters = json_object_get(body, "parameters");
    const char *name;
    json_t *value;
    if (parameters != NULL && !json_is_object(parameters))
        return refuse(problem, 400, "\"parameters\" must be an object");
    json_object_foreach((json_t *)parameters, name, value) {
        if (strcmp(name, "config") == 0 || strncmp(name, "file:", 5) == 0)
            return refuse(problem, 400, "parameter \"%.60s\" is not offered here; models are read from their folder",
                          name);
    }
    return 0;
}

/* Stores whether only models that are ready are wanted. */
static int read_body(const struct request *request, bool *ready_only, struct problem *problem) {
    json_error_t error;
    *ready_only = false;
    if (request->size == 0)
        return 0;
    json_t *body = json_loadb(request->text, request->size, 0, &error);
    int code = 0;
    if (body == NULL)
        code = refuse(problem, 400, "the body is not JSON: %s (byte %d)", error.text, error.position);
    else if (!json_is_object(body))
        code = refuse(problem, 400, "the body must be a JSON object, or empty");
    else
        code = check_parameters(body, problem);
    *ready_only = json_is_true(json_object_get(body, "ready"));
    json_decref(body);
    return code;
}

/* Called by the engine. */
static void loaded(void *context, const struct problem *problem) {
    struct request *request = context;
    request->loading = false;
    if (problem->status != 0)
        answer_problem(request, problem);
    else
        answer_empty(request);
}

void repository_complete(struct request *request) {
    const struct service *service = request->service;
    struct problem problem = {0};
    bool ready_only;
    if (read_body(request, &ready_only, &problem) != 0) {
        answer_problem(request, &problem);
        return;
    }
    if (request->route.kind == ROUTE_INDEX) {
        answer_json(request, 200, document_index(service->engine, service->options.folder, ready_only));
        return;
    }
    /* A path, or a recipe for a large model, is for whoever starts the server to give. */
    if (request->route.name[strcspn(request->route.name, "/:")] != '\0') {
        refuse(&problem, 400, "model '%s': models are loaded by their names, without / and :", request->route.name);
        answer_problem(request, &problem);
        return;
    }
    request->loading = true; /* before the call: the engine may have done it when it returns */
    if (request->route.kind == ROUTE_LOAD)
        engine_load(service->engine, request->route.name, loaded, request);
    else
        engine_unload(service->engine, request->route.name, loaded, request);
}

void repository_end(struct request *request) {
    if (request->loading)
        engine_forget(request->service->engine, request);
    request->loading = false;
    free(request->text);
    request->text = NULL;
    request->size = 0;
}
