/* thread_internal.h (internal): what a thread's handle holds; shared by thread.c and thread_registry.c. */
#ifndef ATELIER_THREAD_INTERNAL_H
#define ATELIER_THREAD_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/queue.h>

#include "internal.h"
#include "thread.h"

enum thread_kind { STARTED_HERE, MAIN, DUMMY };

/* A futex word. WATCHED: it runs, and somebody who has a deadline sleeps until it ends. */
enum thread_state { NEW, STARTING, RUNNING, WATCHED, FINISHED };

struct at_thread {
    enum thread_kind kind;
    _Atomic uint32_t references; /* one of its user, one of its own while it runs, one of each call that uses it */
    _Atomic uint32_t state;
    _Atomic bool daemon;
    _Atomic uint64_t ident;
    uint32_t generation; /* the fork_generation of the process that it runs in; set before RUNNING */
    at_target *target;
    void *arg;
    size_t stack_size;
    const char *name;

    pthread_mutex_t join_mutex; /* guards the two below, once the thread has started */
    pthread_t pthread;
    bool joined;

    TAILQ_ENTRY(at_thread) registered; /* guarded by the registry's mutex, as the next two */
    at_thread *joining;                /* whom this one waits for without a deadline */
    bool passed_over;                  /* at exit: it cannot be joined, as it waits for the thread that exits */
    _Alignas(max_align_t) unsigned char storage[]; /* the copied argument, then the name */
};

/* The handle of the calling thread, NULL as long as a thread that we did not start has not asked for it. */
extern _Thread_local at_thread *current_thread;

/* The main thread: the one that runs main, or in a forked child the one that forked. */
extern at_thread *main_thread;

/* ---- thread_registry.c, all of it */

/* Counts one more, and one less, who use the handle. */
void thread_acquire(at_thread *thread);
void thread_release(at_thread *thread);

/* Puts it on the list of those that run, as one of this process; takes it off. */
void registry_add(at_thread *thread);
void registry_remove(at_thread *thread);

/*
 * Notes that the calling thread is about to wait for `thread` without a deadline: 0, or -EDEADLK when that thread
 * waits, through however many others, for the caller. glibc's pthread_join does not see such circles.
 */
int registry_begin_wait(at_thread *thread);
void registry_end_wait(void);

/* Leaves it out of registry_next_to_join from now on. */
void registry_pass_over(at_thread *thread);

/*
 * Makes `thread` the calling thread's handle, which when that thread ends is taken off, finished and released. 0 or
 * -errno.
 */
int registry_adopt(at_thread *thread);

/* The first thread on the list that has to be joined before the process may end, counted; NULL when there is none. */
at_thread *registry_next_to_join(void);

#endif
