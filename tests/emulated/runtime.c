/* runtime.c: how a call begins and ends: the lock, the count, the faults that are asked for, the error that stays. */
#include <ctype.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "card.h"

static pthread_mutex_t lock;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pid_t owner; /* the process that has called CUDA first: its children cannot */

static __thread cudaError_t last, entered;
static __thread bool holding, nested; /* nested: called by a function of the host's that the card calls */

static cudaError_t broken;
static uint64_t seed_state;
static int64_t held[HELD_KINDS];

void card_abort(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("emulated card: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    abort();
}

/* ---- chance */

void emulated_seed(uint64_t seed) {
    card_lock();
    seed_state = (seed + 1) * 0x9e3779b97f4a7c15u;
    card_unlock();
}

uint32_t card_random(uint32_t end) {
    seed_state += 0x9e3779b97f4a7c15u; /* splitmix64, by Sebastiano Vigna */
    uint64_t mixed = seed_state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(((mixed ^ (mixed >> 31)) >> 32) * end >> 32);
}

/* ---- counts */

struct counter {
    char name[64];
    uint64_t count;
};
static struct counter counters[512];
static uint64_t all_calls;

static struct counter *counter_of(const char *name) {
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *letter = name; *letter != '\0'; letter++)
        hash = (hash ^ (unsigned char)*letter) * 16777619u;
    for (uint32_t i = 0; i < 512; i++) {
        struct counter *counter = &counters[(hash + i) % 512];
        if (counter->name[0] == '\0')
            snprintf(counter->name, sizeof counter->name, "%s", name);
        if (strncmp(counter->name, name, sizeof counter->name - 1) == 0)
            return counter;
    }
    card_abort("too many names of functions are counted");
}

uint64_t emulated_calls(const char *function) {
    card_lock();
    uint64_t count = strcmp(function, "*") == 0 ? all_calls : counter_of(function)->count;
    card_unlock();
    return count;
}

static const char *const HELD_NAMES[] = {"memory", "host", "registered", "streams", "events", "graphs", "handles"};

uint64_t emulated_held(const char *what) {
    for (size_t i = 0; i < HELD_KINDS; i++) {
        if (strcmp(HELD_NAMES[i], what) == 0) {
            card_lock();
            int64_t count = held[i];
            card_unlock();
            return (uint64_t)count;
        }
    }
    card_abort("emulated_held: \"%s\" is nothing that is counted", what);
}

void hold(enum held what, int64_t change) {
    held[what] += change;
}

void emulated_hold(int change) {
    card_lock();
    hold(HELD_HANDLES, change);
    card_unlock();
}

/* ---- faults */

struct fault {
    char function[64];
    int error;
    uint64_t left; /* that many calls more, and it is this one's turn; 0: it has been */
};
static struct fault faults[64];
static size_t fault_count;

/* "cudaMalloc:2@3,*:700@10" */
static void faults_read(const char *text) {
    fault_count = 0;
    while (*text != '\0') {
        struct fault *fault = &faults[fault_count];
        int length = 0;
        if (fault_count == sizeof faults / sizeof *faults ||
            sscanf(text, "%63[^:]:%d@%lu%n", fault->function, &fault->error, &fault->left, &length) != 3 ||
            (text[length] != ',' && text[length] != '\0'))
            card_abort("\"%s\" is no fault: CALL:ERROR@N is, as in cudaMalloc:2@1", text);
        fault_count++;
        text += length + (text[length] == ',');
    }
}

void emulated_fail(const char *text) {
    card_lock();
    faults_read(text);
    card_unlock();
}

/* What only says what has happened cannot fail. */
static bool can_fail(const char *function) {
    return strcmp(function, "cudaGetLastError") != 0 && strcmp(function, "cudaPeekAtLastError") != 0;
}

int emulated_call(const char *function) {
    card_lock();
    int error = 0;
    counter_of(function)->count++;
    all_calls++;
    for (size_t i = 0; i < fault_count && can_fail(function); i++) {
        struct fault *fault = &faults[i];
        if ((strcmp(fault->function, "*") == 0 || strcmp(fault->function, function) == 0) && fault->left > 0 &&
            --fault->left == 0 && error == 0)
            error = fault->error;
    }
    /* Below 100 the other libraries have numbers of their own. */
    if (error_is_fatal(error) && (error >= 100 || strncmp(function, "cuda", 4) == 0))
        card_break((cudaError_t)error);
    card_unlock();
    return error;
}

/* ---- the error that stays */

bool error_is_fatal(int error) {
    return error == cudaErrorDevicesUnavailable || error == cudaErrorECCUncorrectable || error == 220 /* NVLink */ ||
           error == cudaErrorIllegalAddress || error == cudaErrorLaunchTimeout ||
           (error >= cudaErrorAssert && error <= cudaErrorLaunchFailure && error != 711 && error != 712 &&
            error != 713);
}

cudaError_t card_broken(void) {
    return broken;
}

void card_break(cudaError_t error) {
    if (broken == cudaSuccess)
        broken = error;
}

void emulated_break(int error) {
    card_lock();
    card_break((cudaError_t)error);
    card_unlock();
}

void emulated_mend(void) {
    card_lock();
    work_drop();
    broken = cudaSuccess;
    last = cudaSuccess;
    card_unlock();
}

/* ---- calls */

static void prepare(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    const char *seed = getenv("EMULATED_SEED"), *asked = getenv("EMULATED_FAIL");
    seed_state = ((seed != NULL ? strtoull(seed, NULL, 10) : 0) + 1) * 0x9e3779b97f4a7c15u;
    if (asked != NULL)
        faults_read(asked);
}

void card_lock(void) {
    pthread_once(&once, prepare);
    pthread_mutex_lock(&lock);
}

void card_unlock(void) {
    pthread_mutex_unlock(&lock);
}

void card_wait(pthread_cond_t *condition) {
    pthread_cond_wait(condition, &lock);
}

cudaError_t call_enter(const char *function) {
    pid_t self = getpid(), first = 0;
    nested = *thread_called_back();
    if (nested) {
        emulated_call(function);
        return cudaErrorNotPermitted;
    }
    holding =
        __atomic_compare_exchange_n(&owner, &first, self, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) || first == self;
    if (!holding)
        return entered = cudaErrorInitializationError;
    card_lock();
    int error = emulated_call(function);
    if (broken != cudaSuccess)
        error = (int)broken;
    if (error == 0)
        error = (int)cards_state();
    return entered = (cudaError_t)error;
}

bool call_enter_back(const char *function) {
    call_enter(function);
    return holding && !nested;
}

cudaError_t call_leave(cudaError_t error) {
    if (nested) {
        error = cudaErrorNotPermitted;
    } else {
        if (entered != cudaSuccess)
            error = entered;
        if (holding) {
            memory_close();
            if (broken != cudaSuccess)
                error = broken;
            card_unlock();
        }
    }
    nested = false;
    if (error != cudaSuccess)
        last = error;
    return error;
}

static cudaError_t last_error(const char *function, bool forget) {
    card_lock();
    emulated_call(function);
    cudaError_t error = broken != cudaSuccess ? broken : last;
    if (forget)
        last = cudaSuccess;
    card_unlock();
    return error;
}

cudaError_t cudaGetLastError(void) {
    return last_error(__func__, true);
}

cudaError_t cudaPeekAtLastError(void) {
    return last_error(__func__, false);
}
