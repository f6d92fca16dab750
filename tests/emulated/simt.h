/* simt.h: the kernels: which there are, and how one is run, each thread of a block on a stack of its own. */
#ifndef TESTS_EMULATED_SIMT_H
#define TESTS_EMULATED_SIMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A kernel that was compiled as C++; it is known from when the library is loaded. */
struct simt_kernel {
    const char *name;
    size_t count;          /* of its parameters */
    const size_t *sizes;   /* of each, in bytes */
    const bool *addresses; /* whether it is one */
    void (*call)(void **arguments);
    struct simt_kernel *next;
};
void simt_register(struct simt_kernel *kernel);
const struct simt_kernel *simt_find(const char *name);

struct simt_launch {
    uint32_t grid[3], block[3];
    size_t shared; /* dynamic, bytes */
};
/* Runs all blocks, in an order by the seed. Returns 0, or the CUDA error of what went wrong. */
int simt_run(const struct simt_kernel *kernel, const struct simt_launch *launch, void **arguments);

/* Whether a kernel's thread runs just now; and how it ends, with its whole kernel, when it went wrong. */
bool simt_inside(void);
void simt_leave(int error) __attribute__((noreturn));

/* Memory that a kernel may reach: what of the card's, or of the host's pinned memory, lies in one piece there. */
struct simt_range {
    uintptr_t start, end;
};
bool simt_range_of(uintptr_t address, struct simt_range *range);

/* A number below `end`, by the seed: card_random. */
uint32_t simt_random(uint32_t end);

#ifdef __cplusplus
}
#endif

#endif
