/* engine_prepare.c: opens a model: what the front has to know of it, and its file, for workers that start later. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine_internal.h"

/* A row with something of everything, the same each time. */
static void draw_canary(float *row, uint32_t inputs) {
    for (uint32_t i = 0; i < inputs; i++)
        row[i] = (float)(i * 2654435761U >> 8) / (float)(1 << 24);
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

/* Opens a model and the file that it is from, if any, which is kept open. */
static int open_model(const char *folder, struct model **model, const char *source, struct prepared *prepared) {
    char path[PATH_MAX];
    for (int tries = 0; tries < 10; tries++) {
        struct stat before, after;
        model_path(source, folder, path, sizeof path);
        int file = path[0] == '\0' ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        int result = model_open(model, source, folder, &prepared->failure);
        if (result == 0 && file >= 0 &&
            (fstat(file, &before) != 0 || stat(path, &after) != 0 || before.st_ino != after.st_ino)) {
            model_free(*model); /* it has been replaced between the two */
            close(file);
            continue;
        }
        if (result != 0 && file >= 0)
            close(file);
        prepared->is_file = result == 0 && file >= 0;
        prepared->file = file;
        return result;
    }
    return fail(&prepared->failure, -EAGAIN, "model %s: %s is replaced all the time; load it when it is not", source,
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
    model_free(model);
}

void forget_prepared(struct prepared *prepared) {
    free(prepared->input);
    free(prepared->output);
    if (prepared->is_file)
        close(prepared->file);
    *prepared = (struct prepared){.result = -ENOENT};
}
