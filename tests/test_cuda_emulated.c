/* test_cuda_emulated.c: the card that is none: its memory, its kernels, its answers to mistakes, and how it breaks. */
#include "cuda_trials.h"

#include <math.h>
#include <sys/mman.h>

/* ---- memory */

START_TEST(memory_begins_as_no_numbers_and_is_counted) {
    float *numbers = on_card(1000), *pinned = in_host(10), back[1000];
    get(back, numbers, 1000);
    for (size_t i = 0; i < 1000; i++)
        require(isnan(back[i]));
    require(isnan(pinned[9]) && (uintptr_t)numbers % 256 == 0);
    require(emulated_held("memory") == 4000 && emulated_held("host") == 40);
    require(emulated_is_device(numbers, 4000) && !emulated_is_device(numbers, 4001));
    require(emulated_is_reachable(pinned, 40) && !emulated_is_device(pinned, 40) && !emulated_is_reachable(back, 4));
    good(cudaFree(numbers));
    good(cudaFree(NULL));
    good(cudaFreeHost(pinned));
    require(emulated_held("memory") == 0 && emulated_held("host") == 0);
}
END_TEST

static void touch_memory(void) {
    float *numbers = on_card(10);
    numbers[3] = 1;
}

static void touch_memory_after_work(void) {
    float *numbers = on_card(COUNT);
    add(numbers, 1, NULL);
    good(cudaDeviceSynchronize());
    ((volatile float *)numbers)[0];
}

START_TEST(the_host_cannot_reach_it) {
    int end = end_of_trial(touch_memory), later = end_of_trial(touch_memory_after_work);
    require(end == -SIGSEGV && later == -SIGSEGV);
}
END_TEST

static void free_twice(void) {
    float *numbers = on_card(10);
    good(cudaFree(numbers));
    cudaFree(numbers);
}

static void free_what_is_none(void) {
    cudaFree((void *)64);
}

static void destroy_twice(void) {
    cudaStream_t stream = new_stream();
    good(cudaStreamDestroy(stream));
    cudaStreamDestroy(stream);
}

static void use_destroyed(void) {
    cudaEvent_t event = new_event();
    good(cudaEventDestroy(event));
    cudaEventRecord(event, NULL);
}

static void take_for_another(void) {
    cudaEventSynchronize((cudaEvent_t)(void *)new_stream());
}

START_TEST(misuse_ends_the_program) {
    void (*const TRIALS[])(void) = {free_twice, free_what_is_none, destroy_twice, use_destroyed, take_for_another};
    for (size_t i = 0; i < sizeof TRIALS / sizeof *TRIALS; i++)
        require(end_of_trial(TRIALS[i]) == -SIGABRT);
}
END_TEST

START_TEST(memory_is_short_without_harm) {
    void *more;
    size_t left, total;
    good(cudaMemGetInfo(&left, &total));
    require(left == total && total == (size_t)1 << 30);
    is_error(cudaMalloc(&more, total + 1), cudaErrorMemoryAllocation);
    require(more == NULL);
    is_error(cudaGetLastError(), cudaErrorMemoryAllocation);
    good(cudaGetLastError());
    good(cudaMalloc(&more, total));
    good(cudaMemGetInfo(&left, &total));
    require(left == 0);
    good(cudaFree(more));
}
END_TEST

START_TEST(memory_is_registered_once) {
    char *memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *device;
    require(memory != MAP_FAILED);
    is_error(cudaHostRegister(memory, 0, cudaHostRegisterDefault), cudaErrorInvalidValue);
    is_error(cudaHostGetDevicePointer(&device, memory, 0), cudaErrorInvalidValue);
    good(cudaHostRegister(memory, 8192, cudaHostRegisterPortable | cudaHostRegisterMapped));
    is_error(cudaHostRegister(memory + 4096, 4096, 0), cudaErrorHostMemoryAlreadyRegistered);
    good(cudaHostGetDevicePointer(&device, memory + 100, 0));
    require(device == memory + 100 && emulated_held("registered") == 8192);
    good(cudaHostUnregister(memory));
    is_error(cudaHostUnregister(memory), cudaErrorHostMemoryNotRegistered);
    munmap(memory, 8192);
    is_error(cudaHostRegister(memory, 8192, 0), cudaErrorInvalidValue);
}
END_TEST

/* ---- copies */

