/* infer_members.c: the members of a request's JSON: where each may be, what it must be, and who takes it. */
#include "infer_internal.h"

#include <string.h>

/*
 * A member that is read. One that nobody knows may be anything; null is as good as no member at all; and a member that
 * is there twice is refused, as its two readers might not choose the same one.
 */
struct infer_member {
    const char *name;
    size_t size;
    enum token_kind kind;    /* TOKEN_TRUE: a truth value */
    infer_take *take;        /* of a value */
    enum infer_place enters; /* of an array or object */
};

#define NAMED(name) name, sizeof(name) - 1

static int take_id(struct infer_reader *reader, const struct json_token *token, struct problem *problem) {
    size_t size = json_text(token, reader->request.id, INFER_ID);
    if (size >= INFER_ID)
        return refuse(problem, 400, "\"id\" has %zu bytes, and at most %d are kept; send a shorter one", size,
                      INFER_ID - 1);
    if (strlen(reader->request.id) != size)
        return refuse(problem, 400, "\"id\" has a NUL in it; leave it out");
    return 0;
}

/* The priorities that batching knows: those behind its last one are as the last one. */
static int take_priority(struct infer_reader *reader, const struct json_token *token, struct problem *problem) {
    uint64_t priority;
    if (!json_whole(token, &priority))
        return refuse(problem, 400, "\"priority\" must be a whole number: 0, or 1 for the highest, or more");
    reader->request.priority = (uint8_t)(priority < INFER_PRIORITY ? priority : INFER_PRIORITY);
    return 0;
}

static int take_timeout(struct infer_reader *reader, const struct json_token *token, struct problem *problem) {
    uint64_t timeout;
    if (!json_whole(token, &timeout))
        return refuse(problem, 400, "\"timeout\" must be a whole number of microseconds");
    reader->request.timeout = timeout < INFER_TIMEOUT ? timeout : INFER_TIMEOUT;
    return 0;
}

static int take_binary_output(struct infer_reader *reader, const struct json_token *token, struct problem *problem) {
    (void)problem;
    reader->binary_by_default = token->kind == TOKEN_TRUE;
    return 0;
}

static const struct infer_member REQUEST[] = {
    {NAMED("id"), TOKEN_STRING, take_id, 0},
    {NAMED("inputs"), TOKEN_ARRAY, NULL, PLACE_INPUTS},
    {NAMED("outputs"), TOKEN_ARRAY, NULL, PLACE_OUTPUTS},
    {NAMED("parameters"), TOKEN_OBJECT, NULL, PLACE_REQUEST_PARAMETERS},
};
static const struct infer_member REQUEST_PARAMETERS[] = {
    {NAMED("binary_data_output"), TOKEN_TRUE, take_binary_output, 0},
    {NAMED("priority"), TOKEN_NUMBER, take_priority, 0},
    {NAMED("timeout"), TOKEN_NUMBER, take_timeout, 0},
};
static const struct infer_member INPUT[] = {
    {NAMED("name"), TOKEN_STRING, infer_take_input_name, 0},
    {NAMED("shape"), TOKEN_ARRAY, NULL, PLACE_SHAPE},
    {NAMED("datatype"), TOKEN_STRING, infer_take_datatype, 0},
    {NAMED("parameters"), TOKEN_OBJECT, NULL, PLACE_INPUT_PARAMETERS},
    {NAMED("data"), TOKEN_ARRAY, NULL, PLACE_DATA},
};
static const struct infer_member INPUT_PARAMETERS[] = {
    {NAMED("binary_data_size"), TOKEN_NUMBER, infer_take_binary_size, 0},
    {NAMED("shared_memory_region"), TOKEN_STRING, infer_take_region, 0},
};
static const struct infer_member OUTPUT[] = {
    {NAMED("name"), TOKEN_STRING, infer_take_output_name, 0},
    {NAMED("parameters"), TOKEN_OBJECT, NULL, PLACE_OUTPUT_PARAMETERS},
};
static const struct infer_member OUTPUT_PARAMETERS[] = {
    {NAMED("binary_data"), TOKEN_TRUE, infer_take_binary_data, 0},
    {NAMED("classification"), TOKEN_NUMBER, infer_take_classes, 0},
    {NAMED("shared_memory_region"), TOKEN_STRING, infer_take_region, 0},
};

#define MEMBERS(members) members, sizeof(members) / sizeof *(members)

/* Places with members are objects; an array has what its elements are (but for shape and data: numbers). */
static const struct {
    const char *called;
    enum infer_place parent, element;
    const struct infer_member *members;
    size_t count;
} PLACE[PLACES] = {
    [PLACE_ROOT] = {"a request", PLACE_ROOT, PLACE_REQUEST, NULL, 0},
    [PLACE_REQUEST] = {"a request", PLACE_ROOT, 0, MEMBERS(REQUEST)},
    [PLACE_REQUEST_PARAMETERS] = {"a request's parameters", PLACE_REQUEST, 0, MEMBERS(REQUEST_PARAMETERS)},
    [PLACE_INPUTS] = {"\"inputs\"", PLACE_REQUEST, PLACE_INPUT, NULL, 0},
    [PLACE_INPUT] = {"an input", PLACE_INPUTS, 0, MEMBERS(INPUT)},
    [PLACE_INPUT_PARAMETERS] = {"an input's parameters", PLACE_INPUT, 0, MEMBERS(INPUT_PARAMETERS)},
    [PLACE_SHAPE] = {"\"shape\"", PLACE_INPUT, 0, NULL, 0},
    [PLACE_DATA] = {"\"data\"", PLACE_INPUT, 0, NULL, 0},
    [PLACE_OUTPUTS] = {"\"outputs\"", PLACE_REQUEST, PLACE_OUTPUT, NULL, 0},
    [PLACE_OUTPUT] = {"an output", PLACE_OUTPUTS, 0, MEMBERS(OUTPUT)},
    [PLACE_OUTPUT_PARAMETERS] = {"an output's parameters", PLACE_OUTPUT, 0, MEMBERS(OUTPUT_PARAMETERS)},
};

