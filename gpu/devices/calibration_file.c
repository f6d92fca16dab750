/* calibration_file.c: the files of calibrated devices: where they are, written, and read with distrust. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calibration.h"

static const char FORMAT[] = "atelier card 1";
static const double LONGEST = 1e7; /* microseconds, as sim.c has it */

/* ---- where they are */

void calibration_folder(char *path, size_t size) {
    const char *told = getenv("AT_CARDS");
    char at[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", at, sizeof at - 16);
    snprintf(path, size, "%s", told != NULL && *told != '\0' ? told : "results/cards");
    if (told != NULL && *told != '\0')
        return;
    at[length < 0 ? 0 : length] = '\0';
    for (char *end; (end = strrchr(at, '/')) != NULL && end > at; *end = '\0') {
        struct stat found;
        snprintf(end, 16, "/results");
        if (stat(at, &found) == 0 && S_ISDIR(found.st_mode)) {
            snprintf(path, size, "%s/cards", at);
            return;
        }
    }
}

static int by_name(const void *a, const void *b) {
    return strcmp(a, b);
}

size_t calibration_list(char *names, size_t size) {
    enum { MOST = 64 };
    char folder[PATH_MAX], found[MOST][CALIBRATION_NAME];
    size_t count = 0, length = 0;
    calibration_folder(folder, sizeof folder);
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries != NULL && count < MOST && (entry = readdir(entries)) != NULL;) {
        char *end = strrchr(entry->d_name, '.');
        if (end == NULL || strcmp(end, ".json") != 0)
            continue;
        *end = '\0';
        if (calibration_is_name(entry->d_name))
            memcpy(found[count++], entry->d_name, strlen(entry->d_name) + 1);
    }
    if (entries != NULL)
        closedir(entries);
    qsort(found, count, sizeof *found, by_name);
    if (size > 0)
        names[0] = '\0';
    for (size_t i = 0; i < count && length < size; i++)
        length += (size_t)snprintf(names + length, size - length, "%s%s", i > 0 ? ", " : "", found[i]);
    return count;
}

/* ---- written */

static json_t *model_as_json(const struct calibrated_model *model) {
    char hash[24];
    json_t *shape = json_array(), *batches = json_array();
    for (size_t i = 0; i <= model->depth; i++)
        json_array_append_new(shape, json_integer(model->shape[i]));
    for (size_t i = 0; i < model->size_count; i++) {
        const struct calibrated_size *one = &model->sizes[i];
        json_array_append_new(batches, json_pack("{s:i, s:i, s:f, s:f, s:f}", "rows", (int)one->rows, "samples",
                                                 (int)one->samples, "median_us", one->median, "q1_us", one->q1, "q3_us",
                                                 one->q3));
    }
    snprintf(hash, sizeof hash, "%016" PRIx64, model->hash);
    return json_pack("{s:s, s:s, s:o, s:f, s:f, s:f, s:o}", "name", model->name, "hash", hash, "shape", shape,
                     "alpha_us", model->alpha, "beta_us", model->beta, "worst_error", model->worst_error, "batches",
                     batches);
}

static int make_folder(const char *folder, struct failure *failure) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", folder);
    for (char *at = path + 1; *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        mkdir(path, 0777); /* what does not come to be is told by the last one */
        *at = '/';
    }
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return fail(failure, -errno, "%s: %s; choose another --output", path, strerror(errno));
    return 0;
}

int calibration_write(const struct calibration *calibration, const char *folder, struct failure *failure) {
    char path[PATH_MAX], part[PATH_MAX];
    int result = make_folder(folder, failure);
    if (result != 0)
        return result;
    if (snprintf(path, sizeof path, "%s/%s.json", folder, calibration->name) >= PATH_MAX ||
        snprintf(part, sizeof part, "%s/%s.json.part", folder, calibration->name) >= PATH_MAX)
        return fail(failure, -ENAMETOOLONG, "%.100s...: the folder's name is too long", folder);
    json_t *models = json_array();
    for (size_t i = 0; i < calibration->count; i++)
        json_array_append_new(models, model_as_json(&calibration->models[i]));
    json_t *document = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "format", FORMAT, "name", calibration->name,
                                 "device", calibration->device, "description", calibration->description, "date",
                                 calibration->date, "commit", calibration->commit, "models", models);
    if (document == NULL)
        return fail(failure, -ENOMEM, "%s: memory is short, or a text is no UTF-8", path);
    bool written =
        json_dump_file(document, part, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0 && rename(part, path) == 0;
    int reason = errno;
    json_decref(document);
    if (!written) {
        unlink(part);
        return fail(failure, reason != 0 ? -reason : -EIO, "%s: %s; choose another --output", path, strerror(reason));
    }
    return 0;
}