START_TEST(copies_know_their_sides) {
    float *numbers = on_card(COUNT), here[COUNT] = {1, 2, 3};
    cudaStream_t stream = new_stream();
    put(numbers, here, COUNT);
    require(first_of(numbers + 2) == 3);
    is_error(cudaMemcpy(here, numbers, 4, cudaMemcpyHostToDevice), cudaErrorInvalidMemcpyDirection);
    is_error(cudaMemcpy(numbers, here, COUNT * 4 + 1, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    is_error(cudaMemcpy2D(numbers, 8, here, 4, 8, 2, cudaMemcpyHostToDevice), cudaErrorInvalidPitchValue);
    require(emulated_calls("pageable copies") == 0);
    good(cudaMemcpyAsync(here, numbers + 1, 4, cudaMemcpyDefault, stream));
    require(here[0] == 2 && emulated_calls("pageable copies") == 1); /* it was over when it came back */
    good(cudaMemcpy2D(here, 4, numbers, 8, 4, 2, cudaMemcpyDeviceToHost));
    require(here[0] == 1 && here[1] == 3);
    good(cudaStreamDestroy(stream));
    good(cudaFree(numbers));
}
END_TEST

/* Whether memory that is not pinned was read at once or when the copy's turn came: both are seen. */
START_TEST(memory_that_is_not_pinned_is_read_some_time) {
    float *numbers = on_card(1), here;
    cudaStream_t stream = new_stream();
    int early = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        emulated_seed(seed);
        here = 1;
        good(cudaMemcpyAsync(numbers, &here, sizeof here, cudaMemcpyHostToDevice, stream));
        here = 2;
        good(cudaStreamSynchronize(stream));
        early += first_of(numbers) == 1;
    }
    require(early > 0 && early < SEEDS);
    good(cudaStreamDestroy(stream));
    good(cudaFree(numbers));
}
END_TEST

/* ---- kernels */

/* In how many seeds a block's numbers come back turned around. */
static int turned(const char *kernel) {
    float *numbers = on_card(COUNT), here[COUNT];
    int right = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        bool all = true;
        emulated_seed(seed);
        for (int i = 0; i < COUNT; i++)
            here[i] = (float)i;
        put(numbers, here, COUNT);
        run_kernel(kernel, 1, COUNT, 0, NULL, (void *[]){&numbers});
        get(here, numbers, COUNT);
        for (int i = 0; i < COUNT; i++)
            all = all && here[i] == (float)(COUNT - 1 - i);
        right += all;
    }
    good(cudaFree(numbers));
    return right;
}

START_TEST(a_missing_barrier_shows) {
    require(turned("trial_turn") == SEEDS);
    require(turned("trial_turn_too_early") < SEEDS);
}
END_TEST

START_TEST(threads_meet_in_warps_and_blocks) {
    enum { THREADS = 160 };
    float *numbers = on_card(THREADS), here[THREADS], sum = 0;
    uint32_t *counts, found[3];
    good(cudaMalloc((void **)&counts, sizeof found));
    for (uint64_t seed = 1; seed <= 3; seed++) {
        emulated_seed(seed);
        good(cudaMemset(counts, 0, sizeof found));
        sum = 0;
        for (int i = 0; i < THREADS; i++)
            sum += here[i] = (float)(i - 10);
        put(numbers, here, THREADS);
        run_kernel("trial_sum", 1, THREADS, THREADS / 32 * sizeof(float), NULL, (void *[]){&numbers, &counts});
        good(cudaMemcpy(found, counts, sizeof found, cudaMemcpyDeviceToHost));
        require(first_of(numbers) == sum);
        require(found[0] == THREADS - 11 && found[1] == 0x55555555 && found[2] == THREADS);
    }
    good(cudaFree(counts));
    good(cudaFree(numbers));
}
END_TEST

START_TEST(a_tile_product_is_that_of_plain_loops) {
    uint16_t left[256], right[256], *card[2];
    float *sums = on_card(256), found[256];
    for (unsigned i = 0; i < 256; i++) { /* halfs: 1 + i / 1024, and 2 - i / 1024 */
        left[i] = (uint16_t)(0x3c00 + i);
        right[i] = (uint16_t)(0x3c00 + 1023 - i);
    }
    for (int i = 0; i < 2; i++) {
        good(cudaMalloc((void **)&card[i], sizeof left));
        good(cudaMemcpy(card[i], i == 0 ? left : right, sizeof left, cudaMemcpyHostToDevice));
    }
    run_kernel("trial_product", 1, 32, 0, NULL, (void *[]){&card[0], &card[1], &sums});
    get(found, sums, 256);
    for (unsigned i = 0; i < 256; i++) {
        double sum = 0;
        for (unsigned k = 0; k < 16; k++)
            sum += (1 + (i / 16 * 16 + k) / 1024.0) * (1 + (1023 - (i % 16 * 16 + k)) / 1024.0);
        require(fabs(found[i] - sum) < 1e-4);
    }
    good(cudaFree(card[0]));
    good(cudaFree(card[1]));
    good(cudaFree(sums));
}
END_TEST

