/* device.h: what runs a model: a core (cpu), a graphics card (cuda), or one that only takes its time (sim, echo). */
#ifndef GPU_DEVICE_H
#define GPU_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"
#include "model.h"

/*
 * How many models one device holds at once, at the places 0 to DEVICE_MODELS - 1; the rows of its largest batch; and
 * how many batches may be in its hands at once, in the lanes 0 to DEVICE_LANES - 1.
 */
enum { DEVICE_MODELS = 8, DEVICE_BATCH = 256, DEVICE_LANES = 2 };

/* Some rows of a batch: those of one request. They lie anywhere, each part's rows one behind the other. */
struct part {
    const float *input; /* [rows][model's inputs] */
    float *output;      /* [rows][model's outputs] */
    uint32_t rows;
};

struct device_options {
    bool deterministic; /* a row's answer has the same bits in every batch */
    uint32_t batch;     /* the most rows that a call brings, 1 to DEVICE_BATCH */
    /*
     * Memory that stays where it is as long as the device is open, and in which most parts lie: a card that can reach
     * it needs no copies. NULL: there is none.
     */
    void *memory;
    size_t memory_size; /* bytes */
    /*
     * An eventfd to be written to when a batch begun by device_begin is over; 0: nobody listens. A card that breaks
     * rings none.
     */
    int bell;
};

struct device {
    const struct device_kind *kind;
    char name[32]; /* what it was opened as: "cpu", "sim:2000:30" */
    struct device_options options;
    char
        description[200]; /* what `open` found: "NVIDIA H200, GPU-1c5d..., 0000:0a:00.0"; "": there is no more to say */
    void *state;          /* the kind's own */
};

/* A kind of device is a file in this folder that fills one of these in, and a line in device.c. */
struct device_kind {
    const char *name;   /* "cpu" */
    const char *syntax; /* how it is asked for: "sim:ALPHA:BETA, in microseconds" */
    bool simulated;     /* its answers are no model's */
    /*
     * All return 0 or a negative code with its sentence. `parameters` is what followed the first ':', "" without one;
     * check looks at them and opens nothing, and open is given only what check has passed.
     * infer is called with parts whose rows add up to 1 to options.batch. -EAGAIN of infer: not this time, nothing is
     * wrong with the request (memory was short). Any other failure of infer is the device's end: its process exits.
     */
    int (*check)(const char *parameters, struct failure *failure);
    int (*open)(struct device *device, const char *parameters, struct failure *failure);
    int (*load)(struct device *device, size_t place, const struct model *model, struct failure *failure);
    void (*unload)(struct device *device, size_t place);
    int (*infer)(struct device *device, size_t place, const struct part *parts, size_t count, struct failure *failure);
    void (*close)(struct device *device);
    /*
     * For a device that works while its worker does something else; NULL in all others. begin hands a batch over in a
     * lane that has none; the parts' inputs and outputs must stay, the array of parts need not. finish waits until it
     * is done, and frees the lane; poll says whether finish would wait: 1 it would not, 0 it would. What infer may
     * answer, each of them may.
     */
    int (*begin)(struct device *device, size_t lane, size_t place, const struct part *parts, size_t count,
                 struct failure *failure);
    int (*poll)(struct device *device, size_t lane, struct failure *failure);
    int (*finish)(struct device *device, size_t lane, struct failure *failure);
    /* Breaks for the experiment's sake, as if by itself, with the error of that number (of CUDA's). NULL: it cannot. */
    int (*fault)(struct device *device, int error, struct failure *failure);
};

/*
 * Opens a device by its text: "cpu", "sim:2000:30", "echo", "cuda:0". -EINVAL for one that nobody knows, with a
 * sentence that lists what there is; -ENODEV for one that this machine, or this build, has not.
 */
int device_open(struct device *device, const char *text, const struct device_options *options,
                struct failure *failure) AT_MUST_CHECK;
void device_close(struct device *device);

/* Whether the text is a device's, without opening it: 0 or -EINVAL. */
int device_check(const char *text, struct failure *failure) AT_MUST_CHECK;

/* Whether its answers are no model's. */
bool device_is_simulated(const char *text);

/* How far a number that it answers may lie from the reference's; of several, with commas between, the largest. */
double device_tolerance(const char *text);

/*
 * Loads a model at a place, in place of what was there; on an error what was there stays. The model must stay open as
 * long as it is loaded.
 */
int device_load(struct device *device, size_t place, const struct model *model, struct failure *failure) AT_MUST_CHECK;
void device_unload(struct device *device, size_t place);

/* Runs the model at that place on the parts' rows, 1 to options.batch of them, and writes their outputs. */
int device_infer(struct device *device, size_t place, const struct part *parts, size_t count,
                 struct failure *failure) AT_MUST_CHECK;

/*
 * The same in two steps, with another batch begun before the first is finished. A device that cannot, device_lanes 1,
 * does all of it in device_begin, in lane 0; device_poll then answers 1. The arguments are device_infer's and
 * device_kind's.
 */
size_t device_lanes(const struct device *device);
int device_begin(struct device *device, size_t lane, size_t place, const struct part *parts, size_t count,
                 struct failure *failure) AT_MUST_CHECK;
int device_poll(struct device *device, size_t lane, struct failure *failure) AT_MUST_CHECK;
int device_finish(struct device *device, size_t lane, struct failure *failure) AT_MUST_CHECK;

/* Breaks the device on purpose with that error of CUDA's. -ENOTSUP: it knows no such error. */
int device_fault(struct device *device, int error, struct failure *failure) AT_MUST_CHECK;

extern const struct device_kind cpu_device, openblas_device, sim_device, echo_device, cuda_device;

#endif
