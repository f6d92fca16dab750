/* tsan.h (internal): what ThreadSanitizer has to be told, and must not see. Without it, plain calls and nothing. */
#ifndef ATELIER_TSAN_H
#define ATELIER_TSAN_H

#include <pthread.h>

#ifdef __SANITIZE_THREAD__ /* gcc says it so, clang as below */
#define BUILT_FOR_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BUILT_FOR_TSAN
#endif
#endif

/*
 * A mutex between processes: gcc 12's ThreadSanitizer does not know pthread_mutex_clocklock, and takes it that all who
 * lock a mutex are threads of one process. So it is not shown the calls, but told of the order that they make between
 * threads.
 */
#ifdef BUILT_FOR_TSAN
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

static inline int tsan_call_libc(const char *name, pthread_mutex_t *mutex) {
    static void *_Atomic libc;
    if (libc == NULL)
        libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD); /* past the interceptors */
    int (*call)(pthread_mutex_t *);
    *(void **)&call = dlsym(libc, name);
    return call(mutex);
}

static inline int tsan_hidden_lock(pthread_mutex_t *mutex) {
    return tsan_call_libc("pthread_mutex_lock", mutex);
}

static inline int tsan_hidden_trylock(pthread_mutex_t *mutex) {
    return tsan_call_libc("pthread_mutex_trylock", mutex);
}

static inline void tsan_acquired(pthread_mutex_t *mutex) {
    __tsan_acquire(mutex);
}

static inline int tsan_hidden_unlock(pthread_mutex_t *mutex) {
    __tsan_release(mutex);
    return tsan_call_libc("pthread_mutex_unlock", mutex);
}
#else
#define tsan_hidden_lock pthread_mutex_lock
#define tsan_hidden_trylock pthread_mutex_trylock
#define tsan_hidden_unlock pthread_mutex_unlock
#define tsan_acquired(mutex) (void)0
#endif

#endif
