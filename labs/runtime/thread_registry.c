/*
 * thread_registry.c: which threads run, which one asks, and who is left after a fork; see thread.h.
 *
 * A handle is counted: its user holds it once, the thread itself while it runs, and each call while it uses it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "thread_internal.h"
#include "wait.h"

uint32_t fork_generation;
_Thread_local at_thread *current_thread;

static at_thread first_thread; /* the main thread, as long as no other thread forks */
at_thread *main_thread = &first_thread;

/* In the order of their start. */
static struct {
    pthread_mutex_t mutex; /* guards the list and the count */
    TAILQ_HEAD(, at_thread) threads;
    size_t count;
} registry = {.mutex = PTHREAD_MUTEX_INITIALIZER, .threads = TAILQ_HEAD_INITIALIZER(registry.threads)};

static pthread_key_t end_of_thread; /* its destructor runs however a thread ends: by return or by pthread_exit */

void thread_acquire(at_thread *thread) {
    atomic_fetch_add_explicit(&thread->references, 1, memory_order_relaxed);
}

/* Release and acquire: all that others did with the handle comes before it is freed. */
void thread_release(at_thread *thread) {
    if (atomic_fetch_sub_explicit(&thread->references, 1, memory_order_acq_rel) > 1)
        return;
    bool started = thread->kind == STARTED_HERE && atomic_load(&thread->state) != NEW;
    if (started && !thread->joined && thread->generation == fork_generation)
        pthread_detach(thread->pthread);
    pthread_mutex_destroy(&thread->join_mutex);
    free(thread);
}

void registry_add(at_thread *thread) {
    pthread_mutex_lock(&registry.mutex);
    thread->generation = fork_generation;
    TAILQ_INSERT_TAIL(&registry.threads, thread, registered);
    registry.count++;
    pthread_mutex_unlock(&registry.mutex);
}

void registry_remove(at_thread *thread) {
    pthread_mutex_lock(&registry.mutex);
    TAILQ_REMOVE(&registry.threads, thread, registered);
    registry.count--;
    pthread_mutex_unlock(&registry.mutex);
}

int registry_adopt(at_thread *thread) {
    int error = pthread_setspecific(end_of_thread, thread);
    if (error == 0)
        current_thread = thread;
    return -error;
}

int registry_begin_wait(at_thread *thread) {
    int error = 0;
    if (current_thread == NULL)
        return 0; /* whom nobody can join */
    pthread_mutex_lock(&registry.mutex);
    for (at_thread *next = thread; next != NULL && error == 0; next = next->joining)
        if (next == current_thread)
            error = -EDEADLK;
    if (error == 0)
        current_thread->joining = thread;
    pthread_mutex_unlock(&registry.mutex);
    return error;
}

void registry_end_wait(void) {
    if (current_thread == NULL)
        return;
    pthread_mutex_lock(&registry.mutex);
    current_thread->joining = NULL;
    pthread_mutex_unlock(&registry.mutex);
}

/*
 * The last thing that a thread does here: in the second round of destructors, so after those of the thread's own keys.
 * pthread_key_create(3)
 */
static void end_thread(void *handle) {
    static _Thread_local bool is_second_round;
    at_thread *thread = handle;
    if (!is_second_round) {
        is_second_round = true;
        if (pthread_setspecific(end_of_thread, thread) == 0)
            return;
    }
    is_second_round = false;
    current_thread = NULL;
    registry_remove(thread);
    /* Release: what the thread did is seen by whoever finds it finished (await_finish, at_thread_is_alive). */
    if (atomic_exchange_explicit(&thread->state, FINISHED, memory_order_release) == WATCHED)
        futex_wake(&thread->state, INT32_MAX, FUTEX_OF_PROCESS);
    if (thread != main_thread) /* at_main_thread's handle outlives its thread */
        thread_release(thread);
}

size_t at_active_count(void) {
    pthread_mutex_lock(&registry.mutex);
    size_t count = registry.count;
    pthread_mutex_unlock(&registry.mutex);
    return count;
}

