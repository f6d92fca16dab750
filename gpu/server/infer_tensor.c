/* infer_tensor.c: the tensors of a request: what is said of them, the numbers of `data`, and whether all fits. */
#include "infer_internal.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "numbers.h"

/* What a client wrote, for a sentence about it: cut where it is long. */
struct quoted {
    char text[64];
};

static struct quoted quote(const struct json_token *token) {
    struct quoted quoted = {""};
    if (token->kind == TOKEN_STRING)
        json_text(token, quoted.text, sizeof quoted.text);
    else
        snprintf(quoted.text, sizeof quoted.text, "%.*s", (int)(token->size < 40 ? token->size : 40),
                 token->size > 0 ? token->text : "");
    return quoted;
}

/* ---- the input */

int infer_input_begin(struct infer_reader *reader, struct problem *problem) {
    if (reader->tensor.count++ > 0)
        return refuse(problem, 400, "the model '%s' has one input, '%s', and the request brings more",
                      reader->signature->model, reader->signature->input);
    return 0;
}

int infer_take_input_name(struct infer_reader *reader, const struct json_token *token, struct problem *problem) {
    const struct signature *signature = reader->signature;
    if (!json_is(token, signature->input, strlen(signature->input)))
        return refuse(problem, 400, "unknown input '%s'; the input of the model '%s' is '%s'", quote(token).text,
                      signature->model, signature->input);
    reader->tensor.named = true;
    return 0;
}

int infer_take_datatype(struct infer_reader *reader, const struct json_token *token, struct problem *problem) {
    if (!json_is(token, "FP32", 4))
        return refuse(problem, 400, "input '%s' comes as '%s', and the model takes FP32 only", reader->signature->input,
                      quote(token).text);
    reader->tensor.typed = true;
    return 0;
}

int infer_take_dimension(struct infer_reader *reader, const struct json_token *token, struct problem *problem) {
    struct infer_input *tensor = &reader->tensor;
    uint64_t dimension;
    if (!json_whole(token, &dimension))
        return refuse(problem, 400, "a dimension in \"shape\" of input '%s' must be a whole number of at least 0%s%s",
                      reader->signature->input, token->kind == TOKEN_NUMBER ? ", and is " : "",
                      token->kind == TOKEN_NUMBER ? quote(token).text : "");
    if (tensor->rank < 2)
        tensor->dimensions[tensor->rank] = dimension;
    tensor->rank++;
    return 0;
}

int infer_take_number(struct infer_reader *reader, const struct json_token *token, struct problem *problem) {
    struct infer_input *tensor = &reader->tensor;
    const struct signature *signature = reader->signature;
    if (token->kind != TOKEN_NUMBER)
        return refuse(problem, 400,
                      "\"data\" of input '%s' must hold numbers only, and its element %" PRIu64 " is none",
                      signature->input, tensor->numbers);
    if (tensor->numbers == (uint64_t)signature->rows * signature->inputs)
        return refuse(problem, 400,
                      "\"data\" of input '%s' has more numbers than %" PRIu32 " rows of %" PRIu32
                      ", the most of a request; send several requests",
                      signature->input, signature->rows, signature->inputs);
    reader->input[tensor->numbers++] = number_read(token->text, token->size);
    return 0;
}

int infer_take_binary_size(struct infer_reader *reader, const struct json_token *token, struct problem *problem) {
    if (!json_whole(token, &reader->tensor.declared_size))
        return refuse(problem, 400, "\"binary_data_size\" of input '%s' must be a whole number of bytes, and is %s",
                      reader->signature->input, quote(token).text);
    reader->tensor.is_binary = true;
    return 0;
}

int infer_take_region(struct infer_reader *reader, const struct json_token *token, struct problem *problem) {
    (void)token;
    const struct signature *signature = reader->signature;
    bool output = reader->place == PLACE_OUTPUT_PARAMETERS;
    return refuse(problem, 400, "shared memory is not offered; %s '%s' with the %s",
                  output ? "get output" : "send input", output ? signature->output : signature->input,
                  output ? "answer" : "request");
}

