/* calibration.h: what a device's batches take: measured once, kept in a file, and read where it is only simulated. */
#ifndef GPU_CALIBRATION_H
#define GPU_CALIBRATION_H

#include "device.h"

/*
 * A batch of n rows takes about alpha + beta * n. That is what a simulated device needs to know of a real one, for each
 * model; program gpu/calibrate measures it and writes results/cards/NAME.json, and "sim:NAME" reads that. As JSON:
 *     {"format": "atelier card 1", "name": "nvidia-h200-bf16", "device": "cuda:0:bf16", "description": "NVIDIA H200",
 *      "date": "2026-11-22", "commit": "7fdca1d", "models": [{"name": "digits", "hash": "0123456789abcdef",
 *      "shape": [784, 512, 512, 10], "alpha_us": ..., "beta_us": ..., "worst_error": ...,
 *      "batches": [{"rows": 1, "samples": 200, "median_us": ..., "q1_us": ..., "q3_us": ...}, ...]}]}
 */
enum { CALIBRATION_NAME = 28, CALIBRATION_MODELS = 8, CALIBRATION_SIZES = 9 };

/* What batches of so many rows took, in microseconds. */
struct calibrated_size {
    uint32_t rows, samples;
    double median, q1, q3;
};

struct calibrated_model {
    char name[MODEL_NAME];
    uint64_t hash;
    uint32_t shape[MODEL_LAYERS + 1]; /* the inputs, and each layer's outputs */
    size_t depth;                     /* layers */
    double alpha, beta;               /* microseconds */
    double worst_error;               /* how far the line misses a median at worst, as a part of it */
    struct calibrated_size sizes[CALIBRATION_SIZES];
    size_t size_count; /* 0 where the file was read: nobody asks there */
};

struct calibration {
    char name[CALIBRATION_NAME], device[32], description[200], date[16], commit[48];
    struct calibrated_model models[CALIBRATION_MODELS];
    size_t count;
};

/*
 * The line that misses the times by the least squares of its relative errors, so that small batches count as much as
 * large ones; neither number is below 0. Returns the greatest relative error. Times of 0 are left out.
 */
double calibration_fit(const double *rows, const double *times, size_t count, double *alpha, double *beta);

/*
 * The name of a device's file: "cuda:0:bf16" and "NVIDIA H200, ..." are "nvidia-h200-bf16"; of a card that is not told
 * how to compute, fp32. "cpu" and "AMD EPYC-Rome Processor" are "amd-epyc-rome-cpu". Long names are cut between words.
 */
void calibration_name(char name[CALIBRATION_NAME], const char *device, const char *description);

/* Whether a text can be such a name: a lower-case letter, then those, digits and dashes. */
bool calibration_is_name(const char *text);

/*
 * Where the files are: AT_CARDS in the environment; or results/cards of the nearest folder above this program that has
 * `results`; or results/cards here.
 */
void calibration_folder(char *path, size_t size);

/* Writes FOLDER/NAME.json, in place of an older one only when it is whole; makes the folder. */
int calibration_write(const struct calibration *calibration, const char *folder, struct failure *failure) AT_MUST_CHECK;

/* -ENOENT, with the names that there are; -EINVAL for a file that is none. The sentence is short: 120 characters. */
int calibration_read(struct calibration *calibration, const char *name, struct failure *failure) AT_MUST_CHECK;

/* The names in the folder, sorted, one behind the other with ", " between; returns how many there are. */
size_t calibration_list(char *names, size_t size);

/* What was measured of a model of this shape: what its weights are makes no difference. NULL: nothing was. */
const struct calibrated_model *calibration_of(const struct calibration *calibration, const struct model *model);

/* The model's shape, for the file. */
void calibration_shape(struct calibrated_model *calibrated, const struct model *model);

#endif
