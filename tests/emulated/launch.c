/* launch.c: kernels as nvcc's code asks for them: registered by name, configured, launched. */
#include <stdlib.h>
#include <string.h>

#include "card.h"
#include "simt.h"

enum { SHARED_MOST = 227 << 10, SHARED_PLAIN = 48 << 10, KERNELS_MOST = 1024 };

uint32_t simt_random(uint32_t end) {
    return card_random(end);
}

/* ---- which kernel is meant: by the function that stands for it in the host's code, by a handle, or by its name */

struct registered {
    const void *function; /* the host's; of one that was asked for by its name, its own */
    char name[112];
    const struct simt_kernel *kernel; /* looked for at the first launch */
    size_t shared_most;
};
static struct registered kernels[KERNELS_MOST];
static size_t kernel_count;

static struct registered *find(const void *function) {
    for (size_t i = kernel_count; i-- > 0;)
        if (kernels[i].function == function || &kernels[i] == function)
            return &kernels[i];
    return NULL;
}

static struct registered *enter(const void *function, const char *name) {
    if (kernel_count == KERNELS_MOST || strlen(name) >= sizeof kernels->name)
        card_abort("too many kernels, or too long a name: %s", name);
    struct registered *kernel = &kernels[kernel_count++];
    *kernel = (struct registered){.function = function, .shared_most = SHARED_PLAIN};
    strcpy(kernel->name, name);
    return kernel;
}

const void *emulated_kernel(const char *name) {
    card_lock();
    const struct simt_kernel *known = simt_find(name);
    struct registered *kernel = known != NULL ? find(known) : NULL;
    if (known != NULL && kernel == NULL)
        kernel = enter(known, name);
    card_unlock();
    return kernel;
}

#define EXPORTED __attribute__((visibility("default")))
EXPORTED void **__cudaRegisterFatBinary(void *binary);
EXPORTED void __cudaRegisterFatBinaryEnd(void **handle);
EXPORTED void __cudaUnregisterFatBinary(void **handle);
EXPORTED void __cudaRegisterVar(void **handle, char *host, char *device, const char *name, int external, size_t size,
                                int constant, int global);
EXPORTED char __cudaInitModule(void **handle);
EXPORTED void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name, int limit,
                                     uint3 *thread, uint3 *block, dim3 *block_size, dim3 *grid_size, int *warp_size);
EXPORTED unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, struct CUstream_st *stream);
EXPORTED cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream);
EXPORTED cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *function);
EXPORTED cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **arguments, size_t shared,
                                        cudaStream_t stream);

/* The code for a card that these bring is not looked at. */
void **__cudaRegisterFatBinary(void *binary) {
    static void *handle;
    (void)binary;
    return &handle;
}

void __cudaRegisterFatBinaryEnd(void **handle) {
    (void)handle;
}

void __cudaUnregisterFatBinary(void **handle) {
    (void)handle;
}

void __cudaRegisterVar(void **handle, char *host, char *device, const char *name, int external, size_t size,
                       int constant, int global) {
    (void)handle, (void)host, (void)device, (void)name, (void)external, (void)size, (void)constant, (void)global;
}

char __cudaInitModule(void **handle) {
    (void)handle;
    return 1;
}

void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name, int limit, uint3 *thread,
                            uint3 *block, dim3 *block_size, dim3 *grid_size, int *warp_size) {
    (void)handle, (void)device, (void)limit, (void)thread, (void)block, (void)block_size, (void)grid_size;
    (void)warp_size;
    card_lock();
    enter(host, name);
    card_unlock();
}

/* ---- a launch */

struct launch {
    const struct simt_kernel *kernel;
    struct simt_launch shape;
    /* The arguments follow, each in a place of so many bytes as it needs, rounded up to 16. */
};

static size_t places(const struct simt_kernel *kernel, size_t count) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += (kernel->sizes[i] + 15) / 16 * 16;
    return size;
}

/* What is handed over as an address must be one that the card can reach. */
static bool addresses_are_good(const struct simt_kernel *kernel, void **arguments) {
    for (size_t i = 0; i < kernel->count; i++) {
        void *address = NULL;
        if (kernel->addresses[i])
            memcpy(&address, arguments[i], sizeof address);
        if (address != NULL && !emulated_is_reachable(address, 1))
            return false;
    }
    return true;
}

static void run_launch(void *argument) {
    const struct launch *launch = argument;
    const struct simt_kernel *kernel = launch->kernel;
    void *arguments[64];
    unsigned char *place = (unsigned char *)argument + (sizeof *launch + 15) / 16 * 16;
    for (size_t i = 0; i < kernel->count; i++)
        arguments[i] = place + places(kernel, i);
    cudaError_t error = addresses_are_good(kernel, arguments) ? (cudaError_t)simt_run(kernel, &launch->shape, arguments)
                                                              : cudaErrorIllegalAddress;
    if (error != cudaSuccess)
        work_escape(error);
}

static cudaError_t check_shape(const struct registered *kernel, dim3 grid, dim3 block, size_t shared) {
    uint64_t threads = (uint64_t)block.x * block.y * block.z;
    if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > INT32_MAX || grid.y > 65535 || grid.z > 65535 ||
        threads == 0 || threads > 1024 || block.x > 1024 || block.y > 1024 || block.z > 64)
        return cudaErrorInvalidConfiguration;
    return shared > kernel->shared_most ? cudaErrorInvalidValue : cudaSuccess;
}

