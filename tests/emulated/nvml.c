/* nvml.c: the library that knows the cards of this machine, without cards: see emulated.h. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nvml_calls.h"

#define DECLARE(type, name, parameters) __attribute__((visibility("default"))) type name parameters;
NVML_CALLS(DECLARE)
DECLARE(int, nvmlShutdown, (void))

/* ---- the cards */

enum { MOST = 64, WATTS = 100 };
static struct nvml_card { char unused; } cards[MOST];
static atomic_uint users, count;

/* EMULATED_NVML says what it does not tell: the meters, or, as where a container has not all cards, the first card. */
static bool is_set(const char *what) {
    const char *text = getenv("EMULATED_NVML");
    return text != NULL && strcmp(text, what) == 0;
}

int nvmlInit_v2(void) {
    const char *text = getenv("EMULATED_CARDS");
    unsigned long wanted = text != NULL ? strtoul(text, NULL, 10) : 1;
    if (wanted == 0)
        return NVML_DRIVER_NOT_LOADED;
    atomic_store(&count, (unsigned)(wanted < MOST ? wanted : MOST));
    atomic_fetch_add(&users, 1);
    return NVML_SUCCESS;
}

int nvmlShutdown(void) {
    if (atomic_load(&users) == 0)
        return NVML_UNINITIALIZED;
    atomic_fetch_sub(&users, 1);
    return NVML_SUCCESS;
}

const char *nvmlErrorString(int error) {
    switch (error) {
    case NVML_SUCCESS:
        return "Success";
    case NVML_UNINITIALIZED:
        return "Uninitialized";
    case NVML_INVALID_ARGUMENT:
        return "Invalid Argument";
    case NVML_NOT_SUPPORTED:
        return "Not Supported";
    case NVML_NOT_FOUND:
        return "Not Found";
    case NVML_INSUFFICIENT_SIZE:
        return "Insufficient Size";
    case NVML_DRIVER_NOT_LOADED:
        return "Driver Not Loaded";
    default:
        return "Unknown Error";
    }
}

static int answer(char *to, unsigned size, const char *text) {
    if (to == NULL)
        return NVML_INVALID_ARGUMENT;
    return (size_t)snprintf(to, size, "%s", text) < size ? NVML_SUCCESS : NVML_INSUFFICIENT_SIZE;
}

int nvmlSystemGetDriverVersion(char *to, unsigned size) {
    return atomic_load(&users) == 0 ? NVML_UNINITIALIZED : answer(to, size, "580.65.06");
}

int nvmlDeviceGetCount_v2(unsigned *to) {
    if (atomic_load(&users) == 0)
        return NVML_UNINITIALIZED;
    if (to == NULL)
        return NVML_INVALID_ARGUMENT;
    *to = atomic_load(&count);
    return NVML_SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, nvml_card *card) {
    if (atomic_load(&users) == 0)
        return NVML_UNINITIALIZED;
    if (card == NULL || index >= atomic_load(&count))
        return NVML_INVALID_ARGUMENT;
    *card = &cards[index];
    return index == 0 && is_set("denied") ? NVML_NO_PERMISSION : NVML_SUCCESS;
}

/* Whether a call with this handle can be answered at all. */
static int check(nvml_card card, const void *to) {
    if (atomic_load(&users) == 0)
        return NVML_UNINITIALIZED;
    return card == NULL || card < cards || card >= cards + MOST || to == NULL ? NVML_INVALID_ARGUMENT : NVML_SUCCESS;
}

static unsigned number_of(nvml_card card) {
    return (unsigned)(card - cards);
}

static void write_uuid(char uuid[64], unsigned index) {
    snprintf(uuid, 64, "GPU-00000000-0000-4000-8000-%012x", index);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, nvml_card *card) {
    if (atomic_load(&users) == 0)
        return NVML_UNINITIALIZED;
    if (uuid == NULL || card == NULL)
        return NVML_INVALID_ARGUMENT;
    for (unsigned i = 0; i < atomic_load(&count); i++) {
        char own[64];
        write_uuid(own, i);
        if (strcmp(own, uuid) == 0)
            return nvmlDeviceGetHandleByIndex_v2(i, card);
    }
    return NVML_NOT_FOUND;
}

/* ---- what is known of each */

int nvmlDeviceGetUUID(nvml_card card, char *to, unsigned size) {
    char uuid[64];
    int error = check(card, to);
    if (error != NVML_SUCCESS)
        return error;
    write_uuid(uuid, number_of(card));
    return answer(to, size, uuid);
}

int nvmlDeviceGetName(nvml_card card, char *to, unsigned size) {
    int error = check(card, to);
    return error != NVML_SUCCESS ? error : answer(to, size, "Emulated card");
}

int nvmlDeviceGetPciInfo_v3(nvml_card card, struct nvml_pci *pci) {
    int error = check(card, pci);
    if (error != NVML_SUCCESS)
        return error;
    *pci = (struct nvml_pci){.bus = number_of(card) + 1};
    snprintf(pci->id, sizeof pci->id, "00000000:%02X:00.0", pci->bus);
    snprintf(pci->legacy, sizeof pci->legacy, "0000:%02X:00.0", pci->bus & 0xff);
    return NVML_SUCCESS;
}

int nvmlDeviceGetMemoryInfo(nvml_card card, struct nvml_memory *memory) {
    const char *text = getenv("EMULATED_MEMORY");
    int error = check(card, memory);
    if (error != NVML_SUCCESS)
        return error;
    memory->total = text != NULL ? strtoull(text, NULL, 10) : 1ull << 30;
    memory->used = memory->total / 4;
    memory->free = memory->total - memory->used;
    return NVML_SUCCESS;
}

int nvmlDeviceGetCudaComputeCapability(nvml_card card, int *major, int *minor) {
    int error = check(card, major);
    if (error != NVML_SUCCESS || minor == NULL)
        return error != NVML_SUCCESS ? error : NVML_INVALID_ARGUMENT;
    *major = 9;
    *minor = 0;
    return NVML_SUCCESS;
}

static int check_meter(nvml_card card, const void *to) {
    int error = check(card, to);
    return error == NVML_SUCCESS && is_set("unknown") ? NVML_NOT_SUPPORTED : error;
}

/* Made up, so that there is something to be read: as if it took the same power all the time. */
int nvmlDeviceGetTotalEnergyConsumption(nvml_card card, unsigned long long *millijoules) {
    struct timespec now;
    int error = check_meter(card, millijoules);
    if (error != NVML_SUCCESS)
        return error;
    clock_gettime(CLOCK_MONOTONIC, &now);
    *millijoules = WATTS * (1000 * (unsigned long long)now.tv_sec + (unsigned long long)now.tv_nsec / 1000000);
    return NVML_SUCCESS;
}

int nvmlDeviceGetPowerUsage(nvml_card card, unsigned *milliwatts) {
    int error = check_meter(card, milliwatts);
    if (error == NVML_SUCCESS)
        *milliwatts = 1000 * WATTS;
    return error;
}

int nvmlDeviceGetUtilizationRates(nvml_card card, struct nvml_utilisation *utilisation) {
    int error = check_meter(card, utilisation);
    if (error == NVML_SUCCESS)
        *utilisation = (struct nvml_utilisation){.card = 50, .memory = 25};
    return error;
}
