/* cuda_emulation.h: what nvcc knows by itself, for a compiler of C++: threadIdx, __syncthreads, shuffles, wmma... */
#ifndef TESTS_EMULATED_CUDA_EMULATION_H
#define TESTS_EMULATED_CUDA_EMULATION_H

#include <cuda_runtime.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <type_traits>
#include <utility>

#include "simt.h"

/* ---- threads, and how they meet (simt.cc) */

/* What a thread waits for; after the block's barrier, what only the lanes of its warp take part in. */
enum emulated_wait { EMULATED_NOTHING, EMULATED_OVER, EMULATED_BLOCK, EMULATED_WARP, EMULATED_SHUFFLE, EMULATED_VOTE };

struct fiber;
struct emulated_thread {
    uint3 index;
    uint32_t linear, mask, source;
    enum emulated_wait waits;
    uint64_t value, result;
    struct fiber *fiber;
};
extern struct emulated_thread *emulated_now;
extern uint3 emulated_block_index;
extern dim3 emulated_block_size, emulated_grid_size;
extern unsigned char *emulated_dynamic_shared;

/* Memory of a kernel that is neither the card's nor the host's: its threads' stacks, its dynamic shared memory. */
bool emulated_own_range(uintptr_t address, struct simt_range *range);
void emulated_forget_accesses(void);
/* Says it of the thread that runs, on stderr. */
void emulated_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

extern "C" {
/*
 * Comes back once all have come: of the block, with how many of them brought a value that is not 0; or of the warp, as
 * far as the mask names them, with the value that lane `source` has brought, or a bit for each value that is not 0.
 */
uint64_t emulated_wait(enum emulated_wait kind, uint32_t mask, uint64_t value, uint32_t source);
void emulated_trap(void) __attribute__((noreturn));
void emulated_assert_fail(const char *assertion, const char *file, unsigned line, const char *function) noexcept
    __attribute__((noreturn));
}

#define threadIdx (emulated_now->index)
#define blockIdx emulated_block_index
#define blockDim emulated_block_size
#define gridDim emulated_grid_size
#define warpSize 32

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __constant__
#undef __launch_bounds__
#define __global__
#define __device__
#define __host__
#define __constant__
#define __launch_bounds__(...)
#define __shared__ this_declaration_of_shared_memory_is_not_known_to_tests_emulated_translate
#define __assert_fail emulated_assert_fail
#include <assert.h> /* which declares what it calls under that name */
#define __trap emulated_trap

static inline void __syncthreads(void) {
    emulated_wait(EMULATED_BLOCK, 0, 0, 0);
}
static inline int __syncthreads_count(int value) {
    return (int)emulated_wait(EMULATED_BLOCK, 0, value != 0, 0);
}
static inline int __syncthreads_or(int value) {
    return __syncthreads_count(value) != 0;
}
static inline int __syncthreads_and(int value) {
    return __syncthreads_count(value == 0) == 0;
}
static inline void __syncwarp(unsigned mask = 0xffffffff) {
    emulated_wait(EMULATED_WARP, mask, 0, 0);
}
static inline void __threadfence(void) {
}
static inline void __threadfence_block(void) {
}
static inline void __threadfence_system(void) {
}

/*
 * What a declaration of shared memory becomes, each with a SITE of its own. One block runs at a time, so that there is
 * one of each; it is made NaN before each block, as far as the kernel has come by here.
 */
extern unsigned emulated_launches;
void emulated_note_shared(void *memory, size_t size);
template <typename Type, int SITE> static Type *emulated_shared(void) {
    alignas(128) static Type memory;
    static unsigned noted;
    if (noted != emulated_launches)
        emulated_note_shared(&memory, sizeof memory);
    noted = emulated_launches;
    return &memory;
}

/* ---- what the lanes of a warp tell each other */

