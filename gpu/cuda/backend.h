/* backend.h: what cuda.so offers to the program that loads it; nothing else of it is seen from outside. */
#ifndef GPU_CUDA_BACKEND_H
#define GPU_CUDA_BACKEND_H

#include "device.h"
#include "trainer.h"

/*
 * The library is the only thing that is linked with CUDA, and only a worker that is asked for a card loads it: the
 * front, the benchmarks and the tests start on a machine that has no driver, and are not slowed down by 500 MB of
 * cuBLASLt. gpu/devices/cuda.c finds it beside the program, under the name of BACKEND_FILE, and in it this:
 */
#define BACKEND_FILE "cuda.so"
#define BACKEND_SYMBOL "cuda_backend"

/*
 * How far a probability may lie from the reference's (model_forward), which sums in double. float32 has 24 bits of
 * mantissa, TF32 and float16 have 11, bfloat16 has 8; inputs, weights and what one layer leaves for the next are
 * rounded to them, sums never. In float16 that holds as long as no number in between is above 65504: what is, is
 * infinite.
 */
#define CUDA_TOLERANCE_FP32 1e-4
#define CUDA_TOLERANCE_TF32 5e-3
#define CUDA_TOLERANCE_FP16 5e-3
#define CUDA_TOLERANCE_BF16 4e-2

/*
 * What the card itself takes, by events in its stream, in nanoseconds: for a batch from its rows in the host's memory to
 * its answers there; for the products of its layers alone, as cuBLASLt computes them; and for as many operations as
 * these have at the rate of one large product of the same precision, what the card can do at most.
 */
enum card_time { CARD_BATCH, CARD_PRODUCTS, CARD_AT_BEST };

struct cuda_backend {
    /* sizeof(struct cuda_backend) and sizeof(struct device): what was built from other sources is not used. */
    size_t size, device_size;
    struct device_kind device; /* open is given what follows "cuda:", with the card as this process numbers it */
    const struct trainer_kind *trainer; /* open is given the same */
    /*
     * Takes one sample for batches of `rows` rows of the model at that place, padded as infer would; `side` is that of
     * the large product's three square matrices. Nothing may be in the lanes. Errors: CUDA's; -EINVAL: no model there.
     */
    int (*time)(struct device *device, size_t place, uint32_t rows, enum card_time what, uint32_t side, double *ns,
                struct failure *failure);
};

extern const struct trainer_kind card_trainer;

/* The library's `time`, of a device that is an open card (gpu/devices/cuda.c). -ENOTSUP: it is none. */
int cuda_device_time(struct device *device, size_t place, uint32_t rows, enum card_time what, uint32_t side, double *ns,
                     struct failure *failure) AT_MUST_CHECK;

#endif
