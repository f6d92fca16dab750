/* layers.c: which tensors of a file are which layers of a model, and whether the layers fit each other. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model_internal.h"

/* So that no product of sizes overflows: of a row, or a batch of them, anywhere. */
static const uint64_t SIZE_MOST = 1 << 24;

/* ---- What follows from the layers */

/* FNV-1a with words of 64 bits for its bytes; the shift brings what the product moved up down again. */
static void hash_word(uint64_t *hash, uint64_t word) {
    *hash = (*hash ^ word) * 0x100000001b3;
    *hash ^= *hash >> 32;
}

static void hash_numbers(uint64_t *hash, const float *numbers, size_t count) {
    for (size_t i = 0; i < count; i += 2) {
        uint64_t word = 0;
        memcpy(&word, numbers + i, (i + 1 < count ? 2 : 1) * sizeof *numbers);
        hash_word(hash, word);
    }
}

static uint64_t hash_of(const struct model *model) {
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < model->depth; i++) {
        const struct layer *layer = &model->layers[i];
        hash_word(&hash, (uint64_t)layer->inputs << 32 | layer->outputs);
        hash_word(&hash, (uint64_t)layer->activation);
        hash_numbers(&hash, layer->weight, (size_t)layer->inputs * layer->outputs);
        hash_numbers(&hash, layer->bias, layer->outputs);
    }
    return hash;
}

int model_finish(struct model *model, enum activation output, struct failure *failure) {
    struct layer *layers = model->layers;
    model->width = model->inputs = layers[0].inputs;
    for (size_t i = 0; i < model->depth; i++) {
        if (i > 0 && layers[i].inputs != layers[i - 1].outputs)
            return fail(failure, -EINVAL,
                        "model \"%s\": layer %zu takes %" PRIu32 " numbers, but layer %zu gives %" PRIu32
                        "; number the layers in the order in which they follow each other",
                        model->name, i + 1, layers[i].inputs, i, layers[i - 1].outputs);
        layers[i].activation = i + 1 < model->depth ? ACTIVATION_RELU : output;
        model->outputs = layers[i].outputs;
        model->width = model->outputs > model->width ? model->outputs : model->width;
    }
    model->hash = hash_of(model);
    return 0;
}

/* ---- Which tensors the layers are */

static bool ends_with(const char *name, const char *end) {
    size_t length = strlen(name), tail = strlen(end);
    return length > tail && strcmp(name + length - tail, end) == 0;
}

/* The tensor beside this one: of "2.weight" with ".weight" and ".bias" it is "2.bias". NULL if there is none. */
static const struct tensor *sibling(const struct safetensors *file, const struct tensor *tensor, const char *end,
                                    const char *other) {
    char name[256]; /* the reader takes no name above 200 */
    snprintf(name, sizeof name, "%.*s%s", (int)(strlen(tensor->name) - strlen(end)), tensor->name, other);
    return safetensors_find(file, name);
}

/* Runs of digits as numbers, without a bound: "layers.10" comes after "layers.9". */
static int natural_order(const char *left, const char *right) {
    while (*left != '\0' && *right != '\0') {
        size_t digits = 0, others = 0;
        if (isdigit((unsigned char)*left) && isdigit((unsigned char)*right)) {
            left += strspn(left, "0");
            right += strspn(right, "0");
            digits = strspn(left, "0123456789");
            others = strspn(right, "0123456789");
        } else {
            digits = others = 1;
        }
        if (digits != others)
            return digits < others ? -1 : 1;
        int order = memcmp(left, right, digits);
        if (order != 0)
            return order;
        left += digits;
        right += others;
    }
    return (*left != '\0') - (*right != '\0');
}

static int by_name(const void *left, const void *right) {
    const struct tensor *first = *(const struct tensor *const *)left, *second = *(const struct tensor *const *)right;
    int order = natural_order(first->name, second->name);
    return order != 0 ? order : strcmp(first->name, second->name); /* "01" and "1" */
}

/* Every tensor has to be one of a pair. Stores the weights in their order. */
static int find_weights(const struct made_model *made, const struct tensor *weights[MODEL_LAYERS], size_t *count,
                        struct failure *failure) {
    const struct safetensors *file = made->file;
    const char *name = made->model.name;
    *count = 0;
    if (file->count > (size_t)2 * MODEL_LAYERS)
        return fail(failure, -EINVAL, "model \"%s\": %zu tensors; it may have %d layers of two", name, file->count,
                    MODEL_LAYERS);
    for (size_t i = 0; i < file->count; i++) {
        const struct tensor *tensor = &file->tensors[i];
        bool is_weight = ends_with(tensor->name, ".weight");
        if (!is_weight && !ends_with(tensor->name, ".bias"))
            return fail(failure, -EINVAL,
                        "model \"%s\": tensor \"%.80s\" is neither NAME.weight nor NAME.bias; only stacks of dense "
                        "layers can be served",
                        name, tensor->name);
        const char *other = is_weight ? ".bias" : ".weight";
        if (sibling(file, tensor, is_weight ? ".weight" : ".bias", other) == NULL)
            return fail(failure, -EINVAL, "model \"%s\": tensor \"%.80s\" has no %s beside it; each layer needs both",
                        name, tensor->name, other);
        if (is_weight)
            weights[(*count)++] = tensor;
    }
    if (*count == 0)
        return fail(failure, -EINVAL, "model \"%s\": no tensor in its file; train it again", name);
    qsort(weights, *count, sizeof weights[0], by_name);
    return 0;
}

