/* properties.c: which cards there are, what they are, and which one a thread has chosen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card.h"

enum { MULTIPROCESSORS = 132, SHARED_MOST = 227 << 10, SHARED_PLAIN = 48 << 10 };

static bool known;
static int machine_cards, visible_count, visible[CARDS_MOST];
static uint64_t memory = (uint64_t)1 << 30;
static __thread int chosen;
static __thread bool called_back;

/* ---- which there are */

static void uuid_text(int card, char text[48]) {
    snprintf(text, 48, "GPU-00000000-0000-4000-8000-%012x", (unsigned)card);
}

/* A number, or the beginning of a UUID that only one has; -1 for anything else. */
static int card_called(const char *name, size_t length) {
    int found = -1;
    char *end;
    long number = strtol(name, &end, 10);
    if (length > 0 && end == name + length)
        return number >= 0 && number < machine_cards ? (int)number : -1;
    for (int card = 0; card < machine_cards && length > 4; card++) {
        char text[48];
        uuid_text(card, text);
        if (strncmp(text, name, length) == 0 && found >= 0)
            return -1;
        if (strncmp(text, name, length) == 0)
            found = card;
    }
    return found;
}

/* As CUDA does: up to the first that is none; none at all where one is named twice. */
static void look_around(void) {
    const char *cards = getenv("EMULATED_CARDS"), *bytes = getenv("EMULATED_MEMORY");
    const char *names = getenv("CUDA_VISIBLE_DEVICES");
    if (known)
        return;
    known = true;
    machine_cards = cards != NULL ? atoi(cards) : 1;
    if (machine_cards < 0 || machine_cards > CARDS_MOST)
        card_abort("EMULATED_CARDS is 0 to %d", CARDS_MOST);
    if (bytes != NULL)
        memory = strtoull(bytes, NULL, 10);
    for (int card = 0; names == NULL && card < machine_cards; card++)
        visible[visible_count++] = card;
    while (names != NULL) {
        size_t length = strcspn(names, ",");
        int card = card_called(names, length);
        if (card < 0)
            break;
        for (int i = 0; i < visible_count; i++)
            if (visible[i] == card) {
                visible_count = 0;
                return;
            }
        visible[visible_count++] = card;
        names = names[length] == ',' ? names + length + 1 : NULL;
    }
}

int cards_visible(void) {
    look_around();
    return visible_count;
}

int cards_physical(int device) {
    return visible[device];
}

uint64_t cards_memory(void) {
    return memory;
}

cudaError_t cards_state(void) {
    look_around();
    if (machine_cards == 0)
        return cudaErrorInsufficientDriver;
    return visible_count == 0 ? cudaErrorNoDevice : cudaSuccess;
}

/* ---- which one is chosen */

int card_now(void) {
    return chosen;
}

bool *thread_called_back(void) {
    return &called_back;
}

static cudaError_t count_cards(int *count) {
    if (count == NULL)
        return cudaErrorInvalidValue;
    *count = cards_visible();
    return cudaSuccess;
}

/* Without a driver the count is left as it is. */
cudaError_t cudaGetDeviceCount(int *count) {
    cudaError_t error = CALL(count_cards(count));
    if (error == cudaErrorNoDevice && count != NULL)
        *count = 0;
    return error;
}

static bool is_card(int device) {
    return device >= 0 && device < cards_visible();
}

static cudaError_t choose(int device) {
    if (!is_card(device))
        return cudaErrorInvalidDevice;
    chosen = device;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
    return CALL(choose(device));
}

cudaError_t cudaInitDevice(int device, unsigned flags, unsigned more) {
    (void)flags, (void)more;
    return CALL(is_card(device) ? cudaSuccess : cudaErrorInvalidDevice);
}

static cudaError_t tell(int *to, int value) {
    if (to == NULL)
        return cudaErrorInvalidValue;
    *to = value;
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int *device) {
    return CALL(tell(device, chosen));
}

cudaError_t cudaSetDeviceFlags(unsigned flags) {
    return CALL((flags & ~31u) != 0 ? cudaErrorInvalidValue : cudaSuccess);
}

static cudaError_t reset(void) {
    cudaError_t error = work_wait_device(chosen);
    graphs_reset(chosen);
    events_reset(chosen);
    streams_reset(chosen);
    memory_reset(chosen);
    return error;
}

cudaError_t cudaDeviceReset(void) {
    return GIVE_BACK(reset());
}

/* ---- what they are */

