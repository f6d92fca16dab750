/* engine_workers.c: the workers: started, watched, replaced. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine_internal.h"

static const uint64_t SECOND = 1000000000;
/* How long a worker may take to start, or to load a model; and an idle one to say that it is alive. */
static const uint64_t LONGEST_START = 60 * SECOND, LONGEST_SILENCE = 10 * SECOND;
/* How long they may take to stop, all together: a card's memory has to be given back. */
static const uint64_t LONGEST_STOP = 5 * SECOND;
/* A batch hangs that takes ten times what was expected, and at least a second; ten, when nothing is known yet. */
static const uint64_t SHORTEST_HANG = SECOND, HANG_UNKNOWN = 10 * SECOND;

void worker_set_state(struct engine *engine, struct worker_record *worker, enum worker_state state, uint64_t now) {
    static const char *const EVENTS[] = {"start", "ready", "death", "out"};
    worker->state = state;
    worker->since = now;
    trace_event(engine, worker, EVENTS[state], now);
}

bool any_worker_left(const struct engine *engine) {
    for (size_t i = 0; i < engine->worker_count; i++)
        if (engine->workers[i].state != WORKER_OUT)
            return true;
    return false;
}

static uint64_t patient(const struct engine *engine, uint64_t time) {
    double patience = engine->options.patience;
    return patience > 0 ? (uint64_t)((double)time * patience) : time;
}

/* ---- starting */

static int start_process(struct engine *engine, struct worker_record *worker, uint64_t now) {
    const int descriptors[] = {engine->region_descriptor, worker->worker.bell, engine->bell};
    snprintf(worker->arguments[0], sizeof worker->arguments[0], "%zu", worker->worker.index);
    for (size_t i = 0; i < 3; i++)
        snprintf(worker->arguments[i + 1], sizeof worker->arguments[i + 1], "%d", descriptors[i]);
    const char *const command[] = {"serve",
                                   "--worker",
                                   worker->arguments[0],
                                   worker->worker.device,
                                   worker->arguments[1],
                                   worker->arguments[2],
                                   worker->arguments[3],
                                   NULL};
    /* Each worker is one core, or one card; a library that takes all cores would only disturb the others. */
    at_variable variables[2 + CARD_VARIABLES] = {{"OPENBLAS_NUM_THREADS", "1"}, {"OMP_NUM_THREADS", "1"}};
    if (worker->variable_count == 0)
        worker->variable_count = cards_bind(worker->worker.device, worker->variables, worker->texts);
    memcpy(variables + 2, worker->variables, worker->variable_count * sizeof *variables);
    struct child_program program = {.executable = engine->options.program,
                                    .command = AT_COMMAND(command),
                                    .variables = variables,
                                    .variable_count = 2 + worker->variable_count,
                                    .descriptors = descriptors,
                                    .descriptor_count = 3};
    struct failure failure;
    int result = child_start(&worker->child, &program, now, &failure);
    if (result != 0)
        return result;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = worker};
    /* Without it the death is found out by the silence. */
    (void)!epoll_ctl(engine->epoll, EPOLL_CTL_ADD, child_sentinel(&worker->child), &event);
    return 0;
}

static int run_thread(void *argument) {
    const struct worker *worker = argument;
    worker_run(worker); /* how it went is in the mailbox */
    return 0;
}

static int start_thread(struct worker_record *worker) {
    char name[32];
    snprintf(name, sizeof name, "worker %zu", worker->worker.index);
    worker->thread = at_thread_new(.target = run_thread, .arg = &worker->worker, .name = name);
    return at_thread_start(worker->thread);
}

/* What is left of the last one in the mailbox goes. There is no worker now, so nobody else writes to it. */
static void begin_mailbox(struct engine *engine, struct worker_record *worker) {
    struct mailbox *mailbox = mailbox_of(engine, worker);
    atomic_store_explicit(&mailbox->posted, 0, memory_order_relaxed);
    atomic_store_explicit(&mailbox->finished, 0, memory_order_relaxed);
    atomic_store_explicit(&mailbox->state, MAILBOX_NEW, memory_order_relaxed);
    bell_reset(&mailbox->bell, worker->worker.bell);
    atomic_store_explicit(&mailbox->heartbeat, now_ns(), memory_order_relaxed);
    mailbox->reason[0] = mailbox->description[0] = '\0';
    worker->posted = worker->collected = worker->answered_orders = 0;
    worker->in_flight = 0;
    worker->to_load = worker->to_unload = worker->has = worker->loaded = 0;
    worker->answered = 0;
}

