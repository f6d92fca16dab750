/* questions.h: the rows that a load asks about, and what the right answers are. */
#ifndef GPU_CLIENT_QUESTIONS_H
#define GPU_CLIENT_QUESTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"
#include "inference.h"
#include "target.h"

/* `count` questions of `rows` rows each; question q's first row is row q * rows. */
struct questions {
    size_t count;
    uint32_t rows, inputs, outputs;
    float *input;    /* [count][rows][inputs] */
    float *expected; /* [count][rows][outputs], or NULL: nobody knows */
    uint8_t *labels; /* [count][rows], which digit it is; NULL when the rows are no digits */
};

/*
 * Makes questions for the target's model from the seed: drawn digits where a row is as long as a picture of one, random
 * numbers from -1 to 1 elsewhere. questions_free gives them back. Errors: -EINVAL, -E2BIG (above 1 GB), -ENOMEM.
 */
int questions_make(struct questions *questions, const struct target *target, size_t count, uint32_t rows, uint64_t seed,
                   struct failure *failure) AT_MUST_CHECK;
void questions_free(struct questions *questions);

/*
 * Works the right answers out, by the reference forward pass of the model that `source` opens (model_open). Errors:
 * those of model_open and model_forward; -EINVAL for a model of another shape.
 */
int questions_answer(struct questions *questions, const char *source, const char *folder,
                     struct failure *failure) AT_MUST_CHECK;

/*
 * Whether the answer to question `question` is right. One of a device that only simulates is right if output j of each
 * row is input j % inputs. Another is if it is within `tolerance` of the expected one, relative to the larger of 1 and
 * what is expected; any numbers are when nobody knows that. `room` has rows * outputs numbers for the answer's.
 */
bool questions_right(const struct questions *questions, size_t question, const struct inference_answer *answer,
                     double tolerance, float *room);

#endif