static cudaError_t describe(struct cudaDeviceProp *facts, int device) {
    if (facts == NULL || !is_card(device))
        return facts == NULL ? cudaErrorInvalidValue : cudaErrorInvalidDevice;
    int card = visible[device];
    *facts = (struct cudaDeviceProp){
        .name = "Emulated card",
        .totalGlobalMem = memory,
        .sharedMemPerBlock = SHARED_PLAIN,
        .regsPerBlock = 65536,
        .warpSize = 32,
        .memPitch = 2147483647,
        .maxThreadsPerBlock = 1024,
        .maxThreadsDim = {1024, 1024, 64},
        .maxGridSize = {2147483647, 65535, 65535},
        .totalConstMem = 65536,
        .major = 9,
        .multiProcessorCount = MULTIPROCESSORS,
        .canMapHostMemory = 1,
        .concurrentKernels = 1,
        .pciBusID = card + 1,
        .asyncEngineCount = 3,
        .unifiedAddressing = 1,
        .memoryBusWidth = 4096,
        .l2CacheSize = 50 << 20,
        .maxThreadsPerMultiProcessor = 2048,
        .streamPrioritiesSupported = 1,
        .sharedMemPerMultiprocessor = 228 << 10,
        .regsPerMultiprocessor = 65536,
        .canUseHostPointerForRegisteredMem = 1,
        .sharedMemPerBlockOptin = SHARED_MOST,
        .maxBlocksPerMultiProcessor = 32,
        .reservedSharedMemPerBlock = 1024,
        .hostRegisterSupported = 1,
        .textureAlignment = 512,
    };
    const unsigned char uuid[16] = {0, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, (unsigned char)card};
    memcpy(facts->uuid.bytes, uuid, sizeof uuid);
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *facts, int device) {
    return CALL(describe(facts, device));
}

static cudaError_t attribute(int *value, enum cudaDeviceAttr asked, int device) {
    struct cudaDeviceProp facts;
    if (value == NULL || !is_card(device))
        return value == NULL ? cudaErrorInvalidValue : cudaErrorInvalidDevice;
    describe(&facts, device);
    const struct {
        enum cudaDeviceAttr name;
        int value;
    } values[] = {
        {cudaDevAttrMaxThreadsPerBlock, facts.maxThreadsPerBlock},
        {cudaDevAttrMaxBlockDimX, facts.maxThreadsDim[0]},
        {cudaDevAttrMaxBlockDimY, facts.maxThreadsDim[1]},
        {cudaDevAttrMaxBlockDimZ, facts.maxThreadsDim[2]},
        {cudaDevAttrMaxGridDimX, facts.maxGridSize[0]},
        {cudaDevAttrMaxGridDimY, facts.maxGridSize[1]},
        {cudaDevAttrMaxGridDimZ, facts.maxGridSize[2]},
        {cudaDevAttrMaxSharedMemoryPerBlock, SHARED_PLAIN},
        {cudaDevAttrMaxSharedMemoryPerBlockOptin, SHARED_MOST},
        {cudaDevAttrMaxSharedMemoryPerMultiprocessor, (int)facts.sharedMemPerMultiprocessor},
        {cudaDevAttrWarpSize, facts.warpSize},
        {cudaDevAttrMaxRegistersPerBlock, facts.regsPerBlock},
        {cudaDevAttrMaxRegistersPerMultiprocessor, facts.regsPerMultiprocessor},
        {cudaDevAttrMaxThreadsPerMultiProcessor, facts.maxThreadsPerMultiProcessor},
        {cudaDevAttrMaxBlocksPerMultiprocessor, facts.maxBlocksPerMultiProcessor},
        {cudaDevAttrMultiProcessorCount, MULTIPROCESSORS},
        {cudaDevAttrClockRate, 1000000},       /* kHz: a round number, since there is no clock */
        {cudaDevAttrMemoryClockRate, 1000000}, /* kHz */
        {cudaDevAttrGlobalMemoryBusWidth, facts.memoryBusWidth},
        {cudaDevAttrL2CacheSize, facts.l2CacheSize},
        {cudaDevAttrComputeCapabilityMajor, facts.major},
        {cudaDevAttrComputeCapabilityMinor, facts.minor},
        {cudaDevAttrPciBusId, facts.pciBusID},
        {cudaDevAttrCanMapHostMemory, 1},
        {cudaDevAttrConcurrentKernels, 1},
        {cudaDevAttrAsyncEngineCount, facts.asyncEngineCount},
        {cudaDevAttrUnifiedAddressing, 1},
        {cudaDevAttrStreamPrioritiesSupported, 1},
        {cudaDevAttrCanUseHostPointerForRegisteredMem, 1},
        {cudaDevAttrHostRegisterSupported, 1},
    };
    *value = 0; /* what is not in the table it has not */
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (values[i].name == asked)
            *value = values[i].value;
    return asked >= cudaDevAttrMaxThreadsPerBlock && asked < cudaDevAttrMax ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr asked, int device) {
    return CALL(attribute(value, asked, device));
}

static cudaError_t bus_id(char *text, int length, int device) {
    if (text == NULL || length < 13 || !is_card(device))
        return text == NULL || length < 13 ? cudaErrorInvalidValue : cudaErrorInvalidDevice;
    snprintf(text, (size_t)length, "0000:%02X:00.0", (unsigned)visible[device] + 1);
    return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char *text, int length, int device) {
    return CALL(bus_id(text, length, device));
}

/* The driver's: 0 where there is none. Neither needs a card. */
cudaError_t cudaDriverGetVersion(int *version) {
    emulated_call(__func__);
    look_around();
    return tell(version, machine_cards == 0 ? 0 : CUDART_VERSION);
}

cudaError_t cudaRuntimeGetVersion(int *version) {
    emulated_call(__func__);
    return tell(version, CUDART_VERSION);
}
