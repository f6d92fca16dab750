/* routes.h: what a path asks for. */
#ifndef GPU_ROUTES_H
#define GPU_ROUTES_H

#include <stdbool.h>

#include "problem.h"

enum { ROUTE_NAME = 128, ROUTE_VERSION = 24 };

enum route_kind {
    ROUTE_INFER,
    ROUTE_LIVE,
    ROUTE_READY,
    ROUTE_SERVER,
    ROUTE_MODEL,
    ROUTE_MODEL_READY,
    ROUTE_CONFIG,
    ROUTE_STATISTICS,
    ROUTE_ALL_STATISTICS,
    ROUTE_INDEX,
    ROUTE_LOAD,
    ROUTE_UNLOAD,
    ROUTE_MEMORY_STATUS,
    ROUTE_MEMORY_REGISTER,
    ROUTE_MEMORY_UNREGISTER,
    ROUTE_METRICS,
};

struct route {
    enum route_kind kind;
    bool post;                   /* asked for by POST; else by GET or HEAD */
    char name[ROUTE_NAME];       /* of the model or the region, decoded; "": the path has none */
    char version[ROUTE_VERSION]; /* the same, decimal digits */
};

/*
 * Finds the route of a path, which is not yet decoded and has no query. A slash at its end changes nothing. Returns 0,
 * or -1 with the problem: 404 for a path that leads nowhere, or a name too long to be one's; 400 for a %XX that is
 * none, or is a NUL, for what is not UTF-8, and for a version that is no number; 405 for the wrong method, and then the
 * route's `post` says the right one.
 */
int route_find(struct route *route, const char *method, const char *path, struct problem *problem);

#endif
