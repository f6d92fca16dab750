/* member.c: one process of a training: computes its part of each gradient, and takes the steps with the others. */
#include "member.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "member_internal.h"
#include "training.h"

/* ---- Making it */

static float *aligned_floats(size_t count) {
    enum { ALIGNMENT = 64 };
    return aligned_alloc(ALIGNMENT, (count * sizeof(float) / ALIGNMENT + 1) * ALIGNMENT);
}

/* The network whose numbers all share. */
static int take_network(struct member *member, struct failure *failure) {
    struct team *team = member->team;
    member->model.depth = team->depth;
    for (size_t i = 0; i < team->depth; i++)
        member->model.layers[i] = (struct layer){.inputs = team->sizes[i], .outputs = team->sizes[i + 1]};
    return network_lay(&member->model, team_floats(team, team->numbers), failure);
}

static int member_open(struct member *member, const char *device, struct failure *failure) {
    struct team *team = member->team;
    int result = take_network(member, failure);
    if (result != 0)
        return result;
    size_t rows = team->plan.batch < MEMBER_BLOCK ? MEMBER_BLOCK : team->plan.batch;
    member->input = aligned_floats(rows * member->model.inputs);
    member->labels = malloc(rows);
    member->order = malloc((team->train.count + 1) * sizeof *member->order);
    member->tape = tape_new(&member->model, MEMBER_BLOCK);
    if (member->input == NULL || member->labels == NULL || member->order == NULL || member->tape == NULL)
        return fail(failure, -ENOMEM, "not enough memory to train");
    /* The most rows of a call: a micro-batch; where the members add up on their cards, a member's part of a batch. */
    size_t part = (team->plan.batch + team->members - 1) / team->members;
    bool whole = team->plan.reduction != REDUCE_SHARED && part > team->plan.micro;
    return trainer_open(&member->trainer, device, &member->model, whole ? part : team->plan.micro, failure);
}

static void member_close(struct member *member) {
    trainer_close(&member->trainer);
    tape_free(member->tape);
    free(member->input);
    free(member->labels);
    free(member->order);
}

/* ---- What the members agree on */

/*
 * Whether they add up on their cards. Member 0 asks for the name by which they find each other; it has none where NCCL
 * is not there, and then the numbers stay in the memory that all share. Who fails to join ends the training: those who
 * have joined already wait for it, and cannot be told otherwise.
 */
static int agree(struct member *member, struct failure *failure) {
    struct team *team = member->team;
    const struct trainer_kind *kind = member->trainer.kind;
    if (member->index == 0) {
        team->reduction = REDUCE_SHARED;
        if (team->plan.reduction != REDUCE_SHARED) {
            int result = kind->make_id == NULL ? fail(&team->reason, -ENOTSUP, "cores have no NCCL")
                                               : kind->make_id(team->id, &team->reason);
            team->reduction = result == 0 ? REDUCE_NCCL : REDUCE_SHARED;
        }
    }
    meet(&team->meeting);
    if (team->reduction == REDUCE_NCCL)
        return kind->join(&member->trainer, team->id, member->index, team->members, team->plan.momentum, failure);
    if (team->plan.reduction == REDUCE_NCCL)
        return fail(failure, -ENOTSUP, "--reduce nccl: %.300s; --reduce shared does without", team->reason.text);
    return 0;
}

/* Tells the parent, who sleeps until then. */
static void tell(struct member *member) {
    if (member->index != 0)
        return;
    atomic_fetch_add_explicit(&member->team->ready, 1, memory_order_release); /* the parent's load, in say_news */
    (void)!eventfd_write(member->bell, 1);
}

/* ---- How good it is */

/* The processor reads them, whatever the device: so many at a time that no member's answers depend on who asks. */
static void examine(struct member *member) {
    struct team *team = member->team;
    size_t blocks = (team->held_out.count + MEMBER_BLOCK - 1) / MEMBER_BLOCK, right = 0;
    struct span own = span_of(blocks, member->index, team->members);
    for (size_t block = own.begin; block < own.end; block++) {
        size_t begin = block * MEMBER_BLOCK, left = team->held_out.count - begin;
        size_t rows = left < MEMBER_BLOCK ? left : MEMBER_BLOCK;
        load_rows((uint8_t *)team + team->pixels[1] + begin * member->model.inputs,
                  (uint8_t *)team + team->labels[1] + begin, member->model.inputs, NULL, rows, member->input,
                  member->labels);
        right += right_answers(&member->model, member->input, member->labels, rows, member->tape);
    }
    team->reports[member->index].right = right;
}

/* All of them come to the same, and so go on or end together. */
static double accuracy_of(const struct team *team) {
    uint64_t right = 0;
    for (size_t i = 0; i < team->members; i++)
        right += team->reports[i].right;
    return (double)right / (double)team->held_out.count;
}

/* ---- All of it */

static int learn(struct member *member, struct failure *failure) {
    struct team *team = member->team;
    float rate = team->plan.rate;
    double accuracy = 0;
    for (size_t epoch = 0; epoch < team->plan.epochs && !(accuracy >= team->plan.enough); epoch++) {
        double begin = at_now(), loss = 0;
        shuffle_examples(member->order, team->train.count, team->plan.seed, epoch);
        int result = team->reduction == REDUCE_NCCL ? epoch_on_cards(member, rate, &loss, failure)
                                                    : epoch_in_memory(member, rate, &loss, failure);
        if (result != 0)
            return result;
        examine(member);
        meet(&team->meeting);
        accuracy = accuracy_of(team);
        if (member->index == 0)
            team->epochs[epoch] = (struct epoch){loss / (double)team->train.count, accuracy, at_now() - begin};
        meet(&team->meeting); /* before a member's report says something new */
        tell(member);
        rate *= team->plan.falls;
    }
    return 0;
}

static int work(struct member *member, const char *device, struct failure *failure) {
    struct team *team = member->team;
    int result = member_open(member, device, failure);
    if (result == 0) {
        snprintf(team->reports[member->index].description, sizeof team->reports[0].description, "%s",
                 member->trainer.description);
        result = agree(member, failure);
    }
    if (result == 0) {
        meet(&team->meeting); /* all descriptions are there */
        tell(member);
        result = learn(member, failure);
    }
    return result;
}

int member_main(int argc, char *argv[]) {
    /* Ctrl-C reaches all processes of a terminal; the parent ends this one, by SIGKILL, and so does its death. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    struct member member = {0};
    struct failure failure = {""};
    if (argc != 6) {
        fprintf(stderr, "train --worker: is for train itself; see train --help\n");
        return 2;
    }
    member.index = (size_t)strtoul(argv[2], NULL, 10);
    member.bell = (int)strtol(argv[5], NULL, 10);
    int result = team_attach(&member.team, (int)strtol(argv[4], NULL, 10), &failure);
    if (result == 0 && member.index >= member.team->members)
        result = fail(&failure, -EINVAL, "there are %zu members", member.team->members);
    if (result != 0) {
        fprintf(stderr, "train --worker %s: %s\n", argv[2], failure.text);
        return 2;
    }
    result = work(&member, argv[3], &failure);
    if (result != 0) {
        member.team->reports[member.index].failure = failure; /* the parent reads it once this process has ended */
        _exit(1); /* at once: a card that is broken, or waits for others, would hold up an orderly end */
    }
    member_close(&member);
    at_shared_free(member.team);
    return 0;
}
