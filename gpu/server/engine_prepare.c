/* engine_prepare.c: opens a model: what the front has to know of it, and its file, for workers that start later. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine_internal.h"

/* A row with something of everything, the same each time. */
static void draw_canary(float *row, uint32_t inputs) {
    for (uint32_t i = 0; i < inputs; i++)
        row[i] = (float)(i * 2654435761U >> 8) / (float)(1 << 24);
}

/* Workers whose answer to the canary differs from ours are killed: and from NaN, all answers do. */
static bool all_finite(const float *numbers, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (!isfinite(numbers[i]))
            return false;
    return true;
}

/* Where the file of a source is (model.h); "": it has none. */
static void model_path(const char *source, const char *folder, char *path, size_t size) {
    if (strchr(source, '/') != NULL)
        snprintf(path, size, "%s", source);
    else if (strncmp(source, "wide", 4) == 0 && (source[4] == '\0' || source[4] == ':'))
        *path = '\0';
    else
        snprintf(path, size, "%s/%s.safetensors", folder, source);
}

/* A copy of a file in memory that nobody can change or cut off, whatever becomes of the file; -1: not to be had. */
static int copy_of(const char *path) {
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int copy = file >= 0 && fstat(file, &about) == 0 && S_ISREG(about.st_mode)
                   ? memfd_create("model", MFD_CLOEXEC | MFD_ALLOW_SEALING)
                   : -1;
    bool whole = copy >= 0;
    for (off_t left = whole ? about.st_size : 0; whole && left > 0;) {
        ssize_t size = sendfile(copy, file, NULL, (size_t)left);
        whole = size > 0;
        left -= size;
    }
    whole = whole && fcntl(copy, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) == 0;
    if (file >= 0)
        close(file);
    if (!whole && copy >= 0)
        close(copy);
    return whole ? copy : -1;
}

/* Opens a model and, where it is from a file, a copy of that, for workers that load it later. */
static int open_model(const char *folder, struct model **model, const char *source, struct prepared *prepared) {
    char path[PATH_MAX], copied[32];
    model_path(source, folder, path, sizeof path);
    int copy = path[0] == '\0' ? -1 : copy_of(path);
    snprintf(copied, sizeof copied, "/proc/self/fd/%d", copy);
    if (copy >= 0 && model_open(model, copied, "", NULL) == 0) {
        prepared->is_file = true;
        prepared->file = copy;
        return 0;
    }
    if (copy >= 0)
        close(copy);
    int result = model_open(model, source, folder, &prepared->failure); /* which says what is wrong with it */
    if (result != 0 || path[0] == '\0')
        return result;
    model_free(*model);
    return fail(&prepared->failure, -EAGAIN, "model %s: %s is being written, or memory is short; load it again", source,
                path);
}

void prepare(const struct engine *engine, const char *source, struct prepared *prepared) {
    *prepared = (struct prepared){.result = 0};
    struct model *model;
    prepared->result = open_model(engine->options.folder, &model, source, prepared);
    if (prepared->result != 0)
        return;
    snprintf(prepared->input_name, sizeof prepared->input_name, "%s", model->input_name);
    snprintf(prepared->output_name, sizeof prepared->output_name, "%s", model->output_name);
    prepared->inputs = model->inputs;
    prepared->outputs = model->outputs;
    prepared->hash = model->hash;
    prepared->input = malloc(model->inputs * sizeof(float));
    prepared->output = malloc(model->outputs * sizeof(float));
    if (prepared->input != NULL && prepared->output != NULL) {
        draw_canary(prepared->input, model->inputs);
        prepared->result = model_forward(model, prepared->input, 1, prepared->output);
    } else {
        prepared->result = -ENOMEM;
    }
    if (prepared->result != 0)
        fail(&prepared->failure, prepared->result, "model %s: %s", source, at_strerror(prepared->result));
    else if (!all_finite(prepared->output, prepared->outputs))
        prepared->result = fail(&prepared->failure, -EINVAL,
                                "model %s: what it answers to plain numbers is not finite; train it again", source);
    model_free(model);
}

void forget_prepared(struct prepared *prepared) {
    free(prepared->input);
    free(prepared->output);
    if (prepared->is_file)
        close(prepared->file);
    *prepared = (struct prepared){.result = -ENOENT};
}
