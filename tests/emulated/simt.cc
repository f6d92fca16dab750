/* simt.cc: runs a kernel: one block at a time, each of its threads on a stack of its own, up to each barrier. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cuda_emulation.h"
#include "fibers.h"

enum { THREADS_MOST = 1024, WARP = 32, SHARED_ROOM = 256 << 10 };

/* ---- the block that runs */

struct emulated_thread *emulated_now;
uint3 emulated_block_index;
dim3 emulated_block_size, emulated_grid_size;
unsigned char *emulated_dynamic_shared;

static struct emulated_thread threads[THREADS_MOST];
static struct emulated_thread *ready[THREADS_MOST]; /* those that may go on, in no order */
static uint32_t ready_count, alive, at_barrier, at_warps, thread_count;
static const struct simt_kernel *kernel;
static void *kernel_arguments[64]; /* which a kernel reads, and which therefore are here, with what they point to */
alignas(16) static unsigned char argument_space[4096];
static bool inside;
static int failed;

extern "C" bool simt_inside(void) {
    return inside;
}

extern "C" void simt_leave(int error) {
    failed = error;
    fiber_go_home();
    abort(); /* nobody comes back here */
}

void emulated_complain(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "emulated card: kernel %s, block %u %u %u, thread %u %u %u: ", kernel->name, emulated_block_index.x,
            emulated_block_index.y, emulated_block_index.z, emulated_now->index.x, emulated_now->index.y,
            emulated_now->index.z);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

extern "C" void emulated_trap(void) {
    emulated_complain("trap");
    simt_leave(cudaErrorLaunchFailure);
}

extern "C" void emulated_assert_fail(const char *assertion, const char *file, unsigned line, const char *) noexcept {
    emulated_complain("%s:%u: assertion failed: %s", file, line, assertion);
    simt_leave(cudaErrorAssert);
}

static void make_ready(struct emulated_thread *thread) {
    at_warps -= thread->waits > EMULATED_BLOCK;
    thread->waits = EMULATED_NOTHING;
    ready[ready_count++] = thread;
}

/*
 * Threads that are as quick as each other show few mistakes. So in two blocks of three some are preferred, in one of
 * them whole warps, by a number that is drawn for each: of so many that are drawn, the one with the highest goes on.
 */
enum { CANDIDATES = 4 };
static uint32_t preferred, salt; /* how many threads share a preference, 0: there is none */

static uint32_t preference(uint32_t i) {
    const uint32_t mixed = (ready[i]->linear / preferred + 1) * 2654435769u ^ salt; /* multiplied by the golden ratio */
    return (mixed ^ mixed >> 15) * 2246822519u;
}

static struct emulated_thread *pick(void) {
    if (ready_count == 0)
        return NULL;
    uint32_t i = simt_random(ready_count);
    for (uint32_t more = 1; preferred > 0 && more < CANDIDATES && more < ready_count; more++) {
        const uint32_t other = simt_random(ready_count);
        if (preference(other) > preference(i))
            i = other;
    }
    struct emulated_thread *thread = ready[i];
    ready[i] = ready[--ready_count];
    return thread;
}

/* ---- barriers */

static void release_block(void) {
    if (alive == 0 || at_barrier < alive)
        return;
    uint32_t count = 0;
    for (uint32_t i = 0; i < thread_count; i++)
        count += threads[i].waits == EMULATED_BLOCK && threads[i].value != 0;
    for (uint32_t i = 0; i < thread_count; i++) {
        if (threads[i].waits == EMULATED_BLOCK) {
            threads[i].result = count;
            make_ready(&threads[i]);
        }
    }
    at_barrier = 0;
}

/* The lanes of a warp that are still there. */
static uint32_t lanes_alive(const struct emulated_thread *warp) {
    uint32_t lanes = 0;
    for (uint32_t lane = 0; lane < WARP && &warp[lane] < threads + thread_count; lane++)
        if (warp[lane].waits != EMULATED_OVER)
            lanes |= 1u << lane;
    return lanes;
}

