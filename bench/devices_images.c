/* devices_images.c: the images that every mode is shown, and whether what it answers is right. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"
#include "devices.h"
#include "digits.h"
#include "serving.h"

/* So many answers are compared with the reference itself. */
enum { REFERENCES = 16 };

/* ---- what the answers should be */

static bool infer_all(struct images *images, const char *text, struct failure *failure) {
    struct device device;
    if (device_open(&device, text, &(struct device_options){.batch = CORE_BATCH}, failure) != 0)
        return false;
    bool right = device_load(&device, 0, images->model, failure) == 0;
    for (size_t done = 0; done < images->images && right; done += CORE_BATCH) {
        size_t left = images->images - done;
        struct part part = {.input = region.inputs + done * DIGIT_PIXELS,
                            .output = images->expected + done * IMAGES_OUTPUTS,
                            .rows = (uint32_t)(left < CORE_BATCH ? left : CORE_BATCH)};
        right = device_infer(&device, 0, &part, 1, failure) == 0;
    }
    device_close(&device);
    return right;
}

/*
 * The reference itself would take ten seconds. OpenBLAS shares no code with what is measured; some of its answers are
 * compared with the reference's.
 */
static bool expect(struct images *images, struct failure *failure) {
    if (!infer_all(images, "openblas", failure))
        return false;
    size_t step = images->images / REFERENCES;
    for (size_t image = 0; image < images->images; image += step) {
        float answer[IMAGES_OUTPUTS];
        if (model_forward(images->model, region.inputs + image * DIGIT_PIXELS, 1, answer) != 0)
            return fail(failure, -ENOMEM, "memory is short for the reference") == 0;
        for (size_t i = 0; i < IMAGES_OUTPUTS; i++)
            if (!(fabsf(answer[i] - images->expected[image * IMAGES_OUTPUTS + i]) <= 1e-4F))
                return fail(failure, -EINVAL, "OpenBLAS and the reference differ at image %zu", image) == 0;
        if (images->model->width > 1024 && image > 0) /* 30 ms each */
            break;
    }
    return true;
}

/* "digits: 784-512-512-10". */
static void set_title(struct workload *workload, const struct model *model) {
    static char titles[IMAGES_MODELS][96];
    char *title = titles[workload->variant];
    int length = snprintf(title, sizeof titles[0], "%.40s: %u", workload->name, model->inputs);
    for (size_t i = 0; i < model->depth && length < (int)sizeof titles[0]; i++)
        length += snprintf(title + length, sizeof titles[0] - (size_t)length, "-%u", model->layers[i].outputs);
    workload->title = title;
}

static bool prepare(struct workload *workload) {
    struct images *images = &images_of[workload->variant];
    static char reasons[IMAGES_MODELS][sizeof((struct failure *)NULL)->text];
    struct failure failure;
    images->expected = need(images->images * IMAGES_OUTPUTS, sizeof *images->expected);
    workload->units = (double)images->images;
    workload->tasks = (images->images + images->batch - 1) / images->batch;
    images->rows = images->images;
    if (model_open(&images->model, images->source, models_folder(), &failure) == 0) {
        set_title(workload, images->model);
        if (images->model->inputs != DIGIT_PIXELS || images->model->outputs != IMAGES_OUTPUTS)
            fail(&failure, -EINVAL, "the model \"%s\" has %u inputs and %u outputs, and not %d and %d",
                 images->model->name, images->model->inputs, images->model->outputs, DIGIT_PIXELS, IMAGES_OUTPUTS);
        else if (expect(images, &failure))
            return true;
    }
    snprintf(reasons[workload->variant], sizeof reasons[0], "%s", failure.text);
    workload->missing = reasons[workload->variant];
    return false;
}

static void finish(struct workload *workload) {
    struct images *images = &images_of[workload->variant];
    model_free(images->model);
    free(images->expected);
    images->model = NULL;
    images->expected = NULL;
}

/* ---- a run */

/* What no answer has: a row that nobody wrote is found. */
static void reset(const struct workload *workload) {
    size_t count = images_of[workload->variant].rows * IMAGES_OUTPUTS;
    for (size_t i = 0; i < count; i++)
        region.outputs[i] = NAN;
}

