/* cards.c: asks NVML for the cards, and reads CUDA_VISIBLE_DEVICES as CUDA does; see cards.h. */
#include "cards.h"

#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "nvml_calls.h"

/* ---- the library, loaded at the first question, and for good */

#define POINTER(type, name, parameters) type(*name) parameters;
static struct { NVML_CALLS(POINTER) } nvml;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool loaded;               /* written by load_library alone, as the next */
static struct failure not_loaded; /* why, if it is not */

#define FIND(type, name, parameters)                                                                                   \
    if ((*(void **)&nvml.name = dlsym(library, #name)) == NULL) {                                                      \
        fail(&not_loaded, -ENODEV,                                                                                     \
             "the NVIDIA driver is too old: its libnvidia-ml.so.1 has no %s; install a newer one", #name);             \
        return;                                                                                                        \
    }

/* On Windows' Linux it lies where the loader may not look. */
static void load_library(void) {
    char reason[200] = "";
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        snprintf(reason, sizeof reason, "%s", dlerror());
        library = dlopen("/usr/lib/wsl/lib/libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    }
    if (library == NULL) {
        fail(&not_loaded, -ENODEV,
             "no NVIDIA driver: libnvidia-ml.so.1 cannot be loaded (%s); nvidia-smi has to work first", reason);
        return;
    }
    NVML_CALLS(FIND)
    int error = nvml.nvmlInit_v2();
    if (error == NVML_SUCCESS)
        loaded = true;
    else
        fail(&not_loaded, -ENODEV, "the NVIDIA driver does not answer (NVML: %s); nvidia-smi has to work first",
             nvml.nvmlErrorString(error));
}

static bool load(struct failure *failure) {
    pthread_once(&once, load_library);
    if (!loaded)
        fail(failure, -ENODEV, "%s", not_loaded.text);
    return loaded;
}

/* ---- what is known of a card; what a call does not tell stays as it was, empty */

static void describe(nvml_card card, struct card_facts *facts) {
    struct nvml_pci pci;
    struct nvml_memory memory;
    nvml.nvmlDeviceGetUUID(card, facts->uuid, sizeof facts->uuid);
    nvml.nvmlDeviceGetName(card, facts->name, sizeof facts->name);
    if (nvml.nvmlDeviceGetPciInfo_v3(card, &pci) == NVML_SUCCESS)
        snprintf(facts->bus, sizeof facts->bus, "%04x:%02x:%02x.0", pci.domain, pci.bus, pci.device);
    if (nvml.nvmlDeviceGetMemoryInfo(card, &memory) == NVML_SUCCESS)
        facts->memory = memory.total;
    nvml.nvmlDeviceGetCudaComputeCapability(card, &facts->major, &facts->minor);
}

/* All of this machine, in the order of their places on the bus. */
static size_t list_all(struct card_facts cards[CARDS_MOST]) {
    unsigned count = 0;
    size_t known = 0;
    nvml.nvmlDeviceGetCount_v2(&count);
    for (unsigned i = 0; i < count && known < CARDS_MOST; i++) {
        nvml_card card;
        int error = nvml.nvmlDeviceGetHandleByIndex_v2(i, &card);
        if (error == NVML_NO_PERMISSION) /* NVML counts it, CUDA does not */
            continue;
        cards[known] = (struct card_facts){.uuid = ""};
        if (error == NVML_SUCCESS) /* a card that fell off the bus keeps its number */
            describe(card, &cards[known]);
        known++;
    }
    return known;
}

/* ---- CUDA_VISIBLE_DEVICES */

/* The entry at the text, without the blanks around it; false if it is too long to be one. */
static bool copy_entry(const char *text, size_t length, char entry[64]) {
    while (length > 0 && *text == ' ') {
        text++;
        length--;
    }
    while (length > 0 && text[length - 1] == ' ')
        length--;
    if (length >= 64)
        return false;
    memcpy(entry, text, length);
    entry[length] = '\0';
    return true;
}

/* The next entry of a list; false behind the last one, and at one that is too long to mean anything. */
static bool next_entry(const char **list, char entry[64]) {
    if (*list == NULL)
        return false;
    size_t length = strcspn(*list, ",");
    bool fits = copy_entry(*list, length, entry);
    *list = (*list)[length] == ',' ? *list + length + 1 : NULL;
    return fits;
}

/* "1": the number that the entry begins with, as strtol reads it; -1: none. What follows the digits does not count. */
static long number_of(const char *entry) {
    char *end;
    long number = strtol(entry, &end, 10);
    return end == entry || number < 0 ? -1 : number;
}

/* The only card whose UUID begins so; -1: there is none, or more than one. */
static long card_of(const char *prefix, const struct card_facts *all, size_t count) {
    long found = -1;
    for (size_t i = 0; i < count; i++)
        if (strncmp(all[i].uuid, prefix, strlen(prefix)) == 0) {
            if (found >= 0)
                return -1;
            found = (long)i;
        }
    return found;
}

/* A part of a card that was divided (MIG). NVML tells of it what it knows. */
static struct card_facts part_of_card(const char *entry) {
    struct card_facts facts = {.uuid = ""};
    nvml_card card;
    if (nvml.nvmlDeviceGetHandleByUUID(entry, &card) == NVML_SUCCESS)
        describe(card, &facts);
    snprintf(facts.uuid, sizeof facts.uuid, "%s", entry);
    return facts;
}

static bool is_part(const char *entry) {
    return strncmp(entry, "MIG-", 4) == 0;
}

/*
 * The first entry says what all of them are, numbers, UUIDs or parts of cards; one of another kind, or that means no
 * card, ends the list. One that is there twice: no card is visible at all. (CUDA C++ Programming Guide, "CUDA
 * Environment Variables"; of repetitions it says nothing, and PyTorch's torch.cuda takes them so.)
 */
static size_t choose(const char *list, const struct card_facts *all, size_t count,
                     struct card_facts chosen[CARDS_MOST]) {
    bool uuids = strncmp(list, "GPU-", 4) == 0, parts = is_part(list);
    size_t visible = 0;
    char entry[64];
    while (visible < CARDS_MOST && next_entry(&list, entry)) {
        struct card_facts facts;
        if (parts && is_part(entry)) {
            facts = part_of_card(entry);
        } else {
            bool fits = !parts && uuids == (strncmp(entry, "GPU-", 4) == 0);
            long card = !fits ? -1 : uuids ? card_of(entry, all, count) : number_of(entry);
            if (card < 0 || (size_t)card >= count)
                break;
            facts = all[card];
        }
        for (size_t i = 0; i < visible; i++)
            if (facts.uuid[0] != '\0' && strcmp(chosen[i].uuid, facts.uuid) == 0)
                return 0;
        chosen[visible++] = facts;
    }
    return visible;
}

size_t cards_list(struct card_facts cards[CARDS_MOST], struct failure *failure) {
    const char *list = getenv("CUDA_VISIBLE_DEVICES");
    struct card_facts all[CARDS_MOST];
    if (!load(failure))
        return 0;
    size_t count = list_all(list != NULL ? all : cards);
    if (count == 0)
        fail(failure, -ENODEV, "the NVIDIA driver sees no card; nvidia-smi has to list one first");
    if (count == 0 || list == NULL)
        return count;
    size_t visible = choose(list, all, count, cards);
    if (visible == 0)
        fail(failure, -ENODEV,
             "CUDA_VISIBLE_DEVICES=\"%.100s\" shows none of the %zu cards that are here; unset it, or list some of "
             "them, each once (nvidia-smi -L names them)",
             list, count);
    return visible;
}

void cards_driver(char *version, size_t size) {
    if (size > 0)
        version[0] = '\0';
    if (load(NULL) && nvml.nvmlSystemGetDriverVersion(version, (unsigned)size) != NVML_SUCCESS && size > 0)
        version[0] = '\0';
}

/* ---- one worker, one card */

/* "cuda:1:bf16" */
static bool is_card(const char *device, unsigned *number) {
    size_t prefix = strlen("cuda:"), digits = 0;
    if (strncmp(device, "cuda:", prefix) == 0)
        digits = strspn(device + prefix, "0123456789");
    if (digits == 0 || digits > 3)
        return false;
    *number = (unsigned)strtoul(device + prefix, NULL, 10);
    return true;
}

/* What is to be visible: that card alone. Without NVML it is what the list has at that place, or the number itself. */
static bool name_card(unsigned number, char name[64]) {
    struct card_facts cards[CARDS_MOST];
    const char *list = getenv("CUDA_VISIBLE_DEVICES");
    if (load(NULL)) {
        size_t count = cards_list(cards, NULL);
        if (number >= count || cards[number].uuid[0] == '\0')
            return false;
        snprintf(name, 64, "%s", cards[number].uuid);
        return true;
    }
    if (list == NULL) {
        snprintf(name, 64, "%u", number);
        return true;
    }
    bool there = next_entry(&list, name);
    for (unsigned i = 0; i < number && there; i++)
        there = next_entry(&list, name);
    return there && name[0] != '\0';
}

size_t cards_bind(const char *device, at_variable variables[CARD_VARIABLES], char texts[CARD_VARIABLES][96]) {
    static const char *const NAMES[CARD_VARIABLES] = {"CUDA_VISIBLE_DEVICES", CARD_BOUND, "CUDA_DEVICE_ORDER"};
    unsigned number;
    char name[64];
    if (!is_card(device, &number) || !name_card(cards_number_here(number), name))
        return 0;
    snprintf(texts[0], sizeof texts[0], "%s", name);
    snprintf(texts[1], sizeof texts[1], "%u", number);
    snprintf(texts[2], sizeof texts[2], "PCI_BUS_ID");
    /* A number that was taken from a list, and not looked up, means a card in the order that holds for the list. */
    size_t count = !load(NULL) && getenv("CUDA_VISIBLE_DEVICES") != NULL ? CARD_VARIABLES - 1 : CARD_VARIABLES;
    for (size_t i = 0; i < count; i++)
        variables[i] = (at_variable){NAMES[i], texts[i]};
    return count;
}

unsigned cards_number_here(unsigned number) {
    const char *bound = getenv(CARD_BOUND), *list = getenv("CUDA_VISIBLE_DEVICES");
    bool alone = bound != NULL && list != NULL && strchr(list, ',') == NULL;
    return alone && number_of(bound) == (long)number ? 0 : number;
}

/* ---- meters */

bool cards_state(const char *uuid, struct card_state *state) {
    nvml_card card;
    unsigned long long millijoules;
    unsigned milliwatts;
    struct nvml_utilisation utilisation;
    struct nvml_memory memory;
    *state = (struct card_state){NAN, NAN, NAN, NAN};
    if (!load(NULL) || nvml.nvmlDeviceGetHandleByUUID(uuid, &card) != NVML_SUCCESS)
        return false;
    if (nvml.nvmlDeviceGetTotalEnergyConsumption(card, &millijoules) == NVML_SUCCESS)
        state->energy = (double)millijoules / 1000;
    if (nvml.nvmlDeviceGetPowerUsage(card, &milliwatts) == NVML_SUCCESS)
        state->power = (double)milliwatts / 1000;
    if (nvml.nvmlDeviceGetUtilizationRates(card, &utilisation) == NVML_SUCCESS)
        state->utilisation = (double)utilisation.card / 100;
    if (nvml.nvmlDeviceGetMemoryInfo(card, &memory) == NVML_SUCCESS)
        state->memory_used = (double)memory.used;
    return true;
}
