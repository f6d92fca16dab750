/* emulated.h: a card that is none: CUDA's runtime, cuBLASLt, NCCL and NVML, on the processor, as far as gpu/ needs. */
#ifndef TESTS_EMULATED_H
#define TESTS_EMULATED_H

#include <cuda_runtime_api.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The libraries here have the names of NVIDIA's, and stand in for them where they are found first (LD_LIBRARY_PATH, or
 * loaded beforehand): then the very cuda.so that is made for a card runs on a machine without one. It is a stricter
 * card than a real one:
 *   - what is put into a stream runs only when somebody waits for it, in an order that a seed chooses among all that
 *     the streams and events allow: a missing event is a wrong answer, not a rare one. Who asks without waiting finds
 *     it done after a while; and functions of the host's are called by a thread of the card's, a little later;
 *   - its memory can be reached only while something runs on it, has nothing behind it, and is full of NaN at first, as
 *     are pinned memory, and a block's shared memory;
 *   - kernels are the sources of gpu/cuda, their threads run in an order that the seed chooses, up to each barrier;
 *     what they read and write is looked at, number by number, unless a sanitizer does that: anything but their own
 *     memory, the card's and what the host has pinned is error 700, with a line on stderr;
 *   - any call can be made to fail, and a fatal error stays, as it does on a card. What gives something back (frees,
 *     destroys, unregisters, ends a capture) does so even when it fails, or what a program forgets would not be seen;
 *   - what would be the end of a real program sooner or later, such as the use of a stream that is destroyed, ends this
 *     one at once, with a sentence. A forked process cannot use a card that its parent has used.
 *
 * The environment says what card it is:
 *   EMULATED_CARDS=1          how many there are, 0 to 8; none is as without a driver. CUDA_VISIBLE_DEVICES chooses
 *   EMULATED_MEMORY=BYTES     of each; 1 GiB if it does not say
 *   EMULATED_SEED=N           of all orders
 *   EMULATED_FAIL=CALL:ERROR@N[,...]    the Nth call of that function in a process fails so; CALL * is any of them
 *
 * Card i is GPU-00000000-0000-4000-8000-00000000000<i>, at 0000:0<i+1>:00.0. It is not known: what gpu/ does not use,
 * cudaStreamPerThread, managed memory, textures, cooperative groups, cudaMallocAsync.
 */

#ifdef __cplusplus
extern "C" {
#endif

/* The same from within a test, for calls from now on: it takes the place of EMULATED_FAIL; "" for none. */
void emulated_fail(const char *faults);
/*
 * How often that function has been called in this process; "*": all of them; "pageable copies": asynchronous copies
 * from or to memory of the host that is not pinned, which on a card are none.
 */
uint64_t emulated_calls(const char *function);
/*
 * Of what was made and not yet given back in this process: "memory" (bytes), "host" (bytes), "registered" (bytes),
 * "streams", "events", "graphs", "handles".
 */
uint64_t emulated_held(const char *what);
void emulated_seed(uint64_t seed);
/* Forgets a fatal error, as only the end of a process does on a card. */
void emulated_mend(void);

/*
 * For the libraries here: puts work into a stream. `argument`, of `size` bytes, is copied; `work` is called with the
 * copy when it is its turn, with the card's memory open; under capture it becomes a node of the graph.
 */
cudaError_t emulated_enqueue(cudaStream_t stream, void (*work)(void *argument), const void *argument, size_t size);
/* Counts a call by that name, and returns the error that it is to fail with, 0 for none. */
int emulated_call(const char *function);
/* From work that is running: breaks the card with that error, which stays, as if the work had made it. */
void emulated_break(int error);
/* Counts, for emulated_held("handles"), one that was made (1) or given back (-1). */
void emulated_hold(int change);
/*
 * A kernel by its name, of gpu/cuda's or of tests/emulated/'s own, as cudaLaunchKernel and its like take it; NULL: none
 * is called so.
 */
const void *emulated_kernel(const char *name);
/* Whether all of these bytes are the card's memory, or host memory that the card reaches. */
int emulated_is_device(const void *address, size_t size);
int emulated_is_reachable(const void *address, size_t size);

#ifdef __cplusplus
}
#endif

#endif
