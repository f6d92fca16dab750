/* infer_internal.h: what the files of infer_*.c share: a request while it is read. */
#ifndef GPU_INFER_INTERNAL_H
#define GPU_INFER_INTERNAL_H

#include "inflate.h"
#include "infer.h"
#include "json.h"

/* Room for a token that is cut; and the bytes of a tensor's number in JSON, with what is around it. */
enum { INFER_CARRY = JSON_TOKEN + 16, INFER_NUMBER = 32 };

/* The places of a request's JSON (infer_members.c). */
enum infer_place {
    PLACE_ROOT,
    PLACE_REQUEST,
    PLACE_REQUEST_PARAMETERS,
    PLACE_INPUTS,
    PLACE_INPUT,
    PLACE_INPUT_PARAMETERS,
    PLACE_SHAPE,
    PLACE_DATA,
    PLACE_OUTPUTS,
    PLACE_OUTPUT,
    PLACE_OUTPUT_PARAMETERS,
    PLACES
};

/* What has been said of the input. */
struct infer_input {
    unsigned count; /* of inputs: 1 is right */
    bool named, typed, shaped, has_data, is_binary;
    uint64_t rank, dimensions[2];
    uint64_t numbers;       /* read from `data` so far */
    uint64_t declared_size; /* binary_data_size */
};

/* What has been said of the output. */
struct infer_output {
    unsigned count;
    bool named, binary_said, binary;
};

struct infer_reader {
    const struct signature *signature;
    struct infer_head head;
    float *input;
    struct infer_request request;

    /* The body: JSON, of json_size bytes (UINT64_MAX: all of the body), and then the tensor. */
    bool json_ended;
    uint64_t json_size, json_limit, json_taken;
    uint64_t tensor_size, tensor_taken;

    /* The JSON. */
    struct json json;
    enum infer_place place;
    unsigned skipped;                  /* levels of a member that nobody reads */
    unsigned nested;                   /* levels within `data` */
    const struct infer_member *member; /* whose value comes next; NULL: one that nobody reads */
    uint32_t seen[PLACES];             /* a bit for each member that has been there */
    bool binary_by_default;
    struct infer_input tensor;
    struct infer_output output;

    struct inflater inflater;

    /* The beginning of a token whose end has not come yet. Not cleared by infer_begin, as all before it is. */
    size_t carried;
    char carry[INFER_CARRY];
};

/* infer_members.c: the next token, by its place. */
void infer_tokens_begin(struct infer_reader *reader);
int infer_token(struct infer_reader *reader, const struct json_token *token, struct problem *problem);

/* infer_tensor.c: what may be said of a tensor, and whether it fits together. */
typedef int infer_take(struct infer_reader *reader, const struct json_token *token, struct problem *problem);
infer_take infer_take_input_name, infer_take_datatype, infer_take_binary_size, infer_take_region;
infer_take infer_take_dimension, infer_take_number;
infer_take infer_take_output_name, infer_take_binary_data, infer_take_classes;
int infer_input_begin(struct infer_reader *reader, struct problem *problem);
int infer_input_end(struct infer_reader *reader, struct problem *problem);
int infer_output_begin(struct infer_reader *reader, struct problem *problem);
int infer_output_end(struct infer_reader *reader, struct problem *problem);

/* All the JSON is there: finds the tensor's size, or that there is none behind the JSON. */
int infer_json_end(struct infer_reader *reader, struct problem *problem);

/* The bytes of one row of input. */
static inline uint64_t infer_row_bytes(const struct signature *signature) {
    return (uint64_t)signature->inputs * sizeof(float);
}

#endif