/* What a lane gets: by a shuffle another lane's value, nonsense if that took no part; by a vote one bit of each. */
static uint64_t warp_result(const struct emulated_thread *warp, const struct emulated_thread *thread, uint32_t lanes) {
    uint64_t votes = 0;
    if (thread->waits == EMULATED_SHUFFLE)
        return (lanes >> thread->source & 1) != 0 ? warp[thread->source].value : ~(uint64_t)0;
    for (uint32_t lane = 0; lane < WARP; lane++)
        if ((lanes >> lane & 1) != 0 && warp[lane].value != 0)
            votes |= (uint64_t)1 << lane;
    return votes;
}

/* Lets the lanes go on with which this one was to meet, if all of them have come. */
static void release_warp(const struct emulated_thread *thread) {
    struct emulated_thread *warp = threads + thread->linear / WARP * WARP;
    uint32_t lanes = thread->mask & lanes_alive(warp);
    for (uint32_t lane = 0; lane < WARP; lane++) {
        if ((lanes >> lane & 1) == 0)
            continue;
        if (warp[lane].waits != thread->waits || warp[lane].mask != thread->mask)
            return;
    }
    for (uint32_t lane = 0; lane < WARP; lane++)
        if ((lanes >> lane & 1) != 0)
            warp[lane].result = warp_result(warp, &warp[lane], lanes);
    for (uint32_t lane = 0; lane < WARP; lane++)
        if ((lanes >> lane & 1) != 0)
            make_ready(&warp[lane]);
}

/* A thread that is over is no longer waited for. */
static void end_thread(struct emulated_thread *thread) {
    struct emulated_thread *warp = threads + thread->linear / WARP * WARP;
    thread->waits = EMULATED_OVER;
    thread->fiber = NULL;
    alive--;
    release_block();
    for (uint32_t lane = 0; at_warps > 0 && lane < WARP && &warp[lane] < threads + thread_count; lane++)
        if (warp[lane].waits > EMULATED_BLOCK)
            release_warp(&warp[lane]);
}

static void go_on(struct emulated_thread *next) {
    struct fiber *fiber = next->fiber != NULL ? next->fiber : fiber_take();
    if (next->fiber == NULL)
        fiber->assigned = next;
    emulated_now = next;
    fiber_switch(fiber);
}

extern "C" uint64_t emulated_wait(enum emulated_wait kind, uint32_t mask, uint64_t value, uint32_t source) {
    struct emulated_thread *thread = emulated_now;
    thread->waits = kind;
    thread->mask = mask;
    thread->value = value;
    thread->source = source;
    if (kind == EMULATED_BLOCK) {
        at_barrier++;
        release_block();
    } else {
        at_warps++;
        if ((mask >> thread->linear % WARP & 1) == 0) {
            emulated_complain("meets lanes by a mask in which it is not itself");
            simt_leave(cudaErrorLaunchFailure);
        }
        release_warp(thread);
    }
    struct emulated_thread *next = pick();
    if (next == NULL) {
        emulated_complain("waits for threads that never come to the same barrier");
        simt_leave(cudaErrorLaunchTimeout);
    }
    if (next != thread)
        go_on(next);
    emulated_now = thread;
    return thread->result;
}

/* Threads that meet no barrier all run here, one after the other, and no stack is left for another. */
static void fiber_loop(void) {
    fiber_arrived();
    for (;;) {
        struct emulated_thread *thread = fiber_here->assigned;
        while (thread != NULL && thread->fiber == NULL) {
            emulated_now = thread;
            thread->fiber = fiber_here;
            kernel->call(kernel_arguments);
            end_thread(thread);
            thread = pick();
        }
        fiber_idle(fiber_here);
        if (thread != NULL)
            go_on(thread);
        else
            fiber_go_home();
    }
}

/* ---- blocks */

unsigned emulated_launches;
static struct {
    void *memory;
    size_t size;
} shared[64];
static size_t shared_count;

void emulated_note_shared(void *memory, size_t size) {
    if (shared_count == sizeof shared / sizeof *shared)
        abort();
    memset(memory, 0xff, size);
    shared[shared_count].memory = memory;
    shared[shared_count++].size = size;
}

