/* team.c: the memory that the processes of a training share; see team.h. */
#include "team.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "training.h"

/* A place of that size behind all others. */
static size_t place(size_t *end, size_t size) {
    enum { LINE = 64 };
    size_t begin = *end;
    *end += (size + LINE - 1) / LINE * LINE;
    return begin;
}

static size_t micros_of(size_t rows, size_t micro) {
    return (rows + micro - 1) / micro;
}

static size_t pixels_of(const struct examples *examples) {
    return examples->count * examples->rows * examples->columns;
}

/* Says where everything lies, and returns the size of it all. */
static size_t lay_out(struct team *team) {
    size_t end = 0, floats = team->count * sizeof(float), micros = micros_of(team->plan.batch, team->plan.micro);
    size_t own = micros_of(micros, team->members); /* the most that one has */
    team->slots = sum_slots(own);
    place(&end, sizeof *team);
    team->numbers = place(&end, floats);
    team->velocities = place(&end, floats);
    team->losses = place(&end, micros * sizeof(double));
    team->pixels[0] = place(&end, pixels_of(&team->train));
    team->labels[0] = place(&end, team->train.count);
    team->pixels[1] = place(&end, pixels_of(&team->held_out));
    team->labels[1] = place(&end, team->held_out.count);
    team->gradients = place(&end, team->members * team->slots * floats);
    return end;
}

static void take_shape(struct team *team, const struct network *network) {
    team->depth = network->model.depth;
    team->count = network->count;
    for (size_t i = 0; i < team->depth; i++)
        team->sizes[i] = network->model.layers[i].inputs;
    team->sizes[team->depth] = network->model.outputs;
}

static void copy_examples(struct team *team, size_t which, const struct examples *examples) {
    memcpy((char *)team + team->pixels[which], examples->pixels, pixels_of(examples));
    memcpy((char *)team + team->labels[which], examples->labels, examples->count);
}

int team_make(struct team **team, const struct plan *plan, size_t members, const struct network *network,
              const struct dataset *dataset, struct failure *failure) {
    struct team facts = {.size = sizeof facts, .members = members, .plan = *plan};
    void *memory;
    facts.train = dataset->train;
    facts.held_out = dataset->held_out;
    facts.meeting.members = (uint32_t)members;
    take_shape(&facts, network);
    size_t size = lay_out(&facts);
    int descriptor = at_shared_open(&memory, size);
    if (descriptor < 0)
        return fail(failure, descriptor, "%zu MB of shared memory for the training: %s", size >> 20,
                    at_strerror(descriptor));
    *team = memory;
    **team = facts;
    (*team)->train.pixels = (*team)->held_out.pixels = (*team)->train.labels = (*team)->held_out.labels = NULL;
    memcpy(team_floats(*team, facts.numbers), network->numbers, network->count * sizeof(float));
    copy_examples(*team, 0, &dataset->train);
    copy_examples(*team, 1, &dataset->held_out);
    return descriptor;
}

int team_attach(struct team **team, int descriptor, struct failure *failure) {
    void *memory;
    size_t size;
    int result = at_shared_attach(&memory, &size, descriptor);
    if (result != 0)
        return fail(failure, result, "descriptor %d: %s", descriptor, at_strerror(result));
    *team = memory;
    if (size > sizeof **team && (*team)->size == sizeof **team)
        return 0;
    at_shared_free(memory);
    return fail(failure, -EINVAL, "descriptor %d: no training's memory, or that of another build", descriptor);
}