void infer_tokens_begin(struct infer_reader *reader) {
    json_begin(&reader->json);
    reader->place = PLACE_ROOT;
}

/* No place is entered twice: there is one input, one output, and no member of theirs may be there twice. */
static int enter(struct infer_reader *reader, enum infer_place place, struct problem *problem) {
    reader->place = place;
    switch (place) {
    case PLACE_INPUT:
        return infer_input_begin(reader, problem);
    case PLACE_SHAPE:
        reader->tensor.shaped = true;
        return 0;
    case PLACE_DATA:
        reader->tensor.has_data = true;
        return 0;
    case PLACE_OUTPUTS:
        reader->request.output_wanted = false;
        return 0;
    case PLACE_OUTPUT:
        return infer_output_begin(reader, problem);
    default:
        return 0;
    }
}

static int leave(struct infer_reader *reader, struct problem *problem) {
    enum infer_place place = reader->place;
    reader->place = PLACE[place].parent;
    return place == PLACE_INPUT    ? infer_input_end(reader, problem)
           : place == PLACE_OUTPUT ? infer_output_end(reader, problem)
                                   : 0;
}

/* Which member's value comes next. */
static int take_key(struct infer_reader *reader, const struct json_token *token, struct problem *problem) {
    const struct infer_member *members = PLACE[reader->place].members;
    reader->member = NULL;
    for (size_t i = 0; i < PLACE[reader->place].count; i++) {
        if (!json_is(token, members[i].name, members[i].size))
            continue;
        if (reader->seen[reader->place] & 1u << i)
            return refuse(problem, 400, "\"%s\" is there twice in %s", members[i].name, PLACE[reader->place].called);
        reader->seen[reader->place] |= 1u << i;
        reader->member = &members[i];
        return 0;
    }
    char name[80];
    json_text(token, name, sizeof name);
    if (reader->place == PLACE_REQUEST_PARAMETERS && strncmp(name, "triton_", 7) == 0)
        return refuse(problem, 400, "the parameter \"%s\" is reserved, as all that begin with \"triton_\"", name);
    return 0;
}

static const char *kind_name(enum token_kind kind) {
    return kind == TOKEN_STRING   ? "a string"
           : kind == TOKEN_NUMBER ? "a number"
           : kind == TOKEN_ARRAY  ? "an array"
           : kind == TOKEN_OBJECT ? "an object"
                                  : "true or false";
}

static int take_member(struct infer_reader *reader, const struct json_token *token, struct problem *problem) {
    const struct infer_member *member = reader->member;
    bool container = token->kind == TOKEN_OBJECT || token->kind == TOKEN_ARRAY;
    if (member == NULL || token->kind == TOKEN_NULL) {
        reader->skipped = container;
        return 0;
    }
    enum token_kind kind = token->kind == TOKEN_FALSE ? TOKEN_TRUE : token->kind;
    if (kind != member->kind)
        return refuse(problem, 400, "\"%s\" of %s must be %s", member->name, PLACE[reader->place].called,
                      kind_name(member->kind));
    return container ? enter(reader, member->enters, problem) : member->take(reader, token, problem);
}

/* Numbers, however they are nested. */
static int take_data(struct infer_reader *reader, const struct json_token *token, struct problem *problem) {
    if (token->kind == TOKEN_ARRAY)
        reader->nested++;
    else if (token->kind == TOKEN_ARRAY_END && reader->nested == 0)
        return leave(reader, problem);
    else if (token->kind == TOKEN_ARRAY_END)
        reader->nested--;
    else
        return infer_take_number(reader, token, problem);
    return 0;
}

static void skip(struct infer_reader *reader, enum token_kind kind) {
    if (kind == TOKEN_OBJECT || kind == TOKEN_ARRAY)
        reader->skipped++;
    else if (kind == TOKEN_OBJECT_END || kind == TOKEN_ARRAY_END)
        reader->skipped--;
}

int infer_token(struct infer_reader *reader, const struct json_token *token, struct problem *problem) {
    if (reader->skipped > 0) {
        skip(reader, token->kind);
        return 0;
    }
    if (reader->place == PLACE_DATA)
        return take_data(reader, token, problem);
    if (token->kind == TOKEN_KEY)
        return take_key(reader, token, problem);
    if (token->kind == TOKEN_OBJECT_END || token->kind == TOKEN_ARRAY_END)
        return leave(reader, problem);
    if (reader->place == PLACE_SHAPE)
        return infer_take_dimension(reader, token, problem);
    if (PLACE[reader->place].members != NULL)
        return take_member(reader, token, problem);
    if (token->kind != TOKEN_OBJECT)
        return refuse(problem, 400, "%s must %s", PLACE[reader->place].called,
                      reader->place == PLACE_ROOT ? "be an object" : "hold objects only");
    return enter(reader, PLACE[reader->place].element, problem);
}
