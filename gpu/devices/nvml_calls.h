/* nvml_calls.h: what is used of NVML, the driver's own library, which is there wherever nvidia-smi works. */
#ifndef GPU_NVML_CALLS_H
#define GPU_NVML_CALLS_H

/*
 * The driver brings the library, and the toolkit need not bring its header: so the calls are declared here, as NVIDIA's
 * NVML API Reference gives them. All but the sentence answer one of these numbers.
 */
enum {
    NVML_SUCCESS = 0,
    NVML_UNINITIALIZED = 1,
    NVML_INVALID_ARGUMENT = 2,
    NVML_NOT_SUPPORTED = 3,
    NVML_NO_PERMISSION = 4,
    NVML_NOT_FOUND = 6,
    NVML_INSUFFICIENT_SIZE = 7,
    NVML_DRIVER_NOT_LOADED = 9,
};

typedef struct nvml_card *nvml_card;

struct nvml_memory {
    unsigned long long total, free, used; /* bytes */
};

struct nvml_pci {
    char legacy[16]; /* "0000:0A:00.0" */
    unsigned domain, bus, device, device_id, subsystem_id;
    char id[32]; /* "00000000:0A:00.0" */
};

struct nvml_utilisation {
    unsigned card, memory; /* percent */
};

/* CALL(what it answers, its name, its parameters) */
#define NVML_CALLS(CALL)                                                                                               \
    CALL(int, nvmlInit_v2, (void))                                                                                     \
    CALL(const char *, nvmlErrorString, (int error))                                                                   \
    CALL(int, nvmlSystemGetDriverVersion, (char *to, unsigned size))                                                   \
    CALL(int, nvmlDeviceGetCount_v2, (unsigned *count))                                                                \
    CALL(int, nvmlDeviceGetHandleByIndex_v2, (unsigned index, nvml_card *card))                                        \
    CALL(int, nvmlDeviceGetHandleByUUID, (const char *uuid, nvml_card *card))                                          \
    CALL(int, nvmlDeviceGetUUID, (nvml_card card, char *to, unsigned size))                                            \
    CALL(int, nvmlDeviceGetName, (nvml_card card, char *to, unsigned size))                                            \
    CALL(int, nvmlDeviceGetPciInfo_v3, (nvml_card card, struct nvml_pci * pci))                                        \
    CALL(int, nvmlDeviceGetMemoryInfo, (nvml_card card, struct nvml_memory * memory))                                  \
    CALL(int, nvmlDeviceGetCudaComputeCapability, (nvml_card card, int *major, int *minor))                            \
    CALL(int, nvmlDeviceGetTotalEnergyConsumption, (nvml_card card, unsigned long long *millijoules))                  \
    CALL(int, nvmlDeviceGetPowerUsage, (nvml_card card, unsigned *milliwatts))                                         \
    CALL(int, nvmlDeviceGetUtilizationRates, (nvml_card card, struct nvml_utilisation * utilisation))

#endif