int at_enumerate(at_thread ***threads) {
    int count = 0;
    at_thread *thread;
    pthread_mutex_lock(&registry.mutex);
    at_thread **list = malloc((registry.count + 1) * sizeof(at_thread *));
    if (list != NULL) {
        TAILQ_FOREACH(thread, &registry.threads, registered) {
            thread_acquire(thread);
            list[count++] = thread;
        }
        list[count] = NULL;
    }
    pthread_mutex_unlock(&registry.mutex);
    *threads = list;
    return list != NULL ? count : -ENOMEM;
}

void at_threads_free(at_thread **threads) {
    for (at_thread **thread = threads; thread != NULL && *thread != NULL; thread++)
        thread_release(*thread);
    free(threads);
}

void registry_pass_over(at_thread *thread) {
    pthread_mutex_lock(&registry.mutex);
    thread->passed_over = true;
    pthread_mutex_unlock(&registry.mutex);
}

at_thread *registry_next_to_join(void) {
    at_thread *thread;
    pthread_mutex_lock(&registry.mutex);
    TAILQ_FOREACH(thread, &registry.threads, registered)
    if (thread->kind == STARTED_HERE && !thread->daemon && thread != current_thread && thread != main_thread &&
        !thread->passed_over)
        break;
    if (thread != NULL)
        thread_acquire(thread);
    pthread_mutex_unlock(&registry.mutex);
    return thread;
}

/* A handle for a thread that is not ours: it lives until that thread ends. */
static at_thread *new_dummy(void) {
    static _Atomic unsigned dummies;
    static const size_t NAME_SIZE = sizeof "Dummy-4294967295";
    at_thread *thread = malloc(sizeof *thread + NAME_SIZE);
    if (thread == NULL)
        return NULL;
    *thread = (at_thread){
        .kind = DUMMY,
        .references = 1,
        .state = RUNNING,
        .daemon = true,
        .ident = (uint64_t)pthread_self(),
        .name = (char *)thread->storage,
        .join_mutex = PTHREAD_MUTEX_INITIALIZER,
    };
    snprintf((char *)thread->storage, NAME_SIZE, "Dummy-%u", 1 + atomic_fetch_add(&dummies, 1));
    if (registry_adopt(thread) != 0) {
        free(thread);
        return NULL;
    }
    registry_add(thread);
    return thread;
}

at_thread *at_current_thread(void) {
    return current_thread != NULL ? current_thread : new_dummy();
}

at_thread *at_main_thread(void) {
    return main_thread;
}

static void adopt_main(void) {
    first_thread = (at_thread){
        .kind = MAIN,
        .references = 1,
        .state = RUNNING,
        .ident = (uint64_t)pthread_self(),
        .name = "MainThread",
        .join_mutex = PTHREAD_MUTEX_INITIALIZER,
    };
    current_thread = main_thread = &first_thread;
    registry_add(&first_thread);
}

static void before_fork(void) {
    pthread_mutex_lock(&registry.mutex);
}

static void after_fork_in_parent(void) {
    pthread_mutex_unlock(&registry.mutex);
}

/* Only the thread that forked is left. It is the main thread now; the others' own references go with them. */
static void after_fork_in_child(void) {
    at_thread *thread;
    fork_generation++;
    while ((thread = TAILQ_FIRST(&registry.threads)) != NULL) {
        TAILQ_REMOVE(&registry.threads, thread, registered);
        if (thread != current_thread && thread->kind != MAIN)
            thread_release(thread);
    }
    registry.count = 0;
    pthread_mutex_unlock(&registry.mutex); /* this thread locked it in before_fork */
    if (current_thread == NULL) {
        adopt_main();
    } else {
        main_thread = current_thread;
        registry_add(current_thread);
    }
}

/*
 * Before main, in the main thread; or in whatever thread loads the shared library. Of the runtime's constructors this
 * is the first, so that after a fork, too, fork_generation has changed before the others ask for it.
 */
static __attribute__((constructor(101))) void initialise(void) {
    pthread_key_create(&end_of_thread, end_thread);
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    adopt_main();
    if (gettid() != getpid())
        current_thread = NULL; /* that thread is a dummy, should it ask */
}