static void start(struct engine *engine, struct worker_record *worker, uint64_t now) {
    begin_mailbox(engine, worker);
    worker_set_state(engine, worker, WORKER_STARTING, now);
    int result = 0;
    if (engine->options.mode == ENGINE_PROCESSES)
        result = start_process(engine, worker, now);
    else if (engine->options.mode == ENGINE_THREADS)
        result = start_thread(worker);
    else
        result = worker_open(&worker->work, &worker->worker);
    if (result == 0)
        return;
    worker->work.worker = NULL; /* nothing to be closed */
    if (engine->options.mode == ENGINE_PROCESSES) {
        snprintf(worker->reason, sizeof worker->reason, "%s", worker->child.why);
        worker->child.again = now + patient(engine, worker->child.again - now);
        worker_set_state(engine, worker, worker->child.out ? WORKER_OUT : WORKER_WAITING, now);
    } else if (engine->options.mode == ENGINE_THREADS) {
        snprintf(worker->reason, sizeof worker->reason, "%s", at_strerror(result));
        worker_set_state(engine, worker, WORKER_OUT, now);
    }
    fprintf(stderr, "serve: worker %zu (%s) cannot be started: %s\n", worker->worker.index, worker->worker.device,
            worker->reason);
}

int workers_open(struct engine *engine, struct failure *failure) {
    const struct engine_options *options = &engine->options;
    engine->workers = calloc(options->workers, sizeof *engine->workers);
    if (engine->workers == NULL)
        return fail(failure, -ENOMEM, "no memory for %zu workers", options->workers);
    uint64_t now = now_ns();
    for (size_t i = 0; i < options->workers; i++) {
        struct worker_record *worker = &engine->workers[i];
        int result = device_check(options->devices[i], failure);
        if (result != 0)
            return result;
        int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (bell < 0)
            return fail(failure, -errno, "worker %zu: eventfd: %s", i, at_strerror(-errno));
        worker->worker = (struct worker){.region = engine->region,
                                         .index = i,
                                         .device = options->devices[i],
                                         .bell = bell,
                                         .front = engine->bell,
                                         .process = options->mode == ENGINE_PROCESSES};
        worker->simulated = device_is_simulated(options->devices[i]);
        engine->worker_count++;
        start(engine, worker, now);
    }
    return 0;
}

/* ---- the end of one */

static bool was_begun(const struct engine *engine, const struct worker_record *worker, uint64_t order) {
    const struct mailbox *mailbox = mailbox_of(engine, worker);
    return atomic_load_explicit(&mailbox->orders[order % REGION_ORDERS].started, memory_order_acquire) != 0;
}

/* The orders that it was at when it died: more than one, if its device takes several batches at once. */
static size_t count_begun(const struct engine *engine, const struct worker_record *worker) {
    size_t count = 0;
    for (uint64_t i = worker->collected; i < worker->posted; i++)
        count += was_begun(engine, worker, i);
    return count;
}

