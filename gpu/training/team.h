/* team.h: the memory that the processes of a training share, and what is agreed on there. */
#ifndef GPU_TRAINING_TEAM_H
#define GPU_TRAINING_TEAM_H

#include <stdbool.h>

#include "dataset.h"
#include "meeting.h"
#include "sums.h"
#include "trainer.h"

enum { TEAM_MEMBERS = 64, TEAM_EPOCHS = 1000 };

/* Where the gradients are added up. AUTOMATIC: by NCCL if each member has a card of its own, and NCCL is there. */
enum reduction { REDUCE_AUTOMATIC, REDUCE_SHARED, REDUCE_NCCL };

/* How to learn: the same for all members. */
struct plan {
    size_t batch;      /* rows of a step, 1 to SUM_MICROS */
    size_t micro;      /* rows of a micro-batch, 1 to batch */
    float rate, falls; /* size of a step in the first epoch; by how much less it is in each next one */
    float momentum;
    uint64_t seed; /* of the order of the examples */
    size_t epochs; /* at most, TEAM_EPOCHS */
    double enough; /* ends before, when this part of the examples that are held out is read rightly */
    enum reduction reduction;
};

/* What has come of an epoch. */
struct epoch {
    double loss; /* the mean */
    double accuracy;
    double seconds;
};

/* What a member says of itself; nobody else writes here. */
struct member_report {
    _Alignas(64) double loss; /* of its rows in this epoch, where the members keep the numbers themselves */
    uint64_t right;           /* of the held-out examples that it has looked at */
    char description[200];    /* of its device */
    struct failure failure;   /* why it ends; "": it has not said so */
};

/*
 * The memory's beginning. Behind it lie, each aligned to a cache line: the numbers of the network, their velocities,
 * the losses of a step's micro-batches, the examples, and the slots of each member. Everything above `meeting` is the
 * parent's, and written before the members begin.
 */
struct team {
    uint64_t size; /* of this struct: who was built otherwise takes no part */
    size_t members;
    struct plan plan;
    size_t depth, count, slots; /* of the network: layers, numbers; gradients that a member has room for */
    uint32_t sizes[MODEL_LAYERS + 1];
    struct examples train, held_out;                                     /* without their arrays, which are here: */
    size_t numbers, velocities, losses, pixels[2], labels[2], gradients; /* bytes from the beginning */

    struct meeting meeting;
    /* Member 0's, all of it: */
    enum reduction reduction; /* what was agreed on */
    unsigned char id[TRAINER_ID];
    struct failure reason; /* why it is not NCCL; "": nobody wanted that */
    struct epoch epochs[TEAM_EPOCHS];
    _Atomic size_t ready; /* how many epochs are over, and 1 for the agreement; its store releases what is above */

    struct member_report reports[TEAM_MEMBERS];
};

/*
 * Makes it, with the numbers and the examples in it, and returns its descriptor, or a negative code with its sentence.
 * at_shared_free gives the memory back; the descriptor is the caller's, too.
 */
struct network;
int team_make(struct team **team, const struct plan *plan, size_t members, const struct network *network,
              const struct dataset *dataset, struct failure *failure) AT_MUST_CHECK;
/* Takes it into another process. */
int team_attach(struct team **team, int descriptor, struct failure *failure) AT_MUST_CHECK;

/* What lies at an offset. */
static inline float *team_floats(struct team *team, size_t offset) {
    return (float *)(void *)((char *)team + offset);
}
static inline float *team_slots(struct team *team, size_t member) {
    return team_floats(team, team->gradients) + member * team->slots * team->count;
}
static inline double *team_losses(struct team *team) {
    return (double *)(void *)((char *)team + team->losses);
}

#endif
