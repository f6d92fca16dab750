/* epoch.c: once through all examples, together: gradients added up in shared memory, or on the cards. */
#include "member_internal.h"
#include "training.h"

void member_load(struct member *member, size_t begin, size_t count) {
    struct team *team = member->team;
    load_rows((uint8_t *)team + team->pixels[0], (uint8_t *)team + team->labels[0], member->model.inputs,
              member->order + begin, count, member->input, member->labels);
}

/* ---- In shared memory */

/* The rows of the batch at `begin`, and its micro-batches. */
struct batch {
    size_t begin, rows, micros;
};

static struct batch batch_at(const struct team *team, size_t begin) {
    size_t left = team->train.count - begin, rows = left < team->plan.batch ? left : team->plan.batch;
    return (struct batch){begin, rows, (rows + team->plan.micro - 1) / team->plan.micro};
}

static struct span own_micros(const struct batch *batch, const struct team *team, size_t member) {
    return span_of(batch->micros, member, team->members);
}

/* The gradients of this member's micro-batches, in its slots. */
static int compute(struct member *member, const struct batch *batch, struct failure *failure) {
    struct team *team = member->team;
    float *slots = team_slots(team, member->index);
    struct partial_sums sums;
    struct span own = own_micros(batch, team, member->index);
    sum_begin(&sums, own);
    for (size_t micro = own.begin; micro < own.end; micro++) {
        size_t begin = micro * team->plan.micro, left = batch->rows - begin;
        size_t rows = left < team->plan.micro ? left : team->plan.micro;
        member_load(member, batch->begin + begin, rows);
        int result =
            member->trainer.kind->gradient(&member->trainer, member->input, member->labels, rows,
                                           slots + sums.used * team->count, team_losses(team) + micro, failure);
        if (result != 0)
            return result;
        sum_add(&sums, micro, slots, team->count);
    }
    return 0;
}

/* Where the gradients of all micro-batches lie, in order. */
static size_t find_terms(struct team *team, const struct batch *batch, struct term *terms) {
    size_t count = 0;
    for (size_t member = 0; member < team->members; member++) {
        struct block blocks[SUM_SLOTS];
        size_t used = sum_blocks(own_micros(batch, team, member), blocks);
        for (size_t i = 0; i < used; i++)
            terms[count++] = (struct term){blocks[i], team_slots(team, member) + i * team->count};
    }
    return count;
}

/* This member's part of the numbers takes the step. */
static void step(struct member *member, const struct batch *batch, float rate) {
    enum { LINE = 16 }; /* floats: no two members write to the same cache line */
    struct term terms[TEAM_MEMBERS * SUM_SLOTS];
    struct team *team = member->team;
    size_t term_count = find_terms(team, batch, terms);
    struct span lines = span_of((team->count + LINE - 1) / LINE, member->index, team->members);
    size_t end = lines.end * LINE < team->count ? lines.end * LINE : team->count;
    float *numbers = team_floats(team, team->numbers), *velocities = team_floats(team, team->velocities);
    for (size_t begin = lines.begin * LINE; begin < end; begin += SUM_CHUNK) {
        float sum[SUM_CHUNK];
        size_t count = end - begin < SUM_CHUNK ? end - begin : SUM_CHUNK;
        sum_terms(terms, term_count, begin, count, sum);
        take_step(numbers + begin, sum, count, rate / (float)batch->rows, team->plan.momentum, velocities + begin);
    }
}

/* Two meetings a step: all gradients are there; all numbers are new. */
int epoch_in_memory(struct member *member, float rate, double *loss, struct failure *failure) {
    struct team *team = member->team;
    for (size_t begin = 0; begin < team->train.count;) {
        struct batch batch = batch_at(team, begin);
        int result = compute(member, &batch, failure);
        if (result != 0)
            return result;
        meet(&team->meeting);
        for (size_t i = 0; i < batch.micros; i++) /* each member adds them up, in the same order */
            *loss += team_losses(team)[i];
        step(member, &batch, rate);
        meet(&team->meeting);
        begin += batch.rows;
    }
    return 0;
}

/* ---- On the cards */

int epoch_on_cards(struct member *member, float rate, double *loss, struct failure *failure) {
    struct team *team = member->team;
    const struct trainer_kind *kind = member->trainer.kind;
    int result = 0;
    for (size_t begin = 0; begin < team->train.count && result == 0;) {
        struct batch batch = batch_at(team, begin);
        struct span own = span_of(batch.rows, member->index, team->members);
        member_load(member, begin + own.begin, own.end - own.begin);
        result =
            kind->step(&member->trainer, member->input, member->labels, own.end - own.begin, batch.rows, rate, failure);
        begin += batch.rows;
    }
    float *numbers = member->index == 0 ? team_floats(team, team->numbers) : NULL;
    if (result == 0)
        result = kind->fetch(&member->trainer, numbers, &team->reports[member->index].loss, failure);
    if (result != 0)
        return result;
    meet(&team->meeting); /* the numbers are there, and all losses */
    for (size_t i = 0; i < team->members; i++)
        *loss += team->reports[i].loss;
    return 0;
}
