/* card.h: what the files of the emulated runtime know of each other; the card itself is described in emulated.h. */
#ifndef TESTS_EMULATED_CARD_H
#define TESTS_EMULATED_CARD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Only what CUDA's headers and emulated.h declare is seen from outside. */
#pragma GCC visibility push(default)
#include <cuda_runtime_api.h>
#include "emulated.h"
#pragma GCC visibility pop

/*
 * One lock guards all of it, also while work runs. A call of CUDA's is call_enter, its own function, call_leave: CALL
 * leaves the function out where the call is to fail, GIVE_BACK does not, since what a program gives back in answer to
 * an error is not to count as forgotten.
 */
cudaError_t call_enter(const char *function);
bool call_enter_back(const char *function);
cudaError_t call_leave(cudaError_t error); /* call_enter's error, if there was one, goes before this one */
#define CALL(expression) (call_leave(call_enter(__func__) == cudaSuccess ? (expression) : cudaSuccess))
#define GIVE_BACK(expression) (call_leave(call_enter_back(__func__) ? (expression) : cudaSuccess))

void card_lock(void);
void card_unlock(void);
void card_wait(pthread_cond_t *condition); /* with the lock held */
/* The program does what would corrupt a real card, or what this one does not know: ends it. */
void card_abort(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* A number below `end`, by the seed. */
uint32_t card_random(uint32_t end);
/* The fatal error that stays, or cudaSuccess. */
cudaError_t card_broken(void);
void card_break(cudaError_t error);
bool error_is_fatal(int error);

/* What is held: "streams", "memory"... by emulated_held. */
enum held { HELD_MEMORY, HELD_HOST, HELD_REGISTERED, HELD_STREAMS, HELD_EVENTS, HELD_GRAPHS, HELD_HANDLES, HELD_KINDS };
void hold(enum held what, int64_t change);

/* ---- cards: how many this process sees, and which one a thread has chosen */
enum { CARDS_MOST = 8 };
int cards_visible(void);
int cards_physical(int device); /* its number in the machine */
uint64_t cards_memory(void);    /* bytes of each */
cudaError_t cards_state(void);  /* whether there is any: cudaSuccess, or why not */
int card_now(void);             /* the device of this thread */
int *thread_device(void);       /* and where it is kept */
bool *thread_called_back(void); /* whether this thread runs a function of the host's just now */

/* ---- memory */
/* Opens the memory of a device to what runs, ALL_DEVICES of all; closed again by memory_close, when a call ends. */
enum { ALL_DEVICES = -1 };
void memory_open(int device);
void memory_close(void);
bool memory_is_device(const void *address, size_t size, int *device);
bool memory_is_pinned(const void *address, size_t size);
bool memory_touches_device(const void *address);
struct simt_range;
bool memory_open_range(uintptr_t address, struct simt_range *range);
void memory_reset(int device);
int memory_ones(void);                                            /* a file of nothing but bytes 0xff */
bool memory_fill(uintptr_t address, size_t size, int protection); /* maps it there */

/* ---- handles: each has a place of its own, for good, so that the use of one that is gone is noticed */
enum handle_kind { HANDLE_STREAM = 1, HANDLE_EVENT, HANDLE_GRAPH, HANDLE_EXECUTABLE };
struct handle {
    enum handle_kind kind;
    bool alive;
    int device;
    size_t number;
};
void *handle_make(enum handle_kind kind, size_t size);
/* Ends the program where that is no handle of the kind, or one that was destroyed. */
void handle_check(const void *handle, enum handle_kind kind);
void handle_destroy(void *handle);
/* The next one of the kind that is alive after that one; NULL: the first. */
void *handle_next(enum handle_kind kind, const void *after);

/* ---- work: what was put into streams; each piece runs once all that it needs has run */
struct work {
    struct work *next; /* of those that have not run yet */
    unsigned references;
    bool done, calls_host;
    int device;
    double time; /* seconds, at which it ran */
    void (*run)(void *argument);
    struct work **needs;
    size_t need_count;
    _Alignas(16) unsigned char argument[];
};
struct work *work_make(int device, void (*run)(void *argument), const void *argument, size_t size);
void work_need(struct work *work, struct work *needed); /* needed: NULL is none */
void work_put(struct work *work);                       /* after its needs are known */
struct work *work_hold(struct work *work);
void work_release(struct work *work);
/* Runs what may run, in an order by the seed, until that has; or until the card is broken. */
cudaError_t work_wait(struct work *target);
cudaError_t work_wait_device(int device);
void work_nothing(void *argument);              /* what a piece runs that only waits, or is waited for */
cudaError_t work_look(const struct work *work); /* whether it has run: cudaErrorNotReady */
bool work_step(void);                           /* one piece; false: nothing was there */
void work_drop(void);                           /* none of it will ever run */
/* Ends the piece of work that runs in this thread, and breaks the card. */
void work_escape(cudaError_t error) __attribute__((noreturn));
bool work_is_running(void); /* in this thread */
void work_call_soon(void);  /* wakes the card's own thread: somebody waits for a function of the host's */

/* What faults while work runs is that work's error; anything else is left to who caught it before. */
void faults_catch(void);
void faults_release(void);

/* ---- streams */
struct set { /* of nodes, by their numbers in a graph */
    size_t *nodes, count;
};
struct capture;
struct CUstream_st {
    struct handle handle;
    bool blocking; /* with regard to the legacy stream */
    struct work *last;
    struct capture *capture;
    struct set tips; /* the nodes that the next one needs */
};
struct CUevent_st {
    struct handle handle;
    bool timed, ever;
    struct work *record;
    struct capture *capture;
    struct set tips;
};
/* NULL and cudaStreamLegacy are this device's legacy stream. */
cudaStream_t stream_of(cudaStream_t stream);
/* Makes the work need what goes before it in the stream, and puts it there. */
void stream_put(cudaStream_t stream, struct work *work);
cudaError_t stream_enqueue(cudaStream_t stream, void (*run)(void *argument), const void *argument, size_t size,
                           bool calls_host);
void streams_reset(int device);
void events_reset(int device);

/* ---- capture */
struct node {
    void (*run)(void *argument);
    void *argument;
    size_t size;
    bool calls_host;
    struct set needs;
};
struct CUgraph_st {
    struct handle handle;
    struct node *nodes;
    size_t count;
};
void graph_free(cudaGraph_t graph);
void graphs_reset(int device);
/* Of what must not be done while a stream is captured: the error, and the end of each capture that it disturbs. */
cudaError_t capture_forbids(bool legacy);
bool capture_is_over(const struct capture *capture);
/* All of these are for a stream that is captured. */
cudaError_t capture_add(cudaStream_t stream, const struct node *node);
cudaError_t capture_spoil(cudaStream_t stream, cudaError_t error);
cudaError_t capture_record(cudaStream_t stream, cudaEvent_t event);
cudaError_t capture_wait(cudaStream_t stream, cudaEvent_t event);
void capture_forget(cudaStream_t stream);
void set_free(struct set *set);
void set_copy(struct set *to, const struct set *from);
void set_add(struct set *set, size_t node);

#endif
