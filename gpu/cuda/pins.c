/* pins.c: the list of what is pinned, and by how many; see pins.h. */
#include "pins.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

struct pin {
    struct pin *next;
    uintptr_t begin;
    size_t size, users;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the list, and that nobody pins what it lacks */
static struct pin *pins;

static uintptr_t page_of(uintptr_t address) {
    return address & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
}

static struct pin **find(uintptr_t begin) {
    struct pin **pin = &pins;
    while (*pin != NULL && (*pin)->begin != begin)
        pin = &(*pin)->next;
    return pin;
}

static cudaError_t add(uintptr_t begin, size_t size) {
    struct pin *pin = malloc(sizeof *pin);
    if (pin == NULL)
        return cudaErrorMemoryAllocation;
    /* For each card of the process (portable), and at an address of the card's own (mapped). */
    cudaError_t error = cudaHostRegister((void *)begin, size, cudaHostRegisterPortable | cudaHostRegisterMapped);
    if (error != cudaSuccess) {
        free(pin);
        return error;
    }
    *pin = (struct pin){.next = pins, .begin = begin, .size = size, .users = 1};
    pins = pin;
    return cudaSuccess;
}

cudaError_t pin_memory(void *memory, size_t size) {
    uintptr_t begin = page_of((uintptr_t)memory);
    uintptr_t end = page_of((uintptr_t)memory + size - 1) + (uintptr_t)sysconf(_SC_PAGESIZE);
    pthread_mutex_lock(&lock);
    struct pin *pin = *find(begin);
    cudaError_t error = cudaSuccess;
    if (pin == NULL)
        error = add(begin, end - begin);
    else if (pin->size < end - begin)
        error = cudaErrorHostMemoryAlreadyRegistered; /* a part of it */
    else
        pin->users++;
    pthread_mutex_unlock(&lock);
    return error;
}

void unpin_memory(void *memory) {
    pthread_mutex_lock(&lock);
    struct pin **place = find(page_of((uintptr_t)memory)), *pin = *place;
    if (pin != NULL && --pin->users == 0) {
        cudaHostUnregister((void *)pin->begin);
        *place = pin->next;
        free(pin);
    }
    pthread_mutex_unlock(&lock);
}
