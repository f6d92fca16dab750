/* ladder_trial.h: a layer on the card: the ladder's versions are checked and timed on it; and what a card could do. */
#ifndef GPU_CUDA_LADDER_TRIAL_H
#define GPU_CUDA_LADDER_TRIAL_H

#include "ladder.h"

/* A number of y that is looked at. [0]: of the numbers as they are; [1]: of the same, rounded to fp16. */
struct ladder_sample {
    uint32_t row, output;
    double exact[2], scale[2]; /* the sum in double, through relu; |b| + the sum of |x w| */
};

struct ladder_trial {
    struct dense dense;
    struct ladder_library library;
    cudaStream_t stream;
    cudaEvent_t begin, end;
    float *y; /* the host's, for what comes back, laid out like the card's */
    struct ladder_sample *samples;
    size_t samples_count;
};

/*
 * Makes a layer of random numbers on the calling thread's card. Rows, inputs and outputs are 1 to LADDER_MOST. Returns
 * 0 or a negative code with its sentence, and then there is nothing to be given back.
 */
int ladder_trial_open(struct ladder_trial *trial, uint32_t rows, uint32_t inputs, uint32_t outputs,
                      struct failure *failure) AT_MUST_CHECK;
void ladder_trial_close(struct ladder_trial *trial);

/*
 * Runs a version and stores its largest error, in the unit of its tolerance: infinity where a number is missing. All of
 * a small layer is looked at, and of a large one some thousand numbers, its corners among them.
 */
int ladder_trial_check(struct ladder_trial *trial, const struct ladder_version *version, double *error,
                       struct failure *failure) AT_MUST_CHECK;

/* Runs a version once more and stores how long it took on the card, in seconds. */
int ladder_trial_time(struct ladder_trial *trial, const struct ladder_version *version, double *seconds,
                      struct failure *failure) AT_MUST_CHECK;

/*
 * FLOP a second that a card of that compute capability could do at most, in fp32 or, for `half`, by its tensor cores in
 * fp16 with sums in float: FLOP per clock of a multiprocessor, times these, times its highest clock. 0: not known.
 */
double ladder_peak(int major, int minor, int multiprocessors, int kilohertz, bool half);

#endif
