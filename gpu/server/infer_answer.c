/* infer_answer.c: the answer to a request: JSON, and the output in it or behind it. */
#include "infer.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "infer_classes.h"
#include "json_write.h"
#include "numbers.h"

/* How much room the JSON of a plain answer takes, beside its names and its numbers; and a number, at the most. */
enum { AROUND = 512, NUMBER = 17 };

/* ,"parameters":{"device":"cpu","worker":0,"batch":4} */
static void write_service(struct json_writer *writer, const struct infer_service *service) {
    WRITE(writer, ",\"parameters\":{\"device\":");
    write_string(writer, service->device);
    WRITE(writer, ",\"worker\":");
    write_whole(writer, service->worker);
    WRITE(writer, ",\"batch\":");
    write_whole(writer, service->batch);
    if (service->simulated)
        WRITE(writer, ",\"simulated\":true");
    WRITE(writer, "}");
}

static void write_head(struct json_writer *writer, const struct signature *signature,
                       const struct infer_request *request, const struct infer_service *service) {
    WRITE(writer, "{");
    if (request->id[0] != '\0') {
        WRITE(writer, "\"id\":");
        write_string(writer, request->id);
        WRITE(writer, ",");
    }
    WRITE(writer, "\"model_name\":");
    write_string(writer, signature->model);
    WRITE(writer, ",\"model_version\":");
    write_string(writer, signature->version);
    write_service(writer, service);
    WRITE(writer, ",\"outputs\":[");
}

static void write_numbers(struct json_writer *writer, const float *numbers, size_t count) {
    WRITE(writer, ",\"data\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            WRITE(writer, ",");
        write_float(writer, numbers[i]);
    }
    WRITE(writer, "]");
}

/* An output in JSON, or what the JSON says of `binary` bytes behind it. */
static void write_output(struct json_writer *writer, const struct signature *signature,
                         const struct infer_request *request, const float *output, const struct classes *classes,
                         size_t binary) {
    WRITE(writer, "{\"name\":");
    write_string(writer, signature->output);
    if (classes != NULL)
        WRITE(writer, ",\"datatype\":\"BYTES\",\"shape\":[");
    else
        WRITE(writer, ",\"datatype\":\"FP32\",\"shape\":[");
    write_whole(writer, request->rows);
    WRITE(writer, ",");
    write_whole(writer, classes != NULL ? classes->each : signature->outputs);
    WRITE(writer, "]");
    if (request->output_binary) {
        WRITE(writer, ",\"parameters\":{\"binary_data_size\":");
        write_whole(writer, binary);
        WRITE(writer, "}");
    } else if (classes != NULL) {
        WRITE(writer, ",\"data\":");
        classes_write(writer, classes);
    } else {
        write_numbers(writer, output, (size_t)request->rows * signature->outputs);
    }
    WRITE(writer, "}");
}

static int check_finite(const struct signature *signature, const float *output, size_t count, struct problem *problem) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(output[i]))
            return refuse(problem, 400,
                          "number %zu of output '%s' is not finite, and JSON has no word for it; ask for binary output",
                          i, signature->output);
    return 0;
}

static int finish(struct json_writer *writer, size_t header_length, struct infer_answer *answer,
                  struct problem *problem) {
    if (writer->data == NULL)
        return refuse(problem, 503, "memory is short for the answer; try again");
    *answer = (struct infer_answer){.data = writer->data, .size = writer->size, .header_length = header_length};
    return 0;
}

static int write_answer(const struct signature *signature, const struct infer_request *request,
                        const struct infer_service *service, const float *output, const struct classes *classes,
                        struct infer_answer *answer, struct problem *problem) {
    size_t count = (size_t)request->rows * signature->outputs;
    size_t binary = !request->output_wanted || !request->output_binary ? 0
                    : classes != NULL                                  ? classes_binary_size(classes)
                                                                       : count * sizeof *output;
    struct json_writer writer;
    write_begin(&writer, AROUND + (request->output_binary || !request->output_wanted ? binary : count * NUMBER));
    write_head(&writer, signature, request, service);
    if (request->output_wanted)
        write_output(&writer, signature, request, output, classes, binary);
    WRITE(&writer, "]}");
    size_t header_length = writer.size;
    if (binary > 0 && classes != NULL)
        classes_write_binary(&writer, classes);
    else if (binary > 0)
        write_bytes(&writer, (const char *)output, binary);
    return finish(&writer, binary > 0 ? header_length : 0, answer, problem);
}

int infer_answer(const struct signature *signature, const struct infer_request *request,
                 const struct infer_service *service, const float *output, struct infer_answer *answer,
                 struct problem *problem) {
    *answer = (struct infer_answer){0};
    struct classes classes, *asked = NULL;
    if (request->output_wanted && request->classes > 0) {
        if (classes_choose(&classes, output, request->rows, signature->outputs, request->classes) != 0)
            return refuse(problem, 503, "memory is short for the classes; try again");
        asked = &classes;
    } else if (request->output_wanted && !request->output_binary &&
               check_finite(signature, output, (size_t)request->rows * signature->outputs, problem) != 0) {
        return -1;
    }
    int result = write_answer(signature, request, service, output, asked, answer, problem);
    if (asked != NULL)
        classes_free(asked);
    return result;
}

char *infer_error(const char *text) {
    struct json_writer writer;
    write_begin(&writer, strlen(text) + 32);
    WRITE(&writer, "{\"error\":");
    write_string(&writer, text);
    write_bytes(&writer, "}", 2); /* and a NUL */
    return writer.data;
}
