/* parallel.h: data-parallel training: several processes, each with a device, share the work of each step. */
#ifndef GPU_TRAINING_PARALLEL_H
#define GPU_TRAINING_PARALLEL_H

#include <signal.h>

#include "dataset.h"
#include "team.h"
#include "training.h"

/*
 * Each step's batch is cut into micro-batches, which the processes share out. Each computes the gradients of its own;
 * when all are there, each adds up its part of the numbers over all gradients, and takes the step for that part; when
 * all have done so, the next step begins. The numbers and the gradients lie in memory that all share, so that what
 * clusters call reduce-scatter is reading, and what they call all-gather costs nothing.
 *   On cores the model is the same to the last bit for any number of processes (sums.h); it differs in the last bits
 * from that of training.h, which does not cut its batches. Cards round otherwise than cores, and NCCL adds in an order
 * of its own: there a model is as good, and its first gradient is the same up to a factor of 1e-4, but the small
 * differences grow from step to step.
 *
 * Each process is a program of its own, `train --worker`, started by fork and exec at once: CUDA does not survive a
 * fork. One that ends before its time, however it does, ends the training: the others are killed, and nothing is left,
 * for all that they share has no name and no file.
 */
struct parallel_options {
    const char *program;                      /* the file train */
    const char *const *devices;               /* [members]: "cpu", "cuda:0"; checked by trainer_check */
    size_t members;                           /* 1 to TEAM_MEMBERS */
    struct plan plan;                         /* .micro 0: parallel_micro says */
    const volatile sig_atomic_t *interrupted; /* set by the handler of SIGINT or SIGTERM; or NULL */
    /* Called once when all members are there, then after each epoch. */
    void (*on_start)(void *context, const struct team *team);
    void (*on_epoch)(void *context, size_t number, const struct epoch *epoch);
    void *context;
};

/*
 * The rows of a micro-batch where nobody says: on cores the batch is cut into 8, but none is below 32 rows, for smaller
 * products cost a core more than sharing them brings. A card works best with all of its part of the batch at once.
 */
enum { PARALLEL_MICROS = 8, PARALLEL_LEAST = 32 };
size_t parallel_micro(const char *const *devices, size_t members, size_t batch);

/*
 * Learns, and stores the numbers in the network and the accuracy of the last epoch. Errors, with the sentence, and then
 * the network is as it was: -EINTR; AT_EDIED when a process ended before its time; -EINVAL for NCCL where it cannot
 * be; what making the memory, or starting a process, says.
 */
int parallel_learn(struct network *network, const struct dataset *dataset, const struct parallel_options *options,
                   double *accuracy, struct failure *failure) AT_MUST_CHECK;

#endif