START_TEST(shapes_that_no_card_takes_are_refused) {
    const void *kernel = emulated_kernel("trial_trap");
    const dim3 ONE = {1, 1, 1}, NONE = {0, 1, 1}, MANY = {1025, 1, 1};
    is_error(cudaLaunchKernel(kernel, NONE, ONE, NULL, 0, NULL), cudaErrorInvalidConfiguration);
    is_error(cudaLaunchKernel(kernel, ONE, MANY, NULL, 0, NULL), cudaErrorInvalidConfiguration);
    is_error(cudaLaunchKernel(kernel, ONE, ONE, NULL, 50000, NULL), cudaErrorInvalidValue);
    is_error(cudaLaunchKernel(&ONE, ONE, ONE, NULL, 0, NULL), cudaErrorInvalidDeviceFunction);
    good(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 100000));
    good(cudaLaunchKernel(kernel, ONE, ONE, NULL, 100000, NULL));
    is_error(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
}
END_TEST

/* ---- how it breaks */

static void store(float *numbers, long index) {
    run_kernel("trial_store", 1, 1, 0, NULL, (void *[]){&numbers, &index});
}

START_TEST(what_no_thread_may_touch_breaks_the_card) {
    float *numbers = on_card(10), here[10];
    const long OUTSIDE[] = {10, 64, 5000, -1, 1L << 40};
    for (size_t i = 0; i < sizeof OUTSIDE / sizeof *OUTSIDE; i++) {
        store(numbers, OUTSIDE[i]);
        is_error(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
        is_error(cudaMemset(numbers, 0, 4), cudaErrorIllegalAddress); /* and so it stays */
        is_error(cudaGetLastError(), cudaErrorIllegalAddress);
        is_error(cudaGetLastError(), cudaErrorIllegalAddress);
        good(cudaFree(NULL) == cudaErrorIllegalAddress ? cudaSuccess : cudaErrorUnknown);
        emulated_mend();
        good(cudaFree(numbers));
        numbers = on_card(10);
    }
    store(here, 0); /* the host's own memory */
    is_error(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
    emulated_mend();
    store(numbers, 9);
    require(first_of(numbers + 9) == 1);
    good(cudaFree(numbers));
    store(numbers, 0);
    is_error(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
}
END_TEST

/* The sanitizers have the accesses announced to themselves. */
START_TEST(addresses_in_memory_are_looked_at_too) {
    float **places, *pinned = in_host(2), here = 5;
    good(cudaHostAlloc((void **)&places, 2 * sizeof *places, cudaHostAllocDefault));
    pinned[0] = pinned[1] = 3;
    places[0] = &pinned[0];
    places[1] = &pinned[1];
    run_kernel("trial_follow", 1, 2, 0, NULL, (void *[]){&places});
    good(cudaDeviceSynchronize());
    require(pinned[0] == 4 && pinned[1] == 4);
    if (UNDER_ASAN || UNDER_TSAN)
        skip("under a sanitizer no access of a kernel's is looked at");
    for (int wrong = 0; wrong < 2; wrong++) {
        places[1] = wrong == 0 ? &here : &pinned[2];
        run_kernel("trial_follow", 1, 2, 0, NULL, (void *[]){&places});
        is_error(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
        emulated_mend();
    }
    require(here == 5);
}
END_TEST

START_TEST(kernels_break_it_each_in_its_way) {
    int wrong = 1;
    run_kernel("trial_assert", 2, 64, 0, NULL, (void *[]){&wrong});
    is_error(cudaDeviceSynchronize(), cudaErrorAssert);
    emulated_mend();
    run_kernel("trial_trap", 2, 64, 0, NULL, NULL);
    is_error(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
    emulated_mend();
    run_kernel("trial_lost", 1, 64, 0, NULL, NULL);
    is_error(cudaDeviceSynchronize(), cudaErrorLaunchTimeout);
    emulated_mend();
    require(turned("trial_turn") == SEEDS); /* nothing is left of it */
}
END_TEST

START_TEST(any_call_is_made_to_fail) {
    void *memory;
    emulated_fail("cudaMalloc:2@2,*:1@4");
    good(cudaMalloc(&memory, 1));
    is_error(cudaMalloc(&memory, 1), cudaErrorMemoryAllocation);
    good(cudaMalloc(&memory, 1));
    is_error(cudaDeviceSynchronize(), cudaErrorInvalidValue);
    good(cudaDeviceSynchronize());
    require(emulated_calls("cudaMalloc") == 3 && emulated_held("memory") == 2);
    emulated_fail("cudaFree:719@1");
    is_error(cudaFree(memory), cudaErrorLaunchFailure);
    is_error(cudaMalloc(&memory, 1), cudaErrorLaunchFailure);
    require(emulated_held("memory") == 1); /* it was given back all the same */
    emulated_mend();
    emulated_fail("");
    good(cudaMalloc(&memory, 1));
}
END_TEST

START_TEST(faults_come_from_the_environment) {
    void *memory;
    setenv("EMULATED_FAIL", "cudaMalloc:46@1", 1);
    is_error(cudaMalloc(&memory, 1), cudaErrorDevicesUnavailable);
    is_error(cudaDeviceSynchronize(), cudaErrorDevicesUnavailable);
}
END_TEST

/* ---- which cards there are */

START_TEST(no_driver) {
    int count = 77;
    setenv("EMULATED_CARDS", "0", 1);
    is_error(cudaGetDeviceCount(&count), cudaErrorInsufficientDriver);
    require(count == 77);
}
END_TEST

START_TEST(chosen_cards) {
    struct cudaDeviceProp facts;
    char bus[32];
    int count;
    setenv("EMULATED_CARDS", "3", 1);
    setenv("CUDA_VISIBLE_DEVICES", "2,GPU-00000000-0000-4000-8000-000000000000,7,1", 1);
    good(cudaGetDeviceCount(&count));
    require(count == 2);
    good(cudaGetDeviceProperties(&facts, 0));
    require((unsigned char)facts.uuid.bytes[15] == 2 && strcmp(facts.name, "Emulated card") == 0 && facts.major == 9);
    good(cudaDeviceGetPCIBusId(bus, sizeof bus, 1));
    require(strcmp(bus, "0000:01:00.0") == 0);
    is_error(cudaSetDevice(2), cudaErrorInvalidDevice);
}
END_TEST

START_TEST(no_card_is_visible) {
    int count = 77;
    setenv("CUDA_VISIBLE_DEVICES", "", 1);
    is_error(cudaGetDeviceCount(&count), cudaErrorNoDevice);
    require(count == 0);
}
END_TEST

START_TEST(a_card_does_not_reach_the_memory_of_another) {
    float *there, *here, number = 5;
    setenv("EMULATED_CARDS", "2", 1);
    good(cudaSetDevice(1));
    there = on_card(1);
    put(there, &number, 1);
    good(cudaSetDevice(0));
    here = on_card(1);
    good(cudaMemcpy(here, there, sizeof *here, cudaMemcpyDefault));
    require(first_of(here) == 5);
    store(there, 0);
    is_error(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
}
END_TEST

static void call_in_a_child(void) {
    int count;
    if (cudaGetDeviceCount(&count) != cudaErrorInitializationError)
        _exit(1);
}

START_TEST(a_forked_process_cannot_use_it) {
    int count;
    good(cudaGetDeviceCount(&count));
    require(end_of_trial(call_in_a_child) == 0);
}
END_TEST

SUITE("cuda_emulated", memory_begins_as_no_numbers_and_is_counted, the_host_cannot_reach_it, misuse_ends_the_program,
      memory_is_short_without_harm, memory_is_registered_once, copies_know_their_sides,
      memory_that_is_not_pinned_is_read_some_time, a_missing_barrier_shows, threads_meet_in_warps_and_blocks,
      a_tile_product_is_that_of_plain_loops, shapes_that_no_card_takes_are_refused,
      what_no_thread_may_touch_breaks_the_card, addresses_in_memory_are_looked_at_too, kernels_break_it_each_in_its_way,
      any_call_is_made_to_fail, faults_come_from_the_environment, no_driver, chosen_cards, no_card_is_visible,
      a_card_does_not_reach_the_memory_of_another, a_forked_process_cannot_use_it)
