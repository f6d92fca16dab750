/* worker.c: one device and what it is asked to do; see worker.h. */
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "child.h"

/* An idle worker says this often that it is alive; and a device that broke rings no bell, so that one looks at it. */
enum { HEARTBEAT_MS = 500, LOOK_MS = 20 };

/* The status of a process whose device is lost (sysexits.h: EX_SOFTWARE). */
enum { DEVICE_LOST = 70 };

/* What a device is that waits by looking again and again, which the worker then does, too (cuda.c). */
static const char SPINS[] = ":spin";

void worker_give_up(struct work *work, int error, const char *text) {
    struct mailbox *mailbox = work->mailbox;
    snprintf(mailbox->reason, sizeof mailbox->reason, "%s", text);
    atomic_store_explicit(&mailbox->state, MAILBOX_FAILED, memory_order_release); /* the front's load, in reap */
    bell_ring(&work->worker->region->bell, work->worker->front);
    if (work->worker->process)
        _exit(error == -ENOMEM ? CHILD_SHORT : DEVICE_LOST);
}

/* ---- waiting */

static struct order *order_at(const struct work *work, uint64_t number) {
    return &work->mailbox->orders[number % REGION_ORDERS];
}

static bool has_order(const struct work *work) {
    return atomic_load_explicit(&work->mailbox->posted, memory_order_acquire) != work->begun; /* worker_post */
}

/*
 * Whether one more may be begun, if it comes. Only batches run side by side, and none beside one that must be alone:
 * should the worker die of it, nobody else is to be blamed.
 */
static bool has_room(const struct work *work) {
    const struct order *oldest = order_at(work, work->done);
    return work->begun == work->done ||
           (work->begun - work->done < device_lanes(&work->device) && oldest->kind == ORDER_INFER && !oldest->alone);
}

static bool may_begin(const struct work *work) {
    const struct order *next = order_at(work, work->begun);
    return has_order(work) && has_room(work) &&
           (work->begun == work->done || (next->kind == ORDER_INFER && !next->alone));
}

static size_t lane_of(const struct work *work, uint64_t number) {
    return (size_t)(number % device_lanes(&work->device));
}

static void begin_orders(struct work *work) {
    while (may_begin(work)) {
        struct order *order = order_at(work, work->begun);
        size_t lane = lane_of(work, work->begun);
        atomic_store_explicit(&order->started, now_ns(), memory_order_release); /* the front's load, at a death */
        work->flights[lane].order = order;
        if (order->kind == ORDER_INFER)
            flight_begin(work, lane);
        work->begun++;
    }
}

/* Whether the oldest would not have to be waited for; what is wrong with it, finishing it will tell. */
static bool is_over(struct work *work) {
    size_t lane = lane_of(work, work->done);
    const struct flight *flight = &work->flights[lane];
    if (flight->order->kind != ORDER_INFER || flight->result != 0 || flight->count == 0)
        return true;
    struct failure ignored;
    return device_poll(&work->device, lane, &ignored) != 0;
}

/* Sleeps until somebody rings: the front for an order, the device because a batch is over. */
static void rest(struct work *work) {
    struct mailbox *mailbox = work->mailbox;
    bool flying = work->begun != work->done;
    atomic_store_explicit(&mailbox->heartbeat, now_ns(), memory_order_relaxed);
    if (flying && work->over < 0)
        return; /* it spins */
    struct pollfd bells[] = {{.fd = work->worker->bell, .events = POLLIN}, {.fd = work->over, .events = POLLIN}};
    bell_sleep(&mailbox->bell);
    if (!has_order(work) && !(flying && is_over(work)))
        poll(bells, flying ? 2 : 1, flying ? LOOK_MS : HEARTBEAT_MS);
    bell_awake(&mailbox->bell, work->worker->bell);
    if (flying && (bells[1].revents & POLLIN) != 0) {
        uint64_t rings;
        (void)!read(work->over, &rings, sizeof rings);
    }
}

void worker_await(struct work *work) {
    for (;; rest(work)) {
        begin_orders(work);
        if (work->begun == work->done)
            continue;
        /* When nothing more is to be begun before it ends, finishing it is to wait for it. */
        bool nothing_more = work->worker->region->in_flight < 2 || !has_room(work) || has_order(work);
        if (nothing_more || is_over(work))
            return;
    }
}

/* ---- orders */

static void unload(struct work *work, size_t place) {
    if (work->models[place] == NULL)
        return;
    device_unload(&work->device, place);
    model_free(work->models[place]);
    work->models[place] = NULL;
}

