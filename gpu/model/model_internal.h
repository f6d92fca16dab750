/* model_internal.h: what the files of a model's making share. */
#ifndef GPU_MODEL_INTERNAL_H
#define GPU_MODEL_INTERNAL_H

#include "model.h"
#include "safetensors.h"

/* A model, and what its numbers lie in. */
struct made_model {
    struct model model;       /* first: a pointer to one is a pointer to the other */
    struct safetensors *file; /* the mapping; NULL for a model that was made */
    float *numbers;           /* those that were made, or copied since they were not aligned; NULL if none */
};

/* Fills in what follows from the layers: activations, sizes, the hash. -EINVAL where they do not chain. */
int model_finish(struct model *model, enum activation output, struct failure *failure) AT_MUST_CHECK;

/* Fills in the layers and the names from the tensors of made->file. */
int model_from_tensors(struct made_model *made, struct failure *failure) AT_MUST_CHECK;

/* "wide:WIDTHxDEPTH:SEED": its layers, in made->numbers. */
int model_make_wide(struct made_model *made, const char *source, struct failure *failure) AT_MUST_CHECK;

#endif
