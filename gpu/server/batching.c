/* batching.c: the requests that wait, in lists by priority; who of them run together; who is given up. */
#include "batching.h"

#include <assert.h>
#include <stdlib.h>

#include "deadlines.h"

enum { LEVELS = 16, MIDDLE = 8 };

/* In each list the oldest is the first. Those with a deadline are in a heap too: giving up looks at its root alone. */
struct batching {
    struct batching_options options;
    struct list {
        struct waiting *first, *last;
    } lists[LEVELS];
    struct waiting *earliest;
    size_t requests, rows;
    uint64_t added;
};

struct batching *batching_new(const struct batching_options *options) {
    struct batching *batching = calloc(1, sizeof *batching);
    if (batching != NULL) {
        batching->options = *options;
        if (options->most == 0)
            batching->options.most = 1;
    }
    return batching;
}

void batching_free(struct batching *batching) {
    free(batching);
}

/* ---- the lists */

static unsigned level_of(const struct waiting *waiting) {
    unsigned level = waiting->priority == 0 ? MIDDLE : waiting->priority;
    return level < LEVELS ? level : LEVELS - 1;
}

static struct waiting *first_from(const struct batching *batching, unsigned level) {
    for (; level < LEVELS; level++)
        if (batching->lists[level].first != NULL)
            return batching->lists[level].first;
    return NULL;
}

static struct waiting *after(const struct batching *batching, const struct waiting *waiting) {
    return waiting->next != NULL ? waiting->next : first_from(batching, level_of(waiting) + 1);
}

/* Puts it behind `previous`, which is NULL for the first place. */
static void insert(struct batching *batching, struct waiting *waiting, struct waiting *previous) {
    struct list *list = &batching->lists[level_of(waiting)];
    waiting->previous = previous;
    waiting->next = previous != NULL ? previous->next : list->first;
    *(previous != NULL ? &previous->next : &list->first) = waiting;
    *(waiting->next != NULL ? &waiting->next->previous : &list->last) = waiting;
    if (waiting->deadline != 0)
        deadlines_add(&batching->earliest, waiting);
    batching->requests++;
    batching->rows += waiting->rows;
    waiting->queued = true;
}

void batching_add(struct batching *batching, struct waiting *waiting) {
    waiting->order = ++batching->added;
    insert(batching, waiting, batching->lists[level_of(waiting)].last);
}

void batching_return(struct batching *batching, struct waiting *waiting) {
    struct waiting *previous = NULL, *next = batching->lists[level_of(waiting)].first;
    for (; next != NULL && next->order < waiting->order; next = next->next)
        previous = next;
    insert(batching, waiting, previous);
}

void batching_remove(struct batching *batching, struct waiting *waiting) {
    if (!waiting->queued)
        return;
    struct list *list = &batching->lists[level_of(waiting)];
    *(waiting->previous != NULL ? &waiting->previous->next : &list->first) = waiting->next;
    *(waiting->next != NULL ? &waiting->next->previous : &list->last) = waiting->previous;
    waiting->next = waiting->previous = NULL;
    if (waiting->deadline != 0)
        deadlines_remove(&batching->earliest, waiting);
    assert(batching->requests > 0 && batching->rows >= waiting->rows);
    batching->requests--;
    batching->rows -= waiting->rows;
    waiting->queued = false;
}

size_t batching_requests(const struct batching *batching) {
    return batching->requests;
}

size_t batching_rows(const struct batching *batching) {
    return batching->rows;
}

/* ---- when */

static uint64_t sum(uint64_t one, uint64_t other) {
    return one > UINT64_MAX - other ? UINT64_MAX : one + other;
}

/* Until when a free worker waits for more to come; 0 when it does not. Somebody must be there. */
static uint64_t kept_until(const struct batching *batching) {
    const struct batching_options *options = &batching->options;
    if (options->delay == 0 || batching->rows >= options->most || first_from(batching, 0)->alone)
        return 0;
    uint64_t oldest = UINT64_MAX;
    for (unsigned level = 0; level < LEVELS; level++)
        if (batching->lists[level].first != NULL && batching->lists[level].first->arrived < oldest)
            oldest = batching->lists[level].first->arrived;
    uint64_t until = sum(oldest, options->delay);
    if (batching->earliest != NULL) {
        uint64_t arrived = batching->earliest->arrived, deadline = batching->earliest->deadline;
        uint64_t half = deadline > arrived ? arrived + (deadline - arrived) / 2 : 0;
        until = half < until ? half : until;
    }
    return until;
}

