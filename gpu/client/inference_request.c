/* inference_request.c: the bytes of an infer request. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inference.h"

/* The longest that one number takes in JSON, with its comma: "-1.23456789e-38,". */
enum { NUMBER_TEXT = 17, HEAD_TEXT = 1024, FRONT_TEXT = 512 };

static const char NO_ID[INFERENCE_ID + 1] = "0000000000000000";

/* The part of the JSON that does not depend on the rows; returns its length. */
static size_t write_front(char *text, const struct target *target, const struct inference_options *options,
                          uint32_t rows) {
    char priority[32] = "", timeout[48] = "";
    if (options->priority > 0)
        snprintf(priority, sizeof priority, "\"priority\":%u,", options->priority);
    if (options->timeout > 0)
        snprintf(timeout, sizeof timeout, "\"timeout\":%llu,", (unsigned long long)options->timeout);
    return (size_t)snprintf(
        text, FRONT_TEXT,
        "{\"id\":\"%s\",\"parameters\":{%s%s\"binary_data_output\":%s},\"inputs\":[{\"name\":\"%s\","
        "\"shape\":[%u,%u],\"datatype\":\"FP32\",",
        NO_ID, priority, timeout, options->json ? "false" : "true", target->input, rows, target->inputs);
}

/* "data":[...], in the fewest digits that give back the same number; 0 when one is not finite. */
static size_t write_numbers(char *text, const float *numbers, size_t count) {
    size_t length = (size_t)sprintf(text, "\"data\":[");
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(numbers[i]))
            return 0;
        char *number = text + length;
        length += (size_t)snprintf(number, NUMBER_TEXT, "%.9g", (double)numbers[i]);
        for (char *comma = number; comma < text + length; comma++)
            if (*comma == ',')
                *comma = '.'; /* as some languages write it, if the program has chosen one */
        text[length++] = i + 1 < count ? ',' : ']';
    }
    return length;
}

/* The body: JSON, and the numbers in it or behind it; its length, and that of the JSON. 0: a number is not finite. */
static size_t write_body(char *body, const struct target *target, const float *rows,
                         const struct inference_options *options, uint32_t count, size_t *json) {
    static const char END[] = "}]}";
    size_t numbers = (size_t)count * target->inputs, length = write_front(body, target, options, count);
    if (options->json) {
        size_t data = write_numbers(body + length, rows, numbers);
        if (data == 0)
            return 0;
        length += data;
    } else {
        length += (size_t)sprintf(body + length, "\"parameters\":{\"binary_data_size\":%zu}", numbers * sizeof *rows);
    }
    memcpy(body + length, END, sizeof END - 1);
    length += sizeof END - 1;
    *json = length;
    if (!options->json) {
        memcpy(body + length, rows, numbers * sizeof *rows);
        length += numbers * sizeof *rows;
    }
    return length;
}

/* The status line and the headers; the model's name at most 3 times as long as it is. Returns their length. */
static size_t write_head(char *head, const struct target *target, const struct inference_options *options, size_t body,
                         size_t json) {
    char model[4 * TARGET_NAME], length_of_json[64] = "";
    target_model_path(target, model, sizeof model);
    if (!options->json)
        snprintf(length_of_json, sizeof length_of_json, "Inference-Header-Content-Length: %zu\r\n", json);
    return (size_t)snprintf(head, HEAD_TEXT,
                            "POST /v2/models/%s/infer HTTP/1.1\r\nHost: %s\r\nContent-Type: application/%s\r\n%s"
                            "Content-Length: %zu\r\n\r\n",
                            model, target->host, options->json ? "json" : "octet-stream", length_of_json, body);
}

int inference_request_make(struct inference_request *request, const struct target *target, const float *rows,
                           const struct inference_options *options, struct failure *failure) {
    uint32_t count = options->rows > 0 ? options->rows : 1;
    uint64_t numbers = (uint64_t)count * target->inputs;
    *request = (struct inference_request){0};
    if (target->inputs == 0 || *target->input == 0)
        return fail(failure, -EINVAL, "%s: a request for no model; ask the server for it first", target->host);
    if (count > INFERENCE_ROWS || numbers > UINT32_MAX / NUMBER_TEXT)
        return fail(failure, -E2BIG, "%u rows of %u numbers: too much for one request; ask for fewer rows", count,
                    target->inputs);
    size_t room = HEAD_TEXT + FRONT_TEXT + 64 + (size_t)numbers * (options->json ? NUMBER_TEXT : sizeof *rows), json;
    char *bytes = malloc(room), head[HEAD_TEXT];
    if (bytes == NULL)
        return fail(failure, -ENOMEM, "a request of %zu bytes: no memory; ask for fewer rows", room);
    char *body = bytes + HEAD_TEXT;
    size_t length = write_body(body, target, rows, options, count, &json);
    if (length == 0) {
        free(bytes);
        return fail(failure, -EINVAL, "%s: a number that is not finite cannot be sent as JSON; send bytes",
                    target->host);
    }
    size_t head_length = write_head(head, target, options, length, json);
    memcpy(bytes, head, head_length);
    memmove(bytes + head_length, body, length);
    *request = (struct inference_request){bytes, head_length + length, head_length + strlen("{\"id\":\"")};
    return 0;
}

void inference_request_free(struct inference_request *request) {
    free(request->bytes);
    *request = (struct inference_request){0};
}

void inference_request_number(struct inference_request *request, uint64_t number) {
    static const char HEX[] = "0123456789abcdef";
    for (size_t i = INFERENCE_ID; i > 0; i--, number >>= 4)
        request->bytes[request->id + i - 1] = HEX[number & 15];
}
