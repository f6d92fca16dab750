/* fuzz_safetensors.c: bytes that anybody may have written, read as a safetensors file and then as a model. */
#include <stdlib.h>
#include <string.h>

#include "model_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte that the reader calls a tensor's is looked at, so that a sanitizer sees those which are not there. */
static unsigned sum_of(const struct safetensors *file) {
    unsigned sum = 0;
    for (size_t i = 0; i < file->count; i++)
        for (size_t j = 0; j < file->tensors[i].size; j++)
            sum += ((const unsigned char *)file->tensors[i].data)[j];
    return sum;
}

static void ask(const struct model *model) {
    float *input = calloc(model->inputs, sizeof *input), *output = malloc(model->outputs * sizeof *output);
    if (input == NULL || output == NULL || model_forward(model, input, 1, output) != 0)
        abort();
    free(input);
    free(output);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct failure failure = {""};
    struct made_model *made = calloc(1, sizeof *made);
    char *copy = malloc(size > 0 ? size : 1); /* of this size and no more, for a sanitizer to see each byte beyond */
    if (made == NULL || copy == NULL)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    strcpy(made->model.name, "fuzz");
    int result = safetensors_parse(&made->file, copy, size, "fuzz", &failure);
    if (result == 0) {
        volatile unsigned sum = sum_of(made->file);
        (void)sum;
        result = model_from_tensors(made, &failure);
    }
    if (result == 0)
        ask(&made->model);
    else if (failure.text[0] == '\0')
        abort(); /* every refusal has its sentence */
    model_free(&made->model);
    free(copy);
    return 0;
}