/* The first moment at which the one with the earliest deadline is given up. */
static uint64_t given_up_from(const struct batching *batching, uint64_t least) {
    uint64_t deadline = batching->earliest->deadline;
    if (batching->options.keep_late || least == 0)
        return deadline;
    return deadline >= least ? deadline - least + 1 : 0;
}

uint64_t batching_next(const struct batching *batching, uint64_t now, uint64_t least) {
    uint64_t next = UINT64_MAX;
    if (batching->requests > 0 && kept_until(batching) > now)
        next = kept_until(batching);
    if (batching->earliest != NULL && given_up_from(batching, least) < next)
        next = given_up_from(batching, least);
    return next > now ? next : now;
}

/* The waiting rows divided by the workers, but not above .most. */
static size_t fair_share(const struct batching *batching, size_t workers) {
    size_t divisor = workers > 0 ? workers : 1, share = (batching->rows + divisor - 1) / divisor;
    return share < batching->options.most ? share : batching->options.most;
}

uint64_t batching_least(const struct batching *batching, const struct cost *fastest, size_t workers) {
    return cost_bound(fastest, (uint32_t)fair_share(batching, workers));
}

struct waiting *batching_give_up(struct batching *batching, uint64_t now, uint64_t least) {
    struct waiting *late = batching->earliest;
    if (late == NULL || now < given_up_from(batching, least))
        return NULL;
    batching_remove(batching, late);
    return late;
}

/* ---- who */

/* A batch in the making: its rows, the most that it may get, and the earliest deadline that it has to meet. */
struct batch {
    uint64_t rows, most, deadline, now;
    const struct cost *cost;
};

static uint64_t finish(const struct batch *batch, uint64_t rows) {
    return sum(batch->now, cost_predict(batch->cost, (uint32_t)(rows < UINT32_MAX ? rows : UINT32_MAX)));
}

/* UINT64_MAX for a deadline that is none, or is lost already: to hurry for it would help nobody. */
static uint64_t deadline_to_meet(const struct batch *batch, const struct waiting *waiting) {
    bool lost = waiting->deadline == 0 || finish(batch, waiting->rows) > waiting->deadline;
    return lost ? UINT64_MAX : waiting->deadline;
}

/* Lets a further request in if it fits. */
static bool admit(struct batch *batch, const struct waiting *waiting) {
    uint64_t rows = batch->rows + waiting->rows, deadline = deadline_to_meet(batch, waiting);
    if (deadline > batch->deadline)
        deadline = batch->deadline;
    if (waiting->alone || rows > batch->most || finish(batch, rows) > deadline)
        return false;
    batch->rows = rows;
    batch->deadline = deadline;
    return true;
}

uint32_t batching_model(const struct batching *batching) {
    const struct waiting *first = first_from(batching, 0);
    return first == NULL ? 0 : first->model;
}

size_t batching_take(struct batching *batching, uint64_t now, const struct cost *cost, size_t free,
                     struct waiting **batch, size_t room) {
    struct waiting *first = first_from(batching, 0);
    if (first == NULL || room == 0 || kept_until(batching) > now)
        return 0;
    struct batch taken = {.rows = first->rows, .most = fair_share(batching, free), .now = now, .cost = cost};
    taken.deadline = deadline_to_meet(&taken, first);
    struct waiting *next = after(batching, first);
    uint32_t model = first->model;
    bool alone = first->alone;
    size_t count = 1;
    batch[0] = first;
    batching_remove(batching, first);
    for (struct waiting *other = next; other != NULL && !alone && count < room && taken.rows < taken.most;
         other = next) {
        next = after(batching, other);
        if (other->model != model)
            continue;
        if (!admit(&taken, other))
            break;
        batching_remove(batching, other);
        batch[count++] = other;
    }
    return count;
}
