/* service.h: what the server answers on which path: inference, health, metadata, statistics, repository, metrics. */
#ifndef GPU_SERVICE_H
#define GPU_SERVICE_H

#include "engine.h"
#include "http.h"

struct service;

struct service_options {
    struct engine *engine;
    struct http_options http; /* all but its calls and its context, which are the service's */
    uint64_t timeout;         /* nanoseconds after which a request that names none is answered by 504; 0: never */
    const char *folder;       /* of the models: what the repository's index lists */
};

int service_open(struct service **service, const struct service_options *options,
                 struct failure *failure) AT_MUST_CHECK;
void service_close(struct service *service);
struct http *service_http(struct service *service);

/* Not ready from now on, so that a load balancer looks elsewhere; what comes on open connections is still answered. */
void service_drain(struct service *service);

#endif
