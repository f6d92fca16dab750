/* engine_internal.h: what the engine's files share. Nothing in here is seen by a worker: that is region.h. */
#ifndef GPU_ENGINE_INTERNAL_H
#define GPU_ENGINE_INTERNAL_H

#include "cards.h"
#include "child.h"
#include "engine.h"
#include "worker.h"

/* A request that its workers die of, this many times when it was alone, is not tried again. */
enum { TASK_DEATHS_ALONE = 2 };
/* Deaths by a SIGKILL from outside are hardly a request's doing; but without end it is not tried either. */
enum { TASK_SHOTS = 8, TASK_SHOTS_TOGETHER = 3 };

/* A request: `task` is the first member, and in it `waiting`, so that either is all of it. */
struct request {
    struct task task;
    uint32_t slot, generation;
    enum slot_state state;
    bool abandoned; /* nobody waits for its answer */
    unsigned deaths_alone, shots;
    uint64_t began, submitted;
    struct request *next_free;
};

/* What the front remembers of an order: what is in shared memory it does not trust. */
struct record {
    enum order_kind kind;
    bool canary; /* an ORDER_INFER of the worker's own slot */
    uint32_t place;
    uint32_t count, rows;
    struct request *requests[DEVICE_BATCH];
    uint64_t posted;   /* when */
    uint64_t deadline; /* the earliest of its requests'; 0: none */
};

struct worker_record {
    struct worker worker;
    char arguments[4][16]; /* of a worker process */
    /* What tells it its card; asked for once: NVML may not answer for long, just when a card has failed. */
    at_variable variables[CARD_VARIABLES];
    char texts[CARD_VARIABLES][96];
    size_t variable_count;
    struct child child;
    at_thread *thread;
    struct work work; /* inline */
    bool simulated;
    enum worker_state state;
    char reason[REGION_REASON], description[REGION_DESCRIPTION];
    uint32_t to_load, to_unload, has, loaded;    /* models, a bit each: still to be ordered; ordered; tried and right */
    uint64_t posted, collected, answered_orders; /* orders: given out; done; and their requests answered */
    unsigned in_flight;                          /* batches */
    struct record records[REGION_ORDERS];
    uint64_t since;    /* of the state, or of the oldest order: when it was last heard of */
    uint64_t answered; /* requests, since its start */
    uint64_t restarts, batches, requests, rows, retried, busy;
    struct cost costs[DEVICE_MODELS]; /* of each model */
    uint32_t place;                   /* of the model that it ran last */
};

/* What is known of a model that has been opened: made by another thread while the front goes on. */
struct prepared {
    int result;
    struct failure failure;
    char input_name[MODEL_NAME], output_name[MODEL_NAME];
    uint32_t inputs, outputs;
    uint64_t hash;
    bool is_file;
    int file; /* kept open, so that a worker that starts later finds the same one, whatever lies there by then */
    float *input, *output; /* the canary: a row, and what the reference makes of it */
};

struct model_record {
    struct model_view view;
    char name[MODEL_NAME], source[REGION_SOURCE], reason[REGION_REASON];
    struct prepared now, next; /* that is served; that is being opened */
    at_thread *opener;
    _Atomic bool opened;
    size_t tasks; /* requests that are here */
    engine_loaded *done;
    void *context;
    struct model_statistics statistics;
};

struct engine {
    struct engine_options options;
    struct region *region;
    int region_descriptor, bell, epoll;
    struct batching *batching;
    struct request *requests, *free;
    size_t slots, used;
    struct worker_record *workers;
    size_t cores;              /* that this process may use */
    size_t worker_count, turn; /* turn: who is offered work first */
    struct model_record models[DEVICE_MODELS];
    size_t model_count;
    bool draining;
    bool due; /* something has changed that a turn has to look at: it must not be slept over */
    uint64_t start;
    FILE *trace;
};

/* engine_prepare.c */
void prepare(const struct engine *engine, const char *source, struct prepared *prepared);
void forget_prepared(struct prepared *prepared);

/* engine_models.c */
int models_open(struct engine *engine, struct failure *failure) AT_MUST_CHECK;
void models_close(struct engine *engine);
void models_turn(struct engine *engine);
bool models_due(const struct engine *engine); /* a model has been opened */
/*
 * A worker that is sound with its other models does not answer a new one's canary rightly, or could not be `tried`, for
 * want of room: true when the model is given up.
 */
bool model_give_up(struct engine *engine, size_t place, bool tried);
uint32_t models_wanted(const struct engine *engine); /* a bit for each that a new worker has to load */

static inline struct mailbox *mailbox_of(const struct engine *engine, const struct worker_record *worker) {
    return &engine->region->mailboxes[worker->worker.index];
}

/* engine_workers.c */
int workers_open(struct engine *engine, struct failure *failure) AT_MUST_CHECK;
void workers_close(struct engine *engine);
void workers_turn(struct engine *engine, uint64_t now); /* starts, hangs, deaths */
uint64_t workers_next(const struct engine *engine, uint64_t now);
void worker_set_state(struct engine *engine, struct worker_record *worker, enum worker_state state, uint64_t now);
bool any_worker_left(const struct engine *engine);

/* engine_orders.c */
/* The order to be filled in next, in shared memory, and what is remembered of it; worker_post then gives it out. */
struct order *worker_next_order(struct engine *engine, struct worker_record *worker, enum order_kind kind, size_t place,
                                struct record **record);
void worker_post(struct engine *engine, struct worker_record *worker, uint64_t now);
bool worker_has_room(const struct worker_record *worker, size_t orders);
/* Gives out what is to be loaded and unloaded, as far as there is room. */
void worker_post_loads(struct engine *engine, struct worker_record *worker, uint64_t now);
/* The canary of that model has come back: the worker has it, or is no good. */
void worker_canary(struct engine *engine, struct worker_record *worker, size_t place, uint64_t now);

/* Whether a device's answer to a canary is the reference's, as closely as its number type allows. */
bool canary_matches(const char *device, const float *output, const float *reference, uint32_t count);

/* engine_batches.c */
void batches_turn(struct engine *engine, uint64_t now); /* gives up, starts batches */
/* What a worker has finished: it is free for the next batch; and then the answers, which take longer. */
void batches_collect(struct engine *engine, struct worker_record *worker);
void batches_answer(struct engine *engine, struct worker_record *worker);
uint64_t batches_next(const struct engine *engine, uint64_t now);
/* What a batch had to do with its worker's death. */
enum death {
    DEATH_OF_OTHERS,  /* nothing: it had not been begun */
    DEATH_OF_ONE,     /* it was the only one on the device */
    DEATH_OF_SEVERAL, /* so was another */
    DEATH_BY_SHOT,    /* it was there when somebody killed the worker */
};
void batch_died(struct engine *engine, struct worker_record *worker, const struct record *record, enum death death);

/* engine.c */
void request_end(struct engine *engine, struct request *request, const struct problem *problem);
void request_fail(struct engine *engine, struct request *request, int status, const char *text);
void trace_batch(struct engine *engine, const struct worker_record *worker, const struct record *record,
                 uint64_t started, uint64_t ended);
void trace_event(struct engine *engine, const struct worker_record *worker, const char *event, uint64_t now);

#endif