/* ---- read */

/* A time in microseconds; negative for what is none. */
static double time_of(const json_t *model, const char *name) {
    const json_t *number = json_object_get(model, name);
    double value = json_is_number(number) ? json_number_value(number) : -1;
    return value >= 0 && value <= LONGEST ? value : -1;
}

static bool read_model(struct calibrated_model *model, const json_t *from) {
    const char *name = json_string_value(json_object_get(from, "name"));
    const char *hash = json_string_value(json_object_get(from, "hash"));
    const json_t *shape = json_object_get(from, "shape");
    size_t widths = json_array_size(shape);
    *model = (struct calibrated_model){.alpha = time_of(from, "alpha_us"), .beta = time_of(from, "beta_us")};
    if (name == NULL || strlen(name) >= sizeof model->name || widths < 2 || widths > MODEL_LAYERS + 1 ||
        model->alpha < 0 || model->beta < 0)
        return false;
    snprintf(model->name, sizeof model->name, "%s", name);
    model->hash = hash != NULL ? strtoull(hash, NULL, 16) : 0;
    model->depth = widths - 1;
    for (size_t i = 0; i < widths; i++) {
        json_int_t width = json_integer_value(json_array_get(shape, i));
        if (width < 1 || width > 1 << 24)
            return false;
        model->shape[i] = (uint32_t)width;
    }
    return true;
}

static void copy_text(char *to, size_t size, const json_t *document, const char *name) {
    const char *text = json_string_value(json_object_get(document, name));
    snprintf(to, size, "%s", text != NULL ? text : "");
}

static int read_document(struct calibration *calibration, const char *name, const json_t *document,
                         struct failure *failure) {
    const char *format = json_string_value(json_object_get(document, "format"));
    const json_t *models = json_object_get(document, "models");
    if (format == NULL || strcmp(format, FORMAT) != 0)
        return fail(failure, -EINVAL, "%s.json does not say \"format\": \"%s\"; calibrate again", name, FORMAT);
    if (json_array_size(models) == 0 || json_array_size(models) > CALIBRATION_MODELS)
        return fail(failure, -EINVAL, "%s.json has no list of 1 to %d models; calibrate again", name,
                    CALIBRATION_MODELS);
    copy_text(calibration->name, sizeof calibration->name, document, "name");
    copy_text(calibration->device, sizeof calibration->device, document, "device");
    copy_text(calibration->description, sizeof calibration->description, document, "description");
    copy_text(calibration->date, sizeof calibration->date, document, "date");
    copy_text(calibration->commit, sizeof calibration->commit, document, "commit");
    for (; calibration->count < json_array_size(models); calibration->count++)
        if (!read_model(&calibration->models[calibration->count], json_array_get(models, calibration->count)))
            return fail(failure, -EINVAL, "%s.json: model %zu lacks its name, shape, alpha_us or beta_us", name,
                        calibration->count);
    return 0;
}

int calibration_read(struct calibration *calibration, const char *name, struct failure *failure) {
    char folder[PATH_MAX - CALIBRATION_NAME - 8], path[PATH_MAX], names[64];
    json_error_t error;
    if (!calibration_is_name(name))
        return fail(failure, -EINVAL, "\"%.30s\" is no card's name, as nvidia-h200-bf16 is", name);
    calibration_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/%s.json", folder, name);
    if (access(path, R_OK) != 0) {
        if (calibration_list(names, sizeof names) == 0)
            return fail(failure, -ENOENT, "no card is calibrated (results/cards); make calibrate measures one");
        return fail(failure, -ENOENT, "no card %s; calibrated are: %s", name, names);
    }
    json_t *document = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (document == NULL)
        return fail(failure, -EINVAL, "%s.json, line %d: %.60s", name, error.line, error.text);
    *calibration = (struct calibration){.count = 0};
    int result = read_document(calibration, name, document, failure);
    json_decref(document);
    return result;
}
