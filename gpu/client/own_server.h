/* own_server.h: a server that a program starts for itself, beside itself: until it is ready, what it tells, its end. */
#ifndef GPU_CLIENT_OWN_SERVER_H
#define GPU_CLIENT_OWN_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "failure.h"
#include "target.h"

enum { OWN_SERVER_TEXT = 400 };

struct own_server {
    at_popen *popen;             /* NULL: it does not run */
    FILE *log;                   /* what it says on stderr */
    char where[OWN_SERVER_TEXT]; /* "http://127.0.0.1:43210, shared-queue, 2 workers: cpu cpu" */
    struct target target;        /* its address, and the model that was asked for */
};

/*
 * Starts the server, with these options (a vector that ends with NULL), on a port of 127.0.0.1 that is free, and waits,
 * a minute at most, until it is ready. `program` is its path; NULL: "serve" in this program's own folder. `source` is
 * the model that is to be asked there (model_open). `stop` may be NULL; when it turns true, nothing more is waited for.
 * own_server_stop gives back what it holds. Errors, with the sentence, and then nothing is held: -ENOENT: there is no
 * such program; -ECHILD: it has ended instead, and the sentence is its own; -ETIMEDOUT; -EINTR; those of at_popen_new
 * and target_describe.
 */
int own_server_start(struct own_server *server, const char *program, const char *const *options, const char *source,
                     const atomic_bool *stop, struct failure *failure) AT_MUST_CHECK;

/*
 * Tells it to end by SIGTERM, after which it finishes what it has begun, and waits for that; after 15 s it is killed.
 * Returns its exit code, or minus the signal; 0 when it did not run. After it the server is empty.
 */
int own_server_stop(struct own_server *server);

/* The process of one of its workers, from 0; -ESRCH: there is none now, or it is no process. */
pid_t own_server_worker(const struct own_server *server, unsigned index);

/* A number from its /metrics, by the beginning of its line, `atelier_workers{state="ready"}`; -1: it is not there. */
double own_server_metric(const struct own_server *server, const char *name);

/* What it has said on stderr since its start, the end of that if it was much. */
void own_server_said(const struct own_server *server, char *text, size_t size);

#endif
