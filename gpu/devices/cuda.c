/* cuda.c: a graphics card as a device: finds cuda.so, in which all of it is, and passes on what is asked; backend.h. */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cuda/backend.h"
#include "cards.h"
#include "trainer.h"

enum option { PRECISION, WAIT, SLOTS, OPTIONS };

static const struct {
    const char *text;
    enum option option;
} KNOWN[] = {{"fp32", PRECISION}, {"tf32", PRECISION}, {"fp16", PRECISION},
             {"bf16", PRECISION}, {"spin", WAIT},      {"staged", SLOTS}};

/* Which option that is; OPTIONS: none. */
static enum option option_of(const char *text, size_t length) {
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++)
        if (strlen(KNOWN[i].text) == length && strncmp(KNOWN[i].text, text, length) == 0)
            return KNOWN[i].option;
    return OPTIONS;
}

/* "0", "1:bf16", "0:tf32:spin:staged": a card's number, and how it is to compute, and to wait; each said once. */
static int cuda_check(const char *parameters, struct failure *failure) {
    size_t digits = strspn(parameters, "0123456789");
    bool said[OPTIONS] = {false};
    if (digits == 0 || digits > 3 || (parameters[digits] != ':' && parameters[digits] != '\0'))
        return fail(failure, -EINVAL, "a card's number is needed, as in cuda:0");
    if (parameters[0] == '0' && digits > 1)
        return fail(failure, -EINVAL, "a card's number begins with no 0, but for cuda:0");
    for (const char *text = parameters + digits; *text == ':';) {
        size_t length = strcspn(++text, ":");
        enum option option = option_of(text, length);
        if (option == OPTIONS)
            return fail(failure, -EINVAL, "\"%.20s\" is none of fp32, tf32, fp16, bf16, spin, staged", text);
        if (said[option])
            return fail(failure, -EINVAL, "\"%.20s\": that has been said before", text);
        said[option] = true;
        text += length;
    }
    return 0;
}

double device_tolerance(const char *text) {
    return strstr(text, "bf16") != NULL   ? CUDA_TOLERANCE_BF16
           : strstr(text, "fp16") != NULL ? CUDA_TOLERANCE_FP16
           : strstr(text, "tf32") != NULL ? CUDA_TOLERANCE_TF32
                                          : CUDA_TOLERANCE_FP32;
}

/* ---- the library */

static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;
static const struct cuda_backend *loaded; /* for good: CUDA does not like to be unloaded */

/* Where AT_CUDA says; else beside this program; for a program in another folder of the build, in gpu/. */
static int find_library(char path[PATH_MAX], struct failure *failure) {
    static const char *const PLACES[] = {BACKEND_FILE, "../gpu/" BACKEND_FILE};
    const char *told = getenv("AT_CUDA");
    char folder[PATH_MAX];
    ssize_t length = told != NULL ? 0 : readlink("/proc/self/exe", folder, sizeof folder - 1);
    if (length < 0)
        return fail(failure, -ENODEV,
                    "/proc/self/exe cannot be read, so cuda.so is not found; AT_CUDA=PATH says where");
    folder[length] = '\0';
    char *end = strrchr(folder, '/');
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES && told == NULL && end != NULL; i++) {
        int needed = snprintf(path, PATH_MAX, "%.*s%s", (int)(end - folder) + 1, folder, PLACES[i]);
        if (needed < PATH_MAX && access(path, F_OK) == 0)
            return 0;
    }
    if (told != NULL && snprintf(path, PATH_MAX, "%s", told) < PATH_MAX && access(path, F_OK) == 0)
        return 0;
    return fail(failure, -ENODEV,
                "this build has no CUDA (no %.200s): install the CUDA toolkit, which has nvcc, and run make",
                told != NULL ? told : BACKEND_FILE " beside the program");
}

/* CUDA itself puts the fastest card first; NVML, nvidia-smi and we count them along the bus. */
static int load_library(const struct cuda_backend **backend, struct failure *failure) {
    char path[PATH_MAX];
    int result = find_library(path, failure);
    if (result != 0)
        return result;
    setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID", 0);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return fail(failure, -ENODEV, "CUDA cannot be loaded: %.300s", dlerror());
    const struct cuda_backend *found = dlsym(library, BACKEND_SYMBOL);
    if (found == NULL || found->size != sizeof *found || found->device_size != sizeof(struct device)) {
        dlclose(library);
        return fail(failure, -ENODEV, "%.200s was built from other sources than this program; run make", path);
    }
    *backend = found;
    return 0;
}

static int load_backend(const struct cuda_backend **backend, struct failure *failure) {
    pthread_mutex_lock(&loading);
    int result = loaded != NULL ? 0 : load_library(&loaded, failure);
    *backend = loaded;
    pthread_mutex_unlock(&loading);
    return result;
}

int cuda_trainer_kind(const struct trainer_kind **kind, struct failure *failure) {
    const struct cuda_backend *backend;
    int result = load_backend(&backend, failure);
    if (result == 0)
        *kind = backend->trainer;
    return result;
}

/* ---- the device */

/*
 * From here on the device is the library's: this kind is put in place of the one that looked for it. A worker process
 * was told its card before it began and sees no other (cards_bind); there that card's number is 0.
 */
static int cuda_open(struct device *device, const char *parameters, struct failure *failure) {
    const struct cuda_backend *backend;
    struct failure reason;
    int result = load_backend(&backend, &reason);
    if (result != 0)
        return fail(failure, result, "device \"%s\": %s", device->name, reason.text);
    char own[sizeof device->name];
    const char *bound = getenv(CARD_BOUND);
    unsigned number = (unsigned)strtoul(parameters, NULL, 10);
    if (bound != NULL && (unsigned)strtoul(bound, NULL, 10) != number)
        return fail(failure, -ENODEV, "device \"%s\": this process sees only card %.10s (" CARD_BOUND ")", device->name,
                    bound);
    snprintf(own, sizeof own, "%u%s", cards_number_here(number), parameters + strspn(parameters, "0123456789"));
    device->kind = &backend->device;
    return backend->device.open(device, own, failure);
}

int cuda_device_time(struct device *device, size_t place, uint32_t rows, enum card_time what, uint32_t side, double *ns,
                     struct failure *failure) {
    const struct cuda_backend *backend;
    int result = load_backend(&backend, failure);
    if (result == 0 && device->kind != &backend->device)
        result = fail(failure, -ENOTSUP, "device \"%s\" is no card", device->name);
    return result == 0 ? backend->time(device, place, rows, what, side, ns, failure) : result;
}

const struct device_kind cuda_device = {
    .name = "cuda",
    .syntax = "cuda:CARD[:fp32|tf32|fp16|bf16][:spin][:staged]",
    .check = cuda_check,
    .open = cuda_open,
};