/* It is dead. Its requests wait again, or are given up; what it had finished counts. */
static void bury(struct engine *engine, struct worker_record *worker, uint64_t now) {
    batches_collect(engine, worker);
    batches_answer(engine, worker);
    struct mailbox *mailbox = mailbox_of(engine, worker);
    enum death of_begun = child_was_shot(&worker->child)    ? DEATH_BY_SHOT
                          : count_begun(engine, worker) > 1 ? DEATH_OF_SEVERAL
                                                            : DEATH_OF_ONE;
    /* From behind, since each goes to the head of those that wait. */
    for (uint64_t i = worker->posted; i-- > worker->collected;) {
        const struct record *record = &worker->records[i % REGION_ORDERS];
        if (record->kind == ORDER_INFER && !record->canary)
            batch_died(engine, worker, record, was_begun(engine, worker, i) ? of_begun : DEATH_OF_OTHERS);
    }
    worker->posted = worker->collected = worker->answered_orders = 0;
    worker->in_flight = 0;
    worker->restarts++;
    worker_set_state(engine, worker, worker->child.out ? WORKER_OUT : WORKER_WAITING, now);
    bool told = atomic_load_explicit(&mailbox->state, memory_order_acquire) == MAILBOX_FAILED;
    snprintf(worker->reason, sizeof worker->reason, "%.*s", REGION_REASON - 1,
             told ? mailbox->reason : worker->child.why);
    worker->reason[sizeof worker->reason - 1] = '\0';
    fprintf(stderr, "serve: worker %zu (%s): %s%s\n", worker->worker.index, worker->worker.device, worker->reason,
            worker->child.out ? "; it died too often, and is not started again" : "");
}

/* Whether it has served somebody; and somebody who shoots at a sound one does not make it a bad one. */
static bool was_useful(const struct worker_record *worker) {
    return worker->answered > 0 || worker->state == WORKER_READY;
}

static uint64_t hang_limit(const struct worker_record *worker) {
    const struct record *record = &worker->records[worker->collected % REGION_ORDERS];
    if (worker->state == WORKER_STARTING || record->kind != ORDER_INFER)
        return LONGEST_START;
    uint64_t expected = 10 * cost_predict(&worker->costs[record->place], record->rows);
    if (expected == 0)
        return HANG_UNKNOWN;
    return expected > SHORTEST_HANG ? expected : SHORTEST_HANG;
}

/* The moment at which a worker that says nothing more is taken for one that hangs. */
static uint64_t hangs_at(const struct engine *engine, const struct worker_record *worker) {
    if (worker->state != WORKER_STARTING && worker->state != WORKER_READY)
        return UINT64_MAX;
    if (worker->posted != worker->collected || worker->state == WORKER_STARTING)
        return worker->since + patient(engine, hang_limit(worker));
    uint64_t heard = atomic_load_explicit(&mailbox_of(engine, worker)->heartbeat, memory_order_relaxed);
    return (heard > worker->since ? heard : worker->since) + patient(engine, LONGEST_SILENCE);
}

static void watch(struct engine *engine, struct worker_record *worker, uint64_t now) {
    if (worker->child.popen != NULL && !worker->child.killed && now >= hangs_at(engine, worker)) {
        char why[100];
        snprintf(why, sizeof why, "hangs: nothing heard for %.1f s, killed", (double)(now - worker->since) / 1e9);
        child_kill(&worker->child, why);
    }
    if (child_has_ended(&worker->child, was_useful(worker), now)) {
        worker->child.again = now + patient(engine, worker->child.again - now);
        bury(engine, worker, now);
    }
    if (worker->state == WORKER_WAITING && now >= worker->child.again)
        start(engine, worker, now);
}

/* ---- on the way to ready */

/* A worker's word is not trusted: what is no plain character becomes '?', and what has no end is cut. */
static void hear_description(struct worker_record *worker, const struct mailbox *mailbox) {
    char heard[sizeof worker->description];
    memcpy(heard, mailbox->description, sizeof heard);
    heard[sizeof heard - 1] = '\0';
    for (char *byte = heard; *byte != '\0'; byte++)
        if (*byte < ' ' || *byte > '~')
            *byte = '?';
    if (strcmp(heard, worker->description) == 0)
        return; /* it is the same card as before its death */
    memcpy(worker->description, heard, sizeof heard);
    if (*heard != '\0')
        fprintf(stderr, "serve: worker %zu (%s): %s\n", worker->worker.index, worker->worker.device, heard);
}

