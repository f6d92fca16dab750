/* thread.h: threads, as Python's threading.Thread. */
#ifndef ATELIER_THREAD_H
#define ATELIER_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api.h"

AT_BEGIN_DECLS

typedef struct at_thread at_thread;

/*
 * What a thread or a process runs. 0 or more: it went well (for a process: its exit code). Negative: it failed, with
 * that code.
 */
typedef int at_target(void *arg);

/* For .daemon: true, or AT_NOT_DAEMON; left out, the creator's own. */
enum { AT_NOT_DAEMON = -1 };

/*
 * For .arg: a copy of a variable, taken now: at_thread_new(.target = f, AT_COPY(i)). The target gets a pointer to the
 * copy.
 */
#define AT_COPY(variable) .arg = &(variable), .arg_size = sizeof(variable)

typedef struct at_thread_options {
    at_target *target;  /* what the thread calls */
    const void *arg;    /* what it is called with: the pointer itself, so it must stay valid while the thread runs... */
    size_t arg_size;    /* ...or, when above 0, a copy of that many bytes, owned by the thread */
    const char *name;   /* NULL or "": "Thread-N (target)"; copied */
    int daemon;         /* true: the program may end without it */
    size_t stack_size;  /* bytes; 0: the system's default */
    const char *source; /* the text of these options, for the default name: at_thread_new fills it in */
} at_thread_options;

/*
 * A new thread, not started (threading.Thread). NULL only when memory is short; what else is wrong with it,
 * at_thread_start says. The caller frees the handle with at_thread_free, at any time, also while the thread runs.
 */
#define at_thread_new(...) at_thread_create(&(at_thread_options){.source = #__VA_ARGS__, __VA_ARGS__})
AT_API at_thread *at_thread_create(const at_thread_options *options);
AT_API void at_thread_free(at_thread *thread);

/*
 * Starts it (Thread.start). The new thread may run before this returns. Errors: AT_ENOTARGET; AT_ESTARTED the second
 * time; -EAGAIN when the system has no thread left, and then the handle is as before and may be started later; -EINVAL
 * for NULL (memory was short) or a stack_size below the system's least.
 */
AT_API int at_thread_start(at_thread *thread) AT_MUST_CHECK;

/*
 * Waits until it has ended, TLS destructors included (Thread.join); any number of threads may, any number of times. A
 * negative timeout polls. Errors: -ETIMEDOUT; AT_ENOTSTARTED; -EDEADLK for oneself, or for a thread that is joining us;
 * AT_ENOTJOINABLE; -EINVAL, -EOVERFLOW (clock.h).
 */
AT_API int at_thread_join(at_thread *thread, double timeout) AT_MUST_CHECK;

/* True from at_thread_start until its target has returned and its TLS destructors have run (Thread.is_alive). */
AT_API bool at_thread_is_alive(const at_thread *thread);

/* Its name (Thread.name), NULL for NULL. Valid as long as the handle. */
AT_API const char *at_thread_name(const at_thread *thread);

/* Whether the program may end without it (Thread.daemon). */
AT_API bool at_thread_daemon(const at_thread *thread);

/* Sets that before the start. Errors: AT_ESTARTED, -EINVAL for NULL. */
AT_API int at_thread_set_daemon(at_thread *thread, bool daemon) AT_MUST_CHECK;

/*
 * The pthread_t as a number (Thread.ident), 0 before the start. Used again by a later thread once this one has ended.
 */
AT_API uint64_t at_thread_ident(const at_thread *thread);

/*
 * Writes "<Thread(Thread-1 (paint), started 140223...)>" as Python's repr does; returns the length that the whole text
 * has, as snprintf does.
 */
AT_API int at_thread_repr(const at_thread *thread, char *text, size_t size);

/*
 * The number of threads alive, the main thread and those that were not started here but asked for their handle
 * included.
 */
AT_API size_t at_active_count(void);

/*
 * The threads alive, in the order of their start (threading.enumerate). Returns their number and stores an array that
 * ends with NULL; each handle in it is counted, and at_threads_free releases them and the array. Errors: -ENOMEM.
 */
AT_API int at_enumerate(at_thread ***threads) AT_MUST_CHECK;
AT_API void at_threads_free(at_thread **threads);

/*
 * The thread that asks (threading.current_thread); valid until that thread ends, not to be freed. A thread that we did
 * not start gets a handle named "Dummy-N" the first time, and keeps it. NULL only when memory for that is short.
 */
AT_API at_thread *at_current_thread(void);

/* The main thread (threading.main_thread); in a forked child, the thread that forked. Not to be freed. */
AT_API at_thread *at_main_thread(void);

/*
 * Called once, in the failing thread, when a target returns a negative code (threading.excepthook). NULL puts the
 * default back, which prints "Exception in thread NAME: text" on stderr. Returns the hook that was set before, NULL for
 * the default.
 */
typedef void at_excepthook(at_thread *thread, int code);
AT_API at_excepthook *at_set_excepthook(at_excepthook *hook);

/*
 * At exit, the threads that are not daemons are joined: after the atexit functions that were registered later than the
 * first start, before those registered earlier. After a fork only the thread that forked is left: it becomes the main
 * thread, and every other handle is no longer alive.
 */

AT_END_DECLS

#endif
