/* engine.h: requests in, answers out: a place in shared memory for each, batches for the workers that are free, and
 * workers that are started, watched and replaced. */
#ifndef GPU_ENGINE_H
#define GPU_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batching.h"
#include "device.h"
#include "infer.h"

enum { ENGINE_WORKERS = 64 };

/* Where the workers are. */
enum engine_mode {
    ENGINE_INLINE,    /* nowhere: the caller's thread runs the batches itself, within engine_turn */
    ENGINE_THREADS,   /* threads of this process */
    ENGINE_PROCESSES, /* processes, one a device; any of them may die */
};

struct engine_options {
    enum engine_mode mode;
    const char *const *devices; /* their texts (device.h), each one a worker; inline: only one */
    size_t workers;
    unsigned number;           /* that answers give as the first worker's */
    const char *folder;        /* of the models */
    const char *const *models; /* the sources (model.h) loaded at the start */
    size_t model_count;
    const char *program; /* what a worker process executes, with --worker: this program itself */
    size_t slots;        /* how many requests may be here at once */
    bool deterministic;
    unsigned in_flight; /* batches that a worker has at once: 1, or 2 to have the next one at hand */
    struct batching_options batching;
    const char *trace;  /* a CSV file of all batches, for the timeline; NULL: none */
    const char *inject; /* faults on purpose (inject.h); NULL: none */
    double patience; /* all times that a worker is given, to speak, to stop, to rest after a death, times this; 0: 1 */
};

struct engine;

/* Opens it and starts the workers; the models are ready when engine_ready says so. Errors: with their sentence. */
int engine_open(struct engine **engine, const struct engine_options *options, struct failure *failure) AT_MUST_CHECK;
void engine_close(struct engine *engine); /* what waits is failed with 503 first */

/*
 * The loop is the caller's: poll the descriptor for reading, until the moment of engine_next at the latest (nanoseconds
 * of the monotonic clock; UINT64_MAX: never), and call engine_turn, which gives answers, starts batches, gives up those
 * that are late, replaces workers. It returns true when it must be called again at once (inline mode).
 */
int engine_descriptor(const struct engine *engine);
uint64_t engine_next(struct engine *engine);
/*
 * Until when it is worth while to look again and again instead of sleeping, since the only request here is about
 * to be finished: a moment, 0 for not at all. To be woken may take longer than its computation.
 */
uint64_t engine_soon(const struct engine *engine);
bool engine_turn(struct engine *engine);

/* ---- requests */

/* One request, from its headers to its answer. The engine's own; the caller reads what is said to be for it. */
struct task {
    struct waiting waiting; /* rows, priority and deadline are the caller's to set before engine_submit */
    const struct signature *signature;
    float *input;                 /* [rows][inputs], the caller's to fill; room for signature->rows */
    const float *output;          /* [rows][outputs], the caller's to read in `done` */
    struct infer_service service; /* who served it, to read in `done` */
    /*
     * It is over: problem->status 0 and the output is there, or the problem. Called from within engine_turn, once, and
     * not after engine_abandon. The task is gone when it returns.
     */
    void (*done)(struct task *task, const struct problem *problem);
    void *context;
};

/*
 * Takes a place for a request to a model, before its body is read. NULL with the problem: 404 no such model or version;
 * 503 not ready, all places taken (with Retry-After), or shutting down. version NULL: the only one.
 */
struct task *engine_begin(struct engine *engine, const char *model, const char *version, struct problem *problem);
void engine_submit(struct engine *engine, struct task *task);
/* Nobody wants it any more, at whatever stage. */
void engine_abandon(struct engine *engine, struct task *task);

/* No request is taken from now on; those that are here are finished. engine_idle: they are. */
void engine_drain(struct engine *engine);
bool engine_idle(const struct engine *engine);
/* Whether all models that are wanted are ready on at least one worker, and it is not shutting down. */
bool engine_ready(const struct engine *engine);

/* ---- models */

enum model_state { MODEL_UNLOADED, MODEL_LOADING, MODEL_READY, MODEL_UNLOADING, MODEL_FAILED };

/* How often, and how long in all, in nanoseconds. */
struct tally {
    uint64_t count, nanoseconds;
};

struct batch_tally {
    struct tally input, infer, output; /* handed over; computed; collected */
};

/* Counted since the start, over all workers, whatever became of them. Requests, but for `rows` and `batches`. */
struct model_statistics {
    struct tally success, fail, queue, input, infer, output;
    uint64_t rows, batches;
    uint64_t last;                              /* milliseconds since 1970 of the last one; 0: none yet */
    struct batch_tally sizes[DEVICE_BATCH + 1]; /* by the rows of the batch */
    uint64_t rejected_full, rejected_late, failed_worker, quarantined; /* why requests failed, or were not taken */
};

struct model_view {
    const char *name;
    const char *source;
    enum model_state state;
    const char *reason; /* why it is not ready, "" when it is */
    struct signature signature;
    size_t waiting; /* requests */
    const struct model_statistics *statistics;
};

/* The models that have been asked for, loaded or not, in order; NULL behind the last. By name: NULL when unknown. */
const struct model_view *engine_model(const struct engine *engine, size_t index);
const struct model_view *engine_model_named(const struct engine *engine, const char *name);

/*
 * Loads a model, or loads it again, or unloads it, on all workers; `done` says when that is over: problem->status 0, or
 * why not: 400 unknown, broken, of another shape than before, too many; what was loaded before then stays. Answers go
 * on meanwhile.
 */
typedef void engine_loaded(void *context, const struct problem *problem);
void engine_load(struct engine *engine, const char *name, engine_loaded *done, void *context);
void engine_unload(struct engine *engine, const char *name, engine_loaded *done, void *context);
/* The caller of the two has gone: done is not called. */
void engine_forget(struct engine *engine, void *context);

/* ---- workers */

enum worker_state {
    WORKER_STARTING, /* executing, opening its device, loading, trying a canary */
    WORKER_READY,
    WORKER_WAITING, /* dead; started again in a moment */
    WORKER_OUT,     /* died too often without having answered anything: not started again */
};

struct worker_view {
    const char *device;
    bool simulated;
    enum worker_state state;
    int pid;                                             /* 0: a thread, or dead */
    const char *reason;                                  /* of the last death, "" */
    const char *description;                             /* of its device, as that said it at its last start; "" */
    uint64_t restarts, batches, requests, rows, retried; /* retried: requests that its deaths made others run */
    uint64_t busy;                                       /* nanoseconds in batches */
    struct cost cost;                                    /* learnt, of the model that it ran last */
};

size_t engine_workers(const struct engine *engine);
void engine_worker(const struct engine *engine, size_t index, struct worker_view *view);

/* Requests that are here: being read, waiting, running. */
size_t engine_tasks(const struct engine *engine);
size_t engine_slots(const struct engine *engine);
/* How long a free worker may wait for more rows, in nanoseconds. */
uint64_t engine_delay(const struct engine *engine);
/* The most numbers that the input of a request may have, also to models that are loaded later. */
size_t engine_numbers(const struct engine *engine);

#endif