static void run_block(const struct simt_launch *launch) {
    for (size_t i = 0; i < shared_count; i++)
        memset(shared[i].memory, 0xff, shared[i].size);
    memset(emulated_dynamic_shared, 0xff, launch->shared);
    const uint32_t shared_preferences[] = {0, 1, WARP};
    preferred = shared_preferences[simt_random(3)];
    salt = simt_random(UINT32_MAX);
    ready_count = at_barrier = at_warps = 0;
    for (uint32_t i = 0; i < thread_count; i++) {
        struct emulated_thread *thread = &threads[i];
        thread->index.x = i % launch->block[0];
        thread->index.y = i / launch->block[0] % launch->block[1];
        thread->index.z = i / launch->block[0] / launch->block[1];
        thread->linear = i;
        thread->fiber = NULL;
        thread->waits = EMULATED_NOTHING;
        make_ready(thread);
    }
    alive = thread_count;
    inside = true;
    go_on(pick());
    inside = false;
    if (failed == 0 && alive > 0) { /* the others are over, and these wait for one another */
        emulated_complain("threads of the block wait for others that are over");
        failed = cudaErrorLaunchTimeout;
    }
}

static unsigned char *shared_pages;
static size_t dynamic_size;

bool emulated_own_range(uintptr_t address, struct simt_range *range) {
    const uintptr_t stack = (uintptr_t)fiber_here->stack, dynamic = (uintptr_t)emulated_dynamic_shared;
    if (address >= stack && address < stack + FIBER_STACK)
        *range = {stack, stack + FIBER_STACK};
    else if (address >= dynamic && address < dynamic + dynamic_size)
        *range = {dynamic, dynamic + dynamic_size};
    else
        return false;
    return true;
}

/* Aligned as any kernel may want it, and its end as near as that allows to the end of what can be reached. */
static void place_shared(size_t size) {
    if (shared_pages == NULL) {
        void *mapped =
            mmap(NULL, SHARED_ROOM + FIBER_GUARD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapped == MAP_FAILED || mprotect((char *)mapped + SHARED_ROOM, FIBER_GUARD, PROT_NONE) != 0)
            abort();
        shared_pages = (unsigned char *)mapped;
    }
    emulated_dynamic_shared = shared_pages + SHARED_ROOM - (size + 127) / 128 * 128;
    dynamic_size = size;
}

static void place_arguments(void **arguments) {
    size_t used = 0;
    for (size_t i = 0; i < kernel->count; i++) {
        kernel_arguments[i] = argument_space + used;
        used += (kernel->sizes[i] + 15) / 16 * 16;
        if (used > sizeof argument_space)
            abort(); /* nvcc would not have compiled it */
        memcpy(kernel_arguments[i], arguments[i], kernel->sizes[i]);
    }
}

extern "C" int simt_run(const struct simt_kernel *chosen, const struct simt_launch *launch, void **arguments) {
    const uint32_t blocks = launch->grid[0] * launch->grid[1] * launch->grid[2];
    uint32_t *order = (uint32_t *)malloc(blocks * sizeof *order);
    if (order == NULL)
        abort();
    kernel = chosen;
    place_arguments(arguments);
    failed = 0;
    fibers_begin(fiber_loop);
    emulated_launches++;
    shared_count = 0;
    thread_count = launch->block[0] * launch->block[1] * launch->block[2];
    emulated_block_size = dim3(launch->block[0], launch->block[1], launch->block[2]);
    emulated_grid_size = dim3(launch->grid[0], launch->grid[1], launch->grid[2]);
    place_shared(launch->shared);
    emulated_forget_accesses();
    for (uint32_t i = 0; i < blocks; i++) { /* the inside-out shuffle, by Durstenfeld */
        uint32_t j = simt_random(i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (uint32_t i = 0; i < blocks && failed == 0; i++) {
        emulated_block_index.x = order[i] % launch->grid[0];
        emulated_block_index.y = order[i] / launch->grid[0] % launch->grid[1];
        emulated_block_index.z = order[i] / launch->grid[0] / launch->grid[1];
        run_block(launch);
    }
    free(order);
    if (failed != 0) { /* threads were left in the middle of what they did */
        fibers_renew();
        inside = false;
    }
    return failed;
}

/* ---- which kernels there are */

static struct simt_kernel *kernels;

extern "C" void simt_register(struct simt_kernel *more) {
    more->next = kernels;
    kernels = more;
}

extern "C" const struct simt_kernel *simt_find(const char *name) {
    for (const struct simt_kernel *known = kernels; known != NULL; known = known->next)
        if (strcmp(known->name, name) == 0)
            return known;
    return NULL;
}
