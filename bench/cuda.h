/* cuda.h: what bench/cuda compares: the device that was chosen, and those who take samples of it. */
#ifndef BENCH_CUDA_H
#define BENCH_CUDA_H

#include <stdbool.h>
#include <stddef.h>

#include "options.h"
#include "peer.h"

struct cuda_choice {
    char base[32];         /* "cuda:0:bf16" */
    char precision[8];     /* "bf16" */
    char model_file[4096]; /* digits: for those who read it themselves */
    bool card;             /* else a core */
    bool emulated;         /* it is none of this world */
};
extern struct cuda_choice cuda_choice;

/*
 * Chooses the first of DEVICES, or the first card. False, after a line that says why, where there is no card; ends the
 * program with 2 for what is no device.
 */
bool cuda_choose(void);
/* Whether it can be opened: 0, or 2 when it has said why not. In a process that does nothing else: it calls CUDA. */
int cuda_try(void);

/* Starts the server, opens the device in each of its options, loads the models; false, with a line that says why. */
bool cuda_open(const struct options *options);
void cuda_close(void);
/* What the device found itself to be. */
const char *cuda_description(void);

/* The samples that follow are of so many rows of digits (0) or wide (1); true. */
bool cuda_rows(size_t place, size_t rows);

/* Take samples (comparison.h), in ns for a batch; every one's answers are looked at. */
size_t take_base(struct observation *samples, size_t count);
size_t take_spin(struct observation *samples, size_t count);
size_t take_staged(struct observation *samples, size_t count);
size_t take_one_lane(struct observation *samples, size_t count);
size_t take_two_lanes(struct observation *samples, size_t count);
/* What the card itself takes, by its own clock (gpu/cuda/backend.h). */
size_t take_card_batch(struct observation *samples, size_t count);
size_t take_card_products(struct observation *samples, size_t count);
size_t take_card_at_best(struct observation *samples, size_t count);
/* One client's p50 through HTTP, over a moment. */
size_t take_http(struct observation *samples, size_t count);

#endif
