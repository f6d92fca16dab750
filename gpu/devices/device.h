/* device.h: what runs a model: a core (cpu), a graphics card (cuda), or one that only takes its time (sim, echo). */
#ifndef GPU_DEVICE_H
#define GPU_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"
#include "model.h"

/* How many models one device holds at once, at the places 0 to DEVICE_MODELS - 1; and the rows of its largest batch. */
enum { DEVICE_MODELS = 8, DEVICE_BATCH = 256 };

/* Some rows of a batch: those of one request. They lie anywhere, each part's rows one behind the other. */
struct part {
    const float *input; /* [rows][model's inputs] */
    float *output;      /* [rows][model's outputs] */
    uint32_t rows;
};

struct device_options {
    bool deterministic; /* a row's answer has the same bits in every batch */
    uint32_t batch;     /* the most rows that a call brings, 1 to DEVICE_BATCH */
};

struct device {
    const struct device_kind *kind;
    char name[32]; /* what it was opened as: "cpu", "sim:2000:30" */
    struct device_options options;
    void *state; /* the kind's own */
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

/*
 * Loads a model at a place, in place of what was there; on an error what was there stays. The model must stay open as
 * long as it is loaded.
 */
int device_load(struct device *device, size_t place, const struct model *model, struct failure *failure) AT_MUST_CHECK;
void device_unload(struct device *device, size_t place);

/* Runs the model at that place on the parts' rows, 1 to options.batch of them, and writes their outputs. */
int device_infer(struct device *device, size_t place, const struct part *parts, size_t count,
                 struct failure *failure) AT_MUST_CHECK;

extern const struct device_kind cpu_device, openblas_device, sim_device, echo_device;

#endif
