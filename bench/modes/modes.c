/* modes.c: the list of all modes, and the locks that their workers take. */
#include "modes.h"

#include "atelier.h"

const struct mode *const all_modes[] = {
    &serial_mode, &threads_mode, &processes_mode, &pool_mode, &xargs_mode, &parallel_mode,
};
const size_t mode_count = sizeof all_modes / sizeof all_modes[0];

static void *thread_lock(void) {
    return at_lock_new();
}

static void thread_acquire(void *lock) {
    at_check(at_lock_acquire(lock, AT_FOREVER));
}

static void thread_release(void *lock) {
    at_lock_release(lock);
}

static void *process_lock(void) {
    return at_process_lock_new();
}

static void process_acquire(void *lock) {
    at_check(at_process_lock_acquire(lock, AT_FOREVER));
}

static void process_release(void *lock) {
    at_process_lock_release(lock);
}

const struct lock_kind thread_locks = {thread_lock, thread_acquire, thread_release};
const struct lock_kind process_locks = {process_lock, process_acquire, process_release};