static cudaError_t start(const void *function, dim3 grid, dim3 block, void **arguments, size_t shared,
                         cudaStream_t stream) {
    struct registered *registered = find(function);
    if (registered == NULL)
        return cudaErrorInvalidDeviceFunction;
    if (registered->kernel == NULL)
        registered->kernel = simt_find(registered->name);
    const struct simt_kernel *kernel = registered->kernel;
    if (kernel == NULL || kernel->count > 64)
        card_abort("no source of a kernel \"%s\" was found: is it extern \"C\" and in gpu/cuda/*.cu?",
                   registered->name);
    cudaError_t error = check_shape(registered, grid, block, shared);
    if (error == cudaSuccess && stream_of(stream)->handle.device != card_now())
        error = cudaErrorInvalidResourceHandle;
    if (error != cudaSuccess)
        return error;
    size_t head = (sizeof(struct launch) + 15) / 16 * 16, size = head + places(kernel, kernel->count);
    unsigned char *whole = calloc(1, size);
    if (whole == NULL)
        card_abort("out of memory");
    struct launch launch = {kernel, {{grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared}};
    memcpy(whole, &launch, sizeof launch);
    for (size_t i = 0; i < kernel->count; i++)
        memcpy(whole + head + places(kernel, i), arguments[i], kernel->sizes[i]);
    error = stream_enqueue(stream, run_launch, whole, size, false);
    free(whole);
    return error;
}

cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **arguments, size_t shared,
                             cudaStream_t stream) {
    return CALL(start(function, grid, block, arguments, shared, stream));
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *how, const void *function, void **arguments) {
    return CALL(how == NULL
                    ? cudaErrorInvalidValue
                    : start(function, how->gridDim, how->blockDim, arguments, how->dynamicSmemBytes, how->stream));
}

/* What <<<>>> becomes. It counts as cudaLaunchKernel. */
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **arguments, size_t shared,
                               cudaStream_t stream) {
    return cudaLaunchKernel(kernel, grid, block, arguments, shared, stream);
}

cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *function) {
    card_lock();
    *kernel = (cudaKernel_t)(void *)find(function);
    card_unlock();
    return *kernel != NULL ? cudaSuccess : cudaErrorInvalidDeviceFunction;
}

static __thread struct {
    dim3 grid, block;
    size_t shared;
    cudaStream_t stream;
} configured[8];
static __thread size_t configured_count;

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, struct CUstream_st *stream) {
    if (configured_count == sizeof configured / sizeof *configured)
        return cudaErrorLaunchOutOfResources;
    configured[configured_count].grid = grid;
    configured[configured_count].block = block;
    configured[configured_count].shared = shared;
    configured[configured_count++].stream = stream;
    return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream) {
    if (configured_count == 0)
        return cudaErrorInvalidConfiguration;
    configured_count--;
    *grid = configured[configured_count].grid;
    *block = configured[configured_count].block;
    *shared = configured[configured_count].shared;
    memcpy(stream, &configured[configured_count].stream, sizeof(cudaStream_t));
    return cudaSuccess;
}

/* ---- what is known of a kernel */

static cudaError_t set_attribute(const void *function, enum cudaFuncAttribute attribute, int value) {
    struct registered *kernel = find(function);
    if (kernel == NULL)
        return cudaErrorInvalidDeviceFunction;
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize)
        return attribute == cudaFuncAttributePreferredSharedMemoryCarveout ? cudaSuccess : cudaErrorInvalidValue;
    if (value < 0 || value > SHARED_MOST)
        return cudaErrorInvalidValue;
    kernel->shared_most = (size_t)value;
    return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attribute, int value) {
    return CALL(set_attribute(function, attribute, value));
}

static cudaError_t describe(struct cudaFuncAttributes *facts, const void *function) {
    const struct registered *kernel = find(function);
    if (kernel == NULL || facts == NULL)
        return kernel == NULL ? cudaErrorInvalidDeviceFunction : cudaErrorInvalidValue;
    memset(facts, 0, sizeof *facts);
    facts->maxThreadsPerBlock = 1024;
    facts->numRegs = 32;
    facts->ptxVersion = facts->binaryVersion = 90;
    facts->maxDynamicSharedSizeBytes = (int)kernel->shared_most;
    return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *facts, const void *function) {
    return CALL(describe(facts, function));
}

static cudaError_t occupancy(int *blocks, const void *function, int threads, size_t shared) {
    if (blocks == NULL || threads <= 0 || find(function) == NULL)
        return find(function) == NULL ? cudaErrorInvalidDeviceFunction : cudaErrorInvalidValue;
    size_t by_threads = threads > 1024 ? 0 : 64 / (((size_t)threads + 31) / 32),
           by_shared = (228 << 10) / (shared + 1024);
    size_t most = by_threads < by_shared ? by_threads : by_shared;
    *blocks = (int)(most > 32 ? 32 : most);
    return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *function, int threads,
                                                          size_t shared) {
    return CALL(occupancy(blocks, function, threads, shared));
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, const void *function, int threads,
                                                                   size_t shared, unsigned flags) {
    (void)flags;
    return CALL(occupancy(blocks, function, threads, shared));
}
