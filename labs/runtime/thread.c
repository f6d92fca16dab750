/*
 * thread.c: threads: their handles, start, join and end; see thread.h.
 *
 * pthread_join can neither be timed nor repeated nor shared, so a join with a deadline waits for `state` first, and
 * whoever then calls pthread_join does so under `join_mutex`.
 */
#include "thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "clock.h"
#include "error.h"
#include "thread_internal.h"
#include "wait.h"

static at_excepthook *_Atomic excepthook;

/* Where the value of .target begins in the text of the options, or NULL. */
static const char *target_value(const char *source) {
    static const char MEMBER[] = ".target";
    for (const char *text = source; text != NULL && (text = strstr(text, MEMBER)) != NULL; text++) {
        const char *after = text + strlen(MEMBER);
        after += strspn(after, " \t\n");
        if (*after == '=' && (text == source || strchr(", \t\n", text[-1]) != NULL))
            return after + 1;
    }
    return NULL;
}

/*
 * Finds "paint" in ".target = paint, .arg = &a": the text of the options is all that C leaves of the function's name.
 * It is the last name of the value: casts, & and parentheses come before. Returns its length, 0 without one.
 */
static int target_name(const char *source, const char **name) {
    static const char NAME[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const char *text = target_value(source);
    int length = 0;
    while (text != NULL && *text != '\0' && *text != ',') {
        size_t run = strspn(text, NAME);
        if (run > 0) {
            *name = text;
            length = (int)run;
        }
        text += run > 0 ? run : 1;
    }
    return length;
}

/* The name of a thread whose options have none. */
static void default_name(char *text, size_t size, const char *source) {
    static _Atomic unsigned unnamed;
    unsigned number = 1 + atomic_fetch_add(&unnamed, 1);
    const char *target = NULL;
    int length = target_name(source, &target);
    if (length > 0)
        snprintf(text, size, "Thread-%u (%.*s)", number, length < 100 ? length : 100, target);
    else
        snprintf(text, size, "Thread-%u", number);
}

at_thread *at_thread_create(const at_thread_options *options) {
    char generated[128];
    const char *name = options->name;
    if (name == NULL || *name == '\0') {
        default_name(generated, sizeof generated, options->source);
        name = generated;
    }
    size_t name_size = strlen(name) + 1;
    at_thread *creator = at_current_thread();
    size_t size;
    bool too_large = __builtin_add_overflow(sizeof(at_thread) + name_size, options->arg_size, &size);
    at_thread *thread = too_large ? NULL : malloc(size);
    if (thread == NULL || creator == NULL) {
        free(thread);
        return NULL;
    }
    *thread = (at_thread){
        .kind = STARTED_HERE,
        .references = 1,
        .daemon = options->daemon == 0 ? at_thread_daemon(creator) : options->daemon > 0,
        .target = options->target,
        .arg = (void *)options->arg,
        .stack_size = options->stack_size,
        .join_mutex = PTHREAD_MUTEX_INITIALIZER,
    };
    if (options->arg_size > 0)
        thread->arg = memcpy(thread->storage, options->arg, options->arg_size);
    thread->name = memcpy(thread->storage + options->arg_size, name, name_size);
    return thread;
}

void at_thread_free(at_thread *thread) {
    if (thread != NULL)
        thread_release(thread);
}

static void report_failure(at_thread *thread, int code) {
    at_excepthook *hook = atomic_load(&excepthook);
    if (hook != NULL)
        hook(thread, code);
    else
        fprintf(stderr, "Exception in thread %s: %s\n", thread->name, at_strerror(code));
}

at_excepthook *at_set_excepthook(at_excepthook *hook) {
    return atomic_exchange(&excepthook, hook);
}

static void *run(void *arg) {
    at_thread *thread = arg;
    atomic_store(&thread->ident, (uint64_t)pthread_self());
    if (registry_adopt(thread) != 0)
        at_fatal("thread \"%s\": no memory to run it in", thread->name);
    prctl(PR_SET_NAME, thread->name); /* the kernel keeps 15 bytes of it, for ps and gdb */
    int code = thread->target(thread->arg);
    if (code < 0)
        report_failure(thread, code);
    return NULL;
}

static int create(at_thread *thread) {
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error != 0)
        return -error;
    if (thread->stack_size > 0)
        error = pthread_attr_setstacksize(&attributes, thread->stack_size);
    if (error == 0)
        error = pthread_create(&thread->pthread, &attributes, run, thread);
    if (error == 0)
        atomic_store(&thread->ident, (uint64_t)thread->pthread);
    pthread_attr_destroy(&attributes);
    return -error;
}

void threads_join_all(void) {
    at_thread *thread;
    while ((thread = registry_next_to_join()) != NULL) {
        if (at_thread_join(thread, AT_FOREVER) != 0)
            registry_pass_over(thread); /* it is joining us, so neither would ever end */
        thread_release(thread);
    }
}

static void join_at_exit(void) {
    atexit(threads_join_all);
}