/* The place of the greatest number; IMAGES_OUTPUTS if one is none. */
static size_t label_of(const float *answer) {
    size_t best = 0;
    for (size_t i = 0; i < IMAGES_OUTPUTS; i++) {
        if (isnan(answer[i]))
            return IMAGES_OUTPUTS;
        best = answer[i] > answer[best] ? i : best;
    }
    return best;
}

static bool is_right(const struct images *images, size_t image, const float *answer) {
    const float *input = region.inputs + image * DIGIT_PIXELS, *expected = images->expected + image * IMAGES_OUTPUTS;
    if (images->echoes)
        return memcmp(answer, input, IMAGES_OUTPUTS * sizeof *answer) == 0;
    size_t label = label_of(answer);
    return label < IMAGES_OUTPUTS && (double)(expected[label_of(expected)] - expected[label]) <= images->tolerance;
}

static bool check(const struct workload *workload, char wrong[WRONG_SIZE]) {
    const struct images *images = &images_of[workload->variant];
    for (size_t row = 0; row < images->rows; row++) {
        const float *answer = region.outputs + row * IMAGES_OUTPUTS;
        if (is_right(images, row % images->images, answer))
            continue;
        if (images->echoes)
            snprintf(wrong, WRONG_SIZE, "image %zu: the answer is not its input", row);
        else if (label_of(answer) == IMAGES_OUTPUTS)
            snprintf(wrong, WRONG_SIZE, "image %zu: no answer", row);
        else
            snprintf(wrong, WRONG_SIZE, "image %zu: a %zu is read as %zu", row,
                     label_of(images->expected + row % images->images * IMAGES_OUTPUTS), label_of(answer));
        return false;
    }
    return true;
}

/* ---- on cores */

/* A device for each thread: it has memory of its own for what lies between the layers. Forked processes have copies. */
static struct device cores[MOST_WORKERS];
static size_t cores_ready;

static int open_core(void *arg) {
    struct device *core = *(struct device **)arg;
    struct failure failure;
    at_check(device_open(core, "cpu", &(struct device_options){.batch = CORE_BATCH}, &failure));
    for (size_t i = 0; i < IMAGES_MODELS; i++)
        if (images_of[i].model != NULL)
            at_check(device_load(core, i, images_of[i].model, &failure));
    return 0;
}

/* All at once: a copy of the weights takes a while. */
void cores_open(size_t workers) {
    at_thread *threads[MOST_WORKERS];
    for (size_t i = cores_ready; i < workers; i++) {
        struct device *core = &cores[i];
        threads[i] = at_thread_new(.target = open_core, AT_COPY(core));
        at_check(at_thread_start(threads[i]));
    }
    for (; cores_ready < workers; cores_ready++) {
        at_check(at_thread_join(threads[cores_ready], AT_FOREVER));
        at_thread_free(threads[cores_ready]);
    }
}

void one_core_open(size_t workers) {
    (void)workers;
    cores_open(1);
}

/* A batch. */
static void task(const struct workload *workload, size_t task, size_t worker) {
    const struct images *images = &images_of[workload->variant];
    struct part parts[DEVICE_BATCH];
    struct failure failure;
    size_t first = task * images->batch, end = first + images->batch;
    end = end < images->images ? end : images->images;
    size_t count = images_parts(&region, images->model, images->images, first, end, parts);
    if (device_infer(&cores[worker % cores_ready], (size_t)workload->variant, parts, count, &failure) != 0)
        note("bench: %s: %s", workload->name, failure.text); /* and the missing answers are found */
}

#define SHOWN .unit = "images", .prepare = prepare, .reset = reset, .task = task, .check = check, .finish = finish

struct images images_of[IMAGES_MODELS] = {
    {.workload = {.name = "digits", .title = "digits", .variant = 0, SHOWN}, .source = "digits", .tolerance = 1e-3},
    {.workload = {.name = "wide", .title = "wide", .variant = 1, SHOWN}, .source = "wide", .tolerance = 1e-3},
};
