/* c11_mode.c: C11's threads, one for each worker, started and joined in each run: c11_mode [PART] (bench/host.h). */
#include <stdlib.h>
#include <threads.h>

#include "host.h"

static void run(const struct job *job) {
    thrd_t threads[job->workers];
    struct share shares[job->workers];
    for (size_t i = 0; i < job->workers; i++) {
        shares[i] = (struct share){job, i};
        if (thrd_create(&threads[i], share_do, &shares[i]) != thrd_success) {
            fprintf(stderr, "c11_mode: thrd_create: no more threads can be had\n");
            exit(1);
        }
    }
    for (size_t i = 0; i < job->workers; i++)
        thrd_join(threads[i], NULL);
}

static void *create(void) {
    static mtx_t mutex;
    return mtx_init(&mutex, mtx_plain) == thrd_success ? &mutex : NULL;
}

static void acquire(void *mutex) {
    mtx_lock(mutex);
}

static void release(void *mutex) {
    mtx_unlock(mutex);
}

static const struct lock_kind mutexes = {create, acquire, release};

int main(int argc, char *argv[]) {
    static const struct mode mode = {.name = "c11", .title = "C11 threads", .locks = &mutexes, .run = run};
    return host_main(&mode, argc, argv);
}