static void look_at(struct engine *engine, struct worker_record *worker, uint64_t now) {
    if ((worker->state != WORKER_STARTING && worker->state != WORKER_READY) || worker->child.killed)
        return;
    struct mailbox *mailbox = mailbox_of(engine, worker);
    uint32_t state = atomic_load_explicit(&mailbox->state, memory_order_acquire);
    if (state == MAILBOX_NEW)
        return;
    if (state == MAILBOX_FAILED && engine->options.mode != ENGINE_PROCESSES) {
        snprintf(worker->reason, sizeof worker->reason, "%s", mailbox->reason);
        fprintf(stderr, "serve: worker %zu (%s): %s\n", worker->worker.index, worker->worker.device, worker->reason);
        worker_set_state(engine, worker, WORKER_OUT, now);
        return;
    }
    if (worker->state == WORKER_STARTING && worker->posted == 0) {
        if (state == MAILBOX_OPEN)
            hear_description(worker, mailbox);
        worker->to_load |= models_wanted(engine);
    }
    worker_post_loads(engine, worker, now);
    if (worker->state == WORKER_STARTING && worker->to_load == 0 && worker->posted == worker->collected)
        worker_set_state(engine, worker, WORKER_READY, now);
}

void workers_turn(struct engine *engine, uint64_t now) {
    for (size_t i = 0; i < engine->worker_count; i++) {
        struct worker_record *worker = &engine->workers[i];
        if (engine->options.mode == ENGINE_PROCESSES)
            watch(engine, worker, now);
        look_at(engine, worker, now);
    }
}

uint64_t workers_next(const struct engine *engine, uint64_t now) {
    uint64_t next = UINT64_MAX;
    if (engine->options.mode == ENGINE_INLINE && engine->workers[0].state == WORKER_STARTING)
        return now; /* nobody else rings for it */
    if (engine->options.mode != ENGINE_PROCESSES)
        return next;
    for (size_t i = 0; i < engine->worker_count; i++) {
        const struct worker_record *worker = &engine->workers[i];
        uint64_t moment = worker->state == WORKER_OUT       ? UINT64_MAX
                          : worker->state == WORKER_WAITING ? worker->child.again
                          : worker->child.killed ? now + SECOND / 10 /* until the kernel is through with it */
                                                 : hangs_at(engine, worker);
        next = moment < next ? moment : next;
    }
    return next;
}

/* ---- closing */

static void stop(struct engine *engine, struct worker_record *worker) {
    if (!worker_has_room(worker, 1))
        return;
    struct record *record;
    worker_next_order(engine, worker, ORDER_STOP, 0, &record);
    worker_post(engine, worker, now_ns());
}

void workers_close(struct engine *engine) {
    for (size_t i = 0; i < engine->worker_count; i++)
        stop(engine, &engine->workers[i]);
    double end = at_now() + (double)patient(engine, LONGEST_STOP) / 1e9;
    for (size_t i = 0; i < engine->worker_count; i++) {
        struct worker_record *worker = &engine->workers[i];
        if (worker->work.worker != NULL) {
            while (worker_step(&worker->work))
                continue;
            worker_close(&worker->work);
        }
        if (worker->thread != NULL) {
            (void)!at_thread_join(worker->thread, AT_FOREVER);
            at_thread_free(worker->thread);
        }
        if (worker->child.popen != NULL && at_popen_wait(worker->child.popen, end - at_now(), NULL) == -ETIMEDOUT)
            fprintf(stderr, "serve: worker %zu (%s) does not stop, killed\n", i, worker->worker.device);
        child_free(&worker->child);
        close(worker->worker.bell);
    }
    free(engine->workers);
    engine->workers = NULL;
    engine->worker_count = 0;
}

/* ---- looking */

size_t engine_workers(const struct engine *engine) {
    return engine->worker_count;
}

void engine_worker(const struct engine *engine, size_t index, struct worker_view *view) {
    const struct worker_record *worker = &engine->workers[index];
    *view = (struct worker_view){.device = worker->worker.device,
                                 .simulated = worker->simulated,
                                 .state = worker->state,
                                 .pid = child_pid((struct child *)&worker->child),
                                 .reason = worker->reason,
                                 .description = worker->description,
                                 .restarts = worker->restarts,
                                 .batches = worker->batches,
                                 .requests = worker->requests,
                                 .rows = worker->rows,
                                 .retried = worker->retried,
                                 .busy = worker->busy,
                                 .cost = worker->costs[worker->place]};
}
