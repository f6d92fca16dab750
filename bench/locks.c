/* locks.c: a pair of acquire and release that nobody disturbs: our locks and the pthread mutexes under them. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "atelier.h"
#include "console.h"
#include "measure.h"
#include "subjects.h"

enum { PAIRS = 20000 }; /* in a sample: about 0.2 ms, ten thousand times what reading the clock takes */

static pthread_t idler;
static int idler_pipe[2];

static void *idle(void *unused) {
    char byte;
    (void)unused;
    while (read(idler_pipe[0], &byte, 1) < 0)
        ;
    return NULL;
}

/*
 * In a process with one thread glibc's mutexes leave out the atomic instructions, and so measure something that no
 * program with a use for a lock ever does. So a second thread sleeps meanwhile, for all subjects alike.
 */
bool locks_ready(void) {
    if (pipe(idler_pipe) != 0 || pthread_create(&idler, NULL, idle, NULL) != 0) {
        note("bench: locks: cannot start a thread; these rows are left out");
        return false;
    }
    return true;
}

void locks_done(void) {
    close(idler_pipe[1]);
    pthread_join(idler, NULL);
    close(idler_pipe[0]);
}

/* A function that takes samples of `acquire; release`. Both calls say what they did, and a failure fails the run. */
#define LOCK_SUBJECT(function, acquire, release)                                                                       \
    size_t function(struct observation *samples, size_t count) {                                                       \
        for (size_t i = 0; i < count; i++) {                                                                           \
            int failures = 0;                                                                                          \
            make_locks();                                                                                              \
            uint64_t start = now_ns();                                                                                 \
            for (size_t pair = 0; pair < PAIRS; pair++) {                                                              \
                failures |= acquire;                                                                                   \
                failures |= release;                                                                                   \
            }                                                                                                          \
            samples[i] = (struct observation){.ns = (double)(now_ns() - start) / PAIRS};                               \
            if (failures != 0)                                                                                         \
                wrong_result(#function ": an uncontended acquire or release failed");                                  \
        }                                                                                                              \
        return count;                                                                                                  \
    }

static at_lock *lock;
static at_rlock *rlock;
static at_process_lock *process_lock;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t recursive_mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_mutex_t *robust_mutex; /* in shared memory, as the lock that it is compared with */

static void make_locks(void) {
    if (lock != NULL)
        return;
    lock = at_lock_new();
    rlock = at_rlock_new();
    process_lock = at_process_lock_new();
    robust_mutex = mmap(NULL, sizeof *robust_mutex, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (lock == NULL || rlock == NULL || process_lock == NULL || robust_mutex == MAP_FAILED) {
        note("bench: locks: out of memory");
        exit(1);
    }
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(robust_mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

LOCK_SUBJECT(lock_ours, at_lock_acquire(lock, AT_FOREVER), (at_lock_release(lock), 0))
LOCK_SUBJECT(lock_floor, pthread_mutex_lock(&mutex), pthread_mutex_unlock(&mutex))
LOCK_SUBJECT(rlock_ours, at_rlock_acquire(rlock, AT_FOREVER), (at_rlock_release(rlock), 0))
LOCK_SUBJECT(rlock_floor, pthread_mutex_lock(&recursive_mutex), pthread_mutex_unlock(&recursive_mutex))
LOCK_SUBJECT(process_lock_ours, at_process_lock_acquire(process_lock, AT_FOREVER),
             (at_process_lock_release(process_lock), 0))
LOCK_SUBJECT(process_lock_floor, pthread_mutex_lock(robust_mutex), pthread_mutex_unlock(robust_mutex))
