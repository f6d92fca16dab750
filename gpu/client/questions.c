/* questions.c: rows made from a seed, and the comparison of answers with what they should be. */
#include "questions.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "digits.h"
#include "model.h"
#include "generator.h"

static const uint64_t MOST_BYTES = UINT64_C(1) << 30;

/* A pixel is 0 to 1 to the model. */
static void draw(struct questions *questions, uint64_t seed, size_t row) {
    uint8_t pixels[DIGIT_PIXELS];
    digits_draw(seed, row, pixels, &questions->labels[row]);
    for (size_t i = 0; i < DIGIT_PIXELS; i++)
        questions->input[row * DIGIT_PIXELS + i] = (float)pixels[i] / 255;
}

static void fill(struct questions *questions, uint64_t seed) {
    size_t rows = questions->count * questions->rows;
    for (size_t row = 0; questions->labels != NULL && row < rows; row++)
        draw(questions, seed, row);
    for (size_t i = 0; questions->labels == NULL && i < rows * questions->inputs; i++)
        questions->input[i] = generator_sign((uint32_t)(generator_bits(seed, i) >> 32));
}

int questions_make(struct questions *questions, const struct target *target, size_t count, uint32_t rows, uint64_t seed,
                   struct failure *failure) {
    *questions = (struct questions){
        .count = count, .rows = rows > 0 ? rows : 1, .inputs = target->inputs, .outputs = target->outputs};
    if (count == 0 || target->inputs == 0 || target->outputs == 0)
        return fail(failure, -EINVAL, "%s: questions for no model; ask the server for it first", target->host);
    uint64_t most = MOST_BYTES / sizeof(float) / questions->rows / count;
    if (questions->rows > INFERENCE_ROWS || target->inputs > most || target->outputs > most)
        return fail(failure, -E2BIG, "%zu questions of %u rows: more than 1 GB; ask for fewer rows", count,
                    questions->rows);
    size_t all = count * questions->rows;
    questions->input = malloc(all * questions->inputs * sizeof *questions->input);
    if (questions->inputs == DIGIT_PIXELS)
        questions->labels = malloc(all);
    if (questions->input == NULL || (questions->inputs == DIGIT_PIXELS && questions->labels == NULL)) {
        questions_free(questions);
        return fail(failure, -ENOMEM, "%zu questions of %u rows: no memory; ask for fewer rows", count,
                    questions->rows);
    }
    fill(questions, seed);
    return 0;
}

void questions_free(struct questions *questions) {
    free(questions->input);
    free(questions->expected);
    free(questions->labels);
    *questions = (struct questions){0};
}

int questions_answer(struct questions *questions, const char *source, const char *folder, struct failure *failure) {
    struct model *model;
    int result = model_open(&model, source, folder, failure);
    if (result != 0)
        return result;
    size_t rows = questions->count * questions->rows;
    float *expected = malloc(rows * questions->outputs * sizeof *expected);
    if (model->inputs != questions->inputs || model->outputs != questions->outputs)
        result = fail(failure, -EINVAL, "%s: %u inputs and %u outputs, but the server's model has %u and %u", source,
                      model->inputs, model->outputs, questions->inputs, questions->outputs);
    else if (expected == NULL || model_forward(model, questions->input, rows, expected) != 0)
        result = fail(failure, -ENOMEM, "%s: no memory for the answers to %zu rows", source, rows);
    model_free(model);
    if (result != 0) {
        free(expected);
        return result;
    }
    free(questions->expected);
    questions->expected = expected;
    return 0;
}

static bool echoed(const struct questions *questions, const float *input, const float *numbers) {
    for (uint32_t row = 0; row < questions->rows; row++)
        for (uint32_t i = 0; i < questions->outputs; i++)
            if (numbers[(size_t)row * questions->outputs + i] !=
                input[(size_t)row * questions->inputs + i % questions->inputs])
                return false;
    return true;
}

static bool close_enough(const float *numbers, const float *expected, size_t count, double tolerance) {
    for (size_t i = 0; i < count; i++) {
        double wanted = (double)expected[i], off = fabs((double)numbers[i] - wanted);
        if (!(off <= tolerance * fmax(1, fabs(wanted))))
            return false;
    }
    return true;
}

bool questions_right(const struct questions *questions, size_t question, const struct inference_answer *answer,
                     double tolerance, float *room) {
    size_t count = (size_t)questions->rows * questions->outputs;
    if (answer->rows != questions->rows || answer->outputs != questions->outputs ||
        !inference_answer_numbers(answer, room, count))
        return false;
    if (answer->simulated)
        return echoed(questions, questions->input + question * questions->rows * questions->inputs, room);
    return questions->expected == NULL || close_enough(room, questions->expected + question * count, count, tolerance);
}
