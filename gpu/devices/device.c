/* device.c: finds the kind of device that a text asks for, and passes on to it what is asked of it. */
#include "device.h"

#include <errno.h>
#include <string.h>

static const struct device_kind *const KINDS[] = {
    &cpu_device, &openblas_device, &sim_device, &echo_device, &cuda_device,
};

enum { KIND_COUNT = sizeof KINDS / sizeof *KINDS };

/* "cpu; sim:ALPHA:BETA, in microseconds; echo" */
static void list_kinds(char *list, size_t size) {
    size_t length = 0;
    list[0] = '\0';
    for (size_t i = 0; i < KIND_COUNT && length < size; i++)
        length += (size_t)snprintf(list + length, size - length, "%s%s", i > 0 ? "; " : "", KINDS[i]->syntax);
}

/* The text's kind, or NULL; and what follows its first ':'. */
static const struct device_kind *find_kind(const char *text, const char **parameters) {
    size_t length = strcspn(text, ":");
    *parameters = text + length + (text[length] == ':');
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (strlen(KINDS[i]->name) == length && strncmp(KINDS[i]->name, text, length) == 0)
            return KINDS[i];
    return NULL;
}

static int check_text(const char *text, struct failure *reason) {
    const char *parameters;
    const struct device_kind *kind = find_kind(text, &parameters);
    if (kind == NULL)
        return fail(reason, -EINVAL, "no such device");
    if (strlen(text) >= sizeof((struct device *)NULL)->name)
        return fail(reason, -EINVAL, "longer than %zu characters", sizeof((struct device *)NULL)->name - 1);
    if (parameters > text && *parameters == '\0' && parameters[-1] == ':')
        return fail(reason, -EINVAL, "nothing follows the colon");
    return kind->check(parameters, reason);
}

int device_check(const char *text, struct failure *failure) {
    struct failure reason = {.text = ""};
    int result = check_text(text, &reason);
    if (result == 0)
        return 0;
    char list[200];
    list_kinds(list, sizeof list);
    return fail(failure, result, "device \"%.60s\": %.120s; there are: %s", text, reason.text, list);
}

bool device_is_simulated(const char *text) {
    const char *parameters;
    const struct device_kind *kind = find_kind(text, &parameters);
    return kind != NULL && kind->simulated;
}

int device_open(struct device *device, const char *text, const struct device_options *options,
                struct failure *failure) {
    int result = device_check(text, failure);
    if (result < 0)
        return result;
    if (options->batch < 1 || options->batch > DEVICE_BATCH)
        return fail(failure, -EINVAL, "device \"%s\": batches of %u rows; the most are 1 to %d", text, options->batch,
                    DEVICE_BATCH);
    const char *parameters;
    *device = (struct device){.kind = find_kind(text, &parameters), .options = *options};
    snprintf(device->name, sizeof device->name, "%s", text);
    return device->kind->open(device, parameters, failure);
}

void device_close(struct device *device) {
    if (device->kind->close != NULL) /* a card that was never opened has none */
        device->kind->close(device);
    device->state = NULL;
}

static int check_place(const struct device *device, size_t place, struct failure *failure) {
    if (place < DEVICE_MODELS)
        return 0;
    return fail(failure, -EINVAL, "device \"%s\": place %zu; a device has the places 0 to %d", device->name, place,
                DEVICE_MODELS - 1);
}

int device_load(struct device *device, size_t place, const struct model *model, struct failure *failure) {
    int result = check_place(device, place, failure);
    return result < 0 ? result : device->kind->load(device, place, model, failure);
}

void device_unload(struct device *device, size_t place) {
    if (place < DEVICE_MODELS)
        device->kind->unload(device, place);
}

static int check_batch(const struct device *device, size_t place, const struct part *parts, size_t count,
                       struct failure *failure) {
    uint64_t rows = 0;
    for (size_t i = 0; i < count; i++)
        rows += parts[i].rows;
    if (rows == 0)
        return fail(failure, -EINVAL, "device \"%s\": a batch of no rows", device->name);
    if (rows > device->options.batch)
        return fail(failure, -EINVAL, "device \"%s\": a batch of more than %u rows", device->name,
                    device->options.batch);
    return check_place(device, place, failure);
}

int device_infer(struct device *device, size_t place, const struct part *parts, size_t count, struct failure *failure) {
    int result = check_batch(device, place, parts, count, failure);
    return result < 0 ? result : device->kind->infer(device, place, parts, count, failure);
}

size_t device_lanes(const struct device *device) {
    return device->kind->begin != NULL ? DEVICE_LANES : 1;
}

static int check_lane(const struct device *device, size_t lane, struct failure *failure) {
    if (lane < device_lanes(device))
        return 0;
    return fail(failure, -EINVAL, "device \"%s\": lane %zu; it has %zu", device->name, lane, device_lanes(device));
}

int device_begin(struct device *device, size_t lane, size_t place, const struct part *parts, size_t count,
                 struct failure *failure) {
    int result = check_lane(device, lane, failure);
    if (result == 0)
        result = check_batch(device, place, parts, count, failure);
    if (result < 0)
        return result;
    if (device->kind->begin == NULL)
        return device->kind->infer(device, place, parts, count, failure);
    return device->kind->begin(device, lane, place, parts, count, failure);
}

int device_poll(struct device *device, size_t lane, struct failure *failure) {
    int result = check_lane(device, lane, failure);
    if (result < 0)
        return result;
    return device->kind->poll == NULL ? 1 : device->kind->poll(device, lane, failure);
}

int device_finish(struct device *device, size_t lane, struct failure *failure) {
    int result = check_lane(device, lane, failure);
    if (result < 0 || device->kind->finish == NULL)
        return result;
    return device->kind->finish(device, lane, failure);
}

int device_fault(struct device *device, int error, struct failure *failure) {
    if (device->kind->fault == NULL)
        return fail(failure, -ENOTSUP, "device \"%s\" cannot be broken on purpose", device->name);
    return device->kind->fault(device, error, failure);
}
