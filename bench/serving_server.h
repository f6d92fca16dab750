/* serving_server.h: a server that is started to be measured: ours in one of its modes, or a peer's. */
#ifndef BENCH_SERVING_SERVER_H
#define BENCH_SERVING_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "atelier.h"
#include "target.h"

enum { SERVER_ARGUMENTS = 24, SERVER_WORKERS = 64, SERVER_REASON = 400 };

struct server {
    const char *name;    /* "shared_queue": in the files */
    const char *title;   /* "shared queue": in the tables and charts */
    const char *program; /* NULL: ours */
    const char *arguments[SERVER_ARGUMENTS];
    const char *model;  /* that it is asked for */
    const char *source; /* the same model for the reference (model_open) */
    size_t ready_lines; /* that say it is ready; 0: 1 */
    bool peer;          /* its absence is no failure */
    bool json;          /* it is asked in JSON, and not in bytes */
    at_popen *popen;    /* NULL: it does not run */
    int errors;         /* a file of what it wrote to stderr */
    struct target target;
    char reason[SERVER_REASON]; /* why it does not run, "" when it does */
};

/*
 * Starts it on any free port, waits until it says that it is ready, 30 seconds at most, and asks it for the model's
 * shapes. False when that fails, with .reason and a line on stderr; with ours it is a failure of the run. A server that
 * runs already is left alone.
 */
bool server_start(struct server *server);

/* SIGTERM, and waits; one that does not end by itself within 15 seconds, or not with 0, is a failure of the run. */
void server_stop(struct server *server);

/* CPU seconds that it has used: its first process (our front), and all its processes. */
struct server_cpu {
    double front, all;
};
struct server_cpu server_cpu(const struct server *server);

/* Its processes but the first; returns how many were stored. */
size_t server_workers(const struct server *server, pid_t *pids, size_t room);

/* The first value in /metrics whose line begins so; negative when there is none. */
double server_metric(const struct server *server, const char *name);

/* Where our server is: SERVER= in the environment, or BUILD/gpu/serve beside this program. */
const char *server_program(void);

#endif
