/* model.c: finds a model by its name, or makes it, and gives it back. */
#include "model.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "model_internal.h"

static const char ENDING[] = ".safetensors", WIDE[] = "wide";

static bool is_wide(const char *source) {
    size_t length = strlen(WIDE);
    return strncmp(source, WIDE, length) == 0 && (source[length] == '\0' || source[length] == ':');
}

static bool ends_so(const char *name) {
    size_t length = strlen(name), tail = strlen(ENDING);
    return length > tail && strcmp(name + length - tail, ENDING) == 0;
}

/* The part of a source that is the model's name. */
static const char *name_in(const char *source, size_t *length) {
    const char *slash = strrchr(source, '/');
    const char *begin = slash != NULL ? slash + 1 : source;
    *length = strlen(begin);
    if (is_wide(source))
        *length = strlen(WIDE);
    else if (slash != NULL && ends_so(begin))
        *length -= strlen(ENDING);
    return begin;
}

void model_name_of(const char *source, char name[MODEL_NAME]) {
    size_t length;
    const char *begin = name_in(source, &length);
    snprintf(name, MODEL_NAME, "%.*s", (int)(length < MODEL_NAME ? length : MODEL_NAME - 1), begin);
}

/* Names stand in addresses and in answers. */
static bool is_name(const char *begin, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (!isgraph((unsigned char)begin[i]))
            return false;
    return length > 0 && length < MODEL_NAME;
}

static bool has_good_name(const char *source) {
    size_t length;
    const char *begin = name_in(source, &length);
    return is_wide(source) || is_name(begin, length);
}

static int open_file(struct made_model *made, const char *source, const char *folder, struct failure *failure) {
    char path[PATH_MAX];
    int length = strchr(source, '/') != NULL ? snprintf(path, sizeof path, "%s", source)
                                             : snprintf(path, sizeof path, "%s/%s%s", folder, source, ENDING);
    if ((size_t)length >= sizeof path)
        return fail(failure, -EINVAL, "model \"%.80s...\": too long for a path; move it nearer to the root", source);
    struct failure reason = {""};
    int result = safetensors_open(&made->file, path, &reason);
    if (result == -ENOENT)
        return fail(failure, result, "model \"%.80s\": there is no %.200s; train it (make model), or serve \"wide\"",
                    source, path);
    if (result != 0)
        return fail(failure, result, "%s", reason.text);
    return model_from_tensors(made, failure);
}

int model_open(struct model **model, const char *source, const char *folder, struct failure *failure) {
    if (!has_good_name(source))
        return fail(
            failure, -EINVAL,
            "a model's name is 1 to %d printable ASCII characters without a blank; give another, or the path of "
            "a safetensors file",
            MODEL_NAME - 1);
    struct made_model *made = calloc(1, sizeof *made);
    if (made == NULL)
        return fail(failure, -ENOMEM, "model \"%.80s\": not enough memory", source);
    model_name_of(source, made->model.name);
    strcpy(made->model.input_name, "input");
    strcpy(made->model.output_name, "output");
    int result = is_wide(source) ? model_make_wide(made, source, failure) : open_file(made, source, folder, failure);
    if (result != 0)
        model_free(&made->model);
    else
        *model = &made->model;
    return result;
}

void model_free(struct model *model) {
    struct made_model *made = (struct made_model *)model;
    if (made == NULL)
        return;
    safetensors_close(made->file);
    free(made->numbers);
    free(made);
}

/* ---- The list */

/* A folder's entries whose names could be a model's; "wide" is made, whatever lies there. */
static int is_listed(const struct dirent *entry) {
    size_t length = strlen(entry->d_name) - strlen(ENDING);
    return ends_so(entry->d_name) && is_name(entry->d_name, length) &&
           (length != strlen(WIDE) || strncmp(entry->d_name, WIDE, length) != 0) && !is_wide(entry->d_name);
}

static int by_text(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* The array, and behind it the texts. */
static char **list_of(struct dirent **entries, size_t count) {
    char **list = malloc((count + 2) * sizeof *list + (count + 1) * MODEL_NAME);
    if (list == NULL)
        return NULL;
    char *text = (char *)(list + count + 2);
    for (size_t i = 0; i <= count; i++, text += MODEL_NAME) {
        list[i] = text;
        if (i == count)
            strcpy(text, WIDE);
        else
            snprintf(text, MODEL_NAME, "%.*s", (int)(strlen(entries[i]->d_name) - strlen(ENDING)), entries[i]->d_name);
    }
    qsort(list, count + 1, sizeof *list, by_text);
    list[count + 1] = NULL;
    return list;
}

char **model_list(const char *folder) {
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_listed, NULL);
    if (count < 0 && errno == ENOMEM)
        return NULL;
    char **list = list_of(entries, count > 0 ? (size_t)count : 0);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    return list;
}
