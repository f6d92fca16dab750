/* service_internal.h: what the files of the service share: a request, and how it is answered. */
#ifndef GPU_SERVICE_INTERNAL_H
#define GPU_SERVICE_INTERNAL_H

#include "documents.h"
#include "encoding.h"
#include "routes.h"
#include "service.h"

enum { COMMAND_BODY = 64 * 1024 }; /* of requests to the repository */

/* One request. They are used again, for their readers are large. */
struct request {
    struct service *service;
    struct exchange *exchange;
    struct request *next; /* in the list of those that are free */
    struct route route;
    struct task *task;           /* inference: the engine's, until it is done or abandoned */
    struct infer_reader *reader; /* behind this struct, in the same piece of memory */
    bool reading;                /* the reader has begun */
    struct infer_request asked;
    bool loading; /* the engine has been told to load or unload a model for it */
    char *text;   /* the body, for the repository */
    size_t size;
};

struct service {
    struct service_options options;
    struct http *http;
    struct engine *engine;
    struct request *free_requests;
    bool draining;
};

/* ---- answers (service.c) */

/* Takes over the text, which malloc has made; NULL: memory was short, 500. */
void answer_json(struct request *request, unsigned status, char *text);
void answer_problem(struct request *request, const struct problem *problem);
void answer_empty(struct request *request);

/* ---- inference (service_infer.c) */

void infer_head(struct request *request);
void infer_body(struct request *request, const char *data, size_t size);
void infer_complete(struct request *request);
void infer_end_request(struct request *request);

/* ---- what the server says about itself (service_views.c): all but inference and the repository's commands */

void view_complete(struct request *request);

/* ---- the repository's commands: index, load, unload (service_repository.c) */

void repository_body(struct request *request, const char *data, size_t size);
void repository_complete(struct request *request);
void repository_end(struct request *request);

#endif
