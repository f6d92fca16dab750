/* trainer.h: what computes gradients: a core (cpu), or a graphics card (cuda), which can also take the steps itself. */
#ifndef GPU_TRAINER_H
#define GPU_TRAINER_H

#include <stddef.h>
#include <stdint.h>

#include "model.h"

/* The name by which those who are to add up their gradients on their cards find each other: NCCL's unique id. */
enum { TRAINER_ID = 128 };

struct trainer {
    const struct trainer_kind *kind;
    char name[32];             /* what it was opened as: "cpu", "cuda:0" */
    char description[200];     /* what `open` found; "" when there is no more to say */
    const struct model *model; /* stays where it is; its numbers change between the calls */
    size_t rows;               /* the most that a call brings */
    void *state;               /* the kind's own */
};

/*
 * All return 0 or a negative code with its sentence (`failure` is not NULL); after any failure the trainer is only good
 * to be closed. `input` is [rows][model's inputs], `labels` [rows], below the model's outputs.
 */
struct trainer_kind {
    /* Opens it; `parameters` is what followed the first ':'. */
    int (*open)(struct trainer *trainer, const char *parameters, struct failure *failure);
    /* As gradient_of (training.h), of 1 to trainer.rows rows; the gradient is laid out as network's numbers. */
    int (*gradient)(struct trainer *trainer, const float *input, const uint8_t *labels, size_t rows, float *gradient,
                    double *loss, struct failure *failure);
    void (*close)(struct trainer *trainer);
    /*
     * For a kind whose members add up their gradients among themselves, and each keeps the numbers; NULL in all
     * others. make_id is asked of one of them, and says whether it can be done here at all; all `members` then join by
     * that id, each with its index, and take their numbers from the model. From then on all of them call the others in
     * the same order. step: the step of network_step (training.h) with the sum of all members' gradients over
     * `all_rows` rows, of which this member brings 0 or more. fetch stores the numbers, where they are asked for (NULL:
     * they are not), and the sum of the losses of this member's rows since the last fetch.
     */
    int (*make_id)(unsigned char id[TRAINER_ID], struct failure *failure);
    int (*join)(struct trainer *trainer, const unsigned char id[TRAINER_ID], size_t index, size_t members,
                float momentum, struct failure *failure);
    int (*step)(struct trainer *trainer, const float *input, const uint8_t *labels, size_t rows, size_t all_rows,
                float rate, struct failure *failure);
    int (*fetch)(struct trainer *trainer, float *numbers, double *loss, struct failure *failure);
};

/* Whether the text is one's, "cpu" or "cuda:CARD", without opening it: 0 or -EINVAL with a sentence. */
int trainer_check(const char *text, struct failure *failure) AT_MUST_CHECK;

/* Opens it for calls of up to `rows` rows, at least 1. -ENODEV: this machine, or this build, has none. */
int trainer_open(struct trainer *trainer, const char *text, const struct model *model, size_t rows,
                 struct failure *failure) AT_MUST_CHECK;
void trainer_close(struct trainer *trainer); /* also takes one that was never opened (all zero) */

/* The kind in cuda.so (gpu/devices/cuda.c), which is loaded if need be; -ENODEV. */
int cuda_trainer_kind(const struct trainer_kind **kind, struct failure *failure) AT_MUST_CHECK;

extern const struct trainer_kind cpu_trainer;

#endif
