/* trainer_nccl.h: NCCL, which adds up what lies on several cards; found when it is asked for, by dlopen. */
#ifndef GPU_CUDA_TRAINER_NCCL_H
#define GPU_CUDA_TRAINER_NCCL_H

#include <cuda_runtime_api.h>

#include "trainer.h"

/*
 * The library is not linked: it is in no toolkit, and who trains on one card does without. Each process has one card
 * and one place among the members (NVIDIA, NCCL User Guide, "Creating a communicator").
 */
struct nccl {
    void *communicator; /* ncclComm_t; NULL: it has not joined */
};

/* As trainer_kind's. -ENOTSUP: there is no NCCL here. */
int nccl_make_id(unsigned char id[TRAINER_ID], struct failure *failure) AT_MUST_CHECK;
int nccl_join(struct nccl *nccl, const unsigned char id[TRAINER_ID], size_t index, size_t members,
              struct failure *failure) AT_MUST_CHECK;

/* Puts into the stream: the sum of all members' `count` numbers takes the place of each one's. */
int nccl_add(const struct nccl *nccl, float *numbers, size_t count, cudaStream_t stream,
             struct failure *failure) AT_MUST_CHECK;

/* Whether all has gone well so far: asked when the stream's work is over. */
int nccl_check(const struct nccl *nccl, struct failure *failure) AT_MUST_CHECK;

/* Leaves; `well`: nothing failed, so that the others are there, too. Also takes one that has not joined. */
void nccl_leave(struct nccl *nccl, bool well);

#endif
