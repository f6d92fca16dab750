/* safetensors_parse.c: reads tensors in bytes that anybody may have written. */
#include "safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the numbers are used as they lie in the file");

/* A header is small and flat; one that is neither is an attack on the JSON reader, and is not given to it. */
enum { LENGTH_SIZE = 8, HEADER_MOST = 1 << 20, DEPTH_MOST = 8, NAME_MOST = 200 };

/* One reading: the bytes, and what to call them. */
struct reading {
    const char *name;
    const unsigned char *data; /* behind the header */
    size_t size;               /* of the data */
    struct failure *failure;
};

/* Says what is wrong. Names in the file may hold anything, so what is no ASCII is not shown. */
AT_PRINTF(2, 3) static int refuse(const struct reading *reading, const char *format, ...) {
    char text[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *letter = text; *letter != '\0'; letter++)
        if (*letter < ' ' || *letter > '~')
            *letter = '?';
    return fail(reading->failure, -EINVAL, "%s: %s; no safetensors file, or a damaged one: write it again",
                reading->name, text);
}

static int no_memory(const struct reading *reading) {
    return fail(reading->failure, -ENOMEM, "%s: not enough memory to read it", reading->name);
}

/* ---- One tensor of the header */

/* An array of whole numbers from 0; false when it is something else, or has more than `room`. */
static bool read_numbers(const json_t *array, uint64_t *numbers, size_t room, size_t *count) {
    *count = json_array_size(array);
    if (!json_is_array(array) || *count > room)
        return false;
    for (size_t i = 0; i < *count; i++) {
        const json_t *number = json_array_get(array, i);
        if (!json_is_integer(number) || json_integer_value(number) < 0)
            return false;
        numbers[i] = (uint64_t)json_integer_value(number);
    }
    return true;
}

/* So that a sentence, or an answer to somebody, may show a name as it is. */
static bool is_plain_name(const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++)
        if (name[i] < ' ' || name[i] > '~')
            return false;
    return length > 0 && length <= NAME_MOST;
}

static int read_tensor(const struct reading *reading, const char *name, const json_t *entry, struct tensor *tensor) {
    if (!is_plain_name(name))
        return refuse(reading, "tensor \"%.40s\": its name is not 1 to %d printable ASCII characters", name, NAME_MOST);
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (dtype == NULL || tensor_dtype(dtype) == NULL)
        return refuse(reading, "tensor \"%.100s\": its dtype is %.20s", name, dtype == NULL ? "missing" : dtype);
    *tensor = (struct tensor){.name = name, .dtype = tensor_dtype(dtype)};
    if (!read_numbers(json_object_get(entry, "shape"), tensor->shape, TENSOR_RANK, &tensor->rank))
        return refuse(reading, "tensor \"%.100s\": its shape is no array of at most %d whole numbers", name,
                      TENSOR_RANK);
    uint64_t offsets[2], size;
    size_t count;
    if (!read_numbers(json_object_get(entry, "data_offsets"), offsets, 2, &count) || count != 2)
        return refuse(reading, "tensor \"%.100s\": its data_offsets are not two whole numbers", name);
    if (!tensor_size(dtype, tensor->shape, tensor->rank, &size))
        return refuse(reading, "tensor \"%.100s\": its shape is too large for any memory", name);
    if (offsets[0] > offsets[1])
        return refuse(reading, "tensor \"%.100s\": its data ends before it begins", name);
    if (offsets[1] > reading->size)
        return refuse(reading, "tensor \"%.100s\": its data ends at %" PRIu64 ", the file's at %zu", name, offsets[1],
                      reading->size);
    if (offsets[1] - offsets[0] != size)
        return refuse(reading,
                      "tensor \"%.100s\": its shape needs %" PRIu64 " bytes, its data_offsets give it %" PRIu64, name,
                      size, offsets[1] - offsets[0]);
    tensor->data = reading->data + offsets[0];
    tensor->size = (size_t)size;
    return 0;
}

/* ---- The header as a whole */

/* How deep arrays and objects lie in each other. What is no JSON gives some number. */
static size_t depth_of(const char *text, size_t size) {
    size_t depth = 0, deepest = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && (text[i] == '{' || text[i] == '['))
            deepest = ++depth > deepest ? depth : deepest;
        else if (!quoted && (text[i] == '}' || text[i] == ']') && depth > 0)
            depth--;
    }
    return deepest;
}