int at_thread_start(at_thread *thread) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (thread == NULL)
        return -EINVAL;
    if (thread->target == NULL && thread->kind == STARTED_HERE)
        return AT_ENOTARGET;
    uint32_t state = NEW;
    if (!atomic_compare_exchange_strong(&thread->state, &state, STARTING))
        return AT_ESTARTED;
    pthread_once(&once, join_at_exit);
    pthread_mutex_lock(&thread->join_mutex); /* so that whoever joins it at once finds `pthread` */
    thread_acquire(thread); /* this call's: the thread may free the handle before we are done with it */
    thread_acquire(thread); /* the thread's own, released by thread_finish */
    thread->generation = fork_generation;
    atomic_store(&thread->state, RUNNING); /* before it is listed: who finds it there can join it */
    registry_add(thread);
    int error = create(thread);
    if (error != 0) {
        registry_remove(thread);
        if (atomic_exchange(&thread->state, NEW) == WATCHED)
            futex_wake(&thread->state, INT32_MAX, FUTEX_OF_PROCESS);
    }
    pthread_mutex_unlock(&thread->join_mutex);
    if (error != 0)
        thread_release(thread);
    thread_release(thread);
    return error;
}

/* Waits until it has finished: 0, -ETIMEDOUT, or AT_ENOTSTARTED when its start failed meanwhile. */
static int await_finish(at_thread *thread, const struct deadline *deadline) {
    bool late = false;
    for (;;) {
        uint32_t state = RUNNING;
        atomic_compare_exchange_strong(&thread->state, &state, WATCHED);
        if (state == FINISHED)
            return 0;
        if (state == NEW)
            return AT_ENOTSTARTED;
        if (late)
            return -ETIMEDOUT;
        late = futex_wait(&thread->state, WATCHED, deadline, FUTEX_OF_PROCESS) == -ETIMEDOUT;
    }
}

/* Waits for the thread itself: for long only if it still runs. */
static int await_thread(at_thread *thread) {
    int error = 0;
    pthread_mutex_lock(&thread->join_mutex);
    if (atomic_load(&thread->state) == NEW) {
        error = AT_ENOTSTARTED;
    } else if (!thread->joined) {
        error = -pthread_join(thread->pthread, NULL);
        thread->joined = error == 0;
    }
    pthread_mutex_unlock(&thread->join_mutex);
    return error;
}

int at_thread_join(at_thread *thread, double timeout) {
    struct deadline deadline;
    if (thread == NULL)
        return -EINVAL;
    int error = deadline_after(timeout, NEGATIVE_POLLS, &deadline);
    if (error != 0)
        return error;
    if (thread == current_thread)
        return -EDEADLK;
    if (thread->kind != STARTED_HERE || thread == main_thread)
        return AT_ENOTJOINABLE;
    uint32_t state = atomic_load(&thread->state);
    if (state == NEW || state == STARTING)
        return AT_ENOTSTARTED;
    if (thread->generation != fork_generation)
        return 0; /* it stayed behind in the process that forked us */
    thread_acquire(thread);
    if (!deadline.never)
        error = await_finish(thread, &deadline);
    else
        error = registry_begin_wait(thread);
    if (error == 0)
        error = await_thread(thread);
    if (deadline.never)
        registry_end_wait();
    thread_release(thread);
    return error;
}

bool at_thread_is_alive(const at_thread *thread) {
    if (thread == NULL)
        return false;
    /* Acquire: the partner of the release in thread_finish. */
    uint32_t state = atomic_load_explicit(&thread->state, memory_order_acquire);
    return (state == RUNNING || state == WATCHED) && thread->generation == fork_generation;
}

const char *at_thread_name(const at_thread *thread) {
    return thread != NULL ? thread->name : NULL;
}

bool at_thread_daemon(const at_thread *thread) {
    return thread != NULL && atomic_load(&thread->daemon);
}

int at_thread_set_daemon(at_thread *thread, bool daemon) {
    if (thread == NULL)
        return -EINVAL;
    if (atomic_load(&thread->state) != NEW)
        return AT_ESTARTED;
    atomic_store(&thread->daemon, daemon);
    return 0;
}

uint64_t at_thread_ident(const at_thread *thread) {
    return thread != NULL ? atomic_load(&thread->ident) : 0;
}

int at_thread_repr(const at_thread *thread, char *text, size_t size) {
    static const char *const CLASSES[] = {[STARTED_HERE] = "Thread", [MAIN] = "_MainThread", [DUMMY] = "_DummyThread"};
    if (thread == NULL)
        return snprintf(text, size, "None");
    uint64_t ident = at_thread_ident(thread);
    const char *status = at_thread_is_alive(thread) ? "started" : ident != 0 ? "stopped" : "initial";
    char number[32] = "";
    if (ident != 0)
        snprintf(number, sizeof number, " %llu", (unsigned long long)ident);
    return snprintf(text, size, "<%s(%s, %s%s%s)>", CLASSES[thread->kind], thread->name, status,
                    at_thread_daemon(thread) ? " daemon" : "", number);
}
