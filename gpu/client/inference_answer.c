/* inference_answer.c: reading the answer to an infer request. */
#include <string.h>

#include "inference.h"

enum { SMALL_ANSWER = 65536, NUMBER_TEXT = 32 };

static bool bad(struct inference_answer *answer, const char *fault) {
    answer->fault = fault;
    return false;
}

/* The id is ours if it is 16 digits. */
static bool read_id(struct inference_answer *answer, struct cursor *cursor) {
    struct slice text;
    if (!cursor_string(cursor, &text))
        return bad(answer, "an id that is no string");
    answer->has_number = text.length == INFERENCE_ID;
    answer->number = 0;
    for (size_t i = 0; i < text.length && answer->has_number; i++) {
        char digit = text.bytes[i];
        if ((digit < '0' || digit > '9') && (digit < 'a' || digit > 'f'))
            answer->has_number = false;
        answer->number = answer->number << 4 | (uint64_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    return true;
}

static bool read_parameters(struct inference_answer *answer, struct cursor *cursor) {
    bool first = true, ok;
    struct slice key;
    unsigned long batch, worker;
    if (!cursor_take(cursor, '{'))
        return bad(answer, "parameters that are no object");
    while (cursor_member(cursor, &first, &key, &ok)) {
        bool fits = true;
        if (slice_is(key, "device")) {
            fits = cursor_string(cursor, &answer->device);
        } else if (slice_is(key, "simulated")) {
            fits = cursor_boolean(cursor, &answer->simulated);
        } else if (slice_is(key, "worker")) {
            fits = cursor_whole(cursor, UINT32_MAX, &worker);
            answer->worker = (uint32_t)worker;
        } else if (slice_is(key, "batch")) {
            fits = cursor_whole(cursor, UINT32_MAX, &batch);
            answer->batch = (uint32_t)batch;
        } else {
            fits = cursor_skip(cursor);
        }
        if (!fits)
            return bad(answer, "a parameter that is not what its name says");
    }
    return ok || bad(answer, "parameters that are no JSON");
}

static bool read_shape(struct inference_answer *answer, struct cursor *cursor) {
    unsigned long rows, outputs;
    if (!cursor_take(cursor, '[') || !cursor_whole(cursor, UINT32_MAX, &rows) || !cursor_take(cursor, ',') ||
        !cursor_whole(cursor, UINT32_MAX, &outputs) || !cursor_take(cursor, ']'))
        return bad(answer, "an output whose shape is not [rows, numbers]");
    answer->rows = (uint32_t)rows;
    answer->outputs = (uint32_t)outputs;
    return true;
}

/* {"binary_data_size": N}; -1 when it is not there. */
static bool read_size(struct inference_answer *answer, struct cursor *cursor, long *size) {
    bool first = true, ok;
    struct slice key;
    if (!cursor_take(cursor, '{'))
        return bad(answer, "an output's parameters that are no object");
    while (cursor_member(cursor, &first, &key, &ok)) {
        unsigned long value;
        if (!slice_is(key, "binary_data_size"))
            ok = cursor_skip(cursor);
        else if ((ok = cursor_whole(cursor, INT32_MAX, &value)))
            *size = (long)value;
        if (!ok)
            break;
    }
    return ok || bad(answer, "an output's parameters that are no JSON");
}

/* One output; its bytes are the next ones behind the JSON. */
static bool read_output(struct inference_answer *answer, struct cursor *cursor, const char *name) {
    bool first = true, ok, fits = true, is_float = false;
    struct slice key, text;
    long size = -1;
    if (!cursor_take(cursor, '{'))
        return bad(answer, "an output that is no object");
    while (cursor_member(cursor, &first, &key, &ok)) {
        if (slice_is(key, "name")) {
            fits = (cursor_string(cursor, &text) && slice_is(text, name)) || bad(answer, "an output of another name");
        } else if (slice_is(key, "datatype")) {
            is_float = fits =
                (cursor_string(cursor, &text) && slice_is(text, "FP32")) || bad(answer, "an output that is not FP32");
        } else if (slice_is(key, "shape")) {
            fits = read_shape(answer, cursor);
        } else if (slice_is(key, "parameters")) {
            fits = read_size(answer, cursor, &size);
        } else {
            cursor_take(cursor, ' '); /* so that .at is the value's first character */
            const char *begin = cursor->at;
            fits = cursor_skip(cursor) || bad(answer, "an output that is no JSON");
            if (slice_is(key, "data"))
                answer->data = (struct slice){begin, (size_t)(cursor->at - begin)};
        }
        if (!fits)
            return false;
    }
    if (!ok)
        return bad(answer, "an output that is no JSON");
    if (size >= 0 && (size_t)size != answer->binary.length)
        return bad(answer, "a binary_data_size that is not what follows the JSON");
    if (size < 0 && (answer->binary.length > 0 || answer->data.length == 0))
        return bad(answer, "an output without data");
    return is_float || bad(answer, "an output without a datatype");
}

static bool read_outputs(struct inference_answer *answer, struct cursor *cursor, const char *name) {
    if (!cursor_take(cursor, '['))
        return bad(answer, "outputs that are no array");
    return read_output(answer, cursor, name) && (cursor_take(cursor, ']') || bad(answer, "more than one output"));
}

bool inference_answer_read(struct inference_answer *answer, const struct target *target,
                           const struct response *response, const char *bytes) {
    const char *body = bytes + response->head;
    struct cursor cursor = {body, body + response->json};
    bool first = true, ok, outputs = false;
    struct slice key, text;
    *answer = (struct inference_answer){.binary = {body + response->json, response->length - response->json}};
    if (!cursor_take(&cursor, '{'))
        return bad(answer, "no JSON object");
    while (cursor_member(&cursor, &first, &key, &ok)) {
        bool fits = true;
        if (slice_is(key, "id"))
            fits = read_id(answer, &cursor);
        else if (slice_is(key, "model_name"))
            fits = (cursor_string(&cursor, &text) && slice_is(text, target->model)) || bad(answer, "another model");
        else if (slice_is(key, "parameters"))
            fits = read_parameters(answer, &cursor);
        else if (slice_is(key, "outputs"))
            fits = outputs = read_outputs(answer, &cursor, target->output);
        else
            fits = cursor_skip(&cursor) || bad(answer, "no JSON object");
        if (!fits)
            return false;
    }
    if (!ok || !cursor_at_end(&cursor))
        return bad(answer, "no JSON object");
    return outputs || bad(answer, "no outputs");
}

bool inference_answer_numbers(const struct inference_answer *answer, float *numbers, size_t count) {
    if ((uint64_t)answer->rows * answer->outputs != count)
        return false;
    if (answer->data.length == 0) {
        if (answer->binary.length != count * sizeof *numbers)
            return false;
        memcpy(numbers, answer->binary.bytes, answer->binary.length);
        return true;
    }
    /* Nested or flat: the brackets mean nothing that the shape does not say. cursor_skip has seen that they match. */
    struct cursor cursor = {answer->data.bytes, answer->data.bytes + answer->data.length};
    for (size_t i = 0; i < count; i++) {
        double number;
        while (cursor_take(&cursor, '[') || cursor_take(&cursor, ']') || cursor_take(&cursor, ','))
            ;
        if (!cursor_number(&cursor, &number))
            return false;
        numbers[i] = (float)number;
    }
    while (cursor_take(&cursor, ']'))
        ;
    return cursor_at_end(&cursor);
}

size_t inference_longest(const struct target *target, const struct inference_options *options) {
    return SMALL_ANSWER + (size_t)(options->rows > 0 ? options->rows : 1) * target->outputs * NUMBER_TEXT;
}