static int check_tensor(const char *model, const struct tensor *tensor, size_t rank, struct failure *failure) {
    if (strcmp(tensor->dtype, "F32") != 0)
        return fail(failure, -EINVAL, "model \"%s\": tensor \"%.80s\" is of type %s; store it as F32", model,
                    tensor->name, tensor->dtype);
    bool fits = tensor->rank == rank;
    for (size_t i = 0; i < rank && fits; i++)
        fits = tensor->shape[i] > 0 && tensor->shape[i] <= SIZE_MOST;
    if (!fits)
        return fail(failure, -EINVAL, "model \"%s\": tensor \"%.80s\" needs %zu dimensions from 1 to %" PRIu64, model,
                    tensor->name, rank, SIZE_MOST);
    return 0;
}

/* The numbers where they lie, or copied to *copies, which moves on. */
static const float *numbers_of(const struct tensor *tensor, float **copies) {
    if (*copies == NULL)
        return tensor->data;
    float *copy = memcpy(*copies, tensor->data, tensor->size);
    *copies += tensor->size / sizeof *copy;
    return copy;
}

static int set_layer(const struct made_model *made, struct layer *layer, const struct tensor *weight, float **copies,
                     struct failure *failure) {
    const struct tensor *bias = sibling(made->file, weight, ".weight", ".bias");
    int result = check_tensor(made->model.name, weight, 2, failure);
    if (result == 0)
        result = check_tensor(made->model.name, bias, 1, failure);
    if (result != 0)
        return result;
    if (bias->shape[0] != weight->shape[0])
        return fail(failure, -EINVAL,
                    "model \"%s\": tensor \"%.80s\" has %" PRIu64 " numbers, its weight %" PRIu64
                    " rows; they belong to different layers",
                    made->model.name, bias->name, bias->shape[0], weight->shape[0]);
    layer->outputs = (uint32_t)weight->shape[0];
    layer->inputs = (uint32_t)weight->shape[1];
    layer->weight = numbers_of(weight, copies);
    layer->bias = numbers_of(bias, copies);
    return 0;
}

/* The format lets numbers lie anywhere, a processor may not. */
static int copy_if_unaligned(struct made_model *made, struct failure *failure) {
    size_t size = 0;
    bool aligned = true;
    for (size_t i = 0; i < made->file->count; i++) {
        size += made->file->tensors[i].size;
        aligned = aligned && (uintptr_t)made->file->tensors[i].data % _Alignof(float) == 0;
    }
    made->numbers = aligned ? NULL : malloc(size);
    if (!aligned && made->numbers == NULL)
        return fail(failure, -ENOMEM, "model \"%s\": not enough memory to load it", made->model.name);
    return 0;
}

/* ---- What the metadata says */

static int set_name(const struct made_model *made, const char *key, char name[MODEL_NAME], struct failure *failure) {
    const char *given = safetensors_metadata(made->file, key);
    if (given == NULL)
        given = key;
    size_t length = strlen(given);
    bool plain = length > 0 && length < MODEL_NAME;
    for (size_t i = 0; i < length && plain; i++)
        plain = isgraph((unsigned char)given[i]);
    if (!plain)
        return fail(failure, -EINVAL, "model \"%s\": its __metadata__ \"%s\" must be a name of 1 to %d ASCII letters",
                    made->model.name, key, MODEL_NAME - 1);
    memcpy(name, given, length + 1);
    return 0;
}

static int read_metadata(struct made_model *made, enum activation *output, struct failure *failure) {
    const char *activation = safetensors_metadata(made->file, "activation");
    *output = activation != NULL && strcmp(activation, "none") == 0 ? ACTIVATION_NONE : ACTIVATION_SOFTMAX;
    if (activation != NULL && *output == ACTIVATION_SOFTMAX && strcmp(activation, "softmax") != 0)
        return fail(failure, -EINVAL, "model \"%s\": its __metadata__ \"activation\" must be softmax or none",
                    made->model.name);
    int result = set_name(made, "input", made->model.input_name, failure);
    return result == 0 ? set_name(made, "output", made->model.output_name, failure) : result;
}

int model_from_tensors(struct made_model *made, struct failure *failure) {
    const struct tensor *weights[MODEL_LAYERS];
    enum activation output;
    int result = read_metadata(made, &output, failure);
    if (result == 0)
        result = find_weights(made, weights, &made->model.depth, failure);
    if (result == 0)
        result = copy_if_unaligned(made, failure);
    float *copies = made->numbers;
    for (size_t i = 0; result == 0 && i < made->model.depth; i++)
        result = set_layer(made, &made->model.layers[i], weights[i], &copies, failure);
    return result == 0 ? model_finish(&made->model, output, failure) : result;
}
