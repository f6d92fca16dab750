/* inject.h: faults on purpose, in a worker, for experiments and for tests: serve --inject. */
#ifndef GPU_INJECT_H
#define GPU_INJECT_H

#include "device.h"

/*
 * A list of faults with commas between them:
 *   crash=V       a row whose first number is V kills its worker (SIGSEGV)
 *   exit=V        ... makes it exit with status 70, as after a fatal error of the device
 *   stop=V        ... stops it (SIGSTOP): it hangs, and must be found out
 *   last=V        ... kills it (SIGKILL) when its answer is written, but not yet counted as such
 *   garbage       the device answers nonsense, as a broken card does: no canary survives it
 *   late=MS       it opens its device so many milliseconds late
 *   cuda=ERROR@N[xTIMES]
 *                 the device breaks with that error of CUDA's (device_fault) just before a worker's Nth batch since its
 *                 start, canaries not counted; TIMES times at most, of all workers; without it each time
 */

/* 0, or -EINVAL with a sentence. */
int inject_check(const char *faults, struct failure *failure) AT_MUST_CHECK;

/* The first fault "cuda" of a list that has been checked; false: there is none. */
struct inject_cuda {
    int error;
    uint64_t batch; /* from 1 */
    uint32_t times; /* UINT32_MAX: without end */
};
bool inject_cuda(const char *faults, struct inject_cuda *fault);

/*
 * What is due when a worker has started, before a batch is run, after that, and when its answers have been published.
 */
void inject_start(const char *faults);
void inject_before(const char *faults, const struct part *parts, size_t count, uint32_t inputs);
void inject_after(const char *faults, const struct part *parts, size_t count, uint32_t outputs);
void inject_published(const char *faults, const struct part *parts, size_t count, uint32_t inputs);

#endif
