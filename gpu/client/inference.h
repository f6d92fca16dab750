/* inference.h: KServe's infer request for some rows, made once and sent many times; and what its answer says. */
#ifndef GPU_CLIENT_INFERENCE_H
#define GPU_CLIENT_INFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cursor.h"
#include "failure.h"
#include "response.h"
#include "target.h"

enum { INFERENCE_ID = 16, INFERENCE_ROWS = 1 << 20 };

struct inference_options {
    uint32_t rows;    /* of each request; 0: 1 */
    bool json;        /* the numbers as JSON, both ways; else as bytes (the binary tensor extension) */
    uint8_t priority; /* 1: before all others...; 0: not said */
    uint64_t timeout; /* microseconds after which the answer is worth nothing any more; 0: not said */
};

struct inference_request {
    char *bytes;
    size_t length, id; /* where the id's 16 characters are in it */
};

/*
 * Makes the request for options->rows rows of target->inputs numbers, one behind the other. inference_request_free
 * gives it back. Errors: -EINVAL for a target without a model, or a number that JSON cannot say; -E2BIG; -ENOMEM.
 */
int inference_request_make(struct inference_request *request, const struct target *target, const float *rows,
                           const struct inference_options *options, struct failure *failure) AT_MUST_CHECK;
void inference_request_free(struct inference_request *request);

/* Writes a number into the request, in its place, by which the answer will be known. */
void inference_request_number(struct inference_request *request, uint64_t number);

/* What an answer says. Its slices lie in the response's bytes. */
struct inference_answer {
    bool has_number;
    uint64_t number;     /* of the request: the id that came back */
    struct slice device; /* empty if it does not say */
    uint32_t worker;     /* which of the server's workers; 0 if it does not say */
    uint32_t batch;      /* the rows that ran together; 0 if it does not say */
    bool simulated;      /* no model has answered */
    uint32_t rows, outputs;
    const char *fault; /* what is wrong with it, when inference_answer_read said false */
    /* The reader's own: where the numbers are, as bytes or as JSON. */
    struct slice binary, data;
};

/*
 * Reads the answer in a response of status 200, of which `bytes` is the first; false when it is none to a request of
 * this target. The output's numbers are looked at by inference_answer_numbers alone.
 */
bool inference_answer_read(struct inference_answer *answer, const struct target *target,
                           const struct response *response, const char *bytes);

/* Stores its rows * outputs numbers, `count`; false when there are not exactly so many. */
bool inference_answer_numbers(const struct inference_answer *answer, float *numbers, size_t count);

/* The longest body that an answer can reasonably have. */
size_t inference_longest(const struct target *target, const struct inference_options *options);

#endif