static int check_shape(const struct infer_input *tensor, const struct signature *signature, struct problem *problem) {
    if (tensor->rank != 2)
        return refuse(problem, 400, "input '%s' has %" PRIu64 " dimensions, and must have 2: [rows, %" PRIu32 "]",
                      signature->input, tensor->rank, signature->inputs);
    if (tensor->dimensions[1] != signature->inputs)
        return refuse(problem, 400, "input '%s' has shape [%" PRIu64 ",%" PRIu64 "], and must have [rows, %" PRIu32 "]",
                      signature->input, tensor->dimensions[0], tensor->dimensions[1], signature->inputs);
    if (tensor->dimensions[0] > signature->rows)
        return refuse(problem, 400,
                      "input '%s' has %" PRIu64 " rows, and the most of a request is %" PRIu32
                      "; send several requests",
                      signature->input, tensor->dimensions[0], signature->rows);
    return 0;
}

int infer_input_end(struct infer_reader *reader, struct problem *problem) {
    const struct infer_input *tensor = &reader->tensor;
    const char *missing = !tensor->named ? "name" : !tensor->typed ? "datatype" : !tensor->shaped ? "shape" : NULL;
    if (missing != NULL)
        return refuse(problem, 400, "an input has no \"%s\"", missing);
    if (check_shape(tensor, reader->signature, problem) != 0)
        return -1;
    if (tensor->has_data == tensor->is_binary)
        return refuse(problem, 400, "input '%s' must have exactly one of \"data\" and \"binary_data_size\", and has %s",
                      reader->signature->input, tensor->has_data ? "both" : "neither");
    uint64_t rows = tensor->dimensions[0], numbers = rows * reader->signature->inputs;
    if (tensor->has_data && tensor->numbers != numbers)
        return refuse(problem, 400, "\"data\" of input '%s' has %" PRIu64 " numbers, and its shape needs %" PRIu64,
                      reader->signature->input, tensor->numbers, numbers);
    if (tensor->is_binary && tensor->declared_size != numbers * sizeof(float))
        return refuse(problem, 400,
                      "input '%s' has a binary_data_size of %" PRIu64 ", and its shape needs %" PRIu64 " bytes",
                      reader->signature->input, tensor->declared_size, numbers * sizeof(float));
    reader->request.rows = (uint32_t)rows;
    return 0;
}

/* ---- the output */

int infer_output_begin(struct infer_reader *reader, struct problem *problem) {
    if (reader->output.count++ > 0)
        return refuse(problem, 400, "the model '%s' has one output, '%s', and the request asks for more",
                      reader->signature->model, reader->signature->output);
    return 0;
}

int infer_take_output_name(struct infer_reader *reader, const struct json_token *token, struct problem *problem) {
    const struct signature *signature = reader->signature;
    if (!json_is(token, signature->output, strlen(signature->output)))
        return refuse(problem, 400, "unknown output '%s'; the output of the model '%s' is '%s'", quote(token).text,
                      signature->model, signature->output);
    reader->output.named = true;
    return 0;
}

int infer_take_binary_data(struct infer_reader *reader, const struct json_token *token, struct problem *problem) {
    (void)problem;
    reader->output.binary_said = true;
    reader->output.binary = token->kind == TOKEN_TRUE;
    return 0;
}

int infer_take_classes(struct infer_reader *reader, const struct json_token *token, struct problem *problem) {
    uint64_t classes, most = reader->signature->outputs;
    if (!json_whole(token, &classes))
        return refuse(problem, 400, "\"classification\" of output '%s' must be a whole number of classes, and is %s",
                      reader->signature->output, quote(token).text);
    reader->request.classes = (uint32_t)(classes < most ? classes : most);
    return 0;
}

int infer_output_end(struct infer_reader *reader, struct problem *problem) {
    if (!reader->output.named)
        return refuse(problem, 400, "an output has no \"name\"");
    reader->request.output_wanted = true;
    return 0;
}

/* ---- all of it */

int infer_json_end(struct infer_reader *reader, struct problem *problem) {
    const struct signature *signature = reader->signature;
    struct infer_request *request = &reader->request;
    if (reader->tensor.count == 0)
        return refuse(problem, 400, "the request has no input; the model '%s' needs '%s'", signature->model,
                      signature->input);
    if (reader->tensor.is_binary && reader->head.header_length < 0)
        return refuse(problem, 400,
                      "input '%s' has a binary_data_size, and the request no header Inference-Header-Content-Length",
                      signature->input);
    request->output_binary = reader->output.binary_said ? reader->output.binary : reader->binary_by_default;
    reader->tensor_size = reader->tensor.is_binary ? reader->tensor.declared_size : 0;
    return 0;
}