static int read_json(const struct reading *reading, const char *text, size_t size, json_t **header) {
    if (size == 0 || text[0] != '{')
        return refuse(reading, "its header does not begin with '{'");
    if (depth_of(text, size) > DEPTH_MOST)
        return refuse(reading, "its header is nested deeper than %d", DEPTH_MOST);
    json_error_t error;
    *header = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (*header == NULL && json_error_code(&error) == json_error_out_of_memory)
        return no_memory(reading);
    if (*header == NULL)
        return refuse(reading, "its header is no JSON: %s, at byte %d", error.text, error.position);
    return 0;
}

static int check_metadata(const struct reading *reading, json_t *metadata) {
    if (!json_is_object(metadata))
        return refuse(reading, "its __metadata__ is no object");
    const char *key;
    json_t *value;
    json_object_foreach(metadata, key, value) {
        if (!json_is_string(value))
            return refuse(reading, "its __metadata__ \"%.100s\" is no text", key);
    }
    return 0;
}

static int by_place(const void *left, const void *right) {
    const struct tensor *first = left, *second = right;
    if (first->data != second->data)
        return (const char *)first->data < (const char *)second->data ? -1 : 1;
    return first->size < second->size ? -1 : first->size > second->size; /* an empty one comes before its neighbour */
}

/* The tensors, sorted, must cover the data without overlap and without a hole. */
static int check_places(const struct reading *reading, const struct safetensors *file) {
    size_t end = 0;
    for (size_t i = 0; i < file->count; i++) {
        const struct tensor *tensor = &file->tensors[i];
        size_t begin = (size_t)((const unsigned char *)tensor->data - reading->data);
        if (begin < end)
            return refuse(reading, "tensor \"%.100s\" overlaps tensor \"%.100s\"", tensor->name, tensor[-1].name);
        if (begin > end)
            return refuse(reading, "a hole of %zu bytes before tensor \"%.100s\"", begin - end, tensor->name);
        end += tensor->size;
    }
    if (end != reading->size)
        return refuse(reading, "%zu bytes at its end belong to no tensor", reading->size - end);
    return 0;
}

static int read_header(const struct reading *reading, struct safetensors *file) {
    file->tensors = calloc(json_object_size(file->header) + 1, sizeof *file->tensors);
    if (file->tensors == NULL)
        return no_memory(reading);
    const char *name;
    json_t *entry;
    json_object_foreach(file->header, name, entry) {
        bool is_metadata = strcmp(name, "__metadata__") == 0;
        int result = is_metadata ? check_metadata(reading, entry)
                                 : read_tensor(reading, name, entry, &file->tensors[file->count]);
        if (result != 0)
            return result;
        file->count += !is_metadata;
    }
    qsort(file->tensors, file->count, sizeof *file->tensors, by_place);
    return check_places(reading, file);
}

static int read_bytes(struct safetensors *file, const unsigned char *bytes, size_t size, const char *name,
                      struct failure *failure) {
    struct reading reading = {.name = name, .failure = failure};
    uint64_t length = 0;
    if (size < LENGTH_SIZE)
        return refuse(&reading, "%zu bytes, too short for a header", size);
    memcpy(&length, bytes, LENGTH_SIZE);
    if (length > HEADER_MOST)
        return refuse(&reading, "its header is said to have %" PRIu64 " bytes, more than %d", length, HEADER_MOST);
    if (length > size - LENGTH_SIZE)
        return refuse(&reading, "its header is said to have %" PRIu64 " bytes, but only %zu follow", length,
                      size - LENGTH_SIZE);
    reading.data = bytes + LENGTH_SIZE + length;
    reading.size = size - LENGTH_SIZE - (size_t)length;
    int result = read_json(&reading, (const char *)bytes + LENGTH_SIZE, (size_t)length, &file->header);
    return result == 0 ? read_header(&reading, file) : result;
}

int safetensors_parse(struct safetensors **file, const void *bytes, size_t size, const char *name,
                      struct failure *failure) {
    struct safetensors *new = calloc(1, sizeof *new);
    int result = new == NULL ? no_memory(&(struct reading){.name = name, .failure = failure})
                             : read_bytes(new, bytes, size, name, failure);
    if (result != 0)
        safetensors_close(new);
    else
        *file = new;
    return result;
}