static void load(struct work *work, struct order *order) {
    struct failure failure;
    struct model *model;
    /* The very file that the front has opened, if it can be had, whatever lies there by now under its name. */
    int result = order->file[0] == '\0' ? -ENOENT : model_open(&model, order->file, "", NULL);
    if (result != 0)
        result = model_open(&model, order->source, work->worker->region->folder, &failure);
    if (result == 0 && model->hash != order->hash) {
        result = fail(&failure, -ESTALE, "model %s: its file has been changed while it was loaded; load it again",
                      order->source);
        model_free(model);
    } else if (result == 0 && (result = device_load(&work->device, order->place, model, &failure)) != 0) {
        model_free(model);
    }
    if (result == -ENOMEM) {
        /* The device is well. It has no model there now, so the trial behind this order fails, and the front knows. */
        fprintf(stderr, "serve: worker %zu (%s): %s\n", work->worker->index, work->worker->device, failure.text);
        unload(work, order->place);
        return;
    }
    if (result != 0) {
        worker_give_up(work, result, failure.text);
        return;
    }
    model_free(work->models[order->place]);
    work->models[order->place] = model;
}

/* False: this was the last order. */
static bool obey(struct work *work, struct order *order) {
    bool valid = order->place < DEVICE_MODELS;
    switch (order->kind) {
    case ORDER_INFER:
        flight_finish(work, lane_of(work, work->done));
        return true;
    case ORDER_LOAD:
        if (valid)
            load(work, order);
        return true;
    case ORDER_UNLOAD:
        if (valid)
            unload(work, order->place);
        return true;
    case ORDER_STOP:
        break;
    }
    return false;
}

bool worker_step(struct work *work) {
    struct mailbox *mailbox = work->mailbox;
    begin_orders(work);
    struct order *order = order_at(work, work->done);
    bool more = obey(work, order);
    /* What began while another ran has the device to itself only from that one's end. */
    if (atomic_load_explicit(&order->started, memory_order_relaxed) < work->ended)
        atomic_store_explicit(&order->started, work->ended, memory_order_relaxed);
    work->ended = now_ns();
    work->done++;
    atomic_store_explicit(&order->ended, work->ended, memory_order_relaxed);
    atomic_store_explicit(&mailbox->finished, work->done, memory_order_release); /* the front's load, in collect */
    bell_ring(&work->worker->region->bell, work->worker->front);
    return more;
}

/* ---- from the beginning to the end */

static void close_bell(struct work *work) {
    if (work->over >= 0)
        close(work->over);
    work->over = -1;
}

static void choose_fault(struct work *work) {
    work->breaks = inject_cuda(work->worker->region->inject, &work->fault);
    if (!work->breaks || work->device.kind->fault != NULL)
        return;
    work->breaks = false;
    fprintf(stderr, "serve: worker %zu (%s): --inject cuda: it is no card, and goes on\n", work->worker->index,
            work->worker->device);
}

int worker_open(struct work *work, const struct worker *worker) {
    struct region *region = worker->region;
    *work = (struct work){.worker = worker, .mailbox = &region->mailboxes[worker->index], .over = -1};
    if (region->in_flight > 1 && strstr(worker->device, SPINS) == NULL)
        work->over = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); /* without one it spins */
    struct device_options options = {
        .deterministic = region->deterministic, .batch = region->rows, .bell = work->over > 0 ? work->over : 0};
    region_slots(region, &options.memory, &options.memory_size);
    struct failure failure;
    inject_start(region->inject);
    int result = device_open(&work->device, worker->device, &options, &failure);
    if (result != 0) {
        worker_give_up(work, result, failure.text);
        close_bell(work);
        return result;
    }
    choose_fault(work);
    snprintf(work->mailbox->description, sizeof work->mailbox->description, "%s", work->device.description);
    atomic_store_explicit(&work->mailbox->state, MAILBOX_OPEN, memory_order_release); /* the front's, in look_at */
    bell_ring(&region->bell, worker->front);
    return 0;
}

void worker_close(struct work *work) {
    for (size_t place = 0; place < DEVICE_MODELS; place++)
        unload(work, place);
    device_close(&work->device);
    close_bell(work);
}

int worker_run(const struct worker *worker) {
    struct work work;
    int result = worker_open(&work, worker);
    if (result != 0)
        return result;
    do
        worker_await(&work);
    while (worker_step(&work));
    worker_close(&work);
    return 0;
}

/* A number among the arguments that the front has written. */
static int number(const char *text) {
    return (int)strtol(text, NULL, 10);
}

int worker_main(int argc, char *argv[]) {
    if (argc != 7) {
        fprintf(stderr, "serve --worker: is for the server itself; see serve --help\n");
        return 2;
    }
    struct worker worker = {.index = (size_t)number(argv[2]),
                            .device = argv[3],
                            .bell = number(argv[5]),
                            .front = number(argv[6]),
                            .process = true};
    int result = region_attach(&worker.region, number(argv[4]));
    if (result == 0 && worker.index >= worker.region->workers)
        result = -EINVAL;
    if (result != 0) {
        fprintf(stderr, "serve --worker: descriptor %s: %s\n", argv[4], at_strerror(result));
        return 2;
    }
    result = worker_run(&worker);
    region_free(worker.region);
    return result == 0 ? 0 : DEVICE_LOST;
}
