/* libuv_mode.c: libuv's pool of threads, which stay; a work item for each worker: libuv_mode [PART] (bench/host.h). */
#include <stdlib.h>
#include <uv.h>

#include "host.h"
#include "measure.h"

/* The least that the pool has, and the most (uv_queue_work's manual). */
enum { THREADS_LEAST = 16, THREADS_MOST = 1024 };

static size_t threads;

struct item {
    uv_work_t request;
    struct share share;
};

/* At the first item libuv starts all of the pool's threads, as many as the environment says, once for all. */
static void choose_threads(void) {
    char text[24];
    const char *given = getenv("UV_THREADPOOL_SIZE");
    size_t cores = cores_at_hand();
    threads = given != NULL ? strtoul(given, NULL, 10) : cores < THREADS_LEAST ? THREADS_LEAST : cores;
    threads = threads < 1 ? 1 : threads > THREADS_MOST ? THREADS_MOST : threads;
    snprintf(text, sizeof text, "%zu", threads);
    setenv("UV_THREADPOOL_SIZE", text, true);
}

/* More items than threads would wait for one another: these are no workers. */
static void open_pool(size_t workers) {
    if (workers <= threads)
        return;
    fprintf(stderr,
            "libuv_mode: the pool has %zu threads, and %zu are wanted; UV_THREADPOOL_SIZE=%zu makes it so large\n",
            threads, workers, workers);
    exit(1);
}

static void work(uv_work_t *request) {
    share_do(request->data);
}

/* With as many items as workers, at most so many of the threads have something to do. */
static void run(const struct job *job) {
    struct item items[job->workers];
    for (size_t i = 0; i < job->workers; i++) {
        items[i] = (struct item){.share = {job, i}};
        items[i].request.data = &items[i].share;
        uv_queue_work(uv_default_loop(), &items[i].request, work, NULL);
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

static void *create(void) {
    static uv_mutex_t mutex;
    return uv_mutex_init(&mutex) == 0 ? &mutex : NULL;
}

static void acquire(void *mutex) {
    uv_mutex_lock(mutex);
}

static void release(void *mutex) {
    uv_mutex_unlock(mutex);
}

static const struct lock_kind mutexes = {create, acquire, release};

int main(int argc, char *argv[]) {
    static const struct mode mode = {
        .name = "libuv", .title = "libuv's pool", .locks = &mutexes, .open = open_pool, .run = run};
    choose_threads();
    return host_main(&mode, argc, argv);
}
