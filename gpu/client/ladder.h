/* ladder.h: the same requests to the same model, served in one way after another: what each step gains. */
#ifndef GPU_CLIENT_LADDER_H
#define GPU_CLIENT_LADDER_H

#include "load_run.h"

struct ladder {
    const char *devices;     /* for serve, which decides when it is NULL; the first step takes the first of them */
    const char *model;       /* the source (model_open) of one that is slow enough to be felt */
    uint64_t requests;       /* of each step */
    double tolerance;        /* of an answer, as device_tolerance has it; 0: 1e-4 */
    const atomic_bool *stop; /* when it turns true, the step that runs is the last */
};

/*
 * Runs all steps, each against a server of its own, and prints a table on stdout. Returns 0; 1: a request was not
 * answered rightly, or a server did not end well, and stderr says so; or a negative code with its sentence: those of
 * own_server_start, questions_make, questions_answer and load_run.
 */
int ladder_climb(const struct ladder *ladder, struct failure *failure) AT_MUST_CHECK;

/* Whether all requests of a run have been answered, rightly and once; if not, it is said on stderr by that name. */
bool all_were_right(const struct load_result *result, const char *name);

#endif