template <typename Value> static Value emulated_shuffle(unsigned mask, Value value, uint32_t source) {
    static_assert(sizeof(Value) <= sizeof(uint64_t), "a shuffle takes 8 bytes at most");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    bits = emulated_wait(EMULATED_SHUFFLE, mask, bits, source);
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A lane's place among the `width` that shuffle with one another, and its own number. */
static inline int emulated_lane(void) {
    return (int)(emulated_now->linear % 32);
}

template <typename Value> static Value __shfl_sync(unsigned mask, Value value, int source, int width = 32) {
    int first = emulated_lane() / width * width;
    return emulated_shuffle(mask, value, (uint32_t)(first + (source & (width - 1))));
}
template <typename Value> static Value __shfl_xor_sync(unsigned mask, Value value, int bits, int width = 32) {
    int lane = emulated_lane(), source = lane ^ bits;
    return emulated_shuffle(mask, value, (uint32_t)(source / width <= lane / width ? source : lane));
}
template <typename Value> static Value __shfl_down_sync(unsigned mask, Value value, unsigned distance, int width = 32) {
    int lane = emulated_lane(), source = lane + (int)distance;
    return emulated_shuffle(mask, value, (uint32_t)(source / width == lane / width ? source : lane));
}
template <typename Value> static Value __shfl_up_sync(unsigned mask, Value value, unsigned distance, int width = 32) {
    int lane = emulated_lane(), source = lane % width - (int)distance;
    return emulated_shuffle(mask, value, (uint32_t)(source >= 0 ? lane - (int)distance : lane));
}
static inline unsigned __ballot_sync(unsigned mask, int value) {
    return (unsigned)emulated_wait(EMULATED_VOTE, mask, value != 0, 0);
}
static inline int __any_sync(unsigned mask, int value) {
    return __ballot_sync(mask, value) != 0;
}
static inline int __all_sync(unsigned mask, int value) {
    return __ballot_sync(mask, value == 0) == 0;
}
static inline unsigned __activemask(void) {
    return 1u << emulated_lane(); /* the least that it may be */
}

/* ---- atomic for the kernels, of which one thread runs at a time */

template <typename Number> static Number atomicAdd(Number *place, std::common_type_t<Number> value) {
    Number before = *place;
    *place = before + value;
    return before;
}
template <typename Number> static Number atomicSub(Number *place, std::common_type_t<Number> value) {
    return atomicAdd(place, (Number)-value);
}
template <typename Number> static Number atomicMax(Number *place, std::common_type_t<Number> value) {
    Number before = *place;
    *place = before < value ? value : before;
    return before;
}
template <typename Number> static Number atomicMin(Number *place, std::common_type_t<Number> value) {
    Number before = *place;
    *place = value < before ? value : before;
    return before;
}
template <typename Number> static Number atomicOr(Number *place, std::common_type_t<Number> value) {
    Number before = *place;
    *place = before | value;
    return before;
}
template <typename Number> static Number atomicAnd(Number *place, std::common_type_t<Number> value) {
    Number before = *place;
    *place = before & value;
    return before;
}
template <typename Number> static Number atomicExch(Number *place, std::common_type_t<Number> value) {
    Number before = *place;
    *place = value;
    return before;
}
template <typename Number>
static Number atomicCAS(Number *place, std::common_type_t<Number> expected, std::common_type_t<Number> value) {
    Number before = *place;
    if (before == expected)
        *place = value;
    return before;
}
static inline unsigned atomicInc(unsigned *place, unsigned last) {
    unsigned before = *place;
    *place = before >= last ? 0 : before + 1;
    return before;
}

/* ---- numbers */

template <typename Value> static Value __ldg(const Value *place) {
    return *place;
}
template <typename To, typename From> static To emulated_bits(From from) {
    To to;
    static_assert(sizeof to == sizeof from, "bits of one number are those of another");
    memcpy(&to, &from, sizeof to);
    return to;
}
static inline int __float_as_int(float number) {
    return emulated_bits<int>(number);
}
static inline unsigned __float_as_uint(float number) {
    return emulated_bits<unsigned>(number);
}
static inline float __int_as_float(int bits) {
    return emulated_bits<float>(bits);
}
static inline float __uint_as_float(unsigned bits) {
    return emulated_bits<float>(bits);
}
static inline float rsqrtf(float number) {
    return 1 / sqrtf(number);
}
static inline float __emulated_exp(float number) {
    return expf(number);
}
#define __expf __emulated_exp /* glibc has functions of these names, for itself */
#define __logf logf
#define __fdividef(above, below) ((above) / (below))
static inline float __fmaf_rn(float left, float right, float more) {
    return fmaf(left, right, more);
}
static inline float __frcp_rn(float number) {
    return 1 / number;
}
static inline float __saturatef(float number) {
    return number >= 0 ? (number > 1 ? 1 : number) : 0;
}
static inline int __popc(unsigned bits) {
    return __builtin_popcount(bits);
}
static inline int __ffs(int bits) {
    return __builtin_ffs(bits);
}
static inline int __clz(int bits) {
    return bits == 0 ? 32 : __builtin_clz((unsigned)bits);
}
static inline unsigned __umulhi(unsigned left, unsigned right) {
    return (unsigned)((uint64_t)left * right >> 32);
}
#define EMULATED_LIMITS(type)                                                                                          \
    static inline type min(type left, type right) {                                                                    \
        return right < left ? right : left;                                                                            \
    }                                                                                                                  \
    static inline type max(type left, type right) {                                                                    \
        return left < right ? right : left;                                                                            \
    }
EMULATED_LIMITS(int)
EMULATED_LIMITS(unsigned)
EMULATED_LIMITS(long)
EMULATED_LIMITS(unsigned long)
static inline float min(float left, float right) {
    return fminf(left, right);
}
static inline float max(float left, float right) {
    return fmaxf(left, right);
}

/* ---- a kernel becomes known by its name, and is called with its arguments as CUDA has them, by their addresses */

template <typename... Parameters, size_t... I>
static void emulated_call(void (*kernel)(Parameters...), void **arguments, std::index_sequence<I...>) {
    (void)arguments;
    kernel(*static_cast<std::remove_const_t<Parameters> *>(arguments[I])...);
}

template <auto kernel> struct emulated_kernel_of;
template <typename... Parameters, void (*kernel)(Parameters...)> struct emulated_kernel_of<kernel> {
    static constexpr size_t COUNT = sizeof...(Parameters);
    static constexpr size_t SIZES[] = {sizeof(Parameters)..., 0};
    static constexpr bool ADDRESSES[] = {std::is_pointer_v<Parameters>..., false};
    static void call(void **arguments) {
        emulated_call(kernel, arguments, std::index_sequence_for<Parameters...>());
    }
};

struct emulated_registration {
    simt_kernel kernel;
    explicit emulated_registration(const simt_kernel &known) : kernel(known) {
        simt_register(&kernel);
    }
};

#define EMULATED_KERNEL(function)                                                                                      \
    static emulated_registration emulated_registration_of_##function(                                                  \
        simt_kernel{#function, emulated_kernel_of<function>::COUNT, emulated_kernel_of<function>::SIZES,               \
                    emulated_kernel_of<function>::ADDRESSES, emulated_kernel_of<function>::call, NULL})

#include "wmma_emulation.h"

#endif
