/* cuda_trials.h: what the suites about the emulated card share: calls that must succeed, and kernels of trials.cu. */
#ifndef ATELIER_TESTS_CUDA_TRIALS_H
#define ATELIER_TESTS_CUDA_TRIALS_H

#include "emulated.h"
#include "watch.h"

#define good(call) is_error(call, cudaSuccess)
#define is_error(call, expected)                                                                                       \
    do {                                                                                                               \
        cudaError_t got = (call);                                                                                      \
        if (got != (expected))                                                                                         \
            ck_abort_msg("%s:%d: %s: %s", __FILE__, __LINE__, #call, cudaGetErrorName(got));                           \
    } while (0)

#define SEEDS 20
enum { COUNT = 256 };

static inline void run_kernel(const char *name, unsigned blocks, unsigned threads, size_t shared, cudaStream_t stream,
                              void **arguments) {
    require(emulated_kernel(name) != NULL);
    good(cudaLaunchKernel(emulated_kernel(name), (dim3){blocks, 1, 1}, (dim3){threads, 1, 1}, arguments, shared,
                          stream));
}

/* numbers[i] += more; and twice as much: one after the other the order shows. */
static inline void add(float *numbers, float more, cudaStream_t stream) {
    uint32_t count = COUNT;
    run_kernel("trial_add", 2, 64, 0, stream, (void *[]){&numbers, &count, &more});
}

static inline void twice(float *numbers, cudaStream_t stream) {
    uint32_t count = COUNT;
    run_kernel("trial_double", 2, 64, 0, stream, (void *[]){&numbers, &count});
}

static inline float *on_card(size_t count) {
    float *numbers;
    good(cudaMalloc((void **)&numbers, count * sizeof *numbers));
    return numbers;
}

static inline float *in_host(size_t count) {
    float *numbers;
    good(cudaHostAlloc((void **)&numbers, count * sizeof *numbers, cudaHostAllocDefault));
    return numbers;
}

static inline void put(float *to, const float *from, size_t count) {
    good(cudaMemcpy(to, from, count * sizeof *to, cudaMemcpyHostToDevice));
}

static inline void get(float *to, const float *from, size_t count) {
    good(cudaMemcpy(to, from, count * sizeof *to, cudaMemcpyDeviceToHost));
}

static inline float first_of(const float *numbers) {
    float number;
    get(&number, numbers, 1);
    return number;
}

static inline cudaStream_t new_stream(void) {
    cudaStream_t stream;
    good(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    return stream;
}

static inline cudaEvent_t new_event(void) {
    cudaEvent_t event;
    good(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    return event;
}

/* How that ends, in a process of its own, which says nothing. */
static inline int end_of_trial(void (*trial)(void)) {
    pid_t process = fork();
    require(process >= 0);
    if (process == 0) {
        require(freopen("/dev/null", "w", stderr) != NULL);
        signal(SIGSEGV, SIG_DFL); /* a sanitizer would report it */
        trial();
        _exit(0);
    }
    return end_of(process);
}

#endif
